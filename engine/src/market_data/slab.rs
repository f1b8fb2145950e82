//! Rows that stay where they are, and are found by a small number.

use std::num::NonZeroU32;

/// Where a row is. As small as can be, and so is an `Option` of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(NonZeroU32);

impl Slot {
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn from_index(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("memory ends before the numbers do"))
    }

    fn index(self) -> usize {
        usize::try_from(self.0.get() - 1).unwrap_or(usize::MAX)
    }
}

/// A growing row of rows whose places are used again.
#[derive(Debug)]
pub(super) struct Slab<T> {
    rows: Vec<Option<T>>,
    free: Vec<Slot>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Makes room for so many rows, as if they had come one by one.
    pub(super) fn make_room(&mut self, count: usize) {
        self.rows.reserve(count.next_power_of_two());
    }

    pub(super) fn insert(&mut self, row: T) -> Slot {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.rows.get_mut(slot.index())
        {
            *place = Some(row);
            return slot;
        }
        let slot = Slot::from_index(self.rows.len());
        self.rows.push(Some(row));
        slot
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn remove(&mut self, slot: Slot) -> T {
        let row = self.rows.get_mut(slot.index()).and_then(Option::take);
        self.free.push(slot);
        row.expect("a row is removed once")
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn get(&self, slot: Slot) -> &T {
        self.rows
            .get(slot.index())
            .and_then(Option::as_ref)
            .expect("a slot in use has a row")
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut T {
        self.rows
            .get_mut(slot.index())
            .and_then(Option::as_mut)
            .expect("a slot in use has a row")
    }
}

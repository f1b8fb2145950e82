//! The resting orders of both sides in one slab.
//!
//! Orders are linked by handles, not pointers; a slot that frees is taken again first, as it is
//! the likeliest to be in the cache. Once it has grown to the most orders that ever rested at
//! once, the slab allocates nothing.

use super::rank::LevelKey;
use super::types::{ClientNumber, Handle};
use crate::quantity::Quantity;

/// A resting order and its neighbours: two of them to a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Slot {
    /// Where it rests.
    pub(super) key: LevelKey,
    /// What is left of it. Above zero for as long as it rests; a free slot has nothing left.
    pub(super) remaining: Quantity,
    /// Whose.
    pub(super) client: ClientNumber,
    /// Who stands right before it in its level.
    pub(super) previous: Option<Handle>,
    /// Who stands right behind it in its level; of a free slot, the one that was freed before.
    pub(super) next: Option<Handle>,
    /// Of a mirror's order, the one that the mirror added to the same level before it. Means
    /// nothing in the oldest that still rests.
    pub(super) older: Option<Handle>,
}

const _: () = assert!(std::mem::size_of::<Slot>() == 32);

/// All resting orders.
#[derive(Debug, Default)]
pub(super) struct Slab {
    slots: Vec<Slot>,
    freed_last: Option<Handle>,
}

impl Slab {
    /// Keeps a new order.
    ///
    /// # Panics
    /// With 2^32 - 1 orders resting: the limit of open orders lies far below.
    #[expect(clippy::expect_used, reason = "more orders than memory holds")]
    pub(super) fn insert(
        &mut self,
        key: LevelKey,
        remaining: Quantity,
        client: ClientNumber,
    ) -> Handle {
        let slot = Slot {
            key,
            remaining,
            client,
            previous: None,
            next: None,
            older: None,
        };
        if let Some(handle) = self.freed_last {
            let free = self.order_mut(handle);
            let freed_before = free.next;
            *free = slot;
            self.freed_last = freed_before;
            return handle;
        }
        let handle = Handle::of_index(self.slots.len()).expect("the slab has room");
        self.slots.push(slot);
        handle
    }

    /// Gives an order's slot back. It is no longer linked to from anywhere.
    pub(super) fn free(&mut self, handle: Handle) {
        let freed_before = self.freed_last;
        let slot = self.order_mut(handle);
        slot.remaining = Quantity::ZERO;
        slot.next = freed_before;
        self.freed_last = Some(handle);
    }

    /// The resting order of a handle, if it names one.
    pub(super) fn get(&self, handle: Handle) -> Option<&Slot> {
        self.slots
            .get(handle.index())
            .filter(|slot| !slot.remaining.is_zero())
    }

    /// The slot of a handle, which names an order, or has just been told to be free.
    #[expect(
        clippy::indexing_slicing,
        reason = "a foreign handle is a bug, which stops the shard"
    )]
    pub(super) fn order(&self, handle: Handle) -> &Slot {
        &self.slots[handle.index()]
    }

    /// The slot of a handle, which names an order, or has just been told to be free.
    #[expect(
        clippy::indexing_slicing,
        reason = "a foreign handle is a bug, which stops the shard"
    )]
    pub(super) fn order_mut(&mut self, handle: Handle) -> &mut Slot {
        &mut self.slots[handle.index()]
    }

    /// Every slot, free ones too.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The free slots, the one to be taken next first.
    pub(super) fn free_list(&self) -> impl Iterator<Item = Handle> + '_ {
        std::iter::successors(self.freed_last, |handle| self.order(*handle).next)
    }
}

//! The levels near the touch, in an array indexed by rank.
//!
//! It is a ring: a rank's slot is the rank modulo [`SPAN`], so that a window that moves leaves
//! the levels it still covers where they are. It begins at a multiple of 64 ranks, so that a
//! bitmap's word is either within it or not.

use super::bitmap::{BITS, Bitmap};
use super::level::Level;
use super::rank::Rank;

/// How many ranks a window covers: at ticks of a cent, 40.96 from end to end. 128 KiB of levels.
pub(super) const SPAN: u64 = 4096;

/// How many ranks better than the touch a new window begins: the touch moves both ways, but what
/// rests is on one side of it.
const HEADROOM: u64 = SPAN / 4;

const _: () = assert!(std::mem::size_of::<Level>() == 32 && SPAN == 64 * 64);

/// Where a window lies: [`SPAN`] ranks from a multiple of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach(u64);

impl Reach {
    /// The one to have when the touch is at `touch`.
    pub(super) const fn around(touch: Rank) -> Self {
        Self(touch.ticks().saturating_sub(HEADROOM) / 64 * 64)
    }

    /// Whether it covers a rank.
    pub(super) const fn covers(self, rank: Rank) -> bool {
        rank.ticks().wrapping_sub(self.0) < SPAN
    }

    /// The best rank it covers.
    pub(super) const fn first(self) -> Rank {
        Rank::new(self.0)
    }

    /// The best of the ranks that are worse than all it covers.
    pub(super) const fn end(self) -> Rank {
        Rank::new(self.0 + SPAN)
    }
}

/// Levels by rank.
#[derive(Debug)]
pub(super) struct Window {
    reach: Reach,
    occupied: Bitmap,
    levels: Box<[Level; BITS]>,
}

impl Window {
    /// An empty one.
    #[expect(clippy::expect_used, reason = "the vector was made of that length")]
    pub(super) fn new(reach: Reach) -> Self {
        let levels = vec![Level::default(); BITS].into_boxed_slice();
        Self {
            reach,
            occupied: Bitmap::new(),
            levels: levels.try_into().expect("as many levels as bits"),
        }
    }

    /// Where it lies.
    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }

    /// The best rank with a level.
    pub(super) fn best(&self) -> Option<Rank> {
        let skipped = self.occupied.first_from(self.first_word())?;
        Some(Rank::new(self.reach.0 + u64::from(skipped)))
    }

    /// The level of a rank that the window covers, if there is one.
    pub(super) const fn get(&self, rank: Rank) -> Option<&Level> {
        if self.occupied.contains(slot(rank)) {
            Some(self.level(rank))
        } else {
            None
        }
    }

    /// The level of a rank that the window covers, as it stands.
    #[expect(clippy::indexing_slicing, reason = "within bounds after the remainder")]
    pub(super) const fn level_mut(&mut self, rank: Rank) -> &mut Level {
        &mut self.levels[slot(rank) % BITS]
    }

    /// The level of a rank that the window covers, for an order about to rest there.
    pub(super) const fn enter(&mut self, rank: Rank) -> &mut Level {
        self.occupied.set(slot(rank));
        self.level_mut(rank)
    }

    /// Forgets a level that no one rests at any more.
    pub(super) const fn vacate(&mut self, rank: Rank) {
        self.occupied.clear(slot(rank));
    }

    /// Its levels, best first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Rank, &Level)> + '_ {
        self.ranks().map(|rank| (rank, self.level(rank)))
    }

    /// Lies elsewhere from now on. The levels that it no longer covers go to `leave`.
    pub(super) fn shift(&mut self, reach: Reach, mut leave: impl FnMut(Rank, Level)) {
        let left: Vec<Rank> = self.ranks().filter(|rank| !reach.covers(*rank)).collect();
        for rank in left {
            leave(rank, std::mem::take(self.level_mut(rank)));
            self.vacate(rank);
        }
        self.reach = reach;
    }

    /// What must hold: a level is in the bitmap as long as it has orders.
    pub(super) fn assert_invariants(&self) {
        assert!(self.occupied.summary_is_right(), "a summary bit is wrong");
        assert!(
            self.reach.0.is_multiple_of(64),
            "the window starts within a word"
        );
        for (slot, level) in self.levels.iter().enumerate() {
            assert_eq!(
                self.occupied.contains(slot),
                !level.is_empty(),
                "the bit of slot {slot} is wrong"
            );
        }
    }

    fn ranks(&self) -> impl Iterator<Item = Rank> + '_ {
        (0..SPAN / 64).flat_map(|word| {
            let first = self.reach.0 + word * 64;
            self.occupied
                .in_word(slot(Rank::new(first)) / 64)
                .map(move |bit| Rank::new(first + u64::from(bit)))
        })
    }

    #[expect(clippy::as_conversions, reason = "below 64 after the remainder")]
    const fn first_word(&self) -> u32 {
        (self.reach.0 / 64 % 64) as u32
    }

    #[expect(clippy::indexing_slicing, reason = "within bounds after the remainder")]
    const fn level(&self, rank: Rank) -> &Level {
        &self.levels[slot(rank) % BITS]
    }
}

/// Where in the ring a rank stands.
#[expect(clippy::as_conversions, reason = "below 4096 after the remainder")]
const fn slot(rank: Rank) -> usize {
    (rank.ticks() % SPAN) as usize
}

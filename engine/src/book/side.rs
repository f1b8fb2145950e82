//! One side of the book: its levels by rank, and which is the best.
//!
//! Levels near the touch stand in a window, found in constant time; the rest in a tree. Where a
//! level stands changes nothing but its cost, so the window may lie anywhere: it follows the
//! touch only after the tree has been asked often enough for levels near it to pay for the move.
//! A quiet book never gets a window and costs what its orders cost.

use std::collections::BTreeMap;

use super::level::Level;
use super::rank::Rank;
use super::window::{Reach, Window};
use crate::side::Side;

/// After how many strays, look-ups in the tree near the touch, the window moves. A move takes at
/// most 4,096 levels out of it and as many in, some 16 of them for each stray.
pub(super) const STRAYS_MAX: u32 = 512;

/// Both sides.
#[derive(Debug)]
pub(super) struct Sides {
    bids: SideBook,
    asks: SideBook,
}

impl Sides {
    /// Two empty sides whose windows move after so many strays.
    pub(super) const fn new(strays_max: u32) -> Self {
        Self {
            bids: SideBook::new(strays_max),
            asks: SideBook::new(strays_max),
        }
    }

    /// Those who rest on `side`.
    pub(super) const fn of(&self, side: Side) -> &SideBook {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// Those who rest on `side`.
    pub(super) const fn of_mut(&mut self, side: Side) -> &mut SideBook {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

/// One side's levels.
#[derive(Debug)]
pub(super) struct SideBook {
    best: Option<Rank>,
    window: Option<Window>,
    /// Every level that the window does not cover, better ones too.
    far: BTreeMap<Rank, Level>,
    far_best: Option<Rank>,
    strays: u32,
    strays_max: u32,
}

impl SideBook {
    const fn new(strays_max: u32) -> Self {
        Self {
            best: None,
            window: None,
            far: BTreeMap::new(),
            far_best: None,
            strays: 0,
            strays_max,
        }
    }

    /// The best rank with an order.
    pub(super) const fn best(&self) -> Option<Rank> {
        self.best
    }

    /// The level of a rank, if anyone rests there.
    pub(super) fn level(&self, rank: Rank) -> Option<&Level> {
        match &self.window {
            Some(window) if window.reach().covers(rank) => window.get(rank),
            _ => self.far.get(&rank),
        }
    }

    /// The level of a rank at which someone rests.
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn level_mut(&mut self, rank: Rank) -> &mut Level {
        if !self.in_window(rank) {
            self.stray(rank);
        }
        match &mut self.window {
            Some(window) if window.reach().covers(rank) => window.level_mut(rank),
            _ => self.far.get_mut(&rank).expect("someone rests there"),
        }
    }

    /// The level of a rank, for an order about to rest there.
    pub(super) fn enter(&mut self, rank: Rank) -> &mut Level {
        if self.best.is_none_or(|best| rank < best) {
            self.best = Some(rank);
        }
        if !self.in_window(rank) {
            self.stray(rank);
        }
        match &mut self.window {
            Some(window) if window.reach().covers(rank) => window.enter(rank),
            _ => {
                if self.far_best.is_none_or(|best| rank < best) {
                    self.far_best = Some(rank);
                }
                self.far.entry(rank).or_default()
            }
        }
    }

    /// Forgets a level that no one rests at any more.
    pub(super) fn vacate(&mut self, rank: Rank) {
        match &mut self.window {
            Some(window) if window.reach().covers(rank) => window.vacate(rank),
            _ => {
                self.far.remove(&rank);
                if self.far_best == Some(rank) {
                    self.far_best = self.first_far();
                }
            }
        }
        if self.best == Some(rank) {
            self.best = self.find_best();
        }
    }

    /// Its levels, best first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Rank, &Level)> + '_ {
        // Without a window all are far, and any reach divides them.
        let reach = self
            .window
            .as_ref()
            .map_or(Reach::around(Rank::new(0)), Window::reach);
        self.far
            .range(..reach.first())
            .map(|(rank, level)| (*rank, level))
            .chain(self.window.iter().flat_map(Window::iter))
            .chain(
                self.far
                    .range(reach.first()..)
                    .map(|(rank, level)| (*rank, level)),
            )
    }

    #[cfg(test)]
    pub(super) const fn has_window(&self) -> bool {
        self.window.is_some()
    }

    /// What must hold of where levels stand; what must hold within them is the book's to check.
    pub(super) fn assert_invariants(&self) {
        assert_eq!(
            self.best,
            self.iter().next().map(|(rank, _)| rank),
            "the best is another"
        );
        assert_eq!(self.best, self.find_best(), "the best is another");
        assert_eq!(
            self.far_best,
            self.first_far(),
            "the best far one is another"
        );
        assert!(
            self.iter().is_sorted_by(|(a, _), (b, _)| a < b),
            "levels are out of order"
        );
        for (rank, level) in &self.far {
            assert!(!self.in_window(*rank), "{rank:?} belongs into the window");
            assert!(!level.is_empty(), "no one rests at {rank:?}");
        }
        if let Some(window) = &self.window {
            window.assert_invariants();
        }
    }

    fn in_window(&self, rank: Rank) -> bool {
        self.window
            .as_ref()
            .is_some_and(|window| window.reach().covers(rank))
    }

    fn find_best(&self) -> Option<Rank> {
        let near = self.window.as_ref().and_then(Window::best);
        match (near, self.far_best) {
            (Some(near), Some(far)) => Some(near.min(far)),
            (near, far) => near.or(far),
        }
    }

    fn first_far(&self) -> Option<Rank> {
        self.far.first_key_value().map(|(rank, _)| *rank)
    }

    /// Takes note that the tree is asked for a rank that a window around the touch would hold,
    /// and moves the window there once that happens too often.
    #[cold]
    fn stray(&mut self, rank: Rank) {
        let touch = self.best.map_or(rank, |best| best.min(rank));
        let reach = Reach::around(touch);
        if !reach.covers(rank) {
            return;
        }
        self.strays += 1;
        if self.strays >= self.strays_max {
            self.strays = 0;
            self.recentre(reach);
        }
    }

    fn recentre(&mut self, reach: Reach) {
        let window = self.window.get_or_insert_with(|| Window::new(reach));
        let far = &mut self.far;
        window.shift(reach, |rank, level| {
            far.insert(rank, level);
        });
        for (rank, level) in far.extract_if(reach.first()..reach.end(), |_, _| true) {
            *window.enter(rank) = level;
        }
        self.far_best = self.first_far();
    }
}

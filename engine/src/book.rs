//! The order book of one instrument: who rests where, and who trades with whom.
//!
//! It is pure and dense: orders are handles and clients are numbers, whose names the shard keeps;
//! there is no clock, no I/O and no randomness, and the same commands give the same events. In
//! steady state a command allocates nothing but what the caller's event buffer has yet to grow
//! by, and, for levels far from the touch, a tree's nodes. What a cancel or a match at the touch
//! costs does not depend on how many orders rest.
//!
//! Between commands the best bid is below the best ask, every level has orders, and the totals
//! are the sums: [`Book::assert_invariants`] checks all of it.
//!
//! Whatever can only be a bug of the caller (a handle that names no order, more taken than there
//! is) panics, which stops the shard; what a client can bring about never does.

mod bitmap;
mod invariants;
mod level;
mod matching;
mod mirror;
mod rank;
mod restore;
mod side;
mod slab;
mod types;
mod window;

#[cfg(test)]
mod tests;

pub use types::{
    BookEvent, ClientNumber, Handle, Incoming, LevelView, Outcome, Remainder, RestingView,
};

use crate::price::Price;
use crate::quantity::{Quantity, Volume};
use crate::side::Side;
use level::Level;
use mirror::Mirror;
use rank::{LevelKey, Rank};
use side::{STRAYS_MAX, Sides};
use slab::Slab;

/// One instrument's resting orders.
#[derive(Debug)]
pub struct Book {
    sides: Sides,
    slab: Slab,
    mirror: Mirror,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::with_strays_max(STRAYS_MAX)
    }

    /// An empty book whose windows follow the touch sooner or later than usual.
    fn with_strays_max(strays_max: u32) -> Self {
        Self {
            sides: Sides::new(strays_max),
            slab: Slab::default(),
            mirror: Mirror::default(),
        }
    }

    /// Takes a client's resting order away, and tells what remained of it.
    ///
    /// # Panics
    /// If the handle names no order, or one of the mirror's.
    pub fn cancel(&mut self, handle: Handle) -> Quantity {
        self.assert_a_clients(handle);
        self.remove(handle)
    }

    /// Lowers what remains of a client's resting order; it keeps its place.
    ///
    /// # Panics
    /// If the handle names no order or one of the mirror's, or if `remaining` is zero or more
    /// than remains.
    pub fn reduce(&mut self, handle: Handle, remaining: Quantity) {
        self.assert_a_clients(handle);
        self.lower_to(handle, remaining);
    }

    /// Whether an order of `side` with the limit `price` would meet a resting one, its own
    /// client's included.
    #[must_use]
    pub fn would_cross(&self, side: Side, price: Price) -> bool {
        let makers = side.opposite();
        let limit = Rank::of(makers, price);
        self.sides
            .of(makers)
            .best()
            .is_some_and(|best| best <= limit)
    }

    /// The best price of a side and what rests there.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(Price, Volume)> {
        let levels = self.sides.of(side);
        let rank = levels.best()?;
        Some((rank.price(side), levels.level(rank)?.volume()))
    }

    /// A side's levels, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = LevelView> + '_ {
        let levels = self.sides.of(side).iter();
        levels.map(move |(rank, level)| view(rank.price(side), level))
    }

    /// The level at a price, if anything rests there.
    #[must_use]
    pub fn level(&self, side: Side, price: Price) -> Option<LevelView> {
        let level = self.sides.of(side).level(Rank::of(side, price))?;
        Some(view(price, level))
    }

    /// The orders of a level with what remains of each, first in first.
    pub fn queue(&self, side: Side, price: Price) -> impl Iterator<Item = (Handle, Quantity)> + '_ {
        let level = self.sides.of(side).level(Rank::of(side, price));
        level
            .into_iter()
            .flat_map(|level| level.queue(&self.slab))
            .map(|handle| (handle, self.slab.order(handle).remaining))
    }

    /// The resting order of a handle.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<RestingView> {
        self.slab.get(handle).map(|slot| RestingView {
            client: slot.client,
            side: slot.key.side(),
            price: slot.key.price(),
            remaining: slot.remaining,
        })
    }

    /// Has the machine fetch a resting order, without waiting for it.
    pub fn touch(&self, handle: Handle) {
        std::hint::black_box(self.slab.get(handle).is_some());
    }

    /// Has the machine fetch those that stand next to a resting order, which is at hand.
    pub fn touch_neighbours(&self, handle: Handle) {
        if let Some(slot) = self.slab.get(handle) {
            let neighbours = [slot.previous, slot.next].into_iter().flatten();
            neighbours.for_each(|neighbour| self.touch(neighbour));
        }
    }

    /// Lets an order rest behind its level's queue.
    fn rest(&mut self, client: ClientNumber, key: LevelKey, remaining: Quantity) -> Handle {
        let handle = self.slab.insert(key, remaining, client);
        let level = self.sides.of_mut(key.side()).enter(key.rank());
        level.append(&mut self.slab, handle);
        if client == ClientNumber::MIRROR {
            self.slab.order_mut(handle).older = self.mirror.rested(key, handle, remaining);
        }
        handle
    }

    /// Takes a resting order away, and tells what remained of it.
    fn remove(&mut self, handle: Handle) -> Quantity {
        let slot = *self.slab.order(handle);
        assert!(!slot.remaining.is_zero(), "a resting order is removed");
        let side = self.sides.of_mut(slot.key.side());
        let level = side.level_mut(slot.key.rank());
        level.unlink(&mut self.slab, handle);
        if level.is_empty() {
            side.vacate(slot.key.rank());
        }
        if slot.client == ClientNumber::MIRROR {
            self.mirror
                .removed(slot.key, handle, slot.remaining, slot.older);
        }
        self.slab.free(handle);
        slot.remaining
    }

    /// Makes a resting order smaller where it stands, down to what is given.
    fn lower_to(&mut self, handle: Handle, remaining: Quantity) {
        let slot = *self.slab.order(handle);
        assert!(!remaining.is_zero(), "something is left of a reduced order");
        let by = slot.remaining - remaining;
        let level = self
            .sides
            .of_mut(slot.key.side())
            .level_mut(slot.key.rank());
        level.lower(&mut self.slab, handle, by);
        if slot.client == ClientNumber::MIRROR {
            self.mirror.lowered(slot.key, by);
        }
    }

    fn assert_a_clients(&self, handle: Handle) {
        assert_ne!(
            self.slab.order(handle).client,
            ClientNumber::MIRROR,
            "the mirror's orders are the mirror's to change"
        );
    }
}

fn view(price: Price, level: &Level) -> LevelView {
    LevelView {
        price,
        volume: level.volume(),
        orders: level.orders(),
    }
}

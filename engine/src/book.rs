//! The order book of one instrument: who rests where, and who trades with whom.

mod types;

pub use types::{
    BookEvent, ClientNumber, Handle, Incoming, LevelView, Outcome, Remainder, RestingView,
};

use crate::command::{MirrorLevel, MirrorScope};
use crate::order::OrderKind;
use crate::price::Price;
use crate::quantity::{Quantity, Volume};
use crate::side::Side;

/// One instrument's resting orders.
#[derive(Debug, Default)]
pub struct Book {}

#[expect(unused_variables, clippy::ptr_arg, reason = "the bodies follow")]
impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Brings in an order: it trades with what it can reach, and its remainder rests or goes.
    /// What happens on the way is added to `events`.
    pub fn place(
        &mut self,
        incoming: Incoming,
        kind: OrderKind,
        events: &mut Vec<BookEvent>,
    ) -> Outcome {
        unimplemented!()
    }

    /// Takes a client's resting order away, and tells what remained of it.
    pub fn cancel(&mut self, handle: Handle) -> Quantity {
        unimplemented!()
    }

    /// Lowers what remains of a client's resting order; it keeps its place.
    pub fn reduce(&mut self, handle: Handle, remaining: Quantity) {
        unimplemented!()
    }

    /// Whether an order of `side` with the limit `price` would meet a resting one, its own
    /// client's included.
    #[must_use]
    pub fn would_cross(&self, side: Side, price: Price) -> bool {
        unimplemented!()
    }

    /// The best price of a side and what rests there.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(Price, Volume)> {
        unimplemented!()
    }

    /// A side's levels, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = LevelView> + '_ {
        std::iter::empty()
    }

    /// The level at a price, if anything rests there.
    #[must_use]
    pub fn level(&self, side: Side, price: Price) -> Option<LevelView> {
        unimplemented!()
    }

    /// The orders of a level with what remains of each, first in first.
    pub fn queue(&self, side: Side, price: Price) -> impl Iterator<Item = (Handle, Quantity)> + '_ {
        std::iter::empty()
    }

    /// The resting order of a handle.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<RestingView> {
        unimplemented!()
    }

    /// Brings the mirror to an update: sets targets, reduces, then adds.
    pub fn mirror(
        &mut self,
        scope: MirrorScope,
        levels: &[MirrorLevel],
        events: &mut Vec<BookEvent>,
    ) {
        unimplemented!()
    }

    /// Whether [`Book::mirror`] would change anything: an order or a target.
    #[must_use]
    pub fn mirror_would_change(&self, scope: MirrorScope, levels: &[MirrorLevel]) -> bool {
        unimplemented!()
    }

    /// Takes away everything mirrored and forgets the targets.
    pub fn withdraw_mirror(&mut self, events: &mut Vec<BookEvent>) {
        unimplemented!()
    }

    /// The mirrored levels with their targets, bids before asks, best first.
    pub fn mirror_targets(&self) -> impl Iterator<Item = MirrorLevel> + '_ {
        std::iter::empty()
    }

    /// Puts an order's remainder behind its level's queue without matching it; the mirror's too.
    pub fn restore_insert(
        &mut self,
        client: ClientNumber,
        side: Side,
        price: Price,
        remaining: Quantity,
    ) -> Handle {
        unimplemented!()
    }

    /// Takes what traded off a resting order, and the order away once nothing remains.
    /// Tells what remains.
    pub fn restore_fill(&mut self, handle: Handle, quantity: Quantity) -> Quantity {
        unimplemented!()
    }

    /// Takes a resting order away, a client's or the mirror's.
    pub fn restore_remove(&mut self, handle: Handle) {
        unimplemented!()
    }

    /// Lowers what remains of a resting order, a client's or the mirror's.
    pub fn restore_reduce(&mut self, handle: Handle, remaining: Quantity) {
        unimplemented!()
    }

    /// Sets the mirror's targets alone. Called after the events of the same command have been
    /// restored; `(MirrorScope::Whole, &[])` is what a withdrawal leaves.
    pub fn restore_mirror(&mut self, scope: MirrorScope, levels: &[MirrorLevel]) {
        unimplemented!()
    }
}

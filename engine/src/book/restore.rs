//! Bringing a book to where a journal left it: what happened is applied, nothing is matched
//! again.
//!
//! Followed record by record, or filled from a list of resting orders (each level's in the order
//! of its queue) and [`Book::mirror_targets`], the book equals the one that wrote them: the same
//! queues, targets and short levels; only handles may differ.

use super::Book;
use super::matching::fill;
use super::rank::LevelKey;
use super::types::{ClientNumber, Handle};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::side::Side;

impl Book {
    /// Puts an order's remainder behind its level's queue without matching it; the mirror's too.
    ///
    /// # Panics
    /// If nothing remains of it.
    pub fn restore_insert(
        &mut self,
        client: ClientNumber,
        side: Side,
        price: Price,
        remaining: Quantity,
    ) -> Handle {
        assert!(!remaining.is_zero(), "an order that rests has a remainder");
        self.rest(client, LevelKey::new(side, price), remaining)
    }

    /// Takes what traded off a resting order, and the order away once nothing remains.
    /// Tells what remains.
    ///
    /// # Panics
    /// If the handle names no order, or more traded than remains.
    pub fn restore_fill(&mut self, handle: Handle, quantity: Quantity) -> Quantity {
        let key = self.slab.order(handle).key;
        let side = self.sides.of_mut(key.side());
        let level = side.level_mut(key.rank());
        let remaining = fill(level, &mut self.slab, &mut self.mirror, handle, quantity);
        if level.is_empty() {
            side.vacate(key.rank());
        }
        remaining
    }

    /// Takes a resting order away, a client's or the mirror's, and tells what remained of it.
    ///
    /// # Panics
    /// If the handle names no order, or one of the mirror's that is not its level's newest.
    pub fn restore_remove(&mut self, handle: Handle) -> Quantity {
        self.remove(handle)
    }

    /// Lowers what remains of a resting order, a client's or the mirror's; it keeps its place.
    ///
    /// # Panics
    /// If the handle names no order, or if `remaining` is zero or more than remains.
    pub fn restore_reduce(&mut self, handle: Handle, remaining: Quantity) {
        self.lower_to(handle, remaining);
    }
}

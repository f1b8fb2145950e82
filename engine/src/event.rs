//! What came of a command, in the order it happened.
//!
//! Together with the command, events are all that is needed to bring a shard, its market data or
//! the database from one state to the next: nothing is matched again.

use crate::id::OrderRef;
use crate::order::{CancelReason, Rejection};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::side::Side;
use crate::time::Timestamp;

/// One thing that happened.
///
/// The order that a command brings in is its *incoming* order: the one placed, the tape's, the
/// one amended, or the last [`Event::MirrorAdded`] before. It takes in every [`Event::Traded`].
/// What is left of it after its events rests; unless it is cancelled or rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The book refused the incoming order.
    Rejected(Rejection),
    /// The incoming order traded with a resting one, at the resting one's price.
    Traded {
        /// Who rested.
        maker: Maker,
        /// The maker's price.
        price: Price,
        /// How much.
        quantity: Quantity,
    },
    /// An order's remainder was taken away: a resting one's, or the incoming one's.
    Cancelled {
        /// Which.
        order: OrderRef,
        /// Why.
        reason: CancelReason,
    },
    /// A resting order has a new price or quantity. It has lost its priority, and is the
    /// incoming order of what follows, when `priority` says so.
    Amended {
        /// Which.
        order: OrderRef,
        /// Its price from now on.
        price: Price,
        /// Its total quantity from now on.
        quantity: Quantity,
        /// What became of its place in the queue.
        priority: Priority,
    },
    /// The mirror brought in an order; what does not trade rests.
    MirrorAdded {
        /// Its place among this command's, from 1.
        index: u32,
        /// Bids or asks.
        side: Side,
        /// Its price.
        price: Price,
        /// How much.
        quantity: Quantity,
    },
    /// A mirrored order was made smaller and kept its place.
    MirrorReduced {
        /// Which.
        order: OrderRef,
        /// Its total quantity from now on, what has traded included.
        quantity: Quantity,
    },
}

/// What an amend did to an order's place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Priority {
    /// It stands where it stood.
    Kept,
    /// It came in anew.
    Lost,
}

/// The resting order of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maker {
    /// A client's order, whose own record tells the rest.
    Client(OrderRef),
    /// One of the mirror's, with all that the database needs to show it: its own record need
    /// not be kept.
    Mirror(MirrorMaker),
}

impl Maker {
    /// Which order.
    #[must_use]
    pub const fn order(&self) -> OrderRef {
        match self {
            Self::Client(order) => *order,
            Self::Mirror(mirror) => mirror.order,
        }
    }
}

/// A mirrored order as it stood right before a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorMaker {
    /// Which.
    pub order: OrderRef,
    /// Its total quantity.
    pub quantity: Quantity,
    /// How much had traded before.
    pub filled_quantity: Quantity,
    /// At what notional.
    pub filled_notional: Notional,
    /// In how many trades.
    pub trade_count: u64,
    /// When it was added.
    pub created_at: Timestamp,
}

//! What a shard says to whoever sent a command.

use std::sync::Arc;

use thiserror::Error;

use crate::id::{OrderId, TradeNumber};
use crate::order::{Order, OrderWithTrades, Rejection};
use crate::quantity::{Notional, Quantity};

/// A command that was carried out, or had been before. Everything in it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The order as it stands right after matching, rejected ones included.
    Placed(OrderWithTrades),
    /// The same request came before: the order as it stood then.
    Replayed(FirstAnswer),
    /// The order, cancelled by this command.
    Cancelled(Arc<Order>),
    /// The order after its amend, with the trades of this amend.
    Amended(OrderWithTrades),
    /// The orders that one command of a mass cancel took away, oldest first.
    MassCancelled(Vec<OrderId>),
    /// A feed's or an operator's command that was carried out.
    Applied,
    /// A command that changed nothing and took no sequence: a feed's that had been taken in
    /// before, a mass cancel without orders, a halt of what is halted.
    Unchanged,
}

/// The order as it stood when its key was first used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAnswer {
    /// The order then.
    pub order: Arc<Order>,
    /// The number of its first trade then; its `trade_count` trades are numbered on from it.
    pub first_trade: TradeNumber,
}

/// Why a shard did not do what it was asked. Nothing changed and no sequence was taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The id is an open order's, or one of the instrument's recently closed.
    #[error("the order id was used before on this instrument")]
    DuplicateOrderId,
    /// The key came before with another request.
    #[error("the idempotency key was used before with another request")]
    IdempotencyKeyReused,
    /// No such order is open, or it is not the requester's. It may be a closed one: whoever asks
    /// looks further.
    #[error("no such order is open")]
    OrderNotOpen,
    /// The change is no valid order.
    #[error(transparent)]
    InvalidOrder(#[from] InvalidOrder),
    /// The book refuses the change; the order stands as it stood.
    #[error("the book refuses the change")]
    AmendRejected(Rejection),
    /// The day to be closed is not over.
    #[error("the day is not over")]
    DayNotOver,
    /// The feed's orders are nobody else's to change.
    #[error("the order is the feed's")]
    FeedOrder,
}

/// Why an order, or what an amend would make of it, breaks the instrument's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidOrder {
    /// Below the instrument's least.
    #[error("the quantity is below the instrument's minimum")]
    QuantityBelowMinimum {
        /// The least allowed.
        min: Quantity,
    },
    /// Above the instrument's most.
    #[error("the quantity is above the instrument's maximum")]
    QuantityAboveMaximum {
        /// The most allowed.
        max: Quantity,
    },
    /// Price times quantity is too little.
    #[error("the notional is below the instrument's minimum")]
    NotionalBelowMinimum {
        /// The least allowed.
        min: Notional,
    },
    /// An amend's quantity is not above what has traded.
    #[error("the quantity is not above what has been filled")]
    QuantityNotAboveFilled {
        /// What has traded.
        filled: Quantity,
    },
}

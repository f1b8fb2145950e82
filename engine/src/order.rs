//! What an order is: as it is sent in, and as everyone sees it afterwards.

use std::sync::Arc;

use crate::id::{ClientId, IdempotencyKey, OrderId, OrderRef, Sequence, TradeNumber};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::side::Side;
use crate::time::Timestamp;

/// How long a limit order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Good till cancelled: what does not trade at once rests.
    #[default]
    Gtc,
    /// Immediate or cancel: what does not trade at once is cancelled.
    Ioc,
    /// Fill or kill: trades whole at once or is rejected.
    Fok,
    /// Rests without trading or is rejected.
    PostOnly,
}

/// At what price an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// At its price or better.
    Limit {
        /// The worst price it trades at.
        price: Price,
        /// How long it stands.
        time_in_force: TimeInForce,
    },
    /// At any price; never rests.
    Market,
}

impl OrderKind {
    /// The worst price it trades at, if it names one.
    #[must_use]
    pub const fn price(self) -> Option<Price> {
        match self {
            Self::Limit { price, .. } => Some(price),
            Self::Market => None,
        }
    }
}

/// What happens when an order meets a resting one of the same client; the taker's setting rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SelfTradePrevention {
    /// They trade.
    #[default]
    None,
    /// The taker's remainder is cancelled.
    CancelTaker,
    /// The resting order is cancelled and the taker goes on.
    CancelMaker,
    /// Both are cancelled.
    CancelBoth,
}

/// Who chose an order's id. An id that was left out compares as left out when a request with an
/// idempotency key is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChosenId {
    /// The client.
    Client(OrderId),
    /// The exchange: a `UUIDv7`.
    Exchange(OrderId),
}

impl ChosenId {
    /// The id, whoever chose it.
    #[must_use]
    pub const fn id(&self) -> &OrderId {
        match self {
            Self::Client(id) | Self::Exchange(id) => id,
        }
    }
}

/// An order as a client places it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its id.
    pub id: ChosenId,
    /// Whose it is.
    pub client: ClientId,
    /// The client's mark against doing it twice.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Which way it trades.
    pub side: Side,
    /// At what price, and how long it stands.
    pub kind: OrderKind,
    /// How much; above zero.
    pub quantity: Quantity,
    /// What happens when it meets its own client's orders.
    pub self_trade_prevention: SelfTradePrevention,
}

/// Why the book refused a well-formed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The instrument is halted.
    InstrumentHalted,
    /// The client has as many open orders as it may.
    TooManyOpenOrders,
    /// The price is too far from the last trade's.
    PriceOutsideBand,
    /// A `post_only` order would have traded.
    PostOnlyWouldCross,
    /// A `fok` order would not have been filled whole.
    FokNotFillable,
    /// A market order met an empty side.
    NoLiquidity,
}

/// Why an order left the book, or never came to rest, unfilled in part or whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// Its client asked for it.
    Requested,
    /// A market order's remainder found no more orders.
    BookExhausted,
    /// An `ioc` order's remainder.
    IocRemainder,
    /// It met its own client's order.
    SelfTrade,
    /// Its client cancelled all.
    MassCancel,
    /// Its client's connection ended.
    Disconnected,
    /// The feed took its own away.
    Mirror,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// It rests in the book.
    Resting,
    /// All of it has traded.
    Filled,
    /// What had not traded was taken away.
    Cancelled(CancelReason),
    /// The book refused it; nothing traded.
    Rejected(Rejection),
}

/// Where an order stands, in the one word that clients see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Resting, nothing filled.
    Open,
    /// Resting, part filled.
    PartiallyFilled,
    /// All filled.
    Filled,
    /// What was not filled was taken away.
    Cancelled,
    /// The book refused it.
    Rejected,
}

impl OrderStatus {
    /// The status of an order in `state` of which `filled_quantity` has traded.
    #[must_use]
    pub const fn new(state: OrderState, filled_quantity: Quantity) -> Self {
        match state {
            OrderState::Resting if filled_quantity.is_zero() => Self::Open,
            OrderState::Resting => Self::PartiallyFilled,
            OrderState::Filled => Self::Filled,
            OrderState::Cancelled(_) => Self::Cancelled,
            OrderState::Rejected(_) => Self::Rejected,
        }
    }

    /// Whether an order of this status rests in the book.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Open | Self::PartiallyFilled => true,
            Self::Filled | Self::Cancelled | Self::Rejected => false,
        }
    }
}

/// An order as everyone sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Whose it is.
    pub client: ClientId,
    /// The client's mark against doing it twice.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Which way it trades.
    pub side: Side,
    /// At what price, and how long it stands.
    pub kind: OrderKind,
    /// How much, filled or not.
    pub quantity: Quantity,
    /// What happens when it meets its own client's orders.
    pub self_trade_prevention: SelfTradePrevention,
    /// Where it stands.
    pub state: OrderState,
    /// How much has traded.
    pub filled_quantity: Quantity,
    /// The sum of its trades' prices times quantities.
    pub filled_notional: Notional,
    /// How many trades it had.
    pub trade_count: u64,
    /// Its placement.
    pub placed: OrderRef,
    /// The command that changed it last.
    pub updated: Sequence,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl Order {
    /// What has not traded, in final states too.
    #[must_use]
    pub fn remaining_quantity(&self) -> Quantity {
        self.quantity.saturating_sub(self.filled_quantity)
    }

    /// Where it stands, in a word.
    #[must_use]
    pub const fn status(&self) -> OrderStatus {
        OrderStatus::new(self.state, self.filled_quantity)
    }

    /// Whether it rests in the book.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, OrderState::Resting)
    }
}

/// Two orders' trade, at the resting one's price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Its number within the instrument.
    pub number: TradeNumber,
    /// The buyer's order.
    pub buy: TradeParty,
    /// The seller's order.
    pub sell: TradeParty,
    /// The resting order's price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// Which of them came in last.
    pub taker_side: Side,
    /// The command that made it.
    pub sequence: Sequence,
    /// When.
    pub timestamp: Timestamp,
}

/// One side of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeParty {
    /// The order's id.
    pub order_id: OrderId,
    /// The order's placement.
    pub placed: OrderRef,
    /// Whose order it is.
    pub client: ClientId,
}

/// An order with the trades an answer shows: the newest of them, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderWithTrades {
    /// The order.
    pub order: Order,
    /// At most [`TRADES_SHOWN_MAX`] trades.
    pub trades: Vec<Arc<Trade>>,
}

/// How many of an order's trades an answer shows.
pub const TRADES_SHOWN_MAX: usize = 1_000;

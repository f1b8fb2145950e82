//! The words that stand for the engine's enums in text columns, the same as in the API's JSON.

use shardbook_engine::order::{
    CancelReason, OrderState, OrderStatus, Rejection, SelfTradePrevention, TimeInForce,
};
use shardbook_engine::quantity::Quantity;
use shardbook_engine::side::Side;

/// An instrument that trades.
pub const TRADING: &str = "trading";
/// An instrument that takes cancels only.
pub const HALTED: &str = "halted";
/// The `type` of an order with a price.
pub const LIMIT: &str = "limit";
/// The `type` of an order without one.
pub const MARKET: &str = "market";

const OPEN: &str = "open";
const PARTIALLY_FILLED: &str = "partially_filled";
const FILLED: &str = "filled";
const CANCELLED: &str = "cancelled";
const REJECTED: &str = "rejected";

/// The word for an order's status.
#[must_use]
pub const fn status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Open => OPEN,
        OrderStatus::PartiallyFilled => PARTIALLY_FILLED,
        OrderStatus::Filled => FILLED,
        OrderStatus::Cancelled => CANCELLED,
        OrderStatus::Rejected => REJECTED,
    }
}

/// The word for a side.
#[must_use]
pub const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// The side of a word.
#[must_use]
pub fn side_of(word: &str) -> Option<Side> {
    [Side::Buy, Side::Sell]
        .into_iter()
        .find(|candidate| side(*candidate) == word)
}

/// The word for a time in force.
#[must_use]
pub const fn time_in_force(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::Gtc => "gtc",
        TimeInForce::Ioc => "ioc",
        TimeInForce::Fok => "fok",
        TimeInForce::PostOnly => "post_only",
    }
}

/// The time in force of a word.
#[must_use]
pub fn time_in_force_of(word: &str) -> Option<TimeInForce> {
    [
        TimeInForce::Gtc,
        TimeInForce::Ioc,
        TimeInForce::Fok,
        TimeInForce::PostOnly,
    ]
    .into_iter()
    .find(|candidate| time_in_force(*candidate) == word)
}

/// The word for a self-trade prevention.
#[must_use]
pub const fn self_trade_prevention(prevention: SelfTradePrevention) -> &'static str {
    match prevention {
        SelfTradePrevention::None => "none",
        SelfTradePrevention::CancelTaker => "cancel_taker",
        SelfTradePrevention::CancelMaker => "cancel_maker",
        SelfTradePrevention::CancelBoth => "cancel_both",
    }
}

/// The self-trade prevention of a word.
#[must_use]
pub fn self_trade_prevention_of(word: &str) -> Option<SelfTradePrevention> {
    [
        SelfTradePrevention::None,
        SelfTradePrevention::CancelTaker,
        SelfTradePrevention::CancelMaker,
        SelfTradePrevention::CancelBoth,
    ]
    .into_iter()
    .find(|candidate| self_trade_prevention(*candidate) == word)
}

/// The words for where an order stands: its status, and the reason if it has one.
#[must_use]
pub const fn state(state: OrderState, filled: Quantity) -> (&'static str, Option<&'static str>) {
    let reason = match state {
        OrderState::Resting | OrderState::Filled => None,
        OrderState::Cancelled(reason) => Some(cancel_reason(reason)),
        OrderState::Rejected(rejection) => Some(rejection_reason(rejection)),
    };
    (status(OrderStatus::new(state, filled)), reason)
}

/// Where an order with these words stands.
#[must_use]
pub fn state_of(status: &str, reason: Option<&str>) -> Option<OrderState> {
    match (status, reason) {
        (OPEN | PARTIALLY_FILLED, None) => Some(OrderState::Resting),
        (FILLED, None) => Some(OrderState::Filled),
        (CANCELLED, Some(word)) => CANCEL_REASONS
            .into_iter()
            .find(|reason| cancel_reason(*reason) == word)
            .map(OrderState::Cancelled),
        (REJECTED, Some(word)) => REJECTIONS
            .into_iter()
            .find(|rejection| rejection_reason(*rejection) == word)
            .map(OrderState::Rejected),
        _ => None,
    }
}

const CANCEL_REASONS: [CancelReason; 7] = [
    CancelReason::Requested,
    CancelReason::BookExhausted,
    CancelReason::IocRemainder,
    CancelReason::SelfTrade,
    CancelReason::MassCancel,
    CancelReason::Disconnected,
    CancelReason::Mirror,
];

const REJECTIONS: [Rejection; 6] = [
    Rejection::InstrumentHalted,
    Rejection::TooManyOpenOrders,
    Rejection::PriceOutsideBand,
    Rejection::PostOnlyWouldCross,
    Rejection::FokNotFillable,
    Rejection::NoLiquidity,
];

const fn cancel_reason(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Requested => "requested",
        CancelReason::BookExhausted => "book_exhausted",
        CancelReason::IocRemainder => "ioc_remainder",
        CancelReason::SelfTrade => "self_trade",
        CancelReason::MassCancel => "mass_cancel",
        CancelReason::Disconnected => "disconnected",
        CancelReason::Mirror => "mirror",
    }
}

const fn rejection_reason(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::InstrumentHalted => "instrument_halted",
        Rejection::TooManyOpenOrders => "too_many_open_orders",
        Rejection::PriceOutsideBand => "price_outside_band",
        Rejection::PostOnlyWouldCross => "post_only_would_cross",
        Rejection::FokNotFillable => "fok_not_fillable",
        Rejection::NoLiquidity => "no_liquidity",
    }
}

//! The words that stand for the engine's enums.

use serde::{Serialize, Serializer};

use shardbook_engine::access::Role;
use shardbook_engine::market_data::InstrumentStatus;
use shardbook_engine::order::{
    CancelReason, OrderState, OrderStatus, Rejection, SelfTradePrevention, TimeInForce,
};
use shardbook_engine::side::Side;

use crate::json::{ToJson, plain_text};
use crate::schema::operation::{AnswerType, OperationName};
use crate::schema::stream::MessageType;
use crate::stream::channel::Channel;

/// Something that is written as one of a few words.
pub trait Worded: Copy + Sized + 'static {
    /// Each value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The value's word.
    fn word(self) -> &'static str;

    /// The value that a word stands for.
    #[must_use]
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find_map(|(value, candidate)| (*candidate == word).then_some(*value))
    }

    /// All words, for error messages.
    #[must_use]
    fn choices() -> String {
        let words: Vec<_> = Self::WORDS.iter().map(|(_, word)| *word).collect();
        words.join(", ")
    }
}

/// A value as its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<T: Worded> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<T: Worded> ToJson for Word<T> {
    fn write(&self, json: &mut Vec<u8>) {
        plain_text(self.0.word().as_bytes(), json);
    }
}

/// Gives an enum its words, and the schema that lists them.
macro_rules! worded {
    ($type:ty, $name:literal, $($value:path => $word:literal,)+) => {
        impl Worded for $type {
            const WORDS: &'static [(Self, &'static str)] = &[$(($value, $word)),+];

            fn word(self) -> &'static str {
                match self { $($value => $word,)+ }
            }
        }

        impl_type!(
            Word<$type>,
            $name,
            schema: ::poem_openapi::registry::MetaSchemaRef::Inline(Box::new(
                ::poem_openapi::registry::MetaSchema {
                    enum_items: vec![$($word.into()),+],
                    ..::poem_openapi::registry::MetaSchema::new("string")
                },
            )),
            register: |_registry| ()
        );
    };
}

worded!(
    Role, "Role",
    Role::Reader => "reader",
    Role::Trader => "trader",
    Role::Admin => "admin",
);

worded!(Side, "Side", Side::Buy => "buy", Side::Sell => "sell",);

worded!(
    TimeInForce, "TimeInForce",
    TimeInForce::Gtc => "gtc",
    TimeInForce::Ioc => "ioc",
    TimeInForce::Fok => "fok",
    TimeInForce::PostOnly => "post_only",
);

worded!(
    SelfTradePrevention, "SelfTradePrevention",
    SelfTradePrevention::None => "none",
    SelfTradePrevention::CancelTaker => "cancel_taker",
    SelfTradePrevention::CancelMaker => "cancel_maker",
    SelfTradePrevention::CancelBoth => "cancel_both",
);

worded!(OrderType, "OrderType", OrderType::Limit => "limit", OrderType::Market => "market",);

worded!(
    OrderStatus, "OrderStatus",
    OrderStatus::Open => "open",
    OrderStatus::PartiallyFilled => "partially_filled",
    OrderStatus::Filled => "filled",
    OrderStatus::Cancelled => "cancelled",
    OrderStatus::Rejected => "rejected",
);

worded!(
    Reason, "Reason",
    Reason::Requested => "requested",
    Reason::BookExhausted => "book_exhausted",
    Reason::IocRemainder => "ioc_remainder",
    Reason::SelfTrade => "self_trade",
    Reason::MassCancel => "mass_cancel",
    Reason::Disconnected => "disconnected",
    Reason::Mirror => "mirror",
    Reason::NoLiquidity => "no_liquidity",
    Reason::FokNotFillable => "fok_not_fillable",
    Reason::PostOnlyWouldCross => "post_only_would_cross",
    Reason::PriceOutsideBand => "price_outside_band",
    Reason::TooManyOpenOrders => "too_many_open_orders",
    Reason::InstrumentHalted => "instrument_halted",
);

worded!(
    Channel, "Channel",
    Channel::Trades => "trades",
    Channel::OrderbookDeltas => "orderbook_deltas",
    Channel::Orders => "orders",
);

worded!(
    MessageType, "MessageType",
    MessageType::Trade => "trade",
    MessageType::OrderbookSnapshot => "orderbook_snapshot",
    MessageType::OrderbookDelta => "orderbook_delta",
    MessageType::Order => "order",
    MessageType::Gap => "gap",
);

worded!(
    OperationName, "OperationName",
    OperationName::Place => "place",
    OperationName::Cancel => "cancel",
    OperationName::Amend => "amend",
    OperationName::Subscribe => "subscribe",
    OperationName::Unsubscribe => "unsubscribe",
    OperationName::CancelOnDisconnect => "cancel_on_disconnect",
    OperationName::Ping => "ping",
    OperationName::Auth => "auth",
);

worded!(
    AnswerType, "AnswerType",
    AnswerType::Result => "result",
    AnswerType::Error => "error",
);

worded!(
    InstrumentStatus, "InstrumentStatus",
    InstrumentStatus::Trading => "trading",
    InstrumentStatus::Halted => "halted",
);

/// Whether an order names a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderType {
    /// It trades at its price or better.
    Limit,
    /// It trades at any price and never rests.
    Market,
}

/// Why an order is cancelled or rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
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
    /// A market order met an empty side.
    NoLiquidity,
    /// A `fok` order would not have been filled whole.
    FokNotFillable,
    /// A `post_only` order would have traded.
    PostOnlyWouldCross,
    /// The price is too far from the last trade's.
    PriceOutsideBand,
    /// The client has as many open orders as it may.
    TooManyOpenOrders,
    /// The instrument is halted.
    InstrumentHalted,
}

impl Reason {
    /// Why the order is no longer open and not filled, if so.
    #[must_use]
    pub fn of(state: OrderState) -> Option<Self> {
        match state {
            OrderState::Resting | OrderState::Filled => None,
            OrderState::Cancelled(reason) => Some(reason.into()),
            OrderState::Rejected(rejection) => Some(rejection.into()),
        }
    }

    /// The rejection that it tells of; none where it tells why an order was cancelled.
    #[must_use]
    pub const fn rejection(self) -> Option<Rejection> {
        match self {
            Self::NoLiquidity => Some(Rejection::NoLiquidity),
            Self::FokNotFillable => Some(Rejection::FokNotFillable),
            Self::PostOnlyWouldCross => Some(Rejection::PostOnlyWouldCross),
            Self::PriceOutsideBand => Some(Rejection::PriceOutsideBand),
            Self::TooManyOpenOrders => Some(Rejection::TooManyOpenOrders),
            Self::InstrumentHalted => Some(Rejection::InstrumentHalted),
            Self::Requested
            | Self::BookExhausted
            | Self::IocRemainder
            | Self::SelfTrade
            | Self::MassCancel
            | Self::Disconnected
            | Self::Mirror => None,
        }
    }
}

impl From<CancelReason> for Reason {
    fn from(reason: CancelReason) -> Self {
        match reason {
            CancelReason::Requested => Self::Requested,
            CancelReason::BookExhausted => Self::BookExhausted,
            CancelReason::IocRemainder => Self::IocRemainder,
            CancelReason::SelfTrade => Self::SelfTrade,
            CancelReason::MassCancel => Self::MassCancel,
            CancelReason::Disconnected => Self::Disconnected,
            CancelReason::Mirror => Self::Mirror,
        }
    }
}

impl From<Rejection> for Reason {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::InstrumentHalted => Self::InstrumentHalted,
            Rejection::TooManyOpenOrders => Self::TooManyOpenOrders,
            Rejection::PriceOutsideBand => Self::PriceOutsideBand,
            Rejection::PostOnlyWouldCross => Self::PostOnlyWouldCross,
            Rejection::FokNotFillable => Self::FokNotFillable,
            Rejection::NoLiquidity => Self::NoLiquidity,
        }
    }
}

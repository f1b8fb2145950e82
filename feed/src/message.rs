//! Binance's messages, parsed once.
//!
//! Everything a message may hold beyond what is documented is ignored, so that new fields (or the
//! futures market's) do no harm. What is documented is required and checked: a message that
//! lacks it, or whose numbers are none, is bad as a whole. Decimals are read exactly from their
//! text and never pass through a float.
//!
//! Source: Binance's `web-socket-streams.md` and `rest-api.md` for spot.

use rust_decimal::Decimal;
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;
use thiserror::Error;

mod amount;
pub mod dump;
mod parse;
mod wire;

pub use parse::{aggregate_trades, recent_trades, symbol_of};

/// A message of the market data streams, or a depth snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `@trade`: one trade.
    Trade(Trade),
    /// `@aggTrade`: trades of one taker at one price.
    AggregateTrade(AggregateTrade),
    /// `@depth`: changed levels.
    DepthDiff(DepthDiff),
    /// `/api/v3/depth`: the book as it stood.
    DepthSnapshot(DepthSnapshot),
    /// The server is about to end the connection.
    ServerShutdown,
    /// The answer to a request of ours.
    Response(Response),
    /// A known message that the feed has no use for: the best prices, which the depth holds too.
    BookTicker,
    /// A kind of message that the feed does not know.
    Unknown,
}

impl Message {
    /// The symbol it speaks of, in upper case.
    #[must_use]
    pub fn symbol(&self) -> Option<&str> {
        match self {
            Self::Trade(trade) => Some(&trade.symbol),
            Self::AggregateTrade(trade) => Some(&trade.symbol),
            Self::DepthDiff(diff) => Some(&diff.symbol),
            Self::DepthSnapshot(snapshot) => snapshot.symbol.as_deref(),
            Self::ServerShutdown | Self::Response(_) | Self::BookTicker | Self::Unknown => None,
        }
    }

    /// When the source sent it, if it says so.
    #[must_use]
    pub const fn sent_at(&self) -> Option<Timestamp> {
        match self {
            Self::Trade(trade) => Some(trade.sent_at),
            Self::AggregateTrade(trade) => Some(trade.sent_at),
            Self::DepthDiff(diff) => Some(diff.sent_at),
            Self::DepthSnapshot(_)
            | Self::ServerShutdown
            | Self::Response(_)
            | Self::BookTicker
            | Self::Unknown => None,
        }
    }
}

/// One trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// In upper case.
    pub symbol: String,
    /// Its number within the symbol, `t`.
    pub id: u64,
    /// At what price.
    pub price: Decimal,
    /// How much; above zero.
    pub quantity: Decimal,
    /// The taker's side: a buyer who was the maker (`m`) means that the taker sold.
    pub taker_side: Side,
    /// When it happened, `T`.
    pub traded_at: Timestamp,
    /// When the message was sent, `E`.
    pub sent_at: Timestamp,
}

/// Trades of one taker at one price, summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateTrade {
    /// In upper case.
    pub symbol: String,
    /// Its number within the symbol's aggregates, `a`.
    pub id: u64,
    /// The first trade's number, `f`.
    pub first_trade_id: u64,
    /// The last trade's number, `l`; not below the first.
    pub last_trade_id: u64,
    /// At what price.
    pub price: Decimal,
    /// How much altogether; above zero.
    pub quantity: Decimal,
    /// The taker's side.
    pub taker_side: Side,
    /// When they happened, `T`.
    pub traded_at: Timestamp,
    /// When the message was sent, `E`.
    pub sent_at: Timestamp,
}

/// Levels that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepthDiff {
    /// In upper case.
    pub symbol: String,
    /// The first update it holds, `U`.
    pub first_update_id: u64,
    /// The last update it holds, `u`; not below the first.
    pub last_update_id: u64,
    /// Bids and their new quantities; 0 takes a level away.
    pub bids: Vec<Level>,
    /// Asks and their new quantities.
    pub asks: Vec<Level>,
    /// When the message was sent, `E`.
    pub sent_at: Timestamp,
}

/// The book as it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepthSnapshot {
    /// In upper case; a bare REST body does not say.
    pub symbol: Option<String>,
    /// The last update it holds.
    pub last_update_id: u64,
    /// The best bids.
    pub bids: Vec<Level>,
    /// The best asks.
    pub asks: Vec<Level>,
}

/// A price and how much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Above zero.
    pub price: Decimal,
    /// Zero or more.
    pub quantity: Decimal,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// It was carried out.
    Done,
    /// It was not.
    Failed {
        /// Binance's number for the reason.
        code: i64,
        /// Binance's words for it.
        message: String,
    },
}

/// Why a text is no message.
#[derive(Debug, Error)]
pub enum MessageError {
    /// It is no JSON, lacks a field, or holds a value of the wrong kind.
    #[error("{source}, in {text}")]
    Malformed {
        /// What is wrong, and where.
        source: serde_json::Error,
        /// How the message begins.
        text: String,
    },
    /// Its numbers contradict each other.
    #[error("{what}, in {text}")]
    Contradiction {
        /// What does not fit.
        what: &'static str,
        /// How the message begins.
        text: String,
    },
}

#[cfg(test)]
mod tests;

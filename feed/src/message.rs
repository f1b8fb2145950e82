//! Binance's messages, parsed once.
//!
//! Everything a message may hold beyond what is documented is ignored, so that new fields (or the
//! futures market's) do no harm. What is documented is required and checked: a message that
//! lacks it, or whose numbers are none, is bad as a whole. Decimals are read exactly from their
//! text and never pass through a float.
//!
//! Source: Binance's `web-socket-streams.md` and `rest-api.md` for spot.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;
use thiserror::Error;

mod amount;
pub mod dump;
mod wire;

use wire::{
    RestAggregateTrade, RestTrade, WireAggregateTrade, WireDepthDiff, WireDepthSnapshot, WireTrade,
};

/// Most characters of a bad message that an error shows.
const SHOWN_MAX: usize = 120;

/// Stream of recorded REST snapshots: ours, not Binance's.
const SNAPSHOT_STREAM_SUFFIX: &str = "@depthSnapshot";

/// What is wrong with an aggregate of no trades.
const AGGREGATE_CONTRADICTION: &str = "f is above l";

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

impl Message {
    /// Reads one message, with the envelope of the combined streams or without.
    ///
    /// # Errors
    /// When the text is not what Binance documents. A kind of message that is not known is no
    /// error.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let malformed = |source| malformed(source, text);
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(malformed)?;
        if let (Some(stream), Some(data)) = (&envelope.stream, envelope.data) {
            return of_stream(stream, data.get())
                .map_err(malformed)?
                .checked(text);
        }
        let message = match envelope {
            Envelope {
                error: Some(error), ..
            } => failed(error),
            Envelope {
                code: Some(code),
                msg: Some(message),
                ..
            } => failed(Failure { code, msg: message }),
            Envelope {
                last_update_id: Some(_),
                ..
            } => snapshot(text, None).map_err(malformed)?,
            Envelope {
                event: Some(event), ..
            } => of_event(&event, text).map_err(malformed)?,
            Envelope { id: Some(_), .. } => Self::Response(Response::Done),
            Envelope {
                symbol: Some(_),
                best_bid: Some(_),
                ..
            } => Self::BookTicker,
            Envelope { .. } => Self::Unknown,
        };
        message.checked(text)
    }

    /// Itself, unless its numbers contradict each other.
    fn checked(self, text: &str) -> Result<Self, MessageError> {
        let what = match &self {
            Self::DepthDiff(diff) if diff.first_update_id > diff.last_update_id => "U is above u",
            Self::AggregateTrade(trade) if trade.first_trade_id > trade.last_trade_id => {
                AGGREGATE_CONTRADICTION
            }
            Self::Trade(_)
            | Self::AggregateTrade(_)
            | Self::DepthDiff(_)
            | Self::DepthSnapshot(_)
            | Self::ServerShutdown
            | Self::Response(_)
            | Self::BookTicker
            | Self::Unknown => return Ok(self),
        };
        Err(MessageError::Contradiction {
            what,
            text: shown(text),
        })
    }
}

/// The symbol of a message, in upper case, without reading the rest of it; `None` for a message
/// of no symbol and for what is no message.
#[must_use]
pub fn symbol_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        stream: Option<Cow<'a, str>>,
        #[serde(borrow, rename = "s")]
        symbol: Option<Cow<'a, str>>,
    }
    let named: Named<'_> = serde_json::from_str(text).ok()?;
    let symbol = match &named.stream {
        Some(stream) => stream.split_once('@')?.0,
        None => named.symbol.as_deref()?,
    };
    (!symbol.is_empty() && !symbol.starts_with('!')).then(|| symbol.to_ascii_uppercase())
}

/// The trades in a body of `/api/v3/trades`.
///
/// # Errors
/// When it is not what Binance documents.
pub fn recent_trades(symbol: &str, body: &str) -> Result<Vec<Trade>, MessageError> {
    let trades: Vec<RestTrade> =
        serde_json::from_str(body).map_err(|source| malformed(source, body))?;
    Ok(trades.into_iter().map(|trade| trade.of(symbol)).collect())
}

/// The aggregates in a body of `/api/v3/aggTrades`.
///
/// # Errors
/// When it is not what Binance documents.
pub fn aggregate_trades(symbol: &str, body: &str) -> Result<Vec<AggregateTrade>, MessageError> {
    let trades: Vec<RestAggregateTrade> =
        serde_json::from_str(body).map_err(|source| malformed(source, body))?;
    if trades.iter().any(RestAggregateTrade::is_contradictory) {
        return Err(MessageError::Contradiction {
            what: AGGREGATE_CONTRADICTION,
            text: shown(body),
        });
    }
    Ok(trades.into_iter().map(|trade| trade.of(symbol)).collect())
}

fn malformed(source: serde_json::Error, text: &str) -> MessageError {
    MessageError::Malformed {
        source,
        text: shown(text),
    }
}

/// The fields that tell one kind of message from another. Values of any kind are let through
/// here: whether they are right is for the kind to say.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "e")]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "lastUpdateId")]
    last_update_id: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    code: Option<i64>,
    msg: Option<String>,
    error: Option<Failure>,
    #[serde(borrow, rename = "s")]
    symbol: Option<&'a RawValue>,
    #[serde(borrow, rename = "B")]
    best_bid: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    msg: String,
}

fn failed(failure: Failure) -> Message {
    Message::Response(Response::Failed {
        code: failure.code,
        message: failure.msg,
    })
}

/// The message in an envelope. Best prices make up most of the traffic, if anyone asks for them:
/// they are told by the stream's name alone.
fn of_stream(stream: &str, data: &str) -> Result<Message, serde_json::Error> {
    if stream.ends_with("@bookTicker") {
        return Ok(Message::BookTicker);
    }
    if stream == "!serverShutdown" {
        return Ok(Message::ServerShutdown);
    }
    if let Some(symbol) = stream.strip_suffix(SNAPSHOT_STREAM_SUFFIX) {
        return snapshot(data, Some(symbol.to_ascii_uppercase()));
    }
    let event: EventName<'_> = serde_json::from_str(data)?;
    match event.event {
        Some(event) => of_event(&event, data),
        None => Ok(Message::Unknown),
    }
}

#[derive(Deserialize)]
struct EventName<'a> {
    #[serde(borrow, rename = "e")]
    event: Option<Cow<'a, str>>,
}

/// The message of the kind that it names itself.
fn of_event(event: &str, data: &str) -> Result<Message, serde_json::Error> {
    match event {
        "trade" => serde_json::from_str::<WireTrade>(data).map(|wire| Message::Trade(wire.into())),
        "aggTrade" => serde_json::from_str::<WireAggregateTrade>(data)
            .map(|wire| Message::AggregateTrade(wire.into())),
        "depthUpdate" => {
            serde_json::from_str::<WireDepthDiff>(data).map(|wire| Message::DepthDiff(wire.into()))
        }
        "serverShutdown" => Ok(Message::ServerShutdown),
        "bookTicker" => Ok(Message::BookTicker),
        _ => Ok(Message::Unknown),
    }
}

fn snapshot(body: &str, symbol: Option<String>) -> Result<Message, serde_json::Error> {
    let wire: WireDepthSnapshot = serde_json::from_str(body)?;
    Ok(Message::DepthSnapshot(wire.of(symbol)))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests;

//! Texts into messages: what tells one kind from another.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{
    RestAggregateTrade, RestTrade, WireAggregateTrade, WireDepthDiff, WireDepthSnapshot, WireTrade,
};
use super::{AggregateTrade, Message, MessageError, Response, Trade};

/// Most characters of a bad message that an error shows.
const SHOWN_MAX: usize = 120;

/// Stream of recorded REST snapshots: ours, not Binance's.
const SNAPSHOT_STREAM_SUFFIX: &str = "@depthSnapshot";

/// What is wrong with an aggregate of no trades.
const AGGREGATE_CONTRADICTION: &str = "f is above l";

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

//! The messages of the streams, as JSON texts and as server-sent events.

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::id::Sequence;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{BookDelta, BookImage, ChangeId, ChangeKind};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Volume;
use shardbook_engine::time::Timestamp;

use crate::decimal::{DecimalText, TimestampText};
use crate::schema::order::{OrderView, TradeView};
use crate::stream::channel::Channel;

/// What kind of message it is, as `type` and as a server-sent event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventName {
    Trade,
    OrderbookSnapshot,
    OrderbookDelta,
    Order,
    Gap,
}

impl EventName {
    pub(crate) const fn of(change: &ChangeKind) -> Self {
        match change {
            ChangeKind::Trade(_) => Self::Trade,
            ChangeKind::Order(_) => Self::Order,
            ChangeKind::Delta(_) => Self::OrderbookDelta,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::OrderbookSnapshot => "orderbook_snapshot",
            Self::OrderbookDelta => "orderbook_delta",
            Self::Order => "order",
            Self::Gap => "gap",
        }
    }
}

#[derive(Serialize)]
struct TradeMessage {
    r#type: EventName,
    trade: TradeView,
}

#[derive(Serialize)]
struct OrderMessage {
    r#type: EventName,
    order: OrderView,
}

#[derive(Serialize)]
struct BookMessage<'a> {
    r#type: EventName,
    instrument: &'a str,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_sequence: Option<u64>,
    bids: Levels<'a>,
    asks: Levels<'a>,
    timestamp: TimestampText,
}

#[derive(Serialize)]
struct GapMessage<'a> {
    r#type: EventName,
    channel: &'static str,
    instrument: &'a str,
    missed: Option<u64>,
}

/// Levels as pairs of price and quantity; nothing left is `"0"`.
struct Levels<'a> {
    levels: &'a [(Price, Volume)],
    instrument: &'a Instrument,
}

impl Serialize for Levels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.levels.len()))?;
        for (price, volume) in self.levels {
            let quantity = if volume.is_zero() {
                DecimalText::new(0, 0)
            } else {
                DecimalText::volume(*volume, self.instrument)
            };
            seq.serialize_element(&(DecimalText::price(*price, self.instrument), quantity))?;
        }
        seq.end()
    }
}

/// A change's message.
pub(crate) fn text_of_change(
    sequence: Sequence,
    change: &ChangeKind,
    instrument: &Instrument,
) -> Utf8Bytes {
    let r#type = EventName::of(change);
    match change {
        ChangeKind::Trade(trade) => text(&TradeMessage {
            r#type,
            trade: TradeView::new(trade, instrument),
        }),
        ChangeKind::Order(order) => text(&OrderMessage {
            r#type,
            order: OrderView::new(order, instrument),
        }),
        ChangeKind::Delta(delta) => text_of_delta(sequence, delta, instrument),
    }
}

/// Changed levels.
pub(crate) fn text_of_delta(
    sequence: Sequence,
    delta: &BookDelta,
    instrument: &Instrument,
) -> Utf8Bytes {
    let book = Book {
        bids: &delta.bids,
        asks: &delta.asks,
        timestamp: delta.timestamp,
        instrument,
    };
    let previous = Some(delta.previous_sequence.get());
    text(&book.message(EventName::OrderbookDelta, sequence, previous))
}

/// The whole book.
pub(crate) fn text_of_snapshot(image: &BookImage, instrument: &Instrument) -> Utf8Bytes {
    let book = Book {
        bids: &image.bids,
        asks: &image.asks,
        timestamp: image.timestamp,
        instrument,
    };
    text(&book.message(EventName::OrderbookSnapshot, image.sequence, None))
}

struct Book<'a> {
    bids: &'a [(Price, Volume)],
    asks: &'a [(Price, Volume)],
    timestamp: Timestamp,
    instrument: &'a Instrument,
}

impl<'a> Book<'a> {
    fn message(
        &self,
        r#type: EventName,
        sequence: Sequence,
        previous_sequence: Option<u64>,
    ) -> BookMessage<'a> {
        let levels = |levels| Levels {
            levels,
            instrument: self.instrument,
        };
        BookMessage {
            r#type,
            instrument: self.instrument.symbol.as_str(),
            sequence: sequence.get(),
            previous_sequence,
            bids: levels(self.bids),
            asks: levels(self.asks),
            timestamp: TimestampText(self.timestamp),
        }
    }
}

/// That events of a channel were missed: how many, or `None` where that can't be known.
pub(crate) fn text_of_gap(
    channel: Channel,
    missed: Option<u64>,
    instrument: &Instrument,
) -> Utf8Bytes {
    text(&GapMessage {
        r#type: EventName::Gap,
        channel: channel.word(),
        instrument: instrument.symbol.as_str(),
        missed,
    })
}

/// Any message's text.
#[expect(
    clippy::expect_used,
    reason = "the messages hold nothing that JSON can't"
)]
pub(crate) fn text(message: &impl Serialize) -> Utf8Bytes {
    let text = serde_json::to_string(message).expect("texts and numbers are JSON");
    Utf8Bytes::from(text)
}

/// A message as a server-sent event; one without an id leaves the reader's last one standing.
pub(crate) fn sse_event(name: EventName, id: Option<ChangeId>, text: &Utf8Bytes) -> Bytes {
    let name = name.word();
    let event = match id {
        Some(ChangeId { sequence, index }) => {
            let sequence = sequence.get();
            format!("event: {name}\nid: {sequence}.{index}\ndata: {text}\n\n")
        }
        None => format!("event: {name}\ndata: {text}\n\n"),
    };
    Bytes::from(event)
}

/// Reads an event's id as a reader sends it back.
pub(crate) fn parse_event_id(text: &str) -> Option<ChangeId> {
    let (sequence, index) = text.split_once('.')?;
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    (is_number(sequence) && is_number(index)).then_some(())?;
    Some(ChangeId {
        sequence: Sequence::new(sequence.parse().ok()?),
        index: index.parse().ok()?,
    })
}

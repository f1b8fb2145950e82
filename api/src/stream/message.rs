//! The streams' messages as texts and as server-sent events.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::id::Sequence;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{ChangeId, ChangeKind};

use crate::json::{ToJson, to_json};
use crate::schema::stream::{DeltaMessage, MessageType, OrderMessage, TradeMessage};
use crate::schema::word::Worded;

/// A change's message.
pub(crate) fn text_of_change(
    sequence: Sequence,
    change: &ChangeKind,
    instrument: &Instrument,
) -> Utf8Bytes {
    match change {
        ChangeKind::Trade(trade) => text(&TradeMessage::new(trade, instrument)),
        ChangeKind::Order(order) => text(&OrderMessage::new(order, instrument)),
        ChangeKind::Delta(delta) => text(&DeltaMessage::new(sequence, delta, instrument)),
    }
}

/// Any message's text.
#[expect(clippy::expect_used, reason = "JSON is text")]
pub(crate) fn text(message: &impl ToJson) -> Utf8Bytes {
    Utf8Bytes::try_from(to_json(message)).expect("JSON is UTF-8")
}

/// A message as a server-sent event; one without an id leaves the reader's last one standing.
pub(crate) fn sse_event(r#type: MessageType, id: Option<ChangeId>, text: &Utf8Bytes) -> Bytes {
    let name = r#type.word();
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

//! What a subscription sends.

use std::sync::Arc;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::ChangeId;

use crate::schema::stream::MessageType;
use crate::stream::channel::Channel;
use crate::stream::message::sse_event;
use crate::stream::ring::Event;

/// Something to send.
#[derive(Clone, Debug)]
pub enum Frame {
    /// One of the ring's events.
    Event {
        /// The event.
        event: Arc<Event>,
        /// Whether it may carry its id.
        resume: Resume,
    },
    /// Something made for this consumer alone.
    Own {
        /// What it is.
        name: OwnName,
        /// Where to resume behind it, if one can.
        id: Option<ChangeId>,
        /// Its JSON text.
        text: Utf8Bytes,
    },
}

/// Whether a consumer may resume behind an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It has all that came before.
    Behind,
    /// Its book is out of step.
    NotHere,
}

/// What a frame is that no ring holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnName {
    /// The whole book.
    Snapshot,
    /// Several deltas as one.
    Delta,
    /// Something of this channel was missed.
    Gap(Channel),
}

impl Frame {
    /// The channel that it belongs to.
    #[must_use]
    pub fn channel(&self) -> Channel {
        match self {
            Self::Event { event, .. } => Channel::of(event.kind()),
            Self::Own { name, .. } => match name {
                OwnName::Snapshot | OwnName::Delta => Channel::OrderbookDeltas,
                OwnName::Gap(channel) => *channel,
            },
        }
    }

    /// Its JSON text.
    #[must_use]
    pub fn text(&self, instrument: &Instrument) -> Utf8Bytes {
        match self {
            Self::Event { event, .. } => event.text(instrument).clone(),
            Self::Own { text, .. } => text.clone(),
        }
    }

    /// It as a server-sent event.
    #[must_use]
    pub fn sse(&self, instrument: &Instrument) -> Bytes {
        match self {
            Self::Event {
                event,
                resume: Resume::Behind,
            } => event.sse(instrument).clone(),
            Self::Event {
                event,
                resume: Resume::NotHere,
            } => sse_event(MessageType::of(event.kind()), None, event.text(instrument)),
            Self::Own { name, id, text } => {
                let r#type = match name {
                    OwnName::Snapshot => MessageType::OrderbookSnapshot,
                    OwnName::Delta => MessageType::OrderbookDelta,
                    OwnName::Gap(_) => MessageType::Gap,
                };
                sse_event(r#type, *id, text)
            }
        }
    }
}

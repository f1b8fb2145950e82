//! The frames that answer operations.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::id::{ClientId, Symbol};

use crate::problem::Problem;
use crate::schema::operation::AnswerType;
use crate::schema::order::OrderView;
use crate::schema::problem::ProblemView;
use crate::schema::text::{ClientIdText, SymbolText};
use crate::schema::word::Word;
use crate::stream::channel::{Channel, ChannelSet};
use crate::stream::message::text;
use crate::trading::{FirstTime, Placement};

/// What the client calls its operation: any JSON, sent back as it came; null if left out.
#[derive(Clone, Debug)]
pub(super) struct OperationId(Option<Box<RawValue>>);

impl OperationId {
    /// For what could not be read so far that its id is known.
    pub(super) const UNKNOWN: Self = Self(None);

    pub(super) fn new(id: Option<&RawValue>) -> Self {
        Self(id.map(ToOwned::to_owned))
    }
}

#[derive(Serialize)]
struct Reply<'a, T> {
    r#type: Word<AnswerType>,
    id: Option<&'a RawValue>,
    status: u16,
    #[serde(flatten)]
    what: T,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Failed {
    problem: ProblemView,
}

#[derive(Serialize)]
struct Subscribed {
    channels: Vec<Word<Channel>>,
    instruments: Vec<SymbolText>,
}

#[derive(Serialize)]
struct OnDisconnect {
    client_id: ClientIdText,
    enabled: bool,
}

/// An order's reply, by far the most frequent: written without the detour of a flattened field.
#[derive(Serialize)]
struct OrderReply<'a> {
    r#type: Word<AnswerType>,
    id: Option<&'a RawValue>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
    order: OrderView,
}

const RESULT: Word<AnswerType> = Word(AnswerType::Result);

/// What became of a placement.
pub(super) fn placed(id: &OperationId, placement: Placement) -> Utf8Bytes {
    let replayed = match placement.first_time {
        FirstTime::Yes => None,
        FirstTime::Replayed => Some(true),
    };
    text(&OrderReply {
        r#type: RESULT,
        id: id.0.as_deref(),
        status: 201,
        replayed,
        order: placement.order,
    })
}

/// An order that was cancelled or changed.
pub(super) fn changed(id: &OperationId, order: OrderView) -> Utf8Bytes {
    text(&OrderReply {
        r#type: RESULT,
        id: id.0.as_deref(),
        status: 200,
        replayed: None,
        order,
    })
}

/// An operation that was not carried out.
pub(super) fn failed(id: &OperationId, problem: &Problem) -> Utf8Bytes {
    text(&Reply {
        r#type: Word(AnswerType::Error),
        id: id.0.as_deref(),
        status: problem.status().as_u16(),
        what: Failed {
            problem: problem.view(),
        },
    })
}

/// An operation of which there is nothing more to tell.
pub(super) fn done(id: &OperationId) -> Utf8Bytes {
    result(id, Nothing {})
}

/// What a connection is or is no longer subscribed to.
pub(super) fn subscribed<'a>(
    id: &OperationId,
    channels: ChannelSet,
    instruments: impl Iterator<Item = &'a Symbol>,
) -> Utf8Bytes {
    result(
        id,
        Subscribed {
            channels: channels.iter().map(Word).collect(),
            instruments: instruments.cloned().map(SymbolText).collect(),
        },
    )
}

/// Whether the end of the connection cancels a client's orders.
pub(super) fn on_disconnect(id: &OperationId, client: &ClientId, enabled: bool) -> Utf8Bytes {
    let client_id = ClientIdText(client.clone());
    result(id, OnDisconnect { client_id, enabled })
}

fn result(id: &OperationId, what: impl Serialize) -> Utf8Bytes {
    text(&Reply {
        r#type: RESULT,
        id: id.0.as_deref(),
        status: 200,
        what,
    })
}

//! The frames that answer operations.

use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::id::{ClientId, Symbol};

use crate::problem::Problem;
use crate::schema::Nullable;
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

    fn json(&self) -> Nullable<&RawValue> {
        Nullable(self.0.as_deref())
    }
}

struct Done<'a> {
    r#type: Word<AnswerType>,
    id: Nullable<&'a RawValue>,
    status: u64,
}

object_to_json!(Done<'_>, r#type, id, status,);

struct Failed<'a> {
    r#type: Word<AnswerType>,
    id: Nullable<&'a RawValue>,
    status: u64,
    problem: ProblemView,
}

object_to_json!(Failed<'_>, r#type, id, status, problem,);

struct Subscribed<'a> {
    r#type: Word<AnswerType>,
    id: Nullable<&'a RawValue>,
    status: u64,
    channels: Vec<Word<Channel>>,
    instruments: Vec<SymbolText>,
}

object_to_json!(Subscribed<'_>, r#type, id, status, channels, instruments,);

struct OnDisconnect<'a> {
    r#type: Word<AnswerType>,
    id: Nullable<&'a RawValue>,
    status: u64,
    client_id: ClientIdText,
    enabled: bool,
}

object_to_json!(OnDisconnect<'_>, r#type, id, status, client_id, enabled,);

struct OrderReply<'a> {
    r#type: Word<AnswerType>,
    id: Nullable<&'a RawValue>,
    status: u64,
    replayed: Option<bool>,
    order: OrderView,
}

object_to_json!(OrderReply<'_>, r#type, id, status, replayed, order,);

const RESULT: Word<AnswerType> = Word(AnswerType::Result);

/// What became of a placement.
pub(super) fn placed(id: &OperationId, placement: Placement) -> Utf8Bytes {
    let replayed = match placement.first_time {
        FirstTime::Yes => None,
        FirstTime::Replayed => Some(true),
    };
    text(&OrderReply {
        r#type: RESULT,
        id: id.json(),
        status: 201,
        replayed,
        order: placement.order,
    })
}

/// An order that was cancelled or changed.
pub(super) fn changed(id: &OperationId, order: OrderView) -> Utf8Bytes {
    text(&OrderReply {
        r#type: RESULT,
        id: id.json(),
        status: 200,
        replayed: None,
        order,
    })
}

/// An operation that was not carried out.
pub(super) fn failed(id: &OperationId, problem: &Problem) -> Utf8Bytes {
    text(&Failed {
        r#type: Word(AnswerType::Error),
        id: id.json(),
        status: u64::from(problem.status().as_u16()),
        problem: problem.view(),
    })
}

/// An operation of which there is nothing more to tell.
pub(super) fn done(id: &OperationId) -> Utf8Bytes {
    text(&Done {
        r#type: RESULT,
        id: id.json(),
        status: 200,
    })
}

/// What a connection is or is no longer subscribed to.
pub(super) fn subscribed<'a>(
    id: &OperationId,
    channels: ChannelSet,
    instruments: impl Iterator<Item = &'a Symbol>,
) -> Utf8Bytes {
    text(&Subscribed {
        r#type: RESULT,
        id: id.json(),
        status: 200,
        channels: channels.iter().map(Word).collect(),
        instruments: instruments.cloned().map(SymbolText).collect(),
    })
}

/// Whether the end of the connection cancels a client's orders.
pub(super) fn on_disconnect(id: &OperationId, client: &ClientId, enabled: bool) -> Utf8Bytes {
    text(&OnDisconnect {
        r#type: RESULT,
        id: id.json(),
        status: 200,
        client_id: ClientIdText(client.clone()),
        enabled,
    })
}

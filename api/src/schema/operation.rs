//! What goes over a WebSocket: operations and their answers. Documentation only: frames are read
//! in [`crate::stream`], where all that is wrong with one is told at once, and answers are written
//! there without the detour of an object with everything in it.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::Serialize;

use crate::schema::order::{OrderRequest, OrderView};
use crate::schema::problem::ProblemView;
use crate::schema::text::{ClientIdText, Count, DecimalInput, OrderIdText, SymbolText, Words};
use crate::schema::word::Word;
use crate::stream::channel::Channel;

/// The longest time over which deltas are conflated: a minute, in milliseconds.
pub const INTERVAL_MILLISECONDS_MAX: u32 = 60_000;

/// What a frame asks for, as its `op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationName {
    /// Place an order.
    Place,
    /// Cancel one.
    Cancel,
    /// Change one.
    Amend,
    /// Be sent what happens.
    Subscribe,
    /// No longer be sent it.
    Unsubscribe,
    /// Have a client's orders cancelled when the connection ends.
    CancelOnDisconnect,
    /// Be answered.
    Ping,
    /// Show a key.
    Auth,
}

/// Whether an answer says that an operation was carried out, as its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerType {
    /// It was.
    Result,
    /// It was not.
    Error,
}

/// What a client calls its operation. Documentation only.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OperationIdText;

to_json_by_serde!(OperationIdText);

impl_type!(
    OperationIdText, "OperationId",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        example: Some(1.into()),
        ..MetaSchema::ANY
    })),
    register: |_registry| ()
);

/// A time in milliseconds over which deltas are conflated. Documentation only.
#[derive(Clone, Copy, Debug)]
pub struct Interval;

impl_type!(
    Interval, "Interval",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        minimum: Some(1.0),
        maximum: Some(f64::from(INTERVAL_MILLISECONDS_MAX)),
        ..MetaSchema::new("integer")
    })),
    register: |_registry| ()
);

request! {
    /// Places an order, as `POST /orders` does.
    pub struct PlaceOperation {
        /// `place`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
        /// The order.
        required order: OrderRequest<'static>,
    }
    example {
        "op": "place", "id": 2,
        "order": {
            "order_id": "order-1", "client_id": "client-A", "instrument": "BTC-USD",
            "side": "buy", "type": "limit", "price": "70150.50", "quantity": "0.25"
        }
    }
}

request! {
    /// Cancels an order, as `POST /orders/{order_id}/cancel` does.
    pub struct CancelOperation {
        /// `cancel`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
        /// Which order.
        required order_id: OrderIdText,
        /// Its instrument; needed only where the id stands on several.
        optional instrument: SymbolText,
    }
    example {"op": "cancel", "id": 3, "order_id": "order-1"}
}

request! {
    /// Changes an order's price, quantity or both, as `PATCH /orders/{order_id}` does.
    pub struct AmendOperation {
        /// `amend`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
        /// Which order.
        required order_id: OrderIdText,
        /// Its instrument; needed only where the id stands on several.
        optional instrument: SymbolText,
        /// The new price, a multiple of the tick size; as it is if left out.
        optional price: DecimalInput,
        /// The new total quantity, what has been filled included; as it is if left out.
        optional quantity: DecimalInput,
    }
    example {"op": "amend", "id": 4, "order_id": "order-1", "price": "70149.00"}
}

request! {
    /// Asks to be sent what happens on channels of instruments. A subscription to
    /// `orderbook_deltas` begins with a snapshot of the whole book.
    pub struct SubscribeOperation {
        /// `subscribe`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
        /// Which channels.
        required channels: Vec<Word<Channel>>,
        /// Of which instruments; of the first configured one if left out.
        optional instruments: Vec<SymbolText>,
        /// Deltas are sent at most this often, each with all that changed since the one before,
        /// in milliseconds; each as it happens if left out.
        optional interval_ms: Interval,
    }
    example {
        "op": "subscribe", "id": 1, "channels": ["orderbook_deltas", "trades", "orders"],
        "instruments": ["BTC-USD"], "interval_ms": 100
    }
}

request! {
    /// Ends subscriptions.
    pub struct UnsubscribeOperation {
        /// `unsubscribe`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
        /// Which channels; all of them if left out.
        optional channels: Vec<Word<Channel>>,
        /// Of which instruments; of all of them if left out.
        optional instruments: Vec<SymbolText>,
    }
    example {"op": "unsubscribe", "id": 6, "channels": ["trades"], "instruments": ["BTC-USD"]}
}

request! {
    /// Has every open order of a client cancelled, however it was placed, as soon as the
    /// connection ends. The server's own stop or crash is no disconnect.
    pub struct CancelOnDisconnectOperation {
        /// `cancel_on_disconnect`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
        /// Whose orders; the key's own client's if left out, needed without keys.
        optional client_id: ClientIdText,
        /// Whether it is to be so from now on.
        required enabled: bool,
    }
    example {"op": "cancel_on_disconnect", "id": 5, "client_id": "client-A", "enabled": true}
}

request! {
    /// Is answered, and does nothing.
    pub struct PingOperation {
        /// `ping`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
    }
    example {"op": "ping", "id": 7}
}

request! {
    /// Shows a key, where the exchange asks for keys and the upgrade had none: until then every
    /// other operation is refused with 401, and after 10 seconds the connection is closed.
    pub struct AuthOperation {
        /// `auth`.
        required op: Word<OperationName>,
        /// Any JSON; the answer has it again.
        optional id: OperationIdText,
        /// The key.
        required key: Words,
    }
    example {"op": "auth", "id": 8, "key": "sbk_8f14e45fceea167a_…"}
}

object! {
    /// An operation was carried out.
    pub struct ResultMessage {
        /// `result`.
        pub r#type: Word<AnswerType>,
        /// The operation's `id`; null if it had none.
        pub id: OperationIdText,
        /// The HTTP status that the call over HTTP would have had: 201 for a placed order, else
        /// 200.
        pub status: Count,
        /// After `place`, `cancel` and `amend`: the order as it stands; without `trades` after
        /// `cancel`.
        pub order: Option<Box<OrderView>>,
        /// After `place`: true if the same request came before and this is its first answer
        /// again; else left out.
        pub replayed: Option<bool>,
        /// After `subscribe` and `unsubscribe`: the channels named.
        pub channels: Option<Vec<Word<Channel>>>,
        /// After `subscribe` and `unsubscribe`: the instruments named.
        pub instruments: Option<Vec<SymbolText>>,
        /// After `cancel_on_disconnect`: whose orders.
        pub client_id: Option<ClientIdText>,
        /// After `cancel_on_disconnect`: whether the end of the connection cancels them.
        pub enabled: Option<bool>,
    }
    example {"type": "result", "id": 7, "status": 200}
}

object! {
    /// An operation was not carried out. The connection stays.
    pub struct ErrorMessage {
        /// `error`.
        pub r#type: Word<AnswerType>,
        /// The operation's `id`; null if it had none or the frame could not be read.
        pub id: OperationIdText,
        /// The HTTP status that the call over HTTP would have had.
        pub status: Count,
        /// Why, as over HTTP.
        pub problem: ProblemView,
    }
    example {
        "type": "error", "id": 3, "status": 404,
        "problem": {
            "type": "urn:shardbook:problem:order_not_found", "title": "There is no such order",
            "status": 404, "detail": "there is no order order-1", "code": "order_not_found",
            "errors": []
        }
    }
}

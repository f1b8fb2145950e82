//! The messages of the streams.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::Serialize;

use shardbook_engine::id::Sequence;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{BookDelta, BookImage, ChangeKind};
use shardbook_engine::order::{Order, Trade};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Volume;

use crate::decimal::{DecimalText, TimestampText};
use crate::json::ToJson;
use crate::schema::Nullable;
use crate::schema::order::{OrderView, TradeView};
use crate::schema::text::{Count, SymbolText};
use crate::schema::word::Word;
use crate::stream::channel::Channel;

/// What kind of message it is, as `type` and as a server-sent event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// Two orders traded.
    Trade,
    /// The whole book.
    OrderbookSnapshot,
    /// Levels of the book changed.
    OrderbookDelta,
    /// An order was placed or changed.
    Order,
    /// Something was missed.
    Gap,
}

impl MessageType {
    /// The type of a change's message.
    #[must_use]
    pub const fn of(change: &ChangeKind) -> Self {
        match change {
            ChangeKind::Trade(_) => Self::Trade,
            ChangeKind::Order(_) => Self::Order,
            ChangeKind::Delta(_) => Self::OrderbookDelta,
        }
    }
}

object! {
    /// Two orders traded.
    pub struct TradeMessage {
        /// `trade`.
        pub r#type: Word<MessageType>,
        /// The trade.
        pub trade: TradeView,
    }
    example {
        "type": "trade",
        "trade": {
            "trade_id": "BTC-USD-7", "instrument": "BTC-USD", "buy_order_id": "order-1",
            "sell_order_id": "order-0", "price": "70150.00", "quantity": "0.10000",
            "taker_side": "buy", "sequence": 42, "timestamp": "2026-01-31T12:00:00.000001Z"
        }
    }
}

impl TradeMessage {
    /// The trade's message.
    #[must_use]
    pub fn new(trade: &Trade, instrument: &Instrument) -> Self {
        Self {
            r#type: Word(MessageType::Trade),
            trade: TradeView::new(trade, instrument),
        }
    }
}

object! {
    /// An order was placed or changed; without its trades.
    pub struct OrderMessage {
        /// `order`.
        pub r#type: Word<MessageType>,
        /// The order as it stands now.
        pub order: OrderView,
    }
    example {
        "type": "order",
        "order": {
            "order_id": "order-1", "client_id": "client-A", "instrument": "BTC-USD",
            "side": "buy", "type": "limit", "time_in_force": "gtc", "price": "70150.50",
            "quantity": "0.25000", "filled_quantity": "0.00000",
            "remaining_quantity": "0.25000", "average_price": null, "status": "open",
            "reason": null, "idempotency_key": null, "sequence": 42, "updated_sequence": 42,
            "created_at": "2026-01-31T12:00:00.000001Z",
            "updated_at": "2026-01-31T12:00:00.000001Z",
            "self_trade_prevention": "none", "trade_count": 0
        }
    }
}

impl OrderMessage {
    /// The order's message.
    #[must_use]
    pub fn new(order: &Order, instrument: &Instrument) -> Self {
        Self {
            r#type: Word(MessageType::Order),
            order: OrderView::new(order, instrument),
        }
    }
}

/// A level: its price, and the quantity that rests there now, `"0"` if none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelPair(DecimalText, DecimalText);

impl ToJson for LevelPair {
    fn write(&self, json: &mut Vec<u8>) {
        [self.0, self.1].write(json);
    }
}

impl_type!(
    LevelPair, "Level",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        items: Some(Box::new(DecimalText::schema_ref())),
        min_items: Some(2),
        max_items: Some(2),
        example: Some(serde_json::json!(["70150.00", "0.15000"])),
        ..MetaSchema::new("array")
    })),
    register: |_registry| ()
);

impl LevelPair {
    fn all(levels: &[(Price, Volume)], instrument: &Instrument) -> Vec<Self> {
        let pair = |(price, volume): &(Price, Volume)| {
            let quantity = if volume.is_zero() {
                DecimalText::new(0, 0)
            } else {
                DecimalText::volume(*volume, instrument)
            };
            Self(DecimalText::price(*price, instrument), quantity)
        };
        levels.iter().map(pair).collect()
    }
}

object! {
    /// The whole book, best prices first.
    pub struct SnapshotMessage {
        /// `orderbook_snapshot`.
        pub r#type: Word<MessageType>,
        /// Whose book it is.
        pub instrument: SymbolText,
        /// The last command that changed the book's levels.
        pub sequence: Count,
        /// The buyers.
        pub bids: Vec<LevelPair>,
        /// The sellers.
        pub asks: Vec<LevelPair>,
        /// When the last command was decided.
        pub timestamp: TimestampText,
    }
    example {
        "type": "orderbook_snapshot", "instrument": "BTC-USD", "sequence": 42,
        "bids": [["70150.00", "0.15000"]], "asks": [["70151.00", "2.00000"]],
        "timestamp": "2026-01-31T12:00:00.000001Z"
    }
}

impl SnapshotMessage {
    /// The book's message.
    #[must_use]
    pub fn new(image: &BookImage, instrument: &Instrument) -> Self {
        Self {
            r#type: Word(MessageType::OrderbookSnapshot),
            instrument: SymbolText(instrument.symbol.clone()),
            sequence: Count(image.sequence.get()),
            bids: LevelPair::all(&image.bids, instrument),
            asks: LevelPair::all(&image.asks, instrument),
            timestamp: TimestampText(image.timestamp),
        }
    }
}

object! {
    /// Levels that changed, with their new totals; `"0"` removes a level.
    pub struct DeltaMessage {
        /// `orderbook_delta`.
        pub r#type: Word<MessageType>,
        /// Whose book it is.
        pub instrument: SymbolText,
        /// The command that changed them.
        pub sequence: Count,
        /// The `sequence` of the delta or snapshot before it.
        pub previous_sequence: Count,
        /// The buyers.
        pub bids: Vec<LevelPair>,
        /// The sellers.
        pub asks: Vec<LevelPair>,
        /// When that command was decided.
        pub timestamp: TimestampText,
    }
    example {
        "type": "orderbook_delta", "instrument": "BTC-USD", "sequence": 43,
        "previous_sequence": 42, "bids": [["70150.00", "0"]], "asks": [],
        "timestamp": "2026-01-31T12:00:00.000001Z"
    }
}

impl DeltaMessage {
    /// The delta's message.
    #[must_use]
    pub fn new(sequence: Sequence, delta: &BookDelta, instrument: &Instrument) -> Self {
        Self {
            r#type: Word(MessageType::OrderbookDelta),
            instrument: SymbolText(instrument.symbol.clone()),
            sequence: Count(sequence.get()),
            previous_sequence: Count(delta.previous_sequence.get()),
            bids: LevelPair::all(&delta.bids, instrument),
            asks: LevelPair::all(&delta.asks, instrument),
            timestamp: TimestampText(delta.timestamp),
        }
    }
}

object! {
    /// Events of a channel were missed.
    pub struct GapMessage {
        /// `gap`.
        pub r#type: Word<MessageType>,
        /// Of which channel something was missed.
        pub channel: Word<Channel>,
        /// Of which instrument.
        pub instrument: SymbolText,
        /// How many events were missed; null where that can't be known.
        pub missed: Nullable<Count>,
    }
    example {"type": "gap", "channel": "orderbook_deltas", "instrument": "BTC-USD", "missed": 120}
}

impl GapMessage {
    /// The gap's message.
    #[must_use]
    pub fn new(channel: Channel, missed: Option<u64>, instrument: &Instrument) -> Self {
        Self {
            r#type: Word(MessageType::Gap),
            channel: Word(channel),
            instrument: SymbolText(instrument.symbol.clone()),
            missed: Nullable(missed.map(Count)),
        }
    }
}

/// Any message of a stream. Documentation only.
#[derive(Clone, Copy, Debug)]
pub struct StreamMessage;

impl_type!(
    StreamMessage, "StreamMessage",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        one_of: vec![
            TradeMessage::schema_ref(),
            OrderMessage::schema_ref(),
            SnapshotMessage::schema_ref(),
            DeltaMessage::schema_ref(),
            GapMessage::schema_ref(),
        ],
        ..MetaSchema::ANY
    })),
    register: |registry| {
        TradeMessage::register(registry);
        OrderMessage::register(registry);
        SnapshotMessage::register(registry);
        DeltaMessage::register(registry);
        GapMessage::register(registry);
    }
);

//! Orders and trades.

use std::sync::Arc;

use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{
    Order, OrderKind, OrderStatus, OrderWithTrades, SelfTradePrevention, TRADES_SHOWN_MAX,
    TimeInForce, Trade,
};
use shardbook_engine::quantity::Volume;
use shardbook_engine::side::Side;

use crate::decimal::{DecimalText, TimestampText};
use crate::schema::problem::ProblemView;
use crate::schema::text::{
    ClientIdText, Count, DecimalInput, IdempotencyKeyText, OrderIdText, SymbolText, TradeIdText,
};
use crate::schema::word::{OrderType, Reason, Word};
use crate::schema::{List, Nullable};

/// Most orders in one batch: enough to make the cost of a request small beside its orders'.
pub const BATCH_ORDERS_MAX: usize = 500;

/// Most order ids that the answer to a mass cancel names.
pub const CANCELLED_IDS_SHOWN_MAX: usize = 1_000;

request! {
    /// An order to be placed.
    ///
    /// Fields that are not named here are ignored. A field that is null counts as left out.
    pub struct OrderRequest {
        /// The client's mark against placing the order twice, kept for this client and
        /// instrument. It may stand in the header `Idempotency-Key` instead.
        optional idempotency_key: IdempotencyKeyText,
        /// What the client calls the order, unique within the instrument; a UUIDv7 if left out.
        /// `.`, `..`, `batch` and `cancel-all` are no order ids, and ids that begin with
        /// `binance-` are the feed's.
        optional order_id: OrderIdText,
        /// Who places the order. Needed unless a key says it.
        optional client_id: ClientIdText,
        /// What is traded.
        required instrument: SymbolText,
        /// Whether the client buys or sells.
        required side: Word<Side>,
        /// `limit` trades at its price or better and may rest; `market` trades at once at the best
        /// prices there are and never rests.
        required r#type: Word<OrderType>,
        /// The worst price the order trades at, a multiple of the tick size, at most 10^12 ticks.
        /// Required for a limit order; a market order has none.
        optional price: DecimalInput,
        /// How much, a multiple of the lot size, at most 10^12 lots.
        required quantity: DecimalInput,
        /// How long a limit order stands: `gtc` (if left out) until it is filled or cancelled, `ioc`
        /// trades what it can at once and cancels the rest, `fok` trades all of it at once or
        /// nothing, `post_only` rests or is rejected. A market order has none.
        optional time_in_force: Word<TimeInForce>,
        /// What happens where the order meets a resting one of the same client: `none` (if left
        /// out) lets them trade, `cancel_taker` cancels what is left of this one, `cancel_maker`
        /// the resting one, `cancel_both` both.
        optional self_trade_prevention: Word<SelfTradePrevention>,
    }
    example {
        "idempotency_key": "abc-123", "order_id": "order-1", "client_id": "client-A",
        "instrument": "BTC-USD", "side": "buy", "type": "limit", "price": "70150.50",
        "quantity": "0.25", "time_in_force": "gtc"
    }
}

request! {
    /// Orders to be placed one after another. Not atomic: each is answered for itself.
    pub struct BatchRequest {
        /// From 1 to 500 orders, each with an idempotency key of its own if it has one.
        required orders: List<OrderRequest<'static>, BATCH_ORDERS_MAX, 1>,
    }
    example {
        "orders": [
            {"order_id": "order-2", "client_id": "client-A", "instrument": "BTC-USD",
             "side": "buy", "type": "limit", "price": "70149.50", "quantity": "0.10"},
            {"order_id": "order-3", "client_id": "client-A", "instrument": "BTC-USD",
             "side": "sell", "type": "market", "quantity": "0.05"}
        ]
    }
}

request! {
    /// What an amend changes; one of the two at least.
    pub struct AmendRequest {
        /// The new price, a multiple of the tick size.
        optional price: DecimalInput,
        /// The new total quantity, what has been filled included; a multiple of the lot size.
        optional quantity: DecimalInput,
    }
    example {"price": "70149.00"}
}

request! {
    /// Whose orders a mass cancel takes away.
    pub struct CancelAllRequest {
        /// Whose orders. Needed unless a key says it.
        optional client_id: ClientIdText,
        /// On this instrument alone; on all of them if left out.
        optional instrument: SymbolText,
        /// On this side alone; on both if left out.
        optional side: Word<Side>,
    }
    example {"client_id": "client-A", "instrument": "BTC-USD"}
}

object! {
    /// A trade of two orders, at the price of the one that was resting.
    pub struct TradeView {
        /// The instrument's name and the trade's number within it, counted from 1 without a gap.
        pub trade_id: TradeIdText,
        /// What was traded.
        pub instrument: SymbolText,
        /// The buyer's order.
        pub buy_order_id: OrderIdText,
        /// The seller's order.
        pub sell_order_id: OrderIdText,
        /// The resting order's price, at the tick's scale.
        pub price: DecimalText,
        /// How much, at the lot's scale.
        pub quantity: DecimalText,
        /// Which of the two came in last.
        pub taker_side: Word<Side>,
        /// The command that made it.
        pub sequence: Count,
        /// When.
        pub timestamp: TimestampText,
    }
    example {
        "trade_id": "BTC-USD-7", "instrument": "BTC-USD", "buy_order_id": "order-1",
        "sell_order_id": "order-0", "price": "70150.00", "quantity": "0.10000",
        "taker_side": "buy", "sequence": 42, "timestamp": "2026-01-31T12:00:00.000001Z"
    }
}

impl TradeView {
    /// The trade as it is shown.
    #[must_use]
    pub fn new(trade: &Trade, instrument: &Instrument) -> Self {
        Self {
            trade_id: TradeIdText::new(instrument, trade.number),
            instrument: SymbolText(instrument.symbol.clone()),
            buy_order_id: OrderIdText(trade.buy.order_id.clone()),
            sell_order_id: OrderIdText(trade.sell.order_id.clone()),
            price: DecimalText::price(trade.price, instrument),
            quantity: DecimalText::quantity(trade.quantity, instrument),
            taker_side: Word(trade.taker_side),
            sequence: Count(trade.sequence.get()),
            timestamp: TimestampText(trade.timestamp),
        }
    }

    /// The newest trades that an answer about one order shows.
    #[must_use]
    pub fn list(trades: &[Arc<Trade>], instrument: &Instrument) -> OwnTrades {
        let views = trades.iter().map(|trade| Self::new(trade, instrument));
        List(views.collect())
    }
}

/// An order's own trades in an answer, oldest first.
pub type OwnTrades = List<TradeView, TRADES_SHOWN_MAX>;

object! {
    /// An order as it stands.
    ///
    /// Status `open` rests with nothing filled, `partially_filled` rests with a part filled;
    /// `filled`, `cancelled` and `rejected` are final.
    pub struct OrderView {
        /// What its client calls it.
        pub order_id: OrderIdText,
        /// Whose it is.
        pub client_id: ClientIdText,
        /// What is traded.
        pub instrument: SymbolText,
        /// Whether its client buys or sells.
        pub side: Word<Side>,
        /// Whether it names a price.
        pub r#type: Word<OrderType>,
        /// How long it stands; null for a market order.
        pub time_in_force: Nullable<Word<TimeInForce>>,
        /// The worst price it trades at, at the tick's scale; null for a market order.
        pub price: Nullable<DecimalText>,
        /// How much, at the lot's scale.
        pub quantity: DecimalText,
        /// How much of it has traded.
        pub filled_quantity: DecimalText,
        /// `quantity` less `filled_quantity`, in final states too.
        pub remaining_quantity: DecimalText,
        /// What it traded at on average, four digits beyond the tick's; null while it has not.
        pub average_price: Nullable<DecimalText>,
        /// `open` or `partially_filled` while it rests; `filled`, `cancelled` or `rejected` for
        /// good.
        pub status: Word<OrderStatus>,
        /// Why it is cancelled or rejected; null otherwise.
        pub reason: Nullable<Word<Reason>>,
        /// The client's mark against placing it twice; null if it had none.
        pub idempotency_key: Nullable<IdempotencyKeyText>,
        /// The command that placed it, in the instrument's own count.
        pub sequence: Count,
        /// The command that changed it last.
        pub updated_sequence: Count,
        /// When it was placed.
        pub created_at: TimestampText,
        /// When it changed last.
        pub updated_at: TimestampText,
        /// What happens where it meets its own client's orders.
        pub self_trade_prevention: Word<SelfTradePrevention>,
        /// How many trades it had.
        pub trade_count: Count,
        /// Its trades, oldest first, at most the newest 1,000; left out in lists and streams and
        /// where an order is cancelled.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub trades: Option<OwnTrades>,
    }
    example {
        "order_id": "order-1", "client_id": "client-A", "instrument": "BTC-USD", "side": "buy",
        "type": "limit", "time_in_force": "gtc", "price": "70150.50", "quantity": "0.25000",
        "filled_quantity": "0.10000", "remaining_quantity": "0.15000",
        "average_price": "70150.000000", "status": "partially_filled", "reason": null,
        "idempotency_key": "abc-123", "sequence": 42, "updated_sequence": 42,
        "created_at": "2026-01-31T12:00:00.000001Z", "updated_at": "2026-01-31T12:00:00.000001Z",
        "self_trade_prevention": "none", "trade_count": 1,
        "trades": [{
            "trade_id": "BTC-USD-7", "instrument": "BTC-USD", "buy_order_id": "order-1",
            "sell_order_id": "order-0", "price": "70150.00", "quantity": "0.10000",
            "taker_side": "buy", "sequence": 42, "timestamp": "2026-01-31T12:00:00.000001Z"
        }]
    }
}

impl OrderView {
    /// The order without its trades.
    #[must_use]
    pub fn new(order: &Order, instrument: &Instrument) -> Self {
        let (kind, price, time_in_force) = match order.kind {
            OrderKind::Limit {
                price,
                time_in_force,
            } => (OrderType::Limit, Some(price), Some(time_in_force)),
            OrderKind::Market => (OrderType::Market, None, None),
        };
        let average_price = DecimalText::average_price(
            order.filled_notional,
            Volume::from(order.filled_quantity),
            instrument,
        );
        Self {
            order_id: OrderIdText(order.id.clone()),
            client_id: ClientIdText(order.client.clone()),
            instrument: SymbolText(instrument.symbol.clone()),
            side: Word(order.side),
            r#type: Word(kind),
            time_in_force: Nullable(time_in_force.map(Word)),
            price: Nullable(price.map(|price| DecimalText::price(price, instrument))),
            quantity: DecimalText::quantity(order.quantity, instrument),
            filled_quantity: DecimalText::quantity(order.filled_quantity, instrument),
            remaining_quantity: DecimalText::quantity(order.remaining_quantity(), instrument),
            average_price: Nullable(average_price),
            status: Word(order.status()),
            reason: Nullable(Reason::of(order.state).map(Word)),
            idempotency_key: Nullable(order.idempotency_key.clone().map(IdempotencyKeyText)),
            sequence: Count(order.placed.sequence.get()),
            updated_sequence: Count(order.updated.get()),
            created_at: TimestampText(order.created_at),
            updated_at: TimestampText(order.updated_at),
            self_trade_prevention: Word(order.self_trade_prevention),
            trade_count: Count(order.trade_count),
            trades: None,
        }
    }

    /// The order with the trades that an answer shows.
    #[must_use]
    pub fn with_trades(shown: &OrderWithTrades, instrument: &Instrument) -> Self {
        Self {
            trades: Some(TradeView::list(&shown.trades, instrument)),
            ..Self::new(&shown.order, instrument)
        }
    }
}

object! {
    /// What a mass cancel did. Not atomic: each instrument acts for itself.
    pub struct CancelAllView {
        /// How many orders it took away.
        pub cancelled: Count,
        /// Which: the first 1,000.
        pub order_ids: List<OrderIdText, CANCELLED_IDS_SHOWN_MAX>,
        /// The instruments that were unable to act; send the call again for them.
        pub failed: Vec<SymbolText>,
    }
    example {"cancelled": 2, "order_ids": ["order-1", "order-2"], "failed": []}
}

object! {
    /// What became of one order of a batch.
    pub struct BatchResult {
        /// The HTTP status that the order alone would have had.
        pub status: Count,
        /// The order, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order: Option<Box<OrderView>>,
        /// Why there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub problem: Option<Box<ProblemView>>,
        /// True if the same request came before and this is its first answer again; else left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub replayed: Option<bool>,
    }
    example {
        "status": 422,
        "problem": {
            "type": "urn:shardbook:problem:invalid_order", "title": "The request is not valid",
            "status": 422, "detail": "side: is required", "code": "invalid_order",
            "errors": [{"field": "side", "message": "is required"}]
        }
    }
}

object! {
    /// What became of a batch.
    pub struct BatchView {
        /// One for each order, in the order given.
        pub results: List<BatchResult, BATCH_ORDERS_MAX>,
    }
    example {
        "results": [{
            "status": 422,
            "problem": {
                "type": "urn:shardbook:problem:invalid_order", "title": "The request is not valid",
                "status": 422, "detail": "side: is required", "code": "invalid_order",
                "errors": [{"field": "side", "message": "is required"}]
            }
        }]
    }
}

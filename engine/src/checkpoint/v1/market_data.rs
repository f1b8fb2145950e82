//! An instrument's market data as bytes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::analytics;
use super::resting::Resting;
use super::shard::{Clients, idempotency_key, order_id};
use super::{
    WireOrderKind, WireOrderState, WireSelfTradePrevention, WireSide, list, put_length, room,
};
use crate::id::{IdempotencyKey, OrderRef, Sequence, TradeNumber};
use crate::instrument::Instrument;
use crate::market_data::{
    ChangeId, InstrumentStatus, KeptOrder, MarketData, MarketDataLimits, MarketDataRestorer, Marks,
};
use crate::order::{Order, OrderKind, OrderState, Trade, TradeParty};
use crate::quantity::{Notional, Quantity};
use crate::record::RecordError;
use crate::record::wire::{append_bare, price, quantity, take, wire_enum};
use crate::shard::ClientResting;
use crate::time::{Day, Timestamp};

wire_enum!(WireStatus stands for InstrumentStatus { Trading, Halted });

#[derive(Serialize, Deserialize)]
struct WireHead {
    sequence: u64,
    timestamp: u64,
    status: WireStatus,
    newest_change_sequence: u64,
    newest_change_index: u32,
    last_delta: u64,
    newest_tape_order: u64,
    newest_let_go: u64,
    newest_mirror_let_go: u64,
    /// Days since 1970-01-01.
    last_closed_day: Option<u64>,
    /// How many of the trades are the instrument's newest in memory.
    newest_trades: u64,
}

#[derive(Serialize, Deserialize)]
struct WireTrade<'a> {
    number: u64,
    #[serde(borrow)]
    buy: WireParty<'a>,
    #[serde(borrow)]
    sell: WireParty<'a>,
    price: u64,
    quantity: u64,
    taker_side: WireSide,
    sequence: u64,
    timestamp: u64,
}

#[derive(Serialize, Deserialize)]
struct WireParty<'a> {
    order_id: &'a str,
    placed: u64,
    index: u32,
    client: &'a str,
}

/// An order's row.
#[derive(Serialize, Deserialize)]
struct WireRow<'a> {
    placed: u64,
    index: u32,
    #[serde(borrow)]
    what: WireWhat<'a>,
    idempotency_key: Option<&'a str>,
    filled_notional: u128,
    trade_count: u64,
    updated: u64,
    created_at: u64,
    updated_at: u64,
}

/// What an order is.
#[derive(Serialize, Deserialize)]
enum WireWhat<'a> {
    /// As the shard has told already.
    RestingClients,
    Told {
        id: &'a str,
        client: &'a str,
        side: WireSide,
        kind: WireOrderKind,
        quantity: u64,
        self_trade_prevention: WireSelfTradePrevention,
        state: WireOrderState,
        filled_quantity: u64,
    },
}

pub(super) fn encode(market_data: &MarketData, mut resting: Resting<'_>, bytes: &mut Vec<u8>) {
    let newest_trades = market_data.newest_trades();
    append_bare(&WireHead::of(&market_data.marks(), newest_trades), bytes);
    let trades = market_data.kept_trades();
    put_length(trades.len(), bytes);
    for trade in &trades {
        append_bare(&WireTrade::of(trade), bytes);
    }
    put_length(market_data.kept_order_count(), bytes);
    for kept in market_data.kept_orders() {
        let placed = kept.order.placed;
        let is_clients = placed.index == 0;
        let known = is_clients.then(|| resting.pass(placed.sequence)).flatten();
        append_bare(&WireRow::of(&kept.order, known), bytes);
        put_length(kept.trades.len(), bytes);
        for number in kept.trades {
            append_bare(&number.get(), bytes);
        }
    }
    analytics::encode(market_data, bytes);
    let closed = market_data.closed_orders();
    put_length(closed.len(), bytes);
    for placed in closed {
        append_bare(&placed.get(), bytes);
    }
}

pub(super) fn decode(
    bytes: &mut &[u8],
    instrument: Arc<Instrument>,
    limits: MarketDataLimits,
    mut resting: Resting<'_>,
) -> Result<MarketData, RecordError> {
    let head: WireHead = take(bytes)?;
    let mut clients = Clients::default();
    let trades = list(bytes, |bytes| {
        let trade: WireTrade<'_> = take(bytes)?;
        Ok(Arc::new(trade.into_trade(&mut clients)?))
    })?;
    let newest = usize::try_from(head.newest_trades).unwrap_or(usize::MAX);
    let mut market_data =
        MarketDataRestorer::new(instrument, limits, head.into_marks(), trades, newest);
    let orders: u64 = take(bytes)?;
    market_data.make_room(room::<Order>(orders, bytes));
    for _ in 0..orders {
        let row: WireRow<'_> = take(bytes)?;
        let order = row.into_order(&mut resting, &mut clients)?;
        let trades = list(bytes, |bytes| Ok(TradeNumber::new(take(bytes)?)))?;
        market_data.order(KeptOrder { order, trades });
    }
    analytics::decode(bytes, &mut market_data, &mut clients)?;
    let closed: u64 = take(bytes)?;
    for _ in 0..closed {
        market_data.closed(Sequence::new(take(bytes)?));
    }
    Ok(market_data.finish())
}

impl WireHead {
    fn of(marks: &Marks, newest_trades: usize) -> Self {
        Self {
            sequence: marks.sequence.get(),
            timestamp: marks.timestamp.microseconds(),
            status: marks.status.into(),
            newest_change_sequence: marks.newest_change.sequence.get(),
            newest_change_index: marks.newest_change.index,
            last_delta: marks.last_delta.get(),
            newest_tape_order: marks.newest_tape_order.get(),
            newest_let_go: marks.newest_let_go.get(),
            newest_mirror_let_go: marks.newest_mirror_let_go.get(),
            last_closed_day: marks.last_closed_day.map(Day::days_since_epoch),
            newest_trades: u64::try_from(newest_trades).unwrap_or(u64::MAX),
        }
    }

    fn into_marks(self) -> Marks {
        Marks {
            sequence: Sequence::new(self.sequence),
            timestamp: Timestamp::from_microseconds(self.timestamp),
            status: self.status.into(),
            newest_change: ChangeId {
                sequence: Sequence::new(self.newest_change_sequence),
                index: self.newest_change_index,
            },
            last_delta: Sequence::new(self.last_delta),
            newest_tape_order: Sequence::new(self.newest_tape_order),
            newest_let_go: Sequence::new(self.newest_let_go),
            newest_mirror_let_go: Sequence::new(self.newest_mirror_let_go),
            last_closed_day: self.last_closed_day.map(Day::from_days_since_epoch),
        }
    }
}

impl<'a> WireTrade<'a> {
    fn of(trade: &'a Trade) -> Self {
        Self {
            number: trade.number.get(),
            buy: WireParty::of(&trade.buy),
            sell: WireParty::of(&trade.sell),
            price: trade.price.ticks(),
            quantity: trade.quantity.lots(),
            taker_side: trade.taker_side.into(),
            sequence: trade.sequence.get(),
            timestamp: trade.timestamp.microseconds(),
        }
    }

    fn into_trade(self, clients: &mut Clients) -> Result<Trade, RecordError> {
        Ok(Trade {
            number: TradeNumber::new(self.number),
            buy: self.buy.into_party(clients)?,
            sell: self.sell.into_party(clients)?,
            price: price(self.price)?,
            quantity: quantity(self.quantity, "quantity")?,
            taker_side: self.taker_side.into(),
            sequence: Sequence::new(self.sequence),
            timestamp: Timestamp::from_microseconds(self.timestamp),
        })
    }
}

impl<'a> WireParty<'a> {
    fn of(party: &'a TradeParty) -> Self {
        Self {
            order_id: party.order_id.as_str(),
            placed: party.placed.sequence.get(),
            index: party.placed.index,
            client: party.client.as_str(),
        }
    }

    fn into_party(self, clients: &mut Clients) -> Result<TradeParty, RecordError> {
        Ok(TradeParty {
            order_id: order_id(self.order_id)?,
            placed: OrderRef {
                sequence: Sequence::new(self.placed),
                index: self.index,
            },
            client: clients.get(self.client)?,
        })
    }
}

impl<'a> WireRow<'a> {
    /// # Panics
    /// When the shard knows the order to rest otherwise: a bug.
    fn of(order: &'a Order, known: Option<&ClientResting>) -> Self {
        let what = match known {
            Some(known) => {
                assert_eq!(
                    (order.quantity, order.remaining_quantity(), order.state),
                    (known.quantity, known.remaining, OrderState::Resting),
                    "readers see what rests"
                );
                WireWhat::RestingClients
            }
            None => WireWhat::Told {
                id: order.id.as_str(),
                client: order.client.as_str(),
                side: order.side.into(),
                kind: WireOrderKind::of(order.kind),
                quantity: order.quantity.lots(),
                self_trade_prevention: order.self_trade_prevention.into(),
                state: WireOrderState::of(order.state),
                filled_quantity: order.filled_quantity.lots(),
            },
        };
        Self {
            placed: order.placed.sequence.get(),
            index: order.placed.index,
            what,
            idempotency_key: order.idempotency_key.as_ref().map(IdempotencyKey::as_str),
            filled_notional: order.filled_notional.ticks_times_lots(),
            trade_count: order.trade_count,
            updated: order.updated.get(),
            created_at: order.created_at.microseconds(),
            updated_at: order.updated_at.microseconds(),
        }
    }

    fn into_order(
        self,
        resting: &mut Resting<'_>,
        clients: &mut Clients,
    ) -> Result<Order, RecordError> {
        let placed = OrderRef {
            sequence: Sequence::new(self.placed),
            index: self.index,
        };
        let key = self.idempotency_key.map(idempotency_key).transpose()?;
        // What only one of the two knows is filled in below.
        let mut order = match self.what {
            WireWhat::RestingClients => {
                let known = resting.pass(placed.sequence);
                resting_order(known.ok_or(RecordError::OutOfRange { field: "placed" })?)
            }
            WireWhat::Told {
                id,
                client,
                side,
                kind,
                quantity: lots,
                self_trade_prevention,
                state,
                filled_quantity,
            } => Order {
                id: order_id(id)?,
                client: clients.get(client)?,
                idempotency_key: None,
                side: side.into(),
                kind: kind.into_kind()?,
                quantity: quantity(lots, "quantity")?,
                self_trade_prevention: self_trade_prevention.into(),
                state: state.into_state(),
                filled_quantity: quantity(filled_quantity, "filled quantity")?,
                filled_notional: Notional::ZERO,
                trade_count: 0,
                placed,
                updated: placed.sequence,
                created_at: Timestamp::default(),
                updated_at: Timestamp::default(),
            },
        };
        order.idempotency_key = key;
        order.filled_notional = Notional::new(self.filled_notional);
        order.trade_count = self.trade_count;
        order.updated = Sequence::new(self.updated);
        order.created_at = Timestamp::from_microseconds(self.created_at);
        order.updated_at = Timestamp::from_microseconds(self.updated_at);
        Ok(order)
    }
}

/// What the shard knows of a client's resting order.
fn resting_order(known: &ClientResting) -> Order {
    let filled: Quantity = known.quantity.saturating_sub(known.remaining);
    Order {
        id: known.id.clone(),
        client: known.client.clone(),
        idempotency_key: None,
        side: known.side,
        kind: OrderKind::Limit {
            price: known.price,
            time_in_force: known.time_in_force,
        },
        quantity: known.quantity,
        self_trade_prevention: known.self_trade_prevention,
        state: OrderState::Resting,
        filled_quantity: filled,
        filled_notional: Notional::ZERO,
        trade_count: 0,
        placed: OrderRef::single(known.placed),
        updated: known.placed,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

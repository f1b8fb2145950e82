//! A shard's state as bytes.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::{
    WireOrderKind, WireOrderState, WireSelfTradePrevention, WireSide, WireTimeInForce, list,
    put_length,
};
use crate::command::{FeedSource, MirrorLevel};
use crate::event::MirrorMaker;
use crate::id::{ClientId, IdError, IdempotencyKey, OrderId, OrderRef, Sequence, TradeNumber};
use crate::price::Price;
use crate::quantity::Notional;
use crate::record::RecordError;
use crate::record::wire::{append_bare, price, quantity, take, wire_enum};
use crate::shard::{
    BoundKey, ClientResting, FeedPositions, MirrorPosition, MirrorResting, RestingOrder,
    ShardState, SourcePosition,
};
use crate::time::{Day, Timestamp};

wire_enum!(WireFeedSource stands for FeedSource { Binance, Simulated });

#[derive(Serialize, Deserialize)]
struct WireHead {
    sequence: u64,
    last_trade: u64,
    last_price: Option<u64>,
    last_stamp: u64,
    halted: bool,
    /// Days since 1970-01-01.
    last_closed_day: Option<u64>,
    mirror_source: Option<WireFeedSource>,
    binance: WirePosition,
    simulated: WirePosition,
}

#[derive(Serialize, Deserialize)]
struct WirePosition {
    trade_id: Option<u64>,
    /// The snapshot's id, then the update's.
    mirror: Option<(u64, u64)>,
}

#[derive(Serialize, Deserialize)]
enum WireResting<'a> {
    Client {
        id: &'a str,
        client: &'a str,
        placed: u64,
        side: WireSide,
        price: u64,
        time_in_force: WireTimeInForce,
        self_trade_prevention: WireSelfTradePrevention,
        quantity: u64,
        remaining: u64,
    },
    Mirror {
        side: WireSide,
        price: u64,
        placed: u64,
        index: u32,
        quantity: u64,
        filled_quantity: u64,
        filled_notional: u128,
        trade_count: u64,
        created_at: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct WireTarget {
    side: WireSide,
    price: u64,
    quantity: u64,
}

#[derive(Serialize, Deserialize)]
struct WireKey<'a> {
    client: &'a str,
    key: &'a str,
    fingerprint: u128,
    order_id: &'a str,
    side: WireSide,
    kind: WireOrderKind,
    quantity: u64,
    self_trade_prevention: WireSelfTradePrevention,
    state: WireOrderState,
    filled_quantity: u64,
    filled_notional: u128,
    trade_count: u64,
    sequence: u64,
    first_trade: u64,
    created_at: u64,
}

pub(super) fn encode(state: &ShardState, bytes: &mut Vec<u8>) {
    let head = WireHead {
        sequence: state.sequence.get(),
        last_trade: state.last_trade.get(),
        last_price: state.last_price.map(Price::ticks),
        last_stamp: state.last_stamp.microseconds(),
        halted: state.halted,
        last_closed_day: state.last_closed_day.map(Day::days_since_epoch),
        mirror_source: state.mirror_source.map(WireFeedSource::from),
        binance: WirePosition::of(state.feed_positions.of(FeedSource::Binance)),
        simulated: WirePosition::of(state.feed_positions.of(FeedSource::Simulated)),
    };
    append_bare(&head, bytes);
    put_length(state.resting.len(), bytes);
    for order in &state.resting {
        append_bare(&WireResting::of(order), bytes);
    }
    put_length(state.mirror_targets.len(), bytes);
    for target in &state.mirror_targets {
        let target = WireTarget {
            side: target.side.into(),
            price: target.price.ticks(),
            quantity: target.quantity.lots(),
        };
        append_bare(&target, bytes);
    }
    put_length(state.closed_ids.len(), bytes);
    for id in &state.closed_ids {
        append_bare(&id.as_str(), bytes);
    }
    put_length(state.keys.len(), bytes);
    for key in &state.keys {
        append_bare(&WireKey::of(key), bytes);
    }
}

pub(super) fn decode(bytes: &mut &[u8]) -> Result<ShardState, RecordError> {
    let head: WireHead = take(bytes)?;
    let mut feed_positions = FeedPositions::default();
    *feed_positions.of_mut(FeedSource::Binance) = head.binance.into_position();
    *feed_positions.of_mut(FeedSource::Simulated) = head.simulated.into_position();
    let mut clients = Clients::default();
    Ok(ShardState {
        sequence: Sequence::new(head.sequence),
        last_trade: TradeNumber::new(head.last_trade),
        last_price: head.last_price.map(price).transpose()?,
        last_stamp: Timestamp::from_microseconds(head.last_stamp),
        halted: head.halted,
        last_closed_day: head.last_closed_day.map(Day::from_days_since_epoch),
        mirror_source: head.mirror_source.map(FeedSource::from),
        feed_positions,
        resting: list(bytes, |bytes| take_resting(bytes, &mut clients))?,
        mirror_targets: list(bytes, |bytes| {
            let target: WireTarget = take(bytes)?;
            Ok(MirrorLevel {
                side: target.side.into(),
                price: price(target.price)?,
                quantity: quantity(target.quantity, "target")?,
            })
        })?,
        closed_ids: list(bytes, |bytes| order_id(take_text(bytes)?))?,
        keys: list(bytes, |bytes| take_key(bytes, &mut clients))?,
    })
}

impl WirePosition {
    fn of(position: &SourcePosition) -> Self {
        Self {
            trade_id: position.trade_id,
            mirror: position
                .mirror
                .map(|mirror| (mirror.snapshot_id, mirror.update_id)),
        }
    }

    fn into_position(self) -> SourcePosition {
        SourcePosition {
            trade_id: self.trade_id,
            mirror: self.mirror.map(|(snapshot_id, update_id)| MirrorPosition {
                snapshot_id,
                update_id,
            }),
        }
    }
}

impl<'a> WireResting<'a> {
    fn of(order: &'a RestingOrder) -> Self {
        match order {
            RestingOrder::Client(order) => Self::Client {
                id: order.id.as_str(),
                client: order.client.as_str(),
                placed: order.placed.get(),
                side: order.side.into(),
                price: order.price.ticks(),
                time_in_force: order.time_in_force.into(),
                self_trade_prevention: order.self_trade_prevention.into(),
                quantity: order.quantity.lots(),
                remaining: order.remaining.lots(),
            },
            RestingOrder::Mirror(MirrorResting { side, price, order }) => Self::Mirror {
                side: (*side).into(),
                price: price.ticks(),
                placed: order.order.sequence.get(),
                index: order.order.index,
                quantity: order.quantity.lots(),
                filled_quantity: order.filled_quantity.lots(),
                filled_notional: order.filled_notional.ticks_times_lots(),
                trade_count: order.trade_count,
                created_at: order.created_at.microseconds(),
            },
        }
    }
}

fn take_resting(bytes: &mut &[u8], clients: &mut Clients) -> Result<RestingOrder, RecordError> {
    Ok(match take(bytes)? {
        WireResting::Client {
            id,
            client,
            placed,
            side,
            price: ticks,
            time_in_force,
            self_trade_prevention,
            quantity: lots,
            remaining,
        } => RestingOrder::Client(ClientResting {
            id: order_id(id)?,
            client: clients.get(client)?,
            placed: Sequence::new(placed),
            side: side.into(),
            price: price(ticks)?,
            time_in_force: time_in_force.into(),
            self_trade_prevention: self_trade_prevention.into(),
            quantity: quantity(lots, "quantity")?,
            remaining: quantity(remaining, "remaining")?,
        }),
        WireResting::Mirror {
            side,
            price: ticks,
            placed,
            index,
            quantity: lots,
            filled_quantity,
            filled_notional,
            trade_count,
            created_at,
        } => RestingOrder::Mirror(MirrorResting {
            side: side.into(),
            price: price(ticks)?,
            order: MirrorMaker {
                order: OrderRef {
                    sequence: Sequence::new(placed),
                    index,
                },
                quantity: quantity(lots, "quantity")?,
                filled_quantity: quantity(filled_quantity, "filled quantity")?,
                filled_notional: Notional::new(filled_notional),
                trade_count,
                created_at: Timestamp::from_microseconds(created_at),
            },
        }),
    })
}

impl<'a> WireKey<'a> {
    fn of(key: &'a BoundKey) -> Self {
        Self {
            client: key.client.as_str(),
            key: key.key.as_str(),
            fingerprint: key.fingerprint,
            order_id: key.order_id.as_str(),
            side: key.side.into(),
            kind: WireOrderKind::of(key.kind),
            quantity: key.quantity.lots(),
            self_trade_prevention: key.self_trade_prevention.into(),
            state: WireOrderState::of(key.state),
            filled_quantity: key.filled_quantity.lots(),
            filled_notional: key.filled_notional.ticks_times_lots(),
            trade_count: key.trade_count,
            sequence: key.sequence.get(),
            first_trade: key.first_trade.get(),
            created_at: key.created_at.microseconds(),
        }
    }
}

fn take_key(bytes: &mut &[u8], clients: &mut Clients) -> Result<BoundKey, RecordError> {
    let key: WireKey<'_> = take(bytes)?;
    Ok(BoundKey {
        client: clients.get(key.client)?,
        key: idempotency_key(key.key)?,
        fingerprint: key.fingerprint,
        order_id: order_id(key.order_id)?,
        side: key.side.into(),
        kind: key.kind.into_kind()?,
        quantity: quantity(key.quantity, "quantity")?,
        self_trade_prevention: key.self_trade_prevention.into(),
        state: key.state.into_state(),
        filled_quantity: quantity(key.filled_quantity, "filled quantity")?,
        filled_notional: Notional::new(key.filled_notional),
        trade_count: key.trade_count,
        sequence: Sequence::new(key.sequence),
        first_trade: TradeNumber::new(key.first_trade),
        created_at: Timestamp::from_microseconds(key.created_at),
    })
}

/// Names of clients, of which there are few: each is kept once, however often it comes.
#[derive(Default)]
pub(super) struct Clients(HashMap<ClientId, (), RandomState>);

impl Clients {
    pub(super) fn get(&mut self, text: &str) -> Result<ClientId, RecordError> {
        if let Some((known, ())) = self.0.get_key_value(text) {
            return Ok(known.clone());
        }
        let client = ClientId::new(text).map_err(|source| id_error("client_id", source))?;
        self.0.insert(client.clone(), ());
        Ok(client)
    }
}

pub(super) fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, RecordError> {
    take(bytes)
}

pub(super) fn order_id(text: &str) -> Result<OrderId, RecordError> {
    OrderId::new(text).map_err(|source| id_error("order_id", source))
}

pub(super) fn idempotency_key(text: &str) -> Result<IdempotencyKey, RecordError> {
    IdempotencyKey::new(text).map_err(|source| id_error("key", source))
}

const fn id_error(field: &'static str, source: IdError) -> RecordError {
    RecordError::Id { field, source }
}

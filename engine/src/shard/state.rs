//! A shard's whole state as plain data, for checkpoints and comparisons.
//!
//! Two shards whose states are equal decide alike from then on. What is left out follows from
//! the rest: handles, clients' numbers, and the room that buffers have taken.

use std::sync::Arc;

use crate::book::ClientNumber;
use crate::command::{FeedSource, MirrorLevel, MirrorScope};
use crate::event::MirrorMaker;
use crate::hash_index::Gathered;
use crate::id::{ClientId, IdempotencyKey, OrderId, Sequence, TradeNumber};
use crate::instrument::Instrument;
use crate::order::{OrderKind, OrderState, SelfTradePrevention, TimeInForce};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::side::Side;
use crate::time::{Day, Timestamp};

use super::feed::FeedPositions;
use super::orders::OpenOrder;
use super::{Shard, ShardLimits};

/// Everything a shard knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardState {
    /// The last record's number.
    pub sequence: Sequence,
    /// The last trade's number.
    pub last_trade: TradeNumber,
    /// The last trade's price.
    pub last_price: Option<Price>,
    /// The last record's stamp.
    pub last_stamp: Timestamp,
    /// Whether trading is stopped.
    pub halted: bool,
    /// The last day that was closed.
    pub last_closed_day: Option<Day>,
    /// Every resting order: bids before asks, best price first, first in first.
    pub resting: Vec<RestingOrder>,
    /// Whose levels are mirrored, if a mirror is in place.
    pub mirror_source: Option<FeedSource>,
    /// The mirrored levels and what the source shows there.
    pub mirror_targets: Vec<MirrorLevel>,
    /// How far the feed's sources have been taken in.
    pub feed_positions: FeedPositions,
    /// Ids that can't be used again yet, first closed first.
    pub closed_ids: Vec<OrderId>,
    /// Keys that still answer, first bound first.
    pub keys: Vec<BoundKey>,
}

/// One resting order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestingOrder {
    /// A client's.
    Client(ClientResting),
    /// The mirror's.
    Mirror(MirrorResting),
}

/// A client's resting order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientResting {
    /// Its id.
    pub id: OrderId,
    /// Whose.
    pub client: ClientId,
    /// The command that placed it.
    pub placed: Sequence,
    /// Bids or asks.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// `gtc` or `post_only`.
    pub time_in_force: TimeInForce,
    /// What happens when an amend makes it meet its own client's orders.
    pub self_trade_prevention: SelfTradePrevention,
    /// How much, filled or not.
    pub quantity: Quantity,
    /// What is left of it.
    pub remaining: Quantity,
}

/// One of the mirror's orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorResting {
    /// Bids or asks.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// The order as a trade's event would tell it.
    pub order: MirrorMaker,
}

/// A key that still answers: its request, and its order right after its placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundKey {
    /// Whose key.
    pub client: ClientId,
    /// The key.
    pub key: IdempotencyKey,
    /// What tells its request from others.
    pub fingerprint: u128,
    /// The order's id.
    pub order_id: OrderId,
    /// Which way it trades.
    pub side: Side,
    /// At what price, and how long it stands.
    pub kind: OrderKind,
    /// How much, filled or not.
    pub quantity: Quantity,
    /// What happens when it meets its own client's orders.
    pub self_trade_prevention: SelfTradePrevention,
    /// Where it stood.
    pub state: OrderState,
    /// How much of it traded at once.
    pub filled_quantity: Quantity,
    /// At what notional.
    pub filled_notional: Notional,
    /// In how many trades.
    pub trade_count: u64,
    /// The command that placed it.
    pub sequence: Sequence,
    /// The number of its first trade; the next trade's then, if it had none.
    pub first_trade: TradeNumber,
    /// When it was placed.
    pub created_at: Timestamp,
}

impl Shard {
    /// Everything it knows.
    #[must_use]
    pub fn export(&self) -> ShardState {
        let resting = [Side::Buy, Side::Sell]
            .into_iter()
            .flat_map(|side| self.book.levels(side).map(move |level| (side, level.price)))
            .flat_map(|(side, price)| self.queue(side, price))
            .collect();
        ShardState {
            sequence: self.sequence,
            last_trade: self.last_trade,
            last_price: self.last_price,
            last_stamp: self.last_stamp,
            halted: self.halted,
            last_closed_day: self.last_closed_day,
            resting,
            mirror_source: self.mirror_source,
            mirror_targets: self.book.mirror_targets().collect(),
            feed_positions: self.positions,
            closed_ids: self.closed_ids.iter().cloned().collect(),
            keys: self.keys.iter().cloned().collect(),
        }
    }

    /// The shard that knows this. Of what the limits leave no room for, the oldest is forgotten.
    ///
    /// # Panics
    /// When the state is none that a shard exports: its orders' quantities are a bug's.
    #[must_use]
    pub fn import(instrument: Arc<Instrument>, limits: ShardLimits, mut state: ShardState) -> Self {
        let resting = std::mem::take(&mut state.resting);
        Self::import_beside(instrument, limits, &resting, state)
    }

    /// The same, where the resting orders stand apart from the rest of the state.
    pub(crate) fn import_beside(
        instrument: Arc<Instrument>,
        limits: ShardLimits,
        resting: &[RestingOrder],
        state: ShardState,
    ) -> Self {
        assert!(state.resting.is_empty(), "the resting orders stand apart");
        let mut shard = Self::new(instrument, limits);
        shard.sequence = state.sequence;
        shard.last_trade = state.last_trade;
        shard.last_price = state.last_price;
        shard.last_stamp = state.last_stamp;
        shard.halted = state.halted;
        shard.last_closed_day = state.last_closed_day;
        shard.mirror_source = state.mirror_source;
        shard.positions = state.feed_positions;
        shard.rest(resting);
        shard
            .book
            .restore_mirror(MirrorScope::Whole, &state.mirror_targets);
        for id in state.closed_ids {
            let hash = shard.id_hasher.hash(&id);
            shard.closed_ids.push(id, hash, &shard.id_hasher);
        }
        for key in state.keys {
            shard.keys.bind(shard.keys.hash(&key.client, &key.key), key);
        }
        shard.keys.expire(shard.last_stamp);
        shard
    }

    /// Puts every order into the book in its queue's order, and into its client's chain by age.
    fn rest(&mut self, resting: &[RestingOrder]) {
        self.orders.make_room(resting.len());
        let mut ids = Gathered::default();
        let mut ages = Vec::with_capacity(resting.len());
        for order in resting {
            match order {
                RestingOrder::Client(order) => {
                    let client = self.orders.enter(&order.client);
                    let (side, price) = (order.side, order.price);
                    let handle = self
                        .book
                        .restore_insert(client, side, price, order.remaining);
                    ids.push(self.id_hasher.hash(&order.id), handle);
                    ages.push((order.placed, handle, client, side));
                    let order = OpenOrder {
                        id: order.id.clone(),
                        placed: order.placed,
                        client,
                        side,
                        time_in_force: order.time_in_force,
                        self_trade_prevention: order.self_trade_prevention,
                        quantity: order.quantity,
                    };
                    self.orders.put(handle, order);
                }
                RestingOrder::Mirror(MirrorResting { side, price, order }) => {
                    let remaining = order.quantity - order.filled_quantity;
                    let mirror = ClientNumber::MIRROR;
                    let handle = self.book.restore_insert(mirror, *side, *price, remaining);
                    self.mirrored.insert(handle, order.clone());
                }
            }
        }
        self.orders.index(ids);
        ages.sort_unstable_by_key(|(placed, ..)| *placed);
        for (_, handle, client, side) in ages {
            self.orders.put_newest(handle, client, side);
            self.orders.leave(client);
        }
    }

    /// The orders of one level, first in first.
    fn queue(&self, side: Side, price: Price) -> impl Iterator<Item = RestingOrder> {
        self.book
            .queue(side, price)
            .filter_map(move |(handle, remaining)| {
                if let Some(order) = self.orders.get(handle) {
                    return Some(RestingOrder::Client(ClientResting {
                        id: order.id.clone(),
                        client: self.orders.client(order.client).name().clone(),
                        placed: order.placed,
                        side,
                        price,
                        time_in_force: order.time_in_force,
                        self_trade_prevention: order.self_trade_prevention,
                        quantity: order.quantity,
                        remaining,
                    }));
                }
                let order = self.mirrored.get(&handle)?.clone();
                Some(RestingOrder::Mirror(MirrorResting { side, price, order }))
            })
    }
}

//! An instrument whose records are made up.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use rust_decimal::Decimal;

use shardbook_engine::id::{
    ClientId, InstrumentId, OrderId, OrderRef, Sequence, Symbol, TradeNumber,
};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::market_data::{BookDelta, BookImage, Change, ChangeId, ChangeKind};
use shardbook_engine::order::{
    Order, OrderKind, OrderState, SelfTradePrevention, TimeInForce, Trade, TradeParty,
};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Quantity, Volume};
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;

use crate::stream::hub::StreamHub;
use crate::stream::subscription::BookSource;

/// One record's changes to come: which channels it has something for, and the levels it sets.
pub(super) type Step = (bool, bool, Vec<(bool, u8, u8)>);

pub(super) fn a_step() -> impl Strategy<Value = Step> {
    let level = (any::<bool>(), 1..6_u8, 0..4_u8);
    (
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(level, 0..3),
    )
}

/// An instrument whose records are made up.
pub(crate) struct Fake {
    pub(super) instrument: Arc<Instrument>,
    pub(super) state: Mutex<FakeBook>,
}

#[derive(Default)]
pub(super) struct FakeBook {
    pub(super) sequence: u64,
    trades: u64,
    last_delta: Sequence,
    newest_change: ChangeId,
    bids: BTreeMap<Price, Volume>,
    asks: BTreeMap<Price, Volume>,
    /// Folded and not yet published, one entry a record.
    pub(super) unpublished: Vec<Vec<Change>>,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        let instrument = Instrument {
            id: InstrumentId::new(1),
            symbol: Symbol::new("BTC-USD").unwrap(),
            tick: Increment::new(Decimal::new(1, 2)).unwrap(),
            lot: Increment::new(Decimal::new(1, 5)).unwrap(),
            min_quantity: Quantity::new(1).unwrap(),
            max_quantity: Quantity::new(1_000).unwrap(),
            min_notional: None,
            price_band: None,
            binance_symbol: None,
            listed_at: shardbook_engine::time::Timestamp::default(),
        };
        Arc::new(Self {
            instrument: Arc::new(instrument),
            state: Mutex::default(),
        })
    }

    pub(super) fn fold(&self, (has_trade, has_order, levels): &Step) {
        let mut state = self.state.lock();
        state.sequence += 1;
        let sequence = Sequence::new(state.sequence);
        let mut kinds = Vec::new();
        if *has_trade {
            state.trades += 1;
            kinds.push(ChangeKind::Trade(Arc::new(a_trade(sequence, state.trades))));
        }
        if *has_order {
            kinds.push(ChangeKind::Order(Arc::new(an_order(sequence))));
        }
        if let Some(delta) = state.set(sequence, levels) {
            kinds.push(ChangeKind::Delta(Arc::new(delta)));
        }
        let changes: Vec<_> = (1..)
            .zip(kinds)
            .map(|(index, kind)| Change {
                id: ChangeId { sequence, index },
                kind,
            })
            .collect();
        if let Some(last) = changes.last() {
            state.newest_change = last.id;
        }
        state.unpublished.push(changes);
    }

    /// Publishes the oldest records that are not.
    pub(super) fn publish(&self, hub: &StreamHub, records: usize) {
        let changes: Vec<_> = {
            let mut state = self.state.lock();
            let count = records.min(state.unpublished.len());
            state.unpublished.drain(..count).flatten().collect()
        };
        hub.ring(self.instrument.id).extend(changes);
    }
}

impl FakeBook {
    fn set(&mut self, sequence: Sequence, levels: &[(bool, u8, u8)]) -> Option<BookDelta> {
        let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
        for (is_bid, ticks, lots) in levels {
            let price = Price::new(u64::from(*ticks)).unwrap();
            let volume = Volume::new(u128::from(*lots));
            let (book, changed) = if *is_bid {
                (&mut self.bids, &mut bids)
            } else {
                (&mut self.asks, &mut asks)
            };
            if volume.is_zero() {
                book.remove(&price);
            } else {
                book.insert(price, volume);
            }
            changed.insert(price, volume);
        }
        if bids.is_empty() && asks.is_empty() {
            return None;
        }
        let previous_sequence = std::mem::replace(&mut self.last_delta, sequence);
        Some(BookDelta {
            previous_sequence,
            timestamp: Timestamp::from_microseconds(sequence.get()),
            bids: bids.into_iter().rev().collect(),
            asks: asks.into_iter().collect(),
        })
    }
}

impl BookSource for Fake {
    fn instrument(&self) -> &Arc<Instrument> {
        &self.instrument
    }

    fn image(&self) -> BookImage {
        let state = self.state.lock();
        BookImage {
            sequence: state.last_delta,
            newest_change: state.newest_change,
            timestamp: Timestamp::from_microseconds(state.sequence),
            bids: state.bids.clone().into_iter().rev().collect(),
            asks: state.asks.clone().into_iter().collect(),
        }
    }
}

fn a_trade(sequence: Sequence, number: u64) -> Trade {
    let party = |name: &str| TradeParty {
        order_id: OrderId::new(name).unwrap(),
        placed: OrderRef::single(sequence),
        client: ClientId::new("client").unwrap(),
    };
    Trade {
        number: TradeNumber::new(number),
        buy: party("buy"),
        sell: party("sell"),
        price: Price::new(100).unwrap(),
        quantity: Quantity::new(1).unwrap(),
        taker_side: Side::Buy,
        sequence,
        timestamp: Timestamp::from_microseconds(sequence.get()),
    }
}

fn an_order(sequence: Sequence) -> Order {
    Order {
        id: OrderId::new("order").unwrap(),
        client: ClientId::new("client").unwrap(),
        idempotency_key: None,
        side: Side::Buy,
        kind: OrderKind::Limit {
            price: Price::new(100).unwrap(),
            time_in_force: TimeInForce::Gtc,
        },
        quantity: Quantity::new(1).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
        state: OrderState::Resting,
        filled_quantity: Quantity::ZERO,
        filled_notional: Notional::ZERO,
        trade_count: 0,
        placed: OrderRef::single(sequence),
        updated: sequence,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

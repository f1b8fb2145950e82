//! Consumers of an instrument that is folded, published and read in every order.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;

use super::*;
use crate::stream::message::parse_event_id;
use shardbook_engine::id::{ClientId, InstrumentId, OrderId, OrderRef, Symbol, TradeNumber};
use shardbook_engine::instrument::Increment;
use shardbook_engine::market_data::Change;
use shardbook_engine::order::{
    Order, OrderKind, OrderState, SelfTradePrevention, TimeInForce, Trade, TradeParty,
};
use shardbook_engine::quantity::{Notional, Quantity};
use shardbook_engine::side::Side;

const ALL: [Channel; 3] = Channel::ALL;

/// One record's changes to come: which channels it has something for, and the levels it sets.
type Step = (bool, bool, Vec<(bool, u8, u8)>);

fn a_step() -> impl Strategy<Value = Step> {
    let level = (any::<bool>(), 1..6_u8, 0..4_u8);
    (
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(level, 0..3),
    )
}

/// An instrument whose records are made up.
pub(crate) struct Fake {
    instrument: Arc<Instrument>,
    state: Mutex<FakeBook>,
}

#[derive(Default)]
struct FakeBook {
    sequence: u64,
    trades: u64,
    last_delta: Sequence,
    newest_change: ChangeId,
    bids: BTreeMap<Price, Volume>,
    asks: BTreeMap<Price, Volume>,
    /// Folded and not yet published, one entry a record.
    unpublished: Vec<Vec<Change>>,
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

    fn fold(&self, (has_trade, has_order, levels): &Step) {
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
    fn publish(&self, hub: &StreamHub, records: usize) {
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

fn wanted(channels: &[Channel], pace: Pace) -> Wanted {
    let channels = channels.iter().copied().collect();
    Wanted {
        channels: Arc::new(SharedChannels::new(channels)),
        pace,
        orders_of: OrdersOf::Everyone,
    }
}

/// Who knows only what it is sent, and checks that it fits.
#[derive(Default)]
struct Client {
    sequence: Option<u64>,
    bids: BTreeMap<String, String>,
    asks: BTreeMap<String, String>,
    snapshots: usize,
    deltas: u64,
    /// Trades and orders, received and known to be missed.
    trades: u64,
    orders: u64,
    missed: BTreeMap<String, Option<u64>>,
    last_id: Option<ChangeId>,
    ids: Vec<ChangeId>,
}

impl Client {
    fn take(&mut self, frames: Vec<Frame>, instrument: &Instrument) {
        for frame in frames {
            let sse = frame.sse(instrument);
            let sse = std::str::from_utf8(&sse).unwrap();
            let (head, data) = sse.split_once("data: ").unwrap();
            assert_eq!(data.trim_end(), frame.text(instrument).as_str());
            let message: Value = serde_json::from_str(data).unwrap();
            let name = message["type"].as_str().unwrap();
            assert_eq!(head.lines().next().unwrap(), format!("event: {name}"));
            let id = head.lines().find_map(|line| line.strip_prefix("id: "));
            if let Some(id) = id {
                let id = parse_event_id(id).unwrap();
                assert!(Some(id) >= self.last_id, "ids never go back");
                self.last_id = Some(id);
                self.ids.push(id);
            }
            self.message(name, &message);
            assert!(
                id.is_none() || self.sequence.is_some(),
                "no resuming without a book"
            );
        }
    }

    fn message(&mut self, name: &str, message: &Value) {
        match name {
            "trade" => self.trades += 1,
            "order" => self.orders += 1,
            "gap" => {
                let channel = message["channel"].as_str().unwrap().to_owned();
                if channel == "orderbook_deltas" {
                    assert!(
                        self.sequence.take().is_some() || message["missed"].is_null(),
                        "one gap until the snapshot"
                    );
                }
                let missed = self.missed.entry(channel).or_insert(Some(0));
                *missed = missed
                    .zip(message["missed"].as_u64())
                    .map(|(before, now)| before + now);
            }
            "orderbook_snapshot" => {
                self.snapshots += 1;
                self.bids.clear();
                self.asks.clear();
                self.follow(message);
            }
            "orderbook_delta" => {
                self.deltas += 1;
                assert_eq!(
                    message["previous_sequence"].as_u64(),
                    self.sequence,
                    "the chain holds"
                );
                assert!(message["sequence"].as_u64() > self.sequence);
                self.follow(message);
            }
            other => panic!("{other} is no message"),
        }
    }

    fn follow(&mut self, message: &Value) {
        self.sequence = message["sequence"].as_u64();
        for (side, levels) in [("bids", &mut self.bids), ("asks", &mut self.asks)] {
            for level in message[side].as_array().unwrap() {
                let text = |at: usize| level[at].as_str().unwrap().to_owned();
                if text(1) == "0" {
                    levels.remove(&text(0));
                } else {
                    levels.insert(text(0), text(1));
                }
            }
        }
    }

    fn assert_has_the_book_of(&self, fake: &Fake) {
        let image = fake.image();
        let mut expected = Self::default();
        let text = text(&SnapshotMessage::new(&image, &fake.instrument));
        expected.follow(&serde_json::from_str(&text).unwrap());
        assert_eq!(self.sequence, Some(image.sequence.get()));
        assert_eq!((&self.bids, &self.asks), (&expected.bids, &expected.asks));
    }
}

/// Reads until nothing more is to be sent at `now`.
fn drain(subscription: &mut Subscription, client: &mut Client, now: Instant) {
    let instrument = Arc::clone(subscription.instrument());
    let mut idle = 0;
    while idle < 3 {
        subscription.advance(now);
        idle = if subscription.waiting.is_empty() {
            idle + 1
        } else {
            0
        };
        client.take(std::mem::take(&mut subscription.waiting), &instrument);
    }
}

fn turn(subscription: &mut Subscription, client: &mut Client, now: Instant) {
    let instrument = Arc::clone(subscription.instrument());
    subscription.advance(now);
    client.take(std::mem::take(&mut subscription.waiting), &instrument);
}

fn delta_step(ticks: u8, lots: u8) -> Step {
    (true, true, vec![(true, ticks, lots)])
}

#[derive(Clone, Debug)]
enum Act {
    Fold(Step),
    Publish(usize),
    Read,
    Wait(u64),
}

fn an_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => a_step().prop_map(Act::Fold),
        4 => (1..9_usize).prop_map(Act::Publish),
        2 => Just(Act::Read),
        2 => (1..700_u64).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_the_order_of_folding_publishing_and_reading_the_book_is_followed_and_losses_are_told(
        before in prop::collection::vec(an_act(), 0..20),
        after in prop::collection::vec(an_act(), 1..60),
        interval in prop_oneof![Just(None), (1..900_u64).prop_map(Some)],
    ) {
        let (hub, fake) = (StreamHub::new(7), Fake::new());
        for act in before {
            match act {
                Act::Fold(step) => fake.fold(&step),
                Act::Publish(records) => fake.publish(&hub, records),
                Act::Read | Act::Wait(_) => {}
            }
        }
        let pace = interval.map_or(Pace::EachDelta, |interval| Pace::Every(Duration::from_millis(interval)));
        let folded_before = fake.state.lock().sequence;
        let mut subscription = Subscription::begin(&hub, hub.seat().unwrap(), fake.clone(), wanted(&ALL, pace));
        let mut client = Client::default();
        let mut now = Instant::now();
        let mut happened = (0, 0);
        for act in after {
            match act {
                Act::Fold(step) => {
                    happened.0 += u64::from(step.0);
                    happened.1 += u64::from(step.1);
                    fake.fold(&step);
                }
                Act::Publish(records) => fake.publish(&hub, records),
                Act::Read => turn(&mut subscription, &mut client, now),
                Act::Wait(milliseconds) => now += Duration::from_millis(milliseconds),
            }
        }
        fake.publish(&hub, usize::MAX);
        // The snapshot for what was missed, and then the deltas held back behind it.
        for _ in 0..3 {
            drain(&mut subscription, &mut client, now);
            now += SNAPSHOT_INTERVAL;
        }
        client.assert_has_the_book_of(&fake);
        let missed = |channel: &str| client.missed.get(channel).copied().unwrap_or(Some(0)).unwrap();
        // What was folded before and not yet published then may count as missed, never the other way.
        let all_trades = client.trades + missed("trades");
        let all_orders = client.orders + missed("orders");
        prop_assert!(all_trades >= happened.0 && all_orders >= happened.1);
        if folded_before == 0 {
            prop_assert_eq!((all_trades, all_orders), happened);
        }
    }

    #[test]
    fn a_reader_resumes_behind_every_event_held_without_loss_or_repetition(
        steps in prop::collection::vec(a_step(), 1..30),
        kept in 3..40_usize,
    ) {
        let (hub, fake) = (StreamHub::new(kept), Fake::new());
        let mut all = Subscription::begin(&hub, hub.seat().unwrap(), fake.clone(), wanted(&ALL, Pace::EachDelta));
        let mut frames = Vec::new();
        let now = Instant::now();
        for step in &steps {
            fake.fold(step);
            fake.publish(&hub, 1);
            all.advance(now);
            frames.append(&mut all.waiting);
        }
        let events: Vec<_> = frames
            .iter()
            .filter_map(|frame| match frame {
                Frame::Event { event, .. } => Some(event.id()),
                Frame::Own { .. } => None,
            })
            .collect();
        for (skipped, id) in (1..).zip(events.iter().copied()) {
            let mut resumed = Subscription::resume(&hub, hub.seat().unwrap(), fake.clone(), wanted(&ALL, Pace::EachDelta), id);
            let mut client = Client { sequence: Some(0), ..Client::default() };
            client.last_id = Some(id);
            let is_held = events.len() - skipped <= kept;
            if is_held {
                // Whoever resumes has the book as of there; here only the ids count.
                let mut waiting = Vec::new();
                resumed.advance(now);
                waiting.append(&mut resumed.waiting);
                let got: Vec<_> = waiting.iter().map(|frame| match frame {
                    Frame::Event { event, resume } => { assert_eq!(*resume, Resume::Behind); event.id() }
                    Frame::Own { .. } => panic!("nothing was lost"),
                }).collect();
                prop_assert_eq!(&got[..], &events[skipped..]);
            } else {
                drain(&mut resumed, &mut client, now);
                prop_assert_eq!(client.missed.len(), 3);
                prop_assert!(client.missed.values().all(Option::is_none));
                client.assert_has_the_book_of(&fake);
            }
        }
    }
}

#[test]
fn an_id_above_the_head_gets_a_gap_and_a_snapshot() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    fake.fold(&delta_step(1, 1));
    fake.publish(&hub, 1);
    let id = ChangeId {
        sequence: Sequence::new(2),
        index: 0,
    };
    let mut resumed = Subscription::resume(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&ALL, Pace::EachDelta),
        id,
    );
    let mut client = Client::default();
    drain(&mut resumed, &mut client, Instant::now());
    assert_eq!((client.missed.len(), client.snapshots), (3, 1));
    client.assert_has_the_book_of(&fake);
    assert_eq!(hub.gaps(), 3);
}

#[test]
fn what_a_ring_that_began_late_never_had_counts_as_let_go() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    fake.fold(&delta_step(1, 1));
    fake.state.lock().unpublished.clear();
    fake.fold(&delta_step(2, 1));
    fake.publish(&hub, 1);
    let ring = hub.ring(fake.instrument.id);
    let id = |sequence, index| ChangeId {
        sequence: Sequence::new(sequence),
        index,
    };
    assert_eq!(ring.find(id(1, 2)), Place::LetGo);
    assert!(matches!(ring.find(id(2, 1)), Place::Held(_)));
}

#[test]
fn one_who_keeps_falling_behind_gets_at_most_one_snapshot_a_second() {
    let (hub, fake) = (StreamHub::new(5), Fake::new());
    let mut subscription = Subscription::begin(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&ALL, Pace::EachDelta),
    );
    let mut client = Client::default();
    let start = Instant::now();
    drain(&mut subscription, &mut client, start);
    // Ten seconds of falling off the ring ten times a second.
    for tenth in 1..=100 {
        for step in 0..10 {
            fake.fold(&delta_step(step % 5 + 1, step % 3 + 1));
        }
        fake.publish(&hub, usize::MAX);
        drain(
            &mut subscription,
            &mut client,
            start + Duration::from_millis(100 * tenth),
        );
        if client.sequence.is_some() {
            client.assert_has_the_book_of(&fake);
        }
    }
    assert!(
        (10..=12).contains(&client.snapshots),
        "{}",
        client.snapshots
    );
}

#[test]
fn deltas_of_an_interval_come_as_one_and_only_those_that_count() {
    let (hub, fake) = (StreamHub::new(1_000), Fake::new());
    let pace = Pace::Every(Duration::from_millis(100));
    let deltas = [Channel::OrderbookDeltas];
    let mut subscription = Subscription::begin(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&deltas, pace),
    );
    let mut client = Client::default();
    let start = Instant::now();
    for millisecond in 0..1_000 {
        fake.fold(&delta_step(1, u8::from(millisecond % 2 == 0)));
        fake.publish(&hub, 1);
        turn(
            &mut subscription,
            &mut client,
            start + Duration::from_millis(millisecond),
        );
    }
    drain(
        &mut subscription,
        &mut client,
        start + Duration::from_secs(2),
    );
    client.assert_has_the_book_of(&fake);
    assert!((9..=11).contains(&client.deltas), "{}", client.deltas);
    assert_eq!((client.trades, client.orders), (0, 0));
}

#[tokio::test]
async fn a_waiting_reader_wakes_for_what_is_published() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    let trades = [Channel::Trades];
    let mut subscription = Subscription::begin(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&trades, Pace::EachDelta),
    );
    let mut frames = Vec::new();
    let reading = async { subscription.next(&mut frames).await };
    let publishing = async {
        tokio::task::yield_now().await;
        fake.fold(&delta_step(1, 1));
        fake.publish(&hub, 1);
    };
    tokio::join!(reading, publishing);
    assert_eq!(frames.len(), 1);
    assert_eq!(hub.subscribers(), 1);
    drop(subscription);
    assert_eq!(hub.subscribers(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_many_a_reader_waits_for_its_turn_and_takes_all_that_gathered() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    let mut seats = hub.seats(10_000).unwrap();
    // One whose turn is not soon, so that there is time for more to happen.
    let far = Instant::now() + Duration::from_millis(250);
    let at = |seat: &Seat| seat.next_turn(Instant::now()).unwrap();
    let chosen = seats.iter().position(|seat| at(seat) > far).unwrap();
    let seat = seats.swap_remove(chosen);
    let turn = at(&seat);
    let wanted = wanted(&[Channel::Trades], Pace::EachDelta);
    let mut subscription = Subscription::begin(&hub, seat, fake.clone(), wanted);
    let mut frames = Vec::new();
    let reading = async {
        subscription.next(&mut frames).await;
        Instant::now()
    };
    let publishing = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            fake.fold(&delta_step(1, 1));
            fake.publish(&hub, 1);
        }
    };
    let (read, ()) = tokio::join!(reading, publishing);
    assert!(read >= turn, "read before its turn");
    assert_eq!(frames.len(), 2);
}

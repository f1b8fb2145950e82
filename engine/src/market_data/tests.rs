//! The fold against one that keeps everything and adds it all up again after every record.

use std::collections::{BTreeMap, BTreeSet};

mod following;
mod naive;
mod reading;
mod standing;

use proptest::prelude::*;
use rust_decimal::Decimal;

use self::following::{Follower, check_changes};
use self::naive::Naive;
use self::naive::steps::a_step;
use self::reading::{
    check_answer, check_candles, check_orders, check_positions, check_reads, check_trades,
};
use super::*;
use crate::candle::gather;
use crate::command::{Cancel, Command, Requester};
use crate::event::{Event, Maker};
use crate::id::{ClientId, InstrumentId, OrderRef, Symbol};
use crate::instrument::Increment;
use crate::journal::Position;
use crate::order::{
    CancelReason, ChosenId, NewOrder, Order, OrderKind, OrderStatus, Rejection,
    SelfTradePrevention, TimeInForce,
};
use crate::quantity::Quantity;
use crate::time::Minutes;

const LIMITS: MarketDataLimits = MarketDataLimits {
    closed_orders: 5,
    trades: 7,
};

fn instrument() -> Arc<Instrument> {
    Arc::new(Instrument {
        id: InstrumentId::new(3),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: Increment::new(Decimal::new(1, 2)).unwrap(),
        lot: Increment::new(Decimal::new(1, 5)).unwrap(),
        min_quantity: quantity(1),
        max_quantity: quantity(1_000_000),
        min_notional: None,
        price_band: None,
        binance_symbol: None,
        listed_at: crate::time::Timestamp::default(),
    })
}

fn quantity(lots: u64) -> Quantity {
    Quantity::new(lots).unwrap()
}

fn price(ticks: u64) -> Price {
    Price::new(ticks).unwrap()
}

fn count<T>(things: &[T]) -> u64 {
    u64::try_from(things.len()).unwrap()
}

fn client(number: u8) -> ClientId {
    ClientId::new(&format!("client-{number}")).unwrap()
}

proptest! {
    #[test]
    fn the_fold_is_what_adding_everything_up_again_gives(steps in prop::collection::vec(a_step(), 1..60)) {
        let mut naive = Naive::default();
        let mut market = MarketData::new(instrument(), LIMITS);
        let mut follower = Follower::from(market.full_levels());
        let mut readable = BTreeSet::new();
        for step in &steps {
            let Some(record) = naive.step(step) else { continue };
            let mut applied = Applied::default();
            let answer = market.apply(Durable::at(Position::new(1), &record), &mut applied);
            check_answer(&naive, &record, &answer);
            check_changes(&naive, &applied.changes);
            check_orders(&naive, &market);
            check_reads(&naive, &market);
            check_trades(&naive, &market);
            check_candles(&naive, &market);
            check_positions(&naive, &market);
            applied.changes.iter().for_each(|change| follower.follow(change));
            let image = market.full_levels();
            prop_assert_eq!(follower.sequence, image.sequence);
            prop_assert_eq!(follower.bids.clone().into_iter().rev().collect::<Vec<_>>(), image.bids);
            prop_assert_eq!(follower.asks.clone().into_iter().collect::<Vec<_>>(), image.asks);
            readable.extend(applied.appeared);
            applied.let_go.iter().for_each(|id| assert!(readable.remove(id)));
            let in_memory = naive.orders.iter().filter(|order| order.placed.index == 0 && naive.is_in_memory(order));
            prop_assert_eq!(&readable, &in_memory.map(|order| order.id.clone()).collect());
        }
    }
}

fn place(
    sequence: u64,
    id: &str,
    side: Side,
    lots: u64,
    events: Vec<Event>,
    first_trade: u64,
) -> Record {
    Record {
        instrument: InstrumentId::new(3),
        sequence: Sequence::new(sequence),
        timestamp: Timestamp::from_microseconds(sequence),
        first_trade: TradeNumber::new(first_trade),
        command: Command::Place(NewOrder {
            id: ChosenId::Client(OrderId::new(id).unwrap()),
            client: client(1),
            idempotency_key: None,
            side,
            kind: OrderKind::Limit {
                price: price(100),
                time_in_force: TimeInForce::Gtc,
            },
            quantity: quantity(lots),
            self_trade_prevention: SelfTradePrevention::None,
        }),
        events,
    }
}

fn rejected(sequence: u64, id: &str) -> Record {
    let events = vec![Event::Rejected(Rejection::InstrumentHalted)];
    place(sequence, id, Side::Buy, 1, events, 1)
}

fn apply(market: &mut MarketData, record: &Record) -> Applied {
    let mut applied = Applied::default();
    market.apply(Durable::at(Position::new(1), record), &mut applied);
    applied
}

#[test]
fn an_id_that_comes_back_names_the_newer_order_and_outlives_the_older() {
    let limits = MarketDataLimits {
        closed_orders: 2,
        trades: 1,
    };
    let mut market = MarketData::new(instrument(), limits);
    let id = OrderId::new("again").unwrap();
    for (sequence, name) in [(1, "again"), (2, "again"), (3, "other")] {
        assert_eq!(apply(&mut market, &rejected(sequence, name)).let_go, []);
        if sequence == 2 {
            assert_eq!(market.order(&id).unwrap().placed.sequence.get(), 2);
        }
    }
    let kept: Vec<_> = market.closed_orders().map(Sequence::get).collect();
    assert_eq!(kept, [2, 3]);
    assert_eq!(market.order(&id).unwrap().placed.sequence.get(), 2);
    assert_eq!(
        apply(&mut market, &rejected(4, "other-2")).let_go,
        std::slice::from_ref(&id)
    );
    assert_eq!(market.order(&id), None);
}

#[test]
fn a_first_answer_finds_its_trades_in_its_open_order_when_the_instrument_has_let_go_of_them() {
    let limits = MarketDataLimits {
        closed_orders: 9,
        trades: 1,
    };
    let mut market = MarketData::new(instrument(), limits);
    apply(
        &mut market,
        &place(1, "maker", Side::Sell, 5, Vec::new(), 1),
    );
    let traded = || Event::Traded {
        maker: Maker::Client(OrderRef::single(Sequence::new(1))),
        price: price(100),
        quantity: quantity(1),
    };
    apply(
        &mut market,
        &place(2, "a", Side::Buy, 3, vec![traded(), traded()], 1),
    );
    let first = FirstAnswer {
        order: Arc::new(market.order(&OrderId::new("a").unwrap()).unwrap()),
        first_trade: TradeNumber::new(1),
    };
    apply(&mut market, &place(3, "b", Side::Buy, 1, vec![traded()], 3));
    assert_eq!(market.trades_numbered(TradeNumber::new(1), 2), None);
    let numbers: Vec<_> = market
        .replayed(&first)
        .unwrap()
        .trades
        .iter()
        .map(|trade| trade.number.get())
        .collect();
    assert_eq!(numbers, [1, 2]);
    // Once it is closed, the database has them.
    let closed = Record {
        sequence: Sequence::new(4),
        command: Command::Cancel(Cancel {
            order_id: OrderId::new("a").unwrap(),
            requester: Requester::Anyone,
        }),
        events: vec![Event::Cancelled {
            order: OrderRef::single(Sequence::new(2)),
            reason: CancelReason::Requested,
        }],
        ..place(4, "a", Side::Buy, 3, Vec::new(), 4)
    };
    apply(&mut market, &closed);
    assert_eq!(market.replayed(&first), None);
}

#[test]
fn only_what_the_core_writes_is_a_mirrored_orders_id() {
    let order = OrderRef {
        sequence: Sequence::new(12),
        index: 3,
    };
    assert_eq!(mirror::parse_id(&OrderId::mirror(order)), Some(order));
    for other in [
        "binance-depth:012:3",
        "binance-depth:12",
        "binance-depth:12:3:4",
        "binance-trades:BTCUSDT:12",
        "binance-depth:99999999999999999999:1",
    ] {
        assert_eq!(
            mirror::parse_id(&OrderId::new(other).unwrap()),
            None,
            "{other}"
        );
    }
}

//! The way of a command from the router through the shard and the journal to everyone who may
//! see what came of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod checkpoints;
mod midnight;
mod supervision;

use std::sync::{Arc, Mutex};

use shardbook_engine::answer::{Answer, Refusal};
use shardbook_engine::command::{
    Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate, Requester,
};
use shardbook_engine::exchange::{Exchange, ExchangeLimits, Setup};
use shardbook_engine::id::{ClientId, IdempotencyKey, InstrumentId, OrderId};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::{Durable, Journal, Part};
use shardbook_engine::market_data::{Change, ChangeId, KnownOrder, MarketDataLimits};
use shardbook_engine::observer::NoObserver;
use shardbook_engine::order::{
    CancelReason, ChosenId, NewOrder, OrderKind, OrderState, SelfTradePrevention, TimeInForce,
};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::price::Price;
use shardbook_engine::publisher::Publisher;
use shardbook_engine::quantity::{LOTS_MAX, Quantity};
use shardbook_engine::responder::{CallError, Responder};
use shardbook_engine::router::{InstrumentHandle, Location};
use shardbook_engine::shard::ShardLimits;
use shardbook_engine::side::Side;
use shardbook_engine::time::{SystemClock, Timestamp};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::journal::MemoryJournal;
use tokio::sync::mpsc;

/// Remembers everything published, and the fatal errors.
#[derive(Default)]
struct Seen {
    changes: Mutex<Vec<(InstrumentId, Change)>>,
    begun: Mutex<Vec<(InstrumentId, ChangeId)>>,
    fatal: Mutex<Vec<String>>,
}

impl Publisher for Seen {
    fn begin_after(&self, instrument: InstrumentId, newest: ChangeId) {
        self.begun.lock().unwrap().push((instrument, newest));
    }

    fn publish(&self, instrument: InstrumentId, changes: Durable<Vec<Change>>) {
        let changes = changes.into_inner().into_iter();
        self.changes
            .lock()
            .unwrap()
            .extend(changes.map(|change| (instrument, change)));
    }
}

fn instrument(number: u32, symbol: &str) -> Arc<Instrument> {
    Arc::new(shardbook_test_support::instrument::instrument(
        number, symbol, "0.01", "0.001",
    ))
}

fn start(journal: &MemoryJournal, queue_length: usize) -> (Exchange, Arc<Seen>) {
    let (setup, seen) = setup(journal, queue_length);
    (Exchange::start(setup).unwrap(), seen)
}

fn setup(journal: &MemoryJournal, queue_length: usize) -> (Setup, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let fatal = Arc::clone(&seen);
    let journals: Vec<Box<dyn Journal>> = vec![Box::new(journal.clone())];
    let instruments = ["BTC-USD", "ETH-USD", "SOL-USD"];
    let setup = Setup {
        journals,
        checkpoints: Vec::new(),
        instruments: (0_u32..)
            .zip(instruments)
            .map(|(number, symbol)| (instrument(number, symbol), PartitionId::new(0)))
            .collect(),
        limits: ExchangeLimits {
            queue_length,
            shard: ShardLimits::default(),
            market_data: MarketDataLimits::default(),
            checkpoint_records: 1_000,
        },
        clock: Arc::new(SystemClock),
        publisher: seen.clone(),
        observer: Arc::new(NoObserver),
        on_fatal: Arc::new(move |error| fatal.fatal.lock().unwrap().push(error.to_string())),
    };
    (setup, seen)
}

fn handle(exchange: &Exchange, symbol: &str) -> Arc<InstrumentHandle> {
    exchange.router().instrument(symbol).unwrap()
}

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

fn order(id: &str, side: Side, price: u64, quantity: u64) -> NewOrder {
    NewOrder {
        id: ChosenId::Client(OrderId::new(id).unwrap()),
        client: client("alice"),
        idempotency_key: None,
        side,
        kind: OrderKind::Limit {
            price: Price::new(price).unwrap(),
            time_in_force: TimeInForce::Gtc,
        },
        quantity: Quantity::new(quantity).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
    }
}

fn place(id: &str, side: Side, price: u64, quantity: u64) -> Command {
    Command::Place(order(id, side, price, quantity))
}

fn cancel(id: &str) -> Command {
    let order_id = OrderId::new(id).unwrap();
    Command::Cancel(Cancel {
        order_id,
        requester: Requester::Anyone,
    })
}

/// Lets the shards run, on the test's own thread, until something holds.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_answered_read_or_published_before_it_is_flushed() {
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let id = OrderId::new("a").unwrap();
    journal.hold();
    let (responder, mut outcome) = Responder::single();
    exchange
        .router()
        .submit(&btc, place("a", Side::Buy, 100, 5), responder)
        .unwrap();
    until(|| journal.appends_begun() == 1).await;
    assert!(outcome.try_recv().is_err());
    assert!(btc.market_data().read().order(&id).is_none());
    assert!(seen.changes.lock().unwrap().is_empty());
    journal.go_on();
    assert!(matches!(outcome.await.unwrap(), Ok(Answer::Placed(_))));
    assert!(btc.market_data().read().order(&id).is_some());
    assert!(!seen.changes.lock().unwrap().is_empty());
    exchange.stop().await;
}

#[tokio::test]
async fn a_refusal_waits_for_what_it_saw() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    journal.hold();
    let (responder, first) = Responder::single();
    exchange
        .router()
        .submit(&btc, place("a", Side::Buy, 100, 5), responder)
        .unwrap();
    until(|| journal.appends_begun() == 1).await;
    let (responder, mut second) = Responder::single();
    exchange
        .router()
        .submit(&btc, place("a", Side::Buy, 100, 5), responder)
        .unwrap();
    let (responder, mut third) = Responder::single();
    exchange
        .router()
        .submit(&btc, cancel("nobody"), responder)
        .unwrap();
    // On this one thread, what has left the queue has been decided.
    until(|| btc.queue_length() == 0).await;
    assert!(second.try_recv().is_err());
    assert!(third.try_recv().is_err());
    journal.go_on();
    assert!(matches!(first.await.unwrap(), Ok(Answer::Placed(_))));
    assert_eq!(
        second.await.unwrap(),
        Err(CallError::Refused(Refusal::DuplicateOrderId))
    );
    assert_eq!(
        third.await.unwrap(),
        Err(CallError::Refused(Refusal::OrderNotOpen))
    );
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_during_a_flush_goes_out_in_the_next_for_all_shards_together() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 1_000);
    journal.hold();
    let (sender, mut outcomes) = mpsc::channel(1_000);
    let submit = |tag: u64, symbol: &str| {
        let permit = sender.clone().try_reserve_owned().unwrap();
        let command = place(&format!("o{tag}"), Side::Buy, 100, 5);
        let responder = Responder::tagged(tag, permit);
        exchange
            .router()
            .submit(&handle(&exchange, symbol), command, responder)
            .unwrap();
    };
    submit(0, "SOL-USD");
    until(|| journal.appends_begun() == 1).await;
    for tag in 1..=200 {
        submit(tag, if tag % 2 == 0 { "BTC-USD" } else { "ETH-USD" });
    }
    journal.go_on();
    let mut answered = Vec::new();
    while answered.len() < 201 {
        let tagged = outcomes.recv().await.unwrap();
        assert!(matches!(tagged.outcome, Ok(Answer::Placed(_))));
        answered.push(tagged.tag);
    }
    let of_btc: Vec<u64> = answered
        .iter()
        .copied()
        .filter(|tag| *tag > 0 && tag % 2 == 0)
        .collect();
    assert!(
        of_btc.is_sorted(),
        "answers come in the order of the commands: {of_btc:?}"
    );
    assert!(
        journal.frames().len() < 50,
        "{} flushes for 201 orders",
        journal.frames().len()
    );
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_so_at_once_and_loses_nothing() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 4);
    let btc = handle(&exchange, "BTC-USD");
    journal.hold();
    let (sender, mut outcomes) = mpsc::channel(100_000);
    let mut accepted = 0;
    // The shard decides ahead of the flush up to a batch's bounds; then its queue fills.
    let refused = loop {
        let permit = sender.clone().try_reserve_owned().unwrap();
        let command = place(&format!("o{accepted}"), Side::Buy, 100, 5);
        match exchange
            .router()
            .submit(&btc, command, Responder::tagged(accepted, permit))
        {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, CallError::Overloaded);
    journal.go_on();
    for tag in 0..accepted {
        let tagged = outcomes.recv().await.unwrap();
        assert_eq!(tagged.tag, tag);
        assert!(matches!(tagged.outcome, Ok(Answer::Placed(_))));
    }
    let last = accepted;
    assert!(matches!(
        exchange
            .router()
            .locate(&OrderId::new(&format!("o{last}")).unwrap()),
        Location::Nowhere
    ));
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_everything_accepted() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 10_000);
    let btc = handle(&exchange, "BTC-USD");
    journal.hold();
    let mut outcomes = Vec::new();
    for number in 0..5_000 {
        let (responder, outcome) = Responder::single();
        let command = place(&format!("o{number}"), Side::Buy, 100, 5);
        exchange.router().submit(&btc, command, responder).unwrap();
        outcomes.push(outcome);
    }
    let router = Arc::clone(exchange.router());
    let stopping = tokio::spawn(exchange.stop());
    journal.go_on();
    stopping.await.unwrap();
    for outcome in outcomes {
        assert!(matches!(outcome.await.unwrap(), Ok(Answer::Placed(_))));
    }
    let late = router.call(&btc, place("late", Side::Buy, 100, 5)).await;
    assert_eq!(late, Err(CallError::ShardRestarting));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_has_the_same_orders_changes_and_counters() {
    let journal = MemoryJournal::default();
    let (exchange, before) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    let mut keyed = order("keyed", Side::Sell, 101, 7);
    keyed.idempotency_key = Some(IdempotencyKey::new("k").unwrap());
    let first = router
        .call(&btc, Command::Place(keyed.clone()))
        .await
        .unwrap();
    router
        .call(&btc, place("a", Side::Buy, 101, 3))
        .await
        .unwrap();
    router
        .call(&btc, place("b", Side::Buy, 99, 3))
        .await
        .unwrap();
    router.call(&btc, cancel("b")).await.unwrap();
    router
        .call(&btc, place("c", Side::Buy, 98, 3))
        .await
        .unwrap();
    exchange.stop().await;

    let (exchange, after) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    assert_eq!(
        *before.changes.lock().unwrap(),
        *after.changes.lock().unwrap()
    );
    assert_eq!(btc.market_data().read().sequence().get(), 5);
    let Answer::Placed(first) = first else {
        panic!("{first:?}")
    };
    let Ok(Answer::Replayed(again)) = router.call(&btc, Command::Place(keyed)).await else {
        panic!("the key is remembered")
    };
    assert_eq!(*again.order, first.order);
    assert!(matches!(
        router.locate(&OrderId::new("c").unwrap()),
        Location::On(found) if found.instrument().symbol.as_str() == "BTC-USD"
    ));
    let Ok(Answer::Cancelled(cancelled)) = router.call(&btc, cancel("c")).await else {
        panic!("the order still rests")
    };
    assert_eq!(cancelled.updated.get(), 6);
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_its_beginning_is_refused() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100);
    let router = Arc::clone(exchange.router());
    for (id, symbol) in [("a", "BTC-USD"), ("b", "ETH-USD")] {
        let to = handle(&exchange, symbol);
        router
            .call(&to, place(id, Side::Buy, 100, 5))
            .await
            .unwrap();
    }
    exchange.stop().await;
    journal.lose_oldest(1);
    let error = Exchange::start(setup(&journal, 100).0)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("begins at position 2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_sweeps_more_than_a_frame_holds_is_read_back_whole() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100_000);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    let makers = 90_000;
    let mut outcomes = Vec::new();
    for number in 0..makers {
        let (responder, outcome) = Responder::single();
        let command = place(
            &format!("maker-{number}"),
            Side::Sell,
            100 + number % 1_000,
            5,
        );
        router.deliver(&btc, command, responder).await;
        outcomes.push(outcome);
    }
    for outcome in outcomes {
        outcome.await.unwrap().unwrap();
    }
    let sweep = place("sweep", Side::Buy, 2_000, 5 * makers);
    let Ok(Answer::Placed(swept)) = router.call(&btc, sweep).await else {
        panic!("placed")
    };
    assert_eq!(
        (swept.order.state, swept.order.trade_count),
        (OrderState::Filled, makers)
    );
    assert!(
        journal
            .frames()
            .iter()
            .any(|frame| frame.part == Part::MoreFollows)
    );
    exchange.stop().await;

    let (exchange, _) = start(&journal, 100);
    let market_data = handle(&exchange, "BTC-USD");
    let market_data = market_data.market_data().read();
    assert_eq!(
        market_data.order_with_trades(&OrderId::new("sweep").unwrap()),
        Some(KnownOrder::Whole(swept))
    );
    assert!(market_data.order_book(10).asks.is_empty());
}

#[tokio::test]
async fn no_stamp_is_before_the_instrument_was_listed() {
    let journal = MemoryJournal::default();
    let (mut setup, _seen) = setup(&journal, 10);
    let listed_at = Timestamp::from_microseconds(1_000_000);
    // Since then the machine's clock was set back.
    setup.clock = Arc::new(TestClock::default());
    for (instrument, _) in &mut setup.instruments {
        let listed = Instrument {
            listed_at,
            ..Instrument::clone(instrument)
        };
        *instrument = Arc::new(listed);
    }
    let exchange = Exchange::start(setup).unwrap();
    let bitcoin = handle(&exchange, "BTC-USD");
    assert_eq!(bitcoin.market_data().read().timestamp(), listed_at);
    let command = place("a", Side::Buy, 100, 1);
    exchange.router().call(&bitcoin, command).await.unwrap();
    assert_eq!(bitcoin.market_data().read().timestamp(), listed_at);
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_flush_ends_everything_and_answers_nobody_well() {
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    journal.fail();
    let outcome = exchange
        .router()
        .call(&btc, place("a", Side::Buy, 100, 5))
        .await;
    assert_eq!(outcome, Err(CallError::ShardRestarting));
    assert!(seen.fatal.lock().unwrap()[0].contains("as the test asked"));
    assert!(seen.changes.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_cancel_takes_a_thousand_at_a_time_until_none_is_left() {
    let (exchange, _) = start(&MemoryJournal::default(), 10_000);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    for number in 0..2_500 {
        let command = place(&format!("o{number}"), Side::Buy, 100, 5);
        let (responder, _) = Responder::single();
        router.deliver(&btc, command, responder).await;
    }
    let mass_cancel = Command::MassCancel(MassCancel {
        client: client("alice"),
        side: None,
        reason: CancelReason::MassCancel,
    });
    let mut cancelled = Vec::new();
    loop {
        let answer = router.call(&btc, mass_cancel.clone()).await.unwrap();
        if answer == Answer::Unchanged {
            break;
        }
        let Answer::MassCancelled(ids) = answer else {
            panic!("{answer:?}")
        };
        cancelled.push(ids.len());
    }
    assert_eq!(cancelled, [1_000, 1_000, 500]);
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_in_the_journal_nothing_is_let_in_until_there_is_some() {
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = exchange.router();
    router
        .call(&btc, place("a", Side::Buy, 100, 5))
        .await
        .unwrap();
    journal.fill();
    let (responder, let_in_before) = Responder::single();
    router
        .submit(&btc, place("b", Side::Buy, 100, 5), responder)
        .unwrap();
    until(|| !btc.has_room()).await;
    for command in [place("c", Side::Buy, 100, 5), cancel("a")] {
        let refused = router.call(&btc, command).await;
        assert_eq!(refused, Err(CallError::JournalUnavailable));
    }
    assert_eq!(btc.queue_length(), 0, "no shard saw them");
    let (responder, delivered) = Responder::single();
    let delivering = tokio::spawn({
        let (router, btc) = (Arc::clone(router), Arc::clone(&btc));
        async move { router.deliver(&btc, cancel("a"), responder).await }
    });
    journal.go_on();
    assert!(matches!(
        let_in_before.await.unwrap(),
        Ok(Answer::Placed(_))
    ));
    delivering.await.unwrap();
    assert!(matches!(delivered.await.unwrap(), Ok(Answer::Cancelled(_))));
    let placed = router.call(&btc, place("c", Side::Buy, 100, 5)).await;
    assert!(matches!(placed, Ok(Answer::Placed(_))));
    exchange.stop().await;
    assert_eq!(*seen.fatal.lock().unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_finds_the_disk_full_in_its_middle_waits_for_room_and_is_whole_then() {
    const LEVELS: u64 = 60_000;
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = exchange.router();
    journal.leave_room_for(1);
    let levels = (1..=LEVELS).map(|price| MirrorLevel {
        side: Side::Buy,
        price: Price::new(price).unwrap(),
        quantity: Quantity::new(LOTS_MAX - price).unwrap(),
    });
    let update = MirrorUpdate {
        source: FeedSource::Binance,
        snapshot_id: 1,
        update_id: 1,
        scope: MirrorScope::Whole,
        levels: levels.collect(),
    };
    let (responder, mut huge) = Responder::single();
    router
        .submit(&btc, Command::Mirror(update), responder)
        .unwrap();
    until(|| !btc.has_room()).await;
    let parts: Vec<Part> = journal.frames().iter().map(|frame| frame.part).collect();
    assert_eq!(parts, [Part::MoreFollows]);
    assert!(huge.try_recv().is_err(), "nobody is told of it");
    assert_eq!(btc.market_data().read().totals(Side::Buy).orders, 0);
    let refused = router.call(&btc, place("a", Side::Buy, 100, 5)).await;
    assert_eq!(refused, Err(CallError::JournalUnavailable));
    assert_eq!(*seen.fatal.lock().unwrap(), [""; 0]);

    journal.go_on();
    assert_eq!(huge.await.unwrap(), Ok(Answer::Applied));
    exchange.stop().await;
    assert_eq!(journal.frames().last().unwrap().part, Part::Last);
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    assert_eq!(btc.market_data().read().totals(Side::Buy).orders, LEVELS);
    exchange.stop().await;
}

//! Panics of what is around the core end the process, and leave nobody waiting.

use super::*;

/// Panics at the first thing it is told.
#[derive(Default)]
struct Fragile(AtomicBool);

/// Panics while a record is being folded into what readers see.
struct FragileFold;

impl Observer for FragileFold {
    fn journal_flushed(&self, _elapsed: Duration, _records: usize) {}

    fn released(&self, _instrument: &Instrument, record: Durable<&Record>) {
        assert!(record.sequence.get() < 2, "no reads today");
    }

    fn shard_restarted(&self, _instrument: &Instrument) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_readers_are_told_ends_the_process_and_loses_nothing() {
    let journal = MemoryJournal::default();
    let (mut setup, seen) = setup(&journal, 100);
    setup.observer = Arc::new(FragileFold);
    let exchange = Exchange::start(setup).unwrap();
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    let first = router.call(&btc, keyed("a", Side::Buy, 100, 5)).await;
    assert!(matches!(first, Ok(Answer::Placed(_))), "{first:?}");
    // It is durable, and nobody is told so.
    let second = router.call(&btc, keyed("b", Side::Sell, 100, 5)).await;
    assert_eq!(second, Err(CallError::ShardRestarting));
    let late = router.call(&btc, cancel("a")).await;
    assert_eq!(late, Err(CallError::ShardRestarting));
    exchange.stop().await;
    assert_eq!(
        *seen.fatal.lock().unwrap(),
        ["a shard's task panicked: no reads today"]
    );
    assert_eq!(
        seen.changes
            .lock()
            .unwrap()
            .last()
            .unwrap()
            .1
            .id
            .sequence
            .get(),
        1
    );

    // The process comes back with both, and the one that was not answered is repeated safely.
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = exchange.router();
    let again = router.call(&btc, keyed("b", Side::Sell, 100, 5)).await;
    assert!(matches!(again, Ok(Answer::Replayed(_))), "{again:?}");
    let a = btc.market_data().read().order(&OrderId::new("a").unwrap());
    assert_eq!(a.unwrap().state, OrderState::Filled);
    exchange.stop().await;
}

impl Publisher for Fragile {
    fn begin_after(&self, _instrument: InstrumentId, _newest: ChangeId) {}

    fn publish(&self, _instrument: InstrumentId, _changes: Durable<Vec<Change>>) {
        panic!("no streams today");
    }
}

impl Observer for Fragile {
    fn journal_flushed(&self, _elapsed: Duration, _records: usize) {
        assert!(!self.0.load(Ordering::Relaxed), "no figures today");
    }

    fn released(&self, _instrument: &Instrument, _record: Durable<&Record>) {}

    fn shard_restarted(&self, _instrument: &Instrument) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_around_the_core_ends_the_process_and_leaves_nobody_waiting() {
    let journal = MemoryJournal::default();
    let (setup, seen) = setup(&journal, 100);
    let setup = Setup {
        publisher: Arc::new(Fragile::default()),
        ..setup
    };
    let exchange = Exchange::start(setup).unwrap();
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    journal.hold();
    let mut waiting = Vec::new();
    for id in ["a", "b", "c"] {
        let (responder, outcome) = Responder::single();
        let command = place(id, Side::Buy, 100, 5);
        router.submit(&btc, command, responder).unwrap();
        waiting.push(outcome);
    }
    journal.go_on();
    for outcome in waiting {
        assert_eq!(outcome.await.unwrap(), Err(CallError::ShardRestarting));
    }
    let late = router.call(&btc, place("d", Side::Buy, 100, 5)).await;
    assert_eq!(late, Err(CallError::ShardRestarting));
    exchange.stop().await;
    assert_eq!(
        *seen.fatal.lock().unwrap(),
        ["a shard's task panicked: no streams today"]
    );

    // What was durable is there when the process is.
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let a = OrderId::new("a").unwrap();
    assert!(btc.market_data().read().order(&a).is_some());
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_journals_writer_ends_the_process() {
    let journal = MemoryJournal::default();
    let (setup, seen) = setup(&journal, 100);
    let setup = Setup {
        observer: Arc::new(Fragile(AtomicBool::new(true))),
        ..setup
    };
    let exchange = Exchange::start(setup).unwrap();
    let btc = handle(&exchange, "BTC-USD");
    let placed = exchange.router().call(&btc, place("a", Side::Buy, 100, 5));
    assert_eq!(placed.await, Err(CallError::ShardRestarting));
    assert_eq!(
        *seen.fatal.lock().unwrap(),
        ["the journal's writer panicked: no figures today"]
    );
}

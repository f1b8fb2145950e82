//! Panics: of a shard's core, which the instrument outlives, and of what is around it, which the
//! process does not.

mod around;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shardbook_engine::fault::Fault;
use shardbook_engine::journal::{JournalSource, Position};
use shardbook_engine::market_data::InstrumentStatus;
use shardbook_engine::observer::Observer;
use shardbook_engine::partition::reader::RecordReader;
use shardbook_engine::record::Record;
use shardbook_engine::responder::Outcome;
use shardbook_engine::router::{Router, ShardStatus};
use tokio::task::JoinSet;

use super::checkpoints::{Database, MemoryCheckpoints};
use super::*;

/// An order whose placement is safe to repeat.
fn keyed(id: &str, side: Side, price: u64, quantity: u64) -> Command {
    let mut order = order(id, side, price, quantity);
    order.idempotency_key = Some(IdempotencyKey::new(id).unwrap());
    Command::Place(order)
}

/// Sends a command again for as long as its shard restarts.
async fn insist(router: &Router, to: &InstrumentHandle, command: Command) -> Outcome {
    loop {
        match router.call(to, command.clone()).await {
            Err(CallError::ShardRestarting) => tokio::task::yield_now().await,
            outcome => return outcome,
        }
    }
}

/// Longer than a shard takes to come back on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Crashes the shard, and waits until it is back.
async fn crash(router: &Router, shard: &InstrumentHandle) {
    router.inject(shard, Fault::Now).await.unwrap();
    insist(router, shard, cancel("nobody")).await.unwrap_err();
    assert_eq!(shard.status(), ShardStatus::Running);
}

fn on_order(id: &str) -> Fault {
    Fault::OnOrder(OrderId::new(id).unwrap())
}

fn records(journal: &MemoryJournal) -> HashMap<InstrumentId, Vec<Record>> {
    let source: Arc<dyn JournalSource> = journal.source();
    let mut reader = RecordReader::from(&*source, Position::new(1)).unwrap();
    let mut records: HashMap<_, Vec<_>> = HashMap::new();
    while let Some(payload) = reader.read().unwrap() {
        for record in payload.into_inner() {
            records.entry(record.instrument).or_default().push(record);
        }
    }
    records
}

/// Sequences and trade numbers go on from 1 without a gap.
fn assert_no_gap(records: &[Record]) {
    let mut next_trade = 1;
    for (record, sequence) in records.iter().zip(1_u64..) {
        assert_eq!(record.sequence.get(), sequence);
        assert_eq!(record.first_trade.get(), next_trade);
        let is_trade = |event: &&shardbook_engine::event::Event| {
            matches!(event, shardbook_engine::event::Event::Traded { .. })
        };
        next_trade += u64::try_from(record.events.iter().filter(is_trade).count()).unwrap();
    }
}

fn status(shard: &InstrumentHandle) -> InstrumentStatus {
    shard.market_data().read().status()
}

// On one thread, where the shard gets its turn when this waits: what is sent until then is prepared
// together.
#[tokio::test]
async fn a_panic_while_commands_are_prepared_costs_the_one_that_it_was_and_lets_the_others_off() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100);
    let router = exchange.router();
    let btc = handle(&exchange, "BTC-USD");
    let fault = Fault::BeforeOrder(OrderId::new("bad").unwrap());
    router.inject(&btc, fault).await.unwrap();
    let send = |id: &str| {
        let (responder, outcome) = Responder::single();
        let command = keyed(id, Side::Buy, 100, 5);
        router.submit(&btc, command, responder).unwrap();
        outcome
    };
    for outcome in ["a", "bad", "b"].map(send) {
        assert_eq!(outcome.await.unwrap(), Err(CallError::ShardRestarting));
    }
    let again = |id| insist(router, &btc, keyed(id, Side::Buy, 100, 5));
    assert!(matches!(again("a").await, Ok(Answer::Placed(_))));
    // Alone it is known for what it is, and refused from then on.
    let bad = keyed("bad", Side::Buy, 100, 5);
    let outcome = router.call(&btc, bad).await;
    assert_eq!(outcome, Err(CallError::ShardRestarting));
    assert_eq!(again("bad").await, Err(CallError::CommandRefused));
    assert!(matches!(again("b").await, Ok(Answer::Placed(_))));
    assert_eq!(status(&btc), InstrumentStatus::Trading);
    exchange.stop().await;
    assert_no_gap(&records(&journal)[&btc.instrument().id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_panic_the_durable_is_answered_and_the_rest_is_safe_to_repeat() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    router.inject(&btc, on_order("bad")).await.unwrap();
    router
        .call(&btc, keyed("a", Side::Buy, 100, 5))
        .await
        .unwrap();
    journal.hold();
    let send = |command| {
        let (responder, outcome) = Responder::single();
        router.submit(&btc, command, responder).unwrap();
        outcome
    };
    let mut flushing = send(keyed("b", Side::Buy, 101, 5));
    until(|| journal.appends_begun() == 2).await;
    let decided = send(keyed("c", Side::Sell, 101, 2));
    let bad = send(keyed("bad", Side::Sell, 101, 1));
    // As the feed does, which is not turned away: it may find the shard crashed.
    let (responder, behind) = Responder::single();
    let command = keyed("d", Side::Buy, 99, 5);
    router.deliver(&btc, command, responder).await;
    for forgotten in [decided, bad] {
        let outcome = forgotten.await.unwrap();
        assert_eq!(outcome, Err(CallError::ShardRestarting));
    }
    assert_eq!(btc.status(), ShardStatus::Restarting);
    let meanwhile = router.call(&btc, cancel("a")).await;
    assert_eq!(meanwhile, Err(CallError::ShardRestarting));
    assert!(flushing.try_recv().is_err());
    journal.go_on();
    let Ok(Answer::Placed(_)) = flushing.await.unwrap() else {
        panic!("its record is durable")
    };
    let outcome = behind.await.unwrap();
    assert_eq!(outcome, Err(CallError::ShardRestarting));

    // What the core had applied of "bad" and "c" before the panic is gone without a trace.
    let again = insist(&router, &btc, keyed("c", Side::Sell, 101, 2)).await;
    let Ok(Answer::Placed(placed)) = again else {
        panic!("{again:?}")
    };
    assert_eq!(placed.order.placed.sequence.get(), 3);
    assert_eq!(placed.trades[0].number.get(), 1);
    for _ in 0..2 {
        let bad = router.call(&btc, keyed("bad", Side::Sell, 101, 1)).await;
        assert_eq!(bad, Err(CallError::CommandRefused));
    }
    let b = router.call(&btc, keyed("b", Side::Buy, 101, 5)).await;
    assert!(matches!(b, Ok(Answer::Replayed(_))), "{b:?}");
    let a = router.call(&btc, cancel("a")).await;
    assert!(matches!(a, Ok(Answer::Cancelled(_))), "{a:?}");
    assert!(matches!(
        router.locate(&OrderId::new("bad").unwrap()),
        Location::Nowhere
    ));
    exchange.stop().await;

    // It is refused until the process ends; who starts it again may try again.
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let bad = exchange
        .router()
        .call(&btc, keyed("bad", Side::Sell, 101, 1))
        .await;
    assert!(matches!(bad, Ok(Answer::Placed(_))), "{bad:?}");
    exchange.stop().await;
    records(&journal).values().for_each(|of| assert_no_gap(of));
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_the_other_instrument_does_not_notice_a_panic() {
    const CLIENTS: u64 = 8;
    const ORDERS: u64 = 200;
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 10_000);
    let router = Arc::clone(exchange.router());
    let btc = handle(&exchange, "BTC-USD");
    let eth = handle(&exchange, "ETH-USD");
    router.inject(&btc, on_order("poison")).await.unwrap();
    let placed = |client: u64, number: u64| {
        let side = if client.is_multiple_of(2) {
            Side::Buy
        } else {
            Side::Sell
        };
        keyed(&format!("{client}-{number}"), side, 95 + number % 10, 3)
    };
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (to, btc) = (Arc::clone(&router), Arc::clone(&btc));
        clients.spawn(async move {
            for number in 0..ORDERS {
                // Twice, and each placed once: whatever became of the first.
                let _ = to.call(&btc, placed(client, number)).await;
                let outcome = insist(&to, &btc, placed(client, number)).await;
                let placed = matches!(outcome, Ok(Answer::Placed(_) | Answer::Replayed(_)));
                assert!(placed, "{outcome:?}");
                if client == 0 && number == ORDERS / 2 {
                    let poison = keyed("poison", Side::Buy, 105, 1_000);
                    let outcome = to.call(&btc, poison.clone()).await;
                    assert_eq!(outcome, Err(CallError::ShardRestarting));
                    let outcome = insist(&to, &btc, poison).await;
                    assert_eq!(outcome, Err(CallError::CommandRefused));
                }
            }
        });
        let (router, eth) = (Arc::clone(&router), Arc::clone(&eth));
        clients.spawn(async move {
            for number in 0..ORDERS {
                let outcome = router.call(&eth, placed(client, number)).await;
                assert!(matches!(outcome, Ok(Answer::Placed(_))), "{outcome:?}");
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    exchange.stop().await;
    let records = records(&journal);
    for shard in [&btc, &eth] {
        let of = &records[&shard.instrument().id];
        assert_eq!(of.len(), usize::try_from(CLIENTS * ORDERS).unwrap());
        assert_no_gap(of);
        for client in 0..CLIENTS {
            for number in 0..ORDERS {
                let id = OrderId::new(&format!("{client}-{number}")).unwrap();
                let order = shard.market_data().read().order(&id).unwrap();
                assert!(order.placed.sequence.get() > 0);
            }
        }
    }
}

/// Says what time it is when told to.
/// Counts the restarts of each shard.
#[derive(Default)]
struct Restarts(Mutex<Vec<String>>);

impl Observer for Restarts {
    fn journal_flushed(&self, _elapsed: Duration, _records: usize) {}

    fn released(&self, _instrument: &Instrument, _record: Durable<&Record>) {}

    fn shard_restarted(&self, instrument: &Instrument) {
        self.0.lock().unwrap().push(instrument.symbol.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_panic_in_a_minute_halts_and_a_resume_lifts_it() {
    let journal = MemoryJournal::default();
    let clock = TestClock::default();
    let restarts = Arc::new(Restarts::default());
    let (setup, seen) = setup(&journal, 100);
    let setup = Setup {
        clock: Arc::new(clock.clone()),
        observer: restarts.clone(),
        ..setup
    };
    let exchange = Exchange::start(setup).unwrap();
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    router
        .call(&btc, place("a", Side::Buy, 100, 5))
        .await
        .unwrap();
    // Two, then two more once the first is a minute old.
    for wait in [0, 1, 60, 0] {
        clock.forward(Duration::from_secs(wait));
        crash(&router, &btc).await;
        assert_eq!(status(&btc), InstrumentStatus::Trading);
    }
    router.inject(&btc, Fault::Now).await.unwrap();
    let answer = insist(&router, &btc, place("b", Side::Buy, 100, 5)).await;
    let Ok(Answer::Placed(placed)) = answer else {
        panic!("{answer:?}")
    };
    let halted = OrderState::Rejected(shardbook_engine::order::Rejection::InstrumentHalted);
    assert_eq!(placed.order.state, halted);
    assert_eq!(placed.order.placed.sequence.get(), 3, "behind the halt");
    assert_eq!(restarts.0.lock().unwrap().len(), 5);
    let resting = router.call(&btc, cancel("a")).await;
    assert!(matches!(resting, Ok(Answer::Cancelled(_))), "{resting:?}");
    exchange.stop().await;

    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    assert_eq!(status(&btc), InstrumentStatus::Halted);
    assert_eq!(
        status(&handle(&exchange, "ETH-USD")),
        InstrumentStatus::Trading
    );
    let resumed = router.call(&btc, Command::Resume).await;
    assert_eq!(resumed, Ok(Answer::Applied));
    assert_eq!(status(&btc), InstrumentStatus::Trading);
    let answer = router.call(&btc, place("c", Side::Buy, 100, 5)).await;
    let Ok(Answer::Placed(placed)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(placed.order.state, OrderState::Resting);
    exchange.stop().await;
    records(&journal).values().for_each(|of| assert_no_gap(of));
    assert!(seen.fatal.lock().unwrap().is_empty());
}

/// Sends keyed orders until it is told to stop, each until it is placed; returns how many.
async fn place_until(
    stop: Arc<AtomicBool>,
    router: Arc<Router>,
    on: Arc<InstrumentHandle>,
    client: u64,
) -> u64 {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return number;
        }
        let side = if client.is_multiple_of(2) {
            Side::Buy
        } else {
            Side::Sell
        };
        let command = keyed(&format!("{client}-{number}"), side, 95 + number % 10, 3);
        let outcome = insist(&router, &on, command).await;
        let is_placed = matches!(outcome, Ok(Answer::Placed(_) | Answer::Replayed(_)));
        assert!(is_placed, "{outcome:?}");
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_a_shard_is_rebuilt_from_a_checkpoint_where_the_journals_beginning_is_gone() {
    const CLIENTS: u64 = 4;
    const CRASHES: usize = 8;
    let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
    let clock = TestClock::default();
    let (mut setup, seen) = setup(&journal, 10_000);
    setup.checkpoints = vec![Arc::new(checkpoints)];
    setup.limits.checkpoint_records = 20;
    setup.clock = Arc::new(clock.clone());
    let exchange = Exchange::start(setup).unwrap();
    // The database is always ahead.
    exchange.trim_behind(Arc::new(Database(Mutex::new(Some(Position::new(
        u64::MAX,
    ))))));
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (router, btc) = (Arc::clone(&router), Arc::clone(&btc));
            tokio::spawn(place_until(Arc::clone(&stop), router, btc, client))
        })
        .collect();
    for _ in 0..CRASHES {
        let trimmed = journal.trimmed_below().len();
        until(|| journal.trimmed_below().len() > trimmed).await;
        // Never three in a minute.
        clock.forward(Duration::from_secs(31));
        let back = tokio::time::timeout(PATIENCE, crash(&router, &btc)).await;
        assert!(back.is_ok(), "{:?}", seen.fatal.lock().unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let mut sequences = Vec::new();
    for (client, placing) in (0_u64..).zip(clients) {
        for number in 0..placing.await.unwrap() {
            let id = OrderId::new(&format!("{client}-{number}")).unwrap();
            let order = btc.market_data().read().order(&id).unwrap();
            sequences.push(order.placed.sequence.get());
        }
    }
    sequences.sort_unstable();
    let expected: Vec<u64> = (1..).take(sequences.len()).collect();
    assert_eq!(sequences, expected, "each order once");
    exchange.stop().await;
    assert_eq!(*seen.fatal.lock().unwrap(), [""; 0]);
    assert!(journal.source().range().oldest > Position::new(1));
}

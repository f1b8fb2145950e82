//! How long a start takes with many resting orders, and what it takes in memory: from a
//! checkpoint, and by replaying the whole journal. And how long a snapshot of them takes, and how
//! long another order waits meanwhile.
//!
//! ```text
//! cargo run --release -p shardbook-storage --example start_speed -- 1000000
//! ```
//!
//! The orders have ids of 36 characters and no keys, are 100 clients' and rest on 2,000 prices of
//! one instrument. Each step is a process of its own, so that its memory is its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "a measurement"
)]

use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mimalloc::MiMalloc;
use shardbook_engine::command::{Cancel, Command, Requester};
use shardbook_engine::exchange::{Exchange, ExchangeLimits, Setup};
use shardbook_engine::id::{ClientId, InstrumentId, OrderId, Symbol};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::journal::Journal;
use shardbook_engine::market_data::MarketDataLimits;
use shardbook_engine::order::{ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{LOTS_MAX, Quantity};
use shardbook_engine::responder::Responder;
use shardbook_engine::shard::ShardLimits;
use shardbook_engine::side::Side;
use shardbook_engine::time::{Clock, SystemClock};
use shardbook_storage::checkpoint::FileCheckpoints;
use shardbook_storage::journal::{FileJournal, JournalOptions};
use shardbook_storage::snapshot::BookSnapshot;
use shardbook_test_support::nobody::{NoObserver, NoPublisher};
use uuid::Uuid;

/// The server's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long the exchange goes on, order by order, until its memory is looked at: what was needed
/// for a while is given back to the machine some time later.
const GOES_ON: Duration = Duration::from_secs(2);

/// Orders sent before their answers are waited for.
const AT_ONCE: u64 = 4_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["fill", directory, orders] => fill(Path::new(directory), orders.parse().unwrap()),
        ["start", directory] => start(Path::new(directory)),
        ["snapshot", directory] => snapshot(Path::new(directory)),
        [orders] => measure(orders),
        _ => panic!("how many orders?"),
    }
}

/// Runs the steps, each in a process of its own.
fn measure(orders: &str) {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().display().to_string();
    let step = |arguments: &[&str]| {
        let mut process = Process::new(std::env::current_exe().unwrap());
        assert!(process.args(arguments).status().unwrap().success());
    };
    step(&["fill", &directory, orders]);
    println!("from the checkpoint");
    step(&["start", &directory]);
    std::fs::remove_dir_all(place.path().join("checkpoints")).unwrap();
    println!("from the journal alone");
    step(&["start", &directory]);
    step(&["snapshot", &directory]);
}

fn exchange(directory: &Path) -> Exchange {
    let options = JournalOptions::default();
    let (journal, _) = FileJournal::open(&directory.join("journal"), options).unwrap();
    let store = FileCheckpoints::open(&directory.join("checkpoints"), Uuid::nil()).unwrap();
    let journals: Vec<Box<dyn Journal>> = vec![Box::new(journal)];
    let instrument = Instrument {
        id: InstrumentId::new(0),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: Increment::new(rust_decimal::Decimal::new(1, 2)).unwrap(),
        lot: Increment::new(rust_decimal::Decimal::new(1, 5)).unwrap(),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(LOTS_MAX).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: None,
        listed_at: SystemClock.now(),
    };
    let setup = Setup {
        journals,
        checkpoints: vec![Arc::new(store)],
        instruments: vec![(Arc::new(instrument), PartitionId::new(0))],
        limits: ExchangeLimits {
            queue_length: AT_ONCE as usize,
            shard: ShardLimits::default(),
            market_data: MarketDataLimits::default(),
            // Made at the stop alone.
            checkpoint_records: u64::MAX,
        },
        clock: Arc::new(SystemClock),
        publisher: Arc::new(NoPublisher),
        observer: Arc::new(NoObserver),
        on_fatal: Arc::new(|error| panic!("{error}")),
    };
    Exchange::start(setup).unwrap()
}

fn order_id(number: u64) -> OrderId {
    let id = Uuid::from_u128(u128::from(number) << 64 | u128::from(number));
    OrderId::new(&id.to_string()).unwrap()
}

fn cancel(number: u64) -> Command {
    Command::Cancel(Cancel {
        order_id: order_id(number),
        requester: Requester::Anyone,
    })
}

fn order(number: u64) -> Command {
    let (side, price) = if number.is_multiple_of(2) {
        (Side::Buy, 100_000 - number / 2 % 1_000)
    } else {
        (Side::Sell, 100_001 + number / 2 % 1_000)
    };
    Command::Place(NewOrder {
        id: ChosenId::Client(order_id(number)),
        client: ClientId::new(&format!("client-{}", number % 100)).unwrap(),
        idempotency_key: None,
        side,
        kind: OrderKind::Limit {
            price: Price::new(price).unwrap(),
            time_in_force: TimeInForce::Gtc,
        },
        quantity: Quantity::new(1 + number % 1_000).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
    })
}

#[tokio::main]
async fn fill(directory: &Path, orders: u64) {
    let exchange = exchange(directory);
    let router = Arc::clone(exchange.router());
    let on = router.first_instrument().unwrap();
    let mut placed = 0;
    while placed < orders {
        let until = orders.min(placed + AT_ONCE);
        let outcomes: Vec<_> = (placed..until)
            .map(|number| {
                let (responder, outcome) = Responder::single();
                router.submit(&on, order(number), responder).unwrap();
                outcome
            })
            .collect();
        for outcome in outcomes {
            outcome.await.unwrap().unwrap();
        }
        placed = until;
    }
    go_on(&exchange).await;
    println!("{orders} orders rest; {} MB resident", resident("VmRSS:"));
    let begun = Instant::now();
    exchange.stop().await;
    println!(
        "stopped with a checkpoint in {:.2?}; {} MB resident at most",
        begun.elapsed(),
        resident("VmHWM:")
    );
}

#[tokio::main]
async fn start(directory: &Path) {
    let begun = Instant::now();
    let exchange = exchange(directory);
    let elapsed = begun.elapsed();
    let on = exchange.router().first_instrument().unwrap();
    let resting: u64 = [Side::Buy, Side::Sell]
        .map(|side| on.market_data().read().totals(side).orders)
        .into_iter()
        .sum();
    let replayed = exchange
        .recovery()
        .iter()
        .map(|report| report.records_replayed);
    go_on(&exchange).await;
    println!(
        "  {resting} orders rest after {elapsed:.2?}, {} records replayed; {} MB resident, {} MB at most",
        replayed.sum::<u64>(),
        resident("VmRSS:"),
        resident("VmHWM:")
    );
    // A stop would make a checkpoint, which nobody looks at.
    std::process::exit(0);
}

/// Places orders and cancels each, for some time. They are numbered by the time, as a start's may
/// not have the ids of those before it.
async fn go_on(exchange: &Exchange) {
    let router = exchange.router();
    let on = router.first_instrument().unwrap();
    let begun = Instant::now();
    let from = SystemClock.now().microseconds();
    for number in (from..).take_while(|_| begun.elapsed() < GOES_ON) {
        router.call(&on, order(number)).await.unwrap();
        router.call(&on, cancel(number)).await.unwrap();
    }
}

/// Takes a snapshot, and cancels one order after the other meanwhile.
#[tokio::main]
async fn snapshot(directory: &Path) {
    let exchange = exchange(directory);
    let router = Arc::clone(exchange.router());
    let on = router.first_instrument().unwrap();
    let of = Arc::clone(&on);
    let taking = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let snapshot = BookSnapshot::take(&of, SystemClock.now());
        (snapshot.orders.len(), begun.elapsed())
    });
    let mut longest = Duration::ZERO;
    let mut cancelled = 0;
    while !taking.is_finished() {
        let begun = Instant::now();
        router.call(&on, cancel(cancelled)).await.unwrap();
        longest = longest.max(begun.elapsed());
        cancelled += 1;
    }
    let (orders, elapsed) = taking.await.unwrap();
    println!(
        "a snapshot of {orders} orders was taken in {elapsed:.2?}, while {cancelled} were \
         cancelled, each in {longest:.2?} at most"
    );
    std::process::exit(0);
}

/// This process's memory, in megabytes.
fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() / 1_024
}

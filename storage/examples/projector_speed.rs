//! How many orders a second the projector writes, from a journal in memory.
//!
//! ```text
//! cargo run --release -p shardbook-storage --example projector_speed -- sqlite 200000
//! cargo run --release -p shardbook-storage --example projector_speed -- postgres 200000
//! cargo run --release -p shardbook-storage --example projector_speed -- postgres://… 200000
//! ```
//!
//! `postgres` starts a server of its own with its settings as installed; an address must be that
//! of an empty database. Of the orders, by 100 clients and with ids of 36 characters, 54% rest,
//! and 46% trade with one or two of those and are filled; every order is one row, every state it
//! had another, every trade a third.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "a measurement"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use shardbook_engine::command::Command;
use shardbook_engine::event::{Event, Maker};
use shardbook_engine::id::{ClientId, OrderId, OrderRef, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Quantity;
use shardbook_engine::record::Record;
use shardbook_engine::side::Side;
use shardbook_engine::time::{SystemClock, Timestamp};
use shardbook_storage::database::{Database, DatabaseUrl};
use shardbook_storage::projector::{
    DatabaseState, Instruments, OnRefused, Projector, ProjectorLimits, ProjectorSetup,
    ProjectorStatus, Retention,
};
use shardbook_test_support::instrument::instrument;
use shardbook_test_support::journal::MemoryJournal;
use shardbook_test_support::postgres::Postgres;
use uuid::Uuid;

/// Records in one payload: what comes together under load.
const PAYLOAD_RECORDS: usize = 500;

struct One(Arc<Instrument>);

impl Instruments for One {
    fn heads(&self) -> Vec<(Arc<Instrument>, Sequence)> {
        vec![(Arc::clone(&self.0), Sequence::ZERO)]
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_else(|| "sqlite".to_owned());
    let orders = arguments
        .next()
        .map_or(200_000, |count| count.parse().expect("a number"));

    let directory = tempfile::tempdir().unwrap();
    let server = (kind == "postgres").then(Postgres::start);
    let url = match (&server, kind.as_str()) {
        (Some(server), _) => server.database().parse().unwrap(),
        (None, "sqlite") => DatabaseUrl::Sqlite(directory.path().join("shardbook.sqlite")),
        (None, address) => address.parse().expect("sqlite, postgres or an address"),
    };
    let database = Database::open(&url).await.unwrap();

    let journal = MemoryJournal::default();
    let instrument = Arc::new(instrument(0, "BTC-USD", "0.01", "0.00001"));
    let mut trades = 0;
    for payload in history(&instrument, orders, &mut trades).chunks(PAYLOAD_RECORDS) {
        journal.append_records(payload, 1);
    }
    let (mut projector, handle) = Projector::new(ProjectorSetup {
        database,
        exchange: Uuid::from_u128(1),
        logs: vec![journal.log(0)],
        checkpoints: Vec::new(),
        retention: Retention::default(),
        clock: Arc::new(SystemClock),
        instruments: Arc::new(One(instrument)),
        limits: ProjectorLimits::default(),
        on_refused: OnRefused::LeaveAlone,
    });
    projector.admit().await.unwrap();
    let before = CpuSeconds::now(server.as_ref());
    let begin = Instant::now();
    let mut watching = handle.clone();
    projector
        .run(async move {
            watching
                .wait_until(|status| projected(status) == orders)
                .await;
        })
        .await;
    let seconds = begin.elapsed().as_secs_f64();
    let after = CpuSeconds::now(server.as_ref());
    assert_eq!(handle.database(), DatabaseState::Up);
    assert_eq!(projected(&handle.status()), orders);
    let each = |seconds: f64| seconds * 1e6 / orders as f64;
    println!(
        "{kind}: {orders} orders and {trades} trades in {seconds:.2} s: {:.0} orders/s; \
         {:.1} µs of processor an order here, {:.1} in the server",
        orders as f64 / seconds,
        each(after.here - before.here),
        each(after.server - before.server),
    );
}

fn projected(status: &ProjectorStatus) -> u64 {
    let projected = status.projected.values().next();
    projected.map_or(0, |sequence| sequence.get())
}

/// What has been computed for so far: what stays the same whatever else the machine does.
struct CpuSeconds {
    here: f64,
    server: f64,
}

impl CpuSeconds {
    fn now(server: Option<&Postgres>) -> Self {
        let server = server.map_or(0.0, |server| {
            let processes = server.processes();
            processes.iter().map(|id| cpu_seconds(id)).sum()
        });
        let here = cpu_seconds("self");
        Self { here, server }
    }
}

/// User and system time of a process, in the ticks of `/proc`, which are hundredths of a second.
fn cpu_seconds(process: &str) -> f64 {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
        return 0.0;
    };
    // Behind the name, which may hold anything: the state, and eleven numbers before these two.
    let fields = status.rsplit(')').next().unwrap().split_whitespace();
    let ticks = fields.skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum::<f64>()
        / 100.0
}

fn history(instrument: &Instrument, orders: u64, trades: &mut u64) -> Vec<Record> {
    let mut resting = VecDeque::new();
    let price = Price::new(7_015_000).unwrap();
    (1..=orders)
        .map(|number| {
            let sequence = Sequence::new(number);
            // 27 of 50 rest; the others take 27 in all, so that the book stays at 5,000 and some.
            let takes = resting.len() > 5_000 && number % 50 >= 27;
            let makers = if takes {
                1 + usize::from(number % 23 < 4)
            } else {
                0
            };
            let first_trade = TradeNumber::new(*trades + 1);
            let mut events = Vec::new();
            for _ in 0..makers {
                let maker = resting.pop_front().unwrap();
                *trades += 1;
                events.push(Event::Traded {
                    maker: Maker::Client(maker),
                    price,
                    quantity: Quantity::new(1_000).unwrap(),
                });
            }
            if !takes {
                resting.push_back(OrderRef::single(sequence));
            }
            let lots = 1_000 * makers.max(1) as u64;
            let new = NewOrder {
                id: ChosenId::Client(order_id(number)),
                client: ClientId::new(&format!("client-{}", number % 100)).unwrap(),
                idempotency_key: None,
                side: if takes { Side::Buy } else { Side::Sell },
                kind: OrderKind::Limit {
                    price,
                    time_in_force: TimeInForce::Gtc,
                },
                quantity: Quantity::new(lots).unwrap(),
                self_trade_prevention: SelfTradePrevention::None,
            };
            Record {
                instrument: instrument.id,
                sequence,
                timestamp: Timestamp::from_microseconds(1_769_860_800_000_000 + number * 20),
                first_trade,
                command: Command::Place(new),
                events,
            }
        })
        .collect()
}

/// A UUID as text, scattered as random ones are.
fn order_id(number: u64) -> OrderId {
    let high = u128::from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let id = Uuid::from_u128((high << 64) | u128::from(number));
    OrderId::new(&id.to_string()).unwrap()
}

//! How fast the core is, on one core of this machine: the book alone, the shard with its records'
//! bytes, and a shard's records applied again.
//!
//! ```text
//! cargo run --release -p shardbook-engine --example core_speed [book|depth|shard|replay] …
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub,
    reason = "a measurement"
)]

mod trace;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use shardbook_engine::book::{Book, ClientNumber};
use shardbook_engine::command::{Cancel, Command, Requester, Stamped};
use shardbook_engine::id::{ClientId, IdempotencyKey, InstrumentId, OrderId, Symbol};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::order::{ChosenId, NewOrder};
use shardbook_engine::quantity::{LOTS_MAX, Quantity};
use shardbook_engine::record::{RecordParts, begin_payload, decode_payload};
use shardbook_engine::shard::{Decision, Replayer, Shard, ShardLimits};
use shardbook_engine::time::Timestamp;

use self::trace::{Step, Trace};

const SEED: u64 = 7;
const RESTING: usize = 12_000;
/// Commands timed at once; between two of them the next are made.
const CHUNK: usize = 250_000;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let measures: [(&str, fn()); 4] = [
        ("book", book),
        ("depth", depth),
        ("shard", shard),
        ("replay", replay),
    ];
    for (name, measure) in measures {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            measure();
        }
    }
}

/// The book alone with its events.
fn book() {
    let mut rates = Rates::default();
    let mut trace = Trace::new(SEED, RESTING);
    let mut book = Book::new();
    carry_out(&mut book, &trace.warm_up());
    for _ in 0..20 {
        let steps = trace.steps(CHUNK);
        rates.add(CHUNK, carry_out(&mut book, &steps));
    }
    println!("book: {rates}, {RESTING} resting");
}

/// What a mixed command costs when more rests.
fn depth() {
    let mut shallow = None;
    for resting in [100, 1_000, 10_000, 100_000, 1_000_000] {
        let mut rates = Rates::default();
        let mut trace = Trace::new(SEED, resting);
        let mut book = Book::new();
        carry_out(&mut book, &trace.warm_up());
        for _ in 0..8 {
            let steps = trace.steps(CHUNK);
            rates.add(CHUNK, carry_out(&mut book, &steps));
        }
        let cost = 1.0 / rates.median();
        let shallow = *shallow.get_or_insert(cost);
        println!(
            "depth: {resting} resting: {rates}, {:.2} of the shallowest's cost",
            cost / shallow
        );
    }
}

fn carry_out(book: &mut Book, steps: &[Step]) -> Duration {
    let mut events = Vec::new();
    let start = Instant::now();
    for step in steps {
        match step {
            Step::Place { incoming, kind } => {
                std::hint::black_box(book.place(*incoming, *kind, &mut events));
                std::hint::black_box(&events);
                events.clear();
            }
            Step::Cancel { handle, .. } => {
                std::hint::black_box(book.cancel(*handle));
            }
        }
    }
    start.elapsed()
}

/// The shard with ids and keys of 36 characters, its records' bytes included.
fn shard() {
    let mut rates = Rates::default();
    let mut slowest = Duration::ZERO;
    let mut trace = Trace::new(SEED, RESTING);
    let mut market = Market::new();
    let warm_up = market.commands(&trace.warm_up());
    market.take_in(&warm_up);
    for _ in 0..12 {
        let commands = market.commands(&trace.steps(CHUNK));
        let (took, longest) = market.take_in(&commands);
        rates.add(CHUNK, took);
        slowest = slowest.max(longest);
    }
    println!("shard: {rates}, the slowest command {slowest:.1?}");
}

/// The shard's records, decoded and applied again.
fn replay() {
    let mut rates = Rates::default();
    let mut trace = Trace::new(SEED, RESTING);
    let mut market = Market::new();
    let mut replayer = Replayer::new(market.new_shard());
    let warm_up = market.commands(&trace.warm_up());
    market.take_in(&warm_up);
    replay_payload(&mut replayer, &market.payload);
    for _ in 0..8 {
        let commands = market.commands(&trace.steps(CHUNK));
        market.take_in(&commands);
        rates.add(CHUNK, replay_payload(&mut replayer, &market.payload));
    }
    println!("replay: {rates}");
}

fn replay_payload(replayer: &mut Replayer, payload: &[u8]) -> Duration {
    let start = Instant::now();
    for record in decode_payload(payload).expect("what was encoded") {
        replayer.apply(&record);
    }
    start.elapsed()
}

/// A shard, and the commands of a trace as it takes them.
struct Market {
    instrument: Arc<Instrument>,
    shard: Shard,
    orders: u64,
    now: u64,
    /// What the last commands came to.
    payload: Vec<u8>,
}

impl Market {
    fn new() -> Self {
        let quantity = |lots| Quantity::new(lots).unwrap();
        let instrument = Arc::new(Instrument {
            id: InstrumentId::new(1),
            symbol: Symbol::new("BTC-USD").unwrap(),
            tick: Increment::new(Decimal::new(1, 2)).unwrap(),
            lot: Increment::new(Decimal::new(1, 5)).unwrap(),
            min_quantity: quantity(1),
            max_quantity: quantity(LOTS_MAX),
            min_notional: None,
            price_band: None,
            binance_symbol: None,
            listed_at: Timestamp::from_microseconds(0),
        });
        Self {
            shard: Shard::new(Arc::clone(&instrument), ShardLimits::default()),
            instrument,
            orders: 0,
            now: 1_700_000_000_000_000,
            payload: Vec::new(),
        }
    }

    fn new_shard(&self) -> Shard {
        Shard::new(Arc::clone(&self.instrument), ShardLimits::default())
    }

    fn commands(&mut self, steps: &[Step]) -> Vec<Stamped> {
        let commands = steps.iter().map(|step| {
            self.now += 10;
            let command = match step {
                Step::Place { incoming, kind } => {
                    let id = order_id(self.orders);
                    self.orders += 1;
                    Command::Place(NewOrder {
                        idempotency_key: Some(IdempotencyKey::new(id.as_str()).unwrap()),
                        id: ChosenId::Client(id),
                        client: client_id(incoming.client),
                        side: incoming.side,
                        kind: *kind,
                        quantity: incoming.quantity,
                        self_trade_prevention: incoming.self_trade_prevention,
                    })
                }
                Step::Cancel { number, .. } => Command::Cancel(Cancel {
                    order_id: order_id(*number),
                    requester: Requester::Anyone,
                }),
            };
            Stamped {
                timestamp: Timestamp::from_microseconds(self.now),
                command,
            }
        });
        commands.collect()
    }

    /// How long all of it took, and how long the slowest command.
    fn take_in(&mut self, commands: &[Stamped]) -> (Duration, Duration) {
        self.payload.clear();
        begin_payload(&mut self.payload);
        let mut events = Vec::new();
        let mut longest = Duration::ZERO;
        let start = Instant::now();
        let mut before = start;
        for stamped in commands {
            let Decision::Recorded {
                sequence,
                first_trade,
            } = self.shard.apply(stamped, &mut events)
            else {
                panic!("not recorded: {stamped:?}");
            };
            let parts = RecordParts {
                instrument: self.instrument.id,
                sequence,
                timestamp: stamped.timestamp,
                first_trade,
                command: &stamped.command,
                events: &events,
            };
            parts.encode(&mut self.payload);
            let now = Instant::now();
            longest = longest.max(now - before);
            before = now;
        }
        (start.elapsed(), longest)
    }
}

fn order_id(number: u64) -> OrderId {
    // Ids that spread over the hash as random ones do, and are as long.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = format!("{:08x}-0000-7000-8000-{number:012x}", mixed >> 32);
    OrderId::new(&text).unwrap()
}

fn client_id(client: ClientNumber) -> ClientId {
    ClientId::new(&format!("trader-{}", client.get())).unwrap()
}

/// Millions of commands a second, by the chunk.
#[derive(Default)]
struct Rates(Vec<f64>);

impl Rates {
    fn add(&mut self, commands: usize, took: Duration) {
        self.0.push(commands as f64 / took.as_secs_f64() / 1e6);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted[sorted.len() / 2]
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = self.sorted();
        let (slowest, fastest) = (sorted[0], sorted[sorted.len() - 1]);
        write!(
            f,
            "{:.2} million commands/s (chunks from {slowest:.2} to {fastest:.2})",
            self.median()
        )
    }
}

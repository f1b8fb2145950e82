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

mod depth;
mod trace;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use shardbook_engine::book::{Book, ClientNumber};
use shardbook_engine::command::{Cancel, Command, Requester, Stamped};
use shardbook_engine::event::Event;
use shardbook_engine::id::{ClientId, IdempotencyKey, InstrumentId, OrderId, Symbol};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::order::{ChosenId, NewOrder};
use shardbook_engine::quantity::{LOTS_MAX, Quantity};
use shardbook_engine::record::{RecordParts, begin_payload, decode_payload};
use shardbook_engine::shard::{Decision, PREPARED_AT_ONCE, Replayer, Shard, ShardLimits};
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
        ("depth", depth::depth),
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
        let watch = Stopwatch::start();
        carry_out(&mut book, &steps);
        rates.add(CHUNK, watch.stop());
    }
    println!("book: {rates}, {RESTING} resting");
}

fn carry_out(book: &mut Book, steps: &[Step]) {
    let mut events = Vec::new();
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
        let watch = Stopwatch::start();
        let longest = market.take_in(&commands);
        rates.add(CHUNK, watch.stop());
        slowest = slowest.max(longest);
    }
    println!("shard: {rates}, the slowest {PREPARED_AT_ONCE} commands {slowest:.1?}");
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
        let watch = Stopwatch::start();
        replay_payload(&mut replayer, &market.payload);
        rates.add(CHUNK, watch.stop());
    }
    println!("replay: {rates}");
}

fn replay_payload(replayer: &mut Replayer, payload: &[u8]) {
    for record in decode_payload(payload).expect("what was encoded") {
        replayer.apply(&record);
    }
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

    /// How long the slowest few commands took.
    fn take_in(&mut self, commands: &[Stamped]) -> Duration {
        self.payload.clear();
        begin_payload(&mut self.payload);
        let mut events = Vec::new();
        let mut longest = Duration::ZERO;
        let mut before = Instant::now();
        for few in commands.chunks(PREPARED_AT_ONCE) {
            self.shard
                .prepare(few.iter().map(|stamped| &stamped.command));
            for stamped in few {
                self.take(stamped, &mut events);
            }
            let now = Instant::now();
            longest = longest.max(now - before);
            before = now;
        }
        longest
    }

    fn take(&mut self, stamped: &Stamped, events: &mut Vec<Event>) {
        let Decision::Recorded {
            sequence,
            first_trade,
        } = self.shard.apply(stamped, events)
        else {
            panic!("not recorded: {stamped:?}");
        };
        let parts = RecordParts {
            instrument: self.instrument.id,
            sequence,
            timestamp: stamped.timestamp,
            first_trade,
            command: &stamped.command,
            events,
        };
        parts.encode(&mut self.payload);
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

/// How long something takes, by the clock and of the processor's time.
struct Stopwatch {
    start: Instant,
    processor: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Took {
    elapsed: Duration,
    processor: Option<Duration>,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            processor: processor_time(),
            start: Instant::now(),
        }
    }

    fn stop(self) -> Took {
        let elapsed = self.start.elapsed();
        let processor = processor_time().zip(self.processor);
        Took {
            elapsed,
            processor: processor.map(|(now, then)| now - then),
        }
    }
}

/// What the kernel has given this thread, to some milliseconds; where it tells.
fn processor_time() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = told.split_whitespace().next()?;
    nanoseconds.parse().ok().map(Duration::from_nanos)
}

/// Millions of commands a second, by the chunk.
#[derive(Default)]
struct Rates(Vec<(usize, Took)>);

impl Rates {
    fn add(&mut self, commands: usize, took: Took) {
        self.0.push((commands, took));
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |commands: usize, took: Duration| commands as f64 / took.as_secs_f64() / 1e6;
        let rates = self
            .0
            .iter()
            .map(|(count, took)| rate(*count, took.elapsed));
        let mut rates: Vec<f64> = rates.collect();
        rates.sort_by(f64::total_cmp);
        let (slowest, fastest) = (rates[0], rates[rates.len() - 1]);
        write!(
            f,
            "{:.2} million commands/s (chunks from {slowest:.2} to {fastest:.2}",
            rates[rates.len() / 2]
        )?;
        // What others have of this machine in between is not in it.
        let processor: Option<Duration> = self.0.iter().map(|(_, took)| took.processor).sum();
        if let Some(processor) = processor.filter(|processor| !processor.is_zero()) {
            let commands = self.0.iter().map(|(count, _)| count).sum();
            write!(f, "; {:.2} of processor time", rate(commands, processor))?;
        }
        f.write_str(")")
    }
}

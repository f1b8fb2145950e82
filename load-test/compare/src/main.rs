//! The book beside others, over the same commands in the same run: a naive one, and that of the
//! crate orderbook-rs.
//!
//! ```text
//! cargo run --release --manifest-path load-test/compare/Cargo.toml
//! ```
//!
//! The commands are those of the engine's example `core_speed`. The three take turns, a chunk
//! each, so that whatever else the machine does slows all of them; after each chunk their best
//! prices must agree.

#[path = "../../../engine/examples/core_speed/trace.rs"]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "a measurement"
)]
mod trace;

mod naive;

use std::hint::black_box;
use std::time::Instant;

use orderbook_rs::{DefaultOrderBook, Id, TimeInForce};
use shardbook_engine::book::Book;
use shardbook_engine::order::OrderKind;
use shardbook_engine::side::Side;

use self::naive::NaiveBook;
use self::trace::{Step, Trace};

const SEED: u64 = 7;
const RESTING: usize = 12_000;
const CHUNK: usize = 50_000;
const CHUNKS: usize = 20;

/// A book that carries out commands.
trait Contender {
    fn carry_out(&mut self, steps: &[Step]);

    /// The best bid and the best ask.
    fn best(&self) -> (Option<u64>, Option<u64>);
}

fn main() {
    let mut trace = Trace::new(SEED, RESTING);
    let mut ours = Ours(Book::new());
    let mut naive = Naive {
        book: NaiveBook::default(),
        orders: 0,
    };
    let mut theirs = Theirs {
        book: DefaultOrderBook::new("BTC-USD"),
        orders: 0,
    };
    let mut contenders: [&mut dyn Contender; 3] = [&mut ours, &mut naive, &mut theirs];
    let warm_up = trace.warm_up();
    for contender in &mut contenders {
        contender.carry_out(&warm_up);
    }
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..CHUNKS {
        let steps = trace.steps(CHUNK);
        for (contender, rates) in contenders.iter_mut().zip(&mut rates) {
            let start = Instant::now();
            contender.carry_out(&steps);
            rates.push(CHUNK as f64 / start.elapsed().as_secs_f64() / 1e6);
        }
        let [ours, naive, theirs] = contenders.each_ref().map(|contender| contender.best());
        assert_eq!(ours, naive, "the naive book trades as ours does");
        assert_eq!(ours, theirs, "orderbook-rs trades as ours does");
    }
    let [ours, naive, theirs] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("book: {ours:.2} million commands/s, {RESTING} resting");
    println!(
        "naive: {naive:.3} million commands/s, {:.1} times slower",
        ours / naive
    );
    println!(
        "orderbook-rs: {theirs:.3} million commands/s, {:.1} times slower",
        ours / theirs
    );
}

struct Ours(Book);

impl Contender for Ours {
    fn carry_out(&mut self, steps: &[Step]) {
        let mut events = Vec::new();
        for step in steps {
            match step {
                Step::Place { incoming, kind } => {
                    black_box(self.0.place(*incoming, *kind, &mut events));
                    black_box(&events);
                    events.clear();
                }
                Step::Cancel { handle, .. } => {
                    black_box(self.0.cancel(*handle));
                }
            }
        }
    }

    fn best(&self) -> (Option<u64>, Option<u64>) {
        let best = |side| self.0.best(side).map(|(price, _)| price.ticks());
        (best(Side::Buy), best(Side::Sell))
    }
}

struct Naive {
    book: NaiveBook,
    orders: u64,
}

impl Contender for Naive {
    fn carry_out(&mut self, steps: &[Step]) {
        let mut trades = Vec::new();
        for step in steps {
            match step {
                Step::Place { incoming, kind } => {
                    let quantity = incoming.quantity.lots();
                    self.book
                        .place(self.orders, incoming.side, quantity, *kind, &mut trades);
                    self.orders += 1;
                    black_box(&trades);
                    trades.clear();
                }
                Step::Cancel { number, .. } => self.book.cancel(*number),
            }
        }
    }

    fn best(&self) -> (Option<u64>, Option<u64>) {
        self.book.best()
    }
}

struct Theirs {
    book: DefaultOrderBook,
    orders: u64,
}

impl Contender for Theirs {
    fn carry_out(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Place { incoming, kind } => {
                    let id = Id::from_u64(self.orders);
                    self.orders += 1;
                    let side = match incoming.side {
                        Side::Buy => orderbook_rs::Side::Buy,
                        Side::Sell => orderbook_rs::Side::Sell,
                    };
                    let quantity = incoming.quantity.lots();
                    match kind {
                        OrderKind::Market => {
                            // Less than is asked for is an error, of no matter here.
                            let _ = black_box(self.book.submit_market_order(id, quantity, side));
                        }
                        OrderKind::Limit { price, .. } => {
                            let placed = self.book.add_limit_order(
                                id,
                                u128::from(price.ticks()),
                                quantity,
                                side,
                                TimeInForce::Gtc,
                                None,
                            );
                            black_box(placed).expect("a good order");
                        }
                    }
                }
                Step::Cancel { number, .. } => {
                    black_box(self.book.cancel_order(Id::from_u64(*number))).expect("it rests");
                }
            }
        }
    }

    fn best(&self) -> (Option<u64>, Option<u64>) {
        let ticks = |price: u128| u64::try_from(price).unwrap_or(u64::MAX);
        (
            self.book.best_bid().map(ticks),
            self.book.best_ask().map(ticks),
        )
    }
}

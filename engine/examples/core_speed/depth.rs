//! What a cancel and a match cost when more rests: in the book alone, and in the shard.
//!
//! What is timed is a slice of commands of one kind; in between, orders come to rest again, so
//! that as many rest as before. Beside it stands what the memory itself costs: reading as many
//! bytes as the book's orders take, at random places, as many at once as a slice has commands.

use std::hint::black_box;
use std::time::{Duration, Instant};

use shardbook_engine::book::Book;
use shardbook_engine::command::Stamped;
use shardbook_engine::shard::PREPARED_AT_ONCE;

use super::trace::{Step, Trace};
use super::{Market, SEED, carry_out};

/// Commands timed at once: few beside the fewest that rest.
const SLICE: usize = 2 * PREPARED_AT_ONCE;
const SLICES: usize = 4_000;

/// Bytes of a resting order in the book.
type Order = [u64; 4];

pub fn depth() {
    let mut shallow: Option<[f64; 4]> = None;
    for resting in [100, 1_000, 10_000, 100_000, 1_000_000] {
        let mut trace = Trace::new(SEED, resting);
        let warm_up = trace.warm_up();
        let rounds: Vec<Round> = (0..SLICES).map(|_| Round::of(&mut trace)).collect();
        let [cancel, hit] = in_the_book(&warm_up, &rounds);
        let [shard_cancel, shard_hit] = in_the_shard(&warm_up, &rounds);
        let costs = [cancel, hit, shard_cancel, shard_hit];
        let shallow = *shallow.get_or_insert(costs);
        let [of_cancel, of_hit, of_shard_cancel, of_shard_hit] =
            std::array::from_fn(|at| costs[at] / shallow[at]);
        println!(
            "depth: {resting} resting: in the book a cancel {cancel:.0} ns ({of_cancel:.2} of the \
             shallowest's), a match {hit:.0} ns ({of_hit:.2}); in the shard a cancel \
             {shard_cancel:.0} ns ({of_shard_cancel:.2}), a match {shard_hit:.0} ns \
             ({of_shard_hit:.2}); a read of bare memory {:.1} ns",
            bare_reads(resting)
        );
    }
}

/// Each kind's commands.
struct Round {
    cancels: Vec<Step>,
    rests: Vec<Step>,
    matches: Vec<Step>,
    rests_again: Vec<Step>,
}

impl Round {
    fn of(trace: &mut Trace) -> Self {
        Self {
            cancels: trace.cancels(SLICE),
            rests: trace.warm_up(),
            matches: trace.matches(SLICE),
            rests_again: trace.warm_up(),
        }
    }

    fn all(&self) -> [&[Step]; 4] {
        [&self.cancels, &self.rests, &self.matches, &self.rests_again]
    }
}

/// Nanoseconds of a cancel and of a match.
fn in_the_book(warm_up: &[Step], rounds: &[Round]) -> [f64; 2] {
    let mut book = Book::new();
    carry_out(&mut book, warm_up);
    let took = rounds.iter().map(|round| {
        round.all().map(|steps| {
            let start = Instant::now();
            for few in steps.chunks(PREPARED_AT_ONCE) {
                prepare(&book, few);
                carry_out(&mut book, few);
            }
            start.elapsed()
        })
    });
    medians(took.collect())
}

/// As the shard does, whose look-ups by id find the handles.
fn prepare(book: &Book, steps: &[Step]) {
    let handles = || {
        steps.iter().filter_map(|step| match step {
            Step::Cancel { handle, .. } => Some(*handle),
            Step::Place { .. } => None,
        })
    };
    handles().for_each(|handle| book.touch(handle));
    handles().for_each(|handle| book.touch_neighbours(handle));
}

fn in_the_shard(warm_up: &[Step], rounds: &[Round]) -> [f64; 2] {
    let mut market = Market::new();
    let commands = market.commands(warm_up);
    market.take_in(&commands);
    drop(commands);
    let rounds: Vec<[Vec<Stamped>; 4]> = rounds
        .iter()
        .map(|round| round.all().map(|steps| market.commands(steps)))
        .collect();
    let took = rounds.iter().map(|round| {
        round.each_ref().map(|commands| {
            let start = Instant::now();
            market.take_in(commands);
            start.elapsed()
        })
    });
    medians(took.collect())
}

fn medians(took: Vec<[Duration; 4]>) -> [f64; 2] {
    [0, 2].map(|kind| {
        let mut took: Vec<Duration> = took.iter().map(|round| round[kind]).collect();
        took.sort_unstable();
        took[took.len() / 2].as_nanos() as f64 / SLICE as f64
    })
}

/// Nanoseconds of a read of one of so many orders' bytes.
fn bare_reads(orders: usize) -> f64 {
    let memory: Vec<Order> = (0..orders as u64).map(|number| [number; 4]).collect();
    let mut random = SEED;
    let mut places = || {
        [(); SLICE].map(|()| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % orders
        })
    };
    let took = (0..SLICES).map(|_| {
        let places = places();
        let start = Instant::now();
        black_box(places.iter().map(|place| memory[*place][0]).sum::<u64>());
        start.elapsed()
    });
    let mut took: Vec<Duration> = took.collect();
    took.sort_unstable();
    took[took.len() / 2].as_nanos() as f64 / SLICE as f64
}

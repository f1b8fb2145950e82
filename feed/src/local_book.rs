//! Binance's book, kept locally by the documented procedure.
//!
//! 1. Diffs are buffered until a snapshot comes.
//! 2. A snapshot older than the first buffered diff is of no use: another is needed.
//! 3. Buffered diffs that the snapshot covers are dropped, the others are applied to it.
//! 4. From then on, each diff continues where the last ended. One that begins later leaves a
//!    gap: the book is given up, and the procedure starts over with that diff.
//!
//! Source: "How to manage a local order book correctly" in Binance's `web-socket-streams.md`.

use std::collections::{BTreeMap, VecDeque};

use rust_decimal::Decimal;
use shardbook_engine::side::Side;

use crate::message::{DepthDiff, DepthSnapshot, Level};

/// Most diffs buffered while waiting for a snapshot: 100 s of a stream that sends ten a second.
/// Beyond it the oldest goes, which only means that the snapshot must be newer.
pub const DIFFS_BUFFERED_MAX: usize = 1_000;

/// A source's book, or the wait for it.
#[derive(Clone, Debug)]
pub struct LocalBook {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Steps 1 to 3.
    Buffering(VecDeque<DepthDiff>),
    /// Step 4.
    Following(Depth),
}

/// What a diff did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffOutcome {
    /// The book has taken it.
    Applied,
    /// The book had taken it before.
    Ignored,
    /// It waits for a snapshot.
    Buffered,
    /// It does not continue the book, which is given up; it waits for a snapshot.
    Gap,
}

/// What a snapshot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// The book stands, with what was buffered.
    Begun {
        /// Buffered diffs that the snapshot covers.
        dropped: usize,
        /// Buffered diffs that came on top of it.
        applied: usize,
    },
    /// It is older than what was buffered, or leaves a gap to it: another is needed.
    TooOld,
    /// The book stands already and needs none.
    NotNeeded,
}

impl Default for LocalBook {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalBook {
    /// Begins at step 1.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Buffering(VecDeque::new()),
        }
    }

    /// Gives the book up and begins at step 1, as after a lost connection.
    pub fn start_over(&mut self) {
        self.state = State::Buffering(VecDeque::new());
    }

    /// The book, once it stands.
    #[must_use]
    pub const fn depth(&self) -> Option<&Depth> {
        match &self.state {
            State::Following(depth) => Some(depth),
            State::Buffering(_) => None,
        }
    }

    /// Takes the next diff of the stream.
    pub fn take_diff(&mut self, diff: &DepthDiff) -> DiffOutcome {
        match &mut self.state {
            State::Buffering(buffered) => {
                buffer(buffered, diff.clone());
                DiffOutcome::Buffered
            }
            State::Following(depth) => match depth.apply(diff) {
                Continuity::Continues => DiffOutcome::Applied,
                Continuity::Covered => DiffOutcome::Ignored,
                Continuity::Gap => {
                    self.state = State::Buffering(VecDeque::from([diff.clone()]));
                    DiffOutcome::Gap
                }
            },
        }
    }

    /// Takes a snapshot.
    pub fn take_snapshot(&mut self, snapshot: &DepthSnapshot) -> SnapshotOutcome {
        let State::Buffering(buffered) = &mut self.state else {
            return SnapshotOutcome::NotNeeded;
        };
        let too_old = buffered
            .front()
            .is_some_and(|first| snapshot.last_update_id < first.first_update_id);
        if too_old {
            return SnapshotOutcome::TooOld;
        }
        let mut depth = Depth::of(snapshot);
        let mut dropped = 0;
        let mut applied = 0;
        while let Some(diff) = buffered.front() {
            match depth.apply(diff) {
                Continuity::Continues => applied += 1,
                Continuity::Covered => dropped += 1,
                // What is buffered has a hole in itself. A later snapshot must cover it, so what
                // stands before the hole, and is gone from the buffer by now, was of no use.
                Continuity::Gap => return SnapshotOutcome::TooOld,
            }
            buffered.pop_front();
        }
        self.state = State::Following(depth);
        SnapshotOutcome::Begun { dropped, applied }
    }
}

fn buffer(buffered: &mut VecDeque<DepthDiff>, diff: DepthDiff) {
    if buffered.len() >= DIFFS_BUFFERED_MAX {
        buffered.pop_front();
    }
    buffered.push_back(diff);
}

/// Whether a diff fits the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuity {
    Continues,
    Covered,
    Gap,
}

/// All levels that are known of a book, as exact decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    snapshot_id: u64,
    update_id: u64,
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

impl Depth {
    fn of(snapshot: &DepthSnapshot) -> Self {
        let mut depth = Self {
            snapshot_id: snapshot.last_update_id,
            update_id: snapshot.last_update_id,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
        };
        set(&mut depth.bids, &snapshot.bids);
        set(&mut depth.asks, &snapshot.asks);
        depth
    }

    fn apply(&mut self, diff: &DepthDiff) -> Continuity {
        if diff.last_update_id <= self.update_id {
            return Continuity::Covered;
        }
        if diff.first_update_id > self.update_id.saturating_add(1) {
            return Continuity::Gap;
        }
        set(&mut self.bids, &diff.bids);
        set(&mut self.asks, &diff.asks);
        self.update_id = diff.last_update_id;
        Continuity::Continues
    }

    /// The last update in the snapshot that the book began with.
    #[must_use]
    pub const fn snapshot_id(&self) -> u64 {
        self.snapshot_id
    }

    /// The last update it has taken.
    #[must_use]
    pub const fn update_id(&self) -> u64 {
        self.update_id
    }

    /// The best price of a side and how much there is.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).next()
    }

    /// How much there is at a price; zero where there is no level.
    #[must_use]
    pub fn quantity(&self, side: Side, price: Decimal) -> Decimal {
        self.side(side).get(&price).copied().unwrap_or_default()
    }

    /// A side's levels, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> {
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.iter().rev()), None),
            Side::Sell => (None, Some(self.asks.iter())),
        };
        level_iterator(bids, asks)
    }

    /// A side's levels that are worse than `price`, best first.
    pub fn levels_beyond(&self, side: Side, price: Decimal) -> impl Iterator<Item = Level> {
        use std::ops::Bound::{Excluded, Unbounded};
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.range(..price).rev()), None),
            Side::Sell => (None, Some(self.asks.range((Excluded(price), Unbounded)))),
        };
        level_iterator(bids, asks)
    }

    const fn side(&self, side: Side) -> &BTreeMap<Decimal, Decimal> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }
}

/// One of two iterators, as levels: the sides run in opposite directions, so they differ in type.
fn level_iterator<'a>(
    bids: Option<impl Iterator<Item = (&'a Decimal, &'a Decimal)>>,
    asks: Option<impl Iterator<Item = (&'a Decimal, &'a Decimal)>>,
) -> impl Iterator<Item = Level> {
    bids.into_iter()
        .flatten()
        .chain(asks.into_iter().flatten())
        .map(|(&price, &quantity)| Level { price, quantity })
}

/// Sets levels to their new quantities. Taking away a level that isn't there is normal: a
/// snapshot does not reach down to all that diffs speak of.
fn set(side: &mut BTreeMap<Decimal, Decimal>, levels: &[Level]) {
    for level in levels {
        if level.quantity.is_zero() {
            side.remove(&level.price);
        } else {
            side.insert(level.price, level.quantity);
        }
    }
}

#[cfg(test)]
mod tests;

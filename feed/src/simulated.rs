//! A seeded random market, for trying things out without a network.
//!
//! It speaks as Binance does: a snapshot first, then diffs and trades, so that everything behind
//! it is the same as for the real one. The same seed and the same beginning give the same
//! messages. Prices are whole ticks and quantities whole lots of its instrument.
//!
//! Its ids count up from a number that the caller takes from the clock: the exchange ignores ids
//! that are not above those it took in before, and a restart must not have to wait for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::price::TICKS_MAX;
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;

use crate::message::{DepthDiff, DepthSnapshot, Level, Message, Trade};

/// Levels a side that the market keeps.
const LEVELS: u64 = 60;

/// Most ticks between two neighbouring levels.
const TICKS_BETWEEN_LEVELS_MAX: u64 = 8;

/// Most ticks that the middle moves in a step.
const DRIFT_TICKS_MAX: u64 = 12;

/// Lowest middle, so that the bids below it have room.
const MIDDLE_TICKS_MIN: u64 = 4 * LEVELS * TICKS_BETWEEN_LEVELS_MAX;

/// Highest middle.
const MIDDLE_TICKS_MAX: u64 = TICKS_MAX / 2;

/// Most trades in a step.
const TRADES_MAX: u64 = 3;

/// One instrument's random market.
#[derive(Clone, Debug)]
pub struct SimulatedMarket {
    instrument: Arc<Instrument>,
    symbol: String,
    random: Random,
    middle: u64,
    typical_lots: u64,
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
    update_id: u64,
    trade_id: u64,
    begun: bool,
}

impl SimulatedMarket {
    /// A market whose messages carry `symbol` and whose ids begin above `first_id`.
    #[must_use]
    pub fn new(instrument: Arc<Instrument>, symbol: String, seed: u64, first_id: u64) -> Self {
        // Each instrument's market is its own, whatever the others are.
        let random = Random::new(seed ^ u64::from(instrument.id.get()).rotate_left(32));
        let middle = opening_ticks(&instrument);
        let typical_lots = typical_lots(&instrument);
        Self {
            instrument,
            symbol,
            random,
            middle,
            typical_lots,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            update_id: first_id,
            trade_id: first_id,
            begun: false,
        }
    }

    /// The market's next step, at `now`: a snapshot the first time; then some trades, and a diff
    /// with what they and everyone else changed.
    pub fn step(&mut self, now: Timestamp, messages: &mut Vec<Message>) {
        let mut changes = Changes::default();
        if !self.begun {
            self.begun = true;
            self.fill_up(&mut changes);
            messages.push(Message::DepthSnapshot(DepthSnapshot {
                symbol: Some(self.symbol.clone()),
                last_update_id: self.update_id,
                bids: self.levels(self.bids.iter().rev()),
                asks: self.levels(self.asks.iter()),
            }));
            return;
        }
        for _ in 0..self.random.below(TRADES_MAX + 1) {
            self.trade(now, messages, &mut changes);
        }
        self.drift(&mut changes);
        self.stir(&mut changes);
        self.fill_up(&mut changes);
        let first_update_id = self.update_id + 1;
        self.update_id += changes.count().max(1);
        messages.push(Message::DepthDiff(DepthDiff {
            symbol: self.symbol.clone(),
            first_update_id,
            last_update_id: self.update_id,
            bids: self.levels(changes.bids.iter()),
            asks: self.levels(changes.asks.iter()),
            sent_at: now,
        }));
    }

    /// Someone takes from the best level.
    fn trade(&mut self, now: Timestamp, messages: &mut Vec<Message>, changes: &mut Changes) {
        let taker_side = if self.random.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let Some((ticks, lots)) = self.best(taker_side.opposite()) else {
            return;
        };
        let taken = 1 + self.random.below(lots.min(self.typical_lots));
        self.set(taker_side.opposite(), ticks, lots - taken, changes);
        self.trade_id += 1;
        messages.push(Message::Trade(Trade {
            symbol: self.symbol.clone(),
            id: self.trade_id,
            price: units(self.instrument.tick, ticks),
            quantity: units(self.instrument.lot, taken),
            taker_side,
            traded_at: now,
            sent_at: now,
        }));
    }

    /// The middle moves; levels that it reached are gone.
    fn drift(&mut self, changes: &mut Changes) {
        let up = self.middle + self.random.below(DRIFT_TICKS_MAX + 1);
        let moved = up.saturating_sub(self.random.below(DRIFT_TICKS_MAX + 1));
        self.middle = moved.clamp(MIDDLE_TICKS_MIN, MIDDLE_TICKS_MAX);
        while let Some((ticks, _)) = self.best(Side::Buy).filter(|best| best.0 >= self.middle) {
            self.set(Side::Buy, ticks, 0, changes);
        }
        while let Some((ticks, _)) = self.best(Side::Sell).filter(|best| best.0 <= self.middle) {
            self.set(Side::Sell, ticks, 0, changes);
        }
    }

    /// Some levels change their quantity.
    fn stir(&mut self, changes: &mut Changes) {
        for side in [Side::Buy, Side::Sell] {
            for _ in 0..self.random.below(4) {
                let rank = usize::try_from(self.random.below(LEVELS)).unwrap_or(0);
                let chosen = match side {
                    Side::Buy => self.bids.keys().rev().nth(rank).copied(),
                    Side::Sell => self.asks.keys().nth(rank).copied(),
                };
                if let Some(ticks) = chosen {
                    let lots = self.quantity();
                    self.set(side, ticks, lots, changes);
                }
            }
        }
    }

    /// New levels come in at the touch and behind, until there are enough; the furthest go where
    /// there are too many.
    fn fill_up(&mut self, changes: &mut Changes) {
        for side in [Side::Buy, Side::Sell] {
            let touch = 1 + self.random.below(TICKS_BETWEEN_LEVELS_MAX);
            let far = self.best(side).is_none_or(|(ticks, _)| {
                ticks.abs_diff(self.middle) > 2 * TICKS_BETWEEN_LEVELS_MAX
            });
            if far {
                let lots = self.quantity();
                self.set(side, away(side, self.middle, touch), lots, changes);
            }
            while self.count(side) < LEVELS
                && let Some(worst) = self.worst(side)
            {
                let step = 1 + self.random.below(TICKS_BETWEEN_LEVELS_MAX);
                let lots = self.quantity();
                self.set(side, away(side, worst, step), lots, changes);
            }
            while self.count(side) > LEVELS
                && let Some(worst) = self.worst(side)
            {
                self.set(side, worst, 0, changes);
            }
        }
    }

    fn quantity(&mut self) -> u64 {
        1 + self.random.below(3 * self.typical_lots)
    }

    fn best(&self, side: Side) -> Option<(u64, u64)> {
        let best = match side {
            Side::Buy => self.bids.last_key_value(),
            Side::Sell => self.asks.first_key_value(),
        };
        best.map(|(ticks, lots)| (*ticks, *lots))
    }

    fn worst(&self, side: Side) -> Option<u64> {
        match side {
            Side::Buy => self.bids.keys().next().copied(),
            Side::Sell => self.asks.keys().next_back().copied(),
        }
    }

    fn count(&self, side: Side) -> u64 {
        let count = match side {
            Side::Buy => self.bids.len(),
            Side::Sell => self.asks.len(),
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    fn set(&mut self, side: Side, ticks: u64, lots: u64, changes: &mut Changes) {
        let (levels, changed) = match side {
            Side::Buy => (&mut self.bids, &mut changes.bids),
            Side::Sell => (&mut self.asks, &mut changes.asks),
        };
        if lots == 0 {
            levels.remove(&ticks);
        } else {
            levels.insert(ticks, lots);
        }
        changed.insert(ticks, lots);
    }

    fn levels<'a>(&self, levels: impl Iterator<Item = (&'a u64, &'a u64)>) -> Vec<Level> {
        levels
            .map(|(ticks, lots)| Level {
                price: units(self.instrument.tick, *ticks),
                quantity: units(self.instrument.lot, *lots),
            })
            .collect()
    }
}

/// Levels that changed in a step, in ticks, and their new quantities, in lots.
#[derive(Debug, Default)]
struct Changes {
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
}

impl Changes {
    fn count(&self) -> u64 {
        u64::try_from(self.bids.len() + self.asks.len()).unwrap_or(u64::MAX)
    }
}

const fn away(side: Side, ticks: u64, by: u64) -> u64 {
    match side {
        Side::Buy => ticks.saturating_sub(by),
        Side::Sell => ticks.saturating_add(by),
    }
}

fn units(increment: Increment, count: u64) -> Decimal {
    Decimal::from(count) * increment.step()
}

/// Where a market begins: about what the best known assets cost, so that it looks like one.
fn opening_ticks(instrument: &Instrument) -> u64 {
    let base = instrument.symbol.as_str().split('-').next().unwrap_or("");
    let price = match base {
        "BTC" => 65_000,
        "ETH" => 3_000,
        "SOL" => 150,
        _ => 100,
    };
    instrument
        .tick
        .whole_units(Decimal::from(price))
        .map_or(MIDDLE_TICKS_MIN, |(ticks, _)| ticks)
        .clamp(MIDDLE_TICKS_MIN, MIDDLE_TICKS_MAX)
}

/// What people trade at a time: some thousands in money.
fn typical_lots(instrument: &Instrument) -> u64 {
    let notional = Decimal::from(5_000);
    Decimal::from(opening_ticks(instrument))
        .checked_mul(instrument.tick.step())
        .and_then(|price| notional.checked_div(price))
        .and_then(|quantity| instrument.lot.whole_units(quantity).ok())
        .map_or(1, |(lots, _)| lots)
        .clamp(1, 1_000_000)
}

/// Pseudo-random numbers by SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014): small, seeded, and the same on every machine.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is above zero. Small bounds make its bias immaterial.
    const fn below(&mut self, bound: u64) -> u64 {
        match self.next().checked_rem(bound) {
            Some(number) => number,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests;

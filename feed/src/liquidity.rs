//! Depth as resting liquidity: the best levels of a source's book, as targets for the mirror.
//!
//! Invariant: what [`Liquidity`] has told so far, folded onto an empty book, is the best N
//! levels a side of the source's book, of those that the instrument can show: prices on the
//! tick, quantities in whole lots, rounded down, at least one.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use shardbook_engine::command::{FeedSource, MirrorLevel, MirrorScope, MirrorUpdate};
use shardbook_engine::instrument::{Instrument, UnitsError};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Quantity;
use shardbook_engine::side::Side;

use crate::local_book::Depth;
use crate::message::{DepthDiff, Level};
use crate::status::{Counts, SkipReason};

/// The best levels of one source's book as one instrument shows them.
#[derive(Clone, Debug)]
pub struct Liquidity {
    instrument: Arc<Instrument>,
    source: FeedSource,
    levels_max: usize,
    bids: Mirrored,
    asks: Mirrored,
}

/// What is mirrored of one side. Prices are kept as places, lower being better on both sides.
type Mirrored = BTreeMap<Place, Quantity>;

/// A price's place in its side's order, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u64);

impl Place {
    const fn of(side: Side, price: Price) -> Self {
        Self(match side {
            Side::Buy => u64::MAX - price.ticks(),
            Side::Sell => price.ticks(),
        })
    }

    fn price(self, side: Side) -> Option<Price> {
        Price::new(match side {
            Side::Buy => u64::MAX - self.0,
            Side::Sell => self.0,
        })
    }
}

impl Liquidity {
    /// Mirrors at most `levels_max` levels a side; nothing is mirrored yet.
    #[must_use]
    pub const fn new(instrument: Arc<Instrument>, source: FeedSource, levels_max: usize) -> Self {
        Self {
            instrument,
            source,
            levels_max,
            bids: Mirrored::new(),
            asks: Mirrored::new(),
        }
    }

    /// The whole of it anew: after a snapshot, or when the exchange may have missed an update.
    pub fn restate(&mut self, depth: &Depth, counts: &mut Counts) -> MirrorUpdate {
        let mut levels = Vec::new();
        for side in [Side::Buy, Side::Sell] {
            let mirrored: Mirrored = depth
                .levels(side)
                .filter_map(|level| self.convert(side, level, counts))
                .take(self.levels_max)
                .collect();
            levels.extend(
                mirrored
                    .iter()
                    .filter_map(|(place, quantity)| mirror_level(side, *place, *quantity)),
            );
            *self.side_mut(side) = mirrored;
        }
        self.update(depth, MirrorScope::Whole, levels)
    }

    /// What a diff changed among the best levels. `depth` has taken the diff already.
    pub fn follow(&mut self, depth: &Depth, diff: &DepthDiff, counts: &mut Counts) -> MirrorUpdate {
        let mut levels = Vec::new();
        for (side, changed) in [(Side::Buy, &diff.bids), (Side::Sell, &diff.asks)] {
            self.follow_side(depth, side, changed, counts, &mut levels);
        }
        self.update(depth, MirrorScope::Changes, levels)
    }

    const fn update(
        &self,
        depth: &Depth,
        scope: MirrorScope,
        levels: Vec<MirrorLevel>,
    ) -> MirrorUpdate {
        MirrorUpdate {
            source: self.source,
            snapshot_id: depth.snapshot_id(),
            update_id: depth.update_id(),
            scope,
            levels,
        }
    }

    /// Levels up to the worst one mirrored are set; then the worst go if there are too many, or
    /// the book's next ones come in if there are too few. So the cost is that of what changed.
    fn follow_side(
        &mut self,
        depth: &Depth,
        side: Side,
        changed: &[Level],
        counts: &mut Counts,
        levels: &mut Vec<MirrorLevel>,
    ) {
        let mut mirrored = std::mem::take(self.side_mut(side));
        let mut before: BTreeMap<Place, Quantity> = BTreeMap::new();
        let was_full = mirrored.len() >= self.levels_max;
        let worst = mirrored.last_key_value().map(|(place, _)| *place);
        let limit = worst.filter(|_| was_full);
        for level in changed {
            let now = Level {
                price: level.price,
                quantity: depth.quantity(side, level.price),
            };
            let converted = self.convert(side, now, counts);
            let Some(place) = converted
                .map(|(place, _)| place)
                .or_else(|| self.place(side, now.price))
            else {
                continue;
            };
            if limit.is_some_and(|limit| place > limit) {
                continue;
            }
            let old = match converted {
                Some((_, quantity)) => mirrored.insert(place, quantity),
                None => mirrored.remove(&place),
            };
            before.entry(place).or_insert(old.unwrap_or_default());
        }
        while mirrored.len() > self.levels_max
            && let Some((place, quantity)) = mirrored.pop_last()
        {
            before.entry(place).or_insert(quantity);
        }
        if let Some(limit) = limit {
            let missing = self.levels_max.saturating_sub(mirrored.len());
            for (place, quantity) in self.beyond(depth, side, limit).take(missing) {
                before.entry(place).or_default();
                mirrored.insert(place, quantity);
            }
        }
        levels.extend(before.into_iter().filter_map(|(place, old)| {
            let new = mirrored.get(&place).copied().unwrap_or_default();
            if new == old {
                return None;
            }
            mirror_level(side, place, new)
        }));
        *self.side_mut(side) = mirrored;
    }

    /// The book's levels that are worse than `limit`, as the instrument shows them. Those that it
    /// can't show were counted when a message named them.
    fn beyond(
        &self,
        depth: &Depth,
        side: Side,
        limit: Place,
    ) -> impl Iterator<Item = (Place, Quantity)> {
        let limit = limit
            .price(side)
            .map(|price| Decimal::from(price.ticks()) * self.instrument.tick.step());
        limit
            .into_iter()
            .flat_map(move |limit| depth.levels_beyond(side, limit))
            .filter_map(move |level| self.try_convert(side, level).ok())
    }

    /// A level as the instrument shows it, or nothing for one that it can't show; which is
    /// counted, unless it has no quantity anyway.
    fn convert(&self, side: Side, level: Level, counts: &mut Counts) -> Option<(Place, Quantity)> {
        if level.quantity.is_zero() {
            return None;
        }
        match self.try_convert(side, level) {
            Ok(converted) => Some(converted),
            Err(reason) => {
                counts.skip(reason);
                None
            }
        }
    }

    fn try_convert(&self, side: Side, level: Level) -> Result<(Place, Quantity), SkipReason> {
        let ticks = self.instrument.tick.units(level.price).map_err(off_tick)?;
        let price = Price::new(ticks).ok_or(SkipReason::OutOfRange)?;
        let (lots, _) = self
            .instrument
            .lot
            .whole_units(level.quantity)
            .map_err(|_| SkipReason::OutOfRange)?;
        let quantity = Quantity::new(lots).ok_or(SkipReason::OutOfRange)?;
        if quantity.is_zero() {
            return Err(SkipReason::QuantityBelowLot);
        }
        Ok((Place::of(side, price), quantity))
    }

    fn place(&self, side: Side, price: Decimal) -> Option<Place> {
        let ticks = self.instrument.tick.units(price).ok()?;
        Some(Place::of(side, Price::new(ticks)?))
    }

    const fn side_mut(&mut self, side: Side) -> &mut Mirrored {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

const fn off_tick(error: UnitsError) -> SkipReason {
    match error {
        UnitsError::Between { .. } => SkipReason::PriceOffTick,
        UnitsError::OutOfRange { .. } => SkipReason::OutOfRange,
    }
}

fn mirror_level(side: Side, place: Place, quantity: Quantity) -> Option<MirrorLevel> {
    Some(MirrorLevel {
        side,
        price: place.price(side)?,
        quantity,
    })
}

#[cfg(test)]
mod tests;

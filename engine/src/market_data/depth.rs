//! The book as levels: how much rests at each price, in how many orders.

use std::collections::BTreeMap;

use crate::id::Sequence;
use crate::market_data::change::BookDelta;
use crate::price::Price;
use crate::quantity::{Quantity, Volume};
use crate::side::Side;
use crate::time::Timestamp;

/// What rests at one price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// How much.
    pub volume: Volume,
    /// In how many orders.
    pub orders: u64,
}

/// One side's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTotals {
    /// Prices at which something rests.
    pub levels: usize,
    /// Orders that rest.
    pub orders: u64,
    /// How much rests.
    pub volume: Volume,
}

/// Both sides' levels, and which of them the record at hand has touched.
#[derive(Debug, Default)]
pub(super) struct Depth {
    bids: Ladder,
    asks: Ladder,
    /// Every touch of a level by the record at hand, with its volume before that touch.
    touched: Vec<Touch>,
}

#[derive(Debug, Default)]
struct Ladder {
    levels: BTreeMap<Price, Level>,
    orders: u64,
    volume: Volume,
}

#[derive(Clone, Copy, Debug)]
struct Touch {
    side: Side,
    price: Price,
    before: Volume,
}

impl Depth {
    /// An order of `quantity` comes to rest.
    pub(super) fn join(&mut self, side: Side, price: Price, quantity: Quantity) {
        self.touch(side, price);
        self.restore(side, price, quantity);
    }

    /// Puts back an order that rested before, which no delta tells of.
    pub(super) fn restore(&mut self, side: Side, price: Price, quantity: Quantity) {
        let ladder = self.ladder_mut(side);
        ladder.orders += 1;
        ladder.volume += quantity;
        let level = ladder.levels.entry(price).or_default();
        level.orders += 1;
        level.volume += quantity;
    }

    /// A resting order shrinks by `by` and stays.
    pub(super) fn shrink(&mut self, side: Side, price: Price, by: Quantity) {
        self.touch(side, price);
        let ladder = self.ladder_mut(side);
        ladder.volume -= by;
        ladder.level_mut(price).volume -= by;
    }

    /// A resting order of which `quantity` is left goes.
    pub(super) fn leave(&mut self, side: Side, price: Price, quantity: Quantity) {
        self.shrink(side, price, quantity);
        let ladder = self.ladder_mut(side);
        ladder.orders -= 1;
        let level = ladder.level_mut(price);
        level.orders -= 1;
        if level.orders == 0 {
            assert!(level.volume.is_zero(), "a level without orders is empty");
            ladder.levels.remove(&price);
        }
    }

    /// What the record at hand changed, if anything; the next record starts afresh.
    pub(super) fn take_delta(
        &mut self,
        previous_sequence: Sequence,
        timestamp: Timestamp,
    ) -> Option<BookDelta> {
        let mut touched = std::mem::take(&mut self.touched);
        // Stable, so that a level's first touch, which knows its volume before the record, leads.
        touched.sort_by_key(|touch| (touch.side, touch.price));
        touched.dedup_by_key(|touch| (touch.side, touch.price));
        let (levels, touches) = (&*self, &touched);
        let changed = |side| {
            touches
                .iter()
                .filter(move |touch| touch.side == side)
                .map(move |touch| {
                    (
                        touch.before,
                        touch.price,
                        levels.volume_at(side, touch.price),
                    )
                })
                .filter(|(before, _, now)| before != now)
                .map(|(_, price, now)| (price, now))
        };
        let bids: Vec<_> = changed(Side::Buy).rev().collect();
        let asks: Vec<_> = changed(Side::Sell).collect();
        touched.clear();
        self.touched = touched;
        let is_changed = !bids.is_empty() || !asks.is_empty();
        is_changed.then_some(BookDelta {
            previous_sequence,
            timestamp,
            bids,
            asks,
        })
    }

    /// The levels of one side, best first.
    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Level)> {
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.levels.iter().rev()), None),
            Side::Sell => (None, Some(self.asks.levels.iter())),
        };
        bids.into_iter()
            .flatten()
            .chain(asks.into_iter().flatten())
            .map(|(price, level)| (*price, *level))
    }

    /// The best price of one side.
    pub(super) fn best(&self, side: Side) -> Option<(Price, Level)> {
        let levels = &self.ladder(side).levels;
        let best = match side {
            Side::Buy => levels.last_key_value(),
            Side::Sell => levels.first_key_value(),
        };
        best.map(|(price, level)| (*price, *level))
    }

    /// One side's sums.
    pub(super) fn totals(&self, side: Side) -> SideTotals {
        let ladder = self.ladder(side);
        SideTotals {
            levels: ladder.levels.len(),
            orders: ladder.orders,
            volume: ladder.volume,
        }
    }

    fn volume_at(&self, side: Side, price: Price) -> Volume {
        self.ladder(side)
            .levels
            .get(&price)
            .map_or(Volume::ZERO, |level| level.volume)
    }

    fn touch(&mut self, side: Side, price: Price) {
        let before = self.volume_at(side, price);
        self.touched.push(Touch {
            side,
            price,
            before,
        });
    }

    const fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

impl Ladder {
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn level_mut(&mut self, price: Price) -> &mut Level {
        self.levels
            .get_mut(&price)
            .expect("a resting order's price has a level")
    }
}

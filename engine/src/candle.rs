//! What was traded in a stretch of time: first, highest, lowest and last price, and sums.
//!
//! Exact: prices in ticks, sums in whole lots and ticks times lots. Candles of one minute are
//! kept; those of longer intervals, and windows that begin with a minute, are put together from
//! them, which gives the same as counting their trades.

use crate::price::Price;
use crate::quantity::{Notional, Quantity, Volume};
use crate::time::{Minutes, Timestamp};

/// The trades of one interval; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// The interval's first microsecond.
    pub open_time: Timestamp,
    /// The first trade's price.
    pub open: Price,
    /// The highest price.
    pub high: Price,
    /// The lowest price.
    pub low: Price,
    /// The last trade's price.
    pub close: Price,
    /// How much was traded.
    pub volume: Volume,
    /// Prices times quantities.
    pub notional: Notional,
    /// How many trades.
    pub trade_count: u64,
}

impl Candle {
    /// The candle that begins at `open_time` with one trade.
    #[must_use]
    pub fn begin(open_time: Timestamp, price: Price, quantity: Quantity) -> Self {
        Self {
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: quantity.into(),
            notional: price * quantity,
            trade_count: 1,
        }
    }

    /// Takes in the next trade.
    pub fn add(&mut self, price: Price, quantity: Quantity) {
        self.append(&Self::begin(self.open_time, price, quantity));
    }

    /// Takes in a candle whose trades all came later.
    pub fn append(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
        self.notional += later.notional;
        self.trade_count += later.trade_count;
    }

    /// Puts candles, oldest first, together to one; `None` of none. It begins where the first
    /// does.
    pub fn sum(candles: impl IntoIterator<Item = Self>) -> Option<Self> {
        candles.into_iter().reduce(|mut sum, candle| {
            sum.append(&candle);
            sum
        })
    }
}

/// Puts candles, oldest first, together to those of a longer interval. Intervals are counted
/// from 1970-01-01, so that those of a day are UTC days.
#[must_use]
pub fn gather(candles: &[Candle], interval: Minutes) -> Vec<Candle> {
    let mut gathered: Vec<Candle> = Vec::new();
    for candle in candles {
        let open_time = candle.open_time.floor(interval);
        match gathered.last_mut() {
            Some(last) if last.open_time == open_time => last.append(candle),
            Some(_) | None => gathered.push(Candle {
                open_time,
                ..*candle
            }),
        }
    }
    gathered
}

//! Where a level stands: how good its price is to those who trade against it.

use crate::price::{Price, TICKS_MAX};
use crate::side::Side;

/// How far a price is from the best thinkable one of its side: the lower, the better, for bids
/// and asks alike, so that a side's code need not know which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Rank(u64);

impl Rank {
    /// The rank of a price among the orders that rest on `side`.
    pub(super) const fn of(side: Side, price: Price) -> Self {
        Self(match side {
            Side::Buy => TICKS_MAX - price.ticks(),
            Side::Sell => price.ticks(),
        })
    }

    /// The rank so many ticks from the best thinkable one.
    pub(super) const fn new(ticks: u64) -> Self {
        Self(ticks)
    }

    /// How many ticks it is from the best thinkable one.
    pub(super) const fn ticks(self) -> u64 {
        self.0
    }

    /// The price it stands for on `side`.
    #[expect(
        clippy::expect_used,
        reason = "ranks are made of prices, or a bug stops the shard"
    )]
    pub(super) const fn price(self, side: Side) -> Price {
        Price::new(match side {
            Side::Buy => TICKS_MAX - self.0,
            Side::Sell => self.0,
        })
        .expect("a rank stands for a price")
    }
}

/// Which level of which side. Sorted, the bids come before the asks, and the best first: the
/// order in which a mirror update goes through its levels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LevelKey(u64);

impl LevelKey {
    /// Above every rank's bits.
    const SELL: u64 = 1 << 63;

    /// The level of `price` on `side`.
    pub(super) const fn new(side: Side, price: Price) -> Self {
        let rank = Rank::of(side, price).ticks();
        Self(match side {
            Side::Buy => rank,
            Side::Sell => rank | Self::SELL,
        })
    }

    /// Bids or asks.
    pub(super) const fn side(self) -> Side {
        if self.0 & Self::SELL == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// How good it is.
    pub(super) const fn rank(self) -> Rank {
        Rank(self.0 & !Self::SELL)
    }

    /// Its price.
    pub(super) const fn price(self) -> Price {
        self.rank().price(self.side())
    }
}

impl std::fmt::Debug for LevelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:?}", self.side(), self.price())
    }
}

//! Quantities, as whole numbers of the instrument's lots, and their products with prices.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub, SubAssign};

use crate::price::Price;

/// The most lots an order can have: 10^12.
pub const LOTS_MAX: u64 = 1_000_000_000_000;

/// A quantity of one order or trade in lots, from 0 to [`LOTS_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u64);

impl Quantity {
    /// No lots.
    pub const ZERO: Self = Self(0);

    /// The quantity of `lots` lots, or `None` above [`LOTS_MAX`].
    #[must_use]
    pub const fn new(lots: u64) -> Option<Self> {
        if lots > LOTS_MAX {
            None
        } else {
            Some(Self(lots))
        }
    }

    /// How many lots.
    #[must_use]
    pub const fn lots(self) -> u64 {
        self.0
    }

    /// Whether there are no lots.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Both together, or `None` above [`LOTS_MAX`].
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(lots) => Self::new(lots),
            None => None,
        }
    }

    /// What is left after taking `other` away, or `None` if `other` is more.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(lots) => Some(Self(lots)),
            None => None,
        }
    }

    /// What is left after taking `other` away, nothing if `other` is more.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Panics below zero: taking more than there is would be a bug of the book.
impl Sub for Quantity {
    type Output = Self;

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn sub(self, other: Self) -> Self {
        self.checked_sub(other)
            .expect("no more is taken than there is")
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// Quantities summed over orders or trades, in lots: `u128` holds more of them than `u64` counts,
/// in units of a lot's last digit, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Volume(u128);

impl Volume {
    /// No lots.
    pub const ZERO: Self = Self(0);

    /// The volume of `lots` lots.
    #[must_use]
    pub const fn new(lots: u128) -> Self {
        Self(lots)
    }

    /// How many lots.
    #[must_use]
    pub const fn lots(self) -> u128 {
        self.0
    }

    /// Whether there are no lots.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl From<Quantity> for Volume {
    fn from(quantity: Quantity) -> Self {
        Self(u128::from(quantity.0))
    }
}

impl Add for Volume {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign<Quantity> for Volume {
    fn add_assign(&mut self, quantity: Quantity) {
        self.0 += u128::from(quantity.0);
    }
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

/// Panics below zero: taking more than there is would be a bug of the book.
impl SubAssign<Quantity> for Volume {
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn sub_assign(&mut self, quantity: Quantity) {
        self.0 = self
            .0
            .checked_sub(u128::from(quantity.0))
            .expect("no more is taken than there is");
    }
}

impl Sum for Volume {
    fn sum<I: Iterator<Item = Self>>(volumes: I) -> Self {
        volumes.fold(Self::ZERO, Add::add)
    }
}

/// A price times a quantity, or a sum of such products, in ticks times lots.
///
/// No sum leaves `u128`: a product is at most 10^12 ticks times 10^12 lots, so that 3.4 * 10^14
/// trades of the largest kind fit. What is summed up is one instrument's day at most (candles,
/// windows, positions) or one order, whose quantity bounds it; and for so many trades in a day a
/// book would have to match 3,900 of them each microsecond. All clients' sums together are twice
/// that and are only ever added up as decimals of 256 bits. Trades and sequences are counted in
/// `u64`, which that rate would fill after more than a century.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notional(u128);

impl Notional {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The notional of so many ticks times lots.
    #[must_use]
    pub const fn new(ticks_times_lots: u128) -> Self {
        Self(ticks_times_lots)
    }

    /// How many ticks times lots.
    #[must_use]
    pub const fn ticks_times_lots(self) -> u128 {
        self.0
    }
}

impl Mul<Quantity> for Price {
    type Output = Notional;

    fn mul(self, quantity: Quantity) -> Notional {
        Notional(u128::from(self.ticks()) * u128::from(quantity.lots()))
    }
}

impl Add for Notional {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Notional {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Notional {
    fn sum<I: Iterator<Item = Self>>(notionals: I) -> Self {
        notionals.fold(Self::ZERO, Add::add)
    }
}

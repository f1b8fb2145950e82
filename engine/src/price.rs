//! A price, as a whole number of the instrument's ticks.

use std::fmt;
use std::num::NonZeroU64;

/// The most ticks a price can have: 10^12. Bounds a record's size and keeps notionals in `u128`.
pub const TICKS_MAX: u64 = 1_000_000_000_000;

/// A price in ticks, from 1 to [`TICKS_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(NonZeroU64);

impl Price {
    /// The price of `ticks` ticks, or `None` outside 1 to [`TICKS_MAX`].
    #[must_use]
    pub const fn new(ticks: u64) -> Option<Self> {
        if ticks > TICKS_MAX {
            return None;
        }
        match NonZeroU64::new(ticks) {
            Some(ticks) => Some(Self(ticks)),
            None => None,
        }
    }

    /// How many ticks.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ticks", self.0)
    }
}

//! Points in time, as the exchange stamps them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MICROSECONDS_PER_DAY: u64 = 86_400_000_000;

const MICROSECONDS_PER_MINUTE: u64 = 60_000_000;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point in time so many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_microseconds(microseconds: u64) -> Self {
        Self(microseconds)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn microseconds(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The last point in time at or before it that is a whole number of `interval`s after
    /// 1970-01-01.
    #[must_use]
    pub const fn floor(self, interval: Minutes) -> Self {
        Self(self.0 - self.0 % interval.microseconds())
    }

    /// The first such point in time at or after it.
    #[must_use]
    pub const fn ceil(self, interval: Minutes) -> Self {
        let floor = self.floor(interval);
        if floor.0 == self.0 {
            return self;
        }
        floor.after(interval)
    }

    /// So much earlier; 1970-01-01 at the earliest.
    #[must_use]
    pub const fn before(self, span: Minutes) -> Self {
        Self(self.0.saturating_sub(span.microseconds()))
    }

    /// So much later.
    #[must_use]
    pub const fn after(self, span: Minutes) -> Self {
        Self(self.0.saturating_add(span.microseconds()))
    }

    /// The UTC day it falls in.
    #[must_use]
    pub const fn day(self) -> Day {
        Day(self.0 / MICROSECONDS_PER_DAY)
    }
}

/// A span of whole minutes, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minutes(u32);

impl Minutes {
    /// One.
    pub const ONE: Self = Self(1);

    /// So many minutes, or `None` for zero.
    #[must_use]
    pub const fn new(minutes: u32) -> Option<Self> {
        if minutes == 0 {
            None
        } else {
            Some(Self(minutes))
        }
    }

    /// So many hours; at least one.
    #[must_use]
    pub const fn hours(hours: u16) -> Self {
        #[expect(clippy::as_conversions, reason = "widens")]
        let hours = hours as u32;
        Self(if hours == 0 { 60 } else { hours * 60 })
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    const fn microseconds(self) -> u64 {
        #[expect(clippy::as_conversions, reason = "widens")]
        let minutes = self.0 as u64;
        minutes * MICROSECONDS_PER_MINUTE
    }
}

/// A UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// The last day that a stamp can fall in.
    pub const MAX: Self = Timestamp(u64::MAX).day();

    /// The day so many days after 1970-01-01.
    #[must_use]
    pub const fn from_days_since_epoch(days: u64) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days_since_epoch(self) -> u64 {
        self.0
    }

    /// The day after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its first microsecond.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(MICROSECONDS_PER_DAY))
    }
}

/// Where stamps come from; handed in, so that tests can turn it.
pub trait Clock: Send + Sync {
    /// What time it is now. May go backwards: whoever stamps takes care of that.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }
}

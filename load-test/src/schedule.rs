//! When each order is due.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

/// A constant rate. Orders are handed out in their order, by whoever asks first.
#[derive(Debug)]
pub(crate) struct Schedule {
    start: Instant,
    rate: NonZeroU32,
    count: u64,
    next: AtomicU64,
}

/// One order's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Which order, from 0.
    pub(crate) index: u64,
    /// When it should be sent, and what its latency counts from.
    pub(crate) at: Instant,
}

impl Schedule {
    /// `count` orders from `start` on, `rate` a second.
    pub(crate) const fn new(start: Instant, rate: NonZeroU32, count: u64) -> Self {
        Self {
            start,
            rate,
            count,
            next: AtomicU64::new(0),
        }
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// When an order is due. Each time is reckoned from the start, so that no error adds up.
    pub(crate) fn due_at(&self, index: u64) -> Instant {
        let nanoseconds = u128::from(index) * NANOSECONDS_PER_SECOND / u128::from(self.rate.get());
        let since_start = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
        self.start + Duration::from_nanos(since_start)
    }

    /// The next order that nobody has taken; `None` after the last.
    pub(crate) fn take(&self) -> Option<Due> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.count).then(|| Due {
            index,
            at: self.due_at(index),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_due_at_equal_intervals_without_drift() {
        let start = Instant::now();
        let schedule = Schedule::new(start, NonZeroU32::new(3).unwrap(), 10);
        assert_eq!(schedule.due_at(0), start);
        assert_eq!(
            schedule.due_at(1),
            start + Duration::from_nanos(333_333_333)
        );
        assert_eq!(schedule.due_at(3), start + Duration::from_secs(1));
        assert_eq!(
            schedule.due_at(3_000_000),
            start + Duration::from_secs(1_000_000)
        );
    }

    #[test]
    fn each_order_is_taken_once_and_none_after_the_last() {
        let schedule = Schedule::new(Instant::now(), NonZeroU32::MIN, 2);
        let taken: Vec<_> = std::iter::from_fn(|| schedule.take())
            .map(|due| due.index)
            .collect();
        assert_eq!(taken, [0, 1]);
        assert_eq!(schedule.take(), None);
    }
}

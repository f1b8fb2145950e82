//! When each request is due, and who sends it.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

/// Hands requests out in their order, to whoever asks first.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    next: AtomicU64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Open {
        rate: NonZeroU32,
        total: u64,
        /// One permit for each request that is due and not taken yet. However far the exchange
        /// falls behind, this is a number and no queue.
        due: Semaphore,
    },
    Closed {
        end: Instant,
    },
}

/// How many requests a sender takes at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// It waits until so many are due; the last ones of a run may be fewer.
    pub(crate) least: u32,
    /// It takes no more.
    pub(crate) most: u32,
}

/// Requests that one sender has taken.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    requests: Range<u64>,
    start: Instant,
    /// `None` where they are due as soon as somebody has time for them, which `start` then is.
    rate: Option<NonZeroU32>,
}

impl Pace {
    /// A constant rate from `start` on, whatever the exchange does: a request's latency counts
    /// from when it was due. Needs [`Pace::keep_time`] in a thread beside it.
    pub(crate) fn open(start: Instant, rate: NonZeroU32, seconds: NonZeroU32) -> Self {
        Self {
            start,
            next: AtomicU64::new(0),
            kind: Kind::Open {
                rate,
                total: u64::from(rate.get()) * u64::from(seconds.get()),
                due: Semaphore::new(0),
            },
        }
    }

    /// Whoever has its answers asks again at once, until the time is up: the most that the
    /// exchange can do, and no measure of how long one waits for it.
    pub(crate) fn closed(start: Instant, seconds: NonZeroU32) -> Self {
        Self {
            start,
            next: AtomicU64::new(0),
            kind: Kind::Closed {
                end: start + Duration::from_secs(seconds.get().into()),
            },
        }
    }

    /// When it began.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// How many requests it hands out, where that is fixed.
    pub(crate) const fn total(&self) -> Option<u64> {
        match self.kind {
            Kind::Open { total, .. } => Some(total),
            Kind::Closed { .. } => None,
        }
    }

    /// Says what is due, until all is; the runtime's timers count milliseconds, which is long for
    /// an order.
    pub(crate) fn keep_time(&self) {
        let Kind::Open { rate, total, due } = &self.kind else {
            return;
        };
        let mut said = 0;
        while said < *total {
            let next = due_at(self.start, *rate, said);
            let wait = next.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
            let count = due_by(self.start.elapsed(), *rate).clamp(said + 1, *total);
            due.add_permits(usize::try_from(count - said).unwrap_or(Semaphore::MAX_PERMITS));
            said = count;
        }
        // From here on nobody waits, and whoever asks finds nothing left.
        due.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// The next requests that nobody has taken; `None` at the end.
    pub(crate) async fn take(&self, wanted: Wanted) -> Option<Turn> {
        match &self.kind {
            Kind::Open { rate, total, due } => {
                due.acquire_many(wanted.least).await.ok()?.forget();
                let room = usize::try_from(wanted.most - wanted.least).unwrap_or(0);
                let more = due.forget_permits(room);
                let count = u64::from(wanted.least) + u64::try_from(more).ok()?;
                let first = self.next.fetch_add(count, Ordering::Relaxed);
                (first < *total).then(|| Turn {
                    requests: first..(first + count).min(*total),
                    start: self.start,
                    rate: Some(*rate),
                })
            }
            Kind::Closed { end } => {
                let now = Instant::now();
                (now < *end).then(|| {
                    let count = u64::from(wanted.most);
                    let first = self.next.fetch_add(count, Ordering::Relaxed);
                    Turn {
                        requests: first..first + count,
                        start: now,
                        rate: None,
                    }
                })
            }
        }
    }
}

impl Turn {
    /// How many.
    pub(crate) const fn count(&self) -> u64 {
        self.requests.end - self.requests.start
    }

    /// Each request's number, with when it was due.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (u64, Instant)> {
        self.requests.clone().map(|number| {
            let due = self
                .rate
                .map_or(self.start, |rate| due_at(self.start, rate, number));
            (number, due)
        })
    }
}

/// When a request is due. Each time is reckoned from the start, so that no error adds up.
fn due_at(start: Instant, rate: NonZeroU32, number: u64) -> Instant {
    let nanoseconds = u128::from(number) * NANOSECONDS_PER_SECOND / u128::from(rate.get());
    start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// How many requests are due so long after the start.
fn due_by(elapsed: Duration, rate: NonZeroU32) -> u64 {
    let count = elapsed.as_nanos() * u128::from(rate.get()) / NANOSECONDS_PER_SECOND;
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Wanted = Wanted { least: 1, most: 1 };

    fn number(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).unwrap()
    }

    #[test]
    fn requests_are_due_at_equal_intervals_without_drift() {
        let start = Instant::now();
        let due_after = |number| due_at(start, self::number(3), number) - start;
        assert_eq!(due_after(0), Duration::ZERO);
        assert_eq!(due_after(1), Duration::from_nanos(333_333_333));
        assert_eq!(due_after(3), Duration::from_secs(1));
        assert_eq!(due_after(3_000_000), Duration::from_secs(1_000_000));
    }

    #[tokio::test]
    async fn each_request_is_taken_once_and_none_after_the_last() {
        let start = Instant::now() - Duration::from_secs(10);
        let pace = Pace::open(start, number(1), number(4));
        pace.keep_time();
        let mut taken = Vec::new();
        for wanted in [ONE, Wanted { least: 1, most: 9 }, ONE] {
            let turn = pace.take(wanted).await;
            taken.extend(turn.iter().flat_map(Turn::requests));
        }
        let due = |number| (number, start + Duration::from_secs(number));
        assert_eq!(taken, [due(0), due(1), due(2), due(3)]);
    }

    #[tokio::test]
    async fn the_last_requests_of_a_run_may_be_fewer_than_wanted() {
        let start = Instant::now() - Duration::from_secs(10);
        let pace = Pace::open(start, number(5), number(1));
        pace.keep_time();
        let three = Wanted { least: 3, most: 3 };
        let mut counts = Vec::new();
        while let Some(turn) = pace.take(three).await {
            counts.push(turn.count());
        }
        assert_eq!(counts, [3, 2]);
    }

    #[tokio::test]
    async fn in_a_closed_loop_a_request_is_due_when_somebody_has_time_for_it() {
        let before = Instant::now();
        let pace = Pace::closed(before, number(1_000));
        let turn = pace.take(Wanted { least: 1, most: 3 }).await.unwrap();
        let taken: Vec<_> = turn.requests().collect();
        assert_eq!(
            taken.iter().map(|taken| taken.0).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert!(taken.iter().all(|taken| taken.1 >= before));
        let over = Pace::closed(before - Duration::from_secs(10), number(1));
        assert!(over.take(ONE).await.is_none());
    }
}

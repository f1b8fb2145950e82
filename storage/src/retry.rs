//! How long to wait before trying again: exponential back-off with jitter.
//!
//! The one place in this crate that knows the crate `backoff`, which does what it should but is
//! no longer maintained.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

/// The first wait, give or take half.
const DELAY_MIN: Duration = Duration::from_millis(100);

/// The longest wait, give or take half: how late a database's return may be noticed.
const DELAY_MAX: Duration = Duration::from_secs(5);

/// The waits between tries that fail one after another.
#[derive(Debug)]
pub(crate) struct Retry(ExponentialBackoff);

impl Retry {
    pub(crate) fn new() -> Self {
        let policy = ExponentialBackoffBuilder::new()
            .with_initial_interval(DELAY_MIN)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_interval(DELAY_MAX)
            .with_max_elapsed_time(None)
            .build();
        Self(policy)
    }

    /// How long to wait after one more failure.
    pub(crate) fn delay(&mut self) -> Duration {
        // `None` would mean that the time for trying is over; it never is.
        self.0.next_backoff().unwrap_or(DELAY_MAX)
    }

    /// After a success the next failure waits shortly again.
    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::{DELAY_MAX, DELAY_MIN, Retry};

    #[test]
    fn delays_grow_with_jitter_up_to_a_bound_and_never_end() {
        let mut retry = Retry::new();
        let delays: Vec<_> = (0..1_000).map(|_| retry.delay()).collect();
        assert!(delays[0] >= DELAY_MIN / 2 && delays[0] <= DELAY_MIN * 3 / 2);
        assert!(delays.iter().all(|delay| *delay <= DELAY_MAX * 3 / 2));
        assert!(delays[100..].iter().all(|delay| *delay >= DELAY_MAX / 2));
        retry.reset();
        assert!(retry.delay() <= DELAY_MIN * 3 / 2);
    }
}

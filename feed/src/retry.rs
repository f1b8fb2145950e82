//! How long to wait before trying again. The one place that knows the crate `backoff`, which is
//! unmaintained: another can take its place here.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// Waits that double up to a longest one, each spread by half of itself up and down, so that
/// many who lost the same server do not come back at the same moment.
#[derive(Debug)]
pub(crate) struct Retry {
    waits: ExponentialBackoff,
}

impl Retry {
    /// Waits of `first` to begin with, `longest` at most (before the spread).
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        let mut waits = ExponentialBackoff {
            initial_interval: first,
            randomization_factor: 0.5,
            multiplier: 2.0,
            max_interval: longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        waits.reset();
        Self { waits }
    }

    /// The next wait.
    pub(crate) fn next_wait(&mut self) -> Duration {
        self.waits.next_backoff().unwrap_or(self.waits.max_interval)
    }

    /// Begins with the first wait again: something worked.
    pub(crate) fn reset(&mut self) {
        self.waits.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut retry = Retry::new(Duration::from_secs(1), Duration::from_secs(8));
        for around in [1_000, 2_000, 4_000, 8_000, 8_000, 8_000] {
            let wait = retry.next_wait().as_millis();
            assert!(
                (around / 2..=around * 3 / 2 + 1).contains(&wait),
                "{wait} ms is not around {around} ms"
            );
        }
        retry.reset();
        assert!(retry.next_wait() <= Duration::from_millis(1_501));
    }
}

//! Logs that come by the thousand, told once a while.

use std::time::{Duration, Instant};

/// Lets one line through per interval and counts the others.
#[derive(Debug)]
pub(crate) struct Quiet {
    interval: Duration,
    last: Option<Instant>,
    held_back: u64,
}

impl Quiet {
    /// One line per `interval`.
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            held_back: 0,
        }
    }

    /// Whether to log now; if so, how many lines were held back since the last.
    pub(crate) fn speak(&mut self, now: Instant) -> Option<u64> {
        let too_soon = self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < self.interval);
        if too_soon {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_an_interval_is_let_through_and_says_how_many_were_not() {
        let start = Instant::now();
        let mut quiet = Quiet::new(Duration::from_secs(60));
        let said: Vec<Option<u64>> = [0, 1, 59, 60, 61, 200]
            .into_iter()
            .map(|seconds| quiet.speak(start + Duration::from_secs(seconds)))
            .collect();
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}

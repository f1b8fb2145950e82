//! How many lines a second may have.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// So many a second, counted from the first of each second on.
#[derive(Debug)]
pub(super) struct Allowance {
    per_second: NonZeroU32,
    began: Instant,
    taken: u32,
}

impl Allowance {
    pub(super) const fn new(per_second: NonZeroU32, now: Instant) -> Self {
        Self {
            per_second,
            began: now,
            taken: 0,
        }
    }

    /// Whether there is room for one more.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.began) >= Duration::from_secs(1) {
            self.began = now;
            self.taken = 0;
        }
        let has_room = self.taken < self.per_second.get();
        self.taken += u32::from(has_room);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_lines_and_no_more() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut allowance = Allowance::new(NonZeroU32::new(2).unwrap(), start);
        let asked = [0, 10, 20, 999, 1_000, 1_001, 1_002, 9_000];
        let given: Vec<_> = asked.map(|at| allowance.take(after(at))).into();
        assert_eq!(given, [true, true, false, false, true, true, false, true]);
    }
}

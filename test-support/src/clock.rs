//! Time as a test says it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::DateTime;
use shardbook_engine::time::{Clock, Timestamp};

/// A clock that stands until it is set, at the beginning of 1970 unless it is told otherwise.
/// Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// It shows `time`, RFC 3339.
    #[must_use]
    pub fn at(time: &str) -> Self {
        Self(Arc::new(AtomicU64::new(microseconds(time))))
    }

    /// Sets it to `time`, RFC 3339.
    pub fn set(&self, time: &str) {
        self.0.store(microseconds(time), Ordering::Relaxed);
    }

    /// Sets it forward.
    pub fn forward(&self, by: Duration) {
        let by = u64::try_from(by.as_micros()).expect("some years at the most");
        self.0.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.0.load(Ordering::Relaxed))
    }
}

fn microseconds(time: &str) -> u64 {
    let time = DateTime::parse_from_rfc3339(time).expect("a time as RFC 3339 has it");
    u64::try_from(time.timestamp_micros()).expect("a time since 1970")
}

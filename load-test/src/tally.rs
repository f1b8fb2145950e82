//! What a run found out, counted while it goes on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

/// Latencies of the whole run are kept to three digits, those of one second to two.
const SIGNIFICANT_DIGITS: u8 = 3;
const SECOND_SIGNIFICANT_DIGITS: u8 = 2;

/// Latencies, answers by status, and what failed.
#[derive(Debug)]
pub(crate) struct Tally {
    start: Instant,
    latencies_microseconds: Histogram<u64>,
    /// The latencies of what was answered in each second since the start.
    seconds: Vec<Histogram<u64>>,
    statuses: BTreeMap<u16, u64>,
    /// Requests that got no answer, by what went wrong.
    failures: BTreeMap<String, u64>,
}

impl Tally {
    /// Of a run that begins then.
    pub(crate) fn new(start: Instant) -> Result<Self> {
        Ok(Self {
            start,
            latencies_microseconds: Histogram::new(SIGNIFICANT_DIGITS)?,
            seconds: Vec::new(),
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
        })
    }

    /// An answer came at `now` to a request that was due at `due`.
    pub(crate) fn answered(&mut self, due: Instant, now: Instant, status: u16) -> Result<()> {
        let latency = now.saturating_duration_since(due).as_micros();
        let latency = u64::try_from(latency)?;
        self.latencies_microseconds.record(latency)?;
        let second = usize::try_from(now.saturating_duration_since(self.start).as_secs())?;
        while self.seconds.len() <= second {
            self.seconds
                .push(Histogram::new(SECOND_SIGNIFICANT_DIGITS)?);
        }
        if let Some(second) = self.seconds.get_mut(second) {
            second.record(latency)?;
        }
        *self.statuses.entry(status).or_default() += 1;
        Ok(())
    }

    /// So many requests got no answer.
    pub(crate) fn failed(&mut self, count: u64, error: &anyhow::Error) {
        *self.failures.entry(format!("{error:#}")).or_default() += count;
    }

    /// How many were answered.
    pub(crate) fn answers(&self) -> u64 {
        self.latencies_microseconds.len()
    }

    /// How many got each status.
    pub(crate) const fn statuses(&self) -> &BTreeMap<u16, u64> {
        &self.statuses
    }

    /// How many failed, by what went wrong.
    pub(crate) const fn failures(&self) -> &BTreeMap<String, u64> {
        &self.failures
    }

    /// Whether each request was answered, and none with a failure of the server's.
    pub(crate) fn all_well(&self) -> bool {
        self.failures.is_empty() && self.statuses.keys().all(|status| *status < 500)
    }

    /// The latency that so many percent of the requests did not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.latencies_microseconds.value_at_percentile(percent))
    }

    /// Of each second since the start, how many answers came in it and a percentile of their
    /// latencies.
    pub(crate) fn by_second(&self, percent: f64) -> impl Iterator<Item = (u64, Duration)> {
        self.seconds.iter().map(move |second| {
            let latency = second.value_at_percentile(percent);
            (second.len(), Duration::from_micros(latency))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_in_the_second_it_came_in() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut tally = Tally::new(start).unwrap();
        tally.answered(start, after(1), 201).unwrap();
        tally.answered(after(900), after(2_000), 201).unwrap();
        tally.answered(after(1_999), after(2_001), 422).unwrap();
        let counts: Vec<_> = tally.by_second(50.0).map(|(count, _)| count).collect();
        assert_eq!(counts, [1, 0, 2]);
        assert_eq!(tally.statuses(), &BTreeMap::from([(201, 2), (422, 1)]));
        assert_eq!(tally.percentile(50.0), Duration::from_millis(2));
        assert!(tally.percentile(100.0) >= Duration::from_millis(1_100));
    }

    #[test]
    fn a_failure_of_the_servers_or_of_the_connection_is_not_well() {
        let start = Instant::now();
        let mut tally = Tally::new(start).unwrap();
        tally.answered(start, start, 422).unwrap();
        assert!(tally.all_well());
        tally.failed(3, &anyhow::anyhow!("gone"));
        assert!(!tally.all_well());
        assert_eq!(tally.failures(), &BTreeMap::from([("gone".to_owned(), 3)]));
        let mut tally = Tally::new(start).unwrap();
        tally.answered(start, start, 503).unwrap();
        assert!(!tally.all_well());
    }
}

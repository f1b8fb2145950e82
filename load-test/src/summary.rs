//! What a run found out.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use hyper::StatusCode;

/// Latencies are kept to three digits.
const SIGNIFICANT_DIGITS: u8 = 3;

const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 50.0),
    ("p90", 90.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("max", 100.0),
];

/// Latencies, answers by status, and what failed.
#[derive(Debug)]
pub(crate) struct Summary {
    asked: u64,
    took: Duration,
    latencies_microseconds: Histogram<u64>,
    statuses: BTreeMap<u16, u64>,
    /// Orders that got no answer, by what went wrong.
    failures: BTreeMap<String, u64>,
}

impl Summary {
    /// Of a run, or of one connection's part in it, that was asked to send so many orders.
    pub(crate) fn new(asked: u64) -> Result<Self> {
        Ok(Self {
            asked,
            took: Duration::ZERO,
            latencies_microseconds: Histogram::new(SIGNIFICANT_DIGITS)?,
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
        })
    }

    /// An answer came, so long after its order was due.
    pub(crate) fn answered(&mut self, latency: Duration, status: StatusCode) -> Result<()> {
        self.latencies_microseconds
            .record(u64::try_from(latency.as_micros())?)?;
        *self.statuses.entry(status.as_u16()).or_default() += 1;
        Ok(())
    }

    /// No answer came.
    pub(crate) fn failed(&mut self, error: &anyhow::Error) {
        *self.failures.entry(format!("{error:#}")).or_default() += 1;
    }

    /// Takes in one connection's part.
    pub(crate) fn add(&mut self, part: &Self) -> Result<()> {
        self.latencies_microseconds
            .add(&part.latencies_microseconds)?;
        for (status, count) in &part.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (failure, count) in &part.failures {
            *self.failures.entry(failure.clone()).or_default() += count;
        }
        Ok(())
    }

    pub(crate) const fn took(&mut self, took: Duration) {
        self.took = took;
    }

    /// Whether each order was answered, and none with a failure of the server's.
    pub(crate) fn all_answered(&self) -> bool {
        self.failures.is_empty()
            && self.statuses.keys().all(|status| *status < 500)
            && self.latencies_microseconds.len() == self.asked
    }

    /// The latency that so many percent of the orders did not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.latencies_microseconds.value_at_percentile(percent))
    }

    fn count(counts: &BTreeMap<u16, u64>) -> u64 {
        counts.values().sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered = Self::count(&self.statuses);
        let per_second = u128::from(answered) * 1000 / self.took.as_millis().max(1);
        writeln!(
            f,
            "{answered} of {} orders answered in {:.1?}: {per_second}/s",
            self.asked, self.took
        )?;
        for (status, count) in &self.statuses {
            writeln!(f, "  status {status}: {count}")?;
        }
        for (failure, count) in &self.failures {
            writeln!(f, "  failed: {count} times {failure}")?;
        }
        write!(f, "latency since each order was due:")?;
        for (name, percent) in PERCENTILES {
            write!(f, " {name} {:?}", self.percentile(percent))?;
        }
        Ok(())
    }
}

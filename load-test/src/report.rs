//! A run's report: text for the terminal, and for a folder Markdown, JSON and a plot.

mod plot;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::run::{Finished, Load, Loop, Protocol};
use crate::subscribers::AllSeen;

const PERCENTILES: [(&str, f64); 6] = [
    ("p50", 50.0),
    ("p90", 90.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("p99.99", 99.99),
    ("max", 100.0),
];

/// What was sent, how fast, and what came of it. Times are milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    load: String,
    machine: String,
    seconds: f64,
    /// `None` in a closed loop.
    asked: Option<u64>,
    answered: u64,
    answered_per_second: f64,
    latency: BTreeMap<&'static str, f64>,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribers: Option<AllSeen>,
    by_second: Vec<Second>,
    /// Latencies at finely spaced percentiles, for the plot.
    #[serde(skip)]
    curve: Vec<(f64, f64)>,
}

#[derive(Debug, Serialize)]
struct Second {
    answered: u64,
    p50: f64,
    p99: f64,
}

/// A load in words.
pub(crate) fn describe(load: &Load) -> String {
    let how = match load.protocol {
        Protocol::Single => "HTTP, single orders".to_owned(),
        Protocol::Batch { orders } => format!("HTTP, batches of {orders}"),
        Protocol::WebSocket { in_flight } => {
            format!("WebSocket, at most {in_flight} in flight on each connection")
        }
    };
    let pace = match load.pace {
        Loop::Open { rate } => format!("open loop at {rate} requests/s"),
        Loop::Closed => "closed loop".to_owned(),
    };
    format!(
        "{how}; {} connections; {pace}; {} s",
        load.connections, load.seconds
    )
}

impl Report {
    /// Of a run of the load described.
    pub(crate) fn new(load: String, finished: &Finished) -> Self {
        let tally = &finished.tally;
        let seconds = finished.took.as_secs_f64();
        let curve = nines().map(|percent| (percent, milliseconds(tally.percentile(percent))));
        Self {
            load,
            machine: machine(),
            seconds,
            asked: finished.asked,
            answered: tally.answers(),
            answered_per_second: ratio(tally.answers(), seconds).round(),
            latency: PERCENTILES
                .map(|(name, percent)| (name, milliseconds(tally.percentile(percent))))
                .into(),
            statuses: tally.statuses().clone(),
            failures: tally.failures().clone(),
            subscribers: finished.seen,
            by_second: tally
                .by_second(50.0)
                .zip(tally.by_second(99.0))
                .take(whole_seconds(finished.took))
                .map(|((answered, p50), (_, p99))| Second {
                    answered,
                    p50: milliseconds(p50),
                    p99: milliseconds(p99),
                })
                .collect(),
            curve: curve.collect(),
        }
    }

    /// Writes `report.md`, `report.json` and `report.svg`.
    ///
    /// # Errors
    /// When the folder can't be made or written to.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())
        };
        write("report.json", serde_json::to_string_pretty(self)? + "\n")?;
        write("report.md", self.markdown())?;
        write("report.svg", plot::draw(self)?)
    }

    fn markdown(&self) -> String {
        let mut rows = String::new();
        for (name, _) in PERCENTILES {
            let latency = self.latency.get(name).copied().unwrap_or_default();
            rows += &format!("| {name} | {latency} ms |\n");
        }
        for (status, count) in &self.statuses {
            rows += &format!("| status {status} | {count} |\n");
        }
        for (failure, count) in &self.failures {
            rows += &format!("| failed: {failure} | {count} |\n");
        }
        if let Some(seen) = &self.subscribers {
            rows += &format!("| watched | {seen} |\n");
        }
        format!(
            "# Load: {}\n\nOn {}.\n\n| | |\n| --- | --- |\n| answered | {} |\n| a second | {} |\n{rows}\n\
             ![Latency by percentile; answers and latency by second](report.svg)\n",
            self.load, self.machine, self.answered, self.answered_per_second
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self
            .asked
            .map_or(String::new(), |asked| format!(" of {asked}"));
        writeln!(f, "{}", self.load)?;
        writeln!(
            f,
            "{}{asked} requests answered in {:.1} s: {}/s",
            self.answered, self.seconds, self.answered_per_second
        )?;
        for (status, count) in &self.statuses {
            writeln!(f, "  status {status}: {count}")?;
        }
        for (failure, count) in &self.failures {
            writeln!(f, "  failed: {count} times {failure}")?;
        }
        if let Some(seen) = &self.subscribers {
            writeln!(f, "{seen}")?;
        }
        write!(f, "latency in ms:")?;
        for (name, _) in PERCENTILES {
            let latency = self.latency.get(name).copied().unwrap_or_default();
            write!(f, " {name} {latency}")?;
        }
        Ok(())
    }
}

/// From 0 towards 100, each step a tenth of a power of ten nearer: 0, 20.6, …, 90, …, 99, ….
fn nines() -> impl Iterator<Item = f64> {
    (0..=50_u32).map(|step| 100.0 - 100.0 / 10.0_f64.powf(f64::from(step) / 10.0))
}

/// To the microsecond, which is what was measured.
fn milliseconds(latency: Duration) -> f64 {
    (latency.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a count for people to read; above 2^53 its last digits may go"
)]
fn ratio(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(f64::EPSILON)
}

/// Seconds of which nothing is missing; of a run shorter than one, that one.
fn whole_seconds(took: Duration) -> usize {
    usize::try_from(took.as_secs()).map_or(usize::MAX, |whole| whole.max(1))
}

/// The processor's name and how many of it.
fn machine() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("a processor without a name", |(_, name)| name);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} cores of {name}")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::tally::Tally;

    fn report() -> Report {
        let start = Instant::now();
        let mut tally = Tally::new(start).unwrap();
        for number in 0..2_000_u64 {
            let due = start + Duration::from_millis(number);
            let answered = due + Duration::from_millis(1 + number / 1_990);
            tally.answered(due, answered, 201).unwrap();
        }
        tally.failed(2, &anyhow::anyhow!("gone"));
        let finished = Finished {
            tally,
            asked: Some(2_002),
            took: Duration::from_secs(2),
            seen: None,
        };
        Report::new("a load".to_owned(), &finished)
    }

    #[test]
    fn a_report_tells_throughput_latencies_and_failures_in_each_of_its_forms() {
        let folder = tempfile::tempdir().unwrap();
        let report = report();
        report.write(&folder.path().join("new")).unwrap();
        let read = |name| std::fs::read_to_string(folder.path().join("new").join(name)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
        assert_eq!(json["answered_per_second"], 1_000.0);
        assert_eq!(json["latency"]["p50"], 1.0);
        assert_eq!(json["latency"]["max"], 2.0);
        assert_eq!(json["by_second"].as_array().unwrap().len(), 2);
        for text in [report.to_string(), read("report.md")] {
            for told in ["a load", "1000", "p99.9", "201", "gone"] {
                assert!(text.contains(told), "{told} is not in {text}");
            }
        }
    }

    #[test]
    fn the_plot_shows_each_second_and_the_latencies_up_to_the_last() {
        let report = report();
        assert_eq!(report.curve.first().unwrap().1, 1.0);
        assert_eq!(report.curve.last().unwrap().1, 2.0);
        let plot = plot::draw(&report).unwrap();
        assert!(plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"));
        assert!(plot.contains("99.9"), "the percentiles are named");
    }
}

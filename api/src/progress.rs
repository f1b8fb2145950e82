//! How far the feed's file has been played, for whoever watches: a bar on a terminal, a line of
//! the log every tenth of the way elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use shardbook_feed::status::{FeedState, FeedStatus, Progress};
use tokio::sync::watch;
use tracing_subscriber::fmt::MakeWriter;

/// Steps of the way that the log tells.
const STEPS: u64 = 10;

/// How the bar looks. A template is checked when it is used; this one is a constant.
const BAR: &str = "{bar:40} {percent:>3}% of {total_bytes}, {elapsed_precise}";

/// The terminal's bars, which the log's lines must not tear.
#[derive(Clone, Debug, Default)]
pub struct Bars(MultiProgress);

impl Bars {
    /// Shows how far a file has been played, until it is finished; nothing, where there is no
    /// file.
    pub async fn show(&self, mut feed: watch::Receiver<FeedStatus>) {
        let bar = io::stderr().is_terminal().then(|| self.bar());
        let mut told = 0;
        loop {
            let (progress, state) = {
                let status = feed.borrow_and_update();
                (status.progress, status.state)
            };
            if let Some(progress) = progress {
                match &bar {
                    Some(bar) => {
                        bar.set_length(progress.bytes_total);
                        bar.set_position(progress.bytes_read);
                    }
                    None => tell(progress, &mut told),
                }
            }
            if state == FeedState::Finished || feed.changed().await.is_err() {
                break;
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    fn bar(&self) -> ProgressBar {
        let bar = self.0.add(ProgressBar::hidden());
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style);
        }
        bar
    }
}

/// A line for each tenth.
fn tell(progress: Progress, told: &mut u64) {
    let step = step(progress);
    if step > *told {
        *told = step;
        let percent = step * 100 / STEPS;
        tracing::info!(
            percent,
            bytes = progress.bytes_read,
            "playing the feed's file"
        );
    }
}

/// How many tenths of the way are behind.
fn step(progress: Progress) -> u64 {
    (progress.bytes_read.saturating_mul(STEPS))
        .checked_div(progress.bytes_total)
        .unwrap_or(STEPS)
        .min(STEPS)
}

/// Writes the log to standard error, around the bars.
pub struct AroundBars(Bars);

impl Write for AroundBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Bars {
    type Writer = AroundBars;

    fn make_writer(&'a self) -> AroundBars {
        AroundBars(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_with_every_tenth_and_with_none_twice() {
        let mut told = 0;
        let mut lines = Vec::new();
        for bytes_read in [0, 99, 100, 150, 420, 999, 1_000, 1_000] {
            let before = told;
            let bytes_total = 1_000;
            tell(
                Progress {
                    bytes_read,
                    bytes_total,
                },
                &mut told,
            );
            if told > before {
                lines.push(told);
            }
        }
        assert_eq!(lines, [1, 4, 9, 10]);
    }

    #[test]
    fn an_empty_file_has_been_played_whole() {
        assert_eq!(step(Progress::default()), STEPS);
    }
}

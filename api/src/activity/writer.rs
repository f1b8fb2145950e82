//! The thread that turns what happened into lines.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::lines::{Line, lines, write_failed, write_order, write_refused};
use super::{Entry, Figures};

/// How often the log tells of lines that were left out, if any were.
const LEFT_OUT_INTERVAL: Duration = Duration::from_secs(1);

/// Takes entries out of the queue and writes them.
pub(super) struct Writer {
    entries: Receiver<Entry>,
    figures: Arc<Figures>,
    allowance: Allowance,
    left_out_told: u64,
    told_at: Instant,
}

impl Writer {
    pub(super) fn new(
        entries: Receiver<Entry>,
        figures: Arc<Figures>,
        lines_per_second: NonZeroU32,
    ) -> Self {
        let now = Instant::now();
        Self {
            entries,
            figures,
            allowance: Allowance::new(lines_per_second, now),
            left_out_told: 0,
            told_at: now,
        }
    }

    /// Writes until nothing more can come.
    pub(super) fn run(mut self) {
        loop {
            match self.entries.recv_timeout(LEFT_OUT_INTERVAL) {
                Ok(Entry::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(entry) => self.write(entry),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.told_at.elapsed() >= LEFT_OUT_INTERVAL {
                self.tell_left_out();
            }
        }
        self.tell_left_out();
    }

    fn write(&mut self, entry: Entry) {
        match entry {
            Entry::Changes(instrument, changes) => {
                lines(&changes, |line: Line<'_>| {
                    if line.is_enabled() && self.has_room() {
                        write_order(&line, &instrument);
                    }
                });
                let waiting = &self.figures.changes_waiting;
                waiting.fetch_sub(changes.len(), Ordering::Relaxed);
            }
            Entry::Refused(call, problem) => {
                if self.has_room() {
                    write_refused(call, &problem);
                }
            }
            Entry::Failed(request) => {
                if self.has_room() {
                    write_failed(&request);
                }
            }
            Entry::End => {}
        }
    }

    /// Whether one more line may be written; if not, it counts as left out.
    fn has_room(&mut self) -> bool {
        let has_room = self.allowance.take(Instant::now());
        if !has_room {
            self.figures.left_out.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    fn tell_left_out(&mut self) {
        self.told_at = Instant::now();
        let left_out = self.figures.left_out.load(Ordering::Relaxed);
        if left_out > self.left_out_told {
            tracing::warn!(
                target: super::ORDERS,
                lines = left_out - self.left_out_told,
                "lines were left out: more came than are written in a second"
            );
            self.left_out_told = left_out;
        }
    }
}

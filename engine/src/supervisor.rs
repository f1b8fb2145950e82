//! What is done about panics.
//!
//! **In the core** (deciding a command, encoding its record) a panic costs the instrument a
//! moment: its shard is rebuilt from what is durable, the command is refused from then on, and
//! an instrument that panics too often is halted.
//!
//! **In the shell** (folding records into the market data, publishing, counting, writing the
//! journal) a panic comes after a record is durable and perhaps half shown. Nothing here could
//! say what readers have seen of it, so the process ends and starts again from the journal, in
//! which everything acknowledged stands. Rejected: rebuilding the market data alone, which would
//! meet the same record with the same bug, and would publish what streams have sent before.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use thiserror::Error;

use crate::partition::OnFatal;
use crate::time::Timestamp;

/// Panics within [`PANIC_WINDOW`] after which an instrument is halted: rebuilding it over and
/// over would keep its clients between hope and 503.
const PANICS_UNTIL_HALT: usize = 3;

/// The time in which they count.
const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// A panic that the process does not outlive.
#[derive(Debug, Error)]
#[error("{what} panicked: {message}")]
pub struct Panicked {
    /// What did.
    what: &'static str,
    /// What it said.
    message: String,
}

impl Panicked {
    /// A panic of `what`, from what it left behind.
    pub(crate) fn new(what: &'static str, payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self {
            what,
            message: message.unwrap_or_else(|| "it did not say why".to_owned()),
        }
    }
}

/// The last panics of one shard's core.
#[derive(Debug, Default)]
pub(crate) struct Panics(VecDeque<Timestamp>);

/// What a panic leads to, beside the rebuilding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The instrument goes on.
    GoOn,
    /// The instrument is halted.
    Halt,
}

impl Panics {
    /// Counts one more. Once it has led to a halt, counting begins anew.
    pub(crate) fn count(&mut self, now: Timestamp) -> Consequence {
        self.0.retain(|earlier| now.since(*earlier) < PANIC_WINDOW);
        self.0.push_back(now);
        if self.0.len() < PANICS_UNTIL_HALT {
            return Consequence::GoOn;
        }
        self.0.clear();
        Consequence::Halt
    }
}

/// Runs a shard's task, and ends the process if it panics.
pub(crate) async fn supervise(task: impl Future<Output = ()>, on_fatal: OnFatal) {
    let mut task = pin!(task);
    let ended = std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    });
    if let Err(payload) = ended.await {
        on_fatal(&Panicked::new("a shard's task", &*payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_panic_in_a_minute_halts() {
        let second = |second: u64| Timestamp::from_microseconds(second * 1_000_000);
        let rows: [(&[u64], &[u64]); 5] = [
            (&[0, 1, 2], &[2]),
            (&[0, 30, 59], &[59]),
            (&[0, 30, 60], &[]),
            (&[0, 30, 60, 80], &[80]),
            // After a halt three more are needed; a clock that goes back makes none older.
            (&[0, 1, 2, 3, 4, 1], &[2, 1]),
        ];
        for (at, halts_at) in rows {
            let mut panics = Panics::default();
            let halted: Vec<u64> = at
                .iter()
                .copied()
                .filter(|at| panics.count(second(*at)) == Consequence::Halt)
                .collect();
            assert_eq!(halted, halts_at, "panics at {at:?}");
        }
    }
}

//! What the exchange answered, and what that leads to: counted, or delivered again.

use std::collections::VecDeque;
use std::time::Duration;

use shardbook_engine::answer::Answer;
use shardbook_engine::command::{Command, MirrorScope};
use shardbook_engine::responder::{CallError, Outcome};
use tokio::sync::oneshot;

use crate::retry::Retry;
use crate::sink::Sink;
use crate::status::SkipReason;

use super::{IgnoredTrades, InFlight, LostUpdate, Runner};

/// First and longest wait before delivering again.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// While the exchange ignores what should have changed the mirror, every so many updates name
/// every level: an instrument that was halted has withdrawn its mirror, and takes a whole one
/// once it trades again.
const IGNORED_PER_RESTATEMENT: u64 = 10;

/// What an answer asks for.
enum Settled {
    Done,
    Again(Command),
}

impl<S: Sink> Runner<S> {
    pub(super) async fn settle_oldest(&mut self, outcome: Outcome) {
        let Some(InFlight { command, .. }) = self.in_flight.pop_front() else {
            return;
        };
        if let Settled::Again(command) = self.settle(command, outcome) {
            self.deliver_again(command).await;
        }
    }

    /// Waits for all that is in flight, then delivers what failed, one by one.
    async fn deliver_again(&mut self, first: Command) {
        let mut failed = VecDeque::from([first]);
        while let Some(InFlight { command, receipt }) = self.in_flight.pop_front() {
            let outcome = received(receipt.await);
            if let Settled::Again(command) = self.settle(command, outcome) {
                failed.push_back(command);
            }
        }
        tracing::debug!(
            instrument = %self.parts.instrument.symbol,
            commands = failed.len(),
            "the exchange could not take commands of the feed; delivering them again"
        );
        let mut retry = Retry::new(RETRY_FIRST, RETRY_LONGEST);
        while let Some(command) = failed.pop_front() {
            tokio::time::sleep(retry.next_wait()).await;
            let outcome = received(self.queue(command.clone()).await.await);
            match self.settle(command, outcome) {
                Settled::Done => retry.reset(),
                Settled::Again(command) => failed.push_front(command),
            }
        }
    }

    /// Counts what became of a command.
    fn settle(&mut self, command: Command, outcome: Outcome) -> Settled {
        let mirrors = matches!(command, Command::Mirror(_) | Command::WithdrawMirror);
        match outcome {
            Ok(answer) => self.take_answer(&command, &answer),
            Err(
                CallError::Overloaded | CallError::JournalUnavailable | CallError::ShardRestarting,
            ) => {
                if mirrors {
                    self.lost = LostUpdate::Perhaps;
                    self.parts.market.restate_next();
                    self.restate_soon();
                }
                return Settled::Again(command);
            }
            Err(error @ (CallError::Refused(_) | CallError::CommandRefused)) => {
                if mirrors {
                    self.parts.market.restate_next();
                    self.restate_soon();
                }
                tracing::warn!(
                    instrument = %self.parts.instrument.symbol,
                    %error,
                    "the exchange refuses a command of the feed"
                );
                self.count(|total| total.skip(SkipReason::Refused));
            }
        }
        Settled::Done
    }

    fn take_answer(&mut self, command: &Command, answer: &Answer) {
        let unchanged = matches!(answer, Answer::Unchanged);
        match command {
            Command::Tape(tape) if unchanged => {
                self.trades_ignored(tape.last_trade_id - tape.first_trade_id + 1);
            }
            Command::Tape(_) => {
                self.ignored_trades = IgnoredTrades::Untold;
                self.count(|total| total.trades += 1);
            }
            Command::Mirror(update) if unchanged => {
                self.count(|total| total.mirror_unchanged += 1);
                if !update.levels.is_empty() || update.scope == MirrorScope::Whole {
                    if self
                        .ignored_in_a_row
                        .is_multiple_of(IGNORED_PER_RESTATEMENT)
                    {
                        self.parts.market.restate_next();
                    }
                    self.ignored_in_a_row += 1;
                    self.restate_soon();
                }
            }
            Command::Mirror(update) => {
                self.ignored_in_a_row = 0;
                self.restate_waits.reset();
                if update.scope == MirrorScope::Whole {
                    self.lost = LostUpdate::None;
                }
                if self.lost == LostUpdate::None {
                    self.restate_at = None;
                }
                self.count(|total| total.mirror_updates += 1);
            }
            Command::WithdrawMirror
            | Command::Place(_)
            | Command::Cancel(_)
            | Command::Amend(_)
            | Command::MassCancel(_)
            | Command::Halt
            | Command::Resume
            | Command::CloseDay(_) => {}
        }
    }

    /// Told once until a trade is taken in again.
    fn trades_ignored(&mut self, trades: u64) {
        if self.ignored_trades == IgnoredTrades::Untold {
            self.ignored_trades = IgnoredTrades::Told;
            tracing::info!(
                instrument = %self.parts.instrument.symbol,
                "ignored trades that were taken in before, or while the instrument is halted"
            );
        }
        self.count(|total| total.skip_many(SkipReason::IgnoredByExchange, trades));
    }
}

/// A sender that is dropped has nothing to say: its shard is being rebuilt.
pub(super) fn received(received: Result<Outcome, oneshot::error::RecvError>) -> Outcome {
    received.unwrap_or(Err(CallError::ShardRestarting))
}

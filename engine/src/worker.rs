//! A shard's task: the thin shell around the pure core.
//!
//! It drains what is waiting, stamps it, lets the core decide, and hands the records to the
//! partition's writer. While they are being flushed it decides the next batch. Once they are
//! durable it folds them into the market data, publishes what changed and answers, in this
//! order: whoever has an answer finds it in every read.

mod restart;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::vec::Drain;

use tokio::sync::{mpsc, watch};

use crate::answer::Answer;
use crate::checkpoint::Checkpoints;
use crate::command::{Command, Stamped};
use crate::crashed::CrashedCommands;
use crate::directory::{Claim, Directory};
use crate::event::Event;
use crate::fault::{Fault, Step};
use crate::journal::{Durable, JournalSource};
use crate::market_data::Applied;
use crate::observer::Observer;
use crate::partition::{OnFatal, PartitionSender, Submission};
use crate::publisher::Publisher;
use crate::record::{Record, RecordParts};
use crate::responder::{CallError, Outcome, Responder};
use crate::router::{Asked, InstrumentHandle, Queued};
use crate::shard::{Decision, PREPARED_AT_ONCE, Shard, ShardLimits};
use crate::supervisor::Panics;
use crate::time::Clock;

use self::restart::{Crashed, GivenUp, strike};

/// Most commands decided before the shard looks up: some 100 µs of work, after which others on
/// its thread get their turn.
const DRAIN_COMMANDS_MAX: usize = 256;

/// Most commands in one batch: bounds what waits for one flush.
const BATCH_COMMANDS_MAX: usize = 2_048;

/// Bytes of records after which a batch takes no further command: half a frame, so that two
/// shards' batches share one.
const BATCH_BYTES_TARGET: usize = 256 * 1024;

/// Decided commands on their way into the journal, in the order they were decided.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    record_count: usize,
    decided: Vec<Decided>,
}

/// One decided command.
struct Decided {
    what: Verdict,
    responder: Responder,
    /// Dropped once the row is there to be found.
    claim: Option<Claim>,
}

enum Verdict {
    /// It stands in the journal.
    Recorded(Record),
    /// It changed nothing, and is answered once all that it saw is durable.
    Unrecorded(Outcome),
}

/// What a worker shares with the rest of the exchange.
pub(crate) struct Surroundings {
    pub(crate) partition: PartitionSender<Batch>,
    pub(crate) source: Arc<dyn JournalSource>,
    pub(crate) checkpoints: Option<Arc<Checkpoints>>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) crashed: Arc<CrashedCommands>,
    pub(crate) on_fatal: OnFatal,
    pub(crate) limits: ShardLimits,
}

/// The owner of one instrument's book.
pub(crate) struct Worker {
    shard: Shard,
    handle: Arc<InstrumentHandle>,
    queue: mpsc::Receiver<Queued>,
    /// Where a flushed batch comes back; at most one is under way.
    flushed: mpsc::Receiver<Durable<Batch>>,
    flushed_sender: mpsc::Sender<Durable<Batch>>,
    surroundings: Surroundings,
    building: Batch,
    flushing: Flushing,
    /// Reused from batch to batch.
    events: Vec<Event>,
    inbox: Vec<Queued>,
    applied: Applied,
    panics: Panics,
    /// How many commands are prepared before the first of them is decided: one, while it is not
    /// known which of several the core panicked at.
    prepared_at_once: usize,
    fault: Option<Fault>,
}

/// Whether a batch of this shard is with the writer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flushing {
    Nothing,
    OneBatch,
}

impl Worker {
    pub(crate) fn new(
        shard: Shard,
        handle: Arc<InstrumentHandle>,
        queue: mpsc::Receiver<Queued>,
        surroundings: Surroundings,
    ) -> Self {
        let (flushed_sender, flushed) = mpsc::channel(1);
        Self {
            shard,
            handle,
            queue,
            flushed,
            flushed_sender,
            surroundings,
            building: Batch::default(),
            flushing: Flushing::Nothing,
            events: Vec::new(),
            inbox: Vec::with_capacity(DRAIN_COMMANDS_MAX),
            applied: Applied::default(),
            panics: Panics::default(),
            prepared_at_once: PREPARED_AT_ONCE,
            fault: None,
        }
    }

    /// Runs until `stop` says so; then decides what is already waiting, and ends once all of it
    /// is durable and answered. Ends early only if the process is about to.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut stopping = false;
        loop {
            let has_room = self.building.has_room();
            tokio::select! {
                biased;
                Some(batch) = self.flushed.recv(), if self.flushing == Flushing::OneBatch => {
                    self.flushing = Flushing::Nothing;
                    self.release(batch);
                }
                () = told_to_stop(&mut stop), if !stopping => {
                    stopping = true;
                    self.queue.close();
                }
                drained = self.queue.recv_many(&mut self.inbox, DRAIN_COMMANDS_MAX), if has_room => {
                    if drained == 0 {
                        break;
                    }
                    if let Err(GivenUp) = self.decide_inbox().await {
                        return;
                    }
                }
            }
            self.submit().await;
        }
        self.settle().await;
    }

    /// Decides everything drained from the queue. What is behind a command that crashed the
    /// shard is not decided: its sender may have built on what is lost.
    async fn decide_inbox(&mut self) -> Result<(), GivenUp> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let decided = self.decide_all(inbox.drain(..));
        self.inbox = inbox;
        if let Err(crashed) = decided {
            self.restart(crashed).await?;
        }
        // Everything else on this thread gets its turn between two drains.
        tokio::task::yield_now().await;
        Ok(())
    }

    fn decide_all(&mut self, mut waiting: Drain<'_, Queued>) -> Result<(), Crashed> {
        while !waiting.as_slice().is_empty() {
            let at_once = self.prepared_at_once;
            let next = waiting.as_slice().get(..at_once);
            self.prepare(next.unwrap_or(waiting.as_slice()))?;
            for queued in waiting.by_ref().take(at_once) {
                self.decide(queued)?;
            }
        }
        Ok(())
    }

    /// Has the core prepare the commands that it decides next, but for those that are refused.
    fn prepare(&mut self, next: &[Queued]) -> Result<(), Crashed> {
        let instrument = self.handle.instrument().id;
        let prepared = catch_unwind(AssertUnwindSafe(|| {
            let crashed = &self.surroundings.crashed;
            let commands = next.iter().filter_map(Queued::command);
            let commands = commands.filter(|command| !crashed.contains(instrument, command));
            self.shard.prepare(commands.inspect(|command| {
                strike(self.fault.as_ref(), Step::Preparing, command);
            }));
        }));
        prepared.map_err(|payload| self.crashed_preparing(next, &*payload))
    }

    /// Decides a command.
    fn decide(&mut self, queued: Queued) -> Result<(), Crashed> {
        let Queued {
            asked,
            responder,
            claim,
        } = queued;
        let what = match asked {
            Asked::Fault(fault) => {
                self.inject(fault)?;
                Verdict::Unrecorded(Ok(Answer::Applied))
            }
            Asked::Command(command) => {
                let instrument = self.handle.instrument().id;
                if self.surroundings.crashed.contains(instrument, &command) {
                    Verdict::Unrecorded(Err(CallError::CommandRefused))
                } else {
                    self.carry_out(command)?
                }
            }
        };
        self.building.decided.push(Decided {
            what,
            responder,
            claim,
        });
        Ok(())
    }

    /// Stamps a command and lets the core decide it.
    fn carry_out(&mut self, command: Command) -> Result<Verdict, Crashed> {
        // Clocks may go back; stamps may not, nor may they come before the instrument was there.
        let earliest = self
            .shard
            .last_stamp()
            .max(self.handle.instrument().listed_at);
        let timestamp = self.surroundings.clock.now().max(earliest);
        let stamped = Stamped { timestamp, command };
        // A panic leaves the core in an unknown state: it is not looked at again.
        let decided = catch_unwind(AssertUnwindSafe(|| self.apply(&stamped)));
        let decision = match decided {
            Ok(decision) => decision,
            Err(payload) => return Err(self.crashed_by(&stamped.command, &*payload)),
        };
        Ok(match decision {
            Decision::Recorded {
                sequence,
                first_trade,
            } => Verdict::Recorded(Record {
                instrument: self.handle.instrument().id,
                sequence,
                timestamp,
                first_trade,
                events: self.events.clone(),
                command: stamped.command,
            }),
            Decision::Replayed(first) => Verdict::Unrecorded(Ok(Answer::Replayed(first))),
            Decision::Refused(refusal) => Verdict::Unrecorded(Err(refusal.into())),
            Decision::Unchanged => Verdict::Unrecorded(Ok(Answer::Unchanged)),
        })
    }

    /// Has the core decide a command, and adds its record to the batch: all that may panic for
    /// the command's sake.
    fn apply(&mut self, stamped: &Stamped) -> Decision {
        self.events.clear();
        let decision = self.shard.apply(stamped, &mut self.events);
        if let Decision::Recorded {
            sequence,
            first_trade,
        } = decision
        {
            let parts = RecordParts {
                instrument: self.handle.instrument().id,
                sequence,
                timestamp: stamped.timestamp,
                first_trade,
                command: &stamped.command,
                events: &self.events,
            };
            parts.encode(&mut self.building.bytes);
            self.building.record_count += 1;
        }
        strike(self.fault.as_ref(), Step::Applied, &stamped.command);
        decision
    }

    /// Hands the batch over if the writer has none of this shard's; a batch that holds no record
    /// has nothing to wait for then.
    async fn submit(&mut self) {
        if self.flushing == Flushing::OneBatch || self.building.decided.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.building);
        if batch.record_count == 0 {
            for Decided {
                what, responder, ..
            } in batch.decided
            {
                match what {
                    Verdict::Unrecorded(outcome) => responder.answer(outcome),
                    Verdict::Recorded(_) => unreachable!("the batch holds no record"),
                }
            }
            return;
        }
        self.flushing = Flushing::OneBatch;
        self.surroundings
            .partition
            .submit(Submission {
                records: std::mem::take(&mut batch.bytes),
                record_count: batch.record_count,
                carried: batch,
                flushed: self.flushed_sender.clone(),
            })
            .await;
    }

    /// Shows what has become durable: reads first, then streams, then the callers.
    fn release(&mut self, batch: Durable<Batch>) {
        let mut answers = Vec::with_capacity(batch.decided.len());
        let position = batch.as_ref().map(|_| ());
        {
            let mut market_data = self.handle.market_data().write();
            for Decided {
                what,
                responder,
                claim,
            } in batch.into_inner().decided
            {
                let (outcome, claim) = match what {
                    Verdict::Unrecorded(outcome) => (outcome, claim),
                    Verdict::Recorded(record) => {
                        let record = position.clone().map(|()| record);
                        self.surroundings
                            .observer
                            .released(self.handle.instrument(), record.as_ref());
                        let answer = market_data.apply(record.as_ref(), &mut self.applied);
                        if let Some(claim) = claim {
                            self.applied.appeared.pop();
                            claim.leave_to_row();
                        }
                        (Ok(answer), None)
                    }
                };
                answers.push((responder, outcome, claim));
            }
        }
        self.surroundings
            .directory
            .follow(self.handle.instrument().id, &mut self.applied);
        let changes = std::mem::take(&mut self.applied.changes);
        if !changes.is_empty() {
            self.surroundings
                .publisher
                .publish(self.handle.instrument().id, position.map(|()| changes));
        }
        for (responder, outcome, claim) in answers {
            drop(claim);
            responder.answer(outcome);
        }
    }

    async fn settle_flush(&mut self) {
        if self.flushing == Flushing::OneBatch
            && let Some(batch) = self.flushed.recv().await
        {
            self.flushing = Flushing::Nothing;
            self.release(batch);
        }
    }

    /// Brings everything decided to its end.
    async fn settle(&mut self) {
        self.settle_flush().await;
        self.submit().await;
        self.settle_flush().await;
    }
}

/// Waits for the word, or for the exchange to be gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Batch {
    fn has_room(&self) -> bool {
        self.bytes.len() < BATCH_BYTES_TARGET && self.decided.len() < BATCH_COMMANDS_MAX
    }
}

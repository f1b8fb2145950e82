//! One instrument's way into the exchange: its market's commands, in order, many in flight.
//!
//! Each instrument has a lane of its own, so that a shard being rebuilt keeps no other waiting.
//! A lane never gives a command up for the exchange being unable to take it: it waits for all it
//! has in flight and delivers what failed again, in order. The exchange ignores what it has taken
//! in before, so nothing comes in twice. If a later mirror update got through before a failed
//! one, the failed one is ignored; so the next one names every level.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::answer::Answer;
use shardbook_engine::command::Command;
use shardbook_engine::instrument::Instrument;
use tokio::sync::{mpsc, oneshot, watch};

use crate::market::{Market, Need};
use crate::message::Message;
use crate::retry::Retry;
use crate::sink::{DeliveryError, Receipt, Sink};
use crate::status::{Counts, FeedStatus, SkipReason};

/// Most commands of a lane that wait for their answers: enough to fill the flushes of a journal
/// on a slow disk, and little to deliver again.
const IN_FLIGHT_MAX: usize = 512;

/// Most messages that wait for a lane.
const INPUTS_MAX: usize = 256;

/// First and longest wait before delivering again.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// What a lane is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A message of its symbol.
    Message(Arc<Message>),
    /// What comes now does not continue what came before.
    StartOver,
    /// The source is dead: nothing may rest in its name.
    Withdraw,
}

/// A lane's end for the one who distributes messages.
pub(crate) struct Lane {
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

/// What a lane needs to run.
pub(crate) struct LaneParts<S> {
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) symbol: String,
    pub(crate) market: Market,
    pub(crate) sink: Arc<S>,
    pub(crate) status: watch::Sender<FeedStatus>,
    /// Where snapshots are asked for; a source without one sends them by itself.
    pub(crate) snapshots: Option<mpsc::Sender<String>>,
}

impl Lane {
    /// Starts a lane. It ends when its inputs do and everything is answered.
    pub(crate) fn start<S: Sink>(parts: LaneParts<S>) -> Self {
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let runner = Runner {
            parts,
            in_flight: VecDeque::new(),
            snapshot_asked: false,
            exchange: Exchange::There,
        };
        Self {
            inputs: sender,
            task: tokio::spawn(runner.run(inputs)),
        }
    }
}

struct Runner<S> {
    parts: LaneParts<S>,
    in_flight: VecDeque<InFlight>,
    snapshot_asked: bool,
    exchange: Exchange,
}

/// A delivered command and the answer to come. The command is kept, for it may be needed again.
struct InFlight {
    command: Command,
    receipt: Receipt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    There,
    Gone,
}

/// What an answer asks for.
enum Settled {
    Done,
    Again(Command),
}

impl<S: Sink> Runner<S> {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        while self.exchange == Exchange::There {
            let room = self.in_flight.len() < IN_FLIGHT_MAX;
            tokio::select! {
                biased;
                result = oldest(&mut self.in_flight) => self.settle_oldest(result).await,
                input = inputs.recv(), if room => match input {
                    Some(input) => self.take(input).await,
                    None => break,
                },
            }
        }
        while self.exchange == Exchange::There && !self.in_flight.is_empty() {
            let result = oldest(&mut self.in_flight).await;
            self.settle_oldest(result).await;
        }
    }

    async fn take(&mut self, input: Input) {
        match input {
            Input::Message(message) => self.take_message(&message).await,
            Input::StartOver => self.parts.market.start_over(),
            Input::Withdraw => {
                self.parts.market.restate_next();
                self.deliver(Command::WithdrawMirror).await;
            }
        }
    }

    async fn take_message(&mut self, message: &Message) {
        if matches!(message, Message::DepthSnapshot(_)) {
            self.snapshot_asked = false;
        }
        let mut counts = Counts::default();
        let (command, need) = self.parts.market.take(message, &mut counts);
        if counts != Counts::default() {
            self.count(|total| total.add(&counts));
        }
        match need {
            Need::Nothing => {}
            Need::Snapshot => self.ask_for_snapshot(),
        }
        if let Some(command) = command {
            self.deliver(command).await;
        }
    }

    /// Asks once until a snapshot comes. Where there is no room to ask, the next diff asks.
    fn ask_for_snapshot(&mut self) {
        if let Some(snapshots) = &self.parts.snapshots
            && !self.snapshot_asked
        {
            self.snapshot_asked = snapshots.try_send(self.parts.symbol.clone()).is_ok();
        }
    }

    async fn deliver(&mut self, command: Command) {
        let receipt = self.queue(command.clone()).await;
        self.in_flight.push_back(InFlight { command, receipt });
    }

    /// A command that could not even be queued counts as answered with the reason.
    async fn queue(&self, command: Command) -> Receipt {
        match self
            .parts
            .sink
            .deliver(self.parts.instrument.id, command)
            .await
        {
            Ok(receipt) => receipt,
            Err(error) => {
                let (sender, receipt) = oneshot::channel();
                drop(sender.send(Err(error)));
                receipt
            }
        }
    }

    async fn settle_oldest(&mut self, result: Result<Answer, DeliveryError>) {
        let Some(InFlight { command, .. }) = self.in_flight.pop_front() else {
            return;
        };
        if let Settled::Again(command) = self.settle(command, result) {
            self.deliver_again(command).await;
        }
    }

    /// Waits for all that is in flight, then delivers what failed, one by one.
    async fn deliver_again(&mut self, first: Command) {
        let mut failed = VecDeque::from([first]);
        while let Some(InFlight { command, receipt }) = self.in_flight.pop_front() {
            let result = answer(receipt.await);
            if let Settled::Again(command) = self.settle(command, result) {
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
            if self.exchange == Exchange::Gone {
                return;
            }
            tokio::time::sleep(retry.next_wait()).await;
            let result = answer(self.queue(command.clone()).await.await);
            match self.settle(command, result) {
                Settled::Done => retry.reset(),
                Settled::Again(command) => failed.push_front(command),
            }
        }
    }

    /// Counts what became of a command.
    fn settle(&mut self, command: Command, result: Result<Answer, DeliveryError>) -> Settled {
        let mirrors = matches!(command, Command::Mirror(_) | Command::WithdrawMirror);
        match result {
            Ok(answer) => self.count_answer(&command, &answer),
            Err(DeliveryError::Unavailable) => {
                if mirrors {
                    self.parts.market.restate_next();
                }
                return Settled::Again(command);
            }
            Err(error @ (DeliveryError::Refused(_) | DeliveryError::CommandRefused)) => {
                if mirrors {
                    self.parts.market.restate_next();
                }
                tracing::warn!(
                    instrument = %self.parts.instrument.symbol,
                    %error,
                    "the exchange refuses a command of the feed"
                );
                self.count(|total| total.skip(SkipReason::Refused));
            }
            Err(DeliveryError::Gone) => self.exchange = Exchange::Gone,
        }
        Settled::Done
    }

    fn count_answer(&self, command: &Command, answer: &Answer) {
        let unchanged = matches!(answer, Answer::Unchanged);
        match command {
            Command::Tape(_) if unchanged => {
                self.count(|total| total.skip(SkipReason::TakenInBefore));
            }
            Command::Tape(_) => self.count(|total| total.trades += 1),
            Command::Mirror(_) if unchanged => self.count(|total| total.mirror_unchanged += 1),
            Command::Mirror(_) => self.count(|total| total.mirror_updates += 1),
            Command::WithdrawMirror
            | Command::Place(_)
            | Command::Cancel(_)
            | Command::Amend(_)
            | Command::MassCancel(_)
            | Command::Halt
            | Command::Resume => {}
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.parts
            .status
            .send_modify(|status| change(&mut status.counts));
    }
}

/// The answer to the oldest command in flight; never, while there is none.
async fn oldest(in_flight: &mut VecDeque<InFlight>) -> Result<Answer, DeliveryError> {
    match in_flight.front_mut() {
        Some(oldest) => answer((&mut oldest.receipt).await),
        None => std::future::pending().await,
    }
}

/// A sender that is dropped has nothing to say: its shard is being rebuilt.
fn answer(
    received: Result<Result<Answer, DeliveryError>, oneshot::error::RecvError>,
) -> Result<Answer, DeliveryError> {
    received.unwrap_or(Err(DeliveryError::Unavailable))
}

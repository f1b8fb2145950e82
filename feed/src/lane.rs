//! One instrument's way into the exchange: its market's commands, in order, many in flight.
//!
//! Each instrument has a lane of its own, so that a shard being rebuilt keeps no other waiting.
//! A lane never gives a command up for the exchange being unable to take it: it waits for all it
//! has in flight and delivers what failed again, in order. The exchange ignores what it has taken
//! in before, so nothing comes in twice. If a later mirror update got through before a failed
//! one, the failed one is ignored; so the next one names every level.

mod answers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::command::Command;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::responder::Outcome;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::hole::{Fill, FillRequest};
use crate::inquiry::Inquiries;
use crate::market::{Market, Need};
use crate::message::Message;
use crate::retry::Retry;
use crate::sink::{Receipt, Sink};
use crate::status::{Counts, FeedStatus};

use self::answers::received;

/// Most commands of a lane that wait for their answers: enough to fill the flushes of a journal
/// on a slow disk, and little to deliver again.
const IN_FLIGHT_MAX: usize = 512;

/// Most messages that wait for a lane.
const INPUTS_MAX: usize = 256;

/// After so many diffs without a book to put them on, some 30 s of a busy symbol, what is mirrored
/// is withdrawn: the snapshot that was asked for does not come.
const DIFFS_WITHOUT_BOOK_MAX: u64 = 300;

/// Where no diff comes after an update that was lost or ignored, the whole mirror is stated after
/// a while; and again and again, ever less often, while that is ignored too.
const RESTATE_FIRST: Duration = Duration::from_secs(1);
const RESTATE_LONGEST: Duration = Duration::from_secs(15);

/// What a lane is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A message of its symbol.
    Message(Arc<Message>),
    /// What a request for its missed trades came to.
    Fill(Fill),
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
    /// Where snapshots and missed trades are asked for; a source without it sends what it has by
    /// itself.
    pub(crate) inquiries: Option<Inquiries>,
}

impl Lane {
    /// Starts a lane. It ends when its inputs do and everything is answered.
    pub(crate) fn start<S: Sink>(parts: LaneParts<S>) -> Self {
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let runner = Runner {
            parts,
            in_flight: VecDeque::new(),
            snapshot_asked: false,
            diffs_without_book: 0,
            ignored_in_a_row: 0,
            ignored_trades: IgnoredTrades::Untold,
            lost: LostUpdate::None,
            mirror: MirrorState::Kept,
            restate_at: None,
            restate_waits: Retry::new(RESTATE_FIRST, RESTATE_LONGEST),
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
    diffs_without_book: u64,
    /// Mirror updates that should have changed something and did not, since the last that did.
    ignored_in_a_row: u64,
    ignored_trades: IgnoredTrades,
    lost: LostUpdate,
    mirror: MirrorState,
    /// When the whole mirror is stated, unless an update is taken in before.
    restate_at: Option<Instant>,
    restate_waits: Retry,
}

/// A delivered command and the answer to come. The command is kept, for it may be needed again.
struct InFlight {
    command: Command,
    receipt: Receipt,
}

/// Whether the log knows that the exchange ignores trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IgnoredTrades {
    Untold,
    Told,
}

/// Whether the source is dead, and nothing may rest in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MirrorState {
    Kept,
    Withdrawn,
}

/// Whether an update may have been lost while a later one was taken in. Then stating the whole
/// at that later one's place changes nothing, unless the mirror is withdrawn first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LostUpdate {
    None,
    Perhaps,
}

impl<S: Sink> Runner<S> {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        loop {
            let room = self.in_flight.len() < IN_FLIGHT_MAX;
            tokio::select! {
                biased;
                outcome = oldest(&mut self.in_flight) => self.settle_oldest(outcome).await,
                input = inputs.recv(), if room => match input {
                    Some(input) => self.take(input).await,
                    None => break,
                },
                () = sleep_until(self.restate_at), if room => self.restate().await,
            }
        }
        self.settle_all().await;
        if self.restate_at.is_some() {
            self.restate().await;
            self.settle_all().await;
        }
    }

    async fn settle_all(&mut self) {
        while !self.in_flight.is_empty() {
            let outcome = oldest(&mut self.in_flight).await;
            self.settle_oldest(outcome).await;
        }
    }

    async fn take(&mut self, input: Input) {
        match input {
            Input::Message(message) => self.take_message(&message).await,
            Input::Fill(fill) => self.take_fill(fill).await,
            Input::StartOver => self.parts.market.start_over(),
            Input::Withdraw => self.withdraw().await,
        }
    }

    async fn withdraw(&mut self) {
        self.parts.market.restate_next();
        self.mirror = MirrorState::Withdrawn;
        self.deliver(Command::WithdrawMirror).await;
    }

    /// States the whole mirror, though no diff came.
    async fn restate(&mut self) {
        self.restate_at = None;
        if self.mirror == MirrorState::Withdrawn {
            return;
        }
        let mut counts = Counts::default();
        let Some(whole) = self.parts.market.restate(&mut counts) else {
            return;
        };
        if self.lost == LostUpdate::Perhaps {
            self.deliver(Command::WithdrawMirror).await;
        }
        self.deliver(whole).await;
    }

    /// The exchange has missed, or may have missed, an update.
    fn restate_soon(&mut self) {
        if self.restate_at.is_none() {
            self.restate_at = Some(Instant::now() + self.restate_waits.next_wait());
        }
    }

    async fn take_message(&mut self, message: &Message) {
        if matches!(message, Message::DepthSnapshot(_)) {
            self.snapshot_asked = false;
        }
        let mut counts = Counts::default();
        let mut commands = Vec::new();
        let need = self.parts.market.take(message, &mut counts, &mut commands);
        self.follow_up(need, &counts, commands).await;
    }

    async fn take_fill(&mut self, fill: Fill) {
        let mut counts = Counts::default();
        let mut commands = Vec::new();
        let need = self.parts.market.fill(fill, &mut counts, &mut commands);
        self.follow_up(need, &counts, commands).await;
    }

    async fn follow_up(&mut self, need: Need, counts: &Counts, mut commands: Vec<Command>) {
        let mut counts = counts.clone();
        let mut need = need;
        // Where there is no room to ask, the answer is that nothing could be had; then the next
        // hole may be asked for.
        while let Need::Fill(request) = need {
            let hole = request.hole();
            if self.ask(request) {
                need = Need::Nothing;
            } else {
                let found = Vec::new();
                let nothing = Fill { hole, found };
                need = self.parts.market.fill(nothing, &mut counts, &mut commands);
            }
        }
        if counts != Counts::default() {
            self.count(|total| total.add(&counts));
        }
        if need == Need::Snapshot {
            self.need_snapshot().await;
        }
        for command in commands {
            if matches!(command, Command::Mirror(_)) {
                self.diffs_without_book = 0;
                self.mirror = MirrorState::Kept;
            }
            self.deliver(command).await;
        }
    }

    /// Asks for missed trades, if there is anyone to ask.
    fn ask(&self, request: FillRequest) -> bool {
        self.parts.inquiries.as_ref().is_some_and(|inquiries| {
            let symbol = self.parts.symbol.clone();
            inquiries.fills.try_send((symbol, request)).is_ok()
        })
    }

    /// Asks once until a snapshot comes. Where there is no room to ask, the next diff asks. A
    /// source that can't be asked sends a snapshot when it has one; what it does not hold it
    /// will not hold when it is played again, and must come to the same.
    async fn need_snapshot(&mut self) {
        let Some(inquiries) = &self.parts.inquiries else {
            return;
        };
        if !self.snapshot_asked {
            let symbol = self.parts.symbol.clone();
            self.snapshot_asked = inquiries.snapshots.try_send(symbol).is_ok();
        }
        self.diffs_without_book += 1;
        if self.diffs_without_book == DIFFS_WITHOUT_BOOK_MAX {
            self.withdraw().await;
        }
    }

    async fn deliver(&mut self, command: Command) {
        let receipt = self.queue(command.clone()).await;
        self.in_flight.push_back(InFlight { command, receipt });
    }

    async fn queue(&self, command: Command) -> Receipt {
        let to = self.parts.instrument.id;
        self.parts.sink.deliver(to, command).await
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.parts
            .status
            .send_modify(|status| change(&mut status.counts));
    }
}

/// The answer to the oldest command in flight; never, while there is none.
async fn oldest(in_flight: &mut VecDeque<InFlight>) -> Outcome {
    match in_flight.front_mut() {
        Some(oldest) => received((&mut oldest.receipt).await),
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

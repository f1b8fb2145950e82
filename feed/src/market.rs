//! One instrument's market data: messages in, commands out.

use std::sync::Arc;

use shardbook_engine::command::{Command, FeedSource};
use shardbook_engine::instrument::Instrument;

use crate::liquidity::Liquidity;
use crate::local_book::{DiffOutcome, LocalBook, SnapshotOutcome};
use crate::message::{DepthDiff, DepthSnapshot, Message};
use crate::status::{Counts, SkipReason};
use crate::trades::TapeReader;

/// Turns one symbol's messages into one instrument's commands.
#[derive(Clone, Debug)]
pub struct Market {
    tape: TapeReader,
    mirror: Option<Mirror>,
}

/// The local book and what is mirrored of it.
#[derive(Clone, Debug)]
struct Mirror {
    book: LocalBook,
    liquidity: Liquidity,
    next: NextUpdate,
}

/// What the next update for the mirror has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextUpdate {
    /// What changed.
    Changes,
    /// Everything: the exchange may have missed an update.
    Whole,
}

/// What a market needs from its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing but the next message.
    Nothing,
    /// A depth snapshot.
    Snapshot,
}

impl Market {
    /// A market that mirrors at most `liquidity_levels` levels a side; with 0 it takes trades
    /// alone.
    #[must_use]
    pub fn new(instrument: Arc<Instrument>, source: FeedSource, liquidity_levels: usize) -> Self {
        let mirror = (liquidity_levels > 0).then(|| Mirror {
            book: LocalBook::new(),
            liquidity: Liquidity::new(Arc::clone(&instrument), source, liquidity_levels),
            next: NextUpdate::Changes,
        });
        Self {
            tape: TapeReader::new(instrument, source),
            mirror,
        }
    }

    /// Takes the next message of this symbol and says with what command, if any, the exchange
    /// follows it.
    pub fn take(&mut self, message: &Message, counts: &mut Counts) -> (Option<Command>, Need) {
        match message {
            Message::Trade(trade) => {
                let tape = self.tape.take(trade, counts);
                (tape.map(Command::Tape), Need::Nothing)
            }
            Message::DepthDiff(diff) => match &mut self.mirror {
                Some(mirror) => mirror.take_diff(diff, counts),
                None => (None, Need::Nothing),
            },
            Message::DepthSnapshot(snapshot) => match &mut self.mirror {
                Some(mirror) => mirror.take_snapshot(snapshot, counts),
                None => (None, Need::Nothing),
            },
            Message::AggregateTrade(_)
            | Message::ServerShutdown
            | Message::Response(_)
            | Message::BookTicker => (None, Need::Nothing),
            Message::Unknown => {
                counts.skip(SkipReason::UnknownEvent);
                (None, Need::Nothing)
            }
        }
    }

    /// Begins the local book anew, as after a lost connection. The mirror stays as it is until a
    /// snapshot replaces it.
    pub fn start_over(&mut self) {
        if let Some(mirror) = &mut self.mirror {
            mirror.book.start_over();
        }
    }

    /// The exchange may have missed an update: the next one will name every level.
    pub const fn restate_next(&mut self) {
        if let Some(mirror) = &mut self.mirror {
            mirror.next = NextUpdate::Whole;
        }
    }
}

impl Mirror {
    fn take_diff(&mut self, diff: &DepthDiff, counts: &mut Counts) -> (Option<Command>, Need) {
        match self.book.take_diff(diff) {
            DiffOutcome::Applied => {}
            DiffOutcome::Ignored => {
                counts.skip(SkipReason::SentBefore);
                return (None, Need::Nothing);
            }
            DiffOutcome::Buffered => return (None, Need::Snapshot),
            DiffOutcome::Gap => {
                counts.gaps += 1;
                return (None, Need::Snapshot);
            }
        }
        let Some(depth) = self.book.depth() else {
            return (None, Need::Snapshot);
        };
        let update = match self.next {
            NextUpdate::Changes => self.liquidity.follow(depth, diff, counts),
            NextUpdate::Whole => self.liquidity.restate(depth, counts),
        };
        self.next = NextUpdate::Changes;
        (Some(Command::Mirror(update)), Need::Nothing)
    }

    fn take_snapshot(
        &mut self,
        snapshot: &DepthSnapshot,
        counts: &mut Counts,
    ) -> (Option<Command>, Need) {
        match self.book.take_snapshot(snapshot) {
            SnapshotOutcome::Begun { .. } => {}
            SnapshotOutcome::TooOld => return (None, Need::Snapshot),
            SnapshotOutcome::NotNeeded => return (None, Need::Nothing),
        }
        let Some(depth) = self.book.depth() else {
            return (None, Need::Snapshot);
        };
        let update = self.liquidity.restate(depth, counts);
        self.next = NextUpdate::Changes;
        (Some(Command::Mirror(update)), Need::Nothing)
    }
}

//! One instrument's market data: messages in, commands out.

use std::sync::Arc;

use shardbook_engine::command::{Command, FeedSource};
use shardbook_engine::instrument::Instrument;

use crate::hole::{Fill, FillRequest, Print};
use crate::liquidity::Liquidity;
use crate::local_book::{DiffOutcome, LocalBook, SnapshotOutcome};
use crate::message::{DepthDiff, DepthSnapshot, Message};
use crate::status::{Counts, SkipReason};
use crate::trades::{Holes, TapeReader};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing but the next message.
    Nothing,
    /// A depth snapshot.
    Snapshot,
    /// Trades that were missed. What they came to must be brought to [`Market::fill`], even if
    /// that is nothing: trades wait for it.
    Fill(FillRequest),
}

impl From<Option<FillRequest>> for Need {
    fn from(request: Option<FillRequest>) -> Self {
        request.map_or(Self::Nothing, Self::Fill)
    }
}

impl Market {
    /// A market that mirrors at most `liquidity_levels` levels a side; with 0 it takes trades
    /// alone.
    #[must_use]
    pub fn new(
        instrument: Arc<Instrument>,
        source: FeedSource,
        liquidity_levels: usize,
        holes: Holes,
    ) -> Self {
        let mirror = (liquidity_levels > 0).then(|| Mirror {
            book: LocalBook::new(),
            liquidity: Liquidity::new(Arc::clone(&instrument), source, liquidity_levels),
            next: NextUpdate::Changes,
        });
        Self {
            tape: TapeReader::new(instrument, source, holes),
            mirror,
        }
    }

    /// Takes the next message of this symbol; the commands with which the exchange follows it are
    /// put to `commands`.
    pub fn take(
        &mut self,
        message: &Message,
        counts: &mut Counts,
        commands: &mut Vec<Command>,
    ) -> Need {
        match message {
            Message::Trade(trade) => self.take_print(Print::from(trade), counts, commands),
            Message::AggregateTrade(trade) => self.take_print(Print::from(trade), counts, commands),
            Message::DepthDiff(diff) => match &mut self.mirror {
                Some(mirror) => mirror.take_diff(diff, counts, commands),
                None => Need::Nothing,
            },
            Message::DepthSnapshot(snapshot) => match &mut self.mirror {
                Some(mirror) => mirror.take_snapshot(snapshot, counts, commands),
                None => Need::Nothing,
            },
            Message::ServerShutdown | Message::Response(_) | Message::BookTicker => Need::Nothing,
            Message::Unknown => {
                counts.skip(SkipReason::UnknownEvent);
                Need::Nothing
            }
        }
    }

    fn take_print(
        &mut self,
        print: Print,
        counts: &mut Counts,
        commands: &mut Vec<Command>,
    ) -> Need {
        let mut orders = Vec::new();
        let request = self.tape.take(print, counts, &mut orders);
        commands.extend(orders.into_iter().map(Command::Tape));
        request.into()
    }

    /// Takes what a request for missed trades came to, and goes on with those that waited.
    pub fn fill(&mut self, fill: Fill, counts: &mut Counts, commands: &mut Vec<Command>) -> Need {
        let mut orders = Vec::new();
        let request = self.tape.fill(fill, counts, &mut orders);
        commands.extend(orders.into_iter().map(Command::Tape));
        request.into()
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

    /// The whole mirror as it should stand, if a book does.
    pub fn restate(&mut self, counts: &mut Counts) -> Option<Command> {
        let mirror = self.mirror.as_mut()?;
        let depth = mirror.book.depth()?;
        mirror.next = NextUpdate::Changes;
        Some(Command::Mirror(mirror.liquidity.restate(depth, counts)))
    }
}

impl Mirror {
    fn take_diff(
        &mut self,
        diff: &DepthDiff,
        counts: &mut Counts,
        commands: &mut Vec<Command>,
    ) -> Need {
        match self.book.take_diff(diff) {
            DiffOutcome::Applied => {}
            DiffOutcome::Ignored => {
                counts.skip(SkipReason::SentBefore);
                return Need::Nothing;
            }
            DiffOutcome::Buffered => return Need::Snapshot,
            DiffOutcome::Gap => {
                counts.gaps += 1;
                return Need::Snapshot;
            }
        }
        let Some(depth) = self.book.depth() else {
            return Need::Snapshot;
        };
        let update = match self.next {
            NextUpdate::Changes => self.liquidity.follow(depth, diff, counts),
            NextUpdate::Whole => self.liquidity.restate(depth, counts),
        };
        self.next = NextUpdate::Changes;
        commands.push(Command::Mirror(update));
        Need::Nothing
    }

    fn take_snapshot(
        &mut self,
        snapshot: &DepthSnapshot,
        counts: &mut Counts,
        commands: &mut Vec<Command>,
    ) -> Need {
        match self.book.take_snapshot(snapshot) {
            SnapshotOutcome::Begun { .. } => {}
            SnapshotOutcome::TooOld => return Need::Snapshot,
            SnapshotOutcome::NotNeeded => return Need::Nothing,
        }
        let Some(depth) = self.book.depth() else {
            return Need::Snapshot;
        };
        let update = self.liquidity.restate(depth, counts);
        self.next = NextUpdate::Changes;
        commands.push(Command::Mirror(update));
        Need::Nothing
    }
}

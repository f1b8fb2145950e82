//! What the feed tells about itself.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use shardbook_engine::time::Timestamp;

use crate::hole::Hole;

/// How the feed is doing, published whenever it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedStatus {
    /// Whether market data comes in.
    pub state: FeedState,
    /// When the newest message came in, by the exchange's clock.
    pub last_message_at: Option<Timestamp>,
    /// How long the newest live message had been on its way, by Binance's clock and ours. None
    /// for recorded and simulated markets.
    pub lag: Option<Duration>,
    /// What came in and what came of it, since the start.
    pub counts: Counts,
    /// How far a file has been played.
    pub progress: Option<Progress>,
}

/// Whether market data comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FeedState {
    /// There is no feed.
    #[default]
    Off,
    /// The first connection is being made.
    Connecting,
    /// Messages come in.
    Live,
    /// The connection is lost and is being made anew.
    Down,
    /// The file has been played to its end, and every command of it is answered.
    Finished,
}

impl FeedState {
    /// The word that `/healthz` shows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Down => "down",
            Self::Finished => "finished",
        }
    }
}

/// What came in and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages or recorded lines, bad ones included.
    pub messages: u64,
    /// Market orders that the exchange took in: a trade each, or an aggregate of one taker's.
    pub trades: u64,
    /// Trades that were missed at first and had by asking for them.
    pub trades_filled: u64,
    /// Depth updates that changed the mirror.
    pub mirror_updates: u64,
    /// Depth updates that left the mirror as it was: it stood so already, or the exchange had
    /// taken them in before.
    pub mirror_unchanged: u64,
    /// What was not taken in, by reason; reasons that never came up are left out.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Holes that stayed: runs of trade ids that were jumped over and could not be had, and
    /// breaks in the chain of depth updates.
    pub gaps: u64,
    /// Trades that are missing for good.
    pub trades_missed: u64,
    /// Connections made after the first.
    pub reconnects: u64,
}

impl Counts {
    /// Counts one thing that is not taken in.
    pub fn skip(&mut self, reason: SkipReason) {
        self.skip_many(reason, 1);
    }

    /// Counts several things that are not taken in, as the trades of an aggregate.
    pub fn skip_many(&mut self, reason: SkipReason, count: u64) {
        *self.skipped.entry(reason).or_insert(0) += count;
    }

    /// How many were not taken in for this reason.
    #[must_use]
    pub fn skipped(&self, reason: SkipReason) -> u64 {
        self.skipped.get(&reason).copied().unwrap_or(0)
    }

    /// Counts a hole that stays.
    pub const fn miss(&mut self, hole: Hole) {
        self.gaps += 1;
        self.trades_missed = self.trades_missed.saturating_add(hole.trades());
    }

    /// Adds another count to this one.
    pub fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.trades += other.trades;
        self.trades_filled += other.trades_filled;
        self.mirror_updates += other.mirror_updates;
        self.mirror_unchanged += other.mirror_unchanged;
        self.gaps += other.gaps;
        self.trades_missed += other.trades_missed;
        self.reconnects += other.reconnects;
        for (reason, count) in &other.skipped {
            *self.skipped.entry(*reason).or_insert(0) += count;
        }
    }
}

/// Why something that came in was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// A recorded line that is not `<receive time in ns> <json>`.
    BadLine,
    /// A message that does not parse, or holds values that make no sense.
    BadMessage,
    /// A kind of message that the feed does not know.
    UnknownEvent,
    /// A symbol that no instrument is mapped to.
    UnmappedSymbol,
    /// A recorded snapshot without a symbol in a file of several.
    SnapshotWithoutSymbol,
    /// A price between two ticks.
    PriceOffTick,
    /// A quantity of less than one lot.
    QuantityBelowLot,
    /// What was left of a trade's quantity after its whole lots; the lots were taken in.
    RemainderBelowLot,
    /// A price or quantity beyond what the exchange can count.
    OutOfRange,
    /// A trade or depth update that the source had sent before.
    SentBefore,
    /// Trades of one taker, some of which had been sent before: none of them is taken in twice.
    Overlaps,
    /// A trade that the exchange had taken in before, or that came while its instrument was
    /// halted.
    IgnoredByExchange,
    /// A command that the exchange refused.
    Refused,
}

impl SkipReason {
    /// The label that `/metrics` shows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadLine => "bad_line",
            Self::BadMessage => "bad_message",
            Self::UnknownEvent => "unknown_event",
            Self::UnmappedSymbol => "unmapped_symbol",
            Self::SnapshotWithoutSymbol => "snapshot_without_symbol",
            Self::PriceOffTick => "price_off_tick",
            Self::QuantityBelowLot => "quantity_below_lot",
            Self::RemainderBelowLot => "remainder_below_lot",
            Self::OutOfRange => "out_of_range",
            Self::SentBefore => "sent_before",
            Self::Overlaps => "overlaps",
            Self::IgnoredByExchange => "ignored_by_exchange",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a file has been played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that have been read, as they lie on disk.
    pub bytes_read: u64,
    /// The file's size in bytes.
    pub bytes_total: u64,
}

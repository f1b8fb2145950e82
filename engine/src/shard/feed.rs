//! The feed's commands and the operator's: Binance's tape and depth, halts, ends of days.
//!
//! Each source of market data has positions, and what is not above them has been taken in
//! before. A command that is not taken in leaves the positions where they are, for it leaves no
//! record.
//!
//! **Tape.** A command whose last trade is not above the highest trade taken in changes nothing,
//! and neither does one that begins at or below it and ends above: taking in a trade twice is
//! worse than missing one. The feed sends none of those; it counts the overlap as a gap. While
//! halted nothing is taken in, and the position stays: the feed counts those trades as skipped.
//!
//! **Mirror.** A position is the snapshot the source's book began with, then the update's own
//! number: a newer snapshot is above an older one even if its number is below the last update's,
//! as it is when another of Binance's servers answers. Changes build on what is mirrored, so they
//! are taken in only while a mirror of the same source is in place; after a start, a withdrawal
//! or a halt the feed sends the whole mirror first. Then an update at the position itself will
//! do, for it brings back what was taken away. A feed that sees an update of its own answered
//! with "unchanged" and does not know why loses nothing by sending the whole next.

use crate::answer::Refusal;
use crate::book::Incoming;
use crate::command::{FeedSource, MirrorScope, MirrorUpdate, Tape};
use crate::event::Event;
use crate::id::OrderRef;
use crate::order::{OrderKind, SelfTradePrevention};
use crate::time::{Day, Timestamp};

use super::clients::TAPE;
use super::{Decision, Shard};

/// How far each source has been taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedPositions {
    binance: SourcePosition,
    simulated: SourcePosition,
}

/// How far one source has been taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourcePosition {
    /// The highest trade id.
    pub trade_id: Option<u64>,
    /// The last update of the mirror.
    pub mirror: Option<MirrorPosition>,
}

/// An update's place in a source's depth: by snapshot, then by update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MirrorPosition {
    /// The `lastUpdateId` of the snapshot that the source's book began with.
    pub snapshot_id: u64,
    /// The update's `u`.
    pub update_id: u64,
}

/// What a start found of the feed's on an instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedAtStart {
    /// How far each source had been taken in.
    pub positions: FeedPositions,
    /// Whose depth was mirrored, if any was.
    pub mirror_source: Option<FeedSource>,
}

impl FeedPositions {
    /// One source's.
    #[must_use]
    pub const fn of(&self, source: FeedSource) -> &SourcePosition {
        match source {
            FeedSource::Binance => &self.binance,
            FeedSource::Simulated => &self.simulated,
        }
    }

    /// One source's, to move it.
    pub const fn of_mut(&mut self, source: FeedSource) -> &mut SourcePosition {
        match source {
            FeedSource::Binance => &mut self.binance,
            FeedSource::Simulated => &mut self.simulated,
        }
    }
}

impl MirrorPosition {
    pub(super) const fn of(update: &MirrorUpdate) -> Self {
        Self {
            snapshot_id: update.snapshot_id,
            update_id: update.update_id,
        }
    }
}

impl Shard {
    pub(super) fn tape(&mut self, at: Timestamp, tape: &Tape, events: &mut Vec<Event>) -> Decision {
        let taken_in = self.positions.of(tape.source).trade_id;
        if self.halted || taken_in.is_some_and(|highest| tape.first_trade_id <= highest) {
            return Decision::Unchanged;
        }
        let incoming = Incoming {
            client: TAPE,
            side: tape.side,
            quantity: tape.quantity,
            self_trade_prevention: SelfTradePrevention::None,
        };
        let (ending, _) = self.bring_in(at, incoming, OrderKind::Market, events);
        ending.tell(OrderRef::single(self.sequence.next()), events);
        self.note_tape(tape);
        self.record(at, events)
    }

    pub(super) fn mirror(
        &mut self,
        at: Timestamp,
        update: &MirrorUpdate,
        events: &mut Vec<Event>,
    ) -> Decision {
        if self.halted || !self.is_news(update) {
            return Decision::Unchanged;
        }
        let begins = self.mirror_source != Some(update.source);
        if !begins && !self.book.mirror_would_change(update.scope, &update.levels) {
            return Decision::Unchanged;
        }
        self.book
            .mirror(update.scope, &update.levels, &mut self.book_events);
        self.follow(at, events);
        self.note_mirror(update);
        self.record(at, events)
    }

    fn is_news(&self, update: &MirrorUpdate) -> bool {
        let position = self.positions.of(update.source).mirror;
        let offered = Some(MirrorPosition::of(update));
        let in_place = self.mirror_source == Some(update.source);
        match update.scope {
            MirrorScope::Changes => in_place && offered > position,
            MirrorScope::Whole => offered > position || (!in_place && offered == position),
        }
    }

    pub(super) fn withdraw_mirror(&mut self, at: Timestamp, events: &mut Vec<Event>) -> Decision {
        if self.mirror_source.is_none() {
            return Decision::Unchanged;
        }
        self.withdraw(at, events);
        self.record(at, events)
    }

    pub(super) fn halt(&mut self, at: Timestamp, events: &mut Vec<Event>) -> Decision {
        if self.halted {
            return Decision::Unchanged;
        }
        self.withdraw(at, events);
        self.halted = true;
        self.record(at, events)
    }

    pub(super) fn resume(&mut self, at: Timestamp, events: &[Event]) -> Decision {
        if !self.halted {
            return Decision::Unchanged;
        }
        self.halted = false;
        self.record(at, events)
    }

    /// Closes a day, once; the stamp is of a later one already, so that none after it falls in
    /// the day.
    pub(super) fn close_day(&mut self, at: Timestamp, day: Day, events: &[Event]) -> Decision {
        if self.last_closed_day >= Some(day) {
            return Decision::Unchanged;
        }
        if at.day() <= day {
            return Decision::Refused(Refusal::DayNotOver);
        }
        self.note_closed_day(day);
        self.record(at, events)
    }

    /// Puts down that a day is closed.
    pub(super) fn note_closed_day(&mut self, day: Day) {
        self.last_closed_day = self.last_closed_day.max(Some(day));
    }

    fn withdraw(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        self.book.withdraw_mirror(&mut self.book_events);
        self.follow(at, events);
        self.mirror_source = None;
    }

    /// Puts down that the tape's trades are taken in.
    pub(super) const fn note_tape(&mut self, tape: &Tape) {
        self.positions.of_mut(tape.source).trade_id = Some(tape.last_trade_id);
    }

    /// Puts down whose levels are mirrored and how far.
    pub(super) const fn note_mirror(&mut self, update: &MirrorUpdate) {
        self.mirror_source = Some(update.source);
        self.positions.of_mut(update.source).mirror = Some(MirrorPosition::of(update));
    }
}

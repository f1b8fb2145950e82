//! One consumer's view of one instrument: which events it is sent, in which order, and what
//! happens when it falls behind.
//!
//! The book's deltas form a chain: each names the sequence of the one before it, and the first
//! that of the snapshot which the subscription begins with. The chain is kept by these rules:
//!
//! 1. A record is folded into the market data first and published to the ring afterwards. So a
//!    snapshot may be ahead of the ring, and never behind it. It knows the newest change it
//!    contains, and the subscription goes on right behind that change: where the ring has it, at
//!    its cursor; where the ring is yet to get it, by leaving out what comes up to it.
//! 2. The snapshot's sequence is the last delta's, which the next delta names as its previous one.
//! 3. One who has missed deltas is sent none until it has been sent a new snapshot, which goes
//!    out in its place between the events before it and those after.
//!
//! An event's id tells where to resume. While the book is out of step events carry no id, since
//! resuming behind them would take the chain for whole.

mod conflated;
mod frame;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{BookImage, ChangeId, ChangeKind};
use shardbook_engine::router::InstrumentHandle;

pub use self::frame::{Frame, OwnName, Resume};
pub use self::wanted::{OrdersOf, Pace, Wanted};

use self::conflated::Conflated;
use crate::schema::stream::{DeltaMessage, GapMessage, SnapshotMessage};
use crate::stream::channel::{Channel, ChannelSet, Counts};
use crate::stream::hub::{Seat, StreamHub};
use crate::stream::message::text;
use crate::stream::ring::{Cursor, Event, Place, Reading, Ring};

/// Most events read at one go: enough to make a flush worth its while, few enough to be written
/// before the reader's turn is over.
const EVENTS_PER_TURN: usize = 128;

/// Least time between two snapshots for a consumer that keeps falling behind.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// Where snapshots come from.
pub trait BookSource: Send + Sync {
    /// The instrument.
    fn instrument(&self) -> &Arc<Instrument>;

    /// The whole book as of now.
    fn image(&self) -> BookImage;
}

impl BookSource for InstrumentHandle {
    fn instrument(&self) -> &Arc<Instrument> {
        Self::instrument(self)
    }

    fn image(&self) -> BookImage {
        self.market_data().read().full_levels()
    }
}

/// One consumer's reading of one instrument's ring.
pub struct Subscription {
    source: Arc<dyn BookSource>,
    ring: Arc<Ring>,
    grown: watch::Receiver<u64>,
    wanted: Wanted,
    cursor: Cursor,
    /// Changes up to this one are contained in the snapshot it began with.
    skip_through: ChangeId,
    book: Book,
    last_snapshot: Option<Instant>,
    conflated: Option<Conflated>,
    last_delta_sent: Option<Instant>,
    waiting: Vec<Frame>,
    read: Vec<Arc<Event>>,
    seat: Seat,
}

/// How the consumer's book stands to the ring.
enum Book {
    /// It has all deltas up to the cursor, or wants none.
    InStep,
    /// It missed some and is to get a snapshot, not before the time given.
    Lost(Instant),
    /// The snapshot is taken, and goes out once the cursor stands behind what it contains.
    Taken(Box<BookImage>),
}

impl Subscription {
    /// Begins with what is to come, after a snapshot if deltas are wanted.
    #[must_use]
    pub fn begin(hub: &StreamHub, seat: Seat, source: Arc<dyn BookSource>, wanted: Wanted) -> Self {
        let mut subscription = Self::at_end(hub, seat, source, wanted);
        subscription.begin_with_snapshot();
        subscription
    }

    /// Goes on behind the event `id`, or tells of a gap and begins anew where that can't be.
    #[must_use]
    pub fn resume(
        hub: &StreamHub,
        seat: Seat,
        source: Arc<dyn BookSource>,
        wanted: Wanted,
        id: ChangeId,
    ) -> Self {
        let mut subscription = Self::at_end(hub, seat, source, wanted);
        match subscription.ring.find(id) {
            Place::Held(cursor) => subscription.cursor = cursor,
            Place::AboveHead | Place::LetGo => {
                for channel in subscription.channels().iter() {
                    subscription.tell_gap(channel, None);
                }
                subscription.begin_with_snapshot();
            }
        }
        subscription
    }

    fn at_end(hub: &StreamHub, seat: Seat, source: Arc<dyn BookSource>, wanted: Wanted) -> Self {
        let ring = hub.ring(source.instrument().id);
        Self {
            grown: ring.watch(),
            cursor: ring.end(),
            ring,
            source,
            wanted,
            skip_through: ChangeId::ZERO,
            book: Book::InStep,
            last_snapshot: None,
            conflated: None,
            last_delta_sent: None,
            waiting: Vec::new(),
            read: Vec::new(),
            seat,
        }
    }

    /// The instrument it is about.
    #[must_use]
    pub fn instrument(&self) -> &Arc<Instrument> {
        self.source.instrument()
    }

    fn channels(&self) -> ChannelSet {
        self.wanted.channels.get()
    }

    fn wants(&self, channel: Channel) -> bool {
        self.channels().contains(channel)
    }

    fn begin_with_snapshot(&mut self) {
        if !self.wants(Channel::OrderbookDeltas) {
            return;
        }
        loop {
            let image = self.source.image();
            match self.ring.find(image.newest_change) {
                Place::Held(cursor) => self.cursor = cursor,
                Place::AboveHead => {
                    self.cursor = self.ring.end();
                    self.skip_through = image.newest_change;
                }
                // So much was published since that the ring has let go of it.
                Place::LetGo => continue,
            }
            self.send_snapshot(&image, Instant::now());
            return;
        }
    }

    /// Waits until there is something to send, and adds it to `frames`. Nothing is lost when it
    /// is dropped while it waits.
    pub async fn next(&mut self, frames: &mut Vec<Frame>) {
        loop {
            self.grown.borrow_and_update();
            self.advance(Instant::now());
            if !self.waiting.is_empty() {
                frames.append(&mut self.waiting);
                return;
            }
            let due = self.next_due();
            tokio::select! {
                () = self.turn_with_news() => {}
                () = async {
                    match due {
                        Some(due) => sleep_until(due).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    /// Waits until there is something to read, and it is this consumer's turn.
    async fn turn_with_news(&mut self) {
        if self.grown.changed().await.is_err() {
            // The ring, held here, can't be gone; were it, nothing would come.
            std::future::pending::<()>().await;
        }
        if let Some(turn) = self.seat.next_turn(Instant::now()) {
            sleep_until(turn).await;
        }
    }

    /// When something is to be sent although nothing happens.
    fn next_due(&self) -> Option<Instant> {
        let snapshot = match self.book {
            Book::Lost(not_before) => Some(not_before),
            Book::InStep | Book::Taken(_) => None,
        };
        let delta = self.conflated.as_ref().map(|_| self.delta_due());
        snapshot.into_iter().chain(delta).min()
    }

    fn delta_due(&self) -> Instant {
        match (self.wanted.pace, self.last_delta_sent) {
            (Pace::Every(interval), Some(last)) => last + interval,
            (Pace::Every(_) | Pace::EachDelta, _) => Instant::now(),
        }
    }

    /// Does all that can be done at `now`, up to one turn's worth of events.
    fn advance(&mut self, now: Instant) {
        if let Book::Lost(not_before) = self.book
            && now >= not_before
        {
            self.book = if self.wants(Channel::OrderbookDeltas) {
                Book::Taken(Box::new(self.source.image()))
            } else {
                Book::InStep
            };
        }
        let mut events = std::mem::take(&mut self.read);
        let head = self.ring.head();
        let reading = self
            .ring
            .read(&mut self.cursor, EVENTS_PER_TURN, &mut events);
        for event in events.drain(..) {
            self.take(event, now);
        }
        self.read = events;
        match reading {
            Reading::More => {}
            Reading::AtHead => self.send_taken_snapshot(now, |newest| newest <= head),
            Reading::Missed(missed) => self.miss(missed, now),
        }
        if self.conflated.is_some() && self.delta_due() <= now {
            self.send_conflated(now);
        }
    }

    fn take(&mut self, event: Arc<Event>, now: Instant) {
        if event.id() <= self.skip_through {
            return;
        }
        self.send_taken_snapshot(now, |newest| newest < event.id());
        let channel = Channel::of(event.kind());
        if !self.wants(channel) {
            return;
        }
        let in_step = matches!(self.book, Book::InStep);
        if let ChangeKind::Order(order) = event.kind()
            && !self.wanted.orders_of.includes(&order.client)
        {
            return;
        }
        match (event.kind(), self.wanted.pace) {
            (ChangeKind::Delta(_), _) if !in_step => {}
            (ChangeKind::Delta(delta), Pace::Every(_)) => {
                let conflated = self
                    .conflated
                    .get_or_insert_with(|| Conflated::after(delta));
                conflated.add(event.id(), delta);
            }
            (ChangeKind::Delta(_), Pace::EachDelta)
            | (ChangeKind::Trade(_) | ChangeKind::Order(_), _) => {
                let resume = if in_step {
                    Resume::Behind
                } else {
                    Resume::NotHere
                };
                self.waiting.push(Frame::Event { event, resume });
            }
        }
    }

    /// Sends the snapshot that was taken, if `is_due` says so of the newest change in it.
    fn send_taken_snapshot(&mut self, now: Instant, is_due: impl Fn(ChangeId) -> bool) {
        if matches!(&self.book, Book::Taken(image) if is_due(image.newest_change))
            && let Book::Taken(image) = std::mem::replace(&mut self.book, Book::InStep)
        {
            self.send_snapshot(&image, now);
        }
    }

    fn send_snapshot(&mut self, image: &BookImage, now: Instant) {
        self.waiting.push(Frame::Own {
            name: OwnName::Snapshot,
            id: Some(image.newest_change),
            text: text(&SnapshotMessage::new(image, self.source.instrument())),
        });
        self.last_snapshot = Some(now);
        self.last_delta_sent = Some(now);
    }

    /// The cursor fell off the ring and stands at its end now.
    fn miss(&mut self, missed: Counts, now: Instant) {
        for channel in self.channels().iter() {
            let missed = missed.get(channel);
            if missed == 0 {
                continue;
            }
            if channel != Channel::OrderbookDeltas {
                // How many of them were this client's is known to nobody any more.
                let is_counted =
                    channel != Channel::Orders || self.wanted.orders_of == OrdersOf::Everyone;
                self.tell_gap(channel, is_counted.then_some(missed));
                continue;
            }
            match self.book {
                Book::InStep => {
                    self.tell_gap(channel, Some(missed));
                    self.conflated = None;
                    let not_before = self.last_snapshot.map(|last| last + SNAPSHOT_INTERVAL);
                    self.book = Book::Lost(not_before.unwrap_or(now));
                }
                // The snapshot to come makes up for these too.
                Book::Lost(_) => {}
                // The snapshot is too old for what comes behind it now.
                Book::Taken(_) => self.book = Book::Lost(now),
            }
        }
    }

    fn tell_gap(&mut self, channel: Channel, missed: Option<u64>) {
        self.seat.count_gap();
        self.waiting.push(Frame::Own {
            name: OwnName::Gap(channel),
            id: None,
            text: text(&GapMessage::new(channel, missed, self.source.instrument())),
        });
    }

    fn send_conflated(&mut self, now: Instant) {
        let Some(conflated) = self.conflated.take() else {
            return;
        };
        if !self.wants(Channel::OrderbookDeltas) {
            return;
        }
        let (id, delta) = conflated.into_delta();
        self.waiting.push(Frame::Own {
            name: OwnName::Delta,
            // What came in between has been sent: no place is behind all of it.
            id: None,
            text: text(&DeltaMessage::new(
                id.sequence,
                &delta,
                self.source.instrument(),
            )),
        });
        self.last_delta_sent = Some(now);
    }
}

#[cfg(test)]
pub(crate) mod tests;

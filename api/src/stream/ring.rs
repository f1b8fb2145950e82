//! The newest events of one instrument, and the cursors that read them.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::id::Sequence;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{Change, ChangeId, ChangeKind};

use crate::schema::stream::MessageType;
use crate::stream::channel::{Channel, Counts};
use crate::stream::message::{sse_event, text_of_change};

/// One change, shared by all who read it.
#[derive(Debug)]
pub struct Event {
    id: ChangeId,
    kind: ChangeKind,
    /// Events up to this one and with it, since the ring began.
    counts: Counts,
    text: OnceLock<Utf8Bytes>,
    sse: OnceLock<Bytes>,
}

impl Event {
    /// Its place in the instrument's history.
    #[must_use]
    pub const fn id(&self) -> ChangeId {
        self.id
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> &ChangeKind {
        &self.kind
    }

    /// Its JSON text, made when first asked for.
    #[must_use]
    pub fn text(&self, instrument: &Instrument) -> &Utf8Bytes {
        self.text
            .get_or_init(|| text_of_change(self.id.sequence, &self.kind, instrument))
    }

    /// It as a server-sent event with its id, made when first asked for.
    #[must_use]
    pub fn sse(&self, instrument: &Instrument) -> &Bytes {
        self.sse.get_or_init(|| {
            let r#type = MessageType::of(&self.kind);
            sse_event(r#type, Some(self.id), self.text(instrument))
        })
    }
}

/// Where a consumer stands: right before an event that may not have happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the next event, counted since the ring began.
    next: u64,
    /// The events before it.
    counts: Counts,
}

/// Where an id stands in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All events after it are held or still to come.
    Held(Cursor),
    /// The newest event is before it.
    AboveHead,
    /// Events after it have been let go of, or were never here.
    LetGo,
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// There may be more.
    More,
    /// The cursor stands behind the newest event.
    AtHead,
    /// Events under the cursor have been let go of. It stands behind the newest event now, and
    /// so many were missed.
    Missed(Counts),
}

/// The newest events of one instrument.
#[derive(Debug)]
pub struct Ring {
    state: RwLock<State>,
    /// Tells that there is more, by how many events there ever were.
    grown: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    events: VecDeque<Arc<Event>>,
    kept_max: usize,
    /// The number of the oldest event held.
    first: u64,
    /// The events before that.
    before_first: Counts,
    /// All events there ever were.
    counts: Counts,
    /// The newest change that is not held: from it on, everything is.
    floor: ChangeId,
    head: ChangeId,
}

impl Ring {
    /// A ring of at most `kept_max` events.
    #[must_use]
    pub fn new(kept_max: usize) -> Self {
        Self {
            state: RwLock::new(State {
                events: VecDeque::new(),
                kept_max: kept_max.max(1),
                first: 0,
                before_first: Counts::default(),
                counts: Counts::default(),
                floor: ChangeId::ZERO,
                head: ChangeId::ZERO,
            }),
            grown: watch::Sender::new(0),
        }
    }

    /// Goes on behind changes that happened and that it never holds: who has seen the newest of
    /// them has missed nothing.
    pub(crate) fn begin_after(&self, newest: ChangeId) {
        let mut state = self.state.write();
        assert!(state.events.is_empty(), "a ring begins once");
        state.floor = newest;
        state.head = newest;
    }

    /// Takes in new changes, which are durable; those that came before are ignored.
    pub(crate) fn extend(&self, changes: Vec<Change>) {
        let total = {
            let mut state = self.state.write();
            for change in changes {
                state.push(change);
            }
            state.end()
        };
        self.grown.send_replace(total);
    }

    /// Where to read on after the change `id`.
    #[must_use]
    pub fn find(&self, id: ChangeId) -> Place {
        let state = self.state.read();
        if id > state.head {
            return Place::AboveHead;
        }
        if id < state.floor {
            return Place::LetGo;
        }
        let skipped = state.events.partition_point(|event| event.id <= id);
        let before = skipped
            .checked_sub(1)
            .and_then(|last| state.events.get(last));
        Place::Held(Cursor {
            next: state.first + u64::try_from(skipped).unwrap_or(u64::MAX),
            counts: before.map_or(state.before_first, |event| event.counts),
        })
    }

    /// The place behind the newest event.
    #[must_use]
    pub fn end(&self) -> Cursor {
        self.state.read().end_cursor()
    }

    /// The newest event's id; [`ChangeId::ZERO`] before the first.
    #[must_use]
    pub fn head(&self) -> ChangeId {
        self.state.read().head
    }

    /// Reads on, adding at most `events_max` events to `into`.
    pub fn read(
        &self,
        cursor: &mut Cursor,
        events_max: usize,
        into: &mut Vec<Arc<Event>>,
    ) -> Reading {
        let state = self.state.read();
        let Some(skipped) = cursor.next.checked_sub(state.first) else {
            let missed = state.counts.since(cursor.counts);
            *cursor = state.end_cursor();
            return Reading::Missed(missed);
        };
        let from = usize::try_from(skipped)
            .unwrap_or(usize::MAX)
            .min(state.events.len());
        let to = state.events.len().min(from.saturating_add(events_max));
        for event in state.events.range(from..to) {
            cursor.next += 1;
            cursor.counts = event.counts;
            into.push(Arc::clone(event));
        }
        if to == state.events.len() {
            Reading::AtHead
        } else {
            Reading::More
        }
    }

    /// Tells when there is more to read.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }
}

impl State {
    fn push(&mut self, change: Change) {
        if change.id <= self.head {
            return;
        }
        if self.head == ChangeId::ZERO {
            self.floor = before(change.id);
        }
        if self.events.len() >= self.kept_max
            && let Some(oldest) = self.events.pop_front()
        {
            self.first += 1;
            self.before_first = oldest.counts;
            self.floor = oldest.id;
        }
        self.head = change.id;
        self.counts.add(Channel::of(&change.kind));
        self.events.push_back(Arc::new(Event {
            id: change.id,
            kind: change.kind,
            counts: self.counts,
            text: OnceLock::new(),
            sse: OnceLock::new(),
        }));
    }

    fn end(&self) -> u64 {
        self.first + u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }

    fn end_cursor(&self) -> Cursor {
        Cursor {
            next: self.end(),
            counts: self.counts,
        }
    }
}

/// The last place before a ring's first event from which nothing can have been missed. What the
/// records before its own changed, if there were any, is not known here.
fn before(first: ChangeId) -> ChangeId {
    match first.sequence.get().checked_sub(1) {
        None | Some(0) => ChangeId::ZERO,
        Some(sequence) => ChangeId {
            sequence: Sequence::new(sequence),
            index: u32::MAX,
        },
    }
}

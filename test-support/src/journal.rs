//! A journal in memory, whose flushes a test can hold back, count and fail.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use shardbook_engine::exchange::PartitionLog;
use shardbook_engine::journal::{
    FRAME_BYTES_MAX, Journal, JournalError, JournalReader, JournalSource, Part, Position,
    PositionRange, ReadFrame,
};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::record::{Record, begin_payload};
use tokio::sync::watch;

/// Frames that outlive who wrote them. Clones are the same journal.
#[derive(Clone, Default)]
pub struct MemoryJournal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The newest position, for those who follow it.
    head: watch::Sender<Position>,
}

#[derive(Default)]
struct State {
    frames: Vec<ReadFrame>,
    /// Frames there have been, those let go of included.
    written: u64,
    /// Frames that were read, those read again included.
    read: usize,
    /// Appends that have begun, finished or not.
    begun: usize,
    disk: Disk,
    /// Frames until it is full, if a test has said so.
    room: Option<usize>,
    /// What trimming was asked for.
    trimmed_below: Vec<u64>,
}

/// What becomes of an append.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Disk {
    #[default]
    Takes,
    Holds,
    Full,
    Fails,
}

impl State {
    fn range(&self) -> PositionRange {
        let oldest = self.frames.first().map(|frame| frame.position);
        PositionRange {
            oldest: oldest.unwrap_or_else(|| Position::new(self.written + 1)),
            newest: Position::new(self.written),
        }
    }
}

impl MemoryJournal {
    /// Appends the records as one payload, in a run of so many frames.
    pub fn append_records(&self, records: &[Record], frames: usize) {
        let mut payload = Vec::new();
        begin_payload(&mut payload);
        for record in records {
            record.parts().encode(&mut payload);
        }
        let mut parts = payload.chunks(payload.len().div_ceil(frames)).peekable();
        while let Some(bytes) = parts.next() {
            let part = if parts.peek().is_some() {
                Part::MoreFollows
            } else {
                Part::Last
            };
            let appended = self.clone().append(part, bytes);
            appended.expect("memory takes it");
        }
    }

    /// Lets no append finish until [`MemoryJournal::go_on`].
    pub fn hold(&self) {
        self.state().disk = Disk::Holds;
    }

    /// Takes appends again, those that it held first.
    pub fn go_on(&self) {
        self.state().disk = Disk::Takes;
        self.0.changed.notify_all();
    }

    /// Lets there be no room until [`MemoryJournal::go_on`].
    pub fn fill(&self) {
        self.state().disk = Disk::Full;
    }

    /// Lets there be room for so many frames, and then none.
    pub fn leave_room_for(&self, frames: usize) {
        self.state().room = Some(frames);
    }

    /// Fails every append from now on.
    pub fn fail(&self) {
        self.state().disk = Disk::Fails;
    }

    /// Lets go of the `count` oldest frames, without being asked.
    pub fn lose_oldest(&self, count: usize) {
        self.state().frames.drain(..count);
    }

    /// How many appends have begun, finished or not.
    #[must_use]
    pub fn appends_begun(&self) -> usize {
        self.state().begun
    }

    /// How many frames have been read, those read again included.
    #[must_use]
    pub fn frames_read(&self) -> usize {
        self.state().read
    }

    /// Below which positions it was asked to trim.
    #[must_use]
    pub fn trimmed_below(&self) -> Vec<u64> {
        self.state().trimmed_below.clone()
    }

    /// What it holds.
    #[must_use]
    pub fn frames(&self) -> Vec<ReadFrame> {
        self.state().frames.clone()
    }

    /// What those are given of it who read it behind an exchange.
    #[must_use]
    pub fn log(&self, id: u32) -> PartitionLog {
        PartitionLog {
            id: PartitionId::new(id),
            source: self.source(),
            head: self.0.head.subscribe(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nobody panicked over it")
    }

    fn wait_until(&self, holds: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.0
            .changed
            .wait_while(self.state(), |state| !holds(state))
            .expect("nobody panicked over it")
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, part: Part, payload: &[u8]) -> Result<Position, JournalError> {
        let bytes = payload.len();
        assert!(bytes <= FRAME_BYTES_MAX, "a frame of {bytes} bytes");
        self.state().begun += 1;
        self.0.changed.notify_all();
        let mut state = self.wait_until(|state| state.disk != Disk::Holds);
        if state.room == Some(0) {
            (state.disk, state.room) = (Disk::Full, None);
        }
        match state.disk {
            Disk::Takes | Disk::Holds => {}
            Disk::Full => return Err(no_room()),
            Disk::Fails => {
                return Err(JournalError::Io {
                    doing: "flushing",
                    place: "memory".to_owned(),
                    source: std::io::Error::other("as the test asked"),
                });
            }
        }
        state.room = state.room.map(|frames| frames - 1);
        state.written += 1;
        let position = Position::new(state.written);
        state.frames.push(ReadFrame {
            position,
            part,
            payload: payload.to_vec(),
        });
        self.0.head.send_replace(position);
        Ok(position)
    }

    fn secure_room(&mut self) -> Result<(), JournalError> {
        if self.state().disk == Disk::Full {
            return Err(no_room());
        }
        Ok(())
    }

    fn source(&self) -> Arc<dyn JournalSource> {
        Arc::new(self.clone())
    }

    fn trim_below(&mut self, position: Position) -> Result<(), JournalError> {
        let mut state = self.state();
        state.trimmed_below.push(position.get());
        state.frames.retain(|frame| frame.position >= position);
        Ok(())
    }
}

impl JournalSource for MemoryJournal {
    fn range(&self) -> PositionRange {
        self.state().range()
    }

    fn read_from(&self, position: Position) -> Result<Box<dyn JournalReader>, JournalError> {
        within(self.state().range(), position)?;
        Ok(Box::new(MemoryReader {
            journal: self.clone(),
            next: position,
        }))
    }
}

struct MemoryReader {
    journal: MemoryJournal,
    next: Position,
}

impl JournalReader for MemoryReader {
    fn read(&mut self) -> Result<Option<ReadFrame>, JournalError> {
        let mut state = self.journal.state();
        let range = state.range();
        within(range, self.next)?;
        let index = self.next.get() - range.oldest.get();
        let index = usize::try_from(index).expect("an index");
        let frame = state.frames.get(index).cloned();
        if frame.is_some() {
            state.read += 1;
            self.next = self.next.next();
        }
        Ok(frame)
    }
}

fn within(range: PositionRange, wanted: Position) -> Result<(), JournalError> {
    if wanted < range.oldest || wanted > range.newest.next() {
        return Err(JournalError::OutOfRange {
            wanted,
            oldest: range.oldest,
            newest: range.newest,
        });
    }
    Ok(())
}

fn no_room() -> JournalError {
    JournalError::NoRoom {
        place: "memory".to_owned(),
        source: std::io::ErrorKind::StorageFull.into(),
    }
}

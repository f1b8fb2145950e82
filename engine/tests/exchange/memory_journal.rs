//! A journal in memory whose flushes a test can hold back, count and fail.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use shardbook_engine::journal::{
    FRAME_BYTES_MAX, Journal, JournalError, JournalReader, JournalSource, Part, Position,
    PositionRange, ReadFrame,
};

/// Frames that outlive the exchange that wrote them.
#[derive(Clone, Default)]
pub(crate) struct MemoryJournal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    frames: Vec<ReadFrame>,
    /// Frames there have been, those let go of included.
    written: u64,
    /// Appends that have begun, finished or not.
    begun: usize,
    held: bool,
    failing: bool,
    full: bool,
    /// Frames until it is full, if a test has said so.
    room: Option<usize>,
    /// What trimming was asked for.
    trimmed_below: Vec<u64>,
}

impl MemoryJournal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn wait_until(&self, holds: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.0
            .changed
            .wait_while(self.state(), |state| !holds(state))
            .unwrap()
    }

    /// Lets no append finish until [`MemoryJournal::go_on`].
    pub(crate) fn hold(&self) {
        self.state().held = true;
    }

    pub(crate) fn go_on(&self) {
        self.state().held = false;
        self.0.changed.notify_all();
    }

    /// Lets there be no room, or some.
    pub(crate) fn fill(&self, full: bool) {
        self.state().full = full;
    }

    /// Lets there be room for so many frames, and then none.
    pub(crate) fn leave_room_for(&self, frames: usize) {
        self.state().room = Some(frames);
    }

    pub(crate) fn fail(&self) {
        self.state().failing = true;
    }

    /// How many appends have begun, finished or not.
    pub(crate) fn appends_begun(&self) -> usize {
        self.state().begun
    }

    /// Loses the first frame.
    pub(crate) fn lose_beginning(&self) {
        self.state().frames.remove(0);
    }

    pub(crate) fn trimmed_below(&self) -> Vec<u64> {
        self.state().trimmed_below.clone()
    }

    pub(crate) fn frames(&self) -> Vec<ReadFrame> {
        self.state().frames.clone()
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, part: Part, payload: &[u8]) -> Result<Position, JournalError> {
        assert!(
            payload.len() <= FRAME_BYTES_MAX,
            "a frame of {} bytes",
            payload.len()
        );
        self.state().begun += 1;
        self.0.changed.notify_all();
        let mut state = self.wait_until(|state| !state.held);
        if state.room == Some(0) {
            (state.full, state.room) = (true, None);
        }
        if state.full {
            return Err(no_room());
        }
        state.room = state.room.map(|frames| frames - 1);
        if state.failing {
            return Err(JournalError::Io {
                doing: "flushing",
                place: "memory".to_owned(),
                source: std::io::Error::other("as the test asked"),
            });
        }
        state.written += 1;
        let position = Position::new(state.written);
        state.frames.push(ReadFrame {
            position,
            part,
            payload: payload.to_vec(),
        });
        Ok(position)
    }

    fn secure_room(&mut self) -> Result<(), JournalError> {
        if self.state().full {
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
        let state = self.state();
        let ends = state.frames.first().zip(state.frames.last());
        ends.map_or(
            PositionRange {
                oldest: Position::new(state.written + 1),
                newest: Position::new(state.written),
            },
            |(first, last)| PositionRange {
                oldest: first.position,
                newest: last.position,
            },
        )
    }

    fn read_from(&self, position: Position) -> Result<Box<dyn JournalReader>, JournalError> {
        let mut frames = VecDeque::from(self.frames());
        frames.retain(|frame| frame.position >= position);
        Ok(Box::new(Reader(frames)))
    }
}

struct Reader(VecDeque<ReadFrame>);

impl JournalReader for Reader {
    fn read(&mut self) -> Result<Option<ReadFrame>, JournalError> {
        Ok(self.0.pop_front())
    }
}

fn no_room() -> JournalError {
    JournalError::NoRoom {
        place: "memory".to_owned(),
        source: std::io::ErrorKind::StorageFull.into(),
    }
}

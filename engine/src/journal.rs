//! The journal as the engine sees it: an append-only log of frames, one for each partition.
//!
//! The trait is narrow on purpose. It deals in bytes and positions, so that a replicated log can
//! stand in for local files; what the bytes mean is the engine's business. [`Durable`] is made
//! here alone, from a position that a journal returned.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use thiserror::Error;

use crate::id::count;

/// Most bytes of payload in one frame. A replicated log's limit for a message is near.
pub const FRAME_BYTES_MAX: usize = 512 * 1024;

count!(
    /// A frame's number within its partition, from 1; 0 stands before the first.
    Position
);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a frame ends a payload. A payload too large for one frame is a run of frames; a run
/// without its last part at a journal's end was never acknowledged and counts as a torn tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The payload goes on in the next frame.
    MoreFollows,
    /// The payload ends here.
    Last,
}

/// Why a journal could not do what it was asked.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The machine refused. The process must end: what a failed flush left behind is unknown.
    #[error("{doing} {place}: {source}")]
    Io {
        /// What was being done, as in `flushing`.
        doing: &'static str,
        /// Which file or directory.
        place: String,
        /// What the machine said.
        source: std::io::Error,
    },
    /// What is there is not what was written.
    #[error("the journal is damaged: {place} at byte {offset}: {what}")]
    Damaged {
        /// Which file.
        place: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there, and what can be done.
        what: String,
    },
    /// There is no room for more, and nothing was written.
    #[error("no room for the journal in {place}: {source}")]
    NoRoom {
        /// Which directory.
        place: String,
        /// What the machine said.
        source: std::io::Error,
    },
    /// The journal no longer holds the position, or does not hold it yet.
    #[error("position {wanted} is outside of what the journal holds ({oldest} to {newest})")]
    OutOfRange {
        /// Asked for.
        wanted: Position,
        /// The oldest frame held.
        oldest: Position,
        /// The newest frame held.
        newest: Position,
    },
    /// Another process holds the data directory.
    #[error("{place} is in use by another process")]
    InUse {
        /// Which directory.
        place: String,
    },
}

/// One partition's log. Owned by the one thread that writes it.
pub trait Journal: Send {
    /// Writes one frame and flushes it; when this returns, the frame survives a power failure.
    ///
    /// # Errors
    /// [`JournalError::NoRoom`] when nothing was written and a later try may do; after any other
    /// error the process must end without trying again.
    fn append(&mut self, part: Part, payload: &[u8]) -> Result<Position, JournalError>;

    /// Asks, without waiting for it, whether room for what comes next is secured, and lets it be
    /// made again where it was missing. The partition takes no more commands while it is not.
    ///
    /// # Errors
    /// [`JournalError::NoRoom`] while the room behind what is being written can't be made.
    fn secure_room(&mut self) -> Result<(), JournalError>;

    /// Another way in, for those who read what has been flushed.
    fn source(&self) -> Arc<dyn JournalSource>;

    /// Gives up frames that lie wholly below `position`.
    ///
    /// # Errors
    /// When the machine refuses.
    fn trim_below(&mut self, position: Position) -> Result<(), JournalError>;
}

/// Where flushed frames are read from, at any time and by anyone.
pub trait JournalSource: Send + Sync {
    /// The oldest frame held and the newest flushed; the newest is one below the oldest in a
    /// journal that holds none.
    fn range(&self) -> PositionRange;

    /// A reader that begins with the frame at `position`.
    ///
    /// # Errors
    /// When the position is not held and is not the next to be written, or the machine refuses.
    fn read_from(&self, position: Position) -> Result<Box<dyn JournalReader>, JournalError>;
}

/// What a journal holds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRange {
    /// The oldest frame held.
    pub oldest: Position,
    /// The newest frame flushed.
    pub newest: Position,
}

/// Reads frames one after another.
pub trait JournalReader: Send {
    /// The next frame, or `None` where the flushed frames end (for now: more may come).
    ///
    /// # Errors
    /// When what is there is not what was written, or the machine refuses.
    fn read(&mut self) -> Result<Option<ReadFrame>, JournalError>;
}

/// One frame as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFrame {
    /// Where.
    pub position: Position,
    /// Whether its payload ends with it.
    pub part: Part,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// Something that has reached a journal's disk. Replies, streams, reads and the projector take
/// nothing else, so that showing something too early does not compile.
#[derive(Clone, Debug)]
pub struct Durable<T> {
    position: Position,
    value: T,
}

impl<T> Durable<T> {
    /// For this crate's journal code alone: `position` came from [`Journal::append`] or
    /// [`JournalReader::read`] and covers `value`.
    pub(crate) const fn at(position: Position, value: T) -> Self {
        Self { position, value }
    }

    /// The last frame it stands in.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// A borrowed view.
    pub const fn as_ref(&self) -> Durable<&T> {
        Durable {
            position: self.position,
            value: &self.value,
        }
    }

    /// Something made of it, and of nothing that is not durable.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Durable<U> {
        Durable {
            position: self.position,
            value: make(self.value),
        }
    }

    /// The thing itself.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Durable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

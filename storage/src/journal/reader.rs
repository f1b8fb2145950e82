//! Reads what has been flushed, while the writer goes on.
//!
//! Writer and readers share one small table behind a lock: the segments, the newest flushed
//! position, and where its frame ends. The writer changes it after a flush; a reader looks at it
//! only when it has read all it knew of, and never reads a byte behind that end.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use shardbook_engine::journal::{
    JournalError, JournalReader, JournalSource, Position, PositionRange, ReadFrame,
};

use super::cursor::{FrameCursor, Step};
use super::file_system::{Access, FileSystem};
use super::segment::damaged;

/// A segment as the table names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldSegment {
    pub(super) first: Position,
    pub(super) path: PathBuf,
}

/// What readers may know.
#[derive(Debug)]
pub(super) struct Held {
    /// Oldest first; never empty.
    pub(super) segments: Vec<HeldSegment>,
    /// The newest flushed frame.
    pub(super) newest: Position,
    /// Where that frame ends in the last segment.
    pub(super) end: u64,
}

impl Held {
    pub(super) fn range(&self) -> PositionRange {
        PositionRange {
            oldest: self
                .segments
                .first()
                .map_or(Position::ZERO, |segment| segment.first),
            newest: self.newest,
        }
    }

    fn out_of_range(&self, wanted: Position) -> JournalError {
        let range = self.range();
        JournalError::OutOfRange {
            wanted,
            oldest: range.oldest,
            newest: range.newest,
        }
    }

    /// The segment in which `position` stands or would be written.
    fn segment_of(&self, position: Position) -> Result<&HeldSegment, JournalError> {
        let following = self
            .segments
            .partition_point(|segment| segment.first <= position);
        following
            .checked_sub(1)
            .and_then(|index| self.segments.get(index))
            .filter(|_| position <= self.newest.next())
            .ok_or_else(|| self.out_of_range(position))
    }

    /// How far the segment that begins with `first` can be read.
    fn reach_of(&self, first: Position) -> Option<Reach> {
        let index = self
            .segments
            .binary_search_by_key(&first, |segment| segment.first)
            .ok()?;
        Some(match self.segments.get(index + 1) {
            Some(following) => Reach {
                until: following.first,
                limit: u64::MAX,
                following: Some(following.clone()),
            },
            None => Reach {
                until: self.newest.next(),
                limit: self.end,
                following: None,
            },
        })
    }
}

/// How far a segment can be read.
#[derive(Debug)]
struct Reach {
    /// The first position behind it.
    until: Position,
    /// Where what may be read ends.
    limit: u64,
    /// The segment that begins there, if it is there.
    following: Option<HeldSegment>,
}

/// The readers' way in.
pub(super) struct FileSource {
    pub(super) files: Arc<dyn FileSystem>,
    pub(super) held: Arc<Mutex<Held>>,
}

impl JournalSource for FileSource {
    fn range(&self) -> PositionRange {
        self.held.lock().range()
    }

    fn read_from(&self, position: Position) -> Result<Box<dyn JournalReader>, JournalError> {
        let path = self.held.lock().segment_of(position)?.path.clone();
        let cursor = FrameCursor::open(self.files.as_ref(), path, Access::Read)?;
        let mut reader = FileReader {
            files: Arc::clone(&self.files),
            held: Arc::clone(&self.held),
            reach: Reach {
                until: cursor.next_position(),
                limit: 0,
                following: None,
            },
            cursor,
        };
        while reader.cursor.next_position() < position {
            if !reader.pass()? {
                return Err(self.held.lock().out_of_range(position));
            }
        }
        Ok(Box::new(reader))
    }
}

struct FileReader {
    files: Arc<dyn FileSystem>,
    held: Arc<Mutex<Held>>,
    cursor: FrameCursor,
    reach: Reach,
}

impl FileReader {
    /// Passes one frame without a copy of it; false where the flushed frames end.
    fn pass(&mut self) -> Result<bool, JournalError> {
        if !self.get_ready()? {
            return Ok(false);
        }
        take(&mut self.cursor, self.reach.limit, |_| ()).map(|()| true)
    }

    /// Makes sure that the cursor stands before a flushed frame; false where they end.
    fn get_ready(&mut self) -> Result<bool, JournalError> {
        loop {
            let next = self.cursor.next_position();
            if next < self.reach.until {
                return Ok(true);
            }
            if let Some(following) = self.reach.following.take() {
                self.go_on_in(following)?;
                continue;
            }
            let held = self.held.lock();
            self.reach = held
                .reach_of(self.cursor.header().first)
                .ok_or_else(|| held.out_of_range(next))?;
            if next >= self.reach.until && self.reach.following.is_none() {
                return Ok(false);
            }
        }
    }

    fn go_on_in(&mut self, following: HeldSegment) -> Result<(), JournalError> {
        let cursor = match FrameCursor::open(self.files.as_ref(), following.path, Access::Read) {
            Ok(cursor) => cursor,
            Err(error) => {
                // Given up since the table was looked at?
                let held = self.held.lock();
                return Err(match held.reach_of(following.first) {
                    Some(_) => error,
                    None => held.out_of_range(following.first),
                });
            }
        };
        if cursor.header().chain != self.cursor.chain() {
            let what = "the file does not go on from where the one before it ends";
            return Err(damaged(cursor.path(), 0, what));
        }
        self.reach = Reach {
            until: cursor.next_position(),
            limit: 0,
            following: None,
        };
        self.cursor = cursor;
        Ok(())
    }
}

impl JournalReader for FileReader {
    fn read(&mut self) -> Result<Option<ReadFrame>, JournalError> {
        if !self.get_ready()? {
            return Ok(None);
        }
        let limit = self.reach.limit;
        take(&mut self.cursor, limit, |frame| {
            Some(ReadFrame {
                position: frame.position,
                part: frame.part,
                payload: frame.payload.to_vec(),
            })
        })
    }
}

/// Takes the frame that must stand at the cursor.
fn take<T>(
    cursor: &mut FrameCursor,
    limit: u64,
    make: impl FnOnce(&super::cursor::FrameView<'_>) -> T,
) -> Result<T, JournalError> {
    let limit = limit.min(cursor.length()?);
    let at = cursor.offset();
    let what = match cursor.step(limit)? {
        Step::Frame(frame) => return Ok(make(&frame)),
        Step::End => "a frame that was flushed is missing",
        Step::Invalid(what) => what,
    };
    Err(damaged(cursor.path(), at, what))
}

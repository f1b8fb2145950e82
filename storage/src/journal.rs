//! The journal on local files: one directory for each log, in it segments of frames.
//!
//! - A frame is there for good once [`Journal::append`] returns: it was written in one piece and
//!   flushed (`fdatasync`). What a frame and a segment look like stands in `journal/frame.rs` and
//!   `journal/segment.rs`.
//! - Every frame's CRC goes on from the CRC of the frame before it, and a segment's header holds
//!   the CRC it goes on from. So a frame can be neither changed nor left out, put elsewhere or
//!   taken from another journal.
//! - Opening walks the whole journal. What a crash can leave at its end is cut and reported; for
//!   everything else the journal is not opened (`journal/recovery.rs`).
//! - Segments are filled with zeros ahead of their use (`journal/filler.rs`).
//! - An error of a write or a flush is final: what the disk holds then is unknown, so the
//!   journal takes no more, and its process has to end. Opening it again finds out.
//!
//! It relies on the disk's sectors: a write that power loss interrupts leaves the bytes of a
//! sector that it did not mean to change as they were.

mod cursor;
pub(crate) mod file_system;
mod filler;
mod frame;
mod read_only;
mod reader;
mod recovery;
mod segment;
#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use shardbook_engine::journal::{
    FRAME_BYTES_MAX, Journal, JournalError, JournalSource, Part, Position, PositionRange,
};

pub use read_only::{ReadOnly, read_only, verify};

use cursor::bytes;
use file_system::{Access, FileSystem, LocalFiles};
use filler::{Filler, Filling, Spare};
use frame::Chain;
use reader::{FileSource, Held, HeldSegment};
use recovery::Found;
use segment::{FRAMES_BEGIN, JournalId, LastSegment, SegmentHeader, failed, no_room_or_failed};

/// What can be chosen about a journal's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// Bytes of a new segment, its header included. Every segment is filled with zeros before it
    /// is used, and one is made ahead: a journal takes at least twice this on disk. Default
    /// [`Self::SEGMENT_BYTES_DEFAULT`]; brought within [`Self::SEGMENT_BYTES_MIN`] and
    /// [`Self::SEGMENT_BYTES_MAX`].
    pub segment_bytes: u64,
}

impl JournalOptions {
    /// Holds the largest frame with its headers, and some.
    pub const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;
    /// Most of a second of the heaviest traffic measured, so that changing segments stays rare.
    pub const SEGMENT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
    /// Opening a journal reads its last segment to the end; more would make starts slow.
    pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: Self::SEGMENT_BYTES_DEFAULT,
        }
    }
}

/// What opening a journal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// The frames held.
    pub range: PositionRange,
    /// What stood at the end and was never acknowledged.
    pub torn_tail: Option<TornTail>,
}

/// The remains of a payload whose writing did not end before the process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file it begins in.
    pub file: PathBuf,
    /// Where in that file.
    pub offset: u64,
    /// How far it reaches from there; where it goes on in further files, the bytes used in the
    /// last of them.
    pub bytes: u64,
    /// Whole frames among it: parts of a payload whose last part is missing.
    pub frames: u64,
}

/// One partition's log in segmented, append-only files.
pub struct FileJournal {
    files: Arc<dyn FileSystem>,
    directory: PathBuf,
    journal: JournalId,
    last: LastSegment,
    /// The position of the next frame, and the chain before it.
    next: Position,
    chain: Chain,
    filler: Filler,
    held: Arc<Mutex<Held>>,
    /// The frame being written; kept for its room.
    frame: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sound,
    /// A write or a flush failed: what the disk holds is unknown until it is opened again.
    Failed,
}

impl FileJournal {
    /// Opens the journal in `directory`, making it where there is none; the directory above must
    /// exist. Nothing else may have it open: see [`DataDir`](crate::data_dir::DataDir).
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when what is there is not what was written;
    /// [`JournalError::NoRoom`] when a new journal's first segment can't be made;
    /// [`JournalError::Io`] when the machine refuses.
    pub fn open(
        directory: &Path,
        options: JournalOptions,
    ) -> Result<(Self, OpenReport), JournalError> {
        let segment_bytes = options.segment_bytes.clamp(
            JournalOptions::SEGMENT_BYTES_MIN,
            JournalOptions::SEGMENT_BYTES_MAX,
        );
        Self::open_on(
            Arc::new(LocalFiles),
            directory,
            segment_bytes,
            Filling::Ahead,
        )
    }

    fn open_on(
        files: Arc<dyn FileSystem>,
        directory: &Path,
        segment_bytes: u64,
        filling: Filling,
    ) -> Result<(Self, OpenReport), JournalError> {
        flush_before_reading(files.as_ref(), directory)?;
        let mut filler = Filler::new(Arc::clone(&files), directory, segment_bytes, filling)?;
        let found = recovery::find(files.as_ref(), directory)?;
        let opened = match found {
            Some(found) => Opened::again(files.as_ref(), found)?,
            None => Opened::new(files.as_ref(), directory, &mut filler)?,
        };
        filler.begin();
        let held = Held {
            segments: opened.segments,
            newest: opened.report.range.newest,
            end: opened.last.end,
        };
        let journal = Self {
            files,
            directory: directory.to_owned(),
            journal: opened.journal,
            next: held.newest.next(),
            chain: opened.chain,
            last: opened.last,
            filler,
            held: Arc::new(Mutex::new(held)),
            frame: Vec::new(),
            state: State::Sound,
        };
        Ok((journal, opened.report))
    }

    /// Closes the last segment and goes on in a new one. Each step is flushed before the next:
    /// the frames of the old, the header of the new, its name. A crash before the new name is
    /// flushed leaves the old segment the last, or the new one there and empty.
    fn rotate(&mut self) -> Result<(), JournalError> {
        assert!(
            self.last.end > FRAMES_BEGIN,
            "an empty segment holds the largest frame"
        );
        let spare = self.filler.take()?;
        self.last
            .file
            .sync_data()
            .map_err(|source| failed("flushing", &self.last.path, source))?;
        let header = SegmentHeader {
            journal: self.journal,
            first: self.next,
            segment_bytes: spare.bytes,
            chain: self.chain,
        };
        self.last = put_in_place(self.files.as_ref(), &self.directory, spare, header)?;
        let mut held = self.held.lock();
        held.segments.push(HeldSegment {
            first: header.first,
            path: self.last.path.clone(),
        });
        held.end = self.last.end;
        drop(held);
        self.filler.begin();
        Ok(())
    }

    /// Writes one frame behind the last and flushes it.
    fn write(&mut self, part: Part, payload: &[u8]) -> Result<Position, JournalError> {
        let salt = self.journal.salt();
        let chain = frame::encode(salt, self.chain, self.next, part, payload, &mut self.frame);
        if bytes(self.frame.len()) > self.last.bytes.saturating_sub(self.last.end) {
            self.rotate()?;
        }
        let LastSegment {
            file, path, end, ..
        } = &mut self.last;
        file.write_at(&self.frame, *end)
            .map_err(|source| failed("writing", path, source))?;
        file.sync_data()
            .map_err(|source| failed("flushing", path, source))?;
        *end += bytes(self.frame.len());
        let position = self.next;
        self.next = position.next();
        self.chain = chain;
        let mut held = self.held.lock();
        held.newest = position;
        held.end = *end;
        Ok(position)
    }

    /// Does it, unless an earlier failure was final, and notes one that is.
    fn unless_failed<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if self.state == State::Failed {
            let source = io::Error::other("a write or a flush has failed before");
            return Err(failed("going on in", &self.directory, source));
        }
        let done = act(self);
        match &done {
            Ok(_) | Err(JournalError::NoRoom { .. }) => {}
            Err(
                JournalError::Io { .. }
                | JournalError::Damaged { .. }
                | JournalError::OutOfRange { .. }
                | JournalError::InUse { .. },
            ) => self.state = State::Failed,
        }
        done
    }

    /// Removes the segments that lie wholly below `position`, oldest first, each for good before
    /// the next, so that a crash leaves no hole.
    fn remove_below(&mut self, position: Position) -> Result<(), JournalError> {
        loop {
            let mut held = self.held.lock();
            let is_below = |segment: &HeldSegment| segment.first <= position;
            if !held.segments.get(1).is_some_and(is_below) {
                return Ok(());
            }
            let gone = held.segments.remove(0);
            drop(held);
            self.files
                .remove(&gone.path)
                .map_err(|source| failed("removing", &gone.path, source))?;
            self.files
                .sync_dir(&self.directory)
                .map_err(|source| failed("flushing", &self.directory, source))?;
        }
    }
}

impl Journal for FileJournal {
    /// See the trait. Any error but [`JournalError::NoRoom`] is final: every later call fails.
    ///
    /// # Panics
    /// When the payload is longer than [`FRAME_BYTES_MAX`].
    fn append(&mut self, part: Part, payload: &[u8]) -> Result<Position, JournalError> {
        assert!(
            payload.len() <= FRAME_BYTES_MAX,
            "the engine splits what is longer than a frame"
        );
        self.unless_failed(|journal| journal.write(part, payload))
    }

    /// See the trait: the room is the segment after the one being written. That one's own rest
    /// is the reserve for what was taken in before: it is a whole segment's when the next one is
    /// first found missing.
    fn secure_room(&mut self) -> Result<(), JournalError> {
        self.filler.check()
    }

    fn source(&self) -> Arc<dyn JournalSource> {
        Arc::new(FileSource {
            files: Arc::clone(&self.files),
            held: Arc::clone(&self.held),
        })
    }

    /// See the trait. The segment being written stays, whatever `position` is.
    fn trim_below(&mut self, position: Position) -> Result<(), JournalError> {
        self.unless_failed(|journal| journal.remove_below(position))
    }
}

/// A journal ready to be written on.
struct Opened {
    journal: JournalId,
    segments: Vec<HeldSegment>,
    last: LastSegment,
    chain: Chain,
    report: OpenReport,
}

impl Opened {
    fn again(files: &dyn FileSystem, mut found: Found) -> Result<Self, JournalError> {
        let report = found.report();
        let last = found.mend(files)?;
        Ok(Self {
            journal: found.journal,
            chain: found.end.chain,
            segments: found.segments,
            last,
            report,
        })
    }

    fn new(
        files: &dyn FileSystem,
        directory: &Path,
        filler: &mut Filler,
    ) -> Result<Self, JournalError> {
        let spare = filler.take()?;
        let journal = JournalId::random();
        let header = SegmentHeader {
            journal,
            first: Position::ZERO.next(),
            segment_bytes: spare.bytes,
            chain: journal.first_chain(),
        };
        let last = put_in_place(files, directory, spare, header)?;
        Ok(Self {
            journal,
            segments: vec![HeldSegment {
                first: header.first,
                path: last.path.clone(),
            }],
            last,
            chain: header.chain,
            report: OpenReport {
                range: PositionRange {
                    oldest: header.first,
                    newest: Position::ZERO,
                },
                torn_tail: None,
            },
        })
    }
}

/// Flushes the directory's names and the last segment. What an earlier process wrote and did not
/// flush can be read although the disk does not have it; it must not be taken for durable.
fn flush_before_reading(files: &dyn FileSystem, directory: &Path) -> Result<(), JournalError> {
    files
        .create_dir(directory)
        .map_err(|source| failed("creating", directory, source))?;
    let above = match directory.parent() {
        Some(above) if above != Path::new("") => above,
        Some(_) | None => Path::new("."),
    };
    for place in [above, directory] {
        files
            .sync_dir(place)
            .map_err(|source| failed("flushing", place, source))?;
    }
    if let Some(path) = recovery::segment_paths(files, directory)?.last() {
        files
            .open(path, Access::ReadWrite)
            .and_then(|file| file.sync_data())
            .map_err(|source| failed("flushing", path, source))?;
    }
    Ok(())
}

/// Makes a spare the journal's last segment: its header, then its name. Until the name is given
/// nothing of the journal has changed, so that a lack of room is no more than that.
fn put_in_place(
    files: &dyn FileSystem,
    directory: &Path,
    spare: Spare,
    header: SegmentHeader,
) -> Result<LastSegment, JournalError> {
    let path = segment::path(directory, header.first);
    spare
        .file
        .write_at(&header.encode(), 0)
        .and_then(|()| spare.file.sync_data())
        .and_then(|()| files.rename(&spare.path, &path))
        .map_err(|source| {
            // Gives back the room it took. If that fails too, the next start removes it.
            let _ = files.remove(&spare.path);
            no_room_or_failed("placing", &path, source)
        })?;
    files
        .sync_dir(directory)
        .map_err(|source| failed("flushing", directory, source))?;
    Ok(LastSegment {
        file: spare.file,
        path,
        end: FRAMES_BEGIN,
        bytes: header.segment_bytes,
    })
}

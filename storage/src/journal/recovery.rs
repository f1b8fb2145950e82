//! Finds out what a journal's directory holds, tells a torn tail from damage, and cuts the one.
//!
//! What a crash can leave behind:
//! 1. Before a segment's rename: a file under a spare's name. It holds nothing; it is removed.
//! 2. After the rename: a last segment without frames. It is used on.
//! 3. While a frame was written: any part of that one frame, directly behind the last whole one.
//!    Nothing whole can follow, as the next frame is written only after this one was flushed.
//! 4. Between the frames of one payload: a run of whole frames whose last part is missing.
//!    Nobody has been told of it.
//! 5. While a torn tail was cut: fewer segments or frames of it, which is a torn tail again, as
//!    the cut goes from the end to the beginning and flushes every step.
//!
//! 3 and 4 are torn tails. All else is damage, and the journal is not opened. What no file can
//! show: a flip inside the very last frame looks like 3, and so does the loss of the last
//! segments look like a journal that was shorter; both show where others know a position, as the
//! database does. A segment that another follows was flushed whole before that one came to be,
//! so its last frame is never taken for torn. And where a flush fails while a run is cut, the
//! process is started again, and then power fails, the run may be back in pieces: that journal
//! is refused although nothing acknowledged is missing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardbook_engine::journal::{JournalError, Part, Position, PositionRange};

use super::cursor::{FrameCursor, Step, bytes};
use super::file_system::{Access, FileHandle, FileSystem};
use super::frame::{self, Chain, Salt};
use super::reader::HeldSegment;
use super::segment::{self, JournalId, LastSegment, damaged, failed};
use super::{OpenReport, TornTail};

/// Bytes looked through or zeroed at a time.
const SLICE_BYTES: usize = 256 * 1024;

/// What a directory holds.
pub(super) struct Found {
    pub(super) journal: JournalId,
    directory: PathBuf,
    pub(super) segments: Vec<HeldSegment>,
    /// Behind the last frame that stays.
    pub(super) end: End,
    /// Where the last whole frame begins, if it stands in the last segment.
    last_frame: Option<u64>,
    /// What has to be cut.
    tail: Option<Tail>,
}

/// A place between two frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Index into [`Found::segments`].
    segment: usize,
    /// The first position of that segment.
    segment_first: Position,
    pub(super) offset: u64,
    pub(super) next: Position,
    pub(super) chain: Chain,
}

/// What stands behind the last frame that stays.
struct Tail {
    /// Where each whole frame of an unfinished run begins, in order.
    run: Vec<End>,
    /// Behind the last whole frame.
    whole_end: End,
    /// Behind the last byte that is not zero, in the last segment.
    dirty_end: u64,
}

/// Reads the whole journal in `directory` and changes nothing; `None` where there is none.
pub(super) fn find(
    files: &dyn FileSystem,
    directory: &Path,
) -> Result<Option<Found>, JournalError> {
    let mut walk = Walk::default();
    for path in segment_paths(files, directory)? {
        walk.enter(files, path)?;
        walk.pass_frames()?;
    }
    walk.finish(directory)
}

/// The segments' files, oldest first.
pub(super) fn segment_paths(
    files: &dyn FileSystem,
    directory: &Path,
) -> Result<Vec<PathBuf>, JournalError> {
    let names = files
        .list(directory)
        .map_err(|source| failed("listing", directory, source))?;
    let mut firsts: Vec<Position> = names
        .iter()
        .filter_map(|name| segment::first_in_name(name))
        .collect();
    firsts.sort_unstable();
    Ok(firsts
        .into_iter()
        .map(|first| segment::path(directory, first))
        .collect())
}

/// A walk over all segments.
#[derive(Default)]
struct Walk {
    segments: Vec<HeldSegment>,
    /// In the segment entered last, behind its last whole frame.
    cursor: Option<FrameCursor>,
    /// Why the frames ended there, if not with zeros.
    invalid: Option<&'static str>,
    /// Where the last whole frame begins, if it stands in that segment.
    last_frame: Option<u64>,
    /// Where each whole frame of an unfinished run begins.
    run: Vec<End>,
}

impl Walk {
    /// Goes on to the next segment, which has to begin where the one before ended.
    fn enter(&mut self, files: &dyn FileSystem, path: PathBuf) -> Result<(), JournalError> {
        let cursor = FrameCursor::open(files, path, Access::Read)?;
        let header = cursor.header();
        if *cursor.path() != segment::path(directory_of(cursor.path()), header.first) {
            return Err(damaged(cursor.path(), 0, "the file has another's name"));
        }
        if cursor.length()? > header.segment_bytes {
            let what = "the file goes on where it should have ended";
            return Err(damaged(cursor.path(), header.segment_bytes, what));
        }
        if let Some(before) = self.cursor.take() {
            check_link(&before, self.invalid, &cursor)?;
        }
        self.segments.push(HeldSegment {
            first: header.first,
            path: cursor.path().clone(),
        });
        self.cursor = Some(cursor);
        Ok(())
    }

    /// Walks to the end of the segment's whole frames.
    fn pass_frames(&mut self) -> Result<(), JournalError> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(());
        };
        let segment = self.segments.len().saturating_sub(1);
        let limit = cursor.length()?;
        self.last_frame = None;
        self.invalid = loop {
            let before = end_of(cursor, segment);
            match cursor.step(limit)? {
                Step::Frame(frame) => {
                    self.last_frame = Some(before.offset);
                    match frame.part {
                        Part::MoreFollows => self.run.push(before),
                        Part::Last => self.run.clear(),
                    }
                }
                Step::End => break None,
                Step::Invalid(what) => break Some(what),
            }
        };
        Ok(())
    }

    /// Looks at what follows the last whole frame.
    fn finish(self, directory: &Path) -> Result<Option<Found>, JournalError> {
        let Some(cursor) = self.cursor else {
            return Ok(None);
        };
        let header = cursor.header();
        let whole_end = end_of(&cursor, self.segments.len().saturating_sub(1));
        let rest = look_through(&cursor, header.journal.salt())?;
        if let Some(at) = rest.frame_at {
            let what = self.invalid.unwrap_or("a frame is missing");
            let what = format!("{what}, while the frame at byte {at} is whole");
            return Err(damaged(cursor.path(), whole_end.offset, what));
        }
        let end = self.run.first().copied().unwrap_or(whole_end);
        let is_torn = !self.run.is_empty() || rest.dirty_end > whole_end.offset;
        Ok(Some(Found {
            journal: header.journal,
            directory: directory.to_owned(),
            segments: self.segments,
            end,
            last_frame: self.last_frame,
            tail: is_torn.then_some(Tail {
                run: self.run,
                whole_end,
                dirty_end: rest.dirty_end.max(whole_end.offset),
            }),
        }))
    }
}

fn directory_of(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

fn end_of(cursor: &FrameCursor, segment: usize) -> End {
    End {
        segment,
        segment_first: cursor.header().first,
        offset: cursor.offset(),
        next: cursor.next_position(),
        chain: cursor.chain(),
    }
}

/// Whether the segment of `after` is the one that was linked to what `before` has passed.
fn check_link(
    before: &FrameCursor,
    invalid: Option<&'static str>,
    after: &FrameCursor,
) -> Result<(), JournalError> {
    if let Some(what) = invalid {
        return Err(damaged(before.path(), before.offset(), what));
    }
    let header = after.header();
    if header.journal != before.header().journal {
        return Err(damaged(after.path(), 0, "the file is of another journal"));
    }
    let next = before.next_position();
    if header.first > next {
        let what = format!(
            "the frames from {next} to below {} are missing, here or in a file between this one \
             and {}",
            header.first,
            after.path().display()
        );
        return Err(damaged(before.path(), before.offset(), what));
    }
    if header.first < next || header.chain != before.chain() {
        let what = format!(
            "the file does not go on from where {} ends",
            before.path().display()
        );
        return Err(damaged(after.path(), 0, what));
    }
    Ok(())
}

/// What stands in a segment behind its last whole frame.
struct Rest {
    /// The first valid frame header, but for one directly there.
    frame_at: Option<u64>,
    /// Behind the last byte that is not zero.
    dirty_end: u64,
}

fn look_through(cursor: &FrameCursor, salt: Salt) -> Result<Rest, JournalError> {
    let length = cursor.length()?;
    let zeros = vec![0; SLICE_BYTES];
    let mut slice = vec![0; SLICE_BYTES];
    let mut rest = Rest {
        frame_at: None,
        dirty_end: 0,
    };
    let mut at = cursor.offset();
    while at < length {
        let read = cursor
            .file()
            .read_at(&mut slice, at)
            .map_err(|source| failed("reading", cursor.path(), source))?;
        let held = slice.get(..read).unwrap_or_default();
        if Some(held) != zeros.get(..read) {
            rest.note(cursor.offset(), at, held, salt);
        }
        if read < SLICE_BYTES {
            break;
        }
        // A header may lie across two slices.
        at += bytes(SLICE_BYTES - (frame::HEADER_BYTES - 1));
    }
    Ok(rest)
}

impl Rest {
    /// Looks at one slice, which begins at `at`; the torn frame's own place is `torn_at`.
    fn note(&mut self, torn_at: u64, at: u64, held: &[u8], salt: Salt) {
        if let Some(last) = held.iter().rposition(|byte| *byte != 0) {
            self.dirty_end = at + bytes(last) + 1;
        }
        let mut headers = held
            .windows(frame::HEADER_BYTES)
            .zip(at..)
            .filter(|(window, offset)| {
                *offset != torn_at && frame::decode_header(salt, window).is_some()
            });
        if self.frame_at.is_none() {
            self.frame_at = headers.next().map(|(_, offset)| offset);
        }
    }
}

impl Found {
    /// The segments that hold the frames that stay, oldest first.
    pub(super) fn kept_segments(mut self) -> Vec<HeldSegment> {
        self.segments.truncate(self.end.segment + 1);
        self.segments
    }

    /// What was found, as others are told.
    pub(super) fn report(&self) -> OpenReport {
        let oldest = self
            .segments
            .first()
            .map_or(Position::new(1), |segment| segment.first);
        OpenReport {
            range: PositionRange {
                oldest,
                newest: Position::new(self.end.next.get().saturating_sub(1)),
            },
            torn_tail: self.tail.as_ref().map(|tail| self.report_tail(tail)),
        }
    }

    fn report_tail(&self, tail: &Tail) -> TornTail {
        let bytes_cut = if self.end.segment == tail.whole_end.segment {
            tail.dirty_end.saturating_sub(self.end.offset)
        } else {
            tail.dirty_end
        };
        TornTail {
            file: segment::path(&self.directory, self.end.segment_first),
            offset: self.end.offset,
            bytes: bytes_cut,
            frames: bytes(tail.run.len()),
        }
    }

    /// Makes the last segment ready to be written on: cuts the torn tail, if there is one, from
    /// its end to its beginning, and brings a file that was cut short back to its length.
    pub(super) fn mend(&mut self, files: &dyn FileSystem) -> Result<LastSegment, JournalError> {
        self.cut_segments(files)?;
        let path = segment::path(&self.directory, self.end.segment_first);
        let cursor = FrameCursor::open(files, path, Access::ReadWrite)?;
        let length = cursor.length()?;
        match (self.tail.take(), self.last_frame) {
            (Some(tail), _) => self.cut_frames(&tail, &cursor, length)?,
            (None, Some(last_frame)) => self.write_again(last_frame, &cursor)?,
            (None, None) => {}
        }
        let segment_bytes = cursor.header().segment_bytes;
        zero(cursor.file().as_ref(), length, segment_bytes)
            .map_err(|source| segment::no_room_or_failed("filling", cursor.path(), source))?;
        Ok(LastSegment {
            file: Arc::clone(cursor.file()),
            path: cursor.path().clone(),
            end: self.end.offset,
            bytes: segment_bytes,
        })
    }

    /// Removes the segments behind the one in which the tail begins, newest first.
    fn cut_segments(&mut self, files: &dyn FileSystem) -> Result<(), JournalError> {
        for gone in self.segments.drain(self.end.segment + 1..).rev() {
            files
                .remove(&gone.path)
                .map_err(|source| failed("removing", &gone.path, source))?;
            files
                .sync_dir(&self.directory)
                .map_err(|source| failed("flushing", &self.directory, source))?;
        }
        Ok(())
    }

    /// Writes the last frame once more. If its flush failed, that ended its process, but the
    /// machine may have kept its bytes for readers, and not for the disk: another flush alone
    /// would say that all is well. Every frame before it was flushed before it was written.
    fn write_again(&self, last_frame: u64, cursor: &FrameCursor) -> Result<(), JournalError> {
        let length = self.end.offset.saturating_sub(last_frame);
        let mut frame = vec![0; usize::try_from(length).unwrap_or_default()];
        let file = cursor.file();
        file.read_at(&mut frame, last_frame)
            .map_err(|source| failed("reading", cursor.path(), source))?;
        file.write_at(&frame, last_frame)
            .and_then(|()| file.sync_data())
            .map_err(|source| failed("writing", cursor.path(), source))
    }

    /// Zeros what is left of the tail in the segment that it begins in, last frame first.
    fn cut_frames(
        &self,
        tail: &Tail,
        cursor: &FrameCursor,
        length: u64,
    ) -> Result<(), JournalError> {
        let mut begins: Vec<u64> = tail
            .run
            .iter()
            .filter(|frame| frame.segment == self.end.segment)
            .map(|frame| frame.offset)
            .collect();
        let mut until = length;
        if tail.whole_end.segment == self.end.segment {
            begins.push(tail.whole_end.offset);
            until = tail.dirty_end;
        }
        for from in begins.into_iter().rev() {
            zero(cursor.file().as_ref(), from, until)
                .map_err(|source| failed("zeroing", cursor.path(), source))?;
            until = from;
        }
        Ok(())
    }
}

/// Writes zeros from one offset to another and flushes them.
fn zero(file: &dyn FileHandle, from: u64, until: u64) -> io::Result<()> {
    if from >= until {
        return Ok(());
    }
    let zeros = vec![0; SLICE_BYTES];
    let mut at = from;
    while at < until {
        let left = usize::try_from(until - at).unwrap_or(usize::MAX);
        let slice = zeros.get(..left).unwrap_or(&zeros);
        file.write_at(slice, at)?;
        at += bytes(slice.len());
    }
    file.sync_data()
}

//! Walks one segment's frames, checking each.

use std::path::PathBuf;
use std::sync::Arc;

use shardbook_engine::journal::{JournalError, Part, Position};

use super::file_system::{Access, FileHandle, FileSystem};
use super::frame::{self, Chain, FrameHeader, Salt};
use super::segment::{self, FRAMES_BEGIN, SegmentHeader, damaged, failed};

/// Bytes read at a time, unless a frame needs more.
const READ_BYTES: usize = 256 * 1024;

/// Stands before a frame of one segment.
pub(super) struct FrameCursor {
    file: Arc<dyn FileHandle>,
    path: PathBuf,
    header: SegmentHeader,
    salt: Salt,
    /// Where the next frame begins, which it is, and the chain before it.
    at: u64,
    next: Position,
    chain: Chain,
    window: Window,
}

/// A part of the file held in memory. It never reaches beyond the limit of the call that filled
/// it, so that a byte is not kept from before it was written.
#[derive(Default)]
struct Window {
    begins: u64,
    bytes: Vec<u8>,
}

/// What stands at a cursor.
pub(super) enum Step<'a> {
    /// A frame; the cursor has passed it.
    Frame(FrameView<'a>),
    /// Nothing: zeros, or less than a frame's header to the limit.
    End,
    /// Something that is not the frame that belongs here.
    Invalid(&'static str),
}

/// A frame that was found whole.
pub(super) struct FrameView<'a> {
    pub(super) position: Position,
    pub(super) part: Part,
    pub(super) payload: &'a [u8],
}

impl FrameCursor {
    /// Stands before the first frame of the segment in `path`.
    pub(super) fn open(
        files: &dyn FileSystem,
        path: PathBuf,
        access: Access,
    ) -> Result<Self, JournalError> {
        let file = files
            .open(&path, access)
            .map_err(|source| failed("opening", &path, source))?;
        let mut bytes = [0; segment::HEADER_BYTES];
        let read = file
            .read_at(&mut bytes, 0)
            .map_err(|source| failed("reading", &path, source))?;
        let header = SegmentHeader::decode(bytes.get(..read).unwrap_or_default())
            .map_err(|what| damaged(&path, 0, what))?;
        Ok(Self {
            file,
            path,
            header,
            salt: header.journal.salt(),
            at: FRAMES_BEGIN,
            next: header.first,
            chain: header.chain,
            window: Window::default(),
        })
    }

    pub(super) fn header(&self) -> SegmentHeader {
        self.header
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(super) fn file(&self) -> &Arc<dyn FileHandle> {
        &self.file
    }

    /// Where the next frame begins.
    pub(super) fn offset(&self) -> u64 {
        self.at
    }

    /// The next frame's position.
    pub(super) fn next_position(&self) -> Position {
        self.next
    }

    /// The chain before the next frame.
    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    pub(super) fn length(&self) -> Result<u64, JournalError> {
        self.file
            .length()
            .map_err(|source| failed("measuring", &self.path, source))
    }

    /// Takes one step; `limit` is where the bytes that may be looked at end.
    pub(super) fn step(&mut self, limit: u64) -> Result<Step<'_>, JournalError> {
        let salt = self.salt;
        let head = self.look(frame::HEADER_BYTES, limit)?;
        if head.iter().all(|byte| *byte == 0) {
            return Ok(Step::End);
        }
        let Some(header) = frame::decode_header(salt, head) else {
            return Ok(Step::Invalid("the header of a frame is damaged"));
        };
        if header.position != self.next {
            return Ok(Step::Invalid("a frame stands out of its turn"));
        }
        let frame_bytes = frame::HEADER_BYTES + header.payload_bytes;
        if bytes(frame_bytes) > limit.saturating_sub(self.at) {
            return Ok(Step::Invalid("a frame reaches beyond its file"));
        }
        self.pass(header, frame_bytes, limit)
    }

    /// Passes the frame behind `header`, if it is whole.
    fn pass(
        &mut self,
        header: FrameHeader,
        frame_bytes: usize,
        limit: u64,
    ) -> Result<Step<'_>, JournalError> {
        let chain = self.chain;
        let begins = self.at;
        let whole = self.look(frame_bytes, limit)?;
        let Some(after) = header.verify(chain, whole) else {
            return Ok(Step::Invalid("the bytes of a frame are damaged"));
        };
        self.at += bytes(frame_bytes);
        self.next = header.position.next();
        self.chain = after;
        let whole = self.window.at(begins, frame_bytes);
        Ok(Step::Frame(FrameView {
            position: header.position,
            part: header.part,
            payload: whole.get(frame::HEADER_BYTES..).unwrap_or_default(),
        }))
    }

    /// The `wanted` bytes at the cursor, or as many as there are below `limit`.
    fn look(&mut self, wanted: usize, limit: u64) -> Result<&[u8], JournalError> {
        if self.window.at(self.at, wanted).len() < wanted {
            let left = usize::try_from(limit.saturating_sub(self.at)).unwrap_or(usize::MAX);
            self.window.begins = self.at;
            self.window
                .bytes
                .resize(wanted.max(READ_BYTES).min(left), 0);
            let read = self
                .file
                .read_at(&mut self.window.bytes, self.at)
                .map_err(|source| failed("reading", &self.path, source))?;
            self.window.bytes.truncate(read);
        }
        Ok(self.window.at(self.at, wanted))
    }
}

impl Window {
    /// What it holds of the `wanted` bytes at `offset`.
    fn at(&self, offset: u64, wanted: usize) -> &[u8] {
        let held = offset
            .checked_sub(self.begins)
            .and_then(|from| usize::try_from(from).ok())
            .and_then(|from| self.bytes.get(from..))
            .unwrap_or_default();
        held.get(..wanted).unwrap_or(held)
    }
}

/// A length in memory as a length in a file.
pub(super) fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

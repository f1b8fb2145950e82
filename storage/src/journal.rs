//! The journal on local files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardbook_engine::journal::{
    Journal, JournalError, JournalSource, Part, Position, PositionRange,
};

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
    /// Less than a second of the most traffic measured, so that changing segments stays rare.
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
    /// What was cut from the end, as it was never acknowledged.
    pub torn_tail: Option<TornTail>,
}

/// The remains of a payload whose writing did not end before the process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file it began in.
    pub file: PathBuf,
    /// Where in that file.
    pub offset: u64,
    /// From there to the last byte that was not zero, over all files.
    pub bytes: u64,
    /// Whole frames among them: parts of a payload whose last part is missing.
    pub frames: u64,
}

/// One partition's log in segmented, append-only files.
pub struct FileJournal {
    _private: (),
}

impl FileJournal {
    /// Opens the journal in `directory`, making it where there is none; the directory above must
    /// exist.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when what is there is not what was written;
    /// [`JournalError::NoRoom`] when a new journal's first segment can't be made;
    /// [`JournalError::Io`] when the machine refuses.
    pub fn open(
        directory: &Path,
        options: JournalOptions,
    ) -> Result<(Self, OpenReport), JournalError> {
        let _ = (directory, options);
        Err(JournalError::InUse {
            place: "not built yet".to_owned(),
        })
    }
}

impl Journal for FileJournal {
    fn append(&mut self, part: Part, payload: &[u8]) -> Result<Position, JournalError> {
        let _ = (part, payload);
        Err(JournalError::InUse {
            place: "not built yet".to_owned(),
        })
    }

    fn source(&self) -> Arc<dyn JournalSource> {
        unreachable!("not built yet")
    }

    fn trim_below(&mut self, _position: Position) -> Result<(), JournalError> {
        Ok(())
    }
}

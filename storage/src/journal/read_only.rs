//! Reads a journal as it stands, without changing anything: for those who look after it.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use shardbook_engine::journal::{
    JournalError, JournalReader, JournalSource, Position, PositionRange, ReadFrame,
};

use super::file_system::{FileSystem, LocalFiles};
use super::reader::{FileSource, Held};
use super::{OpenReport, recovery};

/// Reads the whole journal in `directory`, changes nothing, and says what is there. A journal
/// that is being written may show a torn tail: hold its
/// [`DataDir`](crate::data_dir::DataDir) meanwhile.
///
/// # Errors
/// [`JournalError::Damaged`] for the first damage found; [`JournalError::Io`] when the machine
/// refuses, as it does where there is no such directory.
pub fn verify(directory: &Path) -> Result<OpenReport, JournalError> {
    Ok(read_only(directory)?.report)
}

/// A journal that is read as it stands, a torn tail left where it is.
pub struct ReadOnly {
    /// What is there.
    pub report: OpenReport,
    /// Where its frames are read; a torn tail is none of them.
    pub source: Arc<dyn JournalSource>,
}

/// As [`verify`], and a way to read the frames that were found whole.
///
/// # Errors
/// As [`verify`].
pub fn read_only(directory: &Path) -> Result<ReadOnly, JournalError> {
    let files: Arc<dyn FileSystem> = Arc::new(LocalFiles);
    let found = recovery::find(files.as_ref(), directory)?;
    let Some(found) = found else {
        return Ok(ReadOnly::of_nothing());
    };
    let report = found.report();
    let held = Held {
        newest: report.range.newest,
        end: found.end.offset,
        segments: found.kept_segments(),
    };
    Ok(ReadOnly {
        report,
        source: Arc::new(FileSource {
            files,
            held: Arc::new(Mutex::new(held)),
        }),
    })
}

impl ReadOnly {
    /// For a directory that holds no segment.
    fn of_nothing() -> Self {
        let range = PositionRange {
            oldest: Position::ZERO.next(),
            newest: Position::ZERO,
        };
        Self {
            report: OpenReport {
                range,
                torn_tail: None,
            },
            source: Arc::new(Nothing(range)),
        }
    }
}

/// A journal without a segment.
struct Nothing(PositionRange);

impl JournalSource for Nothing {
    fn range(&self) -> PositionRange {
        self.0
    }

    fn read_from(&self, _position: Position) -> Result<Box<dyn JournalReader>, JournalError> {
        Ok(Box::new(NoFrames))
    }
}

/// Reads them.
struct NoFrames;

impl JournalReader for NoFrames {
    fn read(&mut self) -> Result<Option<ReadFrame>, JournalError> {
        Ok(None)
    }
}

//! Recordings: lines of `<receive time in ns> <json>`, gzipped or not.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

use crate::message::{Message, MessageError, symbol_of};
use crate::status::{Progress, SkipReason};

/// Most bytes of a line: a snapshot of 5,000 levels a side takes less than half a megabyte.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The first bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A recording being read.
pub struct Recording {
    lines: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    bytes_read: Arc<AtomicU64>,
    bytes_total: u64,
}

/// One recorded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When the recorder received it, since the Unix epoch.
    pub received_at: Duration,
    /// What it received.
    pub message: Message,
}

/// Why a line was skipped.
#[derive(Debug, Error)]
pub enum LineError {
    /// It is no time, a space and something; or not UTF-8; or too long.
    #[error("not `<receive time in ns> <json>`")]
    NotALine,
    /// What was received is no message.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl LineError {
    /// The reason to count.
    #[must_use]
    pub const fn reason(&self) -> SkipReason {
        match self {
            Self::NotALine => SkipReason::BadLine,
            Self::Message(_) => SkipReason::BadMessage,
        }
    }
}

impl Recording {
    /// Opens a recording; whether it is gzipped shows in its first bytes.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes_total = file.metadata()?.len();
        let bytes_read = Arc::new(AtomicU64::new(0));
        let mut reader = BufReader::new(Counted {
            file,
            bytes_read: Arc::clone(&bytes_read),
        });
        let lines: Box<dyn BufRead + Send> = if reader.fill_buf()?.starts_with(&GZIP_MAGIC) {
            Box::new(BufReader::new(MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        Ok(Self {
            lines,
            buffer: Vec::new(),
            bytes_read,
            bytes_total,
        })
    }

    /// The next line's message; `None` at the end.
    ///
    /// # Errors
    /// When the machine refuses, or the file ends in the middle of its compression: as good as
    /// an end, for a recorder that was killed leaves such a file.
    pub fn read(&mut self) -> io::Result<Option<Result<Recorded, LineError>>> {
        Ok(self
            .read_line()?
            .map(|line| line.ok_or(LineError::NotALine).and_then(parse)))
    }

    /// How far into the file this is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_total: self.bytes_total,
        }
    }

    /// The next line that is not empty; `Some(None)` for one that is no text or too long.
    fn read_line(&mut self) -> io::Result<Option<Option<&str>>> {
        loop {
            self.buffer.clear();
            let length = (&mut self.lines)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut self.buffer)?;
            if length == 0 {
                return Ok(None);
            }
            if self.buffer.last() != Some(&b'\n')
                && u64::try_from(length).is_ok_and(|length| length >= LINE_BYTES_MAX)
            {
                skip_line(&mut self.lines)?;
                return Ok(Some(None));
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(std::str::from_utf8(self.buffer.trim_ascii()).ok()))
    }
}

fn skip_line(lines: &mut impl BufRead) -> io::Result<()> {
    loop {
        let held = lines.fill_buf()?;
        if held.is_empty() {
            return Ok(());
        }
        let (used, done) = match held.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (held.len(), false),
        };
        lines.consume(used);
        if done {
            return Ok(());
        }
    }
}

fn split(line: &str) -> Option<(Duration, &str)> {
    let (time, json) = line.split_once(' ')?;
    Some((Duration::from_nanos(time.parse().ok()?), json.trim_start()))
}

fn parse(line: &str) -> Result<Recorded, LineError> {
    let (received_at, json) = split(line).ok_or(LineError::NotALine)?;
    Ok(Recorded {
        received_at,
        message: Message::parse(json)?,
    })
}

/// Every symbol that a recording speaks of, in upper case.
///
/// # Errors
/// When the file can't be opened or its first bytes can't be read. A file that breaks off later
/// tells what it holds up to there.
pub fn symbols(path: &Path) -> io::Result<BTreeSet<String>> {
    let mut recording = Recording::open(path)?;
    let mut symbols = BTreeSet::new();
    let mut any = false;
    loop {
        match recording.read_line() {
            Ok(Some(line)) => {
                any = true;
                let json = line.and_then(split).map(|(_, json)| json);
                if let Some(symbol) = json.and_then(symbol_of)
                    && !symbols.contains(symbol.as_str())
                {
                    symbols.insert(symbol);
                }
            }
            Ok(None) => return Ok(symbols),
            Err(_) if any => return Ok(symbols),
            Err(error) => return Err(error),
        }
    }
}

/// Counts what is read of a file, as it lies on disk.
struct Counted {
    file: File,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.bytes_read
            .fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests;

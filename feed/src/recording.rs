//! Recordings: lines of `<receive time in ns> <json>`, or Binance's public dumps of trades as CSV;
//! plain, gzipped or in a zip file.
//!
//! What a file holds shows in its name and its first line. A dump does not say its symbol inside:
//! it is told, or the file's name begins with it, as `BTCUSDT-trades-2024-08-08.csv`.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::message::dump::DumpLine;
use crate::message::{Message, MessageError, symbol_of};
use crate::status::{Progress, SkipReason};

mod container;

use container::Content;

/// Most bytes of a line: a snapshot of 5,000 levels a side takes less than half a megabyte.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A recording being read.
pub struct Recording {
    content: Content,
    buffer: Vec<u8>,
    format: Format,
}

/// What a recording's lines are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Format {
    /// `<receive time in ns> <json>`.
    Messages,
    /// Comma-separated values of this symbol's trades.
    Dump { symbol: String },
}

/// Why a recording can't be read at all.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The machine refuses, or the file is no such archive.
    #[error("the feed's file {} can't be read: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// A dump whose name does not say its symbol.
    #[error(
        "the feed's file {} holds trades and does not say of what; name its symbol with feed_symbol (--feed-symbol BTCUSDT)",
        path.display()
    )]
    NoSymbol {
        /// Which.
        path: PathBuf,
    },
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
    /// Opens a recording. A dump is of `symbol`, or, where that is not given, of what its name
    /// begins with.
    ///
    /// # Errors
    /// When the file can't be read, or is a dump of no one knows what.
    pub fn open(path: &Path, symbol: Option<&str>) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::File {
            path: path.to_owned(),
            source,
        };
        let mut content = Content::open(path).map_err(failed)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let format = if is_dump(&name, &mut content).map_err(failed)? {
            let named = symbol.map(str::to_owned).or_else(|| symbol_in_name(&name));
            let symbol = named.ok_or_else(|| RecordingError::NoSymbol {
                path: path.to_owned(),
            })?;
            Format::Dump {
                symbol: symbol.to_ascii_uppercase(),
            }
        } else {
            Format::Messages
        };
        Ok(Self {
            content,
            buffer: Vec::new(),
            format,
        })
    }

    /// The next line's message; `None` at the end.
    ///
    /// # Errors
    /// When the machine refuses, or the file ends in the middle of its compression: as good as
    /// an end, for a recorder that was killed leaves such a file.
    pub fn read(&mut self) -> io::Result<Option<Result<Recorded, LineError>>> {
        let lines = &mut self.content.lines;
        loop {
            let Some(line) = read_line(lines, &mut self.buffer)? else {
                return Ok(None);
            };
            let Some(line) = line else {
                return Ok(Some(Err(LineError::NotALine)));
            };
            return Ok(Some(match &self.format {
                Format::Messages => parse(line),
                Format::Dump { symbol } => match DumpLine::parse(line, symbol) {
                    Some(DumpLine::Message(message)) => Ok(Recorded {
                        received_at: message.sent_at().map_or(Duration::ZERO, |sent_at| {
                            Duration::from_micros(sent_at.microseconds())
                        }),
                        message,
                    }),
                    Some(DumpLine::Header) => continue,
                    None => Err(LineError::NotALine),
                },
            }));
        }
    }

    /// How far into the file this is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.content.progress()
    }
}

/// The next line that is not empty; `Some(None)` for one that is no text or too long.
fn read_line<'a>(
    lines: &mut impl BufRead,
    buffer: &'a mut Vec<u8>,
) -> io::Result<Option<Option<&'a str>>> {
    loop {
        buffer.clear();
        let length = lines.take(LINE_BYTES_MAX).read_until(b'\n', buffer)?;
        if length == 0 {
            return Ok(None);
        }
        if buffer.last() != Some(&b'\n')
            && u64::try_from(length).is_ok_and(|length| length >= LINE_BYTES_MAX)
        {
            skip_line(lines)?;
            return Ok(Some(None));
        }
        if !buffer.trim_ascii().is_empty() {
            break;
        }
    }
    Ok(Some(std::str::from_utf8(buffer.trim_ascii()).ok()))
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

/// Whether a file is a dump: it is called one, or its first line is a dump's.
fn is_dump(name: &str, content: &mut Content) -> io::Result<bool> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let inner = content.inner_name.as_deref().unwrap_or_default();
    if name.ends_with(".csv") || inner.to_ascii_lowercase().ends_with(".csv") {
        return Ok(true);
    }
    let begin = content.lines.fill_buf()?.trim_ascii_start();
    let end = begin.iter().position(|byte| *byte == b'\n');
    let first = begin.get(..end.unwrap_or(begin.len())).unwrap_or_default();
    let first = std::str::from_utf8(first).unwrap_or_default();
    Ok(DumpLine::parse(first, "").is_some())
}

/// The symbol that a dump's name begins with: `BTCUSDT` of `BTCUSDT-trades-2024-08-08.zip`.
fn symbol_in_name(name: &str) -> Option<String> {
    let (symbol, _) = name.split_once('-')?;
    let is_symbol = !symbol.is_empty() && symbol.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_symbol.then(|| symbol.to_owned())
}

/// Every symbol that a recording speaks of, in upper case. A dump is of `symbol`, if that is
/// given.
///
/// # Errors
/// When the file can't be opened or its first bytes can't be read. A file that breaks off later
/// tells what it holds up to there.
pub fn symbols(path: &Path, symbol: Option<&str>) -> Result<BTreeSet<String>, RecordingError> {
    let mut recording = Recording::open(path, symbol)?;
    if let Format::Dump { symbol } = recording.format {
        return Ok(BTreeSet::from([symbol]));
    }
    let mut symbols = BTreeSet::new();
    let mut any = false;
    loop {
        match read_line(&mut recording.content.lines, &mut recording.buffer) {
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
            Err(source) => {
                return Err(RecordingError::File {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;

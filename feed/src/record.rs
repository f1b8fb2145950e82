//! Writes the live messages to a file that can be played.
//!
//! Each message is a line of `<receive time in ns> <json>`, as it came. Where a symbol's book
//! begins, or begins anew after a break, a depth snapshot is asked for and written as
//! `{"stream":"<symbol>@depthSnapshot","data":{…}}`, so that whoever plays the file can follow the
//! book from there. What stands in the file already is kept: the new lines come behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use shardbook_engine::time::Clock;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::connection::{self, Event, STREAMS_MAX};
use crate::feed::streams_of;
use crate::inquiry::Inquiries;
use crate::local_book::{DiffOutcome, LocalBook, SnapshotOutcome};
use crate::message::{DepthSnapshot, Level, Message};
use crate::rest::{RestClient, RestError};
use crate::source::{SIGNALS_MAX, Signal};

/// Most lines that wait for the disk.
const LINES_MAX: usize = 4_096;

/// The file is brought up to date at least so often.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// What is recorded, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordConfig {
    /// Where the streams are, as `wss://data-stream.binance.vision`.
    pub websocket_url: String,
    /// Where depth snapshots are, as `https://data-api.binance.vision`.
    pub rest_url: String,
    /// Binance's symbols.
    pub symbols: BTreeSet<String>,
    /// The file; gzipped if its name ends with `.gz`.
    pub out: PathBuf,
}

/// What a recording came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordTotals {
    /// Lines of messages.
    pub messages: u64,
    /// Lines of depth snapshots.
    pub snapshots: u64,
}

/// Why a recording was not made, or ended.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file can't be opened for writing.
    #[error("the file {} can't be opened for writing: {source}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// The file can't be written.
    #[error("the file {} can't be written: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// There is nothing to record.
    #[error("no instrument has a binance_symbol: there is nothing to record")]
    NoSymbols,
    /// More symbols than one connection can carry.
    #[error(
        "{streams} streams are more than the {STREAMS_MAX} that one connection to Binance carries"
    )]
    TooManyStreams {
        /// How many it would take.
        streams: usize,
    },
    /// The REST client can't be made.
    #[error("no client for Binance's REST API")]
    Rest(#[from] RestError),
}

/// Records until `stop` comes. `progress` tells how far it has come.
///
/// # Errors
/// When the file can't be written; a missing network is no reason to end.
pub async fn record(
    config: RecordConfig,
    clock: &impl Clock,
    progress: &watch::Sender<RecordTotals>,
    stop: impl Future<Output = ()>,
) -> Result<(), RecordError> {
    let streams: Vec<String> = config
        .symbols
        .iter()
        .flat_map(|symbol| streams_of(symbol, 1))
        .collect();
    if streams.is_empty() {
        return Err(RecordError::NoSymbols);
    }
    if streams.len() > STREAMS_MAX {
        let streams = streams.len();
        return Err(RecordError::TooManyStreams { streams });
    }
    let failed = |source| RecordError::File {
        path: config.out.clone(),
        source,
    };
    let output = Output::open(&config.out).map_err(|source| RecordError::Open {
        path: config.out.clone(),
        source,
    })?;
    let (lines, written) = mpsc::channel(LINES_MAX);
    let mut writer = tokio::task::spawn_blocking(move || write(output, written));
    let (asked, mut answers) = mpsc::channel(SIGNALS_MAX);
    let inquiries = Inquiries::answer(RestClient::new(&config.rest_url)?, asked);
    let (listener, mut events) = mpsc::channel(SIGNALS_MAX);
    // The sender lives as long as the recording does: the streams never change.
    let (_streams, subscribed) = watch::channel(streams);
    let url = config.websocket_url;
    tokio::spawn(connection::run(url, subscribed, listener, |event| event));
    let mut recorder = Recorder {
        books: BTreeMap::new(),
        inquiries,
        lines,
        progress,
    };
    tokio::pin!(stop);
    let ended = loop {
        let kept = tokio::select! {
            () = &mut stop => break None,
            ended = &mut writer => break Some(ended),
            Some(event) = events.recv() => recorder.hear(event, clock).await,
            Some(answer) = answers.recv() => recorder.take_answer(answer, clock).await,
        };
        if kept.is_err() {
            break None;
        }
    };
    drop(recorder);
    let ended = match ended {
        Some(ended) => ended,
        None => writer.await,
    };
    ended
        .unwrap_or_else(|broken| Err(io::Error::other(broken)))
        .map_err(failed)
}

/// The writer is gone; it says why.
struct NoWriter;

struct Recorder<'a> {
    books: BTreeMap<String, Followed>,
    inquiries: Inquiries,
    lines: mpsc::Sender<String>,
    progress: &'a watch::Sender<RecordTotals>,
}

/// A symbol's book, followed to know when a snapshot is needed.
#[derive(Default)]
struct Followed {
    book: LocalBook,
    snapshot_asked: bool,
}

impl Recorder<'_> {
    async fn hear(&mut self, event: Event, clock: &impl Clock) -> Result<(), NoWriter> {
        match event {
            Event::Connected => {
                tracing::info!("recording");
                for followed in self.books.values_mut() {
                    followed.book.start_over();
                }
            }
            // What keeps the connection tells of that.
            Event::HandedOver | Event::Disconnected => {}
            Event::Heard { text, signal } => match signal {
                Signal::Message(message) => {
                    if let Message::DepthDiff(diff) = &message {
                        self.follow(&diff.symbol, |book| match book.take_diff(diff) {
                            DiffOutcome::Applied | DiffOutcome::Ignored => true,
                            DiffOutcome::Buffered | DiffOutcome::Gap => false,
                        });
                    }
                    self.keep(&text, clock).await?;
                }
                Signal::Bad(..) if !text.is_empty() => self.keep(&text, clock).await?,
                Signal::Bad(..)
                | Signal::Connected
                | Signal::HandedOver
                | Signal::Disconnected
                | Signal::Alive
                | Signal::Answered
                | Signal::Fill { .. }
                | Signal::Played(_) => {}
            },
        }
        Ok(())
    }

    /// Brings a symbol's book further, and asks for a snapshot if it does not stand.
    fn follow(&mut self, symbol: &str, take: impl FnOnce(&mut LocalBook) -> bool) {
        let followed = self.books.entry(symbol.to_owned()).or_default();
        let stands = take(&mut followed.book);
        if !stands && !followed.snapshot_asked {
            let asked = self.inquiries.snapshots.try_send(symbol.to_owned());
            followed.snapshot_asked = asked.is_ok();
        }
    }

    async fn take_answer(&mut self, answer: Signal, clock: &impl Clock) -> Result<(), NoWriter> {
        let Signal::Message(Message::DepthSnapshot(snapshot)) = answer else {
            return Ok(());
        };
        let Some(symbol) = snapshot.symbol.clone() else {
            return Ok(());
        };
        if let Some(followed) = self.books.get_mut(&symbol) {
            followed.snapshot_asked = false;
        }
        let mut is_of_use = true;
        self.follow(&symbol, |book| match book.take_snapshot(&snapshot) {
            SnapshotOutcome::Begun { .. } | SnapshotOutcome::NotNeeded => true,
            SnapshotOutcome::TooOld => {
                is_of_use = false;
                false
            }
        });
        if is_of_use {
            self.write_line(&snapshot_line(&symbol, &snapshot), clock)
                .await?;
            self.progress.send_modify(|totals| totals.snapshots += 1);
        }
        Ok(())
    }

    async fn keep(&mut self, text: &str, clock: &impl Clock) -> Result<(), NoWriter> {
        self.write_line(text, clock).await?;
        self.progress.send_modify(|totals| totals.messages += 1);
        Ok(())
    }

    async fn write_line(&self, json: &str, clock: &impl Clock) -> Result<(), NoWriter> {
        let now = u128::from(clock.now().microseconds()) * 1_000;
        // JSON needs no line breaks, and a line is a message.
        let json = json.replace(['\n', '\r'], " ");
        let line = format!("{now} {json}\n");
        self.lines.send(line).await.map_err(|_| NoWriter)
    }
}

fn snapshot_line(symbol: &str, snapshot: &DepthSnapshot) -> String {
    let levels = |levels: &[Level]| -> Vec<[String; 2]> {
        levels
            .iter()
            .map(|level| [level.price.to_string(), level.quantity.to_string()])
            .collect()
    };
    serde_json::json!({
        "stream": format!("{}@depthSnapshot", symbol.to_ascii_lowercase()),
        "data": {
            "lastUpdateId": snapshot.last_update_id,
            "bids": levels(&snapshot.bids),
            "asks": levels(&snapshot.asks),
        },
    })
    .to_string()
}

/// The file, plain or gzipped.
enum Output {
    Plain(BufWriter<File>),
    Gzipped(GzEncoder<BufWriter<File>>),
}

impl Output {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let file = BufWriter::new(file);
        let is_gzipped = path.extension().is_some_and(|extension| extension == "gz");
        Ok(if is_gzipped {
            // Behind what stands there this is another member, which gzip allows.
            Self::Gzipped(GzEncoder::new(file, Compression::default()))
        } else {
            Self::Plain(file)
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(file) => file,
            Self::Gzipped(file) => file,
        }
    }

    fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Self::Plain(file) => file,
            Self::Gzipped(encoder) => encoder.finish()?,
        };
        file.flush()
    }
}

/// Writes lines until there are no more.
fn write(mut output: Output, mut lines: mpsc::Receiver<String>) -> io::Result<()> {
    let mut flushed = std::time::Instant::now();
    while let Some(line) = lines.blocking_recv() {
        output.writer().write_all(line.as_bytes())?;
        if flushed.elapsed() >= FLUSH_INTERVAL {
            output.writer().flush()?;
            flushed = std::time::Instant::now();
        }
    }
    output.finish()
}

#[cfg(test)]
mod tests;

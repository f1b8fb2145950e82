//! The feed as the exchange holds it: started, watched, stopped.

mod mapped;
mod started;

use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::command::{Command, FeedSource};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::responder::CallError;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::connection::STREAMS_MAX;
use crate::dispatcher::{Dispatcher, Run};
use crate::recording::RecordingError;
use crate::rest::RestError;
use crate::retry::Retry;
use crate::sink::Sink;
use crate::source::Source;
use crate::status::{FeedState, FeedStatus};

pub(crate) use self::mapped::{Mapped, binance_symbol, simulated_symbol};
pub(crate) use self::started::streams_of;

use self::mapped::mapped;
use self::started::start_source;

/// Most instruments that wait to be added to a running feed.
const ADDITIONS_MAX: usize = 1_024;

/// How often the exchange is asked to withdraw a mirror before the start is given up.
const WITHDRAW_ATTEMPTS: usize = 10;

/// How long a stopping feed waits for answers.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What the feed is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedConfig {
    /// Where market data comes from.
    pub source: Source,
    /// How many levels a side of a source's depth are mirrored; 0 mirrors none.
    pub liquidity_levels: usize,
}

/// Why the feed can't be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The file can't be read, or does not say of what it is.
    #[error(transparent)]
    File(#[from] RecordingError),
    /// The file holds market data of a symbol that no instrument is mapped to.
    #[error(
        "the feed's file {} holds {symbol}, which is no instrument's binance_symbol; mapped are: {mapped}",
        path.display()
    )]
    UnmappedSymbol {
        /// Which file.
        path: std::path::PathBuf,
        /// The symbol.
        symbol: String,
        /// Those that are mapped.
        mapped: String,
    },
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
    /// The exchange did not withdraw what an earlier feed mirrored.
    #[error("the exchange does not withdraw an earlier feed's mirror")]
    NotWithdrawn(#[source] CallError),
}

/// A running feed. It goes on by itself until it is stopped or dropped.
#[derive(Debug)]
pub struct Feed {
    status: watch::Receiver<FeedStatus>,
    stop: watch::Sender<Run>,
    additions: mpsc::Sender<Arc<Instrument>>,
    task: Option<JoinHandle<()>>,
}

/// A way to a running feed, for those who add instruments to the exchange.
#[derive(Clone, Debug)]
pub struct FeedHandle {
    additions: mpsc::Sender<Arc<Instrument>>,
}

impl FeedHandle {
    /// Feeds another instrument from now on, if the feed's source can: Binance's live streams are
    /// subscribed to on the connection that stands, a simulated market begins, a file holds what it
    /// holds. Call it once the exchange takes commands for the instrument. An instrument without
    /// a symbol of Binance's, and a feed that is off or has ended, change nothing.
    pub async fn add(&self, instrument: Arc<Instrument>) {
        if self.additions.send(instrument).await.is_err() {
            tracing::debug!("no feed runs that could take in another instrument");
        }
    }
}

impl Feed {
    /// Checks the source, withdraws mirrors that nothing would keep alive (so that no one trades
    /// against a dead book), and begins to deliver. Returns once that is done: start the feed
    /// before listening.
    ///
    /// A file leaves what an earlier one or the live feed mirrored on its instruments as it is,
    /// until its first snapshot replaces it: playing a finished file again must end with the same
    /// book.
    ///
    /// # Errors
    /// When a setting is wrong, or the exchange does not take the withdrawal; a missing network
    /// is no reason.
    pub async fn start<S: Sink>(
        config: FeedConfig,
        instruments: Vec<Arc<Instrument>>,
        sink: S,
    ) -> Result<Self, StartError> {
        let sink = Arc::new(sink);
        let mapped = mapped(&config.source, &instruments).await?;
        withdraw(&to_withdraw(&config, &mapped, &instruments, &*sink), &*sink).await?;
        let (stop, stopped) = watch::channel(Run::On);
        let (additions, added) = mpsc::channel(ADDITIONS_MAX);
        let Some(source) = start_source(&config, &mapped)? else {
            let (_, status) = watch::channel(FeedStatus::default());
            return Ok(Self {
                status,
                stop,
                additions,
                task: None,
            });
        };
        let (status, watched) = watch::channel(FeedStatus {
            state: FeedState::Connecting,
            ..FeedStatus::default()
        });
        let dispatcher = Dispatcher::new(source, mapped, config.liquidity_levels, sink, status);
        Ok(Self {
            status: watched,
            stop,
            additions,
            task: Some(tokio::spawn(dispatcher.run(stopped, added))),
        })
    }

    /// How the feed is doing, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<FeedStatus> {
        self.status.clone()
    }

    /// A way to add instruments while it runs.
    #[must_use]
    pub fn handle(&self) -> FeedHandle {
        FeedHandle {
            additions: self.additions.clone(),
        }
    }

    /// Stops taking in market data and waits until everything delivered is answered: call it
    /// before the exchange stops. An exchange that does not answer is waited for
    /// [`STOP_TIMEOUT`] long.
    pub async fn stop(self) {
        self.stop.send_replace(Run::Stop);
        let Some(task) = self.task else {
            return;
        };
        match tokio::time::timeout(STOP_TIMEOUT, task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the feed broke off"),
            Err(_) => tracing::warn!("the feed stops with commands unanswered"),
        }
    }
}

/// The instruments whose mirror nothing would keep alive: all, but for those that a file goes on
/// with.
fn to_withdraw<S: Sink>(
    config: &FeedConfig,
    mapped: &[Mapped],
    instruments: &[Arc<Instrument>],
    sink: &S,
) -> Vec<Arc<Instrument>> {
    let goes_on = |instrument: &Instrument| {
        let is_held = mapped.iter().any(|(_, held)| held.id == instrument.id);
        let mirrored = sink.feed_at_start(instrument.id).mirror_source;
        is_held && mirrored == Some(FeedSource::Binance)
    };
    let is_file = matches!(config.source, Source::File(_)) && config.liquidity_levels > 0;
    instruments
        .iter()
        .filter(|instrument| !(is_file && goes_on(instrument)))
        .map(Arc::clone)
        .collect()
}

/// Takes every instrument's mirror off the book.
async fn withdraw<S: Sink>(instruments: &[Arc<Instrument>], sink: &S) -> Result<(), StartError> {
    for instrument in instruments {
        let mut retry = Retry::new(Duration::from_millis(50), Duration::from_secs(1));
        let mut attempts = 0;
        loop {
            attempts += 1;
            let receipt = sink.deliver(instrument.id, Command::WithdrawMirror).await;
            match receipt.await.unwrap_or(Err(CallError::ShardRestarting)) {
                Ok(_) => break,
                Err(
                    CallError::Overloaded
                    | CallError::JournalUnavailable
                    | CallError::ShardRestarting,
                ) if attempts < WITHDRAW_ATTEMPTS => {
                    tokio::time::sleep(retry.next_wait()).await;
                }
                Err(error) => return Err(StartError::NotWithdrawn(error)),
            }
        }
    }
    Ok(())
}

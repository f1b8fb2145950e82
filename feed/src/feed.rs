//! The feed as the exchange holds it: started, watched, stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::command::{Command, FeedSource};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::responder::CallError;
use shardbook_engine::time::{Clock, SystemClock};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::connection::{self, STREAMS_MAX};
use crate::dispatcher::{Dispatcher, Run, RunningSource, SourceEnd};
use crate::player;
use crate::recording;
use crate::rest::{self, RestClient, RestError};
use crate::retry::Retry;
use crate::simulated::SimulatedMarket;
use crate::sink::Sink;
use crate::source::{SIGNALS_MAX, Source};
use crate::status::{FeedState, FeedStatus};

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
    /// The file can't be read.
    #[error("the feed's file {} can't be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        source: std::io::Error,
    },
    /// The file holds market data of a symbol that no instrument is mapped to.
    #[error(
        "the feed's file {} holds {symbol}, which is no instrument's binance_symbol; mapped are: {mapped}",
        path.display()
    )]
    UnmappedSymbol {
        /// Which file.
        path: PathBuf,
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
    task: Option<JoinHandle<()>>,
}

impl Feed {
    /// Checks the source, withdraws a mirror that nothing would keep alive (so that no one
    /// trades against a dead book), and begins to deliver. Returns once that is done: start the
    /// feed before listening.
    ///
    /// A file leaves the mirror as it is until its first snapshot replaces it: playing a finished
    /// file again must end with the same book.
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
        let keeps_mirror = matches!(config.source, Source::File(_)) && config.liquidity_levels > 0;
        if !keeps_mirror {
            withdraw(&instruments, &*sink).await?;
        }
        let (stop, stopped) = watch::channel(Run::On);
        let Some(source) = start_source(&config, &mapped)? else {
            let (_, status) = watch::channel(FeedStatus::default());
            return Ok(Self {
                status,
                stop,
                task: None,
            });
        };
        let (status, watched) = watch::channel(FeedStatus {
            state: FeedState::Connecting,
            ..FeedStatus::default()
        });
        let dispatcher = Dispatcher::new(source, mapped, config.liquidity_levels, &sink, status);
        Ok(Self {
            status: watched,
            stop,
            task: Some(tokio::spawn(dispatcher.run(stopped))),
        })
    }

    /// How the feed is doing, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<FeedStatus> {
        self.status.clone()
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

/// A source's name for an instrument, in upper case, and the instrument.
pub(crate) type Mapped = (String, Arc<Instrument>);

/// Which of the source's symbols go to which instrument.
async fn mapped(
    source: &Source,
    instruments: &[Arc<Instrument>],
) -> Result<Vec<Mapped>, StartError> {
    let by_binance_symbol = instruments.iter().filter_map(|instrument| {
        let symbol = instrument.binance_symbol.as_ref()?;
        Some((symbol.to_ascii_uppercase(), Arc::clone(instrument)))
    });
    match source {
        Source::Off => Ok(Vec::new()),
        Source::Binance(_) => Ok(by_binance_symbol.collect()),
        Source::Simulated(_) => Ok(instruments
            .iter()
            .map(|instrument| {
                let binance = instrument.binance_symbol.as_deref();
                let symbol = binance.unwrap_or(instrument.symbol.as_str());
                (symbol.to_ascii_uppercase(), Arc::clone(instrument))
            })
            .collect()),
        Source::File(file) => {
            let all: Vec<Mapped> = by_binance_symbol.collect();
            let held = symbols_of(&file.path).await?;
            if let Some(symbol) = held
                .iter()
                .find(|held| !all.iter().any(|(symbol, _)| symbol == *held))
            {
                let names: Vec<&str> = all.iter().map(|(symbol, _)| symbol.as_str()).collect();
                return Err(StartError::UnmappedSymbol {
                    path: file.path.clone(),
                    symbol: symbol.clone(),
                    mapped: names.join(", "),
                });
            }
            Ok(all
                .into_iter()
                .filter(|(symbol, _)| held.contains(symbol))
                .collect())
        }
    }
}

/// The symbols that a file holds.
async fn symbols_of(path: &Path) -> Result<BTreeSet<String>, StartError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || recording::symbols(&owned)).await;
    read.unwrap_or_else(|broken| Err(std::io::Error::other(broken)))
        .map_err(|source| StartError::File {
            path: path.to_owned(),
            source,
        })
}

/// Sets a source going; `None` if there is none.
fn start_source(
    config: &FeedConfig,
    mapped: &[Mapped],
) -> Result<Option<RunningSource>, StartError> {
    let (sender, signals) = mpsc::channel(SIGNALS_MAX);
    Ok(match &config.source {
        Source::Off => None,
        Source::Binance(binance) => {
            let streams = streams(mapped, config.liquidity_levels);
            if streams.len() > STREAMS_MAX {
                return Err(StartError::TooManyStreams {
                    streams: streams.len(),
                });
            }
            let client = RestClient::new(&binance.rest_url)?;
            let (snapshots, requests) = mpsc::channel(STREAMS_MAX);
            tokio::spawn(rest::serve_snapshots(client, requests, sender.clone()));
            tokio::spawn(connection::run(
                binance.websocket_url.clone(),
                streams,
                sender,
            ));
            Some(RunningSource {
                kind: FeedSource::Binance,
                end: SourceEnd::Never,
                signals,
                snapshots: Some(snapshots),
                silence_max: Some(binance.silence_max),
            })
        }
        Source::File(file) => {
            let only_symbol = match mapped {
                [(symbol, _)] => Some(symbol.clone()),
                _ => None,
            };
            tokio::spawn(player::play_file(
                file.path.clone(),
                file.pace,
                only_symbol,
                sender,
            ));
            Some(RunningSource {
                kind: FeedSource::Binance,
                end: SourceEnd::Finish,
                signals,
                snapshots: None,
                silence_max: None,
            })
        }
        Source::Simulated(simulated) => {
            let first_id = SystemClock.now().microseconds();
            let markets = mapped
                .iter()
                .map(|(symbol, instrument)| {
                    let instrument = Arc::clone(instrument);
                    SimulatedMarket::new(instrument, symbol.clone(), simulated.seed, first_id)
                })
                .collect();
            tokio::spawn(player::play_simulated(
                markets,
                simulated.step,
                SystemClock,
                sender,
            ));
            Some(RunningSource {
                kind: FeedSource::Simulated,
                end: SourceEnd::Never,
                signals,
                snapshots: None,
                silence_max: None,
            })
        }
    })
}

/// The streams to subscribe to: trades, and depth if any of it is mirrored.
fn streams(mapped: &[Mapped], liquidity_levels: usize) -> Vec<String> {
    let symbols: BTreeSet<String> = mapped
        .iter()
        .map(|(symbol, _)| symbol.to_ascii_lowercase())
        .collect();
    symbols
        .iter()
        .flat_map(|symbol| {
            let depth = (liquidity_levels > 0).then(|| format!("{symbol}@depth@100ms"));
            [Some(format!("{symbol}@trade")), depth]
        })
        .flatten()
        .collect()
}

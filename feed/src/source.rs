//! Where market data comes from.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::hole::Fill;
use crate::message::Message;
use crate::status::{Progress, SkipReason};

/// Most signals that wait between a source and those who follow it.
pub(crate) const SIGNALS_MAX: usize = 1_024;

/// What a source says. A source is a task that sends these into a bounded channel, and ends when
/// there is nothing more to come or no one listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A connection stands: whatever comes now does not continue what came before.
    Connected,
    /// Another connection took over, and what comes now continues what came before.
    HandedOver,
    /// The connection is lost.
    Disconnected,
    /// The connection lives, though no market data came.
    Alive,
    /// A request was answered.
    Answered,
    /// Market data.
    Message(Message),
    /// Something that is no message, and what is wrong with it.
    Bad(SkipReason, String),
    /// What a request for a symbol's missed trades came to.
    Fill {
        /// In upper case.
        symbol: String,
        /// What it came to.
        fill: Fill,
    },
    /// A file has been played so far.
    Played(Progress),
}

/// Which source the feed has, and what it needs to know of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// None.
    Off,
    /// Binance, live.
    Binance(BinanceSource),
    /// A recording.
    File(FileSource),
    /// A random market.
    Simulated(SimulatedSource),
}

/// Binance's live market data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinanceSource {
    /// Where the streams are, as `wss://data-stream.binance.vision`.
    pub websocket_url: String,
    /// Where depth snapshots are, as `https://data-api.binance.vision`.
    pub rest_url: String,
    /// After so long without a sign of life the mirror is withdrawn.
    pub silence_max: Duration,
}

impl Default for BinanceSource {
    fn default() -> Self {
        Self {
            websocket_url: String::from("wss://data-stream.binance.vision"),
            rest_url: String::from("https://data-api.binance.vision"),
            silence_max: Duration::from_secs(30),
        }
    }
}

/// A recording: see [`recording`](crate::recording).
#[derive(Clone, Debug, PartialEq)]
pub struct FileSource {
    /// The file.
    pub path: PathBuf,
    /// Of what a CSV file's trades are; not given, the file's name says it.
    pub symbol: Option<String>,
    /// How fast it is played.
    pub pace: Pace,
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the exchange takes it.
    Max,
    /// So many times as fast as it was recorded; 1 is real time. Finite and above zero.
    Times(f64),
}

/// Why a text is no pace.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no feed speed: `max`, or a number above 0 (1 is real time)")]
pub struct PaceError(String);

impl FromStr for Pace {
    type Err = PaceError;

    fn from_str(text: &str) -> Result<Self, PaceError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            Ok(_) | Err(_) => Err(PaceError(text.to_owned())),
        }
    }
}

/// A seeded random market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedSource {
    /// The same seed gives the same market.
    pub seed: u64,
    /// Time between two steps of the market.
    pub step: Duration,
}

impl Default for SimulatedSource {
    fn default() -> Self {
        Self {
            seed: 1,
            step: Duration::from_millis(100),
        }
    }
}

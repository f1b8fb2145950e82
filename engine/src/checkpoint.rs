//! Checkpoints: what a partition's journal has come to, so that a start need not replay all of it.
//!
//! A checkpoint is a [`Manifest`] at one position, and for each instrument the bytes of its whole
//! state. An instrument that did not change since the manifest before keeps its bytes. What the
//! bytes mean is said here and in `checkpoint/v1.rs`; where they stand, and that they come back
//! as they were saved, is the store's business.
//!
//! A checkpoint follows from the journal and is never needed for its truth: one that can't be
//! read is passed over for the one before it, or for the journal's beginning while that is held.

mod v1;

use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

use crate::id::{InstrumentId, Sequence};
use crate::instrument::Instrument;
use crate::journal::Position;
use crate::market_data::{MarketData, MarketDataLimits};
use crate::partition::PartitionId;
use crate::record::RecordError;
use crate::shard::{RestingOrder, Shard, ShardLimits};

/// One checkpoint of a whole partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// It holds what came of the records up to this frame and with it.
    pub position: Position,
    /// The instruments that had any record, each once.
    pub entries: Vec<ManifestEntry>,
}

/// One instrument's part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Whose state.
    pub instrument: InstrumentId,
    /// The instrument's last record in it.
    pub sequence: Sequence,
    /// Which bytes.
    pub saved: Saved,
}

/// Names bytes that a store was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The position of the manifest that they were saved for.
    pub position: Position,
    /// How many they are.
    pub bytes: u64,
    /// Their CRC-32C.
    pub checksum: u32,
}

impl Manifest {
    /// An instrument's part.
    #[must_use]
    pub fn entry(&self, instrument: InstrumentId) -> Option<&ManifestEntry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.instrument == instrument)
    }
}

/// Why a checkpoint could not be made or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The machine refused.
    #[error("{doing} {place}: {source}")]
    Io {
        /// What was being done, as in `flushing`.
        doing: &'static str,
        /// Which file or directory.
        place: String,
        /// What the machine said.
        source: std::io::Error,
    },
    /// What is there is not what was saved.
    #[error("the checkpoint is damaged: {place}: {what}")]
    Damaged {
        /// Which file.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// The bytes are those that were saved and can't be read: a newer program's, or a fault.
    #[error("the checkpoint of instrument {} can't be read: {source}", .instrument.get())]
    Content {
        /// Whose.
        instrument: InstrumentId,
        /// What is wrong with it.
        source: RecordError,
    },
}

/// Where a partition's checkpoints are kept.
///
/// What [`CheckpointStore::commit`] returned from survives a power failure, whole; a crash before
/// that leaves the checkpoints as they were.
pub trait CheckpointStore: Send + Sync {
    /// The manifests that can be read, newest first. What can't be read is told in the log.
    ///
    /// # Errors
    /// When the machine refuses.
    fn manifests(&self) -> Result<Vec<Manifest>, CheckpointError>;

    /// Keeps an instrument's bytes for the manifest at `position`, which is above those of all
    /// manifests that can be read.
    ///
    /// # Errors
    /// When the machine refuses.
    fn save(
        &self,
        instrument: InstrumentId,
        position: Position,
        bytes: &[u8],
    ) -> Result<Saved, CheckpointError>;

    /// The bytes that an entry names, exactly as they were saved.
    ///
    /// # Errors
    /// When they are not there as they were saved, or the machine refuses.
    fn load(&self, entry: &ManifestEntry) -> Result<Vec<u8>, CheckpointError>;

    /// Makes `manifest` the newest, and keeps beside it `before`, the one that it was made from.
    /// Everything else goes.
    ///
    /// # Errors
    /// When the machine refuses.
    fn commit(&self, manifest: &Manifest, before: Option<&Manifest>)
    -> Result<(), CheckpointError>;
}

/// How far the database has taken the journals in for good. What it has not is never trimmed.
pub trait Projected: Send + Sync {
    /// The position of a partition up to which the database holds everything even after a power
    /// failure; `None` while that is not known. Where it is before `wanted` the database is told to
    /// flush what it has, and a later call may be answered with more.
    fn flushed(&self, partition: PartitionId, wanted: Position) -> Option<Position>;
}

/// A partition's checkpoints, as the engine's tasks share them.
pub(crate) struct Checkpoints {
    pub(crate) store: Arc<dyn CheckpointStore>,
    /// Held while a shard is rebuilt, and while a commit lets go of what it might be rebuilt from.
    pub(crate) in_use: Mutex<()>,
}

/// An instrument's whole state as bytes, its format's version first. The same state gives the
/// same bytes.
///
/// # Panics
/// When the shard and its readers' view disagree about what rests: a bug.
#[must_use]
pub fn encode(shard: &Shard, market_data: &MarketData) -> Vec<u8> {
    v1::encode(shard, market_data)
}

/// The state that [`encode`] was given. Of what the limits leave no room for, the oldest is
/// forgotten.
///
/// # Errors
/// When the bytes are none of [`encode`]'s.
pub fn decode(
    bytes: &[u8],
    instrument: &Arc<Instrument>,
    shard: ShardLimits,
    market_data: MarketDataLimits,
) -> Result<(Shard, MarketData), RecordError> {
    v1::Told::read(bytes)?.both(instrument, shard, market_data)
}

/// As [`decode`] on two threads, one of which then does `also` with what rests: for a start, when
/// nothing else runs.
pub(crate) fn decode_at_once(
    bytes: &[u8],
    instrument: &Arc<Instrument>,
    shard: ShardLimits,
    market_data: MarketDataLimits,
    also: impl FnOnce(&[RestingOrder]) + Send,
) -> Result<(Shard, MarketData), RecordError> {
    v1::Told::read(bytes)?.both_at_once(instrument, shard, market_data, also)
}

/// The shard alone of what [`encode`] was given.
pub(crate) fn decode_shard(
    bytes: &[u8],
    instrument: &Arc<Instrument>,
    limits: ShardLimits,
) -> Result<Shard, RecordError> {
    Ok(v1::Told::read(bytes)?.shard(instrument, limits))
}

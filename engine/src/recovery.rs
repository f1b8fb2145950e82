//! Rebuilds shards and market data from a checkpoint and the journal after it: by what came of
//! each command, without matching anything again.
//!
//! The newest checkpoint that can be used wins. One that can't is passed over, which the log
//! tells, for the one before it; where there is none, for the journal's beginning.

mod follow;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use thiserror::Error;

use crate::checkpoint::{self, CheckpointError, CheckpointStore, Checkpoints, Manifest};
use crate::directory::Directory;
use crate::exchange::ExchangeLimits;
use crate::id::InstrumentId;
use crate::instrument::Instrument;
use crate::journal::{Durable, JournalError, JournalSource, Position};
use crate::market_data::{Applied, ChangeId, MarketData};
use crate::partition::reader::{ReadError, RecordReader};
use crate::publisher::Publisher;
use crate::record::{Record, RecordError};
use crate::shard::{Replayer, RestingOrder, Shard, ShardLimits};

/// Why a partition could not be recovered.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// Its records can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It holds records of an instrument that the control log does not name.
    #[error("the record at position {position} is of instrument {}, which is unknown", .instrument.get())]
    UnknownInstrument {
        /// Whose.
        instrument: InstrumentId,
        /// The frame.
        position: Position,
    },
    /// Its first frames are gone, and with them orders that may still rest.
    #[error(
        "the journal begins at position {oldest}, not at 1: its beginning is missing; restore its first segments from a backup"
    )]
    BeginningMissing {
        /// The oldest frame held.
        oldest: Position,
    },
    /// Which checkpoints there are can't be found out, or the one at hand can't be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint holds what the journal does not: frames that were acknowledged are gone, or
    /// it is another journal.
    #[error(
        "the newest checkpoint is at position {checkpoint}, and the journal ends at {newest}: its end is missing; restore its last segments from a backup"
    )]
    AheadOfJournal {
        /// The checkpoint's.
        checkpoint: Position,
        /// The newest frame held.
        newest: Position,
    },
    /// A record does not go on from the ones before it.
    #[error("the record at position {position} has sequence {next} after {last}")]
    OutOfStep {
        /// The frame.
        position: Position,
        /// The sequence of the instrument's record before it.
        last: u64,
        /// Its own.
        next: u64,
    },
}

impl From<JournalError> for RecoveryError {
    fn from(error: JournalError) -> Self {
        Self::Read(error.into())
    }
}

/// What a partition's start came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The checkpoint that it began with.
    pub checkpoint: Option<Position>,
    /// Records after it, which were replayed.
    pub records_replayed: u64,
}

/// One instrument as the journal left it.
pub(crate) struct Recovered {
    pub(crate) shard: Shard,
    pub(crate) market_data: MarketData,
}

impl Recovered {
    /// An instrument that nothing has happened on.
    pub(crate) fn new(instrument: &Arc<Instrument>, limits: &ExchangeLimits) -> Self {
        Self {
            shard: Shard::new(Arc::clone(instrument), limits.shard),
            market_data: MarketData::new(Arc::clone(instrument), limits.market_data),
        }
    }

    /// An instrument as a checkpoint holds it; new if it is not in it. On one thread: others
    /// trade meanwhile.
    pub(crate) fn load(
        store: &dyn CheckpointStore,
        manifest: &Manifest,
        instrument: &Arc<Instrument>,
        limits: &ExchangeLimits,
    ) -> Result<Self, CheckpointError> {
        let loaded = load(store, manifest, instrument, |bytes| {
            checkpoint::decode(bytes, instrument, limits.shard, limits.market_data)
        })?;
        Ok(Self::from_parts(loaded, instrument, limits))
    }

    /// The same on two threads, and with the ids of its orders in the directory.
    fn load_at_once(
        store: &dyn CheckpointStore,
        manifest: &Manifest,
        instrument: &Arc<Instrument>,
        limits: &ExchangeLimits,
        directory: &Directory,
    ) -> Result<Self, CheckpointError> {
        let hold = |resting: &[RestingOrder]| {
            let ids = resting.iter().filter_map(|order| match order {
                RestingOrder::Client(order) => Some(&order.id),
                RestingOrder::Mirror(_) => None,
            });
            directory.hold_all(ids, instrument.id);
        };
        let loaded = load(store, manifest, instrument, |bytes| {
            checkpoint::decode_at_once(bytes, instrument, limits.shard, limits.market_data, hold)
        })?;
        let this = Self::from_parts(loaded, instrument, limits);
        directory.hold_all(this.market_data.closed_order_ids(), instrument.id);
        Ok(this)
    }

    fn from_parts(
        parts: Option<(Shard, MarketData)>,
        instrument: &Arc<Instrument>,
        limits: &ExchangeLimits,
    ) -> Self {
        match parts {
            Some((shard, market_data)) => Self { shard, market_data },
            None => Self::new(instrument, limits),
        }
    }
}

/// What `decode` makes of an instrument's part of a checkpoint; none if it has none.
fn load<T>(
    store: &dyn CheckpointStore,
    manifest: &Manifest,
    instrument: &Instrument,
    decode: impl FnOnce(&[u8]) -> Result<T, RecordError>,
) -> Result<Option<T>, CheckpointError> {
    let Some(entry) = manifest.entry(instrument.id) else {
        return Ok(None);
    };
    let bytes = store.load(entry)?;
    let decoded = decode(&bytes).map_err(|source| CheckpointError::Content {
        instrument: instrument.id,
        source,
    })?;
    Ok(Some(decoded))
}

/// Does something with the newest checkpoint that can be used, or with none.
pub(crate) fn from_newest_good<T>(
    source: &dyn JournalSource,
    store: Option<&dyn CheckpointStore>,
    mut begin: impl FnMut(Option<&Manifest>) -> Result<T, RecoveryError>,
) -> Result<(Option<Manifest>, T), RecoveryError> {
    let manifests = store.map_or_else(|| Ok(Vec::new()), CheckpointStore::manifests)?;
    let newest = source.range().newest;
    for manifest in manifests {
        let position = manifest.position;
        if position > newest {
            let checkpoint = position;
            return Err(RecoveryError::AheadOfJournal { checkpoint, newest });
        }
        match begin(Some(&manifest)) {
            Ok(done) => return Ok((Some(manifest), done)),
            Err(RecoveryError::Checkpoint(error)) => {
                tracing::warn!(%position, %error, "a checkpoint is passed over for the one before");
            }
            Err(error) => return Err(error),
        }
    }
    Ok((None, begin(None)?))
}

/// Rebuilds every instrument of a partition. Nothing else runs yet: it takes two threads, of which
/// one brings the shards up to date, and the other what readers see.
pub(crate) fn recover_partition(
    source: &dyn JournalSource,
    store: Option<&dyn CheckpointStore>,
    instruments: &[Arc<Instrument>],
    limits: &ExchangeLimits,
    directory: &Directory,
    publisher: &dyn Publisher,
) -> Result<(HashMap<InstrumentId, Recovered>, RecoveryReport), RecoveryError> {
    let (manifest, recovered) = from_newest_good(source, store, |manifest| {
        let loaded = instruments.iter().map(|instrument| {
            let recovered = match (store, manifest) {
                (Some(store), Some(manifest)) => {
                    Recovered::load_at_once(store, manifest, instrument, limits, directory)?
                }
                (Some(_) | None, _) => Recovered::new(instrument, limits),
            };
            Ok((instrument.id, recovered))
        });
        let loaded: Result<HashMap<_, _>, RecoveryError> = loaded.collect();
        if loaded.is_err() {
            // The checkpoint before it holds others.
            for instrument in instruments {
                directory.release_all(instrument.id);
            }
        }
        loaded
    })?;
    for (instrument, recovered) in &recovered {
        let newest = recovered.market_data.newest_change();
        if newest != ChangeId::ZERO {
            publisher.begin_after(*instrument, newest);
        }
    }
    let after = manifest.map(|manifest| manifest.position);
    let (recovered, records_replayed) =
        follow::follow(source, after, recovered, directory, publisher)?;
    let report = RecoveryReport {
        checkpoint: after,
        records_replayed,
    };
    Ok((recovered, report))
}

/// Folds the records after a checkpoint, or all, up to those of the frame at `until` onto the
/// instruments that have any. `begin` says how such an instrument stands at the checkpoint. Says
/// too where the last payload ended that was taken in: should `until` stand in the middle of a
/// run that is still being written, that is before it; a start can't begin in a run's middle.
pub(crate) fn fold(
    source: &dyn JournalSource,
    after: Option<&Manifest>,
    until: Position,
    mut begin: impl FnMut(InstrumentId) -> Result<Option<Recovered>, RecoveryError>,
) -> Result<(Position, HashMap<InstrumentId, Replaying>), RecoveryError> {
    let mut replaying = HashMap::new();
    let after = after.map_or(Position::ZERO, |manifest| manifest.position);
    let end = for_each_record(source, after, until, |record| {
        let one = at_hand(&mut replaying, &record, &mut begin)?;
        one.take(&record)?.clear();
        Ok(())
    })?;
    Ok((end, replaying))
}

/// Rebuilds one instrument's shard while the others go on.
pub(crate) fn rebuild_shard(
    source: &dyn JournalSource,
    checkpoints: Option<&Checkpoints>,
    instrument: &Arc<Instrument>,
    limits: ShardLimits,
) -> Result<Shard, RecoveryError> {
    let _in_use = checkpoints.map(|checkpoints| checkpoints.in_use.lock());
    let store = checkpoints.map(|checkpoints| &*checkpoints.store);
    // What readers see did not panic and stays.
    let new = || Shard::new(Arc::clone(instrument), limits);
    let (manifest, shard) = from_newest_good(source, store, |manifest| match (store, manifest) {
        (Some(store), Some(manifest)) => {
            let loaded = load(store, manifest, instrument, |bytes| {
                checkpoint::decode_shard(bytes, instrument, limits)
            })?;
            Ok(loaded.unwrap_or_else(new))
        }
        (Some(_) | None, _) => Ok(new()),
    })?;
    let mut replayer = Replayer::new(shard);
    let after = manifest.map_or(Position::ZERO, |manifest| manifest.position);
    for_each_record(source, after, source.range().newest, |record| {
        if record.instrument == instrument.id {
            replay(&mut replayer, record.position(), &record)?;
        }
        Ok(())
    })?;
    Ok(replayer.finish())
}

/// An instrument that records are being applied to.
pub(crate) struct Replaying {
    shard: Replayer,
    market_data: MarketData,
    /// Reused from record to record.
    applied: Applied,
}

impl Replaying {
    fn new(recovered: Recovered) -> Self {
        Self {
            shard: Replayer::new(recovered.shard),
            market_data: recovered.market_data,
            applied: Applied::default(),
        }
    }

    fn take(&mut self, record: &Durable<Record>) -> Result<&mut Applied, RecoveryError> {
        replay(&mut self.shard, record.position(), record)?;
        self.market_data.replay(record.as_ref(), &mut self.applied);
        Ok(&mut self.applied)
    }

    pub(crate) fn finish(self) -> Recovered {
        Recovered {
            shard: self.shard.finish(),
            market_data: self.market_data,
        }
    }
}

/// The record's instrument, begun with its first record.
fn at_hand<'a>(
    replaying: &'a mut HashMap<InstrumentId, Replaying>,
    record: &Durable<Record>,
    begin: impl FnOnce(InstrumentId) -> Result<Option<Recovered>, RecoveryError>,
) -> Result<&'a mut Replaying, RecoveryError> {
    let instrument = record.instrument;
    match replaying.entry(instrument) {
        Entry::Occupied(occupied) => Ok(occupied.into_mut()),
        Entry::Vacant(vacant) => {
            let position = record.position();
            let begun = begin(instrument)?.ok_or(RecoveryError::UnknownInstrument {
                instrument,
                position,
            })?;
            Ok(vacant.insert(Replaying::new(begun)))
        }
    }
}

/// Reads the records behind the frame at `after`, up to those that end at `until` at least, or
/// where whole payloads end. Says where the last payload ended that was read.
fn for_each_record(
    source: &dyn JournalSource,
    after: Position,
    until: Position,
    mut take: impl FnMut(Durable<Record>) -> Result<(), RecoveryError>,
) -> Result<Position, RecoveryError> {
    for_each_payload(source, after, until, |records| {
        let position = records.position();
        let mut records = records.into_inner().into_iter();
        records.try_for_each(|record| take(Durable::at(position, record)))
    })
}

/// The same, payload by payload.
fn for_each_payload(
    source: &dyn JournalSource,
    after: Position,
    until: Position,
    mut take: impl FnMut(Durable<Vec<Record>>) -> Result<(), RecoveryError>,
) -> Result<Position, RecoveryError> {
    let oldest = source.range().oldest;
    if after == Position::ZERO && oldest != Position::ZERO.next() {
        return Err(RecoveryError::BeginningMissing { oldest });
    }
    let mut end = after;
    if end >= until {
        return Ok(end);
    }
    let mut reader = RecordReader::from(source, end.next())?;
    while let Some(records) = reader.read()? {
        end = records.position();
        take(records)?;
        if end >= until {
            break;
        }
    }
    Ok(end)
}

fn replay(
    replayer: &mut Replayer,
    position: Position,
    record: &Record,
) -> Result<(), RecoveryError> {
    let last = replayer.shard().sequence();
    if record.sequence != last.next() {
        return Err(RecoveryError::OutOfStep {
            position,
            last: last.get(),
            next: record.sequence.get(),
        });
    }
    replayer.apply(record);
    Ok(())
}

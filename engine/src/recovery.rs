//! Rebuilds shards and market data from the journal: by what came of each command, without
//! matching anything again.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::directory::Directory;
use crate::exchange::ExchangeLimits;
use crate::id::{InstrumentId, Sequence};
use crate::instrument::Instrument;
use crate::journal::{Durable, JournalError, JournalSource, Position};
use crate::market_data::{Applied, MarketData};
use crate::partition::reader::{ReadError, RecordReader};
use crate::publisher::Publisher;
use crate::record::Record;
use crate::shard::{Replayer, Shard, ShardLimits};

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

/// One instrument as the journal left it.
pub(crate) struct Recovered {
    pub(crate) shard: Shard,
    pub(crate) market_data: MarketData,
}

struct Replaying {
    shard: Replayer,
    market_data: MarketData,
}

/// Rebuilds every instrument of a partition.
pub(crate) fn recover_partition(
    source: &dyn JournalSource,
    instruments: impl Iterator<Item = Arc<Instrument>>,
    limits: &ExchangeLimits,
    directory: &Directory,
    publisher: &dyn Publisher,
) -> Result<HashMap<InstrumentId, Recovered>, RecoveryError> {
    let mut replaying: HashMap<InstrumentId, Replaying> = instruments
        .map(|instrument| {
            let shard = Shard::new(Arc::clone(&instrument), limits.shard);
            let market_data = MarketData::new(Arc::clone(&instrument), limits.market_data);
            (
                instrument.id,
                Replaying {
                    shard: Replayer::new(shard),
                    market_data,
                },
            )
        })
        .collect();
    let mut applied = Applied::default();
    for_each_record(source, |record| {
        let instrument = record.instrument;
        let position = record.position();
        let one = replaying
            .get_mut(&instrument)
            .ok_or(RecoveryError::UnknownInstrument {
                instrument,
                position,
            })?;
        replay(&mut one.shard, one.market_data.sequence(), &record)?;
        one.market_data.apply(record.as_ref(), &mut applied);
        directory.follow(instrument, &mut applied);
        let changes = std::mem::take(&mut applied.changes);
        publisher.publish(instrument, record.map(|_| changes));
        Ok(())
    })?;
    let recovered = replaying.into_iter().map(|(instrument, one)| {
        let Replaying { shard, market_data } = one;
        (
            instrument,
            Recovered {
                shard: shard.finish(),
                market_data,
            },
        )
    });
    Ok(recovered.collect())
}

/// Rebuilds one instrument's shard while the others go on.
pub(crate) fn rebuild_shard(
    source: &dyn JournalSource,
    instrument: &Arc<Instrument>,
    limits: ShardLimits,
) -> Result<Shard, RecoveryError> {
    let mut replayer = Replayer::new(Shard::new(Arc::clone(instrument), limits));
    let mut last = Sequence::ZERO;
    for_each_record(source, |record| {
        if record.instrument == instrument.id {
            replay(&mut replayer, last, &record)?;
            last = record.sequence;
        }
        Ok(())
    })?;
    Ok(replayer.finish())
}

fn for_each_record(
    source: &dyn JournalSource,
    mut take: impl FnMut(Durable<Record>) -> Result<(), RecoveryError>,
) -> Result<(), RecoveryError> {
    let oldest = source.range().oldest;
    if oldest != Position::ZERO.next() {
        return Err(RecoveryError::BeginningMissing { oldest });
    }
    let mut reader = RecordReader::from(source, oldest)?;
    while let Some(records) = reader.read()? {
        let position = records.position();
        for record in records.into_inner() {
            take(Durable::at(position, record))?;
        }
    }
    Ok(())
}

fn replay(
    replayer: &mut Replayer,
    last: Sequence,
    record: &Durable<Record>,
) -> Result<(), RecoveryError> {
    if record.sequence != last.next() {
        return Err(RecoveryError::OutOfStep {
            position: record.position(),
            last: last.get(),
            next: record.sequence.get(),
        });
    }
    replayer.apply(record);
    Ok(())
}

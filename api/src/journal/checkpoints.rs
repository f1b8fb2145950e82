//! The checkpoints beside a partition's log: which there are, and whether a start can use them.

use std::io::Write;
use std::path::Path;

use shardbook_engine::checkpoint::{CheckpointError, ManifestEntry, decode};
use shardbook_engine::journal::{Position, PositionRange};
use shardbook_engine::market_data::MarketDataLimits;
use shardbook_engine::partition::PartitionId;
use shardbook_engine::record::RecordError;
use shardbook_engine::recovery::RecoveryError;
use shardbook_engine::shard::ShardLimits;
use shardbook_storage::checkpoint::look;
use shardbook_storage::control_log::Contents;

use super::InspectError;

/// Writes a line for each checkpoint of a partition whose log holds `range`.
///
/// # Errors
/// When a start would be refused for them, or the machine refuses.
pub(super) fn verify(
    partition: PartitionId,
    directory: &Path,
    range: PositionRange,
    exchange: &Contents,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let check = |entry: &ManifestEntry, bytes: &[u8]| check(entry, bytes, exchange);
    let looked = look(directory, exchange.exchange.unwrap_or_default(), check)?;
    let mut usable = Vec::new();
    for checkpoint in looked {
        let partition = partition.get();
        match checkpoint.found {
            Ok(manifest) => {
                let position = manifest.position;
                writeln!(
                    out,
                    "partition {partition}: checkpoint at position {position}, whole"
                )?;
                usable.push(position);
            }
            Err(error) => writeln!(
                out,
                "partition {partition}: {} is passed over by a start: {error}",
                checkpoint.file.display()
            )?,
        }
    }
    refused(&usable, range).map_or(Ok(()), |source| {
        Err(InspectError::Unstartable { partition, source })
    })
}

/// Whether the bytes are an instrument's that the exchange has.
fn check(entry: &ManifestEntry, bytes: &[u8], exchange: &Contents) -> Result<(), CheckpointError> {
    let content = |source| CheckpointError::Content {
        instrument: entry.instrument,
        source,
    };
    let mut listings = exchange.listings.iter();
    let listing = listings.find(|listing| listing.instrument.id == entry.instrument);
    let listing = listing.ok_or_else(|| {
        content(RecordError::OutOfRange {
            field: "instrument",
        })
    })?;
    let (shard, market_data) = (ShardLimits::default(), MarketDataLimits::default());
    decode(bytes, &listing.instrument, shard, market_data)
        .map(drop)
        .map_err(content)
}

/// Why a start is refused with these checkpoints, newest first, and a log that holds `range`.
fn refused(checkpoints: &[Position], range: PositionRange) -> Option<RecoveryError> {
    let PositionRange { oldest, newest } = range;
    match checkpoints.first() {
        Some(checkpoint) if *checkpoint > newest => Some(RecoveryError::AheadOfJournal {
            checkpoint: *checkpoint,
            newest,
        }),
        None if oldest > Position::ZERO.next() => Some(RecoveryError::BeginningMissing { oldest }),
        Some(_) | None => None,
    }
}

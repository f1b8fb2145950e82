//! Opens what is durable: the data directory, the control log and the journals.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardbook_engine::checkpoint::{CheckpointError, CheckpointStore};
use shardbook_engine::instrument::{Instrument, InstrumentSpecification};
use shardbook_engine::journal::{Journal, JournalError};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::time::{Clock, Timestamp};
use shardbook_storage::checkpoint::FileCheckpoints;
use shardbook_storage::control_log::{ControlLog, Listing};
use shardbook_storage::data_dir::DataDir;
use shardbook_storage::journal::{FileJournal, JournalOptions};
use uuid::Uuid;

use super::{AppError, blocking};
use crate::settings::Settings;

/// The control log gets a record a day at most.
const CONTROL_LOG: JournalOptions = JournalOptions {
    segment_bytes: JournalOptions::SEGMENT_BYTES_MIN,
};

/// What was found on disk, brought in line with the settings.
pub(super) struct Opened {
    pub(super) data_dir: DataDir,
    pub(super) exchange: Uuid,
    pub(super) control: ControlLog,
    /// Those of the settings in their order, then those that they no longer name.
    pub(super) instruments: Vec<(Arc<Instrument>, PartitionId)>,
    pub(super) journals: Vec<Box<dyn Journal>>,
    pub(super) checkpoints: Vec<Arc<dyn CheckpointStore>>,
}

pub(super) async fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Opened, AppError> {
    let root = settings.data_dir.clone();
    let wanted = settings.instruments.clone();
    let partitions = settings.partitions;
    let options = settings.journal;
    blocking("opening the journal", move || {
        open_blocking(root, wanted, partitions, options, clock.as_ref())
    })
    .await?
}

fn open_blocking(
    root: PathBuf,
    wanted: Vec<InstrumentSpecification>,
    partitions: u32,
    options: JournalOptions,
    clock: &dyn Clock,
) -> Result<Opened, AppError> {
    let data_dir = data_dir(&root)?;
    let mut control = control_log(&data_dir, clock.now())?;
    let instruments = list(&mut control, wanted, partitions, clock.now())?;
    for (instrument, partition) in &instruments {
        if partition.get() >= partitions {
            return Err(AppError::TooFewPartitions {
                given: partitions,
                symbol: instrument.symbol.to_string(),
                partition: partition.get(),
            });
        }
    }
    let journals = (0..partitions)
        .map(|number| journal(data_dir.partition(PartitionId::new(number)), options));
    let journals = journals.collect::<Result<_, _>>()?;
    let exchange = control.exchange();
    let checkpoints = (0..partitions).map(|number| {
        let directory = data_dir.checkpoints(PartitionId::new(number));
        let store: Arc<dyn CheckpointStore> =
            Arc::new(FileCheckpoints::open(&directory, exchange)?);
        Ok::<_, CheckpointError>(store)
    });
    let checkpoints = checkpoints.collect::<Result<_, _>>()?;
    Ok(Opened {
        exchange,
        control,
        data_dir,
        instruments,
        journals,
        checkpoints,
    })
}

/// Takes the data directory. What no second try would mend is a wrong setting.
pub(super) fn data_dir(root: &Path) -> Result<DataDir, AppError> {
    DataDir::open(root).map_err(|error| {
        if let JournalError::Io { source, .. } = &error
            && is_for_good(source.kind())
        {
            let path = root.to_owned();
            return AppError::DataDir {
                path,
                source: error,
            };
        }
        AppError::Journal(error)
    })
}

const fn is_for_good(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
    )
}

pub(super) fn control_log(data_dir: &DataDir, now: Timestamp) -> Result<ControlLog, AppError> {
    let control = journal(data_dir.control(), CONTROL_LOG)?;
    Ok(ControlLog::open(control, now)?)
}

/// Lists what the settings name. A new instrument goes to the partitions in turn.
fn list(
    control: &mut ControlLog,
    wanted: Vec<InstrumentSpecification>,
    partitions: u32,
    now: Timestamp,
) -> Result<Vec<(Arc<Instrument>, PartitionId)>, AppError> {
    let mut listings: Vec<Listing> = Vec::with_capacity(wanted.len());
    for specification in wanted {
        listings.push(control.list(specification, partitions, now)?);
    }
    for listing in control.listings() {
        if !listings
            .iter()
            .any(|known| known.instrument.id == listing.instrument.id)
        {
            let symbol = &listing.instrument.symbol;
            // Added while the exchange ran, or taken out of the settings.
            tracing::info!(%symbol, "the settings do not name this instrument; it stays");
            listings.push(listing.clone());
        }
    }
    Ok(listings
        .into_iter()
        .map(|listing| (listing.instrument, listing.partition))
        .collect())
}

fn journal(directory: PathBuf, options: JournalOptions) -> Result<Box<dyn Journal>, JournalError> {
    let (journal, report) = FileJournal::open(&directory, options)?;
    let (oldest, newest) = (report.range.oldest, report.range.newest);
    tracing::info!(directory = %directory.display(), %oldest, %newest, "journal opened");
    if let Some(tail) = report.torn_tail {
        tracing::warn!(
            file = %tail.file.display(),
            offset = tail.offset,
            bytes = tail.bytes,
            "cut a torn tail off: a write that did not end before the process did, and that nobody \
             was told of"
        );
    }
    Ok(Box::new(journal))
}

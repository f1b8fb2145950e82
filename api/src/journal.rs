//! `shardbook journal`: looks at a data directory's logs, and changes nothing.

mod checkpoints;
mod line;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardbook_engine::checkpoint::CheckpointError;
use shardbook_engine::id::InstrumentId;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::{JournalError, Position};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::partition::reader::{ReadError, RecordReader};
use shardbook_engine::record::Record;
use shardbook_engine::recovery::RecoveryError;
use shardbook_storage::control_log::{Contents, ControlLogError};
use shardbook_storage::data_dir::DataDir;
use shardbook_storage::journal::{OpenReport, ReadOnly, read_only};
use thiserror::Error;

use self::line::{ControlLine, RecordLine};

/// Why a data directory's logs can't be shown, or are not what was written.
#[derive(Debug, Error)]
pub enum InspectError {
    /// There is nothing to look at.
    #[error("data directory {}: {what}; name the one that `serve` was given", root.display())]
    NoData {
        /// As given.
        root: PathBuf,
        /// What is not there.
        what: &'static str,
    },
    /// A log's files, or the directory.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The control log's content.
    #[error(transparent)]
    ControlLog(#[from] ControlLogError),
    /// A partition's records can't be read.
    #[error("partition {}, {source}", partition.get())]
    Record {
        /// Which.
        partition: PartitionId,
        /// Where and why.
        source: ReadError,
    },
    /// A partition's record is of an instrument that the control log does not name.
    #[error(
        "partition {}, position {position}: a record of instrument {}, which the control log does \
         not name",
        partition.get(), instrument.get()
    )]
    UnknownInstrument {
        /// Which.
        partition: PartitionId,
        /// The frame.
        position: Position,
        /// Whose.
        instrument: InstrumentId,
    },
    /// A partition's checkpoints, as far as the machine lets them be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A partition's log and checkpoints are whole, and still a start is refused.
    #[error("partition {}: {source}", partition.get())]
    Unstartable {
        /// Which.
        partition: PartitionId,
        /// Why.
        source: RecoveryError,
    },
    /// What was found can't be written down.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// What a verification came to.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// All logs are whole.
    Whole,
    /// Some are not; each with its reason, in the order of the logs.
    Damaged(Vec<InspectError>),
}

/// Walks every log in the data directory at `root` and writes what each holds to `out`, a line
/// each, and a line for each checkpoint beside it. Damage to one log keeps no other from being
/// looked at; a checkpoint that can't be used is told, and is no damage as long as a start can do
/// without it.
///
/// # Errors
/// When there is nothing to look at, a server holds the directory, or the machine refuses.
pub fn verify(root: &Path, out: &mut dyn Write) -> Result<Verdict, InspectError> {
    let data_dir = open(root)?;
    let mut damage = Vec::new();
    let mut exchange = None;
    match control(&data_dir) {
        Ok((log, contents)) => {
            write_log(out, "control log", &log.report, contents.records.len())?;
            exchange = Some(contents);
        }
        Err(error) => note(&mut damage, error)?,
    }
    for id in data_dir.partitions()? {
        match count_records(&data_dir, id) {
            Ok((report, records)) => {
                write_log(out, &format!("partition {}", id.get()), &report, records)?;
                if let Some(exchange) = &exchange {
                    let directory = data_dir.checkpoints(id);
                    checkpoints::verify(id, &directory, report.range, exchange, out)
                        .or_else(|error| note(&mut damage, error))?;
                }
            }
            Err(error) => note(&mut damage, error)?,
        }
    }
    out.flush()?;
    Ok(if damage.is_empty() {
        Verdict::Whole
    } else {
        Verdict::Damaged(damage)
    })
}

/// Writes every record of the data directory at `root` to `out`, one JSON object a line: those
/// of the control log, then each partition's in their order.
///
/// # Errors
/// When there is nothing to show, a server holds the directory, a log is damaged (what stands
/// before it in other logs is written), or the machine refuses.
pub fn dump(root: &Path, out: &mut dyn Write) -> Result<(), InspectError> {
    let data_dir = open(root)?;
    let (_, contents) = control(&data_dir)?;
    for (position, record) in &contents.records {
        write_line(out, &ControlLine::of(*position, record))?;
    }
    let instruments: Vec<Arc<Instrument>> = contents
        .listings
        .into_iter()
        .map(|listing| listing.instrument)
        .collect();
    for id in data_dir.partitions()? {
        dump_partition(&data_dir, id, &instruments, out)?;
    }
    out.flush()?;
    Ok(())
}

impl InspectError {
    /// Whether it tells of a log that is not what was written, and not of a machine, a directory
    /// or an output.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error)
            | Self::ControlLog(ControlLogError::Journal(error))
            | Self::Record {
                source: ReadError::Journal(error),
                ..
            } => matches!(
                error,
                JournalError::Damaged { .. } | JournalError::OutOfRange { .. }
            ),
            Self::ControlLog(
                ControlLogError::Record { .. }
                | ControlLogError::OutOfStep { .. }
                | ControlLogError::Contradiction { .. }
                | ControlLogError::InstrumentExists { .. }
                | ControlLogError::BinanceSymbolTaken { .. }
                | ControlLogError::KeyExists { .. },
            )
            | Self::Record {
                source: ReadError::Record { .. },
                ..
            }
            | Self::UnknownInstrument { .. }
            | Self::Unstartable { .. } => true,
            Self::NoData { .. } | Self::Checkpoint(_) | Self::Output(_) => false,
        }
    }
}

fn open(root: &Path) -> Result<DataDir, InspectError> {
    let no_data = |what| InspectError::NoData {
        root: root.to_owned(),
        what,
    };
    if !root.is_dir() {
        return Err(no_data("there is no such directory"));
    }
    let data_dir = DataDir::open_to_read(root)?;
    if data_dir.control().is_dir() {
        Ok(data_dir)
    } else {
        Err(no_data("it holds no exchange"))
    }
}

fn control(data_dir: &DataDir) -> Result<(ReadOnly, Contents), InspectError> {
    let log = read_only(&data_dir.control())?;
    let contents = Contents::read(&*log.source)?;
    Ok((log, contents))
}

/// Reads a partition to its end: its frames, and the records in them.
fn count_records(data_dir: &DataDir, id: PartitionId) -> Result<(OpenReport, usize), InspectError> {
    let log = read_only(&data_dir.partition(id))?;
    let mut reader = RecordReader::from(&*log.source, log.report.range.oldest)?;
    let mut count = 0;
    while let Some(records) = read(&mut reader, id)? {
        let (_, records) = records;
        count += records.len();
    }
    Ok((log.report, count))
}

fn read(
    reader: &mut RecordReader,
    partition: PartitionId,
) -> Result<Option<(Position, Vec<Record>)>, InspectError> {
    let records = reader
        .read()
        .map_err(|source| InspectError::Record { partition, source })?;
    Ok(records.map(|records| (records.position(), records.into_inner())))
}

fn dump_partition(
    data_dir: &DataDir,
    partition: PartitionId,
    instruments: &[Arc<Instrument>],
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let log = read_only(&data_dir.partition(partition))?;
    let mut reader = RecordReader::from(&*log.source, log.report.range.oldest)?;
    while let Some((position, records)) = read(&mut reader, partition)? {
        for record in records {
            let instrument = instruments
                .iter()
                .find(|instrument| instrument.id == record.instrument)
                .ok_or(InspectError::UnknownInstrument {
                    partition,
                    position,
                    instrument: record.instrument,
                })?;
            write_line(
                out,
                &RecordLine::of(partition, position, &record, instrument),
            )?;
        }
    }
    Ok(())
}

/// Keeps what is damage and passes on what is not.
fn note(damage: &mut Vec<InspectError>, error: InspectError) -> Result<(), InspectError> {
    if !error.is_damage() {
        return Err(error);
    }
    damage.push(error);
    Ok(())
}

fn write_log(
    out: &mut dyn Write,
    name: &str,
    report: &OpenReport,
    records: usize,
) -> io::Result<()> {
    let (oldest, newest) = (report.range.oldest, report.range.newest);
    if newest < oldest {
        write!(out, "{name}: empty, the next position is {oldest}")?;
    } else {
        write!(
            out,
            "{name}: positions {oldest} to {newest}, {records} records"
        )?;
    }
    if let Some(tail) = &report.torn_tail {
        write!(
            out,
            "; torn tail of {} bytes at byte {} of {}, which nobody was told of: the next start \
             cuts it off",
            tail.bytes,
            tail.offset,
            tail.file.display()
        )?;
    }
    writeln!(out)
}

fn write_line(out: &mut dyn Write, line: &impl serde::Serialize) -> Result<(), InspectError> {
    serde_json::to_writer(&mut *out, line).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

//! One journaled command and what came of it, and its bytes.
//!
//! A payload of the journal is one byte that names the format's version, then records one after
//! another, each with its length before it. What a version's bytes mean never changes: a new
//! meaning is a new version beside the old one, so that an old journal can always be read.

mod v1;
pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::command::Command;
use crate::event::Event;
use crate::id::{IdError, InstrumentId, Sequence, TradeNumber};
use crate::time::Timestamp;

/// What the journal keeps of one accepted command: enough to rebuild every state from the one
/// before without matching again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose book.
    pub instrument: InstrumentId,
    /// The instrument's count of records, from 1 without a gap.
    pub sequence: Sequence,
    /// When the command was decided.
    pub timestamp: Timestamp,
    /// The number of the record's first trade; the next trade's if it has none.
    pub first_trade: TradeNumber,
    /// What was asked.
    pub command: Command,
    /// What came of it, in order.
    pub events: Vec<Event>,
}

impl Record {
    /// The record, by reference.
    #[must_use]
    pub fn parts(&self) -> RecordParts<'_> {
        RecordParts {
            instrument: self.instrument,
            sequence: self.sequence,
            timestamp: self.timestamp,
            first_trade: self.first_trade,
            command: &self.command,
            events: &self.events,
        }
    }
}

/// A [`Record`] whose parts are still where they were made, to be written without a copy.
#[derive(Clone, Copy, Debug)]
pub struct RecordParts<'a> {
    /// Whose book.
    pub instrument: InstrumentId,
    /// The instrument's count of records.
    pub sequence: Sequence,
    /// When the command was decided.
    pub timestamp: Timestamp,
    /// The number of the record's first trade; the next trade's if it has none.
    pub first_trade: TradeNumber,
    /// What was asked.
    pub command: &'a Command,
    /// What came of it.
    pub events: &'a [Event],
}

impl RecordParts<'_> {
    /// Appends the record to a payload begun by [`begin_payload`].
    ///
    /// # Panics
    /// When an event speaks of an order placed after the record itself, or of a mirrored order
    /// added later: a bug of the shard.
    pub fn encode(&self, payload: &mut Vec<u8>) {
        v1::encode(self, payload);
    }
}

/// Begins a payload: the one byte that says how to read what follows.
pub fn begin_payload(payload: &mut Vec<u8>) {
    payload.push(v1::VERSION);
}

/// The records of a payload, in the order they were appended.
///
/// # Errors
/// When the bytes are not what [`begin_payload`] and [`RecordParts::encode`] write.
pub fn decode_payload(payload: &[u8]) -> Result<Vec<Record>, RecordError> {
    wire::decode_payload(payload, v1::VERSION, v1::decode)
}

/// Why bytes are no record. The journal's checksums hold by then, so this is a foreign version
/// or a bug.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A version this program does not know.
    #[error("format version {version} is unknown; this program reads version {known}")]
    UnknownVersion {
        /// What the payload says.
        version: u8,
        /// The newest version this program reads.
        known: u8,
    },
    /// The bytes end before the record does.
    #[error("the payload ends within a record")]
    Truncated,
    /// A record's length does not agree with what it holds.
    #[error("a record is {surplus} bytes longer than what it holds")]
    Surplus {
        /// Bytes left over.
        surplus: usize,
    },
    /// The bytes do not follow the format.
    #[error("the bytes are no record: {0}")]
    Malformed(postcard::Error),
    /// A text that is no id.
    #[error("{field}: {source}")]
    Id {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        source: IdError,
    },
    /// A number outside what its field may hold.
    #[error("{field} is out of range")]
    OutOfRange {
        /// Which field.
        field: &'static str,
    },
}

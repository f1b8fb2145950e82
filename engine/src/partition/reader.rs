//! Reads a partition's records back, for recovery and for the projector.

use thiserror::Error;

use crate::journal::{Durable, JournalError, JournalReader, JournalSource, Part, Position};
use crate::record::{Record, RecordError, decode_payload};

/// Why records could not be read back.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The journal itself.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A frame whose checksum holds but whose records can't be read: written by a newer version,
    /// or by a fault.
    #[error("the records that end at position {position} can't be read: {source}")]
    Record {
        /// The payload's last frame.
        position: Position,
        /// What is wrong with it.
        source: RecordError,
    },
}

/// Reads records in the order they were written.
pub struct RecordReader {
    frames: Box<dyn JournalReader>,
    /// What earlier frames of an unfinished run held.
    run: Vec<u8>,
}

impl RecordReader {
    /// A reader that begins with the payload whose first frame is at `position`.
    ///
    /// # Errors
    /// When the journal does not hold it.
    pub fn from(source: &dyn JournalSource, position: Position) -> Result<Self, JournalError> {
        Ok(Self {
            frames: source.read_from(position)?,
            run: Vec::new(),
        })
    }

    /// The records of the next payload, or `None` where the flushed ones end for now.
    ///
    /// # Errors
    /// When the journal can't be read or what it holds is no payload.
    pub fn read(&mut self) -> Result<Option<Durable<Vec<Record>>>, ReadError> {
        while let Some(frame) = self.frames.read()? {
            if self.run.is_empty() {
                self.run = frame.payload;
            } else {
                self.run.extend_from_slice(&frame.payload);
            }
            match frame.part {
                Part::MoreFollows => {}
                Part::Last => {
                    let payload = std::mem::take(&mut self.run);
                    let position = frame.position;
                    let records = decode_payload(&payload)
                        .map_err(|source| ReadError::Record { position, source })?;
                    return Ok(Some(Durable::at(position, records)));
                }
            }
        }
        Ok(None)
    }
}

//! The control log: who the exchange is, which instruments it has ever had, and who holds a key.
//!
//! Read before any shard starts, written rarely, never trimmed. An instrument's number is its
//! place among the instruments listed, so that every record of every partition keeps its meaning
//! for good; its tick, lot and partition can't change once it exists, because prices,
//! quantities and the place of its records are counted in them.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rust_decimal::Decimal;
use shardbook_engine::access::{AccessKey, KeyId};
use shardbook_engine::control::{ControlRecord, begin_payload, decode_payload};
use shardbook_engine::id::InstrumentId;
use shardbook_engine::instrument::{Instrument, InstrumentSpecification};
use shardbook_engine::journal::{
    Journal, JournalError, JournalReader, JournalSource, Part, Position,
};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::record::RecordError;
use shardbook_engine::time::Timestamp;
use thiserror::Error;
use uuid::Uuid;

/// Why the control log can't be used, or an instrument not be listed.
#[derive(Debug, Error)]
pub enum ControlLogError {
    /// The journal it stands in.
    #[error("control log: {0}")]
    Journal(#[from] JournalError),
    /// Its frames are whole, but their content can't be read.
    #[error("control log, position {position}: {source}")]
    Record {
        /// Which frame.
        position: Position,
        /// What is wrong with it.
        source: RecordError,
    },
    /// Its records contradict one another.
    #[error("control log, position {position}: {what}")]
    OutOfStep {
        /// Which frame.
        position: Position,
        /// What does not fit.
        what: String,
    },
    /// An instrument is asked for with another tick or lot than it has had.
    #[error(
        "instrument {symbol} has {field} {listed} since it was first listed, not {given}; give it another symbol, or keep its {field}"
    )]
    Contradiction {
        /// Which instrument.
        symbol: String,
        /// `tick_size` or `lot_size`.
        field: &'static str,
        /// What it is.
        listed: Decimal,
        /// What was asked for.
        given: Decimal,
    },
    /// A new instrument has the name of another.
    #[error("there is an instrument {symbol} already")]
    InstrumentExists {
        /// Which.
        symbol: String,
    },
    /// A new instrument has the Binance symbol of another.
    #[error("{symbol} has the Binance symbol {binance_symbol} already")]
    BinanceSymbolTaken {
        /// The other.
        symbol: String,
        /// What both would have.
        binance_symbol: String,
    },
    /// A new key has the id of another.
    #[error("there is a key {key} already")]
    KeyExists {
        /// Which.
        key: KeyId,
    },
}

/// An instrument and the partition that holds its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The instrument.
    pub instrument: Arc<Instrument>,
    /// Its partition, for good.
    pub partition: PartitionId,
}

/// The open control log.
pub struct ControlLog {
    journal: Box<dyn Journal>,
    exchange: Uuid,
    listings: Vec<Listing>,
    keys: Vec<AccessKey>,
}

impl ControlLog {
    /// Reads the log; an empty one becomes a new exchange's.
    ///
    /// # Errors
    /// When the journal can't be read or written, or does not hold a control log.
    pub fn open(mut journal: Box<dyn Journal>, now: Timestamp) -> Result<Self, ControlLogError> {
        let Contents {
            exchange,
            listings,
            keys,
            ..
        } = Contents::read(&*journal.source())?;
        let exchange = match exchange {
            Some(exchange) => exchange,
            None => create(&mut *journal, now)?,
        };
        Ok(Self {
            journal,
            exchange,
            listings,
            keys,
        })
    }

    /// What tells this exchange's journal and database from any other's.
    #[must_use]
    pub const fn exchange(&self) -> Uuid {
        self.exchange
    }

    /// Every instrument ever listed, in the order of their numbers.
    #[must_use]
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// Every key that is not revoked, in the order in which they were made.
    #[must_use]
    pub fn keys(&self) -> &[AccessKey] {
        &self.keys
    }

    /// Makes a key, durably.
    ///
    /// # Errors
    /// When another key has its id, or the journal can't be written or has no room.
    pub fn create_key(&mut self, key: AccessKey) -> Result<(), ControlLogError> {
        if self.keys.iter().any(|known| known.id == key.id) {
            return Err(ControlLogError::KeyExists { key: key.id });
        }
        self.journal.secure_room()?;
        append(&mut *self.journal, &ControlRecord::KeyCreated(key.clone()))?;
        self.keys.push(key);
        Ok(())
    }

    /// Revokes a key, durably, and returns it; `None` if there is no such key.
    ///
    /// # Errors
    /// When the journal can't be written or has no room.
    pub fn revoke_key(
        &mut self,
        key: KeyId,
        now: Timestamp,
    ) -> Result<Option<AccessKey>, ControlLogError> {
        let Some(at) = self.keys.iter().position(|known| known.id == key) else {
            return Ok(None);
        };
        self.journal.secure_room()?;
        let record = ControlRecord::KeyRevoked {
            key,
            revoked_at: now,
        };
        append(&mut *self.journal, &record)?;
        Ok(Some(self.keys.remove(at)))
    }

    /// Lists an instrument that is new, durably, while the exchange runs. It goes to one of
    /// `partitions`, in turn, for good.
    ///
    /// # Errors
    /// When there is one of its name or Binance symbol, or the journal can't be written or has no room.
    pub fn add(
        &mut self,
        specification: InstrumentSpecification,
        partitions: u32,
        now: Timestamp,
    ) -> Result<Listing, ControlLogError> {
        let has_its_symbol = |known: &Instrument| known.symbol == specification.symbol;
        if let Some(known) = self.find(has_its_symbol) {
            let symbol = known.symbol.to_string();
            return Err(ControlLogError::InstrumentExists { symbol });
        }
        if let Some(binance_symbol) = &specification.binance_symbol
            && let Some(other) =
                self.find(|instrument| instrument.binance_symbol.as_ref() == Some(binance_symbol))
        {
            return Err(ControlLogError::BinanceSymbolTaken {
                symbol: other.symbol.to_string(),
                binance_symbol: binance_symbol.clone(),
            });
        }
        self.journal.secure_room()?;
        self.list(specification, partitions, now)
    }

    fn find(&self, is_it: impl Fn(&Instrument) -> bool) -> Option<&Instrument> {
        let mut instruments = self.listings.iter().map(|listing| &*listing.instrument);
        instruments.find(|instrument| is_it(instrument))
    }

    /// Lists an instrument, durably, if it is new; else takes on its rules, which may change,
    /// as far as tick and lot stay what they were. A new one goes to one of `partitions`, in
    /// turn, for good.
    ///
    /// # Errors
    /// When it contradicts what is listed, or the journal can't be written.
    pub fn list(
        &mut self,
        specification: InstrumentSpecification,
        partitions: u32,
        now: Timestamp,
    ) -> Result<Listing, ControlLogError> {
        let known = self
            .listings
            .iter_mut()
            .find(|listing| listing.instrument.symbol == specification.symbol);
        if let Some(listing) = known {
            check(listing, &specification)?;
            let Instrument { id, listed_at, .. } = *listing.instrument;
            listing.instrument = Arc::new(specification.numbered(id, listed_at));
            return Ok(listing.clone());
        }
        let number = u32::try_from(self.listings.len()).unwrap_or(u32::MAX);
        let instrument = specification.numbered(InstrumentId::new(number), now);
        let partition = PartitionId::new(number % partitions.max(1));
        let record = ControlRecord::InstrumentListed {
            instrument: instrument.clone(),
            partition: partition.get(),
        };
        append(&mut *self.journal, &record)?;
        let listing = Listing {
            instrument: Arc::new(instrument),
            partition,
        };
        self.listings.push(listing.clone());
        Ok(listing)
    }
}

/// What a control log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Every record, with the position of its frame.
    pub records: Vec<(Position, ControlRecord)>,
    /// What tells this exchange from any other; `None` in a log that was never written.
    pub exchange: Option<Uuid>,
    /// Every instrument ever listed, in the order of their numbers.
    pub listings: Vec<Listing>,
    /// Every key that is not revoked, in the order in which they were made.
    pub keys: Vec<AccessKey>,
}

impl Contents {
    /// Reads a control log and changes nothing.
    ///
    /// # Errors
    /// When the journal can't be read or does not hold a control log.
    pub fn read(source: &dyn JournalSource) -> Result<Self, ControlLogError> {
        let mut contents = Self::default();
        let mut frames = source.read_from(source.range().oldest)?;
        while let Some((position, records)) = read(&mut *frames)? {
            for record in records {
                contents.records.push((position, record.clone()));
                contents
                    .take(record)
                    .map_err(|what| ControlLogError::OutOfStep { position, what })?;
            }
        }
        Ok(contents)
    }

    fn take(&mut self, record: ControlRecord) -> Result<(), String> {
        match record {
            ControlRecord::ExchangeCreated {
                exchange: created, ..
            } => {
                if let Some(earlier) = self.exchange.replace(created) {
                    return Err(format!("a second exchange, {created}, after {earlier}"));
                }
            }
            ControlRecord::InstrumentListed {
                instrument,
                partition,
                ..
            } => self.list(instrument, partition)?,
            ControlRecord::KeyCreated(key) => {
                if self.keys.iter().any(|known| known.id == key.id) {
                    return Err(format!("a second key {}", key.id));
                }
                self.keys.push(key);
            }
            ControlRecord::KeyRevoked { key, .. } => {
                let at = self.keys.iter().position(|known| known.id == key);
                let at = at.ok_or_else(|| format!("key {key} is revoked and was never made"))?;
                self.keys.remove(at);
            }
        }
        Ok(())
    }

    fn list(&mut self, instrument: Instrument, partition: u32) -> Result<(), String> {
        if self.exchange.is_none() {
            return Err(format!(
                "{} is listed before there is an exchange",
                instrument.symbol
            ));
        }
        if usize::try_from(instrument.id.get()) != Ok(self.listings.len()) {
            return Err(format!(
                "{} has number {}, but is the {}. instrument, counted from 0",
                instrument.symbol,
                instrument.id.get(),
                self.listings.len()
            ));
        }
        self.listings.push(Listing {
            instrument: Arc::new(instrument),
            partition: PartitionId::new(partition),
        });
        Ok(())
    }
}

fn read(
    frames: &mut dyn JournalReader,
) -> Result<Option<(Position, Vec<ControlRecord>)>, ControlLogError> {
    let Some(frame) = frames.read()? else {
        return Ok(None);
    };
    let position = frame.position;
    let records = decode_payload(&frame.payload)
        .map_err(|source| ControlLogError::Record { position, source })?;
    Ok(Some((position, records)))
}

fn create(journal: &mut dyn Journal, now: Timestamp) -> Result<Uuid, ControlLogError> {
    let exchange = Uuid::new_v4();
    append(
        journal,
        &ControlRecord::ExchangeCreated {
            exchange,
            created_at: now,
        },
    )?;
    Ok(exchange)
}

fn append(journal: &mut dyn Journal, record: &ControlRecord) -> Result<(), ControlLogError> {
    let mut payload = Vec::new();
    begin_payload(&mut payload);
    record.encode(&mut payload);
    journal.append(Part::Last, &payload)?;
    Ok(())
}

fn check(
    listing: &Listing,
    specification: &InstrumentSpecification,
) -> Result<(), ControlLogError> {
    let listed = &listing.instrument;
    let increments = [
        ("tick_size", listed.tick, specification.tick),
        ("lot_size", listed.lot, specification.lot),
    ];
    for (field, listed, given) in increments {
        if listed != given {
            return Err(ControlLogError::Contradiction {
                symbol: specification.symbol.to_string(),
                field,
                listed: listed.step(),
                given: given.step(),
            });
        }
    }
    Ok(())
}

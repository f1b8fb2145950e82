//! The control log's records, and their bytes: what the exchange is and what trades on it.
//!
//! The log is read before any shard starts and is never trimmed. Its first record names the
//! exchange; every instrument follows when it is first seen, and is never taken back; so do the
//! keys as they are made and revoked. Payloads are built as a partition's are (see
//! [`crate::record`]), with a version of their own.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{AccessKey, Holder, KeyId, SecretHash};
use crate::id::{ClientId, InstrumentId, Symbol};
use crate::instrument::{Increment, Instrument, PriceBand};
use crate::quantity::{Notional, Quantity};
use crate::record::{RecordError, wire};
use crate::time::Timestamp;

const VERSION: u8 = 1;

/// One entry of the control log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRecord {
    /// The exchange came to be; always the first record.
    ExchangeCreated {
        /// Tells this exchange's journal and database from any other's.
        exchange: Uuid,
        /// When.
        created_at: Timestamp,
    },
    /// An instrument was seen for the first time.
    InstrumentListed {
        /// With its number, its rules, and when.
        instrument: Instrument,
        /// The partition that holds it for good, counted from 0.
        partition: u32,
    },
    /// A key was made.
    KeyCreated(AccessKey),
    /// A key is no longer one.
    KeyRevoked {
        /// Which.
        key: KeyId,
        /// When.
        revoked_at: Timestamp,
    },
}

impl ControlRecord {
    /// Appends the record to a payload begun by [`begin_payload`].
    pub fn encode(&self, payload: &mut Vec<u8>) {
        wire::append(&WireRecord::of(self), payload);
    }
}

/// Begins a payload: the one byte that says how to read what follows.
pub fn begin_payload(payload: &mut Vec<u8>) {
    payload.push(VERSION);
}

/// The records of a payload, in the order they were appended.
///
/// # Errors
/// When the bytes are not what [`begin_payload`] and [`ControlRecord::encode`] write.
pub fn decode_payload(payload: &[u8]) -> Result<Vec<ControlRecord>, RecordError> {
    wire::decode_payload(payload, VERSION, |bytes| {
        wire::parse::<WireRecord>(bytes)?.into_record()
    })
}

/// Version 1 of the bytes. New variants are added at the end.
#[derive(Serialize, Deserialize)]
enum WireRecord<'a> {
    ExchangeCreated {
        exchange: [u8; 16],
        created_at: u64,
    },
    #[serde(borrow)]
    InstrumentListed(WireInstrument<'a>),
    #[serde(borrow)]
    KeyCreated(WireKey<'a>),
    KeyRevoked {
        key: u64,
        revoked_at: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct WireKey<'a> {
    id: u64,
    secret_hash: [u8; 32],
    #[serde(borrow)]
    holder: WireHolder<'a>,
    requests_per_second: Option<u32>,
    created_at: u64,
}

#[derive(Serialize, Deserialize)]
enum WireHolder<'a> {
    Reader(&'a str),
    Trader(&'a str),
    Admin(#[serde(borrow)] Option<&'a str>),
}

#[derive(Serialize, Deserialize)]
struct WireInstrument<'a> {
    id: u32,
    symbol: &'a str,
    tick: WireIncrement,
    lot: WireIncrement,
    min_quantity: u64,
    max_quantity: u64,
    min_notional: Option<u128>,
    price_band_basis_points: Option<u64>,
    #[serde(borrow)]
    binance_symbol: Option<&'a str>,
    partition: u32,
    created_at: u64,
}

#[derive(Serialize, Deserialize)]
struct WireIncrement {
    mantissa: u64,
    scale: u32,
}

impl<'a> WireRecord<'a> {
    fn of(record: &'a ControlRecord) -> Self {
        match record {
            ControlRecord::ExchangeCreated {
                exchange,
                created_at,
            } => Self::ExchangeCreated {
                exchange: *exchange.as_bytes(),
                created_at: created_at.microseconds(),
            },
            ControlRecord::InstrumentListed {
                instrument,
                partition,
            } => Self::InstrumentListed(WireInstrument {
                id: instrument.id.get(),
                symbol: instrument.symbol.as_str(),
                tick: WireIncrement::of(instrument.tick),
                lot: WireIncrement::of(instrument.lot),
                min_quantity: instrument.min_quantity.lots(),
                max_quantity: instrument.max_quantity.lots(),
                min_notional: instrument.min_notional.map(Notional::ticks_times_lots),
                price_band_basis_points: instrument.price_band.map(PriceBand::basis_points),
                binance_symbol: instrument.binance_symbol.as_deref(),
                partition: *partition,
                created_at: instrument.listed_at.microseconds(),
            }),
            ControlRecord::KeyCreated(key) => Self::KeyCreated(WireKey::of(key)),
            ControlRecord::KeyRevoked { key, revoked_at } => Self::KeyRevoked {
                key: key.get(),
                revoked_at: revoked_at.microseconds(),
            },
        }
    }

    fn into_record(self) -> Result<ControlRecord, RecordError> {
        match self {
            Self::ExchangeCreated {
                exchange,
                created_at,
            } => Ok(ControlRecord::ExchangeCreated {
                exchange: Uuid::from_bytes(exchange),
                created_at: Timestamp::from_microseconds(created_at),
            }),
            Self::InstrumentListed(listed) => Ok(ControlRecord::InstrumentListed {
                partition: listed.partition,
                instrument: listed.into_instrument()?,
            }),
            Self::KeyCreated(key) => key.into_key().map(ControlRecord::KeyCreated),
            Self::KeyRevoked { key, revoked_at } => Ok(ControlRecord::KeyRevoked {
                key: KeyId::new(key),
                revoked_at: Timestamp::from_microseconds(revoked_at),
            }),
        }
    }
}

impl WireInstrument<'_> {
    fn into_instrument(self) -> Result<Instrument, RecordError> {
        let price_band = self.price_band_basis_points.map(|basis_points| {
            PriceBand::from_basis_points(basis_points).ok_or(out_of_range("price_band"))
        });
        Ok(Instrument {
            id: InstrumentId::new(self.id),
            symbol: Symbol::new(self.symbol).map_err(|source| RecordError::Id {
                field: "symbol",
                source,
            })?,
            tick: self.tick.into_increment("tick")?,
            lot: self.lot.into_increment("lot")?,
            min_quantity: Quantity::new(self.min_quantity).ok_or(out_of_range("min_quantity"))?,
            max_quantity: Quantity::new(self.max_quantity).ok_or(out_of_range("max_quantity"))?,
            min_notional: self.min_notional.map(Notional::new),
            price_band: price_band.transpose()?,
            binance_symbol: self.binance_symbol.map(str::to_owned),
            listed_at: Timestamp::from_microseconds(self.created_at),
        })
    }
}

impl<'a> WireKey<'a> {
    fn of(key: &'a AccessKey) -> Self {
        Self {
            id: key.id.get(),
            secret_hash: *key.secret_hash.as_bytes(),
            holder: WireHolder::of(&key.holder),
            requests_per_second: key.requests_per_second.map(NonZeroU32::get),
            created_at: key.created_at.microseconds(),
        }
    }

    fn into_key(self) -> Result<AccessKey, RecordError> {
        let requests_per_second = self
            .requests_per_second
            .map(|requests| NonZeroU32::new(requests).ok_or(out_of_range("requests_per_second")));
        Ok(AccessKey {
            id: KeyId::new(self.id),
            secret_hash: SecretHash::new(self.secret_hash),
            holder: self.holder.into_holder()?,
            requests_per_second: requests_per_second.transpose()?,
            created_at: Timestamp::from_microseconds(self.created_at),
        })
    }
}

impl<'a> WireHolder<'a> {
    fn of(holder: &'a Holder) -> Self {
        match holder {
            Holder::Reader(client) => Self::Reader(client.as_str()),
            Holder::Trader(client) => Self::Trader(client.as_str()),
            Holder::Admin(client) => Self::Admin(client.as_ref().map(ClientId::as_str)),
        }
    }

    fn into_holder(self) -> Result<Holder, RecordError> {
        let client = |text| {
            ClientId::new(text).map_err(|source| RecordError::Id {
                field: "client",
                source,
            })
        };
        Ok(match self {
            Self::Reader(text) => Holder::Reader(client(text)?),
            Self::Trader(text) => Holder::Trader(client(text)?),
            Self::Admin(text) => Holder::Admin(text.map(client).transpose()?),
        })
    }
}

impl WireIncrement {
    const fn of(increment: Increment) -> Self {
        Self {
            mantissa: increment.mantissa(),
            scale: increment.scale(),
        }
    }

    fn into_increment(self, field: &'static str) -> Result<Increment, RecordError> {
        let step = Decimal::try_from_i128_with_scale(i128::from(self.mantissa), self.scale)
            .map_err(|_| out_of_range(field))?;
        Increment::new(step).map_err(|_| out_of_range(field))
    }
}

const fn out_of_range(field: &'static str) -> RecordError {
    RecordError::OutOfRange { field }
}

//! A record of the control log.

use std::num::NonZeroU32;

use serde::Serialize;
use uuid::Uuid;

use shardbook_engine::access::{AccessKey, Role};
use shardbook_engine::control::ControlRecord;
use shardbook_engine::id::ClientId;
use shardbook_engine::instrument::{Instrument, PriceBand};
use shardbook_engine::journal::Position;

use crate::decimal::{DecimalText, TimestampText};
use crate::schema::word::Word;

/// A band is counted in hundredths of a percent.
const PERCENT_SCALE: u32 = 2;

/// A record of the control log.
#[derive(Serialize)]
pub(in crate::journal) struct ControlLine<'a> {
    log: &'static str,
    position: u64,
    timestamp: TimestampText,
    #[serde(flatten)]
    entry: ControlEntry<'a>,
}

#[derive(Serialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, made and written at once"
)]
enum ControlEntry<'a> {
    ExchangeCreated {
        exchange: Uuid,
    },
    InstrumentListed {
        instrument: &'a str,
        number: u32,
        partition: u32,
        tick_size: DecimalText,
        lot_size: DecimalText,
        min_quantity: DecimalText,
        max_quantity: DecimalText,
        min_notional: Option<DecimalText>,
        price_band: Option<DecimalText>,
        binance_symbol: Option<&'a str>,
    },
    KeyCreated {
        key_id: String,
        role: Word<Role>,
        client_id: Option<&'a str>,
        requests_per_second: Option<u32>,
    },
    KeyRevoked {
        key_id: String,
    },
}

impl<'a> ControlLine<'a> {
    pub(in crate::journal) fn of(position: Position, record: &'a ControlRecord) -> Self {
        let (timestamp, entry) = match record {
            ControlRecord::ExchangeCreated {
                exchange,
                created_at,
            } => (
                *created_at,
                ControlEntry::ExchangeCreated {
                    exchange: *exchange,
                },
            ),
            ControlRecord::InstrumentListed {
                instrument,
                partition,
            } => (
                instrument.listed_at,
                ControlEntry::listed(instrument, *partition),
            ),
            ControlRecord::KeyCreated(key) => (key.created_at, ControlEntry::key(key)),
            ControlRecord::KeyRevoked { key, revoked_at } => (
                *revoked_at,
                ControlEntry::KeyRevoked {
                    key_id: key.to_string(),
                },
            ),
        };
        Self {
            log: "control",
            position: position.get(),
            timestamp: TimestampText(timestamp),
            entry,
        }
    }
}

impl<'a> ControlEntry<'a> {
    /// A key without its secret's hash: nobody who reads this needs it.
    fn key(key: &'a AccessKey) -> Self {
        Self::KeyCreated {
            key_id: key.id.to_string(),
            role: Word(key.holder.role()),
            client_id: key.holder.client().map(ClientId::as_str),
            requests_per_second: key.requests_per_second.map(NonZeroU32::get),
        }
    }

    fn listed(instrument: &'a Instrument, partition: u32) -> Self {
        let percent =
            |band: PriceBand| DecimalText::new(u128::from(band.basis_points()), PERCENT_SCALE);
        Self::InstrumentListed {
            instrument: instrument.symbol.as_str(),
            number: instrument.id.get(),
            partition,
            tick_size: DecimalText::increment(instrument.tick),
            lot_size: DecimalText::increment(instrument.lot),
            min_quantity: DecimalText::quantity(instrument.min_quantity, instrument),
            max_quantity: DecimalText::quantity(instrument.max_quantity, instrument),
            min_notional: instrument
                .min_notional
                .map(|notional| DecimalText::notional(notional, instrument)),
            price_band: instrument.price_band.map(percent),
            binance_symbol: instrument.binance_symbol.as_deref(),
        }
    }
}

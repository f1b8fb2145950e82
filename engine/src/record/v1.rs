//! Version 1 of a record's bytes: postcard of the structs below.
//!
//! Frozen: the order of fields and of variants *is* the format. Orders are named by how many
//! records ago they were placed, and a mirrored order's age by microseconds, so that a fill costs
//! at most 24 bytes: its tag, up to 10 for the maker's age, 1 for its index, 6 each for price and
//! quantity.

mod command;
mod event;

use serde::{Deserialize, Serialize};

use self::command::{Levels, WireCommand, WireLevel};
use self::event::{Context, Events, WireEvent};
use super::wire::{self, above_zero, price, quantity, some_quantity, wire_enum};
use super::{Record, RecordError, RecordParts};
use crate::id::{InstrumentId, Sequence, TradeNumber};
use crate::time::Timestamp;

pub(super) const VERSION: u8 = 1;

/// Appends `record` with its length before it.
pub(super) fn encode(record: &RecordParts<'_>, payload: &mut Vec<u8>) {
    wire::append(&WireRecord::of(record), payload);
}

/// Reads the one record that `bytes` hold.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    wire::parse::<WireRecord<'_, Vec<WireLevel>, Vec<WireEvent>>>(bytes)?.into_record()
}

/// A record; its lists are references while writing and owned after reading.
#[derive(Serialize, Deserialize)]
struct WireRecord<'a, Levels, Events> {
    instrument: u32,
    sequence: u64,
    timestamp: u64,
    first_trade: u64,
    #[serde(borrow)]
    command: WireCommand<'a, Levels>,
    events: Events,
}

impl<'a> WireRecord<'a, Levels<'a>, Events<'a>> {
    fn of(record: &RecordParts<'a>) -> Self {
        Self {
            instrument: record.instrument.get(),
            sequence: record.sequence.get(),
            timestamp: record.timestamp.microseconds(),
            first_trade: record.first_trade.get(),
            command: WireCommand::of(record.command),
            events: Events {
                events: record.events,
                context: Context {
                    sequence: record.sequence,
                    timestamp: record.timestamp,
                },
            },
        }
    }
}

impl WireRecord<'_, Vec<WireLevel>, Vec<WireEvent>> {
    fn into_record(self) -> Result<Record, RecordError> {
        let context = Context {
            sequence: Sequence::new(above_zero(self.sequence, "sequence")?),
            timestamp: Timestamp::from_microseconds(self.timestamp),
        };
        Ok(Record {
            instrument: InstrumentId::new(self.instrument),
            sequence: context.sequence,
            timestamp: context.timestamp,
            first_trade: TradeNumber::new(above_zero(self.first_trade, "first_trade")?),
            command: self.command.into_command()?,
            events: self
                .events
                .into_iter()
                .map(|event| event.into_event(context))
                .collect::<Result<_, _>>()?,
        })
    }
}

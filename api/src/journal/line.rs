//! A record as one line of JSON, in the API's words: decimals at the instrument's scale, orders
//! by the sequence that placed them.

mod command;
mod control;
mod event;

use serde::Serialize;

use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Position;
use shardbook_engine::partition::PartitionId;
use shardbook_engine::record::Record;

use crate::decimal::TimestampText;

use self::command::CommandLine;
pub(super) use self::control::ControlLine;
use self::event::EventLine;

/// A record of a partition.
#[derive(Serialize)]
pub(super) struct RecordLine<'a> {
    partition: u32,
    position: u64,
    instrument: &'a str,
    sequence: u64,
    timestamp: TimestampText,
    command: CommandLine<'a>,
    events: Vec<EventLine>,
}

impl<'a> RecordLine<'a> {
    pub(super) fn of(
        partition: PartitionId,
        position: Position,
        record: &'a Record,
        instrument: &'a Instrument,
    ) -> Self {
        let mut next_trade = record.first_trade;
        let events = record.events.iter();
        Self {
            partition: partition.get(),
            position: position.get(),
            instrument: instrument.symbol.as_str(),
            sequence: record.sequence.get(),
            timestamp: TimestampText(record.timestamp),
            command: CommandLine::of(&record.command, instrument),
            events: events
                .map(|event| EventLine::of(event, &mut next_trade, instrument))
                .collect(),
        }
    }
}

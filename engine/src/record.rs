//! One journaled command and what came of it.

use crate::command::Command;
use crate::event::Event;
use crate::id::{InstrumentId, Sequence, TradeNumber};
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

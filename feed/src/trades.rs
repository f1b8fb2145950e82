//! Trades as market orders.
//!
//! Each trade is one market order of its taker's side, whole lots exact. The ids of a symbol
//! count up by one: one that is not above the last came before and is skipped, one that jumps
//! tells how many trades were missed.

use std::sync::Arc;

use shardbook_engine::command::{FeedSource, Tape};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::quantity::Quantity;

use crate::message::Trade;
use crate::status::{Counts, SkipReason};

/// Turns one symbol's trades into orders of one instrument.
#[derive(Clone, Debug)]
pub struct TapeReader {
    instrument: Arc<Instrument>,
    source: FeedSource,
    last_id: Option<u64>,
}

impl TapeReader {
    /// A reader that has seen no trade yet.
    #[must_use]
    pub const fn new(instrument: Arc<Instrument>, source: FeedSource) -> Self {
        Self {
            instrument,
            source,
            last_id: None,
        }
    }

    /// The order that a trade comes to, or nothing if it came before or is less than a lot.
    pub fn take(&mut self, trade: &Trade, counts: &mut Counts) -> Option<Tape> {
        match self.last_id {
            Some(last) if trade.id <= last => {
                counts.skip(SkipReason::SentBefore);
                return None;
            }
            Some(last) if trade.id - last > 1 => {
                counts.gaps += 1;
                counts.trades_missed += trade.id - last - 1;
            }
            Some(_) | None => {}
        }
        self.last_id = Some(trade.id);
        let quantity = self.whole_lots(trade, counts)?;
        Some(Tape {
            source: self.source,
            symbol: trade.symbol.clone(),
            first_trade_id: trade.id,
            last_trade_id: trade.id,
            side: trade.taker_side,
            quantity,
        })
    }

    fn whole_lots(&self, trade: &Trade, counts: &mut Counts) -> Option<Quantity> {
        let whole = self.instrument.lot.whole_units(trade.quantity);
        let Some((quantity, remainder)) = whole
            .ok()
            .and_then(|(lots, remainder)| Some((Quantity::new(lots)?, remainder)))
        else {
            counts.skip(SkipReason::OutOfRange);
            return None;
        };
        if quantity.is_zero() {
            counts.skip(SkipReason::QuantityBelowLot);
            return None;
        }
        if remainder {
            counts.skip(SkipReason::RemainderBelowLot);
        }
        Some(quantity)
    }
}

#[cfg(test)]
mod tests;

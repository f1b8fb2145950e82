//! Trades as market orders.
//!
//! Each trade is one market order of its taker's side, whole lots exact; an aggregate of one
//! taker's trades is one order too. The ids of a symbol count up by one, and so they say what is
//! to be done:
//!
//! - What is not above the last came before and is skipped. An aggregate that begins at or below
//!   the last and ends above it is skipped as a whole: taking a trade in twice is worse than
//!   missing one, and if the others do not come by themselves they show as a hole.
//! - A jump is a hole. Where trades can be asked for, what comes after the hole waits until it is
//!   filled as far as it can be: first from the newest trades, then from aggregates that lie
//!   wholly inside; see [`hole`](crate::hole). What is still missing then is a gap. At a start,
//!   the hole between what the exchange had taken in and the first trade is filled from the newest
//!   trades alone.

use std::collections::VecDeque;
use std::sync::Arc;

use shardbook_engine::command::{FeedSource, Tape};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::quantity::Quantity;
use shardbook_engine::time::Timestamp;

use crate::hole::{Fill, FillRequest, Filling, Hole, Print};
use crate::status::{Counts, SkipReason};

/// Most trades that wait for a hole to be filled: minutes of a busy symbol. Beyond it the hole is
/// given up, as far as it has not been filled.
pub const WAITING_MAX: usize = 10_000;

/// What becomes of holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holes {
    /// They are counted: there is no one to ask.
    Counted,
    /// They are filled. The exchange has taken in trades up to this one before the start.
    Filled {
        /// The highest trade taken in before; none for an exchange that has never had any, which
        /// has missed nothing.
        taken_in: Option<u64>,
    },
}

/// Turns one symbol's trades into orders of one instrument.
#[derive(Clone, Debug)]
pub struct TapeReader {
    instrument: Arc<Instrument>,
    source: FeedSource,
    holes: Holes,
    last: Option<Last>,
    /// The hole being filled, and what waits behind it.
    filling: Option<Filling>,
    waiting: VecDeque<Print>,
}

/// The last trade that was taken, or that the exchange had before.
#[derive(Clone, Copy, Debug)]
struct Last {
    id: u64,
    /// Not known of one taken in before the start.
    traded_at: Option<Timestamp>,
}

impl TapeReader {
    /// A reader that has seen no trade yet.
    #[must_use]
    pub const fn new(instrument: Arc<Instrument>, source: FeedSource, holes: Holes) -> Self {
        let last = match holes {
            Holes::Filled { taken_in: Some(id) } => Some(Last {
                id,
                traded_at: None,
            }),
            Holes::Filled { taken_in: None } | Holes::Counted => None,
        };
        Self {
            instrument,
            source,
            holes,
            last,
            filling: None,
            waiting: VecDeque::new(),
        }
    }

    /// Takes the next trade or aggregate; the orders that come of it are put to `orders`. Asks
    /// for what is missing before it, if that can be had.
    pub fn take(
        &mut self,
        print: Print,
        counts: &mut Counts,
        orders: &mut Vec<Tape>,
    ) -> Option<FillRequest> {
        if let Some(last) = self.last
            && print.first_trade_id <= last.id
        {
            counts.skip(if print.last_trade_id <= last.id {
                SkipReason::SentBefore
            } else {
                SkipReason::Overlaps
            });
            return None;
        }
        let Some(filling) = &mut self.filling else {
            return self.take_next(print, counts, orders);
        };
        if filling.hole().contains(&print) {
            filling.put(print);
            if filling.is_filled() {
                return self.finish(counts, orders);
            }
            return None;
        }
        self.waiting.push_back(print);
        if self.waiting.len() >= WAITING_MAX {
            return self.finish(counts, orders);
        }
        None
    }

    /// Takes what a request came to.
    pub fn fill(
        &mut self,
        fill: Fill,
        counts: &mut Counts,
        orders: &mut Vec<Tape>,
    ) -> Option<FillRequest> {
        // The answer for a hole that was given up comes too late.
        let filling = self
            .filling
            .as_mut()
            .filter(|filling| filling.hole() == fill.hole)?;
        match filling.take(fill.found) {
            Some(request) => Some(request),
            None => self.finish(counts, orders),
        }
    }

    /// Takes a trade with nothing in its way.
    fn take_next(
        &mut self,
        print: Print,
        counts: &mut Counts,
        orders: &mut Vec<Tape>,
    ) -> Option<FillRequest> {
        if let Some(last) = self.last
            && print.first_trade_id - last.id > 1
        {
            let hole = Hole {
                first: last.id + 1,
                last: print.first_trade_id - 1,
            };
            match self.holes {
                Holes::Counted => counts.miss(hole),
                Holes::Filled { .. } => {
                    let filling = Filling::new(hole, last.traded_at, print.traded_at);
                    let request = filling.first_request();
                    self.filling = Some(filling);
                    self.waiting.push_front(print);
                    return Some(request);
                }
            }
        }
        self.order(&print, counts, orders);
        None
    }

    /// Closes the hole with what there is, and goes on with what waited, up to the next hole.
    fn finish(&mut self, counts: &mut Counts, orders: &mut Vec<Tape>) -> Option<FillRequest> {
        let filling = self.filling.take()?;
        let hole = filling.hole();
        let mut next = hole.first;
        for print in filling.into_prints() {
            if let Some(missed) = Hole::between(next, print.first_trade_id) {
                counts.miss(missed);
            }
            next = print.last_trade_id + 1;
            counts.trades_filled += print.trades();
            self.order(&print, counts, orders);
        }
        if let Some(missed) = Hole::between(next, hole.last + 1) {
            counts.miss(missed);
        }
        self.last = Some(Last {
            id: hole.last,
            traded_at: self.last.and_then(|last| last.traded_at),
        });
        let mut waited = std::mem::take(&mut self.waiting);
        while let Some(print) = waited.pop_front() {
            if let Some(request) = self.take(print, counts, orders) {
                // The rest waits behind the next hole.
                self.waiting.append(&mut waited);
                return Some(request);
            }
        }
        None
    }

    /// Puts down the order that a trade comes to; none if it is less than a lot.
    fn order(&mut self, print: &Print, counts: &mut Counts, orders: &mut Vec<Tape>) {
        self.last = Some(Last {
            id: print.last_trade_id,
            traded_at: Some(print.traded_at),
        });
        let Some(quantity) = self.whole_lots(print, counts) else {
            return;
        };
        orders.push(Tape {
            source: self.source,
            symbol: print.symbol.clone(),
            first_trade_id: print.first_trade_id,
            last_trade_id: print.last_trade_id,
            side: print.taker_side,
            quantity,
        });
    }

    fn whole_lots(&self, print: &Print, counts: &mut Counts) -> Option<Quantity> {
        let whole = self.instrument.lot.whole_units(print.quantity);
        let Some((quantity, remainder)) = whole
            .ok()
            .and_then(|(lots, remainder)| Some((Quantity::new(lots)?, remainder)))
        else {
            counts.skip_many(SkipReason::OutOfRange, print.trades());
            return None;
        };
        if quantity.is_zero() {
            counts.skip_many(SkipReason::QuantityBelowLot, print.trades());
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

//! Holes in a symbol's trades, and how they are filled.
//!
//! A hole is asked for twice at most: first the newest trades, which are single and exact; then,
//! for what they do not reach, the aggregates of that time. An aggregate that lies partly outside,
//! or partly over what is there already, is not taken: part of it would come in twice. Knows no
//! network: requests and what they came to are data.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;

use crate::message::{AggregateTrade, Trade};

/// A trade, or several of one taker at one price: what becomes one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// In upper case.
    pub symbol: String,
    /// The first trade's number.
    pub first_trade_id: u64,
    /// The last trade's number, not below the first.
    pub last_trade_id: u64,
    /// How much altogether; above zero.
    pub quantity: Decimal,
    /// The taker's side.
    pub taker_side: Side,
    /// When it happened.
    pub traded_at: Timestamp,
}

impl Print {
    /// How many trades it is.
    #[must_use]
    pub const fn trades(&self) -> u64 {
        self.last_trade_id - self.first_trade_id + 1
    }
}

impl From<&Trade> for Print {
    fn from(trade: &Trade) -> Self {
        Self {
            symbol: trade.symbol.clone(),
            first_trade_id: trade.id,
            last_trade_id: trade.id,
            quantity: trade.quantity,
            taker_side: trade.taker_side,
            traded_at: trade.traded_at,
        }
    }
}

impl From<&AggregateTrade> for Print {
    fn from(trade: &AggregateTrade) -> Self {
        Self {
            symbol: trade.symbol.clone(),
            first_trade_id: trade.first_trade_id,
            last_trade_id: trade.last_trade_id,
            quantity: trade.quantity,
            taker_side: trade.taker_side,
            traded_at: trade.traded_at,
        }
    }
}

/// Trades that were jumped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The first one's number.
    pub first: u64,
    /// The last one's number, not below the first.
    pub last: u64,
}

impl Hole {
    /// The numbers from `next` to just below `after`, if there are any.
    #[must_use]
    pub const fn between(next: u64, after: u64) -> Option<Self> {
        if next < after {
            Some(Self {
                first: next,
                last: after - 1,
            })
        } else {
            None
        }
    }

    /// How many trades fell into it.
    #[must_use]
    pub const fn trades(self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether all of a print lies inside.
    #[must_use]
    pub const fn contains(self, print: &Print) -> bool {
        self.first <= print.first_trade_id && print.last_trade_id <= self.last
    }
}

/// What is asked for, to fill a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FillRequest {
    /// The newest trades.
    Newest {
        /// What for.
        hole: Hole,
    },
    /// The aggregates of a time.
    Aggregates {
        /// What for.
        hole: Hole,
        /// When the trade before the hole happened.
        from: Timestamp,
        /// When the trade behind it happened.
        until: Timestamp,
    },
}

impl FillRequest {
    /// What is to be filled.
    #[must_use]
    pub const fn hole(&self) -> Hole {
        match self {
            Self::Newest { hole } | Self::Aggregates { hole, .. } => *hole,
        }
    }
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// What was to be filled.
    pub hole: Hole,
    /// What was found, whether it fits or not; nothing, if nothing could be had.
    pub found: Vec<Print>,
}

/// A hole while it is being filled.
#[derive(Clone, Debug)]
pub struct Filling {
    hole: Hole,
    stage: Stage,
    until: Timestamp,
    /// What there is, by the first trade's number; nothing overlaps.
    prints: BTreeMap<u64, Print>,
}

/// How far asking has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The newest trades are asked for; then come the aggregates from this time on.
    Newest {
        then_from: Timestamp,
    },
    /// The newest trades are asked for, and nothing after them.
    NewestAlone,
    Aggregates,
}

impl Filling {
    /// Begins to fill a hole between a trade made at `after` and one made at `until`. Without the
    /// time before it, only the newest trades are asked for.
    #[must_use]
    pub const fn new(hole: Hole, after: Option<Timestamp>, until: Timestamp) -> Self {
        Self {
            hole,
            stage: match after {
                Some(then_from) => Stage::Newest { then_from },
                None => Stage::NewestAlone,
            },
            until,
            prints: BTreeMap::new(),
        }
    }

    /// What to ask for first.
    #[must_use]
    pub const fn first_request(&self) -> FillRequest {
        FillRequest::Newest { hole: self.hole }
    }

    /// What is being filled.
    #[must_use]
    pub const fn hole(&self) -> Hole {
        self.hole
    }

    /// Takes what was found, and says what to ask for next; nothing, if there is no more to do.
    pub fn take(&mut self, found: Vec<Print>) -> Option<FillRequest> {
        for print in found {
            self.put(print);
        }
        if self.is_filled() {
            return None;
        }
        match self.stage {
            Stage::Newest { then_from } => {
                self.stage = Stage::Aggregates;
                Some(FillRequest::Aggregates {
                    hole: self.hole,
                    from: then_from,
                    until: self.until,
                })
            }
            Stage::NewestAlone | Stage::Aggregates => None,
        }
    }

    /// Takes one trade or aggregate, if it lies wholly inside and over nothing that is there.
    pub fn put(&mut self, print: Print) {
        if !self.hole.contains(&print) {
            return;
        }
        let before = self.prints.range(..=print.last_trade_id).next_back();
        if before.is_none_or(|(_, before)| before.last_trade_id < print.first_trade_id) {
            self.prints.insert(print.first_trade_id, print);
        }
    }

    /// Whether nothing is missing any more.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        let there: u64 = self.prints.values().map(Print::trades).sum();
        there == self.hole.trades()
    }

    /// What there is, in order.
    pub fn into_prints(self) -> impl Iterator<Item = Print> {
        self.prints.into_values()
    }
}

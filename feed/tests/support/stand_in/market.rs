//! One symbol's truth: its book, its updates' ids, and every trade it ever had.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Who took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taker {
    Bought,
    Sold,
}

impl Taker {
    const fn buyer_is_maker(self) -> bool {
        matches!(self, Self::Sold)
    }
}

/// A side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BookSide {
    Bids,
    Asks,
}

/// A trade that happened.
#[derive(Clone, Debug)]
pub(crate) struct SourceTrade {
    pub(crate) id: u64,
    pub(crate) quantity: Decimal,
    pub(crate) taker: Taker,
    milliseconds: u64,
}

/// Levels and their quantities.
pub(crate) type Levels = BTreeMap<Decimal, Decimal>;

pub(crate) struct SourceMarket {
    symbol: String,
    pub(crate) bids: Levels,
    pub(crate) asks: Levels,
    changed_bids: Levels,
    changed_asks: Levels,
    update_id: u64,
    published_id: u64,
    pub(crate) trades: Vec<SourceTrade>,
    milliseconds: u64,
}

impl SourceMarket {
    pub(super) fn new(symbol: &str) -> Self {
        Self {
            symbol: symbol.to_owned(),
            bids: Levels::new(),
            asks: Levels::new(),
            changed_bids: Levels::new(),
            changed_asks: Levels::new(),
            update_id: 1_000,
            published_id: 1_000,
            trades: Vec::new(),
            milliseconds: 1_754_000_000_000,
        }
    }

    /// Sets a level, or takes it away by 0.
    pub(crate) fn set(&mut self, side: BookSide, price: &str, quantity: &str) {
        let (price, quantity): (Decimal, Decimal) =
            (price.parse().unwrap(), quantity.parse().unwrap());
        let (levels, changed) = match side {
            BookSide::Bids => (&mut self.bids, &mut self.changed_bids),
            BookSide::Asks => (&mut self.asks, &mut self.changed_asks),
        };
        if quantity.is_zero() {
            levels.remove(&price);
        } else {
            levels.insert(price, quantity);
        }
        changed.insert(price, quantity);
        self.update_id += 1;
    }

    /// What changed since the last diff; nothing, if nothing did.
    pub(crate) fn diff(&mut self) -> Option<Value> {
        if self.update_id == self.published_id {
            return None;
        }
        let first = self.published_id + 1;
        self.published_id = self.update_id;
        self.milliseconds += 100;
        Some(json!({
            "e": "depthUpdate", "E": self.milliseconds, "s": self.symbol,
            "U": first, "u": self.update_id,
            "b": ladder(std::mem::take(&mut self.changed_bids).iter()),
            "a": ladder(std::mem::take(&mut self.changed_asks).iter()),
        }))
    }

    /// The book as it stands.
    pub(crate) fn snapshot(&self, limit: usize) -> Value {
        json!({
            "lastUpdateId": self.update_id,
            "bids": ladder(self.bids.iter().rev().take(limit)),
            "asks": ladder(self.asks.iter().take(limit)),
        })
    }

    /// A trade of its own taker.
    pub(super) fn trade(&mut self, taker: Taker, quantity: &str) -> (u64, Value) {
        self.milliseconds += 7;
        self.fill(taker, quantity)
    }

    /// Another trade of the last taker.
    pub(crate) fn fill(&mut self, taker: Taker, quantity: &str) -> (u64, Value) {
        let id = self.trades.last().map_or(100, |trade| trade.id + 1);
        let trade = SourceTrade {
            id,
            quantity: quantity.parse().unwrap(),
            taker,
            milliseconds: self.milliseconds,
        };
        let event = self.event(&trade);
        self.trades.push(trade);
        (id, event)
    }

    fn event(&self, trade: &SourceTrade) -> Value {
        json!({
            "e": "trade", "E": trade.milliseconds, "s": self.symbol, "t": trade.id,
            "p": "100.00", "q": trade.quantity.to_string(), "T": trade.milliseconds,
            "m": trade.taker.buyer_is_maker(), "M": true,
        })
    }

    pub(super) fn newest(&self, limit: usize) -> Value {
        let from = self.trades.len().saturating_sub(limit);
        self.trades[from..]
            .iter()
            .map(|trade| {
                json!({
                    "id": trade.id, "price": "100.00", "qty": trade.quantity.to_string(),
                    "quoteQty": "1", "time": trade.milliseconds,
                    "isBuyerMaker": trade.taker.buyer_is_maker(), "isBestMatch": true,
                })
            })
            .collect()
    }

    /// Trades of one taker at one time, as one.
    fn aggregated(&self) -> Vec<(u64, &[SourceTrade])> {
        let groups = self.trades.chunk_by(|before, next| {
            before.milliseconds == next.milliseconds && before.taker == next.taker
        });
        (5_000..).zip(groups).collect()
    }

    pub(super) fn aggregates(
        &self,
        from_id: Option<u64>,
        start: Option<u64>,
        end: Option<u64>,
        limit: usize,
    ) -> Value {
        self.aggregated()
            .into_iter()
            .filter(|(id, trades)| {
                let at = trades[0].milliseconds;
                from_id.is_none_or(|from| *id >= from)
                    && start.is_none_or(|start| at >= start)
                    && end.is_none_or(|end| at <= end)
            })
            .take(limit)
            .map(|(id, trades)| self.aggregate(id, trades))
            .collect()
    }

    fn aggregate(&self, id: u64, trades: &[SourceTrade]) -> Value {
        let quantity: Decimal = trades.iter().map(|trade| trade.quantity).sum();
        let (first, last) = (&trades[0], &trades[trades.len() - 1]);
        json!({
            "e": "aggTrade", "E": last.milliseconds, "s": self.symbol,
            "a": id, "p": "100.00", "q": quantity.to_string(), "f": first.id, "l": last.id,
            "T": first.milliseconds, "m": first.taker.buyer_is_maker(), "M": true,
        })
    }

    /// The event of the newest aggregate.
    pub(crate) fn last_aggregate(&self) -> Value {
        let (id, trades) = self.aggregated().pop().unwrap();
        self.aggregate(id, trades)
    }
}

fn ladder<'a>(levels: impl Iterator<Item = (&'a Decimal, &'a Decimal)>) -> Vec<[String; 2]> {
    levels
        .map(|(price, quantity)| [price.to_string(), quantity.to_string()])
        .collect()
}

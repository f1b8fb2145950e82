//! All open orders as they stood at one sequence, copied while the shard goes on.
//!
//! A million rows take longer to copy than answers may wait for the lock. So they are copied in
//! parts, each under a lock of its own, and only those that have not changed since the copy began;
//! whatever changes before it was come by is kept for the copy as it was, when it first changes.
//! Each order open at the beginning is thus found in one of the two, or, if it changed behind the
//! copy's back, in both alike. The mirror's orders, which are few and change with every diff, are
//! taken at the beginning.

use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::id::{OrderRef, Sequence};
use crate::market_data::MarketData;
use crate::market_data::slab::Slot;
use crate::order::Order;

/// Rows looked at under one lock: some hundred microseconds' worth.
const LOOKED_AT_AT_ONCE_MAX: usize = 1_024;

/// Every open order of an instrument at one of its sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingOrders {
    /// The last record's in it.
    pub sequence: Sequence,
    /// Oldest placement first.
    pub orders: Vec<Order>,
}

impl StandingOrders {
    /// Those of now. Takes as long as there are orders, and the lock for a moment at a time only.
    #[must_use]
    pub fn of(market_data: &RwLock<MarketData>) -> Self {
        let mut copy = market_data.write().begin_copy();
        // Room is made before the lock is taken, since all that is copied so far may have to move.
        copy.orders.reserve(LOOKED_AT_AT_ONCE_MAX);
        while copy.go_on(&market_data.read(), LOOKED_AT_AT_ONCE_MAX) {
            copy.orders.reserve(LOOKED_AT_AT_ONCE_MAX);
        }
        copy.finish()
    }
}

/// Orders that changed since a copy began, as they stood then.
#[derive(Debug)]
pub(super) struct Unchanged {
    at: Sequence,
    orders: Mutex<Vec<Order>>,
}

/// The copies under way. One that is given up is forgotten.
pub(super) type Copies = Vec<Weak<Unchanged>>;

/// A copy under way.
pub(super) struct OrdersCopy {
    kept: Arc<Unchanged>,
    orders: Vec<Order>,
    /// What was placed before this has yet to be come by.
    below: OrderRef,
}

impl OrdersCopy {
    /// Takes in the next rows; says whether there may be more.
    pub(super) fn go_on(&mut self, market: &MarketData, rows_max: usize) -> bool {
        let mut rows = 0;
        for slot in market.orders.newest_first(Some(self.below)).take(rows_max) {
            rows += 1;
            let row = market.orders.get(slot);
            self.below = OrderRef::single(row.placed);
            if row.updated <= self.kept.at && row.status().is_open() {
                self.orders.push(market.orders.show(slot));
            }
        }
        rows == rows_max
    }

    pub(super) fn finish(mut self) -> StandingOrders {
        self.orders.append(&mut self.kept.orders.lock());
        self.orders.sort_unstable_by_key(|order| order.placed);
        self.orders.dedup_by_key(|order| order.placed);
        StandingOrders {
            sequence: self.kept.at,
            orders: self.orders,
        }
    }
}

impl MarketData {
    pub(super) fn begin_copy(&mut self) -> OrdersCopy {
        let kept = Arc::new(Unchanged {
            at: self.sequence,
            orders: Mutex::default(),
        });
        self.copies.retain(|copy| copy.strong_count() > 0);
        self.copies.push(Arc::downgrade(&kept));
        let mirror = self.mirror.iter();
        OrdersCopy {
            kept,
            orders: mirror
                .map(|(placed, row)| self.mirror.show(placed, row))
                .collect(),
            below: OrderRef::single(self.sequence.next()),
        }
    }

    /// Keeps a client's order as it is for the copies that have yet to come by it. To be called
    /// before the record at hand first changes it.
    pub(super) fn keep_for_copies(&mut self, slot: Slot) {
        if self.copies.is_empty() {
            return;
        }
        let (orders, row) = (&self.orders, self.orders.get(slot));
        self.copies.retain(|copy| {
            let Some(copy) = copy.upgrade() else {
                return false;
            };
            if row.updated <= copy.at && row.status().is_open() {
                copy.orders.lock().push(orders.show(slot));
            }
            true
        });
    }
}

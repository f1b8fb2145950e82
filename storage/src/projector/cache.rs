//! Open orders that the projector has at hand, so that not every change asks the database.

use std::collections::HashMap;
use std::mem;

use shardbook_engine::id::{InstrumentId, OrderRef};
use shardbook_engine::order::Order;

/// Which order of the exchange.
pub(crate) type OrderKey = (InstrumentId, OrderRef);

/// The orders used most lately, between `generation_max` and twice as many.
///
/// Two generations instead of a list of uses: what was used since the young one began is in it,
/// and when it is full the old one goes.
#[derive(Debug)]
pub(crate) struct OrderCache {
    young: HashMap<OrderKey, Order>,
    old: HashMap<OrderKey, Order>,
    generation_max: usize,
}

impl OrderCache {
    pub(crate) fn new(generation_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation_max,
        }
    }

    /// Hands over an order. Whoever takes it puts it back once the database has the change; if
    /// that fails the order is read from there again.
    pub(crate) fn take(&mut self, key: &OrderKey) -> Option<Order> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    pub(crate) fn put(&mut self, key: OrderKey, order: Order) {
        if self.young.len() >= self.generation_max {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, order);
    }
}

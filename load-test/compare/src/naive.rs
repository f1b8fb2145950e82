//! A book as one would write it first: a sorted map of queues a side, and orders found by looking
//! through their level's queue.

use std::collections::{BTreeMap, HashMap, VecDeque};

use shardbook_engine::order::OrderKind;
use shardbook_engine::side::Side;

type Levels = BTreeMap<u64, VecDeque<(u64, u64)>>;

/// Numbers and what is left of them, by price; and where each number rests.
#[derive(Default)]
pub struct NaiveBook {
    bids: Levels,
    asks: Levels,
    resting: HashMap<u64, (Side, u64)>,
}

/// Maker, price and quantity.
pub type Trade = (u64, u64, u64);

impl NaiveBook {
    pub fn place(
        &mut self,
        number: u64,
        side: Side,
        mut quantity: u64,
        kind: OrderKind,
        trades: &mut Vec<Trade>,
    ) {
        let limit = kind.price().map(|price| price.ticks());
        while quantity > 0 {
            let makers = self.levels(side.opposite());
            let best = match side {
                Side::Buy => makers.first_entry(),
                Side::Sell => makers.last_entry(),
            };
            let Some(mut level) = best else { break };
            let price = *level.key();
            let reached = limit.is_none_or(|limit| match side {
                Side::Buy => price <= limit,
                Side::Sell => price >= limit,
            });
            if !reached {
                break;
            }
            let queue = level.get_mut();
            let Some((maker, left)) = queue.front_mut() else {
                level.remove();
                continue;
            };
            let traded = quantity.min(*left);
            quantity -= traded;
            *left -= traded;
            let (maker, left) = (*maker, *left);
            trades.push((maker, price, traded));
            if left == 0 {
                queue.pop_front();
                if queue.is_empty() {
                    level.remove();
                }
                self.resting.remove(&maker);
            }
        }
        if let Some(price) = limit.filter(|_| quantity > 0) {
            let queue = self.levels(side).entry(price).or_default();
            queue.push_back((number, quantity));
            self.resting.insert(number, (side, price));
        }
    }

    pub fn cancel(&mut self, number: u64) {
        let Some((side, price)) = self.resting.remove(&number) else {
            return;
        };
        let levels = self.levels(side);
        let Some(queue) = levels.get_mut(&price) else {
            return;
        };
        queue.retain(|(other, _)| *other != number);
        if queue.is_empty() {
            levels.remove(&price);
        }
    }

    pub fn best(&self) -> (Option<u64>, Option<u64>) {
        (
            self.bids.last_key_value().map(|(price, _)| *price),
            self.asks.first_key_value().map(|(price, _)| *price),
        )
    }

    const fn levels(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

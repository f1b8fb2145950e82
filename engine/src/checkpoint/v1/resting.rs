//! What the shard tells of clients' resting orders, as the market data's rows ask for it.

use crate::id::Sequence;
use crate::shard::{ClientResting, RestingOrder};

/// How many orders are fetched at once: as many as a core has under way.
const FETCHED_AT_ONCE: usize = 16;

/// The clients' resting orders, oldest placement first. Rows come in the same order, so that none
/// is searched for.
pub(super) struct Resting<'a> {
    orders: Vec<(Sequence, &'a ClientResting)>,
    /// Of the first that has not been passed.
    next: usize,
}

impl<'a> Resting<'a> {
    pub(super) fn of(resting: &'a [RestingOrder]) -> Self {
        let orders = resting.iter().filter_map(|order| match order {
            RestingOrder::Client(order) => Some((order.placed, order)),
            RestingOrder::Mirror(_) => None,
        });
        let mut orders: Vec<_> = orders.collect();
        orders.sort_unstable_by_key(|(placed, _)| *placed);
        Self { orders, next: 0 }
    }

    /// The order that the command numbered `placed` brought, if it rests. Each call asks for a
    /// later one.
    pub(super) fn pass(&mut self, placed: Sequence) -> Option<&'a ClientResting> {
        while let Some((at, order)) = self.orders.get(self.next).copied()
            && at <= placed
        {
            if self.next.is_multiple_of(FETCHED_AT_ONCE) {
                self.fetch();
            }
            self.next += 1;
            if at == placed {
                return Some(order);
            }
        }
        None
    }

    /// Has the machine fetch the next orders, which lie apart from each other.
    fn fetch(&self) {
        let next = self.orders.get(self.next..).unwrap_or_default();
        for (_, order) in next.iter().take(FETCHED_AT_ONCE) {
            std::hint::black_box((order.id.as_bytes().first(), order.remaining));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ClientId, OrderId};
    use crate::order::{SelfTradePrevention, TimeInForce};
    use crate::price::Price;
    use crate::quantity::Quantity;
    use crate::side::Side;

    #[test]
    fn an_order_is_found_by_its_placement_when_placements_are_asked_for_in_order() {
        // In the order of the book, with gaps where orders have closed.
        let placed = (1..=100_u64).map(|number| number * 37 % 101 * 2);
        let resting: Vec<_> = placed
            .map(|placed| {
                RestingOrder::Client(ClientResting {
                    id: OrderId::new(&placed.to_string()).unwrap(),
                    client: ClientId::new("a").unwrap(),
                    placed: Sequence::new(placed),
                    side: Side::Buy,
                    price: Price::new(1).unwrap(),
                    time_in_force: TimeInForce::Gtc,
                    self_trade_prevention: SelfTradePrevention::None,
                    quantity: Quantity::new(1).unwrap(),
                    remaining: Quantity::new(1).unwrap(),
                })
            })
            .collect();
        let mut orders = Resting::of(&resting);
        for placed in (0..=210).filter(|placed| placed % 3 < 2) {
            let rests = placed > 0 && placed <= 200 && placed % 2 == 0;
            let found = orders.pass(Sequence::new(placed));
            assert_eq!(
                found.map(|order| order.id.to_string()),
                rests.then(|| placed.to_string())
            );
        }
    }
}

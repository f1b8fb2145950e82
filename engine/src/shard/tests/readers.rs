//! What readers are shown follows the shard: both from the same records.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::determinism::{LIMITS, story};
use super::instrument;
use crate::answer::Answer;
use crate::command::Command;
use crate::id::{ClientId, OrderId, OrderRef};
use crate::journal::{Durable, Position};
use crate::market_data::{Applied, MarketData, MarketDataLimits, OrdersOf};
use crate::order::{Order, OrderKind};
use crate::record::Record;
use crate::shard::{Decision, RestingOrder, Shard};
use crate::side::Side;

/// A resting order, as far as both sides know it.
type Row = (OrderId, ClientId, Side, u64, u64, u64);

fn rows_of_shard(shard: &Shard) -> BTreeMap<OrderRef, Row> {
    let rows = shard.export().resting.into_iter().map(|order| match order {
        RestingOrder::Client(order) => (
            OrderRef::single(order.placed),
            (
                order.id,
                order.client,
                order.side,
                order.price.ticks(),
                order.quantity.lots(),
                order.remaining.lots(),
            ),
        ),
        RestingOrder::Mirror(resting) => {
            let order = resting.order;
            let remaining = order.quantity - order.filled_quantity;
            let row = (
                OrderId::mirror(order.order),
                ClientId::binance_depth(),
                resting.side,
                resting.price.ticks(),
                order.quantity.lots(),
                remaining.lots(),
            );
            (order.order, row)
        }
    });
    rows.collect()
}

fn row(order: Order) -> (OrderRef, Row) {
    let OrderKind::Limit { price, .. } = order.kind else {
        panic!("a market order rests");
    };
    let remaining = order.remaining_quantity().lots();
    let row = (
        order.id,
        order.client,
        order.side,
        price.ticks(),
        order.quantity.lots(),
        remaining,
    );
    (order.placed, row)
}

fn levels_of_book(shard: &Shard, side: Side) -> Vec<(u64, u128, u64)> {
    let levels = shard.book().levels(side);
    levels
        .map(|level| {
            let orders = u64::from(level.orders);
            (level.price.ticks(), level.volume.lots(), orders)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn readers_see_the_book_the_orders_and_the_first_answers_of_the_shard(commands in story()) {
        let mut shard = Shard::new(instrument(), LIMITS);
        let mut readers = MarketData::new(instrument(), MarketDataLimits::default());
        let mut events = Vec::new();
        let mut applied = Applied::default();
        for stamped in commands {
            let Decision::Recorded { sequence, first_trade } = shard.apply(&stamped, &mut events)
            else {
                continue;
            };
            let record = Record {
                instrument: shard.instrument().id,
                sequence,
                timestamp: stamped.timestamp,
                first_trade,
                command: stamped.command.clone(),
                events: events.clone(),
            };
            applied.clear();
            let answer = readers.apply(Durable::at(Position::ZERO, &record), &mut applied);

            let book = readers.order_book(usize::MAX);
            for (side, shown) in [(Side::Buy, book.bids), (Side::Sell, book.asks)] {
                let shown: Vec<_> = shown
                    .iter()
                    .map(|level| (level.price.ticks(), level.volume.lots(), level.orders))
                    .collect();
                prop_assert_eq!(shown, levels_of_book(&shard, side));
            }
            let open = readers.orders(OrdersOf::Everyone, None).filter(Order::is_open);
            prop_assert_eq!(open.map(row).collect::<BTreeMap<_, _>>(), rows_of_shard(&shard));
            prop_assert_eq!(readers.is_halted(), shard.is_halted());
            let last = readers.last_trade().map(|trade| (trade.number.next(), trade.price));
            prop_assert_eq!(last.map(|(next, _)| next).unwrap_or(first_trade), shard.next_trade());
            prop_assert_eq!(last.map(|(_, price)| price), shard.last_price());

            if let (Command::Place(order), Answer::Placed(shown)) = (&stamped.command, answer)
                && order.idempotency_key.is_some()
            {
                let Decision::Replayed(first) = shard.apply(&stamped, &mut events) else {
                    panic!("the key is bound");
                };
                prop_assert_eq!(&Order::clone(&first.order), &shown.order);
                prop_assert_eq!(readers.replayed(&first), Some(shown));
            }
        }
    }
}

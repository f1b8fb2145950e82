//! Clients' orders between the mirror's: price before time, and no place lost.

use shardbook_engine::command::Command;
use shardbook_engine::id::{ClientId, OrderId};
use shardbook_engine::order::{ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Quantity;
use shardbook_engine::shard::RestingOrder;
use shardbook_engine::side::Side;

use crate::rig::Rig;
use crate::stand_in::market::BookSide;

/// A client's bid of so many lots at so many ticks.
fn bid(rig: &Rig, id: &str, ticks: u64, lots: u64) {
    let order = NewOrder {
        id: ChosenId::Client(OrderId::new(id).unwrap()),
        client: ClientId::new("alice").unwrap(),
        idempotency_key: None,
        side: Side::Buy,
        kind: OrderKind::Limit {
            price: Price::new(ticks).unwrap(),
            time_in_force: TimeInForce::Gtc,
        },
        quantity: Quantity::new(lots).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
    };
    rig.exchange.apply(rig.instrument.id, Command::Place(order));
}

/// The bids at a price, first in the queue first: whose, and how many lots.
fn queue(rig: &Rig, ticks: u64) -> Vec<String> {
    let books = rig.exchange.books();
    let resting = books[&rig.instrument.id].shard.export().resting;
    resting
        .iter()
        .filter_map(|order| match order {
            RestingOrder::Client(order) => (order.side == Side::Buy
                && order.price.ticks() == ticks)
                .then(|| format!("{} {}", order.id, order.remaining.lots())),
            RestingOrder::Mirror(order) => {
                (order.side == Side::Buy && order.price.ticks() == ticks).then(|| {
                    let order = &order.order;
                    format!("mirror {}", (order.quantity - order.filled_quantity).lots())
                })
            }
        })
        .collect()
}

/// Waits until the queue at a price is this.
async fn comes_to(rig: &mut Rig, ticks: u64, expected: &[&str]) {
    let what = format!("{ticks}: {expected:?}");
    rig.until(&what, |rig| queue(rig, ticks) == expected).await;
}

#[tokio::test]
async fn a_better_price_than_the_touch_is_filled_by_the_next_opposite_trade_before_the_mirror() {
    let mut rig = Rig::live().await;
    bid(&rig, "better", 10_000, 20_000);
    comes_to(&mut rig, 10_000, &["better 20000"]).await;
    comes_to(&mut rig, 9_999, &["mirror 150000"]).await;
    // A buyer passes it by.
    rig.bought("0.1");
    rig.sold("0.15");
    comes_to(&mut rig, 10_000, &["better 5000"]).await;
    assert_eq!(queue(&rig, 9_999), ["mirror 150000"]);
    // What it does not take goes on to the mirror.
    rig.sold("0.06");
    comes_to(&mut rig, 10_000, &[]).await;
    assert_eq!(queue(&rig, 9_999), ["mirror 149000"]);
    // Which the next diff brings back.
    rig.depth(BookSide::Asks, "100.02", "3");
    comes_to(&mut rig, 9_999, &["mirror 149000", "mirror 1000"]).await;
    rig.quiet().await;
}

#[tokio::test]
async fn at_the_touch_an_order_waits_its_turn_and_gains_only_what_the_mirror_took_away_ahead() {
    let mut rig = Rig::live().await;
    bid(&rig, "second", 9_999, 20_000);
    comes_to(&mut rig, 9_999, &["mirror 150000", "second 20000"]).await;
    // What the mirror adds stands behind.
    rig.depth(BookSide::Bids, "99.99", "2");
    comes_to(
        &mut rig,
        9_999,
        &["mirror 150000", "second 20000", "mirror 50000"],
    )
    .await;
    // What it takes away goes from behind first,
    rig.depth(BookSide::Bids, "99.99", "1.7");
    comes_to(
        &mut rig,
        9_999,
        &["mirror 150000", "second 20000", "mirror 20000"],
    )
    .await;
    // and only then from ahead: that much the order gains.
    rig.depth(BookSide::Bids, "99.99", "0.4");
    comes_to(&mut rig, 9_999, &["mirror 40000", "second 20000"]).await;
    // A trade takes who stands first.
    rig.sold("0.3");
    comes_to(&mut rig, 9_999, &["mirror 10000", "second 20000"]).await;
    rig.sold("0.15");
    comes_to(&mut rig, 9_999, &["second 15000"]).await;
    // The mirror comes back behind it, though it stood first.
    rig.depth(BookSide::Bids, "99.99", "0.5");
    comes_to(&mut rig, 9_999, &["second 15000", "mirror 50000"]).await;
    // A lost connection and a new snapshot change nothing about its place.
    rig.server.cut();
    rig.until("another connection", |rig| rig.server.connections() == 2)
        .await;
    rig.subscribed().await;
    rig.depth(BookSide::Bids, "99.99", "0.6");
    rig.until("the new book", |rig| {
        rig.depth(BookSide::Bids, "99.00", "1");
        rig.mirror() == rig.expected_mirror()
    })
    .await;
    assert_eq!(
        queue(&rig, 9_999),
        ["second 15000", "mirror 50000", "mirror 10000"]
    );
    rig.accounted();
}

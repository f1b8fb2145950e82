//! What happens to orders while they rest, and where levels are kept.

use super::super::{Book, ClientNumber, Handle, Incoming, Outcome};
use super::model::{lots, ticks};
use super::notation::given;
use crate::command::{MirrorLevel, MirrorScope};
use crate::order::{OrderKind, SelfTradePrevention, TimeInForce};
use crate::price::{Price, TICKS_MAX};
use crate::quantity::Volume;
use crate::side::Side;

#[test]
fn a_cancelled_order_leaves_its_queue_and_its_level() {
    given(
        "
        bids           |  price | asks
        #1:5 #2:6 #3:7 | 100.00 |
        #4:8           |  99.00 |
        ",
    )
    .when(
        "
        cancel #2
        cancel #4
        cancel #1
        ",
    )
    .then(
        "
        #2 cancelled with 6 left
        #4 cancelled with 8 left
        #1 cancelled with 5 left
        ",
    )
    .leaves(
        "
        bids |  price | asks
        #3:7 | 100.00 |
        ",
    );
}

#[test]
fn a_reduced_order_keeps_its_place() {
    given(
        "
        bids      |  price | asks
        #1:5 #2:6 | 100.00 |
        ",
    )
    .when(
        "
        reduce #1 to 2
        reduce #2 to 6
        bob sells 3 at market as #3
        ",
    )
    .then(
        "
        #3 takes 2 @ 100.00 from #1
        #3 takes 1 @ 100.00 from #2
        #3 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
        #2:5 | 100.00 |
        ",
    );
}

#[test]
fn what_was_filled_is_not_what_a_cancel_finds() {
    given(
        "
        bids |  price | asks
             | 100.00 | #1:5
        ",
    )
    .when(
        "
        bob buys 2 @ 100.00 as #2
        cancel #1
        ",
    )
    .then(
        "
        #2 takes 2 @ 100.00 from #1
        #2 filled
        #1 cancelled with 3 left
        ",
    )
    .leaves("bids | price | asks");
}

fn rest(book: &mut Book, side: Side, price: Price) -> Handle {
    let incoming = Incoming {
        client: ClientNumber::new(1),
        side,
        quantity: lots(1),
        self_trade_prevention: SelfTradePrevention::None,
    };
    let kind = OrderKind::Limit {
        price,
        time_in_force: TimeInForce::Gtc,
    };
    match book.place(incoming, kind, &mut Vec::new()) {
        Outcome::Rested(handle) => handle,
        other @ (Outcome::Filled | Outcome::Remainder(_) | Outcome::Rejected(_)) => {
            panic!("did not rest: {other:?}")
        }
    }
}

#[test]
fn the_slot_freed_last_is_taken_first() {
    let mut book = Book::new();
    let orders: Vec<Handle> = (1..=3)
        .map(|price| rest(&mut book, Side::Buy, ticks(price)))
        .collect();
    book.cancel(orders[0]);
    book.cancel(orders[2]);
    assert_eq!(book.get(orders[2]), None);
    let again = [9, 8].map(|price| rest(&mut book, Side::Buy, ticks(price)));
    assert_eq!(again, [orders[2], orders[0]]);
    assert_eq!(rest(&mut book, Side::Buy, ticks(7)).index(), 3);
    book.assert_invariants();
}

#[test]
fn readers_see_the_best_price_and_what_would_cross_it() {
    let mut book = Book::new();
    rest(&mut book, Side::Sell, ticks(10_000));
    rest(&mut book, Side::Sell, ticks(10_000));
    assert_eq!(book.best(Side::Sell), Some((ticks(10_000), Volume::new(2))));
    assert_eq!(book.best(Side::Buy), None);
    assert_eq!(book.level(Side::Sell, ticks(10_001)), None);
    assert_eq!(book.queue(Side::Buy, ticks(10_000)).count(), 0);
    assert!(book.would_cross(Side::Buy, ticks(10_000)));
    assert!(!book.would_cross(Side::Buy, ticks(9_999)));
    assert!(!book.would_cross(Side::Sell, ticks(1)));
}

/// Levels are found wherever they lie relative to the window, while it follows the touch from
/// one end of all prices to the other and back.
#[test]
fn the_window_follows_the_touch_and_loses_no_level() {
    for strays_max in [1, 2, 3, u32::MAX] {
        let mut book = Book::with_strays_max(strays_max);
        let mut orders = Vec::new();
        let touches = [
            1,
            5_000,
            5_064,
            9_161,
            TICKS_MAX / 2,
            TICKS_MAX - 4_095,
            TICKS_MAX,
        ];
        for touch in touches {
            for offset in [
                0, 1, 63, 64, 1_023, 1_024, 3_071, 3_072, 4_095, 4_096, 8_192,
            ] {
                for price in [touch.checked_sub(offset), touch.checked_add(offset)] {
                    if let Some(price) = price.and_then(Price::new) {
                        orders.push((rest(&mut book, Side::Buy, price), price));
                        book.assert_invariants();
                    }
                }
            }
        }
        let mut prices: Vec<Price> = orders.iter().map(|(_, price)| *price).collect();
        prices.sort_unstable();
        prices.dedup();
        prices.reverse();
        assert!(book.levels(Side::Buy).map(|level| level.price).eq(prices));
        // Best first, so that the touch wanders back down.
        orders.sort_by_key(|(_, price)| std::cmp::Reverse(*price));
        for (handle, price) in orders {
            assert_eq!(book.best(Side::Buy).unwrap().0, price);
            assert_eq!(book.cancel(handle), lots(1));
            book.assert_invariants();
        }
        assert_eq!(book.best(Side::Buy), None);
    }
}

#[test]
fn a_quiet_book_has_no_window() {
    let mut book = Book::new();
    for price in 1..200 {
        rest(&mut book, Side::Buy, ticks(price));
        rest(&mut book, Side::Sell, ticks(price + 1_000));
    }
    assert!(!book.sides.of(Side::Buy).has_window());
    for price in 200..900 {
        rest(&mut book, Side::Buy, ticks(price));
    }
    assert!(book.sides.of(Side::Buy).has_window());
    assert!(!book.sides.of(Side::Sell).has_window());
    book.assert_invariants();
}

#[test]
#[should_panic(expected = "a resting order is removed")]
fn a_handle_that_is_free_is_a_bug() {
    let mut book = Book::new();
    let order = rest(&mut book, Side::Buy, ticks(1));
    book.cancel(order);
    book.cancel(order);
}

#[test]
#[should_panic(expected = "the mirror's orders are the mirror's to change")]
fn a_cancel_of_the_mirrors_order_is_a_bug() {
    let mut book = Book::new();
    let level = MirrorLevel {
        side: Side::Buy,
        price: ticks(1),
        quantity: lots(1),
    };
    book.mirror(MirrorScope::Changes, &[level], &mut Vec::new());
    let (order, _) = book.queue(Side::Buy, ticks(1)).next().unwrap();
    book.cancel(order);
}

#[test]
#[should_panic(expected = "more rests than the target")]
fn a_replay_that_leaves_more_than_the_target_is_a_bug() {
    let mut book = Book::new();
    book.restore_insert(ClientNumber::MIRROR, Side::Buy, ticks(1), lots(2));
    let level = MirrorLevel {
        side: Side::Buy,
        price: ticks(1),
        quantity: lots(1),
    };
    book.restore_mirror(MirrorScope::Changes, &[level]);
}

//! Who trades with whom, and at which price.

mod time_in_force;

use super::notation::given;

#[test]
fn price_comes_before_time_and_time_before_size() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 4 @ 100.02 as #9")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 takes 2 @ 100.01 from #2
        #9 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #2:7
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    );
}

#[test]
fn a_seller_takes_the_highest_bid_first() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob sells 8 @ 99.00 as #9")
    .then(
        "
        #9 takes 7 @ 100.00 from #4
        #9 takes 1 @ 99.00 from #5
        #9 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        ",
    );
}

#[test]
fn a_trade_is_at_the_makers_price() {
    given(
        "
        bids |  price | asks
             | 100.01 | #1:2
        ",
    )
    .when("bob buys 2 @ 250.00 as #9")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 filled
        ",
    )
    .leaves("bids | price | asks");
}

#[test]
fn a_market_order_trades_at_any_price() {
    given(
        "
        bids |         price | asks
             | 9999999999.99 | #2:5
             |        100.01 | #1:2
        ",
    )
    .when("bob buys 3 at market as #9")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 takes 1 @ 9999999999.99 from #2
        #9 filled
        ",
    )
    .leaves(
        "
        bids |         price | asks
             | 9999999999.99 | #2:4
        ",
    );
}

#[test]
fn a_market_order_that_meets_an_empty_side_is_rejected() {
    given(
        "
        bids |  price | asks
        #4:7 | 100.00 |
        ",
    )
    .when("bob buys 1 at market as #9")
    .then("#9 rejected: no liquidity")
    .leaves(
        "
        bids |  price | asks
        #4:7 | 100.00 |
        ",
    );
}

#[test]
fn a_maker_that_is_partly_taken_keeps_its_place() {
    given(
        "
        bids |  price | asks
             | 100.00 | #1:5 #2:5
        ",
    )
    .when(
        "
        bob buys 3 at market as #9
        bob buys 3 at market as #10
        ",
    )
    .then(
        "
        #9 takes 3 @ 100.00 from #1
        #9 filled
        #10 takes 2 @ 100.00 from #1
        #10 takes 1 @ 100.00 from #2
        #10 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.00 | #2:4
        ",
    );
}

#[test]
fn the_least_and_the_greatest_price_trade_and_rest() {
    given(
        "
        bids |          price | asks
             | 10000000000.00 | #2:1
        #1:1 |           0.01 |
        ",
    )
    .when(
        "
        bob buys 2 @ 10000000000.00 as #3
        bob sells 4 @ 0.01 as #4
        ",
    )
    .then(
        "
        #3 takes 1 @ 10000000000.00 from #2
        #3 rests 1
        #4 takes 1 @ 10000000000.00 from #3
        #4 takes 1 @ 0.01 from #1
        #4 rests 2
        ",
    )
    .leaves(
        "
        bids | price | asks
             |  0.01 | #4:2
        ",
    );
}

#[test]
fn a_levels_total_may_exceed_what_one_order_can_have() {
    given(
        "
        bids |  price | asks
             | 100.00 | #1:1000000000000 #2:1000000000000
        ",
    )
    .when("bob buys 1000000000000 @ 100.00 as #9 fok")
    .then(
        "
        #9 takes 1000000000000 @ 100.00 from #1
        #9 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.00 | #2:1000000000000
        ",
    );
}

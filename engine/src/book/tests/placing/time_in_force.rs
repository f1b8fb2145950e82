//! What becomes of what does not trade at once: it rests, or is gone, or nothing is done at all.

use super::given;

#[test]
fn the_remainder_of_a_gtc_order_rests_at_its_limit() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 12 @ 100.01 as #9")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 takes 9 @ 100.01 from #2
        #9 rests 1
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
        #9:1 | 100.01 |
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    );
}

#[test]
fn an_order_that_meets_no_one_rests_behind_those_before_it() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 3 @ 100.00 as #9")
    .then(
        "
        #9 rests 3
        ",
    )
    .leaves(
        "
        bids      |  price | asks
                  | 100.02 | #3:5
                  | 100.01 | #1:2 #2:9
        #4:7 #9:3 | 100.00 |
        #5:1      |  99.00 |
        ",
    );
}

#[test]
fn an_order_may_rest_between_bid_and_ask() {
    given(
        "
        bids |  price | asks
             | 100.05 | #1:1
        #2:1 | 100.00 |
        ",
    )
    .when("bob sells 3 @ 100.03 as #9")
    .then("#9 rests 3")
    .leaves(
        "
        bids |  price | asks
             | 100.05 | #1:1
             | 100.03 | #9:3
        #2:1 | 100.00 |
        ",
    );
}

#[test]
fn what_an_ioc_order_cannot_trade_is_gone() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 12 @ 100.01 as #9 ioc")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 takes 9 @ 100.01 from #2
        #9 leaves 1: limit reached
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    );
}

#[test]
fn an_ioc_order_that_meets_no_one_is_gone() {
    given(
        "
        bids |  price | asks
             | 100.05 | #1:1
        ",
    )
    .when(
        "
        bob buys 3 @ 100.04 as #9 ioc
        bob sells 3 @ 100.04 as #10 ioc
        ",
    )
    .then(
        "
        #9 leaves 3: limit reached
        #10 leaves 3: limit reached
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.05 | #1:1
        ",
    );
}

#[test]
fn an_ioc_order_that_is_filled_leaves_nothing() {
    given(
        "
        bids |  price | asks
             | 100.05 | #1:2
        ",
    )
    .when("bob buys 1 @ 100.05 as #9 ioc")
    .then(
        "
        #9 takes 1 @ 100.05 from #1
        #9 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.05 | #1:1
        ",
    );
}

#[test]
fn a_fok_order_trades_whole_over_several_levels() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 16 @ 100.02 as #9 fok")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 takes 9 @ 100.01 from #2
        #9 takes 5 @ 100.02 from #3
        #9 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    );
}

#[test]
fn a_fok_order_that_one_lot_is_missing_for_changes_nothing() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 17 @ 100.02 as #9 fok")
    .then("#9 rejected: fok not fillable")
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    );
}

#[test]
fn a_fok_order_does_not_count_what_is_beyond_its_limit() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 12 @ 100.01 as #9 fok")
    .then("#9 rejected: fok not fillable")
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    );
}

#[test]
fn a_fok_order_in_an_empty_book_is_rejected() {
    given("bids | price | asks")
        .when("bob buys 1 @ 100.01 as #9 fok")
        .then("#9 rejected: fok not fillable")
        .leaves("bids | price | asks");
}

#[test]
fn a_post_only_order_that_meets_no_one_rests() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob buys 3 @ 100.00 as #9 post_only")
    .then("#9 rests 3")
    .leaves(
        "
        bids      |  price | asks
                  | 100.02 | #3:5
                  | 100.01 | #1:2 #2:9
        #4:7 #9:3 | 100.00 |
        #5:1      |  99.00 |
        ",
    );
}

#[test]
fn a_post_only_order_that_would_trade_is_rejected() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when(
        "
        bob buys 3 @ 100.01 as #9 post_only
        bob sells 3 @ 100.00 as #10 post_only
        ",
    )
    .then(
        "
        #9 rejected: post-only would cross
        #10 rejected: post-only would cross
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    );
}

#[test]
fn a_market_order_that_empties_the_side_leaves_its_remainder() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
        #5:1 |  99.00 |
        ",
    )
    .when("bob sells 9 at market as #9")
    .then(
        "
        #9 takes 7 @ 100.00 from #4
        #9 takes 1 @ 99.00 from #5
        #9 leaves 1: book exhausted
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

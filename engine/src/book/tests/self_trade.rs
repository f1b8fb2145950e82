//! What happens when an order meets its own client's.

use super::notation::given;

#[test]
fn without_prevention_a_client_trades_with_itself() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when("bob buys 4 @ 100.01 as #9")
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
             | 100.01 | #2:2 #4:3
        ",
    );
}

#[test]
fn cancel_taker_ends_the_taker_where_it_meets_its_own() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when("bob buys 4 @ 100.01 as #9 cancel_taker")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 leaves 2: self trade
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #2:4 #4:3
        ",
    );
}

#[test]
fn cancel_maker_takes_the_own_order_away_and_goes_on() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when("bob buys 6 @ 100.02 as #9 cancel_maker")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #2 cancelled: self trade
        #9 takes 3 @ 100.01 from #4
        #9 takes 1 @ 100.02 from #3
        #9 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:4
        ",
    );
}

#[test]
fn cancel_both_takes_both_away() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when("bob buys 6 @ 100.02 as #9 cancel_both")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #2 cancelled: self trade
        #9 leaves 4: self trade
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #4:3
        ",
    );
}

#[test]
fn a_taker_that_is_full_before_it_meets_its_own_changes_nothing_of_it() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when(
        "
        bob buys 1 @ 100.01 as #9 cancel_taker
        bob buys 1 @ 100.01 as #10 cancel_both
        ",
    )
    .then(
        "
        #9 takes 1 @ 100.01 from #1
        #9 filled
        #10 takes 1 @ 100.01 from #1
        #10 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #2:4 #4:3
        ",
    );
}

#[test]
fn the_setting_of_the_resting_order_means_nothing() {
    given("bids | price | asks")
        .when(
            "
        bob sells 2 @ 100.00 as #1 cancel_both
        bob buys 1 @ 100.00 as #2
        ",
        )
        .then(
            "
        #1 rests 2
        #2 takes 1 @ 100.00 from #1
        #2 filled
        ",
        )
        .leaves(
            "
        bids |  price | asks
             | 100.00 | #1:1
        ",
        );
}

#[test]
fn prevention_looks_at_the_client_alone() {
    given(
        "
        bids |  price | asks
             | 100.00 | ann#1:2
        ",
    )
    .when("bob buys 1 @ 100.00 as #2 cancel_both")
    .then(
        "
        #2 takes 1 @ 100.00 from #1
        #2 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.00 | #1:1
        ",
    );
}

#[test]
fn a_gtc_order_rests_once_its_own_are_out_of_its_way() {
    given(
        "
        bids |  price | asks
             | 100.01 | bob#1:2
             | 100.00 | bob#2:4
        ",
    )
    .when("bob buys 3 @ 100.01 as #9 cancel_maker")
    .then(
        "
        #2 cancelled: self trade
        #1 cancelled: self trade
        #9 rests 3
        ",
    )
    .leaves(
        "
        bids |  price | asks
        #9:3 | 100.01 |
        ",
    );
}

#[test]
fn an_ioc_order_whose_own_stood_in_its_way_reaches_its_limit() {
    given(
        "
        bids |  price | asks
             | 100.01 | #1:2
             | 100.00 | bob#2:4
        ",
    )
    .when("bob buys 3 @ 100.00 as #9 ioc cancel_maker")
    .then(
        "
        #2 cancelled: self trade
        #9 leaves 3: limit reached
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.01 | #1:2
        ",
    );
}

#[test]
fn an_ioc_order_that_met_its_own_ends_by_self_trade() {
    given(
        "
        bids |  price | asks
             | 100.00 | bob#2:4
        ",
    )
    .when(
        "
        bob buys 3 @ 100.00 as #9 ioc cancel_taker
        bob buys 3 @ 100.00 as #10 ioc cancel_both
        ",
    )
    .then(
        "
        #9 leaves 3: self trade
        #2 cancelled: self trade
        #10 leaves 3: self trade
        ",
    )
    .leaves("bids | price | asks");
}

#[test]
fn a_market_order_that_met_only_its_own_exhausts_the_book() {
    given(
        "
        bids |  price | asks
             | 100.01 | bob#1:2
             | 100.00 | bob#2:4
        ",
    )
    .when("bob buys 3 at market as #9 cancel_maker")
    .then(
        "
        #2 cancelled: self trade
        #1 cancelled: self trade
        #9 leaves 3: book exhausted
        ",
    )
    .leaves("bids | price | asks");
}

#[test]
fn a_market_order_may_end_at_its_own() {
    given(
        "
        bids |  price | asks
             | 100.01 | bob#1:2
             | 100.00 | #2:2
        ",
    )
    .when(
        "
        bob buys 3 at market as #9 cancel_taker
        bob buys 3 at market as #10 cancel_both
        ",
    )
    .then(
        "
        #9 takes 2 @ 100.00 from #2
        #9 leaves 1: self trade
        #1 cancelled: self trade
        #10 leaves 3: self trade
        ",
    )
    .leaves("bids | price | asks");
}

#[test]
fn a_post_only_order_is_refused_by_its_own_too() {
    given(
        "
        bids |  price | asks
             | 100.00 | bob#1:2
        ",
    )
    .when(
        "
        bob buys 3 @ 100.00 as #9 post_only
        bob buys 3 @ 100.00 as #10 post_only cancel_taker
        bob buys 3 @ 100.00 as #11 post_only cancel_maker
        bob buys 3 @ 100.00 as #12 post_only cancel_both
        ",
    )
    .then(
        "
        #9 rejected: post-only would cross
        #10 rejected: post-only would cross
        #11 rejected: post-only would cross
        #12 rejected: post-only would cross
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.00 | #1:2
        ",
    );
}

#[test]
fn for_a_fok_order_its_own_are_liquidity_only_without_prevention() {
    given(
        "
        bids |  price | asks
             | 100.00 | #1:2 bob#2:4
        ",
    )
    .when(
        "
        bob buys 6 @ 100.00 as #9 fok cancel_taker
        bob buys 6 @ 100.00 as #10 fok cancel_maker
        bob buys 6 @ 100.00 as #11 fok cancel_both
        bob buys 6 @ 100.00 as #12 fok
        ",
    )
    .then(
        "
        #9 rejected: fok not fillable
        #10 rejected: fok not fillable
        #11 rejected: fok not fillable
        #12 takes 2 @ 100.00 from #1
        #12 takes 4 @ 100.00 from #2
        #12 filled
        ",
    )
    .leaves("bids | price | asks");
}

#[test]
fn a_fok_order_with_cancel_maker_is_filled_past_its_own() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when("bob buys 10 @ 100.02 as #9 fok cancel_maker")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #2 cancelled: self trade
        #9 takes 3 @ 100.01 from #4
        #9 takes 5 @ 100.02 from #3
        #9 filled
        ",
    )
    .leaves("bids | price | asks");
}

#[test]
fn a_fok_order_that_its_own_would_end_is_never_partly_filled() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when(
        "
        bob buys 3 @ 100.02 as #9 fok cancel_taker
        bob buys 3 @ 100.02 as #10 fok cancel_both
        ",
    )
    .then(
        "
        #9 rejected: fok not fillable
        #10 rejected: fok not fillable
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:4 #4:3
        ",
    );
}

#[test]
fn a_fok_order_that_is_full_right_before_its_own_trades() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 bob#2:4 #4:3
        ",
    )
    .when("bob buys 2 @ 100.02 as #9 fok cancel_both")
    .then(
        "
        #9 takes 2 @ 100.01 from #1
        #9 filled
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #2:4 #4:3
        ",
    );
}

#[test]
fn a_maker_may_be_cancelled_between_two_that_trade() {
    given(
        "
        bids                      |  price | asks
        bob#1:1 #2:1 bob#3:1 #4:1 | 100.00 |
        ",
    )
    .when("bob sells 2 @ 100.00 as #9 cancel_maker")
    .then(
        "
        #1 cancelled: self trade
        #9 takes 1 @ 100.00 from #2
        #3 cancelled: self trade
        #9 takes 1 @ 100.00 from #4
        #9 filled
        ",
    )
    .leaves("bids | price | asks");
}

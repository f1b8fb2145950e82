//! Additions that reach the other side trade with clients and never with the mirror.

use super::given;

#[test]
fn an_addition_takes_the_clients_it_reaches_and_counts_what_it_took() {
    given(
        "
        bids |  price | asks
             | 101.00 | #1:2
             | 100.50 | #2:1 #3:1
        ",
    )
    .when("mirror bid 101.00 9")
    .then(
        "
        m1 bids 9 @ 101.00
        m1 takes 1 @ 100.50 from #2
        m1 takes 1 @ 100.50 from #3
        m1 takes 2 @ 101.00 from #1
        m1 rests 5
        ",
    )
    .leaves(
        "
        bids |   price | asks
        m1:5 | *101.00 |
        ",
    );
}

#[test]
fn an_addition_may_trade_away_whole() {
    given(
        "
        bids |  price | asks
             | 101.00 | #1:9
        ",
    )
    .when("mirror bid 101.00 4")
    .then(
        "
        m1 bids 4 @ 101.00
        m1 takes 4 @ 101.00 from #1
        ",
    )
    .leaves(
        "
        bids |   price | asks
             | *101.00 | #1:5
        ",
    );
}

#[test]
fn the_better_addition_takes_first() {
    given(
        "
        bids |  price | asks
             | 100.00 | #1:5
        ",
    )
    .when("mirror bid 100.00 3 bid 101.00 3")
    .then(
        "
        m1 bids 3 @ 101.00
        m1 takes 3 @ 100.00 from #1
        m2 bids 3 @ 100.00
        m2 takes 2 @ 100.00 from #1
        m2 rests 1
        ",
    )
    .leaves(
        "
        bids |   price | asks
             | *101.00 |
        m2:1 | *100.00 |
        ",
    );
}

#[test]
fn the_mirror_never_trades_with_itself() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:2
        ",
    )
    .when("mirror bid 101.00 3 bid 100.00 1")
    .then(
        "
        m2 bids 1 @ 100.00
        m2 rests 1
        ",
    )
    .when("mirror")
    .then("")
    .when("mirror ask 101.00 0")
    .then(
        "
        m1 removed
        m3 bids 3 @ 101.00
        m3 rests 3
        ",
    )
    .leaves(
        "
        bids |  price | asks
        m3:3 | 101.00 |
        m2:1 | 100.00 |
        ",
    );
}

#[test]
fn what_would_cross_the_mirror_is_left_out_whole_and_is_short() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:2
             | 100.50 | #1:9
        ",
    )
    .when("mirror bid 101.00 3")
    .then("")
    .leaves(
        "
        bids |   price | asks
             | *101.00 | m1:2
             |  100.50 | #1:9
        ",
    );
}

#[test]
fn of_a_crossed_source_the_bids_come_first() {
    given("bids | price | asks")
        .when("mirror bid 101.00 3 ask 100.00 2")
        .then(
            "
        m1 bids 3 @ 101.00
        m1 rests 3
        ",
        )
        .leaves(
            "
        bids |  price  | asks
        m1:3 | 101.00  |
             | 100.00* |
        ",
        );
}

#[test]
fn what_was_left_out_comes_in_once_trades_made_way() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:2
        ",
    )
    .when("mirror bid 101.00 3")
    .then("")
    .when("bob buys 2 at market as #1")
    .then(
        "
        #1 takes 2 @ 101.00 from m1
        #1 filled
        ",
    )
    .when("mirror")
    .then(
        "
        m2 bids 3 @ 101.00
        m2 rests 3
        ",
    )
    .leaves(
        "
        bids |  price  | asks
        m2:3 | 101.00* |
        ",
    );
}

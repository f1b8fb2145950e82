//! What trades took of the mirror is short until an update brings it back.

use super::given;

#[test]
fn what_trades_took_is_short_until_the_next_update_whatever_it_names() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:5
        m2:5 | 100.00 |
        ",
    )
    .when("bob buys 2 at market as #1")
    .then(
        "
        #1 takes 2 @ 101.00 from m1
        #1 filled
        ",
    )
    .when("mirror bid 99.00 1")
    .then(
        "
        m3 bids 1 @ 99.00
        m3 rests 1
        m4 asks 2 @ 101.00
        m4 rests 2
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 101.00 | m1:3 m4:2
        m2:5 | 100.00 |
        m3:1 |  99.00 |
        ",
    );
}

#[test]
fn an_empty_update_tops_up_what_is_short() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:5 #1:1
        ",
    )
    .when("bob buys 4 at market as #2")
    .then(
        "
        #2 takes 4 @ 101.00 from m1
        #2 filled
        ",
    )
    .when("mirror")
    .then(
        "
        m2 asks 4 @ 101.00
        m2 rests 4
        ",
    )
    .when("mirror")
    .then("")
    .leaves(
        "
        bids |  price | asks
             | 101.00 | m1:1 #1:1 m2:4
        ",
    );
}

#[test]
fn a_target_met_by_what_trades_left_needs_no_order() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:5
        ",
    )
    .when("bob buys 2 at market as #2")
    .then(
        "
        #2 takes 2 @ 101.00 from m1
        #2 filled
        ",
    )
    .when("mirror ask 101.00 3")
    .then("")
    .leaves(
        "
        bids |  price | asks
             | 101.00 | m1:3
        ",
    );
}

#[test]
fn after_the_oldest_has_traded_the_newest_is_still_reduced_first() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:2 m2:2 m3:2
        ",
    )
    .when("bob buys 3 at market as #2")
    .then(
        "
        #2 takes 2 @ 101.00 from m1
        #2 takes 1 @ 101.00 from m2
        #2 filled
        ",
    )
    .when("mirror ask 101.00 1")
    .then(
        "
        m3 removed
        ",
    )
    .when("mirror ask 101.00 0")
    .then("m2 removed")
    .leaves("bids | price | asks");
}

#[test]
fn a_level_that_traded_away_comes_back_as_one_order() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:2 m2:2 m3:2
        ",
    )
    .when("bob buys 6 at market as #2")
    .then(
        "
        #2 takes 2 @ 101.00 from m1
        #2 takes 2 @ 101.00 from m2
        #2 takes 2 @ 101.00 from m3
        #2 filled
        ",
    )
    .when("mirror")
    .then(
        "
        m4 asks 6 @ 101.00
        m4 rests 6
        ",
    )
    .leaves(
        "
        bids |  price | asks
             | 101.00 | m4:6
        ",
    );
}

#[test]
fn the_next_update_tops_up_what_an_addition_took() {
    given(
        "
        bids |  price | asks
             | 101.00 | #1:2
        ",
    )
    .when("mirror bid 101.00 9")
    .then(
        "
        m1 bids 9 @ 101.00
        m1 takes 2 @ 101.00 from #1
        m1 rests 7
        ",
    )
    .when("mirror")
    .then(
        "
        m2 bids 2 @ 101.00
        m2 rests 2
        ",
    )
    .leaves(
        "
        bids      |  price | asks
        m1:7 m2:2 | 101.00 |
        ",
    );
}

//! Another exchange's depth as resting orders.

mod crossing;
mod shortfall;

use super::notation::given;

#[test]
fn an_update_brings_its_levels_to_their_targets() {
    given("bids | price | asks")
        .when("mirror bid 99.00 5 bid 100.00 2 ask 101.00 4 ask 100.50 1")
        .then(
            "
        m1 bids 2 @ 100.00
        m1 rests 2
        m2 bids 5 @ 99.00
        m2 rests 5
        m3 asks 1 @ 100.50
        m3 rests 1
        m4 asks 4 @ 101.00
        m4 rests 4
        ",
        )
        .leaves(
            "
        bids |  price | asks
             | 101.00 | m4:4
             | 100.50 | m3:1
        m1:2 | 100.00 |
        m2:5 |  99.00 |
        ",
        );
}

#[test]
fn what_a_level_gains_queues_behind_everyone() {
    given(
        "
        bids      |  price | asks
        m1:5 #1:3 | 100.00 |
        ",
    )
    .when("mirror bid 100.00 7")
    .then(
        "
        m2 bids 2 @ 100.00
        m2 rests 2
        ",
    )
    .leaves(
        "
        bids           |  price | asks
        m1:5 #1:3 m2:2 | 100.00 |
        ",
    );
}

#[test]
fn what_a_level_loses_its_newest_lose_first() {
    given(
        "
        bids                |  price | asks
        m1:5 #1:3 m2:2 m3:4 | 100.00 |
        ",
    )
    .when("mirror bid 100.00 6")
    .then(
        "
        m3 removed
        m2 reduced by 1
        ",
    )
    .leaves(
        "
        bids           |  price | asks
        m1:5 #1:3 m2:1 | 100.00 |
        ",
    );
}

#[test]
fn a_target_of_nothing_takes_the_level_away_and_leaves_the_clients() {
    given(
        "
        bids           |  price | asks
        m1:5 #1:3 m2:2 | 100.00 |
        m3:1           |  99.00 |
        ",
    )
    .when("mirror bid 100.00 0 bid 99.00 0 bid 98.00 0")
    .then(
        "
        m2 removed
        m1 removed
        m3 removed
        ",
    )
    .leaves(
        "
        bids |  price | asks
        #1:3 | 100.00 |
        ",
    );
}

#[test]
fn a_client_gains_only_what_the_mirror_took_away_ahead_of_it() {
    given(
        "
        bids           |  price | asks
        m1:5 #1:3 m2:2 | 100.00 |
        ",
    )
    .when("mirror bid 100.00 4")
    .then(
        "
        m2 removed
        m1 reduced by 1
        ",
    )
    .when("mirror bid 100.00 9")
    .then(
        "
        m3 bids 5 @ 100.00
        m3 rests 5
        ",
    )
    .leaves(
        "
        bids           |  price | asks
        m1:4 #1:3 m3:5 | 100.00 |
        ",
    );
}

#[test]
fn an_update_that_says_what_is_there_changes_nothing() {
    given(
        "
        bids           |  price | asks
        m1:5 #1:3 m2:2 | 100.00 |
        ",
    )
    .when(
        "
        mirror bid 100.00 7
        mirror
        mirror whole bid 100.00 7
        mirror bid 90.00 0
        ",
    )
    .then("")
    .leaves(
        "
        bids           |  price | asks
        m1:5 #1:3 m2:2 | 100.00 |
        ",
    );
}

#[test]
fn a_level_named_twice_gets_its_last_target() {
    given(
        "
        bids |  price | asks
        m1:5 | 100.00 |
        ",
    )
    .when(
        "
        mirror bid 100.00 9 bid 100.00 5
        mirror whole bid 99.00 4 bid 100.00 5 bid 99.00 0
        mirror bid 100.00 1 bid 100.00 6
        ",
    )
    .then(
        "
        m2 bids 1 @ 100.00
        m2 rests 1
        ",
    )
    .leaves(
        "
        bids      |  price | asks
        m1:5 m2:1 | 100.00 |
        ",
    );
}

#[test]
fn a_whole_update_takes_away_what_it_does_not_name() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:5 #1:1
        m2:5 | 100.00 |
        m3:2 |  99.00 |
        ",
    )
    .when("mirror whole bid 100.00 6")
    .then(
        "
        m3 removed
        m1 removed
        m4 bids 1 @ 100.00
        m4 rests 1
        ",
    )
    .leaves(
        "
        bids      |  price | asks
                  | 101.00 | #1:1
        m2:5 m4:1 | 100.00 |
        ",
    );
}

#[test]
fn a_trade_makes_a_level_short() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:5 #1:1
        m2:5 | 100.00 |
        ",
    )
    .when(
        "
        bob buys 6 at market as #2
        bob sells 1 at market as #3
        ",
    )
    .then(
        "
        #2 takes 5 @ 101.00 from m1
        #2 takes 1 @ 101.00 from #1
        #2 filled
        #3 takes 1 @ 100.00 from m2
        #3 filled
        ",
    )
    .leaves(
        "
        bids |   price  | asks
             |  101.00* |
        m2:4 | *100.00  |
        ",
    );
}

#[test]
fn reductions_come_before_additions() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:2
        m2:2 | 100.00 |
        ",
    )
    .when("mirror bid 101.00 3 ask 101.00 0")
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
        m2:2 | 100.00 |
        ",
    );
}

#[test]
fn a_withdrawal_takes_everything_mirrored_and_forgets_what_was_short() {
    given(
        "
        bids      |  price | asks
                  | 101.00 | m1:5 #1:1
        #2:1 m2:5 | 100.00 |
        ",
    )
    .when("bob buys 2 at market as #3")
    .then(
        "
        #3 takes 2 @ 101.00 from m1
        #3 filled
        ",
    )
    .when("withdraw mirror")
    .then(
        "
        m2 removed
        m1 removed
        ",
    )
    .when("mirror")
    .then("")
    .leaves(
        "
        bids |  price | asks
             | 101.00 | #1:1
        #2:1 | 100.00 |
        ",
    );
}

#[test]
fn no_prevention_stands_between_clients_and_the_mirror() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:5
        ",
    )
    .when("bob buys 2 at market as #3 cancel_both")
    .then(
        "
        #3 takes 2 @ 101.00 from m1
        #3 filled
        ",
    )
    .leaves(
        "
        bids |  price  | asks
             | 101.00* | m1:3
        ",
    );
}

#[test]
fn a_fok_order_counts_the_mirror_in() {
    given(
        "
        bids |  price | asks
             | 101.00 | #1:1 m1:5
        ",
    )
    .when("bob buys 6 @ 101.00 as #3 fok cancel_both")
    .then(
        "
        #3 takes 1 @ 101.00 from #1
        #3 takes 5 @ 101.00 from m1
        #3 filled
        ",
    )
    .leaves(
        "
        bids |  price  | asks
             | 101.00* |
        ",
    );
}

#[test]
fn levels_far_from_the_touch_are_mirrored_too() {
    given(
        "
        bids |  price | asks
             | 101.00 | m1:5
        ",
    )
    .when("mirror ask 9000000000.00 2 bid 0.01 1")
    .then(
        "
        m2 bids 1 @ 0.01
        m2 rests 1
        m3 asks 2 @ 9000000000.00
        m3 rests 2
        ",
    )
    .when("mirror ask 9000000000.00 1 bid 0.01 0")
    .then(
        "
        m2 removed
        m3 reduced by 1
        ",
    )
    .leaves(
        "
        bids |         price | asks
             | 9000000000.00 | m3:1
             |        101.00 | m1:5
        ",
    );
}

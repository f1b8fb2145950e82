//! Cancels and amends, by whom they may be, and what they leave of an order's place.

use expect_test::expect;

use super::{given, usual};

#[test]
fn an_order_is_cancelled_by_its_client_or_by_anyone_without_keys() {
    given(usual()).goes(&expect![[r#"
        alice buys 5 @ 100.00 as #1
            1.
        bob cancels #1
            refused: no such order is open
        bob cancels #nothing
            refused: no such order is open
        alice cancels #1
            2. #1 cancelled: Requested
        alice cancels #1
            refused: no such order is open
        alice buys 5 @ 100.00 as #2
            3.
        anyone cancels #2
            4. #2 cancelled: Requested
        anyone cancels #binance-depth:1:1
            refused: the order is the feed's
        alice amends #binance-depth:1:1 to 5
            refused: the order is the feed's
    "#]]);
}

#[test]
fn an_amend_keeps_its_place_only_for_the_same_price_and_no_more() {
    given(usual()).goes(&expect![[r#"
        alice buys 5 @ 100.00 as #1
            1.
        bob buys 5 @ 100.00 as #2
            2.
        carol buys 5 @ 100.00 as #3
            3.
        alice amends #1 to 4
            4. #1 is 4 @ 100.00 and keeps its place
        alice amends #1 to 4 @ 100.00
            5. #1 is 4 @ 100.00 and keeps its place
        book
            #1:4 #2:5 #3:5 | 100.00 |
        bob amends #2 to 6
            6. #2 is 6 @ 100.00 and comes in anew
        book
            #1:4 #3:5 #2:6 | 100.00 |
        carol amends #3 to @ 100.01
            7. #3 is 5 @ 100.01 and comes in anew
        book
                    #3:5 | 100.01 |
               #1:4 #2:6 | 100.00 |
        dave sells 1 at market as #4
            8. trade 1: 1 @ 100.01 from #3
        carol amends #3 to 1
            refused: the quantity is not above what has been filled
        carol amends #3 to 2
            9. #3 is 2 @ 100.01 and keeps its place
        book
                    #3:1 | 100.01 |
               #1:4 #2:6 | 100.00 |
    "#]]);
}

#[test]
fn an_amend_that_reaches_the_other_side_trades_at_once() {
    given(usual()).goes(&expect![[r#"
        alice buys 5 @ 99.00 as #1
            1.
        bob sells 2 @ 100.00 as #2
            2.
        bob sells 2 @ 101.00 as #3
            3.
        alice amends #1 to @ 100.00
            4.
            #1 is 5 @ 100.00 and comes in anew
            trade 1: 2 @ 100.00 from #2
        book
                         | 101.00 | #3:2
                    #1:3 | 100.00 |
        alice amends #1 to 4 @ 101.00
            5.
            #1 is 4 @ 101.00 and comes in anew
            trade 2: 2 @ 101.00 from #3
        book
        alice buys 1 @ 99.00 as #1
            refused: the order id was used before on this instrument
    "#]]);
}

#[test]
fn an_amend_prevents_self_trades_as_its_order_says() {
    given(usual()).goes(&expect![[r#"
        alice sells 2 @ 100.00 as #1
            1.
        alice sells 2 @ 101.00 as #2
            2.
        alice buys 5 @ 99.00 cancel_maker as #3
            3.
        alice amends #3 to @ 100.00
            4.
            #3 is 5 @ 100.00 and comes in anew
            #1 cancelled: SelfTrade
        book
                         | 101.00 | #2:2
                    #3:5 | 100.00 |
        alice buys 5 @ 99.00 cancel_taker as #4
            5.
        alice amends #4 to @ 101.00
            6.
            #4 is 5 @ 101.00 and comes in anew
            #4 cancelled: SelfTrade
        alice buys 5 @ 99.00 cancel_both as #5
            7.
        alice amends #5 to @ 101.00
            8.
            #5 is 5 @ 101.00 and comes in anew
            #2 cancelled: SelfTrade
            #5 cancelled: SelfTrade
        book
                    #3:5 | 100.00 |
    "#]]);
}

#[test]
fn an_amend_that_may_not_be_changes_nothing() {
    given(usual()).goes(&expect![[r#"
        alice sells 2 @ 100.00 as #1
            1.
        bob buys 5 @ 100.00 as #2
            2. trade 1: 2 @ 100.00 from #1
        bob amends #2 to 2
            refused: the quantity is not above what has been filled
        bob amends #2 to 1001
            refused: the quantity is above the instrument's maximum
        bob amends #2 to 3 @ 0.01
            refused: the notional is below the instrument's minimum
        bob amends #2 to @ 110.01
            refused: PriceOutsideBand
        alice amends #2 to 4
            refused: no such order is open
        alice sells 2 @ 101.00 post_only as #3
            3.
        alice amends #3 to @ 100.00
            refused: PostOnlyWouldCross
        alice amends #3 to @ 100.50
            4. #3 is 2 @ 100.50 and comes in anew
        halt
            5.
        bob amends #2 to 4
            refused: InstrumentHalted
        bob amends #2 to 2
            refused: the quantity is not above what has been filled
        bob cancels #2
            6. #2 cancelled: Requested
        book
                         | 100.50 | #3:2
    "#]]);
}

#[test]
fn an_amended_order_stays_as_old_as_it_was() {
    given(usual()).goes(&expect![[r#"
        alice buys 1 @ 100.00 as #1
            1.
        alice buys 1 @ 100.01 as #2
            2.
        alice buys 1 @ 100.02 as #3
            3.
        alice amends #2 to 2 @ 99.00
            4. #2 is 2 @ 99.00 and comes in anew
        alice amends #1 to 2
            5. #1 is 2 @ 100.00 and comes in anew
        alice amends #3 to 2
            6. #3 is 2 @ 100.02 and comes in anew
        all of alice go
            7.
            #1 cancelled: MassCancel
            #2 cancelled: MassCancel
            #3 cancelled: MassCancel
    "#]]);
}

#[test]
fn a_mass_cancel_takes_a_clients_orders_oldest_first() {
    given(usual()).goes(&expect![[r#"
        alice buys 1 @ 99.00 as #1
            1.
        alice sells 1 @ 101.00 as #2
            2.
        bob buys 1 @ 99.00 as #3
            3.
        alice buys 1 @ 98.00 as #4
            4.
        alice sells 1 @ 102.00 as #5
            5.
        alice buys 1 @ 97.00 as #6
            6.
        alice cancels #4
            7. #4 cancelled: Requested
        all of alice asks go
            8.
            #2 cancelled: MassCancel
            #5 cancelled: MassCancel
        all of alice asks go
            unchanged
        all of alice go
            9.
            #1 cancelled: MassCancel
            #6 cancelled: MassCancel
        all of alice go
            unchanged
        all of nobody go
            unchanged
        book
                    #3:1 |  99.00 |
    "#]]);
}

#[test]
fn a_mass_cancel_of_both_sides_goes_by_age_alone() {
    given(usual()).goes(&expect![[r#"
        alice buys 1 @ 99.00 as #1
            1.
        alice sells 1 @ 101.00 as #2
            2.
        alice sells 1 @ 103.00 as #3
            3.
        alice buys 1 @ 98.00 as #4
            4.
        all of alice go
            5.
            #1 cancelled: MassCancel
            #2 cancelled: MassCancel
            #3 cancelled: MassCancel
            #4 cancelled: MassCancel
    "#]]);
}

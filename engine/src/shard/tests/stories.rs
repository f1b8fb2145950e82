use expect_test::expect;

use super::free_instrument;
use super::transcript::{given, given_on};
use crate::shard::ShardLimits;

fn usual() -> ShardLimits {
    ShardLimits::default()
}

#[test]
fn orders_rest_trade_and_go_and_everything_is_numbered() {
    given(usual()).goes(&expect![[r#"
        alice sells 5 @ 100.01 as #1
            1.
        bob sells 3 @ 100.00 as #2
            2.
        carol buys 4 @ 100.02 as #3
            3.
            trade 1: 3 @ 100.00 from #2
            trade 2: 1 @ 100.01 from #1
        dave buys 9 at market as #4
            4.
            trade 3: 4 @ 100.01 from #1
            #4 cancelled: BookExhausted
        erin sells 1 at market as #5
            5. rejected: NoLiquidity
        erin buys 7 @ 99.00 ioc as #6
            6. #6 cancelled: IocRemainder
        erin buys 7 @ 99.00 fok as #7
            7. rejected: FokNotFillable
        erin buys 7 @ 99.00 as #8
            8.
        erin sells 1 @ 99.00 post_only as #9
            9. rejected: PostOnlyWouldCross
        book
                    #8:7 |  99.00 |
    "#]]);
}

#[test]
fn an_order_id_is_taken_while_it_is_open_and_a_while_after() {
    let limits = ShardLimits {
        order_ids: 2,
        ..usual()
    };
    given(limits).goes(&expect![[r#"
        alice buys 1 @ 100.00 as #1
            1.
        bob buys 1 @ 100.00 as #1
            refused: the order id was used before on this instrument
        alice cancels #1
            2. #1 cancelled: Requested
        bob buys 1 @ 100.00 as #1
            refused: the order id was used before on this instrument
        bob buys 1 @ 100.00 ioc as #2
            3. #2 cancelled: IocRemainder
        bob sells 1 at market as #3
            4. rejected: NoLiquidity
        bob buys 1 @ 100.00 as #1
            5.
        bob buys 1 @ 100.00 as #2
            refused: the order id was used before on this instrument
    "#]]);
}

#[test]
fn a_key_answers_as_it_did_first() {
    given(usual()).goes(&expect![[r#"
        bob sells 3 @ 100.00 as #1 key k
            1.
        alice buys 5 @ 100.00 as #2 key k
            2. trade 1: 3 @ 100.00 from #1
        carol sells 2 @ 100.00 as #3
            3. trade 2: 2 @ 100.00 from #2
        alice buys 5 @ 100.00 as #2 key k
            as before: #2 of 2, Resting, 3 filled in 1 trades from 1 on
        bob sells 3 @ 100.00 as #1 key k
            as before: #1 of 1, Resting, 0 filled in 0 trades from 1 on
        alice buys 4 @ 100.00 as #2 key k
            refused: the idempotency key was used before with another request
        alice buys 5 @ 100.00 as #4 key k
            refused: the idempotency key was used before with another request
        alice buys 5 @ 100.00 key k
            refused: the idempotency key was used before with another request
        alice buys 5 @ 100.00 post_only as #2 key k
            refused: the idempotency key was used before with another request
        alice buys 5 @ 100.00 as #2 cancel_taker key k
            refused: the idempotency key was used before with another request
        alice buys 5 @ 100.00 as #2 key another
            refused: the order id was used before on this instrument
    "#]]);
}

#[test]
fn an_id_left_out_compares_as_left_out() {
    given(usual()).goes(&expect![[r#"
        alice buys 5 @ 100.00 key k
            1.
        alice buys 5 @ 100.00 key k
            as before: #x1 of 1, Resting, 0 filled in 0 trades from 1 on
        alice buys 5 @ 100.00 as #x1 key k
            refused: the idempotency key was used before with another request
    "#]]);
}

#[test]
fn a_rejected_order_binds_its_key_and_a_refused_one_does_not() {
    given(usual()).goes(&expect![[r#"
        alice buys 5 at market as #1 key k
            1. rejected: NoLiquidity
        bob sells 5 @ 100.00 as #2
            2.
        alice buys 5 at market as #1 key k
            as before: #1 of 1, Rejected(NoLiquidity), 0 filled in 0 trades from 1 on
        alice buys 5 at market as #2 key j
            refused: the order id was used before on this instrument
        alice buys 5 at market as #3 key j
            3. trade 1: 5 @ 100.00 from #2
        alice buys 5 at market as #3 key j
            as before: #3 of 3, Filled, 5 filled in 1 trades from 1 on
    "#]]);
}

#[test]
fn keys_are_forgotten_by_number_and_by_age() {
    let limits = ShardLimits {
        idempotency_keys: 2,
        idempotency_age: std::time::Duration::from_secs(10),
        ..usual()
    };
    given(limits).goes(&expect![[r#"
        alice buys 1 @ 100.00 as #1 key k1
            1.
        alice buys 1 @ 100.00 as #2 key k2
            2.
        5s later
        alice buys 1 @ 100.00 as #3 key k3
            3.
        alice buys 1 @ 100.00 as #1 key k1
            refused: the order id was used before on this instrument
        alice buys 1 @ 100.00 as #2 key k2
            as before: #2 of 2, Resting, 0 filled in 0 trades from 1 on
        5s later
        alice buys 1 @ 100.00 as #9
            4.
        alice buys 1 @ 100.00 as #2 key k2
            as before: #2 of 2, Resting, 0 filled in 0 trades from 1 on
        1s later
        alice buys 1 @ 100.00 as #2 key k2
            refused: the order id was used before on this instrument
        alice buys 1 @ 100.00 as #3 key k3
            as before: #3 of 3, Resting, 0 filled in 0 trades from 1 on
        alice buys 1 @ 100.00 as #4 key k2
            5.
        alice buys 1 @ 100.00 as #4 key k2
            as before: #4 of 5, Resting, 0 filled in 0 trades from 1 on
    "#]]);
}

#[test]
fn rejections_come_in_their_order() {
    let limits = ShardLimits {
        open_orders_per_client: 1,
        ..usual()
    };
    given(limits).goes(&expect![[r#"
        alice sells 1 @ 100.00 as #1
            1.
        bob buys 1 @ 100.00 as #2
            2. trade 1: 1 @ 100.00 from #1
        alice sells 9 @ 100.00 as #3
            3.
        alice buys 1 @ 120.00 post_only as #4
            4. rejected: TooManyOpenOrders
        alice buys 1 @ 120.00 ioc as #5
            5. rejected: PriceOutsideBand
        bob buys 1 @ 120.00 post_only as #6
            6. rejected: PriceOutsideBand
        bob buys 1 @ 110.01 as #7
            7. rejected: PriceOutsideBand
        bob buys 1 @ 110.00 post_only as #8
            8. rejected: PostOnlyWouldCross
        bob buys 10 @ 110.00 fok as #9
            9. rejected: FokNotFillable
        bob sells 1 @ 89.99 as #10
            10. rejected: PriceOutsideBand
        bob sells 1 @ 90.00 as #11
            11.
        bob sells 1 @ 100.00 as #12
            12. rejected: TooManyOpenOrders
        alice sells 1 at market as #13
            13. rejected: NoLiquidity
        halt
            14.
        alice buys 1 @ 120.00 post_only as #14
            15. rejected: InstrumentHalted
        bob sells 1 at market as #15
            16. rejected: InstrumentHalted
        book
                         | 100.00 | #3:9
                         |  90.00 | #11:1
    "#]]);
}

#[test]
fn there_is_no_band_before_the_first_trade() {
    given(usual()).goes(&expect![[r#"
        alice sells 1 @ 100.00 as #1
            1.
        alice sells 1 @ 9999.00 as #2
            2.
    "#]]);
}

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

#[test]
fn self_trade_prevention_takes_the_maker_the_taker_or_both() {
    given(usual()).goes(&expect![[r#"
        alice sells 2 @ 100.00 as #1
            1.
        bob sells 2 @ 100.00 as #2
            2.
        alice buys 3 @ 100.00 cancel_maker as #3
            3.
            #1 cancelled: SelfTrade
            trade 1: 2 @ 100.00 from #2
        bob buys 1 at market cancel_taker as #4
            4. rejected: NoLiquidity
        book
                    #3:1 | 100.00 |
        alice sells 4 @ 101.00 as #5
            5.
        alice buys 9 @ 101.00 cancel_both as #6
            6.
            #5 cancelled: SelfTrade
            #6 cancelled: SelfTrade
        book
                    #3:1 | 100.00 |
        alice sells 4 @ 101.00 as #1
            refused: the order id was used before on this instrument
        alice sells 4 @ 101.00 as #5
            refused: the order id was used before on this instrument
        alice sells 4 @ 101.00 as #6
            refused: the order id was used before on this instrument
    "#]]);
}

#[test]
fn the_tape_is_taken_in_once() {
    given(usual()).goes(&expect![[r#"
        tape 5 buys 2
            1. rejected: NoLiquidity
        alice sells 5 @ 100.00 as #1
            2.
        tape 5 buys 2
            unchanged
        tape 6 buys 2
            3. trade 1: 2 @ 100.00 from #1
        tape 6 buys 2
            unchanged
        tape 4 buys 2
            unchanged
        tape 5-8 buys 2
            unchanged
        tape 8-10 buys 2
            4. trade 2: 2 @ 100.00 from #1
        tape 9 buys 2
            unchanged
        tape 11 buys 4
            5.
            trade 3: 1 @ 100.00 from #1
            it cancelled: BookExhausted
        halt
            6.
        tape 12 buys 1
            unchanged
        resume
            7.
        tape 12 buys 1
            8. rejected: NoLiquidity
        halt
            9.
        halt
            unchanged
        resume
            10.
        resume
            unchanged
    "#]]);
}

#[test]
fn a_day_is_closed_once_and_only_when_it_is_over() {
    given(usual()).goes(&expect![[r#"
        alice sells 1 @ 100.00 as #1
            1.
        close day 0
            refused: the day is not over
        86398s later
        close day 0
            refused: the day is not over
        1s later
        close day 1
            refused: the day is not over
        close day 0
            2.
        close day 0
            unchanged
        bob buys 1 @ 100.00 as #2
            3. trade 1: 1 @ 100.00 from #1
        halt
            4.
        259200s later
        close day 2
            5.
        close day 1
            unchanged
        close day 3
            6.
    "#]]);
}

#[test]
fn the_mirror_follows_its_source_and_never_its_past() {
    given_on(free_instrument(), usual()).goes(&expect![[r#"
        mirror 10/12 bid 99.00:3
            unchanged
        mirror whole 10/10 bid 99.00:3 ask 101.00:4
            1.
            m1.1 bids 3 @ 99.00
            m1.2 asks 4 @ 101.00
        mirror whole 10/10 bid 98.00:3
            unchanged
        mirror 10/10 bid 98.00:3
            unchanged
        mirror 10/11 bid 99.00:3
            unchanged
        mirror 10/12 bid 99.00:5 ask 101.00:1
            2.
            m1.2 is 1
            m2.1 bids 2 @ 99.00
        book
                         | 101.00 | m1.2:1
            m1.1:3 m2.1:2 |  99.00 |
        mirror 10/11 bid 97.00:5
            unchanged
        mirror whole 10/12 bid 97.00:5
            unchanged
        mirror whole 11/11 bid 97.00:5
            3.
            m2.1 cancelled: Mirror
            m1.1 cancelled: Mirror
            m1.2 cancelled: Mirror
            m3.1 bids 5 @ 97.00
        book
                  m3.1:5 |  97.00 |
        mirror 10/13 bid 96.00:1
            unchanged
        withdraw
            4. m3.1 cancelled: Mirror
        withdraw
            unchanged
        mirror 11/12 bid 96.00:1
            unchanged
        mirror whole 10/12 bid 96.00:1
            unchanged
        mirror whole 11/11 bid 96.00:1
            5. m5.1 bids 1 @ 96.00
        mirror 11/12 bid 96.00:2
            6. m6.1 bids 1 @ 96.00
        book
            m5.1:1 m6.1:1 |  96.00 |
        halt
            7.
            m6.1 cancelled: Mirror
            m5.1 cancelled: Mirror
        mirror whole 12/12 bid 96.00:1
            unchanged
        resume
            8.
        mirror 12/13 bid 96.00:1
            unchanged
        mirror whole 12/13
            9.
        mirror 12/14 ask 102.00:1
            10. m10.1 asks 1 @ 102.00
        book
                         | 102.00 | m10.1:1
    "#]]);
}

#[test]
fn the_mirror_and_clients_trade_and_a_mirrored_maker_brings_its_row() {
    given_on(free_instrument(), usual()).goes(&expect![[r#"
        alice buys 2 @ 100.00 as #1
            1.
        mirror whole 10/10 bid 99.00:3 ask 100.00:5
            2.
            m2.1 bids 3 @ 99.00
            m2.2 asks 5 @ 100.00
            trade 1: 2 @ 100.00 from #1
        book
                         | 100.00 | m2.2:3
                  m2.1:3 |  99.00 |
        bob buys 2 at market as #2
            3. trade 2: 2 @ 100.00 from m2.2, 2 of 5 traded before
        bob buys 1 @ 100.00 ioc as #3
            4. trade 3: 1 @ 100.00 from m2.2, 4 of 5 traded before
        mirror 10/11
            5. m5.1 asks 5 @ 100.00
        carol buys 1 @ 99.00 as #4
            6.
        mirror 10/12 bid 99.00:1
            7. m2.1 is 1
        book
                         | 100.00 | m5.1:5
             m2.1:1 #4:1 |  99.00 |
        tape 1 sells 2
            8.
            trade 4: 1 @ 99.00 from m2.1, 0 of 1 traded before
            trade 5: 1 @ 99.00 from #4
        mirror 10/13 bid 99.00:2
            9. m9.1 bids 2 @ 99.00
        book
                         | 100.00 | m5.1:5
                  m9.1:2 |  99.00 |
        all of binance-depth go
            unchanged
    "#]]);
}

//! Whole stories of a shard, as transcripts.

mod changes;
mod feed;

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

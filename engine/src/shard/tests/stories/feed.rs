//! The tape and the mirror, beside clients' orders.

use expect_test::expect;

use super::{free_instrument, given, given_on, usual};

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

//! Who trades with whom, and what becomes of the rest.

use super::notation::given;

#[test]
fn price_comes_before_time_and_time_before_size() {
    given(
        "
        bids |  price | asks
             | 100.02 | #3:5
             | 100.01 | #1:2 #2:9
        #4:7 | 100.00 |
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
        ",
    );
}

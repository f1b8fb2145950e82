//! Copies of all open orders, taken while records come in.

use proptest::prelude::*;

use super::naive::Naive;
use super::naive::steps::{Step, a_step};
use super::{LIMITS, instrument};
use crate::journal::{Durable, Position};
use crate::market_data::{Applied, MarketData, StandingOrders};

fn apply(naive: &mut Naive, market: &mut MarketData, steps: &[Step]) {
    for record in steps.iter().filter_map(|step| naive.step(step)) {
        let record = Durable::at(Position::new(1), &record);
        market.apply(record, &mut Applied::default());
    }
}

fn open_orders(naive: &Naive, market: &MarketData) -> StandingOrders {
    let open = naive.orders.iter().filter(|order| order.is_open());
    let mut orders: Vec<_> = open.cloned().collect();
    orders.sort_by_key(|order| order.placed);
    let sequence = market.sequence();
    StandingOrders { sequence, orders }
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(a_step(), 0..most)
}

proptest! {
    #[test]
    fn a_copy_is_of_one_sequence_whatever_happens_while_it_is_taken(
        before in steps(60),
        meanwhile in prop::collection::vec(steps(8), 0..12),
        rows_max in 1_usize..5,
    ) {
        let mut naive = Naive::default();
        let mut market = MarketData::new(instrument(), LIMITS);
        apply(&mut naive, &mut market, &before);
        let expected = open_orders(&naive, &market);
        let mut copy = market.begin_copy();
        let given_up = market.begin_copy();
        drop(given_up);
        let mut goes_on = true;
        for steps in &meanwhile {
            apply(&mut naive, &mut market, steps);
            goes_on = goes_on && copy.go_on(&market, rows_max);
        }
        while goes_on {
            goes_on = copy.go_on(&market, rows_max);
        }
        prop_assert_eq!(copy.finish(), expected);
        // What is over is not kept for.
        drop(market.begin_copy());
        prop_assert!(market.copies.len() <= 1);
    }
}

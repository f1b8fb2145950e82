//! Instruments to trade.

use shardbook_engine::id::{InstrumentId, Symbol};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::quantity::{LOTS_MAX, Quantity};
use shardbook_engine::time::Timestamp;

/// An instrument with the increments `tick` and `lot`, which takes any quantity at any price.
#[must_use]
pub fn instrument(id: u32, symbol: &str, tick: &str, lot: &str) -> Instrument {
    let increment =
        |step: &str| Increment::new(step.parse().expect("a decimal")).expect("an increment");
    Instrument {
        id: InstrumentId::new(id),
        symbol: Symbol::new(symbol).expect("a symbol"),
        tick: increment(tick),
        lot: increment(lot),
        min_quantity: Quantity::new(1).expect("at least one lot"),
        max_quantity: Quantity::new(LOTS_MAX).expect("the most lots"),
        min_notional: None,
        price_band: None,
        binance_symbol: None,
        listed_at: Timestamp::default(),
    }
}

/// One of whose last digit's units a tick and a lot are as many as an increment may be: its sums
/// have the most digits.
#[must_use]
pub fn of_largest_sums() -> Instrument {
    instrument(0, "X-Y", "1.000000", "1.000000")
}

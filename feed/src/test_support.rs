//! What the unit tests share.

use std::sync::Arc;

use shardbook_engine::id::{InstrumentId, Symbol};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::quantity::Quantity;

/// An instrument fed by BTCUSDT, with this tick and lot.
pub(crate) fn instrument(tick: &str, lot: &str) -> Arc<Instrument> {
    let increment = |step: &str| Increment::new(step.parse().unwrap()).unwrap();
    Arc::new(Instrument {
        id: InstrumentId::new(1),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: increment(tick),
        lot: increment(lot),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(1_000_000_000_000).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: Some(String::from("BTCUSDT")),
        listed_at: shardbook_engine::time::Timestamp::default(),
    })
}

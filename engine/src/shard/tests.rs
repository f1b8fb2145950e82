mod bounded;
mod determinism;
mod kept;
mod readers;
mod stories;
mod transcript;

use std::sync::Arc;

use rust_decimal::Decimal;

use crate::id::{InstrumentId, Symbol};
use crate::instrument::{Increment, Instrument, PriceBand};
use crate::quantity::{LOTS_MAX, Quantity};

/// An instrument of whole lots and prices in cents: 1 to 1,000 lots an order, a notional of at
/// least 1.00, prices at most 10% from the last trade's.
fn instrument() -> Arc<Instrument> {
    Arc::new(Instrument {
        id: InstrumentId::new(7),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: Increment::new(Decimal::new(1, 2)).unwrap(),
        lot: Increment::new(Decimal::ONE).unwrap(),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(1_000).unwrap(),
        min_notional: Some(crate::quantity::Notional::new(100)),
        price_band: PriceBand::from_basis_points(1_000),
        binance_symbol: Some("BTCUSDT".to_owned()),
        listed_at: crate::time::Timestamp::default(),
    })
}

/// The same without rules of its own.
fn free_instrument() -> Arc<Instrument> {
    Arc::new(Instrument {
        max_quantity: Quantity::new(LOTS_MAX).unwrap(),
        min_notional: None,
        price_band: None,
        ..Instrument::clone(&instrument())
    })
}

//! Instruments and their rules.

use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::InstrumentStatus;

use crate::decimal::DecimalText;
use crate::schema::Nullable;
use crate::schema::text::{DecimalInput, SymbolText, Words};
use crate::schema::word::Word;

/// Digits after the point that a price band has, in percent.
const BAND_SCALE: u32 = 2;

request! {
    /// An instrument to be added.
    pub struct InstrumentRequest {
        /// Its name: 1 to 32 letters, digits, `.`, `_` and `-`.
        required symbol: SymbolText,
        /// The step between prices; it can never change.
        required tick_size: DecimalInput,
        /// The step between quantities; it can never change.
        required lot_size: DecimalInput,
        /// The least an order's quantity may be; one lot if left out.
        optional min_quantity: DecimalInput,
        /// The most an order's quantity may be; 10^12 lots if left out.
        optional max_quantity: DecimalInput,
        /// The least price times quantity of a limit order; no such rule if left out.
        optional min_notional: DecimalInput,
        /// How far a limit price may be from the last trade's, in percent of it; no such rule if
        /// left out.
        optional price_band: DecimalInput,
        /// The Binance symbol whose trades and depth it takes, from the next start on.
        optional binance_symbol: Words,
    }
    example {
        "symbol": "DOGE-USD", "tick_size": "0.00001", "lot_size": "1",
        "binance_symbol": "DOGEUSDT"
    }
}

object! {
    /// An instrument and the rules its orders keep.
    pub struct InstrumentView {
        /// Its name.
        pub symbol: SymbolText,
        /// The step between prices.
        pub tick_size: DecimalText,
        /// The step between quantities.
        pub lot_size: DecimalText,
        /// The least an order's quantity may be.
        pub min_quantity: DecimalText,
        /// The most an order's quantity may be.
        pub max_quantity: DecimalText,
        /// The least price times quantity of a limit order; null if there is no such rule.
        pub min_notional: Nullable<DecimalText>,
        /// How far a limit price may be from the last trade's, in percent of it; null if there is
        /// no such rule.
        pub price_band: Nullable<DecimalText>,
        /// Whether it takes orders.
        pub status: Word<InstrumentStatus>,
    }
    example {
        "symbol": "BTC-USD", "tick_size": "0.01", "lot_size": "0.00001",
        "min_quantity": "0.00001", "max_quantity": "10000000.00000", "min_notional": null,
        "price_band": null, "status": "trading"
    }
}

impl InstrumentView {
    /// The instrument as it is shown.
    #[must_use]
    pub fn new(instrument: &Instrument, status: InstrumentStatus) -> Self {
        let min_notional = instrument
            .min_notional
            .map(|notional| DecimalText::notional(notional, instrument));
        let price_band = instrument
            .price_band
            .map(|band| DecimalText::new(u128::from(band.basis_points()), BAND_SCALE));
        Self {
            symbol: SymbolText(instrument.symbol.clone()),
            tick_size: DecimalText::increment(instrument.tick),
            lot_size: DecimalText::increment(instrument.lot),
            min_quantity: DecimalText::quantity(instrument.min_quantity, instrument),
            max_quantity: DecimalText::quantity(instrument.max_quantity, instrument),
            min_notional: Nullable(min_notional),
            price_band: Nullable(price_band),
            status: Word(status),
        }
    }
}

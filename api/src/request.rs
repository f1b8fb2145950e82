//! Taking JSON texts apart into domain types, telling everything that is wrong with them.
//!
//! The same functions read the body of a call, one order of a batch, and an order that came over
//! a WebSocket.

mod fields;
mod instrument;
mod order;

pub use fields::{Fields, Inner, read_object};
pub use instrument::{
    BINANCE_SYMBOL_RULE, MIN_NOTIONAL_RULE, PRICE_BAND_RULE, is_binance_symbol, notional_of,
    price_band_of, read_instrument,
};
pub use order::{
    CancelAll, Listed, OrderText, PlaceRequest, not_the_feeds_client, not_the_feeds_order,
    read_amend, read_amend_request, read_cancel_all, read_client, read_order,
};

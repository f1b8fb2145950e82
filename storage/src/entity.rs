//! The tables as sea-orm sees them: one file a table, and the two column types that SQLite and
//! PostgreSQL must hold alike.
//!
//! The columns are named as the fields of the API's JSON. Rows are plain data of this crate's own:
//! what they mean in the engine's types is decided in [`convert`] alone. They are written by the
//! projector's bulk writer, which knows how either database wants decimals and times; an active
//! model's `insert` does not.

pub mod candle;
pub mod closed_day;
pub mod convert;
pub mod daily_position;
pub mod decimal;
pub mod exchange;
pub mod instrument;
pub mod moment;
pub mod order;
pub mod order_event;
pub mod orderbook_snapshot;
pub mod partition;
pub mod settlement;
pub mod settlement_line;
pub mod trade;
pub mod words;

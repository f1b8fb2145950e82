//! The exchange's engine: domain types, the order book, the shard that owns it, and the way from
//! a command through the journal to everyone who may see what came of it.
//!
//! It knows no SQL, no HTTP, no JSON and no files.

pub mod answer;
pub mod book;
pub mod command;
pub mod control;
pub mod event;
pub mod id;
pub mod instrument;
pub mod journal;
pub mod market_data;
pub mod order;
pub mod price;
pub mod quantity;
pub mod record;
pub mod side;
pub mod time;

//! The exchange's engine: domain types, the order book, the shard that owns it, and the way from
//! a command through the journal to everyone who may see what came of it.
//!
//! It knows no SQL, no HTTP, no JSON and no files.

pub mod access;
pub mod admission;
pub mod answer;
pub mod book;
pub mod candle;
pub mod checkpoint;
mod checkpointer;
pub mod command;
pub mod control;
mod crashed;
pub mod day_closer;
pub mod directory;
pub mod event;
pub mod exchange;
pub mod fault;
mod hash_index;
pub mod id;
pub mod instrument;
pub mod journal;
pub mod market_data;
pub mod observer;
pub mod order;
pub mod partition;
pub mod position;
pub mod price;
pub mod publisher;
pub mod quantity;
pub mod record;
pub mod recovery;
pub mod responder;
pub mod router;
pub mod shard;
mod shards;
pub mod side;
pub mod supervisor;
pub mod time;
mod worker;

//! What the exchange keeps: the journal on local files, and the database that is projected from
//! it.
//!
//! It knows no HTTP and no Binance.

pub mod background;
pub mod checkpoint;
pub mod control_log;
pub mod data_dir;
pub mod database;
pub mod entity;
pub mod journal;
pub mod migration;
pub mod projector;
pub mod query;
mod retry;
pub mod settlement;
pub mod snapshot;

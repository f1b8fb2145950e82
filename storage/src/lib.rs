//! What the exchange keeps: the journal on local files, and the database that is projected from
//! it.
//!
//! It knows no HTTP and no Binance.

pub mod data_dir;
pub mod journal;

//! The exchange's edge: what clients see of it over HTTP, and the settings it is put together
//! from.
//!
//! Text becomes domain types here, once; the engine is never handed anything unchecked. How a
//! book works is not known here.

#[macro_use]
mod documented;
#[macro_use]
pub mod json;
pub mod access;
pub mod activity;
pub mod app;
pub mod archive;
pub mod asyncapi;
pub mod by_instrument;
pub mod calls;
pub mod clearing;
pub mod control;
pub mod decimal;
pub mod document;
pub mod edge;
pub mod guard;
pub mod health;
pub mod journal;
pub mod journal_size;
pub mod listings;
pub mod metrics;
pub mod parameter;
pub mod payload;
pub mod problem;
pub mod progress;
pub mod record;
pub mod request;
pub mod schema;
pub mod server;
pub mod service;
pub mod settings;
pub mod stream;
pub mod trading;

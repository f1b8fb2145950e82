//! The wire's types: what JSON looks like, with the words that document it.
//!
//! Each is declared once, through the macros of `object`, as the struct that is read or written
//! and as the schema that the OpenAPI document shows. They are made from the engine's types
//! here and nowhere else.

#[macro_use]
mod object;
pub mod book;
pub mod clearing;
pub mod fault;
pub mod health;
pub mod instrument;
pub mod key;
pub mod operation;
pub mod order;
pub mod problem;
pub mod snapshot;
pub mod span;
pub mod stream;
pub mod text;
pub mod word;

pub use object::{List, Nullable};

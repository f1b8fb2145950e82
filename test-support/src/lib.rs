//! What the tests of several crates share: a database server, an exchange's process, a journal, a
//! clock and numbers that do as they are told, and what trades come to when they are counted one
//! by one. What only one test program needs stands with that.
//!
//! It knows the engine's types, and so the engine's own unit tests can't use it: to them those are
//! types of another crate. Its integration tests can.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test stops where something is not as it must be, and so does all of this"
)]

pub mod clock;
pub mod instrument;
pub mod journal;
pub mod naive;
pub mod nobody;
pub mod postgres;
pub mod random;
pub mod recordings;
pub mod server;
pub mod unchecked;

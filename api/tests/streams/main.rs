//! The streams of the real exchange, seen by clients that know only what they are sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod app;
mod bounded;
mod following;
mod many;
mod operations;
mod resuming;
mod watcher;

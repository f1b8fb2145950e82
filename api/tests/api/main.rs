//! The HTTP API on the real application: a journal and a database of its own, on a free port.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something else has failed"
)]

mod access;
mod analytics;
mod books;
mod clearing;
mod full_disk;
mod idempotency;
mod instruments;
mod largest;
mod lifecycle;
mod lists;
mod metrics;
mod protection;
mod retention;
mod settling;
mod snapshots;
mod supervision;
mod support;
mod wrong_input;

/// The program, for what takes a process of its own.
const PROGRAM: &str = env!("CARGO_BIN_EXE_shardbook");

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
mod idempotency;
mod instruments;
mod largest;
mod lifecycle;
mod lists;
mod metrics;
mod naive;
#[path = "../../../storage/tests/support/postgres.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "another crate's tests use the rest"
)]
mod postgres;
mod protection;
mod retention;
mod snapshots;
mod supervision;
mod support;
mod wrong_input;

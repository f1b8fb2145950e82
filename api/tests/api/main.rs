//! The HTTP API on the real application: a journal and a database of its own, on a free port.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something else has failed"
)]

mod books;
mod idempotency;
mod lifecycle;
mod supervision;
mod support;
mod wrong_input;

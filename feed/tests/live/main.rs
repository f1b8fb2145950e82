//! The live feed against a server that speaks as Binance does, and misbehaves as networks and
//! servers do. In each case every trade comes in exactly once with its side and quantity or is
//! counted with its reason, the mirror equals the source's best levels once it is quiet, and the
//! feed comes back by itself.
//!
//! Nothing waits for the clock: where the feed would, time is moved on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "../support/exchange.rs"]
#[allow(dead_code, reason = "shared with tests that use other parts of it")]
mod exchange;
#[path = "../support/stand_in.rs"]
#[allow(dead_code, reason = "shared with tests that use other parts of it")]
mod stand_in;

mod faults;
mod holes;
mod instruments;
mod queue;
mod random;
mod rig;

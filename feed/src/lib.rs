//! Binance's market data as commands to the exchange.
//!
//! Trades come in as market orders, depth as mirrored liquidity. The way of a message:
//!
//! ```text
//! a source ──► message ──► market ──► commands ──► lane ──► sink (the exchange's router)
//!              parsed      local book, liquidity,     in order, bounded in flight
//!              once        trades: pure
//! ```
//!
//! The pure half (messages, local book, liquidity, trades) knows no
//! network, no clock and no task. The shell around it ([`source`] and what stands behind it)
//! moves data. Of the exchange, the crate knows its engine's types and a [`sink::Sink`].

pub mod feed;
pub mod sink;
pub mod source;
pub mod status;

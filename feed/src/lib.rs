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
//! The pure half ([`message`], [`local_book`], [`liquidity`], [`trades`], [`hole`],
//! [`market`]) knows no
//! network, no clock and no task. The shell around it ([`source`] and what stands behind it)
//! moves data. Of the exchange, the crate knows its engine's types and a [`sink::Sink`].

mod connection;
mod dispatcher;
pub mod feed;
pub mod hole;
mod inquiry;
mod lane;
mod link;
pub mod liquidity;
pub mod local_book;
pub mod market;
pub mod message;
mod player;
mod quiet;
pub mod record;
pub mod recording;
pub mod rest;
mod retry;
pub mod simulated;
pub mod sink;
pub mod source;
pub mod status;
#[cfg(test)]
mod test_support;
pub mod trades;

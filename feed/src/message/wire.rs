//! Messages as they stand in JSON, and what they say.

use serde::Deserialize;
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;

use super::amount::{Id, Price, Quantity, TradedQuantity};
use super::{AggregateTrade, DepthDiff, DepthSnapshot, Level, Trade};

/// Values of this many units and more are microseconds, below they are milliseconds.
const MICROSECONDS_FROM: u64 = 1_000_000_000_000_000;

#[derive(Deserialize)]
pub(super) struct WireTrade {
    #[serde(rename = "E")]
    sent_at: u64,
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "t")]
    id: Id,
    #[serde(rename = "p")]
    price: Price,
    #[serde(rename = "q")]
    quantity: TradedQuantity,
    #[serde(rename = "T")]
    traded_at: u64,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

impl From<WireTrade> for Trade {
    fn from(wire: WireTrade) -> Self {
        Self {
            symbol: upper_case(wire.symbol),
            id: wire.id.0,
            price: wire.price.0,
            quantity: wire.quantity.0,
            taker_side: taker_side(wire.buyer_is_maker),
            traded_at: timestamp(wire.traded_at),
            sent_at: timestamp(wire.sent_at),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct WireAggregateTrade {
    #[serde(rename = "E")]
    sent_at: u64,
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "a")]
    id: Id,
    #[serde(rename = "p")]
    price: Price,
    #[serde(rename = "q")]
    quantity: TradedQuantity,
    #[serde(rename = "f")]
    first_trade_id: Id,
    #[serde(rename = "l")]
    last_trade_id: Id,
    #[serde(rename = "T")]
    traded_at: u64,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

impl From<WireAggregateTrade> for AggregateTrade {
    fn from(wire: WireAggregateTrade) -> Self {
        Self {
            symbol: upper_case(wire.symbol),
            id: wire.id.0,
            first_trade_id: wire.first_trade_id.0,
            last_trade_id: wire.last_trade_id.0,
            price: wire.price.0,
            quantity: wire.quantity.0,
            taker_side: taker_side(wire.buyer_is_maker),
            traded_at: timestamp(wire.traded_at),
            sent_at: timestamp(wire.sent_at),
        }
    }
}

/// An element of `/api/v3/trades`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestTrade {
    id: Id,
    price: Price,
    qty: TradedQuantity,
    time: u64,
    is_buyer_maker: bool,
}

impl RestTrade {
    /// With the symbol that was asked for.
    pub(super) fn of(self, symbol: &str) -> Trade {
        Trade {
            symbol: symbol.to_owned(),
            id: self.id.0,
            price: self.price.0,
            quantity: self.qty.0,
            taker_side: taker_side(self.is_buyer_maker),
            traded_at: timestamp(self.time),
            sent_at: timestamp(self.time),
        }
    }
}

/// An element of `/api/v3/aggTrades`.
#[derive(Deserialize)]
pub(super) struct RestAggregateTrade {
    #[serde(rename = "a")]
    id: Id,
    #[serde(rename = "p")]
    price: Price,
    #[serde(rename = "q")]
    quantity: TradedQuantity,
    #[serde(rename = "f")]
    first_trade_id: Id,
    #[serde(rename = "l")]
    last_trade_id: Id,
    #[serde(rename = "T")]
    traded_at: u64,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

impl RestAggregateTrade {
    /// Whether its first trade comes after its last.
    pub(super) const fn is_contradictory(&self) -> bool {
        self.first_trade_id.0 > self.last_trade_id.0
    }

    /// With the symbol that was asked for.
    pub(super) fn of(self, symbol: &str) -> AggregateTrade {
        AggregateTrade {
            symbol: symbol.to_owned(),
            id: self.id.0,
            first_trade_id: self.first_trade_id.0,
            last_trade_id: self.last_trade_id.0,
            price: self.price.0,
            quantity: self.quantity.0,
            taker_side: taker_side(self.buyer_is_maker),
            traded_at: timestamp(self.traded_at),
            sent_at: timestamp(self.traded_at),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct WireDepthDiff {
    #[serde(rename = "E")]
    sent_at: u64,
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "U")]
    first_update_id: Id,
    #[serde(rename = "u")]
    last_update_id: Id,
    #[serde(rename = "b")]
    bids: Vec<(Price, Quantity)>,
    #[serde(rename = "a")]
    asks: Vec<(Price, Quantity)>,
}

impl From<WireDepthDiff> for DepthDiff {
    fn from(wire: WireDepthDiff) -> Self {
        Self {
            symbol: upper_case(wire.symbol),
            first_update_id: wire.first_update_id.0,
            last_update_id: wire.last_update_id.0,
            bids: levels(wire.bids),
            asks: levels(wire.asks),
            sent_at: timestamp(wire.sent_at),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct WireDepthSnapshot {
    #[serde(rename = "lastUpdateId")]
    last_update_id: Id,
    bids: Vec<(Price, Quantity)>,
    asks: Vec<(Price, Quantity)>,
}

impl WireDepthSnapshot {
    /// With the symbol that it belongs to.
    pub(super) fn of(self, symbol: Option<String>) -> DepthSnapshot {
        DepthSnapshot {
            symbol,
            last_update_id: self.last_update_id.0,
            bids: levels(self.bids),
            asks: levels(self.asks),
        }
    }
}

fn levels(wire: Vec<(Price, Quantity)>) -> Vec<Level> {
    wire.into_iter()
        .map(|(Price(price), Quantity(quantity))| Level { price, quantity })
        .collect()
}

pub(super) const fn taker_side(buyer_is_maker: bool) -> Side {
    if buyer_is_maker {
        Side::Sell
    } else {
        Side::Buy
    }
}

/// Milliseconds, or microseconds where the connection asked for them.
pub(super) const fn timestamp(value: u64) -> Timestamp {
    Timestamp::from_microseconds(if value >= MICROSECONDS_FROM {
        value
    } else {
        value * 1_000
    })
}

fn upper_case(mut symbol: String) -> String {
    symbol.make_ascii_uppercase();
    symbol
}

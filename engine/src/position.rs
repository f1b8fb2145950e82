//! What one client bought and sold of one instrument in a day.

use crate::id::ClientId;
use crate::order::Trade;
use crate::price::Price;
use crate::quantity::{Notional, Quantity, Volume};
use crate::side::Side;

/// Sums over a client's trades, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientPosition {
    /// How much it bought.
    pub bought: Volume,
    /// How much it sold.
    pub sold: Volume,
    /// What it paid for what it bought.
    pub bought_notional: Notional,
    /// What it was paid for what it sold.
    pub sold_notional: Notional,
    /// In how many trades it had a part; one with itself is one.
    pub trade_count: u64,
}

impl ClientPosition {
    /// Takes in its part of a trade.
    pub fn trade(&mut self, side: Side, price: Price, quantity: Quantity) {
        match side {
            Side::Buy => {
                self.bought += quantity;
                self.bought_notional += price * quantity;
            }
            Side::Sell => {
                self.sold += quantity;
                self.sold_notional += price * quantity;
            }
        }
    }

    /// Takes in the sums of other trades.
    pub fn append(&mut self, other: &Self) {
        self.bought += other.bought;
        self.sold += other.sold;
        self.bought_notional += other.bought_notional;
        self.sold_notional += other.sold_notional;
        self.trade_count += other.trade_count;
    }
}

/// Gives `take` both parts of a trade, each as a position of its own; one part where a client
/// traded with itself.
pub fn parts_of<'a>(trade: &'a Trade, mut take: impl FnMut(&'a ClientId, ClientPosition)) {
    let mut buyer = ClientPosition {
        trade_count: 1,
        ..ClientPosition::default()
    };
    buyer.trade(Side::Buy, trade.price, trade.quantity);
    if trade.buy.client == trade.sell.client {
        buyer.trade(Side::Sell, trade.price, trade.quantity);
        take(&trade.buy.client, buyer);
        return;
    }
    let mut seller = ClientPosition {
        trade_count: 1,
        ..ClientPosition::default()
    };
    seller.trade(Side::Sell, trade.price, trade.quantity);
    take(&trade.buy.client, buyer);
    take(&trade.sell.client, seller);
}

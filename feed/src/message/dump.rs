//! Lines of Binance's public dumps: comma-separated values, of trades or of aggregates.
//!
//! | file | columns |
//! | --- | --- |
//! | trades | id, price, qty, quoteQty, time, isBuyerMaker, isBestMatch |
//! | aggTrades | id, price, qty, firstTradeId, lastTradeId, time, isBuyerMaker, isBestMatch |
//!
//! Which of them a line is shows in where its first boolean stands. Times are milliseconds, and
//! microseconds in newer files. Columns behind the documented ones are ignored, and some dumps
//! begin with a line of names.
//!
//! Source: Binance's `binance-public-data`.

use rust_decimal::Decimal;

use super::amount::{ID_MAX, exact};
use super::wire::{taker_side, timestamp};
use super::{AggregateTrade, Message, Trade};

/// A line of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpLine {
    /// A trade or an aggregate.
    Message(Message),
    /// The columns' names.
    Header,
}

impl DumpLine {
    /// Reads a line of `symbol`'s dump; `None` if it is none.
    #[must_use]
    pub fn parse(line: &str, symbol: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        match *fields.as_slice() {
            [id, price, quantity, _, time, buyer_is_maker, ..]
                if boolean(buyer_is_maker).is_some() =>
            {
                let traded_at = timestamp(number(time)?);
                Some(Self::Message(Message::Trade(Trade {
                    symbol: symbol.to_owned(),
                    id: number(id)?,
                    price: above_zero(price)?,
                    quantity: above_zero(quantity)?,
                    taker_side: taker_side(boolean(buyer_is_maker)?),
                    traded_at,
                    sent_at: traded_at,
                })))
            }
            [id, price, quantity, first, last, time, buyer_is_maker, ..]
                if boolean(buyer_is_maker).is_some() =>
            {
                let traded_at = timestamp(number(time)?);
                let (first_trade_id, last_trade_id) = (number(first)?, number(last)?);
                (first_trade_id <= last_trade_id).then_some(())?;
                Some(Self::Message(Message::AggregateTrade(AggregateTrade {
                    symbol: symbol.to_owned(),
                    id: number(id)?,
                    first_trade_id,
                    last_trade_id,
                    price: above_zero(price)?,
                    quantity: above_zero(quantity)?,
                    taker_side: taker_side(boolean(buyer_is_maker)?),
                    traded_at,
                    sent_at: traded_at,
                })))
            }
            [first, _, _, _, _, _, ..] if is_name(first) => Some(Self::Header),
            _ => None,
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number <= ID_MAX)
}

fn above_zero(text: &str) -> Option<Decimal> {
    exact(text).filter(|value| !value.is_zero())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "True" | "true" | "TRUE" => Some(true),
        "False" | "false" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A column's name, as `agg_trade_id` or `isBuyerMaker`.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ' '))
}

#[cfg(test)]
mod tests;

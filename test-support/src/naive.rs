//! What trades come to, counted one by one in the simplest way, over what `GET /trades` answers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// A decimal: its digits as an integer, and how many stand after the point.
#[derive(Clone, Copy)]
struct Number(i128, usize);

/// One trade.
#[derive(Clone)]
pub struct NaiveTrade {
    /// When.
    pub time: DateTime<Utc>,
    /// The buyer's order.
    pub buy: String,
    /// The seller's order.
    pub sell: String,
    price: Number,
    quantity: Number,
}

impl Number {
    fn read(text: &Value) -> Self {
        let text = text.as_str().unwrap();
        let scale = text.split_once('.').map_or(0, |(_, digits)| digits.len());
        Self(text.replace('.', "").parse().unwrap(), scale)
    }

    fn plus(self, other: Self) -> Self {
        assert!(self.1 == other.1 || self.0 == 0);
        Self(self.0 + other.0, other.1)
    }

    fn less(self, other: Self) -> Self {
        self.plus(Self(-other.0, other.1))
    }

    fn times(self, other: Self) -> Self {
        Self(self.0 * other.0, self.1 + other.1)
    }

    fn text(self) -> String {
        let (digits, scale) = (self.0.unsigned_abs().to_string(), self.1);
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.0 < 0 { "-" } else { "" };
        let point = if scale > 0 { "." } else { "" };
        format!("{sign}{whole}{point}{fraction}")
    }
}

/// `over / under` to a whole number, halves to the even one.
fn half_even(over: i128, under: i128) -> i128 {
    let (sign, over) = (over.signum(), over.abs());
    let (whole, rest) = (over / under, over % under);
    let up = match (rest * 2).cmp(&under) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => whole % 2,
        std::cmp::Ordering::Greater => 1,
    };
    sign * (whole + up)
}

/// Reads one page of trades, oldest first.
pub fn read(trades: &[Value]) -> Vec<NaiveTrade> {
    let read = trades.iter().rev().map(|trade| NaiveTrade {
        time: trade["timestamp"].as_str().unwrap().parse().unwrap(),
        buy: trade["buy_order_id"].as_str().unwrap().to_owned(),
        sell: trade["sell_order_id"].as_str().unwrap().to_owned(),
        price: Number::read(&trade["price"]),
        quantity: Number::read(&trade["quantity"]),
    });
    read.collect()
}

/// First, highest, lowest, last price, sums and average of trades, as a candle tells them.
fn summary(trades: &[&NaiveTrade]) -> Value {
    let (first, last) = (trades.first().unwrap(), trades.last().unwrap());
    let mut prices: Vec<Number> = trades.iter().map(|trade| trade.price).collect();
    prices.sort_by_key(|price| price.0);
    let (mut volume, mut notional) = (Number(0, 0), Number(0, 0));
    for trade in trades {
        volume = volume.plus(trade.quantity);
        notional = notional.plus(trade.price.times(trade.quantity));
    }
    let vwap = Number(half_even(notional.0 * 10_000, volume.0), first.price.1 + 4);
    json!({
        "open": first.price.text(), "high": prices.last().unwrap().text(),
        "low": prices[0].text(), "close": last.price.text(), "volume": volume.text(),
        "notional": notional.text(), "vwap": vwap.text(), "trade_count": trades.len()
    })
}

/// Candles of so many minutes.
pub fn candles(trades: &[NaiveTrade], minutes: i64) -> Vec<Value> {
    let mut intervals = BTreeMap::<i64, Vec<&NaiveTrade>>::new();
    for trade in trades {
        let interval = trade.time.timestamp().div_euclid(minutes * 60);
        intervals.entry(interval).or_default().push(trade);
    }
    let candles = intervals.into_iter().map(|(interval, trades)| {
        let open_time = DateTime::from_timestamp(interval * minutes * 60, 0).unwrap();
        let mut candle = summary(&trades);
        candle["open_time"] = json!(open_time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        candle
    });
    candles.collect()
}

/// Checks an answer of `GET /analytics/vwap`.
pub fn check_vwap(trades: &[NaiveTrade], minutes: i64, answer: &Value) {
    let within = window(trades, minutes, answer);
    if within.is_empty() {
        assert_eq!(answer["vwap"], Value::Null, "{answer}");
        assert_eq!(answer["trade_count"], 0, "{answer}");
        return;
    }
    let expected = summary(&within);
    for field in ["vwap", "volume", "notional", "trade_count"] {
        assert_eq!(answer[field], expected[field], "{field} of {answer}");
    }
}

/// Checks an answer of `GET /analytics/ticker`, but for the best prices.
pub fn check_ticker(trades: &[NaiveTrade], answer: &Value) {
    let last = trades.last().map(|trade| trade.price.text());
    assert_eq!(answer["last"], json!(last), "{answer}");
    let within = window(trades, 24 * 60, answer);
    let (Some(first), Some(last)) = (within.first(), within.last()) else {
        assert_eq!(answer["open"], Value::Null, "{answer}");
        return;
    };
    let expected = summary(&within);
    for field in ["open", "high", "low", "volume", "notional", "trade_count"] {
        assert_eq!(answer[field], expected[field], "{field} of {answer}");
    }
    let change = last.price.less(first.price);
    assert_eq!(answer["change"], json!(change.text()), "{answer}");
    let percent = Number(half_even(change.0 * 10_000, first.price.0), 2);
    assert_eq!(answer["change_percent"], json!(percent.text()), "{answer}");
}

/// The trades of the window that an answer names, which begins as the contract says.
fn window<'a>(trades: &'a [NaiveTrade], minutes: i64, answer: &Value) -> Vec<&'a NaiveTrade> {
    let time = |field: &str| -> DateTime<Utc> { answer[field].as_str().unwrap().parse().unwrap() };
    let (from, to) = (time("from"), time("to"));
    let begins = (to - TimeDelta::minutes(minutes)).timestamp() / 60 * 60;
    assert_eq!(from, DateTime::from_timestamp(begins, 0).unwrap());
    let within = trades
        .iter()
        .filter(|trade| trade.time >= from && trade.time <= to);
    within.collect()
}

/// The lines of one day's trades, by client, that a settlement has for an instrument; `client`
/// says whose an order is.
pub fn lines(
    trades: &[NaiveTrade],
    day: &str,
    instrument: &str,
    client: impl Fn(&str) -> String,
) -> Vec<Value> {
    let of_day = trades
        .iter()
        .filter(|trade| trade.time.format("%Y-%m-%d").to_string() == day);
    let of_day: Vec<_> = of_day.collect();
    let clients: BTreeSet<String> = of_day
        .iter()
        .flat_map(|trade| [client(&trade.buy), client(&trade.sell)])
        .collect();
    let lines = clients.iter().map(|who| {
        let zero = |number: Number| Number(0, number.1);
        let sample = of_day[0];
        let (no_quantity, no_cash) = (
            zero(sample.quantity),
            zero(sample.price.times(sample.quantity)),
        );
        let (mut bought, mut sold) = (no_quantity, no_quantity);
        let (mut paid, mut received) = (no_cash, no_cash);
        let mut count = 0;
        for trade in &of_day {
            let (buys, sells) = (client(&trade.buy) == *who, client(&trade.sell) == *who);
            let cash = trade.price.times(trade.quantity);
            if buys {
                (bought, paid) = (bought.plus(trade.quantity), paid.plus(cash));
            }
            if sells {
                (sold, received) = (sold.plus(trade.quantity), received.plus(cash));
            }
            count += i32::from(buys || sells);
        }
        json!({
            "client_id": who, "instrument": instrument,
            "bought_quantity": bought.text(), "sold_quantity": sold.text(),
            "bought_notional": paid.text(), "sold_notional": received.text(),
            "net_quantity": bought.less(sold).text(), "net_cash": received.less(paid).text(),
            "trade_count": count
        })
    });
    lines.collect()
}

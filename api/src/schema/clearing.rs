//! What is summed up of trades: candles, windows, positions and settlements.

use shardbook_engine::candle::Candle;
use shardbook_engine::id::ClientId;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::position::ClientPosition;
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Volume};
use shardbook_engine::time::Timestamp;
use shardbook_storage::entity::{settlement, settlement_line};

use crate::decimal::{DecimalText, SignedDecimalText, TimestampText};
use crate::schema::Nullable;
use crate::schema::text::{Count, SymbolText, Words};

object! {
    /// The average price of a window, weighted by quantity.
    pub struct VwapView {
        /// Whose trades.
        pub instrument: SymbolText,
        /// The window, as asked for.
        pub window: Words,
        /// The window's beginning, the start of a minute; counts in.
        pub from: TimestampText,
        /// Now.
        pub to: TimestampText,
        /// The average price, four digits beyond the tick's, half to even; null without trades.
        pub vwap: Nullable<DecimalText>,
        /// How much was traded.
        pub volume: DecimalText,
        /// Prices times quantities, exact.
        pub notional: DecimalText,
        /// How many trades.
        pub trade_count: Count,
    }
    example {
        "instrument": "BTC-USD", "window": "5m", "from": "2026-01-31T11:55:00.000000Z",
        "to": "2026-01-31T12:00:00.000001Z", "vwap": "70150.000000", "volume": "0.10000",
        "notional": "7015.0000000", "trade_count": 1
    }
}

object! {
    /// The trades of one interval.
    pub struct CandleView {
        /// The interval's beginning.
        pub open_time: TimestampText,
        /// The first trade's price.
        pub open: DecimalText,
        /// The highest price.
        pub high: DecimalText,
        /// The lowest price.
        pub low: DecimalText,
        /// The last trade's price.
        pub close: DecimalText,
        /// How much was traded.
        pub volume: DecimalText,
        /// Prices times quantities, exact.
        pub notional: DecimalText,
        /// The average price, four digits beyond the tick's, half to even.
        pub vwap: Nullable<DecimalText>,
        /// How many trades.
        pub trade_count: Count,
    }
    example {
        "open_time": "2026-01-31T12:00:00.000000Z", "open": "70150.00", "high": "70151.00",
        "low": "70149.50", "close": "70150.50", "volume": "0.25000", "notional": "17537.6250000",
        "vwap": "70150.500000", "trade_count": 3
    }
}

object! {
    /// The last 24 hours of an instrument.
    pub struct TickerView {
        /// Whose.
        pub instrument: SymbolText,
        /// The last trade's price, however long ago; null before the first.
        pub last: Nullable<DecimalText>,
        /// The first price of the 24 hours; null without trades.
        pub open: Nullable<DecimalText>,
        /// The highest price; null without trades.
        pub high: Nullable<DecimalText>,
        /// The lowest price; null without trades.
        pub low: Nullable<DecimalText>,
        /// How much was traded.
        pub volume: DecimalText,
        /// Prices times quantities, exact.
        pub notional: DecimalText,
        /// How many trades.
        pub trade_count: Count,
        /// The last price less the first; null without trades.
        pub change: Nullable<SignedDecimalText>,
        /// The same in percent of the first, two digits, half to even; null without trades.
        pub change_percent: Nullable<SignedDecimalText>,
        /// The highest bid; null without any.
        pub best_bid: Nullable<DecimalText>,
        /// The lowest ask; null without any.
        pub best_ask: Nullable<DecimalText>,
        /// The window's beginning, the start of a minute; counts in.
        pub from: TimestampText,
        /// Now.
        pub to: TimestampText,
    }
    example {
        "instrument": "BTC-USD", "last": "70150.50", "open": "70000.00", "high": "70151.00",
        "low": "69990.00", "volume": "0.25000", "notional": "17537.6250000", "trade_count": 3,
        "change": "150.50", "change_percent": "0.22", "best_bid": "70150.00",
        "best_ask": "70151.00", "from": "2026-01-30T12:00:00.000000Z",
        "to": "2026-01-31T12:00:00.000001Z"
    }
}

object! {
    /// What a client's trades on one instrument come to in one day.
    pub struct SettlementLineView {
        /// Who.
        pub client_id: Words,
        /// What was traded.
        pub instrument: Words,
        /// How much it bought.
        pub bought_quantity: SignedDecimalText,
        /// How much it sold.
        pub sold_quantity: SignedDecimalText,
        /// What it paid.
        pub bought_notional: SignedDecimalText,
        /// What it was paid.
        pub sold_notional: SignedDecimalText,
        /// Bought less sold; sums to zero over all clients.
        pub net_quantity: SignedDecimalText,
        /// What it was paid less what it paid; sums to zero over all clients.
        pub net_cash: SignedDecimalText,
        /// In how many trades it had a part.
        pub trade_count: Count,
    }
    example {
        "client_id": "client-A", "instrument": "BTC-USD", "bought_quantity": "0.25000",
        "sold_quantity": "0.10000", "bought_notional": "17537.5000000",
        "sold_notional": "7015.1000000", "net_quantity": "0.15000", "net_cash": "-10522.4000000",
        "trade_count": 3
    }
}

object! {
    /// A settled day, without its lines.
    pub struct SettlementHeadView {
        /// The UTC day.
        pub date: Words,
        /// When it was settled.
        pub settled_at: Nullable<TimestampText>,
        /// How many lines it has.
        pub line_count: Count,
    }
    example {"date": "2026-01-31", "settled_at": "2026-02-01T00:00:01.000001Z", "line_count": 2}
}

object! {
    /// A settled day.
    pub struct SettlementView {
        /// The UTC day.
        pub date: Words,
        /// When it was settled.
        pub settled_at: Nullable<TimestampText>,
        /// One for each client and instrument that traded, by instrument, then client.
        pub lines: Vec<SettlementLineView>,
    }
    example {
        "date": "2026-01-31", "settled_at": "2026-02-01T00:00:01.000001Z", "lines": [{
            "client_id": "client-A", "instrument": "BTC-USD", "bought_quantity": "0.25000",
            "sold_quantity": "0.10000", "bought_notional": "17537.5000000",
            "sold_notional": "7015.1000000", "net_quantity": "0.15000",
            "net_cash": "-10522.4000000", "trade_count": 3
        }]
    }
}

request! {
    /// Which day to settle.
    pub struct SettlementRequest {
        /// The UTC day.
        required date: Words,
    }
    example {"date": "2026-01-31"}
}

impl VwapView {
    /// What was traded in a window.
    #[must_use]
    pub fn new(
        instrument: &Instrument,
        window: String,
        (from, to): (Timestamp, Timestamp),
        sum: Option<&Candle>,
    ) -> Self {
        let volume = sum.map_or(Volume::ZERO, |sum| sum.volume);
        let notional = sum.map_or(Notional::ZERO, |sum| sum.notional);
        Self {
            instrument: SymbolText(instrument.symbol.clone()),
            window: window.into(),
            from: TimestampText(from),
            to: TimestampText(to),
            vwap: Nullable(DecimalText::average_price(notional, volume, instrument)),
            volume: DecimalText::volume(volume, instrument),
            notional: DecimalText::notional(notional, instrument),
            trade_count: Count(sum.map_or(0, |sum| sum.trade_count)),
        }
    }
}

impl CandleView {
    /// The candle as it is shown.
    #[must_use]
    pub fn new(candle: &Candle, instrument: &Instrument) -> Self {
        let price = |price| DecimalText::price(price, instrument);
        let (notional, volume) = (candle.notional, candle.volume);
        Self {
            open_time: TimestampText(candle.open_time),
            open: price(candle.open),
            high: price(candle.high),
            low: price(candle.low),
            close: price(candle.close),
            volume: DecimalText::volume(volume, instrument),
            notional: DecimalText::notional(notional, instrument),
            vwap: Nullable(DecimalText::average_price(notional, volume, instrument)),
            trade_count: Count(candle.trade_count),
        }
    }
}

/// What a ticker is made of.
pub struct Ticker {
    /// The last trade's price.
    pub last: Option<Price>,
    /// The window's trades.
    pub sum: Option<Candle>,
    /// The best prices.
    pub best: (Option<Price>, Option<Price>),
    /// The window.
    pub window: (Timestamp, Timestamp),
}

impl TickerView {
    /// The ticker as it is shown.
    #[must_use]
    pub fn new(ticker: &Ticker, instrument: &Instrument) -> Self {
        let price = |price: Option<Price>| {
            Nullable(price.map(|price| DecimalText::price(price, instrument)))
        };
        let sum = ticker.sum.as_ref();
        let volume = sum.map_or(Volume::ZERO, |sum| sum.volume);
        let notional = sum.map_or(Notional::ZERO, |sum| sum.notional);
        let change = sum.map(|sum| (sum.open, sum.close));
        Self {
            instrument: SymbolText(instrument.symbol.clone()),
            last: price(ticker.last),
            open: price(sum.map(|sum| sum.open)),
            high: price(sum.map(|sum| sum.high)),
            low: price(sum.map(|sum| sum.low)),
            volume: DecimalText::volume(volume, instrument),
            notional: DecimalText::notional(notional, instrument),
            trade_count: Count(sum.map_or(0, |sum| sum.trade_count)),
            change: Nullable(
                change.map(|(from, to)| SignedDecimalText::change(from, to, instrument)),
            ),
            change_percent: Nullable(
                change.and_then(|(from, to)| SignedDecimalText::change_percent(from, to)),
            ),
            best_bid: price(ticker.best.0),
            best_ask: price(ticker.best.1),
            from: TimestampText(ticker.window.0),
            to: TimestampText(ticker.window.1),
        }
    }
}

impl SettlementLineView {
    /// A running position, netted.
    #[must_use]
    pub fn running(client: &ClientId, position: &ClientPosition, instrument: &Instrument) -> Self {
        let volume = |volume| DecimalText::volume(volume, instrument);
        let notional = |notional| DecimalText::notional(notional, instrument);
        let (bought, sold) = (volume(position.bought), volume(position.sold));
        let (paid, received) = (
            notional(position.bought_notional),
            notional(position.sold_notional),
        );
        Self {
            client_id: client.as_str().into(),
            instrument: instrument.symbol.as_str().into(),
            bought_quantity: bought.into(),
            sold_quantity: sold.into(),
            bought_notional: paid.into(),
            sold_notional: received.into(),
            net_quantity: SignedDecimalText::difference(bought, sold),
            net_cash: SignedDecimalText::difference(received, paid),
            trade_count: Count(position.trade_count),
        }
    }

    /// A line of a settlement.
    #[must_use]
    pub fn settled(line: &settlement_line::Model) -> Self {
        let decimal = |decimal: shardbook_storage::entity::decimal::ExactDecimal| {
            SignedDecimalText::new(decimal.mantissa(), decimal.scale())
        };
        Self {
            client_id: line.client_id.as_str().into(),
            instrument: line.instrument.as_str().into(),
            bought_quantity: decimal(line.bought_quantity),
            sold_quantity: decimal(line.sold_quantity),
            bought_notional: decimal(line.bought_notional),
            sold_notional: decimal(line.sold_notional),
            net_quantity: decimal(line.net_quantity),
            net_cash: decimal(line.net_cash),
            trade_count: Count(u64::try_from(line.trade_count).unwrap_or(0)),
        }
    }
}

impl SettlementHeadView {
    /// The settlement as a list shows it.
    #[must_use]
    pub fn new(head: &settlement::Model) -> Self {
        Self {
            date: head.date.as_str().into(),
            settled_at: Nullable(head.settled_at.timestamp().map(TimestampText)),
            line_count: Count(u64::try_from(head.line_count).unwrap_or(0)),
        }
    }
}

impl SettlementView {
    /// The settlement with these of its lines.
    #[must_use]
    pub fn new(head: &settlement::Model, lines: Vec<SettlementLineView>) -> Self {
        Self {
            date: head.date.as_str().into(),
            settled_at: Nullable(head.settled_at.timestamp().map(TimestampText)),
            lines,
        }
    }
}

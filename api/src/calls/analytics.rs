//! What was traded in a while, and by whom today.

use std::sync::Arc;

use poem::http::HeaderMap;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use shardbook_engine::candle::{Candle, gather};
use shardbook_engine::router::InstrumentHandle;
use shardbook_engine::side::Side;
use shardbook_engine::time::{Clock, Minutes, Timestamp};

use crate::access::{Reader, Trader};
use crate::calls::Tag;
use crate::documented::Failure;
use crate::parameter::Limit;
use crate::payload::{CsvRow, Form, JsonOrCsv, JsonResponse};
use crate::problem::Problem;
use crate::schema::List;
use crate::schema::clearing::{CandleView, SettlementLineView, Ticker, TickerView, VwapView};
use crate::schema::span::{Interval, TimeInput, Window};
use crate::schema::text::{ClientIdText, SymbolText};
use crate::trading::Trading;

failures! {
    WindowFailures: InvalidParameter, InstrumentNotFound;
    CandlesFailures: InvalidParameter, InstrumentNotFound, NotAcceptable, Overloaded,
        DatabaseUnavailable;
    PositionsFailures: InvalidParameter, NotFound;
}

/// Most candles in one answer.
const CANDLES_MAX: usize = 1_000;

/// A ticker's window.
const DAY: Minutes = Minutes::hours(24);

/// The calls about what was traded.
#[derive(Clone)]
pub struct AnalyticsCalls {
    trading: Trading,
    clock: Arc<dyn Clock>,
}

#[derive(ApiResponse)]
enum Vwap {
    /// The average.
    #[oai(status = 200)]
    Vwap(JsonResponse<VwapView>),
}

#[derive(ApiResponse)]
enum TickerAnswer {
    /// The last 24 hours.
    #[oai(status = 200)]
    Ticker(JsonResponse<TickerView>),
}

#[derive(ApiResponse)]
enum Positions {
    /// One line for each instrument that the client traded today.
    #[oai(status = 200)]
    Lines(JsonResponse<Vec<SettlementLineView>>),
}

type Candles = JsonOrCsv<List<CandleView, CANDLES_MAX>>;

impl CsvRow for CandleView {
    const COLUMNS: &'static [&'static str] = &[
        "open_time",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "notional",
        "vwap",
        "trade_count",
    ];
}

impl AnalyticsCalls {
    /// Calls that tell what `trading` traded, by `clock`.
    #[must_use]
    pub const fn new(trading: Trading, clock: Arc<dyn Clock>) -> Self {
        Self { trading, clock }
    }

    fn named(&self, symbol: Option<SymbolText>) -> Result<Arc<InstrumentHandle>, Problem> {
        let symbol = symbol.map(|symbol| symbol.0);
        self.trading.instrument(symbol.as_ref())
    }

    /// A window that ends now. Stamps never decrease, so that a clock may be behind them.
    fn window(&self, newest: Timestamp, span: Minutes) -> (Timestamp, Timestamp) {
        let to = self.clock.now().max(newest);
        (to.before(span).floor(Minutes::ONE), to)
    }

    /// The candles of `from..to`, oldest first, at least the newest `limit`: from memory, and from
    /// the database what memory has let go of.
    ///
    /// Work and memory are bounded: a thousand days are at most 143 questions of a week of
    /// minutes each, one after another, and of what was read only whole candles are kept.
    async fn gathered(
        &self,
        on: &InstrumentHandle,
        (from, to): (Timestamp, Timestamp),
        interval: Minutes,
        limit: usize,
    ) -> Result<Vec<Candle>, Problem> {
        let (minutes, let_go) = {
            let market = on.market_data().read();
            (market.candles(from, to), market.candles_let_go())
        };
        let mut candles = gather(&minutes, interval);
        let Some(let_go) = let_go.filter(|let_go| let_go.open_time >= from) else {
            return Ok(candles);
        };
        let mut until = let_go.open_time.after(Minutes::ONE).min(to);
        // One more than asked for: then the oldest of those asked for is whole.
        while from < until && candles.len() <= limit {
            let archive = self.trading.archive();
            let mark = let_go.updated;
            let older = archive
                .candles_before(on.instrument(), (from, until), mark)
                .await?;
            let Some(oldest) = older.candles.last().map(|candle| candle.open_time) else {
                break;
            };
            let mut all: Vec<_> = older.candles.into_iter().rev().collect();
            // An interval that two answers share becomes one again.
            all.append(&mut candles);
            candles = gather(&all, interval);
            if !older.is_cut {
                break;
            }
            until = oldest;
        }
        Ok(candles)
    }
}

#[OpenApi(tag = "Tag::MarketData")]
impl AnalyticsCalls {
    /// Read the average price of a window
    ///
    /// By volume: the notional of all trades from `from` to now, divided by their volume; null
    /// where there was none.
    #[oai(path = "/analytics/vwap", method = "get", operation_id = "get_vwap")]
    async fn vwap(
        &self,
        _by: Reader,
        /// Whose trades; the first configured instrument's if left out.
        instrument: Query<Option<SymbolText>>,
        /// How long, from 1m to 24h; 5m if left out. It begins with the minute that holds now less
        /// this.
        window: Query<Option<Window>>,
    ) -> Result<Vwap, Failure<WindowFailures>> {
        let on = self.named(instrument.0)?;
        let window = window.0.unwrap_or_else(Window::usual);
        let market = on.market_data().read();
        let bounds = self.window(market.timestamp(), window.span);
        let sum = Candle::sum(market.candles(bounds.0, bounds.1.after(Minutes::ONE)));
        let view = VwapView::new(on.instrument(), window.text, bounds, sum.as_ref());
        Ok(Vwap::Vwap(JsonResponse(view)))
    }

    /// Read candles, oldest first
    ///
    /// The first, highest, lowest and last price of each interval, and what was traded in it. An
    /// interval without trades is left out. Intervals are counted from 1970-01-01 in UTC. With
    /// `Accept: text/csv`, as CSV.
    #[oai(
        path = "/analytics/candles",
        method = "get",
        operation_id = "get_candles"
    )]
    #[expect(clippy::too_many_arguments, reason = "one a query parameter")]
    async fn candles(
        &self,
        _by: Reader,
        headers: &HeaderMap,
        /// Whose trades; the first configured instrument's if left out.
        instrument: Query<Option<SymbolText>>,
        /// How long each is; 1m if left out.
        interval: Query<Option<Interval>>,
        /// Candles from this `open_time` on, as `2026-01-31T12:00:00Z`; from the first if left
        /// out.
        from: Query<Option<TimeInput>>,
        /// Candles before this `open_time`; up to now if left out.
        to: Query<Option<TimeInput>>,
        /// How many candles at most: the newest.
        limit: Query<Option<Limit<500, 1000>>>,
    ) -> Result<Candles, Failure<CandlesFailures>> {
        let form = Form::accepted(headers)?;
        let on = self.named(instrument.0)?;
        let interval = interval.0.map_or(Minutes::ONE, |interval| interval.0);
        let limit = Limit::get(limit.0);
        let from = from.0.map_or_else(Timestamp::default, |from| from.0);
        let to = to.0.map_or_else(
            || {
                let now = self.clock.now().max(on.market_data().read().timestamp());
                // The interval that has begun with now counts in.
                now.floor(interval).after(interval)
            },
            |to| to.0.ceil(interval),
        );
        let bounds = (from.ceil(interval), to);
        let mut candles = self.gathered(&on, bounds, interval, limit).await?;
        candles.drain(..candles.len().saturating_sub(limit));
        let views = candles
            .iter()
            .map(|candle| CandleView::new(candle, on.instrument()));
        Ok(JsonOrCsv::in_form(form, views.collect())?)
    }

    /// Read the last 24 hours
    ///
    /// The last price and the best ones now, and what the last 24 hours were: first, highest and
    /// lowest price, volume, change.
    #[oai(
        path = "/analytics/ticker",
        method = "get",
        operation_id = "get_ticker"
    )]
    async fn ticker(
        &self,
        _by: Reader,
        /// Whose trades; the first configured instrument's if left out.
        instrument: Query<Option<SymbolText>>,
    ) -> Result<TickerAnswer, Failure<WindowFailures>> {
        let on = self.named(instrument.0)?;
        let market = on.market_data().read();
        let window = self.window(market.timestamp(), DAY);
        let best = |side| market.best(side).map(|(price, _)| price);
        let ticker = Ticker {
            last: market.last_trade().map(|trade| trade.price),
            sum: Candle::sum(market.candles(window.0, window.1.after(Minutes::ONE))),
            best: (best(Side::Buy), best(Side::Sell)),
            window,
        };
        let view = TickerView::new(&ticker, on.instrument());
        Ok(TickerAnswer::Ticker(JsonResponse(view)))
    }

    /// Read a client's running positions of today
    ///
    /// What it bought and sold since midnight UTC, by instrument, and both nets. What comes of the
    /// day is settled after it (see Settlement).
    #[oai(
        path = "/positions/:client_id",
        method = "get",
        operation_id = "get_positions"
    )]
    async fn positions(
        &self,
        by: Trader,
        /// Whose positions; with a key, its own client's.
        client_id: Path<ClientIdText>,
    ) -> Result<Positions, Failure<PositionsFailures>> {
        let client = client_id.0.0;
        by.client_or_own(Some(client.clone()))?;
        let now = self.clock.now();
        let handles = self.trading.router().instruments();
        let lines = handles.iter().filter_map(|on| {
            let market = on.market_data().read();
            // Stamps never decrease, so that a clock may be behind them.
            let today = now.max(market.timestamp()).day();
            let position = market.position(&client, today)?;
            Some(SettlementLineView::running(
                &client,
                &position,
                on.instrument(),
            ))
        });
        Ok(Positions::Lines(JsonResponse(lines.collect())))
    }
}

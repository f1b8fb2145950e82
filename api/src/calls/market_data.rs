//! What can be traded, and what is offered and traded.

use std::sync::Arc;

use poem::http::HeaderMap;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use shardbook_engine::id::TradeNumber;
use shardbook_engine::market_data::Reach;
use shardbook_engine::order::Trade;
use shardbook_engine::router::InstrumentHandle;

use crate::access::Reader;
use crate::calls::Tag;
use crate::documented::Failure;
use crate::parameter::Limit;
use crate::payload::{CsvRow, Form, JsonOrCsv, JsonResponse};
use crate::problem::Problem;
use crate::schema::List;
use crate::schema::book::BookView;
use crate::schema::instrument::InstrumentView;
use crate::schema::order::TradeView;
use crate::schema::text::{SymbolText, TradeIdInput, TradeIdText};
use crate::trading::Trading;

failures! {
    BookFailures: InvalidParameter, InstrumentNotFound;
    TradesFailures: InvalidParameter, InstrumentNotFound, NotAcceptable, Overloaded,
        DatabaseUnavailable;
    InstrumentFailures: InstrumentNotFound;
    NoFailures: Forbidden;
}

/// Most trades in one answer.
const TRADES_MAX: usize = 1_000;

/// The calls about what can be traded, and what is offered and traded.
#[derive(Clone)]
pub struct MarketDataCalls {
    trading: Trading,
}

#[derive(ApiResponse)]
enum Book {
    /// The book after the last command applied.
    #[oai(status = 200)]
    Book(JsonResponse<BookView>),
}

type Trades = JsonOrCsv<List<TradeView, TRADES_MAX>>;

impl CsvRow for TradeView {
    const COLUMNS: &'static [&'static str] = &[
        "trade_id",
        "instrument",
        "buy_order_id",
        "sell_order_id",
        "price",
        "quantity",
        "taker_side",
        "sequence",
        "timestamp",
    ];
}

#[derive(ApiResponse)]
enum Instruments {
    /// All of them.
    #[oai(status = 200)]
    All(JsonResponse<Vec<InstrumentView>>),
}

#[derive(ApiResponse)]
enum OneInstrument {
    /// The instrument.
    #[oai(status = 200)]
    Instrument(JsonResponse<InstrumentView>),
}

impl MarketDataCalls {
    /// Calls that read what `trading` trades.
    #[must_use]
    pub const fn new(trading: Trading) -> Self {
        Self { trading }
    }
}

#[OpenApi(tag = "Tag::MarketData")]
impl MarketDataCalls {
    /// Read the order book
    ///
    /// What rests at the best prices of both sides, after the last command that is durable. To
    /// follow it from there on, subscribe to `orderbook_deltas` (see Streams) and drop deltas
    /// whose `sequence` is not above this answer's.
    #[oai(path = "/orderbook", method = "get", operation_id = "get_orderbook")]
    async fn order_book(
        &self,
        _by: Reader,
        /// Whose book; the first configured instrument's if left out.
        instrument: Query<Option<SymbolText>>,
        /// How many prices a side, best first.
        levels: Query<Option<Limit<20, 1000>>>,
    ) -> Result<Book, Failure<BookFailures>> {
        let on = self.named(instrument.0)?;
        let book = on.market_data().read().order_book(Limit::get(levels.0));
        Ok(Book::Book(JsonResponse(BookView::new(
            &book,
            on.instrument(),
        ))))
    }

    /// Read trades, newest first
    ///
    /// An instrument's trades are numbered from 1 without a gap, over restarts too. To read on,
    /// send the last trade's `trade_id` as `before`.
    #[oai(path = "/trades", method = "get", operation_id = "get_trades")]
    async fn trades(
        &self,
        _by: Reader,
        headers: &HeaderMap,
        /// Whose trades; the first configured instrument's if left out.
        instrument: Query<Option<SymbolText>>,
        /// How many trades at most.
        limit: Query<Option<Limit<50, 1000>>>,
        /// Only trades older than this one: its `trade_id`, as `BTC-USD-7`.
        before: Query<Option<TradeIdInput>>,
    ) -> Result<Trades, Failure<TradesFailures>> {
        let form = Form::accepted(headers)?;
        let on = self.named(instrument.0)?;
        let limit = Limit::get(limit.0);
        let before = before.0.map(|text| {
            TradeIdText::parse(&text.0, on.instrument()).ok_or_else(|| {
                let symbol = &on.instrument().symbol;
                Problem::parameter(
                    "before",
                    format!("must be a trade_id of {symbol}, as {symbol}-7"),
                )
            })
        });
        let before = before.transpose()?;
        let page = on.market_data().read().trades(before, limit);
        let trades = match page.reach {
            Reach::Whole => page.trades,
            Reach::Short => {
                let oldest = page.trades.last().map(|trade| trade.number);
                let below = oldest.or(before).unwrap_or_default();
                let missing = limit - page.trades.len();
                let older = self.older_trades(&on, below, missing).await?;
                page.trades.into_iter().chain(older).collect()
            }
        };
        let views = trades
            .iter()
            .map(|trade| TradeView::new(trade, on.instrument()));
        Ok(JsonOrCsv::in_form(form, views.collect())?)
    }

    /// Read all instruments
    ///
    /// What can be traded, and the rules its orders keep. The first is the one that reads mean
    /// where they name none.
    #[oai(
        path = "/instruments",
        method = "get",
        operation_id = "get_instruments"
    )]
    async fn instruments(&self, _by: Reader) -> Result<Instruments, Failure<NoFailures>> {
        let handles = self.trading.router().instruments();
        let views = handles.iter().map(|handle| view(handle));
        Ok(Instruments::All(JsonResponse(views.collect())))
    }

    /// Read an instrument
    ///
    /// A price must be a multiple of its `tick_size`, a quantity one of its `lot_size`; anything
    /// else is refused with the nearest valid values, never rounded.
    #[oai(
        path = "/instruments/:symbol",
        method = "get",
        operation_id = "get_instrument"
    )]
    async fn instrument(
        &self,
        _by: Reader,
        /// The instrument's name, as `BTC-USD`.
        symbol: Path<SymbolText>,
    ) -> Result<OneInstrument, Failure<InstrumentFailures>> {
        let on = self.trading.instrument(Some(&symbol.0.0))?;
        Ok(OneInstrument::Instrument(JsonResponse(view(&on))))
    }
}

impl MarketDataCalls {
    /// At most `count` trades numbered below `below`, newest first, from the database.
    async fn older_trades(
        &self,
        on: &InstrumentHandle,
        below: TradeNumber,
        count: usize,
    ) -> Result<Vec<Arc<Trade>>, Problem> {
        // A database past the oldest in memory has been past all that are older.
        let mark = {
            let market_data = on.market_data().read();
            let held = market_data.trades(None, usize::MAX).trades;
            let oldest = held.last().map(|trade| trade.sequence);
            oldest.unwrap_or(market_data.sequence())
        };
        let archive = self.trading.archive();
        archive
            .trades_before(on.instrument(), below, count, mark)
            .await
    }

    fn named(&self, symbol: Option<SymbolText>) -> Result<Arc<InstrumentHandle>, Problem> {
        let symbol = symbol.map(|symbol| symbol.0);
        self.trading.instrument(symbol.as_ref())
    }
}

/// The instrument as it stands.
pub(super) fn view(handle: &InstrumentHandle) -> InstrumentView {
    let status = handle.market_data().read().status();
    InstrumentView::new(handle.instrument(), status)
}

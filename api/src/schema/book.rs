//! The order book as everyone sees it.

use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{self as engine, BookLevel, OrderBook};

use crate::decimal::{DecimalText, TimestampText};
use crate::schema::text::{Count, SymbolText};
use crate::schema::{List, Nullable};

/// Most levels a side that one answer shows.
pub const LEVELS_MAX: usize = 1_000;

object! {
    /// All orders resting at one price.
    pub struct LevelView {
        /// The price, at the tick's scale.
        pub price: DecimalText,
        /// What they have left together, at the lot's scale.
        pub quantity: DecimalText,
        /// How many they are.
        pub orders: Count,
        /// What this level and all better ones have together.
        pub cumulative_quantity: DecimalText,
    }
    example {"price": "70150.00", "quantity": "0.15000", "orders": 1, "cumulative_quantity": "0.15000"}
}

object! {
    /// One whole side of the book in three numbers.
    pub struct SideTotals {
        /// How many prices have orders.
        pub levels: Count,
        /// How many orders rest.
        pub orders: Count,
        /// What they have left together.
        pub quantity: DecimalText,
    }
    example {"levels": 1, "orders": 1, "quantity": "0.15000"}
}

object! {
    /// Both sides of the book in three numbers each, whatever number of levels was asked for.
    pub struct BookTotals {
        /// The buyers'.
        pub bids: SideTotals,
        /// The sellers'.
        pub asks: SideTotals,
    }
    example {
        "bids": {"levels": 1, "orders": 1, "quantity": "0.15000"},
        "asks": {"levels": 1, "orders": 3, "quantity": "2.00000"}
    }
}

object! {
    /// The order book, best prices first.
    pub struct BookView {
        /// Whose book.
        pub instrument: SymbolText,
        /// The last command applied, whether or not it changed the book.
        pub sequence: Count,
        /// When that command was decided.
        pub timestamp: TimestampText,
        /// The buyers, the highest price first.
        pub bids: List<LevelView, LEVELS_MAX>,
        /// The sellers, the lowest price first.
        pub asks: List<LevelView, LEVELS_MAX>,
        /// The whole book in a few numbers.
        pub totals: BookTotals,
        /// The best ask less the best bid; null while a side is empty.
        pub spread: Nullable<DecimalText>,
        /// The middle of the best prices, one digit beyond the tick's; null while a side is empty.
        pub mid_price: Nullable<DecimalText>,
    }
    example {
        "instrument": "BTC-USD", "sequence": 42, "timestamp": "2026-01-31T12:00:00.000001Z",
        "bids": [{"price": "70150.00", "quantity": "0.15000", "orders": 1, "cumulative_quantity": "0.15000"}],
        "asks": [{"price": "70151.00", "quantity": "2.00000", "orders": 3, "cumulative_quantity": "2.00000"}],
        "totals": {
            "bids": {"levels": 1, "orders": 1, "quantity": "0.15000"},
            "asks": {"levels": 1, "orders": 3, "quantity": "2.00000"}
        },
        "spread": "1.00", "mid_price": "70150.500"
    }
}

impl LevelView {
    /// The level as it is shown.
    #[must_use]
    pub fn new(level: &BookLevel, instrument: &Instrument) -> Self {
        Self {
            price: DecimalText::price(level.price, instrument),
            quantity: DecimalText::volume(level.volume, instrument),
            orders: Count(level.orders),
            cumulative_quantity: DecimalText::volume(level.cumulative, instrument),
        }
    }
}

impl BookView {
    /// The book as it is shown.
    #[must_use]
    pub fn new(book: &OrderBook, instrument: &Instrument) -> Self {
        let level = |level: &BookLevel| LevelView::new(level, instrument);
        let totals = |side: &engine::SideTotals| SideTotals {
            levels: Count::from(side.levels),
            orders: Count(side.orders),
            quantity: DecimalText::volume(side.volume, instrument),
        };
        let best = book.bids.first().zip(book.asks.first());
        Self {
            instrument: SymbolText(instrument.symbol.clone()),
            sequence: Count(book.sequence.get()),
            timestamp: TimestampText(book.timestamp),
            bids: List(book.bids.iter().map(level).collect()),
            asks: List(book.asks.iter().map(level).collect()),
            totals: BookTotals {
                bids: totals(&book.bid_totals),
                asks: totals(&book.ask_totals),
            },
            spread: Nullable(
                best.map(|(bid, ask)| DecimalText::spread(bid.price, ask.price, instrument)),
            ),
            mid_price: Nullable(
                best.map(|(bid, ask)| DecimalText::mid_price(bid.price, ask.price, instrument)),
            ),
        }
    }
}

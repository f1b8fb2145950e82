//! What readers see of one instrument: a fold over its durable records.
//!
//! Everything here is a deterministic function of the records applied, in order and without a
//! gap: the order rows, the book as levels, the newest trades. Nothing is matched again. A reader
//! never sees half a record. What it costs is bounded by what is open plus
//! [`MarketDataLimits`], not by history: closed orders beyond the limit are let go of, and the
//! newest of those is remembered, so that a reader who finds nothing knows what the database
//! must have passed before "not found" is the truth. An open order's newest trades are kept with
//! it; a closed one's are here as long as they are among the instrument's newest.
//!
//! The feed's orders are not kept once closed, in no number: a tape order never rests, and a
//! mirrored one that traded is the database's to show.

mod candles;
mod change;
mod depth;
mod fold;
mod listing;
mod mirror;
mod orders;
mod slab;
mod standing;
mod state;
mod trades;

use std::sync::Arc;

pub use self::candles::{CandlesLetGo, KeptCandle};
pub use self::change::{Applied, BookDelta, Change, ChangeId, ChangeKind};
pub use self::depth::{Level, SideTotals};
pub use self::listing::{LetGo, OrderFilter, OrdersOf, OrdersPart, Ties};
pub use self::standing::StandingOrders;
pub use self::state::{DayPositions, KeptOrder, MarketDataRestorer, Marks};
pub use self::trades::{Reach, TradesPage};

use self::candles::{OpenDays, RecentCandles};
use self::depth::Depth;
use self::mirror::MirrorOrders;
use self::orders::Orders;
use self::standing::Copies;
use self::trades::RecentTrades;
use crate::answer::{Answer, FirstAnswer};
use crate::candle::Candle;
use crate::id::{ClientId, OrderId, Sequence, TradeNumber};
use crate::instrument::Instrument;
use crate::journal::Durable;
use crate::order::{Order, OrderWithTrades, TRADES_SHOWN_MAX, Trade};
use crate::position::ClientPosition;
use crate::price::Price;
use crate::quantity::Volume;
use crate::record::Record;
use crate::side::Side;
use crate::time::{Day, Timestamp};

/// How much memory keeps of what is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketDataLimits {
    /// Clients' closed orders, the newest.
    pub closed_orders: usize,
    /// The instrument's trades, the newest. A trade closes one of its orders: as many as closed
    /// orders, and these have theirs at hand unless the feed trades much.
    pub trades: usize,
}

impl Default for MarketDataLimits {
    fn default() -> Self {
        Self {
            closed_orders: 10_000,
            trades: 10_000,
        }
    }
}

/// One instrument as readers see it.
#[derive(Debug)]
pub struct MarketData {
    instrument: Arc<Instrument>,
    orders: Orders,
    mirror: MirrorOrders,
    depth: Depth,
    trades: RecentTrades,
    candles: RecentCandles,
    open_days: OpenDays,
    sequence: Sequence,
    timestamp: Timestamp,
    status: InstrumentStatus,
    newest_change: ChangeId,
    last_delta: Sequence,
    newest_tape_order: Sequence,
    last_closed_day: Option<Day>,
    /// The clients' orders that the record at hand touched; kept for its room.
    touched: Vec<slab::Slot>,
    /// Whoever copies its orders just now.
    copies: Copies,
}

/// Whether an instrument takes orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentStatus {
    /// It does.
    Trading,
    /// It takes cancels only.
    Halted,
}

/// What memory knows of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownOrder {
    /// The order with its newest trades, as many as an answer shows.
    Whole(OrderWithTrades),
    /// The order, which is closed; memory has let go of some of those trades.
    WithoutTrades(Order),
}

/// The best levels of a book, and its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBook {
    /// The last record's, whether or not it changed the book.
    pub sequence: Sequence,
    /// When that was decided; the epoch before the first record.
    pub timestamp: Timestamp,
    /// Bids, best first.
    pub bids: Vec<BookLevel>,
    /// Asks, best first.
    pub asks: Vec<BookLevel>,
    /// The sums of all bids, shown or not.
    pub bid_totals: SideTotals,
    /// The sums of all asks, shown or not.
    pub ask_totals: SideTotals,
}

/// One level of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookLevel {
    /// Its price.
    pub price: Price,
    /// How much rests there.
    pub volume: Volume,
    /// In how many orders.
    pub orders: u64,
    /// How much rests there and at better prices.
    pub cumulative: Volume,
}

/// The whole book, for one who goes on from it with the deltas after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookImage {
    /// The last delta's sequence, with which the next delta's `previous_sequence` agrees;
    /// [`Sequence::ZERO`] before the first.
    pub sequence: Sequence,
    /// The newest change that it contains.
    pub newest_change: ChangeId,
    /// The last record's time; the epoch before the first record.
    pub timestamp: Timestamp,
    /// Bids, best first.
    pub bids: Vec<(Price, Volume)>,
    /// Asks, best first.
    pub asks: Vec<(Price, Volume)>,
}

impl MarketData {
    /// The instrument before its first record.
    #[must_use]
    pub fn new(instrument: Arc<Instrument>, limits: MarketDataLimits) -> Self {
        Self {
            timestamp: instrument.listed_at,
            instrument,
            orders: Orders::new(limits.closed_orders),
            mirror: MirrorOrders::new(),
            depth: Depth::default(),
            trades: RecentTrades::new(limits.trades),
            candles: RecentCandles::default(),
            open_days: OpenDays::default(),
            sequence: Sequence::ZERO,
            status: InstrumentStatus::Trading,
            newest_change: ChangeId::ZERO,
            last_delta: Sequence::ZERO,
            newest_tape_order: Sequence::ZERO,
            last_closed_day: None,
            touched: Vec::new(),
            copies: Copies::new(),
        }
    }

    /// Takes in the next record, adds to `applied` what it changed, and returns what its sender
    /// is told: the orders as this record left them, whatever follows.
    ///
    /// # Panics
    /// When the record is not the instrument's next, or speaks of orders that do not rest: a bug
    /// of whoever made or kept it.
    pub fn apply(&mut self, record: Durable<&Record>, applied: &mut Applied) -> Answer {
        fold::apply(self, record.into_inner(), applied)
    }

    /// As [`MarketData::apply`], of a record whose sender has long been told.
    ///
    /// # Panics
    /// As there.
    pub fn replay(&mut self, record: Durable<&Record>, applied: &mut Applied) {
        fold::replay(self, record.into_inner(), applied);
    }

    /// What it is the data of.
    #[must_use]
    pub const fn instrument(&self) -> &Arc<Instrument> {
        &self.instrument
    }

    /// The last record's; [`Sequence::ZERO`] before the first.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// When the last record was decided; before the first, when the instrument was listed.
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Whether it takes orders.
    #[must_use]
    pub const fn status(&self) -> InstrumentStatus {
        self.status
    }

    /// Whether it takes cancels only.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        matches!(self.status, InstrumentStatus::Halted)
    }

    /// The last UTC day that was closed.
    #[must_use]
    pub const fn last_closed_day(&self) -> Option<Day> {
        self.last_closed_day
    }

    /// The newest change told of; [`ChangeId::ZERO`] before the first.
    #[must_use]
    pub const fn newest_change(&self) -> ChangeId {
        self.newest_change
    }

    /// An order in memory. Of several that had the id, the newest.
    #[must_use]
    pub fn order(&self, id: &OrderId) -> Option<Order> {
        match mirror::parse_id(id) {
            Some(placed) => Some(self.mirror.show(placed, self.mirror.get(placed)?)),
            None => self.orders.find(id).map(|slot| self.orders.show(slot)),
        }
    }

    /// The same with its newest trades.
    #[must_use]
    pub fn order_with_trades(&self, id: &OrderId) -> Option<KnownOrder> {
        let (order, fills) = match mirror::parse_id(id) {
            Some(placed) => {
                let row = self.mirror.get(placed)?;
                (self.mirror.show(placed, row), &row.fills)
            }
            None => {
                let slot = self.orders.find(id)?;
                (self.orders.show(slot), &self.orders.get(slot).fills)
            }
        };
        let trades = match fills {
            Some(fills) if order.is_open() => Some(fills.newest()),
            Some(_) => self.trades.of(&order),
            None => Some(Vec::new()),
        };
        Some(match trades {
            Some(trades) => KnownOrder::Whole(OrderWithTrades { order, trades }),
            None => KnownOrder::WithoutTrades(order),
        })
    }

    /// A first answer with its newest trades, or `None` if memory has let go of some of them.
    #[must_use]
    pub fn replayed(&self, first: &FirstAnswer) -> Option<OrderWithTrades> {
        let count = usize::try_from(first.order.trade_count).unwrap_or(usize::MAX);
        let shown = count.min(TRADES_SHOWN_MAX);
        let skipped = u64::try_from(count - shown).unwrap_or(u64::MAX);
        let from = TradeNumber::new(first.first_trade.get() + skipped);
        let own = || {
            let slot = self.orders.placed_by(first.order.placed.sequence)?;
            let fills = self.orders.get(slot).fills.as_ref()?;
            fills.numbered(from, shown)
        };
        Some(OrderWithTrades {
            order: Order::clone(&first.order),
            trades: self.trades.numbered(from, shown).or_else(own)?,
        })
    }

    /// The best `levels` of each side.
    #[must_use]
    pub fn order_book(&self, levels: usize) -> OrderBook {
        OrderBook {
            sequence: self.sequence,
            timestamp: self.timestamp,
            bids: self.best_levels(Side::Buy, levels),
            asks: self.best_levels(Side::Sell, levels),
            bid_totals: self.depth.totals(Side::Buy),
            ask_totals: self.depth.totals(Side::Sell),
        }
    }

    fn best_levels(&self, side: Side, levels: usize) -> Vec<BookLevel> {
        let mut cumulative = Volume::ZERO;
        let show = |(price, level): (Price, Level)| {
            cumulative += level.volume;
            BookLevel {
                price,
                volume: level.volume,
                orders: level.orders,
                cumulative,
            }
        };
        self.depth.levels(side).take(levels).map(show).collect()
    }

    /// One side's sums.
    #[must_use]
    pub fn totals(&self, side: Side) -> SideTotals {
        self.depth.totals(side)
    }

    /// The best price of one side and what rests there.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(Price, Level)> {
        self.depth.best(side)
    }

    /// The whole book, for one who goes on with the deltas.
    #[must_use]
    pub fn full_levels(&self) -> BookImage {
        let volumes = |side| {
            let levels = self.depth.levels(side);
            levels.map(|(price, level)| (price, level.volume)).collect()
        };
        BookImage {
            sequence: self.last_delta,
            newest_change: self.newest_change,
            timestamp: self.timestamp,
            bids: volumes(Side::Buy),
            asks: volumes(Side::Sell),
        }
    }

    /// At most `limit` trades numbered below `before`, newest first.
    #[must_use]
    pub fn trades(&self, before: Option<TradeNumber>, limit: usize) -> TradesPage {
        self.trades.page(before, limit)
    }

    /// The `count` trades numbered on from `first`, oldest first, or `None` unless memory holds
    /// them all.
    #[must_use]
    pub fn trades_numbered(&self, first: TradeNumber, count: usize) -> Option<Vec<Arc<Trade>>> {
        self.trades.numbered(first, count)
    }

    /// The newest trade.
    #[must_use]
    pub const fn last_trade(&self) -> Option<&Arc<Trade>> {
        self.trades.newest()
    }

    /// The one-minute candles in memory that begin in `from..to`, oldest first. All there ever
    /// were, but for those that [`MarketData::candles_let_go`] tells of.
    #[must_use]
    pub fn candles(&self, from: Timestamp, to: Timestamp) -> Vec<Candle> {
        self.candles.between(from, to)
    }

    /// The newest candle that memory has let go of; none in an instrument that is younger than
    /// what memory keeps, some 25 hours.
    #[must_use]
    pub const fn candles_let_go(&self) -> Option<CandlesLetGo> {
        self.candles.let_go()
    }

    /// What a client bought and sold in a day that is not closed; `None` if it did not trade.
    #[must_use]
    pub fn position(&self, client: &ClientId, day: Day) -> Option<ClientPosition> {
        self.open_days.of(client, day)
    }

    /// How far the database must have come before it can be trusted not to know an order that
    /// memory does not know either: the last change of the newest closed client's order that
    /// memory has let go of.
    #[must_use]
    pub const fn newest_let_go(&self) -> Sequence {
        self.orders.newest_let_go()
    }

    /// The same for tape orders, which memory never keeps.
    #[must_use]
    pub const fn newest_tape_order(&self) -> Sequence {
        self.newest_tape_order
    }

    /// The same for the mirror's orders that had traded, which memory lets go of when they close.
    #[must_use]
    pub const fn newest_mirror_let_go(&self) -> Sequence {
        self.mirror.newest_let_go()
    }

    /// The mark that bears on an order of this id.
    #[must_use]
    pub fn newest_let_go_like(&self, id: &OrderId) -> Sequence {
        if mirror::parse_id(id).is_some() {
            self.newest_mirror_let_go()
        } else if id.is_feed() {
            self.newest_tape_order
        } else {
            self.newest_let_go()
        }
    }
}

#[cfg(test)]
mod tests;

//! Market data taken out piece by piece and put together again, for checkpoints: a million rows
//! are never there twice.
//!
//! Two instruments' market data that give the same pieces answer alike from then on. The book's
//! levels are left out: they are the sums of what rests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hash_index::Gathered;
use crate::id::{ClientId, OrderId, Sequence, TradeNumber};
use crate::instrument::Instrument;
use crate::market_data::candles::{CandlesLetGo, KeptCandle, OpenDays, RecentCandles};
use crate::market_data::change::ChangeId;
use crate::market_data::mirror::MirrorRow;
use crate::market_data::slab::Slot;
use crate::market_data::trades::Fills;
use crate::market_data::{InstrumentStatus, MarketData, MarketDataLimits};
use crate::order::{Order, Trade};
use crate::position::ClientPosition;
use crate::time::{Day, Timestamp};

/// What is known of an instrument beside its orders and trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The last record's.
    pub sequence: Sequence,
    /// When that was decided.
    pub timestamp: Timestamp,
    /// Whether it takes orders.
    pub status: InstrumentStatus,
    /// The newest change told of.
    pub newest_change: ChangeId,
    /// The last delta's.
    pub last_delta: Sequence,
    /// The last tape order's.
    pub newest_tape_order: Sequence,
    /// The last UTC day that was closed.
    pub last_closed_day: Option<Day>,
    /// The last change of the newest closed client's order that memory has let go of.
    pub newest_let_go: Sequence,
    /// The same for the mirror's orders that had traded.
    pub newest_mirror_let_go: Sequence,
}

/// What each client bought and sold in a day, by the clients' names.
pub type DayPositions = (Day, Vec<(ClientId, ClientPosition)>);

/// An order as memory holds it, a client's or the mirror's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOrder {
    /// The order.
    pub order: Order,
    /// Those of its trades that memory holds with it, oldest first.
    pub trades: Vec<TradeNumber>,
}

impl MarketData {
    /// What is known beside orders and trades.
    #[must_use]
    pub const fn marks(&self) -> Marks {
        Marks {
            sequence: self.sequence,
            timestamp: self.timestamp,
            status: self.status,
            newest_change: self.newest_change,
            last_delta: self.last_delta,
            newest_tape_order: self.newest_tape_order,
            last_closed_day: self.last_closed_day,
            newest_let_go: self.newest_let_go(),
            newest_mirror_let_go: self.newest_mirror_let_go(),
        }
    }

    /// Every trade that memory holds, as one of the newest or with its orders, oldest first; the
    /// last of them is the newest that there was.
    #[must_use]
    pub fn kept_trades(&self) -> Vec<Arc<Trade>> {
        let of_clients = self
            .orders
            .oldest_first()
            .filter_map(|slot| self.orders.get(slot).fills.as_deref());
        let of_mirror = self
            .mirror
            .iter()
            .filter_map(|(_, row)| row.fills.as_deref());
        let of_orders = of_clients.chain(of_mirror).flat_map(Fills::newest);
        let newest = self.trades.iter().chain(self.trades.newest()).cloned();
        let trades: BTreeMap<TradeNumber, Arc<Trade>> = of_orders
            .chain(newest)
            .map(|trade| (trade.number, trade))
            .collect();
        trades.into_values().collect()
    }

    /// How many of those memory holds as the instrument's newest.
    #[must_use]
    pub fn newest_trades(&self) -> usize {
        self.trades.iter().len()
    }

    /// The one-minute candles that memory holds, oldest first.
    pub fn kept_candles(&self) -> impl ExactSizeIterator<Item = &KeptCandle> {
        self.candles.iter()
    }

    /// What each client bought and sold in the days that are not closed: days in order, clients
    /// by name.
    #[must_use]
    pub fn open_days(&self) -> Vec<DayPositions> {
        self.open_days.sorted()
    }

    /// How many orders memory holds.
    #[must_use]
    pub fn kept_order_count(&self) -> usize {
        self.orders.oldest_first().len() + self.mirror.iter().len()
    }

    /// The orders that memory holds: the clients', oldest placement first, then the mirror's.
    /// Made one by one as they are asked for.
    pub fn kept_orders(&self) -> impl Iterator<Item = KeptOrder> {
        let clients = self
            .orders
            .oldest_first()
            .map(|slot| KeptOrder::of(self.orders.show(slot), &self.orders.get(slot).fills));
        let mirror = self
            .mirror
            .iter()
            .map(|(placed, row)| KeptOrder::of(self.mirror.show(placed, row), &row.fills));
        clients.chain(mirror)
    }

    /// The closed orders that memory holds, by placement, first closed first.
    pub fn closed_orders(&self) -> impl ExactSizeIterator<Item = Sequence> {
        self.orders
            .closed()
            .map(|slot| self.orders.get(slot).placed)
    }

    /// The ids by which clients' closed orders in memory are found. Those that rest have theirs.
    pub fn closed_order_ids(&self) -> impl Iterator<Item = &OrderId> {
        self.orders.closed_ids()
    }
}

impl KeptOrder {
    fn of(order: Order, fills: &Option<Box<Fills>>) -> Self {
        let trades = fills.as_ref().map_or_else(Vec::new, |fills| fills.newest());
        Self {
            order,
            trades: trades.iter().map(|trade| trade.number).collect(),
        }
    }
}

/// Puts an instrument's market data together again.
#[derive(Debug)]
pub struct MarketDataRestorer {
    market: MarketData,
    /// Oldest first.
    trades: Vec<Arc<Trade>>,
    /// Under which the orders will be found.
    ids: Gathered<Slot>,
}

impl MarketDataRestorer {
    /// Begins with everything but orders: the `trades` of [`MarketData::kept_trades`], of which
    /// the last `newest` are the instrument's newest in memory.
    #[must_use]
    pub fn new(
        instrument: Arc<Instrument>,
        limits: MarketDataLimits,
        marks: Marks,
        trades: Vec<Arc<Trade>>,
        newest: usize,
    ) -> Self {
        let mut market = MarketData::new(instrument, limits);
        market.sequence = marks.sequence;
        market.timestamp = marks.timestamp;
        market.status = marks.status;
        market.newest_change = marks.newest_change;
        market.last_delta = marks.last_delta;
        market.newest_tape_order = marks.newest_tape_order;
        market.last_closed_day = marks.last_closed_day;
        market.orders.restore_newest_let_go(marks.newest_let_go);
        market
            .mirror
            .restore_newest_let_go(marks.newest_mirror_let_go);
        let from = trades.len().saturating_sub(newest);
        let recent = trades.get(from..).unwrap_or_default();
        market.trades.restore(recent, trades.last().cloned());
        Self {
            market,
            trades,
            ids: Gathered::default(),
        }
    }

    /// Takes the [`MarketData::kept_candles`] and the newest that was let go of.
    pub fn candles(&mut self, candles: Vec<KeptCandle>, let_go: Option<CandlesLetGo>) {
        self.market.candles = RecentCandles::restore(candles, let_go);
    }

    /// Takes the [`MarketData::open_days`].
    pub fn open_days(&mut self, days: Vec<DayPositions>) {
        self.market.open_days = OpenDays::restore(days);
    }

    /// Makes room for so many orders.
    pub fn make_room(&mut self, orders: usize) {
        self.market.orders.make_room(orders);
    }

    /// Takes the next of [`MarketData::kept_orders`].
    ///
    /// # Panics
    /// When it is a market order that rests: a bug of whoever kept it.
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub fn order(&mut self, kept: KeptOrder) {
        let KeptOrder { order, trades } = kept;
        if order.is_open() {
            let price = order.kind.price().expect("a market order never rests");
            let remaining = order.remaining_quantity();
            self.market.depth.restore(order.side, price, remaining);
        }
        let fills = (order.trade_count > 0).then(|| {
            let (quantity, notional) = (order.filled_quantity, order.filled_notional);
            let newest = trades.iter().filter_map(|number| self.trade(*number));
            let newest = newest.collect();
            Box::new(Fills::restore(
                quantity,
                notional,
                order.trade_count,
                newest,
            ))
        });
        if order.placed.index == 0 {
            self.market.orders.restore(order, fills, &mut self.ids);
            return;
        }
        let price = order.kind.price().expect("a mirrored order has a price");
        let row = MirrorRow {
            side: order.side,
            price,
            quantity: order.quantity,
            created_at: order.created_at,
            updated: order.updated,
            updated_at: order.updated_at,
            fills,
        };
        self.market.mirror.insert(order.placed, row);
    }

    fn trade(&self, number: TradeNumber) -> Option<Arc<Trade>> {
        let at = self
            .trades
            .binary_search_by_key(&number, |trade| trade.number);
        self.trades.get(at.ok()?).cloned()
    }

    /// Takes the next of [`MarketData::closed_orders`], once all orders are there.
    pub fn closed(&mut self, placed: Sequence) {
        let slot: Option<Slot> = self.market.orders.placed_by(placed);
        if let Some(slot) = slot {
            self.market.orders.close(slot);
        }
    }

    /// The market data. Of what the limits leave no room for, the oldest is let go of.
    #[must_use]
    pub fn finish(mut self) -> MarketData {
        self.market.orders.index(self.ids);
        self.market.orders.let_go(&mut Vec::new());
        self.market
    }
}

//! Finding orders, in memory first and then in the database.

use std::sync::Arc;

use shardbook_engine::id::{OrderId, Symbol};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::KnownOrder;
use shardbook_engine::order::{Order, OrderWithTrades};
use shardbook_engine::router::{InstrumentHandle, Location};

use crate::access::Trader;
use crate::archive::{Mark, ambiguous, not_found};
use crate::problem::Problem;
use crate::schema::order::OrderView;
use crate::trading::Trading;

impl Trading {
    /// An order, wherever it stands, with its newest trades.
    ///
    /// # Errors
    /// When there is none, several, or the database is needed and does not answer.
    pub async fn order(
        &self,
        by: &Trader,
        order_id: &OrderId,
        instrument: Option<&Symbol>,
    ) -> Result<OrderView, Problem> {
        let on = match self.named(instrument)? {
            Some(on) => Some(on),
            None => self.locate(by, order_id)?,
        };
        if let Some(on) = &on {
            let in_memory = on.market_data().read().order_with_trades(order_id);
            match in_memory {
                Some(KnownOrder::Whole(order)) if by.sees(&order.order.client) => {
                    return Ok(OrderView::with_trades(&order, on.instrument()));
                }
                Some(KnownOrder::WithoutTrades(order)) if by.sees(&order.client) => {
                    return self.with_archived_trades(order, on.instrument()).await;
                }
                // Its own may stand elsewhere, in the database.
                Some(_) if instrument.is_some() => return Err(not_found(order_id)),
                Some(_) | None => {}
            }
        }
        let named = on.filter(|_| instrument.is_some());
        let (instrument, order) = self.archived(by, order_id, named.as_ref()).await?;
        self.with_archived_trades(order, &instrument).await
    }

    /// A closed order with its newest trades, which the database has.
    async fn with_archived_trades(
        &self,
        order: Order,
        instrument: &Arc<Instrument>,
    ) -> Result<OrderView, Problem> {
        let trades = self.archive.trades_of(instrument, &order).await?;
        let order = OrderWithTrades { order, trades };
        Ok(OrderView::with_trades(&order, instrument))
    }

    pub(super) fn named(
        &self,
        instrument: Option<&Symbol>,
    ) -> Result<Option<Arc<InstrumentHandle>>, Problem> {
        instrument
            .map(|symbol| self.instrument(Some(symbol)))
            .transpose()
    }

    pub(super) fn locate(
        &self,
        by: &Trader,
        order_id: &OrderId,
    ) -> Result<Option<Arc<InstrumentHandle>>, Problem> {
        match self.router.locate(order_id) {
            Location::Nowhere => Ok(None),
            Location::On(handle) => Ok(Some(handle)),
            Location::Ambiguous(symbols) => {
                // Others' orders of the same id are nothing to choose between.
                let own = symbols.iter().filter_map(|symbol| {
                    let handle = self.router.instrument(symbol.as_str())?;
                    let order = handle.market_data().read().order(order_id);
                    // One on its way has no row yet, and may be anyone's.
                    let is_own = order.is_none_or(|order| by.sees(&order.client));
                    is_own.then_some(handle)
                });
                let mut own: Vec<_> = own.collect();
                match (own.pop(), own.is_empty()) {
                    (None, _) => Err(not_found(order_id)),
                    (Some(handle), true) => Ok(Some(handle)),
                    (Some(_), false) => {
                        Err(ambiguous(order_id, symbols.iter().map(Symbol::as_str)))
                    }
                }
            }
        }
    }

    /// The order that a shard says is not open, or `None` if one is by now.
    pub(super) async fn closed(
        &self,
        by: &Trader,
        order_id: &OrderId,
        on: Option<&Arc<InstrumentHandle>>,
    ) -> Result<Option<(Arc<Instrument>, Order)>, Problem> {
        if let Some(on) = on {
            let in_memory = on.market_data().read().order(order_id);
            if let Some(order) = in_memory {
                visible(by, &order)?;
                let instrument = Arc::clone(on.instrument());
                return Ok((!order.is_open()).then_some((instrument, order)));
            }
        }
        self.archived(by, order_id, on).await.map(Some)
    }

    async fn archived(
        &self,
        by: &Trader,
        order_id: &OrderId,
        on: Option<&Arc<InstrumentHandle>>,
    ) -> Result<(Arc<Instrument>, Order), Problem> {
        let marks = self.marks(order_id, on);
        self.archive.order(by, order_id, &marks).await
    }

    /// How far the database must have come on each instrument to know an order of this id.
    pub(super) fn marks(
        &self,
        order_id: &OrderId,
        on: Option<&Arc<InstrumentHandle>>,
    ) -> Vec<Mark> {
        let handles = on.map_or_else(|| self.router.instruments(), |on| vec![Arc::clone(on)]);
        let marks = handles.iter().map(|handle| {
            let mark = handle.market_data().read().newest_let_go_like(order_id);
            (Arc::clone(handle.instrument()), mark)
        });
        marks.collect()
    }
}

/// Another's order does not exist for who asks.
fn visible(by: &Trader, order: &Order) -> Result<(), Problem> {
    if by.sees(&order.client) {
        Ok(())
    } else {
        Err(not_found(&order.id))
    }
}

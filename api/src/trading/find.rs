//! Finding orders, in memory first and then in the database.

use std::sync::Arc;

use shardbook_engine::id::{OrderId, Symbol};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::OrderWithTrades;
use shardbook_engine::router::{InstrumentHandle, Location};

use crate::archive::{Mark, ambiguous};
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
        order_id: &OrderId,
        instrument: Option<&Symbol>,
    ) -> Result<OrderView, Problem> {
        let on = match self.named(instrument)? {
            Some(on) => Some(on),
            None => self.locate(order_id)?,
        };
        if let Some(on) = &on {
            let in_memory = on.market_data().read().order(order_id);
            if let Some(order) = in_memory {
                return Ok(OrderView::with_trades(&order, on.instrument()));
            }
        }
        let named = on.filter(|_| instrument.is_some());
        let (instrument, order) = self.archived(order_id, named.as_ref()).await?;
        Ok(OrderView::with_trades(&order, &instrument))
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
        order_id: &OrderId,
    ) -> Result<Option<Arc<InstrumentHandle>>, Problem> {
        match self.router.locate(order_id) {
            Location::Nowhere => Ok(None),
            Location::On(handle) => Ok(Some(handle)),
            Location::Ambiguous(symbols) => {
                Err(ambiguous(order_id, symbols.iter().map(Symbol::as_str)))
            }
        }
    }

    /// The order that a shard says is not open, or `None` if one is by now.
    pub(super) async fn closed(
        &self,
        order_id: &OrderId,
        on: Option<&Arc<InstrumentHandle>>,
    ) -> Result<Option<(Arc<Instrument>, OrderWithTrades)>, Problem> {
        if let Some(on) = on {
            let in_memory = on.market_data().read().order(order_id);
            if let Some(order) = in_memory {
                let instrument = Arc::clone(on.instrument());
                return Ok((!order.order.is_open()).then_some((instrument, order)));
            }
        }
        self.archived(order_id, on).await.map(Some)
    }

    async fn archived(
        &self,
        order_id: &OrderId,
        on: Option<&Arc<InstrumentHandle>>,
    ) -> Result<(Arc<Instrument>, OrderWithTrades), Problem> {
        let marks = self.marks(order_id, on);
        self.archive.order(order_id, &marks).await
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

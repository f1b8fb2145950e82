//! Reads from the database what memory no longer has.
//!
//! Each question is one statement, so that it sees one state of the database whatever is
//! committed meanwhile. What comes back is the engine's own types.

mod candles;
mod list;
mod snapshots;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use shardbook_engine::id::{OrderId, OrderRef, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Order, TRADES_SHOWN_MAX, Trade};
use shardbook_engine::side::Side;
use thiserror::Error;
use tokio::time::timeout;

use crate::database::{Database, DatabaseError};
use crate::entity::convert::{RowError, integer, order_of, trade_of};
use crate::entity::{order, trade};

pub use self::candles::CANDLES_MAX;
pub use self::list::{ClosedOrders, ClosedOrdersFound, Place};

/// How long an answer may take before the database counts as away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows looked at for one order id: an id may come back, on each instrument once in a million
/// orders.
const SAME_ID_MAX: u64 = 1_000;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The database is away.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A row holds what this exchange never writes.
    #[error("the database holds what was never written: {0}")]
    Row(#[from] RowError),
}

/// An order of the database, and what it is an order for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// What is traded.
    pub instrument: Arc<Instrument>,
    /// The order as last projected.
    pub order: Order,
}

/// Asks the database.
#[derive(Clone, Debug)]
pub struct Queries {
    database: Database,
}

impl Queries {
    /// Asks `database`.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// The newest order with this id of each instrument that `resolve` knows by its symbol,
    /// newest first.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn orders_by_id(
        &self,
        id: &OrderId,
        resolve: impl Fn(&str) -> Option<Arc<Instrument>>,
    ) -> Result<Vec<StoredOrder>, QueryError> {
        let rows = order::Entity::find()
            .filter(order::Column::OrderId.eq(id.as_str()))
            .order_by_desc(order::Column::CreatedAt)
            .order_by_desc(order::Column::Sequence)
            .limit(SAME_ID_MAX)
            .all(self.database.reader());
        let mut seen = HashSet::new();
        let mut orders = Vec::new();
        for row in in_time("looking an order up", rows).await? {
            if !seen.insert(row.instrument.clone()) {
                continue;
            }
            if let Some(instrument) = resolve(&row.instrument) {
                let order = order_of(&instrument, &row)?;
                orders.push(StoredOrder { instrument, order });
            }
        }
        Ok(orders)
    }

    /// The newest order with this id on `instrument`.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn order_by_id(
        &self,
        instrument: &Instrument,
        id: &OrderId,
    ) -> Result<Option<Order>, QueryError> {
        let row = order::Entity::find()
            .filter(order::Column::OrderId.eq(id.as_str()))
            .filter(order::Column::Instrument.eq(instrument.symbol.as_str()))
            .order_by_desc(order::Column::Sequence)
            .one(self.database.reader());
        let row = in_time("looking an order up", row).await?;
        Ok(row.map(|row| order_of(instrument, &row)).transpose()?)
    }

    /// An order's newest [`TRADES_SHOWN_MAX`] trades, oldest first.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn trades_of(
        &self,
        instrument: &Instrument,
        placed: OrderRef,
        side: Side,
    ) -> Result<Vec<Arc<Trade>>, QueryError> {
        let (sequence, index) = match side {
            Side::Buy => (trade::Column::BuySequence, trade::Column::BuyMirrorIndex),
            Side::Sell => (trade::Column::SellSequence, trade::Column::SellMirrorIndex),
        };
        let rows = trade::Entity::find()
            .filter(trade::Column::Instrument.eq(instrument.symbol.as_str()))
            .filter(sequence.eq(integer("sequence", placed.sequence.get())?))
            .filter(index.eq(i64::from(placed.index)))
            .order_by_desc(trade::Column::TradeNumber)
            .limit(u64::try_from(TRADES_SHOWN_MAX).unwrap_or(u64::MAX))
            .all(self.database.reader());
        let rows = in_time("reading an order's trades", rows).await?;
        let mut trades = trades(instrument, &rows)?;
        trades.reverse();
        Ok(trades)
    }

    /// The newest `limit` trades of an instrument whose numbers are below `before`, newest first.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn trades_before(
        &self,
        instrument: &Instrument,
        before: Option<TradeNumber>,
        limit: usize,
    ) -> Result<Vec<Arc<Trade>>, QueryError> {
        let mut query =
            trade::Entity::find().filter(trade::Column::Instrument.eq(instrument.symbol.as_str()));
        if let Some(before) = before {
            let before = integer("trade_number", before.get())?;
            query = query.filter(trade::Column::TradeNumber.lt(before));
        }
        let rows = query
            .order_by_desc(trade::Column::TradeNumber)
            .limit(u64::try_from(limit).unwrap_or(u64::MAX))
            .all(self.database.reader());
        let rows = in_time("reading trades", rows).await?;
        Ok(trades(instrument, &rows)?)
    }

    /// The trades of an instrument numbered from `first` on, at most `count` of them, oldest
    /// first. Fewer come back where the database does not hold them all.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn trades_numbered(
        &self,
        instrument: &Instrument,
        first: TradeNumber,
        count: usize,
    ) -> Result<Vec<Arc<Trade>>, QueryError> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let end = integer("trade_number", first.get().saturating_add(count))?;
        let rows = trade::Entity::find()
            .filter(trade::Column::Instrument.eq(instrument.symbol.as_str()))
            .filter(trade::Column::TradeNumber.gte(integer("trade_number", first.get())?))
            .filter(trade::Column::TradeNumber.lt(end))
            .order_by_asc(trade::Column::TradeNumber)
            .all(self.database.reader());
        let rows = in_time("reading trades", rows).await?;
        Ok(trades(instrument, &rows)?)
    }
}

fn trades(instrument: &Instrument, rows: &[trade::Model]) -> Result<Vec<Arc<Trade>>, RowError> {
    rows.iter()
        .map(|row| trade_of(instrument, row).map(Arc::new))
        .collect()
}

pub(crate) async fn in_time<T>(
    doing: &'static str,
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DatabaseError> {
    let after = ANSWER_TIMEOUT;
    match timeout(after, answer).await {
        Ok(answer) => answer.map_err(DatabaseError::failed(doing)),
        Err(_) => Err(DatabaseError::TimedOut { doing, after }),
    }
}

//! Lists of closed orders, newest first.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, Order as Direction, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use shardbook_engine::id::{ClientId, OrderRef, Symbol};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Order, OrderStatus};
use shardbook_engine::time::Timestamp;

use super::{Queries, QueryError, StoredOrder, in_time};
use crate::entity::convert::{integer, moment, order_of};
use crate::entity::{order, words};

/// An order's place among all orders of all instruments: by the time of its placement, then by
/// instrument, then in the order they were placed. An instrument's stamps never decrease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was placed.
    pub created_at: Timestamp,
    /// On which instrument; as text, byte by byte.
    pub symbol: Symbol,
    /// Its placement there.
    pub placed: OrderRef,
}

impl Place {
    /// Where an instrument's order stands.
    #[must_use]
    pub fn of(order: &Order, instrument: &Instrument) -> Self {
        Self {
            created_at: order.created_at,
            symbol: instrument.symbol.clone(),
            placed: order.placed,
        }
    }
}

/// Part of a list of orders that are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedOrders {
    /// One client's alone.
    pub client: Option<ClientId>,
    /// Those on this instrument alone.
    pub instrument: Option<Arc<Instrument>>,
    /// Those that ended so alone.
    pub status: Option<OrderStatus>,
    /// Those whose place is before this one alone.
    pub before: Option<Place>,
    /// How many at most.
    pub limit: usize,
}

/// What was found of such a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedOrdersFound {
    /// Newest first.
    pub orders: Vec<StoredOrder>,
    /// Before which place the list goes on; `None` at its end.
    pub rest: Option<Place>,
}

impl Queries {
    /// Orders that are over, newest first, of the instruments that `resolve` knows by their
    /// symbols.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn closed_orders(
        &self,
        list: &ClosedOrders,
        resolve: impl Fn(&str) -> Option<Arc<Instrument>>,
    ) -> Result<ClosedOrdersFound, QueryError> {
        let rows = self.select(list)?.all(self.database.reader());
        let rows = in_time("listing orders", rows).await?;
        let is_end = rows.len() < list.limit;
        let mut orders: Vec<StoredOrder> = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(instrument) = resolve(&row.instrument) {
                let order = order_of(&instrument, &row)?;
                orders.push(StoredOrder { instrument, order });
            }
        }
        let last = orders.last().filter(|_| !is_end);
        let rest = last.map(|last| Place::of(&last.order, &last.instrument));
        Ok(ClosedOrdersFound { orders, rest })
    }

    fn select(&self, list: &ClosedOrders) -> Result<Select<order::Entity>, QueryError> {
        let closed = [
            OrderStatus::Filled,
            OrderStatus::Cancelled,
            OrderStatus::Rejected,
        ];
        let statuses = list
            .status
            .as_ref()
            .map_or(&closed[..], std::slice::from_ref);
        let statuses = statuses.iter().map(|status| words::status(*status));
        let mut found = Condition::all().add(order::Column::Status.is_in(statuses));
        if let Some(client) = &list.client {
            found = found.add(order::Column::ClientId.eq(client.as_str()));
        }
        if let Some(instrument) = &list.instrument {
            found = found.add(order::Column::Instrument.eq(instrument.symbol.as_str()));
        }
        // Each in the order of what finds it: the table's key, or the indexes by client and by
        // time.
        let order = match (&list.client, &list.instrument) {
            (None, Some(_)) => BY_PLACE.split_at(2).1,
            (Some(_), _) | (None, None) => &BY_PLACE[..],
        };
        if let Some(before) = &list.before {
            let place = self.values(before)?;
            let (_, place) = place.split_at(BY_PLACE.len() - order.len());
            let columns = order.iter().map(|column| Expr::col(*column));
            found = found.add(Expr::tuple(columns).lt(Expr::tuple(place.iter().cloned())));
        }
        let mut select = order::Entity::find().filter(found);
        for column in order {
            select = select.order_by(*column, Direction::Desc);
        }
        Ok(select.limit(u64::try_from(list.limit).unwrap_or(u64::MAX)))
    }

    /// What the columns of a place hold.
    fn values(&self, place: &Place) -> Result<[SimpleExpr; BY_PLACE.len()], QueryError> {
        let created_at = moment("created_at", place.created_at)?;
        let created_at = if self.database.backend() == DbBackend::Sqlite {
            // The text that the projector writes, which is not the driver's.
            Expr::val(created_at.rfc3339())
        } else {
            Expr::val(created_at)
        };
        Ok([
            created_at,
            Expr::val(place.symbol.as_str()),
            Expr::val(integer("sequence", place.placed.sequence.get())?),
            Expr::val(i64::from(place.placed.index)),
        ])
    }
}

/// The columns of a place, most significant first.
const BY_PLACE: [order::Column; 4] = [
    order::Column::CreatedAt,
    order::Column::Instrument,
    order::Column::Sequence,
    order::Column::MirrorIndex,
];

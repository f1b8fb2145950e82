//! Deleting what has been over for long.

use std::collections::BTreeMap;
use std::fmt::Write;

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use shardbook_engine::id::ClientId;
use shardbook_engine::order::OrderStatus;
use shardbook_engine::time::Timestamp;

use super::Store;
use crate::database::{DatabaseError, Transaction};
use crate::entity::convert::moment;
use crate::entity::moment::Moment;
use crate::entity::{order, words};
use crate::projector::error::ProjectorError;

/// Which orders are old.
pub(in crate::projector) struct OldOrders<'a> {
    /// Whose; everyone's if none.
    pub(in crate::projector) client: Option<&'a ClientId>,
    /// Those that last changed before.
    pub(in crate::projector) before: Timestamp,
    /// Those placed after this one, in the order of their places.
    pub(in crate::projector) after: Option<&'a Place>,
    /// How many are looked at.
    pub(in crate::projector) limit: u64,
}

/// An order's place in time.
#[derive(Clone, Debug)]
pub(in crate::projector) struct Place {
    created_at: Moment,
    instrument: String,
    sequence: i64,
    mirror_index: i64,
}

/// The columns of a place, most significant first.
const BY_PLACE: [order::Column; 4] = [
    order::Column::CreatedAt,
    order::Column::Instrument,
    order::Column::Sequence,
    order::Column::MirrorIndex,
];

/// An order's place, its status, and when it changed last.
type Row = (Moment, String, i64, i64, String, Moment);

impl Store {
    /// Looks at the next old orders and deletes those that are closed, with their events and the
    /// trades that no order is left of. Says where to go on, if there are more.
    pub(in crate::projector) async fn delete_old(
        &self,
        old: OldOrders<'_>,
    ) -> Result<Option<Place>, ProjectorError> {
        let doing = "deleting what is too old";
        self.asking
            .in_time(doing, async {
                // Taken back by a power failure, it is done again.
                let transaction = self.database.begin_repeatable().await?;
                self.hold(&transaction).await?;
                let rows = self.old(&transaction, &old).await?;
                let next = rows.last().map(place);
                let is_last = u64::try_from(rows.len()).is_ok_and(|found| found < old.limit);
                let before = moment("updated_at", old.before)?;
                let mut gone: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
                for (_, instrument, sequence, index, status, updated_at) in &rows {
                    if *updated_at < before && is_closed(status) {
                        let gone = gone.entry(instrument).or_default();
                        gone.push((*sequence, *index));
                    }
                }
                for (instrument, orders) in gone {
                    delete(&transaction, instrument, &orders)
                        .await
                        .map_err(DatabaseError::failed(doing))?;
                }
                let committing = DatabaseError::failed(doing);
                transaction.commit().await.map_err(committing)?;
                Ok(next.filter(|_| !is_last))
            })
            .await
    }

    async fn old(
        &self,
        transaction: &Transaction,
        old: &OldOrders<'_>,
    ) -> Result<Vec<Row>, ProjectorError> {
        let before = moment("created_at", old.before)?;
        let mut found =
            Condition::all().add(Expr::col(order::Column::CreatedAt).lt(self.time(before)));
        if let Some(client) = old.client {
            found = found.add(order::Column::ClientId.eq(client.as_str()));
        }
        if let Some(place) = old.after {
            let after = [
                self.time(place.created_at),
                Expr::val(place.instrument.as_str()),
                Expr::val(place.sequence),
                Expr::val(place.mirror_index),
            ];
            let columns = BY_PLACE.map(Expr::col);
            found = found.add(Expr::tuple(columns).gt(Expr::tuple(after)));
        }
        let mut select = order::Entity::find().select_only().filter(found);
        for column in BY_PLACE {
            select = select.column(column).order_by_asc(column);
        }
        Ok(select
            .column(order::Column::Status)
            .column(order::Column::UpdatedAt)
            .limit(old.limit)
            .into_tuple()
            .all(transaction)
            .await
            .map_err(DatabaseError::failed("looking for what is too old"))?)
    }

    /// A time as the projector writes it.
    fn time(&self, moment: Moment) -> SimpleExpr {
        if self.database.backend() == DbBackend::Sqlite {
            Expr::val(moment.rfc3339())
        } else {
            Expr::val(moment)
        }
    }
}

fn place((created_at, instrument, sequence, mirror_index, ..): &Row) -> Place {
    Place {
        created_at: *created_at,
        instrument: instrument.clone(),
        sequence: *sequence,
        mirror_index: *mirror_index,
    }
}

/// Whether a status is final. What is unknown is left alone.
fn is_closed(status: &str) -> bool {
    use OrderStatus::{Cancelled, Filled, Rejected};
    let closed = [Filled, Cancelled, Rejected];
    closed.iter().any(|closed| words::status(*closed) == status)
}

/// Deletes orders of an instrument, by the sequences and indexes of their placements.
async fn delete(
    transaction: &Transaction,
    instrument: &str,
    orders: &[(i64, i64)],
) -> Result<(), sea_orm::DbErr> {
    // Numbers of our own, so that both databases read them alike.
    let mut keys = String::new();
    for (number, (sequence, index)) in orders.iter().enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        let _ = write!(keys, "{separator}({sequence}, {index})");
    }
    let backend = transaction.get_database_backend();
    let symbol = if backend == DbBackend::Postgres {
        "$1"
    } else {
        "?"
    };
    let is_gone = |own: &str| {
        format!("instrument = {symbol} AND ({own}sequence, {own}mirror_index) IN (VALUES {keys})")
    };
    let has_no = |other: &str| {
        format!(
            "NOT EXISTS (SELECT 1 FROM orders WHERE orders.instrument = trades.instrument \
             AND orders.sequence = trades.{other}_sequence \
             AND orders.mirror_index = trades.{other}_mirror_index)"
        )
    };
    let events =
        format!("instrument = {symbol} AND (order_sequence, mirror_index) IN (VALUES {keys})");
    // The orders first: a trade goes with the last of its two.
    for sql in [
        format!("DELETE FROM order_events WHERE {events}"),
        format!("DELETE FROM orders WHERE {}", is_gone("")),
        format!(
            "DELETE FROM trades WHERE {} AND {}",
            is_gone("buy_"),
            has_no("sell")
        ),
        format!(
            "DELETE FROM trades WHERE {} AND {}",
            is_gone("sell_"),
            has_no("buy")
        ),
    ] {
        let statement = Statement::from_sql_and_values(backend, sql, [instrument.into()]);
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

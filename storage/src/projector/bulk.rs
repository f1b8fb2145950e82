//! Writes the rows that come by the thousand (orders, their events, trades) with statements that
//! are prepared once each, and with values that go straight into the database's own arguments.
//!
//! PostgreSQL takes a whole column as one array, so that one short statement carries any number
//! of rows. SQLite knows no arrays: there rows are listed, in statements of few fixed lengths.

mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Iterable};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Order, Trade};

use super::error::ProjectorError;
use super::rows::{Existing, Kind, conflict_sql, insert_sql, listed_sql};
use crate::database::{Arguments, DatabaseError, Transaction};
use crate::entity::convert::{RowError, Values, put_order, put_order_event, put_trade};
use crate::entity::{order, order_event, trade};

use self::postgres::Arrays;
use self::sqlite::Listed;

/// Rows in one statement on PostgreSQL: enough that a statement's own cost is lost among them,
/// and few enough that a batch is several, of which one is made while another is worked on.
const POSTGRES_ROWS_MAX: usize = 1_024;

/// Rows in one statement on SQLite, longest first. No entity has more than 32 columns, and
/// SQLite takes 32,766 values.
const SQLITE_ROWS: [usize; 4] = [256, 32, 4, 1];

/// An order as it stood after some command.
#[derive(Clone, Debug)]
pub(crate) struct OrderState {
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) order: Order,
}

/// A trade of an instrument.
#[derive(Clone, Debug)]
pub(crate) struct TradeOf {
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) trade: Trade,
}

/// A table whose rows come by the thousand.
pub(super) trait BulkTable {
    type Entity: EntityTrait;
    type Row;

    /// The row's values, in the order of the entity's columns.
    fn put(row: &Self::Row, values: &mut impl Values) -> Result<(), RowError>;
}

/// `orders`.
pub(super) enum Orders {}

impl BulkTable for Orders {
    type Entity = order::Entity;
    type Row = OrderState;

    fn put(row: &OrderState, values: &mut impl Values) -> Result<(), RowError> {
        put_order(&row.instrument, &row.order, values)
    }
}

/// `order_events`.
pub(super) enum OrderEvents {}

impl BulkTable for OrderEvents {
    type Entity = order_event::Entity;
    type Row = OrderState;

    fn put(row: &OrderState, values: &mut impl Values) -> Result<(), RowError> {
        put_order_event(&row.instrument, &row.order, values)
    }
}

/// `trades`.
pub(super) enum Trades {}

impl BulkTable for Trades {
    type Entity = trade::Entity;
    type Row = TradeOf;

    fn put(row: &TradeOf, values: &mut impl Values) -> Result<(), RowError> {
        put_trade(&row.instrument, &row.trade, values)
    }
}

/// One statement with its values.
struct Filled {
    sql: Arc<str>,
    arguments: Arguments,
}

/// Writes rows into a transaction. While the database works on one statement, the next one is
/// put together.
pub(super) struct BulkWriter<'a> {
    transaction: &'a Transaction,
    waiting: Option<Filled>,
    listed: Listed,
}

impl<'a> BulkWriter<'a> {
    pub(super) fn new(transaction: &'a Transaction) -> Self {
        Self {
            transaction,
            waiting: None,
            listed: Listed::default(),
        }
    }

    /// Writes `rows`, no key twice among them; the last of them only with what comes after, or
    /// [`BulkWriter::finish`].
    pub(super) async fn write<T: BulkTable>(
        &mut self,
        rows: &[T::Row],
        existing: Existing,
    ) -> Result<(), ProjectorError> {
        if self.transaction.get_database_backend() == DbBackend::Sqlite {
            return self.write_listed::<T>(rows, existing).await;
        }
        if rows.is_empty() {
            return Ok(());
        }
        let sql: Arc<str> = arrays_sql::<T::Entity>(existing).into();
        let kinds: Vec<Kind> = columns::<T::Entity>().map(Kind::of).collect();
        for rows in rows.chunks(POSTGRES_ROWS_MAX) {
            self.push(&sql, |_| {
                let mut arrays = Arrays::new(&kinds, rows.len());
                for row in rows {
                    T::put(row, &mut arrays)?;
                }
                Ok(Arguments::Postgres(arrays.into_arguments()?))
            })
            .await?;
        }
        Ok(())
    }

    async fn write_listed<T: BulkTable>(
        &mut self,
        mut rows: &[T::Row],
        existing: Existing,
    ) -> Result<(), ProjectorError> {
        let columns = columns::<T::Entity>().count();
        for length in SQLITE_ROWS {
            if rows.len() < length {
                continue;
            }
            let sql: Arc<str> = listed_sql::<T::Entity>(length, existing).into();
            while let Some((now, later)) = rows.split_at_checked(length) {
                rows = later;
                self.push(&sql, |listed| {
                    listed.reserve(length * columns);
                    for row in now {
                        T::put(row, listed)?;
                    }
                    Ok(Arguments::Sqlite(listed.take()?))
                })
                .await?;
            }
        }
        Ok(())
    }

    async fn push(
        &mut self,
        sql: &Arc<str>,
        make: impl FnOnce(&mut Listed) -> Result<Arguments, RowError>,
    ) -> Result<(), ProjectorError> {
        let listed = &mut self.listed;
        let make = || {
            let sql = Arc::clone(sql);
            make(listed).map(|arguments| Filled { sql, arguments })
        };
        let Some(waiting) = self.waiting.take() else {
            self.waiting = Some(make()?);
            return Ok(());
        };
        let (written, next) = tokio::join!(
            biased;
            write(self.transaction, waiting),
            async { make() }
        );
        written?;
        self.waiting = Some(next?);
        Ok(())
    }

    /// Writes what is still waiting.
    pub(super) async fn finish(self) -> Result<(), ProjectorError> {
        if let Some(waiting) = self.waiting {
            write(self.transaction, waiting).await?;
        }
        Ok(())
    }
}

async fn write(transaction: &Transaction, filled: Filled) -> Result<(), ProjectorError> {
    transaction
        .execute_with(filled.sql, filled.arguments)
        .await
        .map_err(DatabaseError::failed("writing a batch"))?;
    Ok(())
}

fn columns<E: EntityTrait>() -> impl Iterator<Item = E::Column> {
    E::Column::iter()
}

/// `INSERT … SELECT UNNEST(…), …`, each column's rows one array: in the list of what is selected,
/// where the arrays are gone through side by side. In a `FROM` each would be copied out first.
fn arrays_sql<E: EntityTrait>(existing: Existing) -> String {
    let mut sql = insert_sql::<E>();
    for (index, column) in columns::<E>().enumerate() {
        let first = if index == 0 { " SELECT " } else { ", " };
        let array = Kind::of(column).array();
        sql.push_str(&format!("{first}UNNEST(${}::{array})", index + 1));
    }
    conflict_sql::<E>(&mut sql, existing);
    sql
}

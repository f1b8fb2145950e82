//! Whose the database is, and where it stands: nothing is written before both are found right,
//! nor while they are not.

use std::collections::BTreeMap;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect,
    QueryTrait,
};
use shardbook_engine::journal::Position;
use shardbook_engine::partition::PartitionId;

use super::{Held, Step, Store};
use crate::database::{DatabaseError, Transaction};
use crate::entity::convert::{count, integer};
use crate::entity::{exchange, partition};
use crate::projector::error::{ProjectorError, RefusedDatabase};

/// Every table, to be emptied when a database is started over.
const TABLES: [&str; 12] = [
    "orderbook_snapshots",
    "settlement_lines",
    "settlements",
    "closed_days",
    "daily_positions",
    "candles",
    "trades",
    "order_events",
    "orders",
    "instruments",
    "partitions",
    "exchange",
];

impl Store {
    /// Refuses another exchange's database, and writes nothing to find out.
    pub(super) async fn look_whose(&self) -> Result<(), ProjectorError> {
        if !self.database.has_table("exchange").await? {
            return Ok(());
        }
        self.refuse_foreign(self.database.reader()).await?;
        Ok(())
    }

    /// Makes the database this exchange's where it is nobody's; tells each partition's position.
    pub(super) async fn stand(
        &self,
        transaction: &impl ConnectionTrait,
        held: &[Held],
    ) -> Result<BTreeMap<PartitionId, Position>, ProjectorError> {
        if self.refuse_foreign(transaction).await?.is_none() {
            let row = exchange::ActiveModel {
                exchange_id: ActiveValue::Set(self.exchange.to_string()),
            };
            exchange::Entity::insert(row)
                .exec_without_returning(transaction)
                .await
                .map_err(DatabaseError::failed("making it this exchange's"))?;
        }
        let mut positions = BTreeMap::new();
        for Held {
            partition: id,
            journal: range,
            ..
        } in held
        {
            let position = position(transaction, *id).await?;
            let at = position.unwrap_or(Position::ZERO);
            if at.next() < range.oldest || at > range.newest {
                Err(RefusedDatabase::OutsideJournal {
                    partition: id.get(),
                    position: at,
                    oldest: range.oldest,
                    newest: range.newest,
                })?;
            }
            if position.is_none() {
                begin_partition(transaction, *id, at).await?;
            }
            positions.insert(*id, at);
        }
        Ok(positions)
    }

    /// Whose it is, unless it is another's.
    async fn refuse_foreign(
        &self,
        connection: &impl ConnectionTrait,
    ) -> Result<Option<exchange::Model>, ProjectorError> {
        let found = exchange::Entity::find()
            .one(connection)
            .await
            .map_err(DatabaseError::failed("reading whose it is"))?;
        match found {
            Some(row) if row.exchange_id != self.exchange.to_string() => {
                Err(RefusedDatabase::ForeignExchange {
                    found: row.exchange_id,
                    ours: self.exchange,
                })?
            }
            found => Ok(found),
        }
    }

    /// Makes sure that the database is this exchange's until the transaction ends.
    pub(super) async fn hold(&self, transaction: &Transaction) -> Result<(), ProjectorError> {
        let mut query = exchange::Entity::find();
        if transaction.get_database_backend() == DbBackend::Postgres {
            query = query.lock_shared();
        }
        let found = query
            .one(transaction)
            .await
            .map_err(DatabaseError::failed("reading whose it is"))?;
        match found {
            Some(row) if row.exchange_id == self.exchange.to_string() => Ok(()),
            found => Err(RefusedDatabase::ForeignExchange {
                found: found.map_or("nobody".to_owned(), |row| row.exchange_id),
                ours: self.exchange,
            })?,
        }
    }

    /// Moves a partition's position from where it is believed to be, in a database that is still
    /// this exchange's.
    pub(super) async fn move_position(
        &self,
        transaction: &impl ConnectionTrait,
        step: Step,
    ) -> Result<(), ProjectorError> {
        let ours = exchange::Entity::find()
            .filter(exchange::Column::ExchangeId.eq(self.exchange.to_string()))
            .into_query();
        let moved = partition::Entity::update_many()
            .col_expr(
                partition::Column::Position,
                Expr::value(integer("position", step.to.get())?),
            )
            .filter(partition::Column::PartitionNumber.eq(i64::from(step.partition.get())))
            .filter(partition::Column::Position.eq(integer("position", step.from.get())?))
            .filter(Expr::exists(ours))
            .exec(transaction)
            .await
            .map_err(DatabaseError::failed("moving its position"))?;
        if moved.rows_affected == 1 {
            return Ok(());
        }
        Err(ProjectorError::PositionMoved {
            partition: step.partition.get(),
            expected: step.from,
        })
    }
}

/// Empties the database.
pub(super) async fn empty(transaction: &impl ConnectionTrait) -> Result<(), ProjectorError> {
    // Row by row would take as long as it took to write them.
    let verb = if transaction.get_database_backend() == DbBackend::Postgres {
        "TRUNCATE TABLE"
    } else {
        "DELETE FROM"
    };
    for table in TABLES {
        transaction
            .execute_unprepared(&format!("{verb} \"{table}\""))
            .await
            .map_err(DatabaseError::failed("deleting what it holds"))?;
    }
    Ok(())
}

async fn position(
    transaction: &impl ConnectionTrait,
    id: PartitionId,
) -> Result<Option<Position>, ProjectorError> {
    let row = partition::Entity::find_by_id(i64::from(id.get()))
        .one(transaction)
        .await
        .map_err(DatabaseError::failed("reading its position"))?;
    let position = row.map(|row| count("position", row.position)).transpose()?;
    Ok(position.map(Position::new))
}

/// Notes that everything up to `at` is there.
pub(super) async fn begin_partition(
    transaction: &impl ConnectionTrait,
    id: PartitionId,
    at: Position,
) -> Result<(), ProjectorError> {
    let row = partition::ActiveModel {
        partition_number: ActiveValue::Set(i64::from(id.get())),
        position: ActiveValue::Set(integer("position", at.get())?),
    };
    partition::Entity::insert(row)
        .exec_without_returning(transaction)
        .await
        .map_err(DatabaseError::failed("beginning a partition"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sea_orm::Statement;

    use super::*;
    use crate::database::{Database, DatabaseUrl};

    #[tokio::test]
    async fn every_table_is_emptied_when_a_database_is_started_over() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("shardbook.db"));
        let database = Database::open(&url).await.unwrap();
        database.migrate().await.unwrap();
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table'";
        let tables = database
            .reader()
            .query_all_raw(Statement::from_string(DbBackend::Sqlite, sql))
            .await
            .unwrap();
        let mut found: BTreeSet<String> = tables
            .iter()
            .map(|row| row.try_get("", "name").unwrap())
            .collect();
        // How the tables came about is no exchange's.
        assert!(found.remove("seaql_migrations"));
        assert_eq!(found, TABLES.map(str::to_owned).into());
    }
}

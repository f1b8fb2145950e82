//! A transaction that takes both sea-orm's queries and arguments that go straight to sqlx, and what
//! its commit is worth.
//!
//! sea-orm's statements own their values, and are copied value by value before they are sent; at
//! dozens of values an order that is most of what writing it costs. sea-orm does not hand out the
//! connection of its own transactions, so that this one is begun on its pool instead.

use std::sync::Arc;

use futures::lock::Mutex;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{self, AssertSqlSafe, Error, Postgres, Sqlite};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};
use sea_orm_migration::async_trait::async_trait;
use sea_query_sqlx::SqlxValues;

use super::{Database, DatabaseError, POSTGRES_TRANSACTION_SETTINGS};

/// A transaction of the writer's; rolled back when dropped.
pub struct Transaction {
    backend: DbBackend,
    connection: Mutex<Connection>,
}

enum Connection {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Arguments of one statement, for either database.
pub(crate) enum Arguments {
    /// SQLite's.
    Sqlite(SqliteArguments),
    /// PostgreSQL's.
    Postgres(PgArguments),
}

/// What SQLite's connection is told before a transaction: its commit flushes the write-ahead log,
/// and with it all commits that went before.
const FLUSHED: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";

/// Its commit is written and not flushed. A power failure takes the newest of such commits back,
/// and leaves the database as it was after one of them.
const WRITTEN: &str = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";

impl Database {
    /// Begins a transaction whose commit survives a power failure, for what stands in the database
    /// alone. Why its level suffices stands in `docs/decisions/`.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub async fn begin(&self) -> Result<Transaction, DatabaseError> {
        self.begin_as(FLUSHED, "BEGIN ISOLATION LEVEL READ COMMITTED")
            .await
    }

    /// The same, for what sums over several partitions. On SQLite every transaction is
    /// serializable.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub async fn begin_serializable(&self) -> Result<Transaction, DatabaseError> {
        self.begin_as(FLUSHED, "BEGIN ISOLATION LEVEL SERIALIZABLE")
            .await
    }

    /// Begins a transaction for what would be done again, should a power failure take it back:
    /// on SQLite its commit survives one only from the next [`Database::flush`] or commit of a
    /// [`Database::begin`] on.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub(crate) async fn begin_repeatable(&self) -> Result<Transaction, DatabaseError> {
        self.begin_as(WRITTEN, "BEGIN ISOLATION LEVEL READ COMMITTED")
            .await
    }

    async fn begin_as(
        &self,
        on_sqlite: &'static str,
        on_postgres: &'static str,
    ) -> Result<Transaction, DatabaseError> {
        let backend = self.backend();
        let doing = "beginning a transaction";
        let connection = if backend == DbBackend::Sqlite {
            let pool = self.writer.get_sqlite_connection_pool();
            let begun = pool.begin_with(on_sqlite).await;
            begun.map(Connection::Sqlite)
        } else {
            let pool = self.writer.get_postgres_connection_pool();
            let begun = pool.begin_with(on_postgres).await;
            begun.map(Connection::Postgres)
        };
        let connection = connection.map_err(|error| DatabaseError::failed(doing)(begun(error)))?;
        let transaction = Transaction {
            backend,
            connection: Mutex::new(connection),
        };
        if backend == DbBackend::Postgres {
            transaction
                .execute_unprepared(POSTGRES_TRANSACTION_SETTINGS)
                .await
                .map_err(DatabaseError::failed(doing))?;
        }
        Ok(transaction)
    }
}

impl Transaction {
    /// Executes a statement that is prepared once for all times.
    pub(crate) async fn execute_with(
        &self,
        sql: Arc<str>,
        arguments: Arguments,
    ) -> Result<(), DbErr> {
        let sql = AssertSqlSafe(sql);
        match (&mut *self.connection.lock().await, arguments) {
            (Connection::Sqlite(connection), Arguments::Sqlite(arguments)) => {
                let query = sqlx::query_with(sql, arguments);
                query.execute(&mut **connection).await.map(drop)
            }
            (Connection::Postgres(connection), Arguments::Postgres(arguments)) => {
                let query = sqlx::query_with(sql, arguments);
                query.execute(&mut **connection).await.map(drop)
            }
            (Connection::Sqlite(_), Arguments::Postgres(_))
            | (Connection::Postgres(_), Arguments::Sqlite(_)) => {
                Err(Error::Protocol("arguments of the other database".into()))
            }
        }
        .map_err(executed)
    }

    /// Ends it, and keeps what was done.
    ///
    /// # Errors
    /// When the database breaks off; what was done is kept then, or none of it.
    pub async fn commit(self) -> Result<(), DbErr> {
        match self.connection.into_inner() {
            Connection::Sqlite(connection) => connection.commit().await,
            Connection::Postgres(connection) => connection.commit().await,
        }
        .map_err(executed)
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        match &mut *self.connection.lock().await {
            Connection::Sqlite(connection) => {
                let query = sqlx::query_with::<Sqlite, _>(sql, values);
                query.execute(&mut **connection).await.map(Into::into)
            }
            Connection::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(sql, values);
                query.execute(&mut **connection).await.map(Into::into)
            }
        }
        .map_err(executed)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &mut *self.connection.lock().await {
            Connection::Sqlite(connection) => {
                query.execute(&mut **connection).await.map(Into::into)
            }
            Connection::Postgres(connection) => {
                query.execute(&mut **connection).await.map(Into::into)
            }
        }
        .map_err(executed)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        match &mut *self.connection.lock().await {
            Connection::Sqlite(connection) => {
                let query = sqlx::query_with::<Sqlite, _>(sql, values);
                let rows = query.fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
            Connection::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(sql, values);
                let rows = query.fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
        }
        .map_err(|error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))))
    }
}

fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
    (AssertSqlSafe(statement.sql), SqlxValues(values))
}

fn executed(error: Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

/// As sea-orm tells why there is no connection.
fn begun(error: Error) -> DbErr {
    if matches!(error, Error::PoolTimedOut) {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
    } else {
        DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
    }
}

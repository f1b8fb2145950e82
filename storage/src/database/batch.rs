//! A transaction that takes both sea-orm's queries and arguments that go straight to sqlx.
//!
//! sea-orm's statements own their values, and are copied value by value before they are sent; at
//! dozens of values an order that is most of what writing it costs. sea-orm does not hand out the
//! connection of its own transactions, so that this one is begun on its pool instead.

use std::sync::Arc;

use futures::lock::Mutex;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::sqlite::SqliteArguments;
use sea_orm::sqlx::{self, AssertSqlSafe, Error, Postgres, Sqlite, Transaction};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};
use sea_orm_migration::async_trait::async_trait;
use sea_query_sqlx::SqlxValues;

use super::{Database, DatabaseError, POSTGRES_TRANSACTION_SETTINGS};

/// A transaction of the writer's; rolled back when dropped.
pub(crate) struct BatchTransaction {
    backend: DbBackend,
    connection: Mutex<Connection>,
}

enum Connection {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Arguments of one statement, for either database.
pub(crate) enum Arguments {
    /// SQLite's.
    Sqlite(SqliteArguments),
    /// PostgreSQL's.
    Postgres(PgArguments),
}

impl Database {
    /// Begins a transaction like [`Database::begin`] does, for rows by the thousand.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub(crate) async fn begin_batch(&self) -> Result<BatchTransaction, DatabaseError> {
        let backend = self.backend();
        let doing = "beginning a transaction";
        let connection = if backend == DbBackend::Sqlite {
            let pool = self.writer.get_sqlite_connection_pool();
            let begun = pool.begin_with("BEGIN IMMEDIATE").await;
            begun.map(Connection::Sqlite)
        } else {
            let pool = self.writer.get_postgres_connection_pool();
            let begun = pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED");
            begun.await.map(Connection::Postgres)
        };
        let connection = connection.map_err(|error| DatabaseError::failed(doing)(begun(error)))?;
        let transaction = BatchTransaction {
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

impl BatchTransaction {
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

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        match self.connection.into_inner() {
            Connection::Sqlite(connection) => connection.commit().await,
            Connection::Postgres(connection) => connection.commit().await,
        }
        .map_err(executed)
    }
}

#[async_trait]
impl ConnectionTrait for BatchTransaction {
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

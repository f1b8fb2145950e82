//! The database: SQLite in a file, or PostgreSQL.
//!
//! One connection at a time writes and a bounded pool reads. Connections are made when they are needed and
//! made anew when they broke, so that a database may be away at any time, at the start too.
//!
//! On PostgreSQL every commit survives a power failure (`synchronous_commit`, unless its own settings
//! say otherwise). On SQLite, which has the same disk as the journal, a transaction chooses: its commit
//! flushes the write-ahead log, or waits for a later flush, before which a power failure takes the
//! newest commits back. Below a committed position the journal must not be trimmed, below a
//! [`Flushed`] one it may be.

mod flush;
mod transaction;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteAutoVacuum, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnAcquireErr, ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, SchemaManager};
use thiserror::Error;

pub use self::flush::Flushed;
pub use self::transaction::Transaction;

pub(crate) use self::transaction::Arguments;

use crate::background::Background;
use crate::migration::Migrator;

/// Connections that read at once. Look-ups are rare (memory answers first) and each takes a
/// fraction of a millisecond; more would only queue inside the database.
const READERS_MAX: u32 = 8;

/// How long a statement may wait for a connection, and a connection for its making.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a SQLite statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages (4 KiB each) in SQLite's write-ahead log from which on a commit folds them into the file:
/// 1 MiB. A fold flushes all of them to the disk that orders wait for as well, so they must not
/// pile up.
const WAL_PAGES: &str = "256";

/// SQLite's page cache a connection, in KiB (negative: KiB instead of pages).
const CACHE_KIB: &str = "-65536";

/// A transaction given up on here may go on inside the server, and hold what it locked, until
/// the server gives it up too: when it hears nothing for so long.
const POSTGRES_TRANSACTION_SETTINGS: &str = "SET LOCAL idle_in_transaction_session_timeout = '60s'; \
     SET LOCAL statement_timeout = '60s'";

/// Takes SQLite's one write lock where it can be waited for.
const IMMEDIATE: TransactionOptions = TransactionOptions {
    isolation_level: None,
    access_mode: None,
    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
};

/// Connections that write to PostgreSQL: one at a time, and others for when that one hangs
/// where nobody answers. SQLite has one writer anyway.
const POSTGRES_WRITERS_MAX: u32 = 3;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file; made if it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL server's address.
    Postgres(String),
}

/// Why a text is no address of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be sqlite://PATH, postgres://… or postgresql://…")]
pub struct DatabaseUrlError;

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .ok_or(DatabaseUrlError)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() || path == ":memory:" {
            return Err(DatabaseUrlError);
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

/// Without what stands before the host: it may hold a password.
impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Without what stands before the host: it may hold a password.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                let place = url.split_once("://").map_or("", |(_, rest)| rest);
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                let place = place.split_once('?').map_or(place, |(place, _)| place);
                write!(f, "postgres://{place}")
            }
        }
    }
}

/// Why the database did not do what it was asked.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// It is away, refuses, or broke off: a later try may do.
    #[error("{doing}: {source}")]
    Failed {
        /// What was being done, as in `connecting`.
        doing: &'static str,
        /// What it said.
        source: DbErr,
    },
    /// It could not be reached or did not answer in time: a later try may do.
    #[error("{doing}: no connection or no answer within {} s", .after.as_secs())]
    TimedOut {
        /// What was being done.
        doing: &'static str,
        /// After how long it was given up.
        after: Duration,
    },
}

impl DatabaseError {
    pub(crate) fn failed(doing: &'static str) -> impl FnOnce(DbErr) -> Self {
        move |source| {
            if matches!(source, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) {
                let after = CONNECT_TIMEOUT;
                Self::TimedOut { doing, after }
            } else {
                Self::Failed { doing, source }
            }
        }
    }
}

/// The database's connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Database {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Database {
    /// Gets ready to talk to the database at `url`; nothing is connected yet.
    ///
    /// # Errors
    /// When the address can't be understood.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, DatabaseError> {
        Ok(Self {
            reader: connect(url, READERS_MAX).await?,
            writer: connect(url, writers_max(url)).await?,
        })
    }

    /// The same, with what is written being written in the background. It must outlive the
    /// connections.
    ///
    /// # Errors
    /// When the address can't be understood.
    pub async fn open_writing_in(
        background: &Background,
        url: &DatabaseUrl,
    ) -> Result<Self, DatabaseError> {
        let connecting = {
            let url = url.clone();
            background.spawn(async move { connect(&url, writers_max(&url)).await })
        };
        let writer = connecting.await.map_err(|error| {
            let gone = DbErr::Custom(error.to_string());
            DatabaseError::failed("connecting")(gone)
        })?;
        Ok(Self {
            reader: connect(url, READERS_MAX).await?,
            writer: writer?,
        })
    }

    /// Brings the tables up to date; connects for it. Whatever breaks it off, a step is done or it
    /// is not.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub async fn migrate(&self) -> Result<(), DatabaseError> {
        let migrating = async {
            if self.backend() == DbBackend::Postgres {
                // Where each step is a transaction of its own.
                return Migrator::up(&self.writer, None).await;
            }
            let transaction = self.writer.begin_with_options(IMMEDIATE).await?;
            Migrator::up(&transaction, None).await?;
            transaction.commit().await
        };
        migrating
            .await
            .map_err(DatabaseError::failed("bringing its tables up to date"))
    }

    /// Whether it has such a table; connects for it, and writes nothing.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub async fn has_table(&self, name: &str) -> Result<bool, DatabaseError> {
        SchemaManager::new(&self.writer)
            .has_table(name)
            .await
            .map_err(DatabaseError::failed("looking for its tables"))
    }

    /// Where queries go.
    #[must_use]
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// Asks whether it can be written to.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        let pinging = DatabaseError::failed("asking whether it is there");
        self.writer.ping().await.map_err(pinging)
    }

    /// Lets go of all connections, once what is under way has ended.
    ///
    /// # Errors
    /// When the database breaks off meanwhile.
    pub async fn close(self) -> Result<(), DatabaseError> {
        let backend = self.backend();
        let closing = DatabaseError::failed("closing");
        self.reader.close().await.map_err(closing)?;
        if backend == DbBackend::Sqlite {
            // Whoever copies the one file has everything.
            let folding = DatabaseError::failed("folding SQLite's write-ahead log into its file");
            let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.writer
                .execute_unprepared(fold)
                .await
                .map_err(folding)?;
        }
        let closing = DatabaseError::failed("closing");
        self.writer.close().await.map_err(closing)
    }
}

const fn writers_max(url: &DatabaseUrl) -> u32 {
    match url {
        DatabaseUrl::Sqlite(_) => 1,
        DatabaseUrl::Postgres(_) => POSTGRES_WRITERS_MAX,
    }
}

async fn connect(url: &DatabaseUrl, connections: u32) -> Result<DatabaseConnection, DatabaseError> {
    let mut options = match url {
        // The path itself is handed over below: it need not be a valid URL.
        DatabaseUrl::Sqlite(_) => ConnectOptions::new("sqlite::memory:"),
        DatabaseUrl::Postgres(url) => ConnectOptions::new(url),
    };
    options
        .connect_lazy(true)
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    if let DatabaseUrl::Sqlite(path) = url {
        let path = path.clone();
        options.map_sqlx_sqlite_opts(move |options| {
            options
                .in_memory(false)
                .shared_cache(false)
                .filename(&path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .auto_vacuum(SqliteAutoVacuum::Incremental)
                .busy_timeout(BUSY_TIMEOUT)
                .pragma("wal_autocheckpoint", WAL_PAGES)
                .pragma("cache_size", CACHE_KIB)
                .pragma("temp_store", "memory")
        });
    }
    sea_orm::Database::connect(options)
        .await
        .map_err(DatabaseError::failed("connecting"))
}

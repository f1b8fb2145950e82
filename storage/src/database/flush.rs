//! Making what was committed outlast a power failure.
//!
//! On SQLite that is to fold the write-ahead log into the file (a checkpoint, in its own words): the log
//! is flushed before, and the file after. Only when all of the log is in the file, which SQLite says,
//! is anything known: where a reader still needs an older state, part of the log stays, and nothing may
//! have been flushed at all. A commit that flushes says as much only if it wrote something, which can't
//! be seen from outside.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Database, DatabaseError};

/// What no power failure takes back from the database any more. Only [`Database::flush`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flushed<T>(T);

impl<T> Flushed<T> {
    /// What was flushed.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

impl Database {
    /// Flushes all that was committed before, of which the caller gives what it wants to know
    /// flushed. `None` when something kept the database from it that a later try may not meet.
    ///
    /// # Errors
    /// When the database is away or refuses.
    pub async fn flush<T>(&self, committed: T) -> Result<Option<Flushed<T>>, DatabaseError> {
        // PostgreSQL flushes with every commit.
        let is_flushed = self.backend() == DbBackend::Postgres || self.fold().await?;
        Ok(is_flushed.then_some(Flushed(committed)))
    }

    /// Folds SQLite's write-ahead log into its file as far as readers let it; says whether that
    /// was all of it.
    async fn fold(&self) -> Result<bool, DatabaseError> {
        let doing = "folding SQLite's write-ahead log into its file";
        let fold = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(PASSIVE)");
        let row = self.writer.query_one_raw(fold).await;
        let Some(row) = row.map_err(DatabaseError::failed(doing))? else {
            return Ok(false);
        };
        // Whether another was at it, the log's pages, and those of them that are in the file. Less
        // than none is said of a file without such a log.
        let told = row.try_get_many_by_index::<(i64, i64, i64)>();
        let (busy, pages, folded) = told.map_err(DatabaseError::failed(doing))?;
        Ok(busy == 0 && pages >= 0 && folded == pages)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{DatabaseConnection, TransactionTrait};

    use super::*;
    use crate::database::DatabaseUrl;

    async fn told(connection: &impl ConnectionTrait, sql: &str) -> i64 {
        let statement = Statement::from_string(DbBackend::Sqlite, sql);
        let row = connection.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    async fn open() -> (tempfile::TempDir, Database) {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("shardbook.sqlite"));
        let database = Database::open(&url).await.unwrap();
        database.migrate().await.unwrap();
        (directory, database)
    }

    /// SQLite's numbers for `FULL` and `NORMAL`.
    const WITH_COMMIT: i64 = 2;
    const LATER: i64 = 1;

    #[tokio::test]
    async fn only_what_can_be_repeated_is_committed_without_a_flush() {
        let (_directory, database) = open().await;
        for _ in 0..2 {
            let level = "PRAGMA synchronous";
            let alone = database.begin().await.unwrap();
            assert_eq!(told(&alone, level).await, WITH_COMMIT);
            alone.commit().await.unwrap();
            let repeatable = database.begin_repeatable().await.unwrap();
            assert_eq!(told(&repeatable, level).await, LATER);
            repeatable.commit().await.unwrap();
            let summing = database.begin_serializable().await.unwrap();
            assert_eq!(told(&summing, level).await, WITH_COMMIT);
        }
    }

    async fn insert(database: &Database, partition: i64) {
        let transaction = database.begin_repeatable().await.unwrap();
        let sql = format!("INSERT INTO partitions VALUES ({partition}, 0)");
        transaction.execute_unprepared(&sql).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn count(connection: &impl ConnectionTrait) -> i64 {
        told(connection, "SELECT count(*) FROM partitions").await
    }

    #[tokio::test]
    async fn what_is_not_all_in_the_file_is_not_flushed() {
        let (_directory, database) = open().await;
        let reader: &DatabaseConnection = database.reader();
        insert(&database, 0).await;
        let reading = reader.begin().await.unwrap();
        assert_eq!(count(&reading).await, 1);
        insert(&database, 1).await;
        assert_eq!(database.flush("both").await.unwrap(), None);
        reading.rollback().await.unwrap();
        let flushed = database.flush("both").await.unwrap().unwrap();
        assert_eq!(flushed.get(), &"both");
    }
}

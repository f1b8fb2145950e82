//! What a power failure takes back from SQLite, its newest commits, and what the journal must still
//! hold for it.

use std::fs;
use std::path::Path;

use shardbook_engine::checkpoint::Projected;
use shardbook_engine::journal::Position;
use shardbook_engine::partition::PartitionId;

use super::*;

const NAME: &str = "shardbook.sqlite";
const LOG_NAME: &str = "shardbook.sqlite-wal";

/// <https://sqlite.org/fileformat2.html#the_write_ahead_log>
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// SQLite's file and write-ahead log, as a disk holds them.
struct Disk {
    file: Vec<u8>,
    log: Vec<u8>,
}

impl Disk {
    fn of(directory: &Path) -> Self {
        Self {
            file: fs::read(directory.join(NAME)).unwrap(),
            log: fs::read(directory.join(LOG_NAME)).unwrap(),
        }
    }

    /// Where the log may end so that a commit is the last thing in it, or nothing is.
    fn ends_of_commits(&self) -> Vec<usize> {
        let number = |at: usize| u32::from_be_bytes(self.log[at..at + 4].try_into().unwrap());
        let frame = FRAME_HEADER + number(8) as usize;
        let salts = &self.log[16..24];
        let frames = (LOG_HEADER..).step_by(frame);
        let whole = frames.take_while(|at| at + frame <= self.log.len());
        // What stands behind the newest is of an earlier turn.
        let current = whole.take_while(|at| &self.log[at + 8..at + 16] == salts);
        let commits = current.filter(|at| number(at + 4) > 0);
        [0].into_iter()
            .chain(commits.map(|at| at + frame))
            .collect()
    }

    /// A database as it comes back if the log got no further.
    async fn come_back(&self, log_length: usize) -> (Place, Database) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(NAME), &self.file).unwrap();
        fs::write(directory.path().join(LOG_NAME), &self.log[..log_length]).unwrap();
        let place = Place::Sqlite(directory);
        let database = place.open().await;
        (place, database)
    }
}

#[tokio::test]
async fn whatever_commits_are_lost_are_written_again_from_the_journal() {
    let mut exchange = Exchange::new(31);
    // As much as fits the log before it is folded.
    exchange.happen(70);
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&DatabaseUrl::Sqlite(directory.path().join(NAME)))
        .await
        .unwrap();
    exchange
        .projector(&database, limits(4))
        .0
        .run(async {})
        .await;
    let disk = Disk::of(directory.path());
    let ends = disk.ends_of_commits();
    assert!(ends.len() > 15, "{}", ends.len());
    for end in ends {
        // With the beginning of a commit that did not get to its end, too.
        for log_length in [end, (end + 3_000).min(disk.log.len())] {
            let (_place, database) = disk.come_back(log_length).await;
            exchange.project(&database).await;
            exchange.assert_projected(&database).await;
        }
    }
}

const PARTITIONS: [PartitionId; 2] = [PartitionId::new(0), PartitionId::new(1)];

/// Asks to have everything flushed; tells what is so far.
fn ask(handle: &ProjectorHandle) -> [Option<Position>; 2] {
    PARTITIONS.map(|partition| handle.flushed(partition, Position::new(u64::MAX)))
}

#[tokio::test]
async fn a_journal_trimmed_below_what_is_flushed_holds_all_that_a_power_failure_takes_back() {
    let mut exchange = Exchange::new(32);
    exchange.happen(100);
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&DatabaseUrl::Sqlite(directory.path().join(NAME)))
        .await
        .unwrap();
    let (projector, handle) = exchange.projector(&database, limits(9));
    // Flushes after the first batches, and goes on.
    assert_eq!(ask(&handle), [None, None]);
    projector.run(async {}).await;
    let committed = handle.status().positions;
    for ((partition, flushed), journal) in
        PARTITIONS.iter().zip(ask(&handle)).zip(&exchange.journals)
    {
        let flushed = flushed.unwrap();
        assert!(Position::ZERO < flushed && flushed < committed[partition]);
        journal.lose_oldest(flushed.get() as usize);
    }
    let disk = Disk::of(directory.path());
    for end in disk.ends_of_commits() {
        let (_place, database) = disk.come_back(end).await;
        exchange.project(&database).await;
        exchange.assert_projected(&database).await;
    }
}

#[tokio::test]
async fn what_was_only_read_or_committed_is_not_called_flushed_before_somebody_asks() {
    for place in Place::both() {
        let mut exchange = Exchange::new(33);
        exchange.happen(50);
        let database = place.open().await;
        exchange.project(&database).await;
        let (projector, mut handle) = exchange.projector(&database, limits(9));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(projector.run(async {
            let _ = stopped.await;
        }));
        exchange.happen(50);
        caught_up(&exchange, &mut handle).await;
        assert_eq!(ask(&handle), [None, None]);
        // Also while there is nothing to write.
        handle
            .wait_until(|status| {
                let flushed = status.flushed.as_ref();
                flushed.is_some_and(|flushed| *flushed.get() == status.positions)
            })
            .await;
        stop.send(()).unwrap();
        running.await.unwrap();
    }
}

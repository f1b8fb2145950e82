//! The projector: reads each partition's journal from where the database stands and writes
//! orders, their changes and trades, exactly once whatever crashes.
//!
//! A batch of records is one transaction, and the position that comes with it is in the same
//! transaction. What each crash leaves behind:
//!
//! 1. Before the commit: nothing; the batch is read and written again.
//! 2. At the commit, without its answer: the batch or nothing. The next try reads the position
//!    first and goes on from it.
//! 3. After the commit: the batch, which is never read again; but for a power failure, which takes
//!    back commits that SQLite has not flushed, the newest first. Then the position is that of an
//!    earlier batch, and what follows is read and written again. The journal still holds it: it is
//!    trimmed only below a position that was flushed.
//!
//! Two projectors on one database can't both write a batch: moving the position from where it
//! stood is each transaction's first statement, and only one of them finds it there.
//!
//! With the database down the journal keeps what is missing, and nothing but the next try is
//! held in memory.

mod asking;
mod batch;
mod bulk;
mod cache;
mod error;
mod fold;
mod retention;
mod rows;
mod setup;
mod snapshots;
mod status;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select_all;
use shardbook_engine::checkpoint::CheckpointStore;
use shardbook_engine::exchange::PartitionLog;
use shardbook_engine::id::{InstrumentId, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Position;
use shardbook_engine::partition::PartitionId;
use shardbook_engine::partition::reader::RecordReader;
use shardbook_engine::time::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

pub use self::asking::Unanswered;
pub use self::error::{ProjectorError, RefusedDatabase};
pub use self::retention::Retention;
pub use self::setup::{ProjectorLimits, ProjectorSetup};
pub use self::status::{DatabaseState, Instruments, Lag, ProjectorHandle, ProjectorStatus};
pub use self::store::OnRefused;

pub(crate) use self::rows::{Existing, RowWriter};

use self::asking::Asking;
use self::batch::{BatchSize, Batched};
use self::cache::OrderCache;
use self::fold::Progress;
use self::retention::Cleaning;
use self::snapshots::Inbox;
use self::store::{Held, Store};
use crate::database::DatabaseError;
use crate::retry::Retry;

/// How long the projector goes on catching up once it has been told to stop. What is left over
/// is projected after the next start.
const CATCH_UP_AT_STOP: Duration = Duration::from_secs(10);

/// How often a database that has nothing to write is asked whether it is there: how late an
/// outage may be noticed.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Writes the journals' records into the database.
pub struct Projector {
    store: Store,
    logs: Vec<PartitionLog>,
    checkpoints: Vec<Arc<dyn CheckpointStore>>,
    instruments: Arc<dyn Instruments>,
    limits: ProjectorLimits,
    batch_size: BatchSize,
    on_refused: OnRefused,
    known: HashMap<InstrumentId, Arc<Instrument>>,
    session: Option<Session>,
    snapshots: Inbox,
    cleaning: Cleaning,
    /// Has a permit when someone wants what is committed flushed.
    flush: Arc<Notify>,
    status: watch::Sender<ProjectorStatus>,
}

/// What is known of the database while nothing fails.
struct Session {
    positions: BTreeMap<PartitionId, Position>,
    progress: HashMap<InstrumentId, Progress>,
    readers: HashMap<PartitionId, RecordReader>,
    cache: OrderCache,
}

impl Projector {
    /// A projector that has done nothing yet, and how to watch it.
    #[must_use]
    pub fn new(setup: ProjectorSetup) -> (Self, ProjectorHandle) {
        let (sender, status) = watch::channel(ProjectorStatus::unseen());
        let (outbox, snapshots) = snapshots::channel();
        let asking = Asking::default();
        let flush = Arc::<Notify>::default();
        let handle = ProjectorHandle {
            snapshots: outbox,
            asking: asking.clone(),
            flush: Arc::clone(&flush),
            status,
            instruments: Arc::clone(&setup.instruments),
        };
        let projector = Self {
            store: Store {
                database: setup.database,
                exchange: setup.exchange,
                asking,
            },
            logs: setup.logs,
            checkpoints: setup.checkpoints,
            instruments: setup.instruments,
            limits: setup.limits,
            batch_size: BatchSize::new(setup.limits.batch_records),
            on_refused: setup.on_refused,
            known: HashMap::new(),
            session: None,
            snapshots,
            cleaning: Cleaning::new(setup.retention, setup.clock, setup.limits),
            flush,
            status: sender,
        };
        (projector, handle)
    }

    /// Connects, brings the tables up to date, and makes sure that the database is this
    /// exchange's, before anything is projected. [`Projector::run`] does the same; a start calls
    /// this first to find [`ProjectorError::Refused`] out in time.
    ///
    /// # Errors
    /// When the database is away, or must not be written to.
    pub async fn admit(&mut self) -> Result<(), ProjectorError> {
        let logs = self.logs.iter().enumerate();
        let held: Vec<_> = logs
            .map(|(number, log)| Held {
                partition: log.id,
                journal: log.source.range(),
                checkpoints: self.checkpoints.get(number).cloned(),
            })
            .collect();
        let heads = self.instruments.heads().into_iter();
        let instruments: Vec<_> = heads.map(|(instrument, _)| instrument).collect();
        let standing = self
            .store
            .admit(&held, &instruments, self.on_refused)
            .await?;
        self.on_refused = OnRefused::LeaveAlone;
        let mut readers = HashMap::with_capacity(self.logs.len());
        for log in &self.logs {
            let position = standing.positions.get(&log.id).copied();
            let next = position.unwrap_or_default().next();
            readers.insert(log.id, RecordReader::from(&*log.source, next)?);
        }
        let was = self.status.borrow().database.clone();
        self.status.send_modify(|status| {
            status.database = DatabaseState::Up;
            status.positions.clone_from(&standing.positions);
            // Read, which says nothing of a power failure; and of another database perhaps.
            status.flushed = None;
            status.projected = standing
                .progress
                .iter()
                .map(|(id, progress)| (*id, progress.sequence))
                .collect();
        });
        if was != DatabaseState::Up {
            tracing::info!(positions = ?standing.positions, "the database is up");
        }
        self.session = Some(Session {
            positions: standing.positions,
            progress: standing.progress,
            readers,
            cache: OrderCache::new(self.limits.cached_orders),
        });
        Ok(())
    }

    /// Projects until `shutdown` comes, whatever the database does; then catches up with what
    /// the journals hold, for a bounded time. Reading, folding and putting rows into statements
    /// takes whole milliseconds of computing, which must not stand in an order's way: let a
    /// [`Background`](crate::background::Background) do it.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut retry = Retry::new();
        loop {
            for log in &mut self.logs {
                // What is flushed from here on is news, also while catching up.
                log.head.mark_unchanged();
            }
            let caught_up = tokio::select! {
                biased;
                () = shutdown.as_mut() => break,
                caught_up = self.catch_up() => caught_up,
            };
            let wait: Pin<Box<dyn Future<Output = ()> + Send>> = match caught_up {
                Ok(_) => {
                    retry.reset();
                    let more = more(&self.logs, self.limits.pause);
                    // Without more the time is up, and it is asked whether it is there.
                    Box::pin(timeout(PROBE_INTERVAL, more).map(|_| ()))
                }
                Err(error) => {
                    let delay = retry.delay();
                    self.failed(&error, delay);
                    Box::pin(sleep(delay))
                }
            };
            tokio::select! {
                biased;
                () = shutdown.as_mut() => break,
                () = wait => {}
                () = self.snapshots.wait(), if self.session.is_some() => {}
                () = self.cleaning.wait(), if self.session.is_some() => {}
                () = self.flush.notified(), if self.session.is_some() => self.flush.notify_one(),
            }
        }
        // What was broken off left nothing behind; whether it was committed is asked again.
        self.session = None;
        match timeout(CATCH_UP_AT_STOP, self.catch_up_to_the_end()).await {
            Ok(Ok(())) => tracing::info!("the database holds all that the journal does"),
            Ok(Err(error)) => tracing::warn!(%error, "stopping with the database behind"),
            Err(_) => tracing::warn!("stopping with the database behind, for want of time"),
        }
    }

    fn failed(&mut self, error: &ProjectorError, delay: Duration) {
        if let ProjectorError::Database(DatabaseError::TimedOut { .. }) = error {
            self.batch_size.shrink();
        }
        self.session = None;
        self.snapshots.give_up();
        let reason = error.to_string();
        let oldest = self.oldest_waiting();
        let database = DatabaseState::Down {
            reason: reason.clone(),
        };
        let news = self.status.borrow().database != database;
        self.status.send_modify(|status| {
            status.database = database;
            status.oldest_waiting = oldest;
        });
        let next_try_seconds = delay.as_secs_f64();
        if news {
            tracing::warn!(reason, next_try_seconds, "the database is down");
        } else {
            tracing::debug!(reason, next_try_seconds, "the database is still down");
        }
    }

    /// The stamp of the oldest record after the positions last known.
    fn oldest_waiting(&self) -> Option<Timestamp> {
        let status = self.status.borrow();
        let oldest = self.logs.iter().filter_map(|log| {
            let next = status.positions.get(&log.id)?.next();
            // Should the journal refuse, the age is unknown; the reason is told by the next try.
            let mut reader = RecordReader::from(&*log.source, next).ok()?;
            let payload = reader.read().ok()??;
            payload.first().map(|record| record.timestamp)
        });
        oldest.min()
    }

    /// Projects all that the journals hold, also of what comes meanwhile.
    async fn catch_up_to_the_end(&mut self) -> Result<(), ProjectorError> {
        while self.catch_up().await? != Batched::Nothing {}
        Ok(())
    }

    /// Projects all that the journals held when it was read last. What has come since then waits
    /// for more to come with it: a commit for each few records would cost more than they do.
    async fn catch_up(&mut self) -> Result<Batched, ProjectorError> {
        if self.session.is_none() {
            self.admit().await?;
        }
        let mut all = Batched::Nothing;
        loop {
            let mut last = Batched::Nothing;
            for index in 0..self.logs.len() {
                last = last.max(self.project_batch(index).await?);
            }
            self.write_snapshots().await?;
            if self.cleaning.step(&self.store).await? {
                self.status.send_modify(|status| status.sweeps += 1);
            }
            self.flush_if_wanted().await?;
            all = all.max(last);
            if last == Batched::Part {
                continue;
            }
            if all == Batched::Nothing {
                self.store.probe().await?;
            }
            self.status
                .send_if_modified(|status| status.oldest_waiting.take().is_some());
            return Ok(all);
        }
    }

    /// Flushes what is committed, if someone asked for it.
    async fn flush_if_wanted(&mut self) -> Result<(), ProjectorError> {
        let wanted = self.flush.notified().now_or_never();
        let (Some(()), Some(session)) = (wanted, &self.session) else {
            return Ok(());
        };
        let flushed = self.store.flush(session.positions.clone()).await?;
        if flushed.is_some() {
            self.status.send_modify(|status| status.flushed = flushed);
        }
        Ok(())
    }

    /// Writes the snapshots that the database has come past.
    async fn write_snapshots(&mut self) -> Result<(), ProjectorError> {
        while let (Some(waiting), Some(session)) = (self.snapshots.next(), &self.session) {
            let snapshot = &waiting.snapshot;
            let progress = session.progress.get(&snapshot.instrument);
            let projected = progress.map_or(Sequence::ZERO, |progress| progress.sequence);
            if projected < snapshot.head.sequence {
                break;
            }
            self.store.write_snapshot(snapshot).await?;
            self.snapshots.written();
        }
        Ok(())
    }
}

/// Waits for `pause`, then until a journal holds more than when its head was last marked.
fn more(logs: &[PartitionLog], pause: Duration) -> impl Future<Output = ()> + Send + use<> {
    let mut heads: Vec<_> = logs.iter().map(|log| log.head.clone()).collect();
    async move {
        sleep(pause).await;
        let changes = heads.iter_mut().map(|head| {
            Box::pin(async move {
                if head.changed().await.is_err() {
                    // Its writer has ended, so that nothing more comes from there.
                    std::future::pending::<()>().await;
                }
            })
        });
        select_all(changes).await;
    }
}

//! The projector: reads each partition's journal from where the database stands and writes
//! orders, their changes and trades, exactly once whatever crashes.
//!
//! A batch of records is one transaction, and the position that comes with it is in the same
//! transaction. What each crash leaves behind:
//!
//! 1. Before the commit: nothing; the batch is read and written again.
//! 2. At the commit, without its answer: the batch or nothing. The next try reads the position
//!    first and goes on from it.
//! 3. After the commit: the batch, which is never read again.
//!
//! Two projectors on one database can't both write a batch: moving the position from where it
//! stood is each transaction's first statement, and only one of them finds it there.
//!
//! With the database down the journal keeps what is missing, and nothing but the next try is
//! held in memory.

mod asking;
mod bulk;
mod cache;
mod error;
mod fold;
mod retention;
mod rows;
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
use shardbook_engine::journal::{Durable, Position};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::partition::reader::RecordReader;
use shardbook_engine::record::Record;
use shardbook_engine::time::{Clock, Timestamp};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

pub use self::asking::Unanswered;
pub use self::error::{ProjectorError, RefusedDatabase};
pub use self::retention::Retention;
pub use self::status::{DatabaseState, Instruments, Lag, ProjectorHandle, ProjectorStatus};
pub use self::store::OnRefused;

pub(crate) use self::rows::{Existing, RowWriter};

use self::asking::Asking;
use self::cache::OrderCache;
use self::fold::{Fold, Progress, needed};
use self::retention::Cleaning;
use self::snapshots::Inbox;
use self::store::{Held, Needed, Step, Store};
use crate::database::{Database, DatabaseError};
use crate::retry::Retry;

/// How long the projector goes on catching up once it has been told to stop. What is left over
/// is projected after the next start.
const CATCH_UP_AT_STOP: Duration = Duration::from_secs(10);

/// How often a database that has nothing to write is asked whether it is there: how late an
/// outage may be noticed.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How much the projector takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectorLimits {
    /// Records after which a batch takes no further payload. One transaction of this many takes
    /// a fraction of a second, of which opening, flushing and closing it are a small part.
    pub batch_records: usize,
    /// Events after which a batch takes no further payload: bounds memory where records are
    /// large, at some 1 KiB an event.
    pub batch_events: usize,
    /// Open orders kept at hand, and at most twice as many, at some 500 bytes each.
    pub cached_orders: usize,
    /// Old orders looked at in one transaction: it takes a fraction of a second.
    pub swept_orders: u64,
    /// The least time between catching up and catching up again, so that a trickle of orders
    /// does not cost a flush each.
    pub pause: Duration,
}

impl Default for ProjectorLimits {
    fn default() -> Self {
        Self {
            batch_records: 5_000,
            batch_events: 20_000,
            cached_orders: 50_000,
            swept_orders: 2_000,
            pause: Duration::from_millis(100),
        }
    }
}

/// What is projected, and where to.
pub struct ProjectorSetup {
    /// Where to.
    pub database: Database,
    /// Whose orders they are.
    pub exchange: Uuid,
    /// The partitions.
    pub logs: Vec<PartitionLog>,
    /// Where each partition's checkpoints are kept, in the same order; none where there are none.
    pub checkpoints: Vec<Arc<dyn CheckpointStore>>,
    /// What they hold records of.
    pub instruments: Arc<dyn Instruments>,
    /// How much at once.
    pub limits: ProjectorLimits,
    /// How long closed orders are kept.
    pub retention: Retention,
    /// By which their age is told.
    pub clock: Arc<dyn Clock>,
    /// What becomes of a database of another exchange, or one that stands where no journal does.
    pub on_refused: OnRefused,
}

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
    status: watch::Sender<ProjectorStatus>,
}

/// How many records are written together. A batch that takes too long is rolled back: of the same
/// size, it would be for ever, where the database or this thread has too little of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BatchSize {
    records: usize,
    most: usize,
}

impl BatchSize {
    const fn new(most: usize) -> Self {
        Self {
            records: most,
            most,
        }
    }

    /// The last one did not end in time.
    fn shrink(&mut self) {
        self.records = (self.records / 2).max(1);
    }

    /// The last one did.
    fn grow(&mut self) {
        self.records = self.records.saturating_mul(2).min(self.most);
    }
}

/// What is known of the database while nothing fails.
struct Session {
    positions: BTreeMap<PartitionId, Position>,
    progress: HashMap<InstrumentId, Progress>,
    readers: HashMap<PartitionId, RecordReader>,
    cache: OrderCache,
}

/// Payloads that are written together.
struct Batch {
    payloads: Vec<Durable<Vec<Record>>>,
    to: Position,
    batched: Batched,
}

/// How much a batch took of what a journal held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Batched {
    /// There was nothing.
    Nothing,
    /// All that there was when its end was read.
    All,
    /// As much as a batch takes; there may be more.
    Part,
}

impl Batch {
    fn records(&self) -> impl Iterator<Item = &Record> {
        self.payloads.iter().flat_map(|payload| payload.iter())
    }
}

impl Projector {
    /// A projector that has done nothing yet, and how to watch it.
    #[must_use]
    pub fn new(setup: ProjectorSetup) -> (Self, ProjectorHandle) {
        let (sender, status) = watch::channel(ProjectorStatus::unseen());
        let (outbox, snapshots) = snapshots::channel();
        let asking = Asking::default();
        let handle = ProjectorHandle {
            snapshots: outbox,
            asking: asking.clone(),
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
    /// for more to come with it: a flush for each few records would cost more than they do.
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

    /// Projects the next batch of one partition; says how much of what there was.
    async fn project_batch(&mut self, index: usize) -> Result<Batched, ProjectorError> {
        let (Some(log), Some(session)) = (self.logs.get(index), self.session.as_mut()) else {
            return Ok(Batched::Nothing);
        };
        let id = log.id;
        let limits = ProjectorLimits {
            batch_records: self.batch_size.records,
            ..self.limits
        };
        let Some(batch) = session.read(id, limits)? else {
            return Ok(Batched::Nothing);
        };
        if let Some(oldest) = batch.records().map(|record| record.timestamp).next() {
            self.status
                .send_if_modified(|status| status.oldest_waiting.replace(oldest) != Some(oldest));
        }
        learn(&mut self.known, &*self.instruments, &batch)?;
        let step = Step {
            partition: id,
            from: session.positions.get(&id).copied().unwrap_or_default(),
            to: batch.to,
        };
        let needed = Needed::take(needed(batch.records()), &mut session.cache, &self.known)?;
        let (known, progress) = (&self.known, &session.progress);
        let outcome = self
            .store
            .commit(step, needed, |orders| {
                let mut fold = Fold::new(orders);
                for record in batch.records() {
                    let id = record.instrument;
                    let instrument = known
                        .get(&id)
                        .ok_or(ProjectorError::UnknownInstrument(id))?;
                    fold.apply(instrument, progress.get(&id).copied(), record)?;
                }
                fold.finish()
            })
            .await?;
        self.batch_size.grow();
        session.positions.insert(id, batch.to);
        session.progress.extend(outcome.progress.iter().copied());
        for (key, order) in outcome.open {
            session.cache.put(key, order);
        }
        self.status.send_modify(|status| {
            status.positions.insert(id, batch.to);
            let sequences = outcome.progress.iter();
            status
                .projected
                .extend(sequences.map(|(id, progress)| (*id, progress.sequence)));
        });
        Ok(batch.batched)
    }
}

impl Session {
    /// The next payloads of a partition, up to a batch.
    fn read(
        &mut self,
        id: PartitionId,
        limits: ProjectorLimits,
    ) -> Result<Option<Batch>, ProjectorError> {
        let Some(reader) = self.readers.get_mut(&id) else {
            return Ok(None);
        };
        let mut payloads: Vec<Durable<Vec<Record>>> = Vec::new();
        let (mut records, mut events) = (0, 0);
        let mut batched = Batched::Part;
        while records < limits.batch_records && events < limits.batch_events {
            let Some(payload) = reader.read()? else {
                batched = Batched::All;
                break;
            };
            records += payload.len();
            events += payload
                .iter()
                .map(|record| record.events.len())
                .sum::<usize>();
            payloads.push(payload);
        }
        let to = payloads.last().map(Durable::position);
        Ok(to.map(|to| Batch {
            payloads,
            to,
            batched,
        }))
    }
}

/// Makes sure that every instrument of the batch is known.
fn learn(
    known: &mut HashMap<InstrumentId, Arc<Instrument>>,
    instruments: &dyn Instruments,
    batch: &Batch,
) -> Result<(), ProjectorError> {
    let unknown = |known: &HashMap<_, _>| {
        batch
            .records()
            .map(|record| record.instrument)
            .find(|id| !known.contains_key(id))
    };
    if unknown(known).is_some() {
        let heads = instruments.heads();
        known.extend(
            heads
                .into_iter()
                .map(|(instrument, _)| (instrument.id, instrument)),
        );
    }
    unknown(known).map_or(Ok(()), |id| Err(ProjectorError::UnknownInstrument(id)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_until_one_ends_in_time_and_grow_back_to_the_most() {
        let mut size = BatchSize::new(5);
        for records in [2, 1, 1] {
            size.shrink();
            assert_eq!(size.records, records);
        }
        for records in [2, 4, 5, 5] {
            size.grow();
            assert_eq!(size.records, records);
        }
    }
}

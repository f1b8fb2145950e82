//! Puts the engine together: recovers every partition, then starts its writer and its shards.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::checkpoint::{CheckpointStore, Checkpoints, Projected};
pub use crate::checkpointer::CheckpointRequests;

use crate::checkpointer::Checkpointer;
use crate::crashed::CrashedCommands;
use crate::directory::Directory;
use crate::id::InstrumentId;
use crate::instrument::Instrument;
use crate::journal::{Journal, JournalSource, Position};
use crate::market_data::MarketDataLimits;
use crate::observer::Observer;
use crate::partition::{OnFatal, Partition, PartitionId, Room};
use crate::publisher::Publisher;
use crate::recovery::{Recovered, RecoveryError, RecoveryReport, recover_partition};
use crate::router::{InstrumentHandle, Router};
use crate::shard::ShardLimits;
use crate::supervisor::supervise;
use crate::time::Clock;
use crate::worker::{Batch, Surroundings, Worker};

/// Bounds of what an instrument may take up.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeLimits {
    /// Commands that may wait for one shard; beyond it the answer is "overloaded" at once.
    pub queue_length: usize,
    /// The shard's windows.
    pub shard: ShardLimits,
    /// What reads answer from memory.
    pub market_data: MarketDataLimits,
    /// A partition makes a checkpoint once it has journaled so many records since the last: at
    /// most about so many are replayed by a start.
    pub checkpoint_records: u64,
}

/// What an exchange is made of.
pub struct Setup {
    /// One journal for each partition, numbered as they stand.
    pub journals: Vec<Box<dyn Journal>>,
    /// Where each partition's checkpoints are kept, in the same order. Without any, none are made
    /// and a start replays everything.
    pub checkpoints: Vec<Arc<dyn CheckpointStore>>,
    /// Every instrument ever seen, with its partition, in the order in which lists show them; a
    /// read that names none means the first.
    pub instruments: Vec<(Arc<Instrument>, PartitionId)>,
    /// Bounds.
    pub limits: ExchangeLimits,
    /// Where stamps come from.
    pub clock: Arc<dyn Clock>,
    /// Where changes go; recovery's too, so that streams can be resumed.
    pub publisher: Arc<dyn Publisher>,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
    /// Ends the process: when the journal fails, and when something panics that is no shard's
    /// core.
    pub on_fatal: OnFatal,
}

/// Why an exchange did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A partition could not be recovered.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The machine has no thread to give.
    #[error("the journal's writer can't be started: {0}")]
    Thread(#[from] std::io::Error),
    /// An instrument names a partition that there is no journal for.
    #[error(
        "instrument {symbol} stands in partition {partition}, which this exchange does not have"
    )]
    NoSuchPartition {
        /// The instrument.
        symbol: String,
        /// Its partition.
        partition: u32,
    },
}

/// A running exchange.
pub struct Exchange {
    router: Arc<Router>,
    partitions: Vec<Partition<Batch>>,
    workers: JoinSet<()>,
    stop: watch::Sender<bool>,
    /// They end when their partition's writer has, with a last checkpoint.
    checkpointers: JoinSet<()>,
    checkpoint_requests: CheckpointRequests,
    projected: Arc<OnceLock<Arc<dyn Projected>>>,
    recovery: Vec<RecoveryReport>,
}

/// A partition's journal for those who read it behind the exchange.
#[derive(Clone)]
pub struct PartitionLog {
    /// Which partition.
    pub id: PartitionId,
    /// Where its frames are read.
    pub source: Arc<dyn JournalSource>,
    /// The newest flushed position, as it moves.
    pub head: watch::Receiver<Position>,
}

impl Exchange {
    /// Recovers everything and starts. Reads checkpoints and journals, so call it where blocking
    /// is allowed, within a runtime.
    ///
    /// # Errors
    /// When a journal can't be read or the machine refuses.
    pub fn start(mut setup: Setup) -> Result<Self, StartError> {
        let directory = Arc::new(Directory::default());
        check_partitions(&setup)?;
        let (stop, _) = watch::channel(false);
        let mut exchange = Self {
            router: Arc::new(Router::new(Arc::clone(&directory))),
            partitions: Vec::new(),
            workers: JoinSet::new(),
            stop,
            checkpointers: JoinSet::new(),
            checkpoint_requests: CheckpointRequests::default(),
            projected: Arc::default(),
            recovery: Vec::new(),
        };
        let mut shards = HashMap::new();
        let one_at_a_time = Arc::new(Semaphore::new(1));
        let journals = std::mem::take(&mut setup.journals);
        let mut checkpoints = Vec::new();
        for (number, journal) in (0_u32..).zip(journals) {
            let id = PartitionId::new(number);
            let (recovered, shared) =
                exchange.start_partition(id, journal, &setup, &directory, &one_at_a_time)?;
            shards.extend(recovered);
            checkpoints.push(shared);
        }
        let crashed = Arc::new(CrashedCommands::default());
        for (instrument, id) in &setup.instruments {
            let number = usize::try_from(id.get()).unwrap_or(usize::MAX);
            let found = (shards.remove(&instrument.id), exchange.partition(*id));
            let (Some(recovered), Some(partition)) = found else {
                continue;
            };
            let surroundings = Surroundings {
                partition: partition.sender.clone(),
                source: Arc::clone(&partition.source),
                checkpoints: checkpoints.get(number).cloned().flatten(),
                directory: Arc::clone(&directory),
                publisher: Arc::clone(&setup.publisher),
                observer: Arc::clone(&setup.observer),
                clock: Arc::clone(&setup.clock),
                crashed: Arc::clone(&crashed),
                on_fatal: Arc::clone(&setup.on_fatal),
                limits: setup.limits.shard,
            };
            let room = partition.room.clone();
            exchange.start_shard(recovered, room, setup.limits.queue_length, surroundings);
        }
        Ok(exchange)
    }

    /// Recovers a partition and starts its writer and its checkpoints.
    fn start_partition(
        &mut self,
        id: PartitionId,
        journal: Box<dyn Journal>,
        setup: &Setup,
        directory: &Directory,
        one_at_a_time: &Arc<Semaphore>,
    ) -> Result<StartedPartition, StartError> {
        let source = journal.source();
        let instruments: Vec<Arc<Instrument>> = setup
            .instruments
            .iter()
            .filter(|(_, partition)| *partition == id)
            .map(|(instrument, _)| Arc::clone(instrument))
            .collect();
        let number = usize::try_from(id.get()).unwrap_or(usize::MAX);
        let checkpoints = setup.checkpoints.get(number).map(|store| {
            Arc::new(Checkpoints {
                store: Arc::clone(store),
                in_use: Mutex::new(()),
            })
        });
        let (recovered, report) = recover_partition(
            &*source,
            checkpoints
                .as_deref()
                .map(|checkpoints| &*checkpoints.store),
            &instruments,
            &setup.limits,
            directory,
            &*setup.publisher,
        )?;
        tracing::info!(
            partition = id.get(),
            checkpoint = report.checkpoint.unwrap_or_default().get(),
            records_replayed = report.records_replayed,
            "recovered"
        );
        self.recovery.push(report);
        let upkeep = checkpoints.as_ref().map(|checkpoints| {
            let checkpointer = Checkpointer {
                partition: id,
                source: Arc::clone(&source),
                checkpoints: Arc::clone(checkpoints),
                instruments,
                limits: setup.limits,
                newest: report.checkpoint,
                projected: Arc::clone(&self.projected),
                needed_from: Arc::default(),
            };
            let (upkeep, laps) = checkpointer.upkeep(report.records_replayed);
            let requests = self.checkpoint_requests.include();
            let running = checkpointer.run(laps, requests, Arc::clone(one_at_a_time));
            self.checkpointers.spawn(running);
            upkeep
        });
        let partition = Partition::start(
            id,
            journal,
            upkeep,
            Arc::clone(&setup.observer),
            Arc::clone(&setup.on_fatal),
        )?;
        self.partitions.push(partition);
        Ok((recovered, checkpoints))
    }

    fn partition(&self, id: PartitionId) -> Option<&Partition<Batch>> {
        self.partitions.get(usize::try_from(id.get()).ok()?)
    }

    fn start_shard(
        &mut self,
        recovered: Recovered,
        room: watch::Receiver<Room>,
        queue_length: usize,
        around: Surroundings,
    ) {
        let Recovered { shard, market_data } = recovered;
        let (sender, queue) = mpsc::channel(queue_length);
        let handle = Arc::new(InstrumentHandle::new(
            market_data,
            sender,
            room,
            shard.feed_at_start(),
        ));
        self.router.add(Arc::clone(&handle));
        let on_fatal = Arc::clone(&around.on_fatal);
        let worker = Worker::new(shard, handle, queue, around);
        let running = worker.run(self.stop.subscribe());
        self.workers.spawn(supervise(running, on_fatal));
    }

    /// The way in.
    #[must_use]
    pub const fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// The journals, for the projector.
    #[must_use]
    pub fn logs(&self) -> Vec<PartitionLog> {
        (0_u32..)
            .zip(&self.partitions)
            .map(|(number, partition)| PartitionLog {
                id: PartitionId::new(number),
                source: Arc::clone(&partition.source),
                head: partition.head.clone(),
            })
            .collect()
    }

    /// What each partition's start came to.
    #[must_use]
    pub fn recovery(&self) -> &[RecoveryReport] {
        &self.recovery
    }

    /// The way to checkpoints out of turn.
    #[must_use]
    pub const fn checkpoint_requests(&self) -> &CheckpointRequests {
        &self.checkpoint_requests
    }

    /// Lets the journals go of what checkpoints have made unnecessary, as far as the database has
    /// taken it in; nothing goes before this is called. Only the first call counts.
    pub fn trim_behind(&self, projected: Arc<dyn Projected>) {
        // A second one knows nothing else.
        let _ = self.projected.set(projected);
    }

    /// Takes no more commands, decides those already waiting, and ends once all of it is durable
    /// and answered, and checkpoints hold it, so that the next start replays nothing.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a shard's task did not end well");
            }
        }
        let partitions = std::mem::take(&mut self.partitions);
        let joined = tokio::task::spawn_blocking(move || {
            partitions.into_iter().for_each(Partition::join);
        });
        if let Err(error) = joined.await {
            tracing::error!(%error, "a journal's writer did not end well");
        }
        while let Some(ended) = self.checkpointers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a partition's last checkpoint was not made");
            }
        }
    }
}

/// A partition's instruments, and its checkpoints if it makes any.
type StartedPartition = (HashMap<InstrumentId, Recovered>, Option<Arc<Checkpoints>>);

fn check_partitions(setup: &Setup) -> Result<(), StartError> {
    for (instrument, partition) in &setup.instruments {
        if usize::try_from(partition.get()).is_ok_and(|number| number >= setup.journals.len()) {
            return Err(StartError::NoSuchPartition {
                symbol: instrument.symbol.to_string(),
                partition: partition.get(),
            });
        }
    }
    Ok(())
}

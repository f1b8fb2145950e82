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
use crate::partition::{OnFatal, Partition, PartitionId};
use crate::publisher::Publisher;
use crate::recovery::{Recovered, RecoveryError, RecoveryReport, recover_partition};
use crate::router::Router;
use crate::shard::ShardLimits;
use crate::shards::{ADDED_WAITING_MAX, PartitionInstruments, PartitionShards, Shards, Shared};
pub use crate::shards::{AddError, Additions};
use crate::time::Clock;
use crate::worker::Batch;

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
    /// A shard could not be started.
    #[error(transparent)]
    Shard(#[from] AddError),
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
    /// The one task that ends when all shards have.
    shards: JoinSet<()>,
    additions: Additions,
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
        let (stop, stopped) = watch::channel(false);
        let mut starting = Starting::default();
        let mut recovered = HashMap::new();
        let mut partitions = Vec::new();
        let journals = std::mem::take(&mut setup.journals);
        for (number, journal) in (0_u32..).zip(journals) {
            let id = PartitionId::new(number);
            let (shards, shared) = starting.partition(id, journal, &setup, &directory)?;
            recovered.extend(shards);
            partitions.push(shared);
        }
        let router = Arc::new(Router::new(Arc::clone(&directory)));
        let shared = Shared {
            router: Arc::clone(&router),
            directory,
            publisher: setup.publisher,
            observer: setup.observer,
            clock: setup.clock,
            crashed: Arc::new(CrashedCommands::default()),
            on_fatal: setup.on_fatal,
            limits: setup.limits,
            stop: stopped,
        };
        let mut shards = Shards::new(shared, partitions);
        for (instrument, id) in &setup.instruments {
            if let Some(recovered) = recovered.remove(&instrument.id) {
                shards.start(*id, recovered)?;
            }
        }
        let (added, additions) = mpsc::channel(ADDED_WAITING_MAX);
        let mut running = JoinSet::new();
        running.spawn(shards.run(additions));
        Ok(Self {
            router,
            partitions: starting.partitions,
            shards: running,
            additions: Additions(added),
            stop,
            checkpointers: starting.checkpointers,
            checkpoint_requests: starting.checkpoint_requests,
            projected: starting.projected,
            recovery: starting.recovery,
        })
    }

    /// The way in.
    #[must_use]
    pub const fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// The way to new instruments.
    #[must_use]
    pub const fn additions(&self) -> &Additions {
        &self.additions
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
        while let Some(ended) = self.shards.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "the shards did not end well");
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

/// What runs already while an exchange starts. Partitions take turns with their checkpoints.
struct Starting {
    partitions: Vec<Partition<Batch>>,
    checkpointers: JoinSet<()>,
    checkpoint_requests: CheckpointRequests,
    one_at_a_time: Arc<Semaphore>,
    projected: Arc<OnceLock<Arc<dyn Projected>>>,
    recovery: Vec<RecoveryReport>,
}

impl Default for Starting {
    fn default() -> Self {
        Self {
            partitions: Vec::new(),
            checkpointers: JoinSet::new(),
            checkpoint_requests: CheckpointRequests::default(),
            one_at_a_time: Arc::new(Semaphore::new(1)),
            projected: Arc::default(),
            recovery: Vec::new(),
        }
    }
}

impl Starting {
    /// Recovers a partition and starts its writer and its checkpoints.
    fn partition(
        &mut self,
        id: PartitionId,
        journal: Box<dyn Journal>,
        setup: &Setup,
        directory: &Directory,
    ) -> Result<(HashMap<InstrumentId, Recovered>, PartitionShards), StartError> {
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
        let instruments: PartitionInstruments = Arc::new(Mutex::new(instruments));
        let upkeep = checkpoints.as_ref().map(|checkpoints| {
            let checkpointer = Checkpointer {
                partition: id,
                source: Arc::clone(&source),
                checkpoints: Arc::clone(checkpoints),
                instruments: Arc::clone(&instruments),
                limits: setup.limits,
                newest: report.checkpoint,
                projected: Arc::clone(&self.projected),
                needed_from: Arc::default(),
            };
            let (upkeep, laps) = checkpointer.upkeep(report.records_replayed);
            let requests = self.checkpoint_requests.include();
            let running = checkpointer.run(laps, requests, Arc::clone(&self.one_at_a_time));
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
        let shards = PartitionShards {
            sender: partition.sender.clone(),
            source,
            room: partition.room.clone(),
            checkpoints,
            instruments,
        };
        self.partitions.push(partition);
        Ok((recovered, shards))
    }
}

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

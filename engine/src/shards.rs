//! The running shards: most start with the exchange, others one by one while it runs.

use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::checkpoint::Checkpoints;
use crate::crashed::CrashedCommands;
use crate::directory::Directory;
use crate::exchange::ExchangeLimits;
use crate::instrument::Instrument;
use crate::journal::JournalSource;
use crate::observer::Observer;
use crate::partition::{OnFatal, PartitionId, PartitionSender, Room};
use crate::publisher::Publisher;
use crate::recovery::Recovered;
use crate::router::{InstrumentHandle, Router};
use crate::supervisor::supervise;
use crate::time::Clock;
use crate::worker::{Batch, Surroundings, Worker};

/// New instruments that may wait to be started: an operator adds them one by one.
pub(crate) const ADDED_WAITING_MAX: usize = 16;

/// The instruments of a partition, shared with its checkpoints.
pub(crate) type PartitionInstruments = Arc<Mutex<Vec<Arc<Instrument>>>>;

/// Why an instrument was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddError {
    /// There is no journal for its partition.
    #[error("the exchange does not have partition {partition}")]
    NoSuchPartition {
        /// Its number, from 0.
        partition: u32,
    },
    /// The exchange is stopping: the instrument starts with it the next time.
    #[error("the exchange is stopping")]
    Stopping,
}

/// Adds instruments to a running exchange. Clones add to the same one.
#[derive(Clone)]
pub struct Additions(pub(crate) mpsc::Sender<Added>);

/// An instrument on its way to be started.
pub(crate) struct Added {
    instrument: Arc<Instrument>,
    partition: PartitionId,
    started: oneshot::Sender<Result<(), AddError>>,
}

impl Additions {
    /// Starts a new instrument's shard, which the router has from then on. Call it once it is
    /// durable that there is such an instrument: its records must have a meaning after a crash.
    /// One that has started already stays as it is.
    ///
    /// # Errors
    /// When its partition does not exist, or the exchange is stopping.
    pub async fn start(
        &self,
        instrument: Arc<Instrument>,
        partition: PartitionId,
    ) -> Result<(), AddError> {
        let (started, done) = oneshot::channel();
        let added = Added {
            instrument,
            partition,
            started,
        };
        let sent = self.0.send(added).await;
        sent.map_err(|_| AddError::Stopping)?;
        done.await.unwrap_or(Err(AddError::Stopping))
    }
}

/// What the shards of a partition share.
pub(crate) struct PartitionShards {
    pub(crate) sender: PartitionSender<Batch>,
    pub(crate) source: Arc<dyn JournalSource>,
    pub(crate) room: watch::Receiver<Room>,
    pub(crate) checkpoints: Option<Arc<Checkpoints>>,
    pub(crate) instruments: PartitionInstruments,
}

/// What all shards share.
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) crashed: Arc<CrashedCommands>,
    pub(crate) on_fatal: OnFatal,
    pub(crate) limits: ExchangeLimits,
    pub(crate) stop: watch::Receiver<bool>,
}

/// The running shards, and what new ones are made of.
pub(crate) struct Shards {
    shared: Shared,
    /// Numbered as they stand.
    partitions: Vec<PartitionShards>,
    workers: JoinSet<()>,
}

impl Shards {
    pub(crate) fn new(shared: Shared, partitions: Vec<PartitionShards>) -> Self {
        Self {
            shared,
            partitions,
            workers: JoinSet::new(),
        }
    }

    /// Starts a shard from what is known of its instrument.
    pub(crate) fn start(
        &mut self,
        partition: PartitionId,
        recovered: Recovered,
    ) -> Result<(), AddError> {
        let number = usize::try_from(partition.get()).unwrap_or(usize::MAX);
        let Some(place) = self.partitions.get(number) else {
            let partition = partition.get();
            return Err(AddError::NoSuchPartition { partition });
        };
        let shared = &self.shared;
        let Recovered { shard, market_data } = recovered;
        let (sender, queue) = mpsc::channel(shared.limits.queue_length);
        let room = place.room.clone();
        let handle = InstrumentHandle::new(market_data, sender, room, shard.feed_at_start());
        let handle = Arc::new(handle);
        shared.router.add(Arc::clone(&handle));
        let surroundings = Surroundings {
            partition: place.sender.clone(),
            source: Arc::clone(&place.source),
            checkpoints: place.checkpoints.clone(),
            directory: Arc::clone(&shared.directory),
            publisher: Arc::clone(&shared.publisher),
            observer: Arc::clone(&shared.observer),
            clock: Arc::clone(&shared.clock),
            crashed: Arc::clone(&shared.crashed),
            on_fatal: Arc::clone(&shared.on_fatal),
            limits: shared.limits.shard,
        };
        let worker = Worker::new(shard, handle, queue, surroundings);
        let running = worker.run(shared.stop.clone());
        let on_fatal = Arc::clone(&shared.on_fatal);
        self.workers.spawn(supervise(running, on_fatal));
        Ok(())
    }

    /// Starts what is added until the exchange stops, and ends once all shards have.
    pub(crate) async fn run(mut self, mut additions: mpsc::Receiver<Added>) {
        let mut stop = self.shared.stop.clone();
        loop {
            tokio::select! {
                biased;
                // An exchange that is gone stops, too.
                _ = stop.wait_for(|stop| *stop) => break,
                Some(added) = additions.recv() => {
                    let started = self.add(&added.instrument, added.partition);
                    // Who does not wait any more finds it in the router.
                    let _ = added.started.send(started);
                }
                Some(ended) = self.workers.join_next() => tell(ended),
            }
        }
        drop(additions);
        while let Some(ended) = self.workers.join_next().await {
            tell(ended);
        }
    }

    fn add(
        &mut self,
        instrument: &Arc<Instrument>,
        partition: PartitionId,
    ) -> Result<(), AddError> {
        let symbol = instrument.symbol.as_str();
        if self.shared.router.instrument(symbol).is_some() {
            return Ok(());
        }
        let number = usize::try_from(partition.get()).unwrap_or(usize::MAX);
        // The checkpoints first: a record of an instrument that they do not know stops them.
        if let Some(place) = self.partitions.get(number) {
            place.instruments.lock().push(Arc::clone(instrument));
        }
        let recovered = Recovered::new(instrument, &self.shared.limits);
        self.start(partition, recovered)
    }
}

fn tell(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a shard's task did not end well");
    }
}

//! Puts the engine together: recovers every partition, then starts its writer and its shards.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::directory::Directory;
use crate::instrument::Instrument;
use crate::journal::{Journal, JournalSource, Position};
use crate::market_data::MarketDataLimits;
use crate::observer::Observer;
use crate::partition::{OnFatal, Partition, PartitionId, Room};
use crate::publisher::Publisher;
use crate::recovery::{Recovered, RecoveryError, recover_partition};
use crate::router::{InstrumentHandle, Router};
use crate::shard::ShardLimits;
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
}

/// What an exchange is made of.
pub struct Setup {
    /// One journal for each partition, numbered as they stand.
    pub journals: Vec<Box<dyn Journal>>,
    /// Every instrument ever seen, in the order of their numbers, with its partition.
    pub instruments: Vec<(Arc<Instrument>, PartitionId)>,
    /// Bounds.
    pub limits: ExchangeLimits,
    /// Where stamps come from.
    pub clock: Arc<dyn Clock>,
    /// Where changes go; recovery's too, so that streams can be resumed.
    pub publisher: Arc<dyn Publisher>,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
    /// Ends the process.
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
    /// Recovers everything and starts. Reads the journals from their beginning, so call it where
    /// blocking is allowed, within a runtime.
    ///
    /// # Errors
    /// When a journal can't be read or the machine refuses.
    pub fn start(setup: Setup) -> Result<Self, StartError> {
        let directory = Arc::new(Directory::default());
        let router = Router::new(Arc::clone(&directory));
        let mut partitions = Vec::new();
        let mut shards = HashMap::new();
        check_partitions(&setup)?;
        for (number, journal) in (0_u32..).zip(setup.journals) {
            let id = PartitionId::new(number);
            let instruments = setup
                .instruments
                .iter()
                .filter(|(_, partition)| *partition == id);
            let recovered = recover_partition(
                &*journal.source(),
                instruments.map(|(instrument, _)| Arc::clone(instrument)),
                &setup.limits,
                &directory,
                &*setup.publisher,
            )?;
            shards.extend(recovered);
            let observer = Arc::clone(&setup.observer);
            partitions.push(Partition::start(
                id,
                journal,
                observer,
                Arc::clone(&setup.on_fatal),
            )?);
        }
        let (stop, _) = watch::channel(false);
        let mut exchange = Self {
            router: Arc::new(router),
            partitions,
            workers: JoinSet::new(),
            stop,
        };
        for (instrument, partition) in &setup.instruments {
            let Some(recovered) = shards.remove(&instrument.id) else {
                continue;
            };
            let Some(partition) = exchange.partition(*partition) else {
                continue;
            };
            let surroundings = Surroundings {
                partition: partition.sender.clone(),
                source: Arc::clone(&partition.source),
                directory: Arc::clone(&directory),
                publisher: Arc::clone(&setup.publisher),
                observer: Arc::clone(&setup.observer),
                clock: Arc::clone(&setup.clock),
                on_fatal: Arc::clone(&setup.on_fatal),
                limits: setup.limits.shard,
            };
            let room = partition.room.clone();
            exchange.start_shard(recovered, room, setup.limits.queue_length, surroundings);
        }
        Ok(exchange)
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
        let handle = Arc::new(InstrumentHandle::new(market_data, sender, room));
        self.router.add(Arc::clone(&handle));
        let worker = Worker::new(shard, handle, queue, around);
        self.workers.spawn(worker.run(self.stop.subscribe()));
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

    /// Takes no more commands, decides those already waiting, and ends once all of it is durable
    /// and answered.
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

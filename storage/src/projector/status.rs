//! What others may know of the projector.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::checkpoint::Projected;
use shardbook_engine::id::{InstrumentId, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Position;
use shardbook_engine::partition::PartitionId;
use shardbook_engine::router::Router;
use shardbook_engine::time::Timestamp;
use tokio::sync::{Notify, watch};

use super::asking::{Asking, Unanswered};
use super::snapshots::Outbox;
use crate::database::Flushed;

/// What the projector must know of the exchange.
pub trait Instruments: Send + Sync {
    /// Every instrument with the sequence of its last durable record.
    fn heads(&self) -> Vec<(Arc<Instrument>, Sequence)>;
}

impl Instruments for Router {
    fn heads(&self) -> Vec<(Arc<Instrument>, Sequence)> {
        self.instruments()
            .into_iter()
            .map(|handle| {
                let sequence = handle.market_data().read().sequence();
                (Arc::clone(handle.instrument()), sequence)
            })
            .collect()
    }
}

/// Whether the database can be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// The last try succeeded.
    Up,
    /// The last try failed, or there was none yet.
    Down {
        /// Why, in words for an operator.
        reason: String,
    },
}

/// How far the projection has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectorStatus {
    /// Whether the database can be written to.
    pub database: DatabaseState,
    /// Each partition's committed position; empty while the database has not been seen.
    pub positions: BTreeMap<PartitionId, Position>,
    /// Each partition's position as it will be found even after a power failure; `None` before the
    /// first flush.
    pub flushed: Option<Flushed<BTreeMap<PartitionId, Position>>>,
    /// Each instrument's committed sequence; an instrument without records has none.
    pub projected: HashMap<InstrumentId, Sequence>,
    /// The stamp of the oldest record that is waiting to be written; `None` when all are, or
    /// while the database has not been seen.
    pub oldest_waiting: Option<Timestamp>,
    /// How often the tables have been gone through for what is too old.
    pub sweeps: u64,
}

impl ProjectorStatus {
    pub(super) fn unseen() -> Self {
        Self {
            database: DatabaseState::Down {
                reason: "it has not been connected to yet".to_owned(),
            },
            positions: BTreeMap::new(),
            flushed: None,
            projected: HashMap::new(),
            oldest_waiting: None,
            sweeps: 0,
        }
    }
}

/// How far the database is behind the journal; unknown while it has not been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Durable records that are not in the database.
    pub records: u64,
    /// The age of the oldest of them.
    pub age: Duration,
}

/// Watches the projector. Clones watch the same one.
#[derive(Clone)]
pub struct ProjectorHandle {
    pub(super) status: watch::Receiver<ProjectorStatus>,
    pub(super) instruments: Arc<dyn Instruments>,
    pub(super) snapshots: Outbox,
    pub(super) asking: Asking,
    /// Told when someone wants what is committed flushed.
    pub(super) flush: Arc<Notify>,
}

impl ProjectorHandle {
    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> ProjectorStatus {
        self.status.borrow().clone()
    }

    /// Whether the database can be written to.
    #[must_use]
    pub fn database(&self) -> DatabaseState {
        self.status.borrow().database.clone()
    }

    /// What the database is asked and has not answered for too long; it may still do so.
    #[must_use]
    pub fn unanswered(&self) -> Option<Unanswered> {
        self.asking.unanswered()
    }

    /// The sequence of the instrument's last record that the database holds; `None` while the
    /// database is down. Read it before a query to know what the query can't have missed.
    #[must_use]
    pub fn projected(&self, instrument: InstrumentId) -> Option<Sequence> {
        let status = self.status.borrow();
        match status.database {
            DatabaseState::Up => {
                let projected = status.projected.get(&instrument);
                Some(projected.copied().unwrap_or(Sequence::ZERO))
            }
            DatabaseState::Down { .. } => None,
        }
    }

    /// How far the database is behind at `now`; `None` while it has not been seen.
    #[must_use]
    pub fn lag(&self, now: Timestamp) -> Option<Lag> {
        // The heads first: what is projected meanwhile makes the lag smaller, never wrong.
        let heads = self.instruments.heads();
        let status = self.status.borrow();
        if status.positions.is_empty() {
            return None;
        }
        let records = heads
            .iter()
            .map(|(instrument, head)| {
                let projected = status.projected.get(&instrument.id);
                head.get()
                    .saturating_sub(projected.map_or(0, |sequence| sequence.get()))
            })
            .sum();
        let age = status
            .oldest_waiting
            .map_or(Duration::ZERO, |oldest| now.since(oldest));
        Some(Lag { records, age })
    }

    /// Waits until `reached` holds, or the projector has ended.
    pub async fn wait_until(&mut self, reached: impl FnMut(&ProjectorStatus) -> bool) {
        // An error says that the projector has ended, and nothing will change any more.
        let _ = self.status.wait_for(reached).await;
    }
}

impl Projected for ProjectorHandle {
    /// Unknown while the database is down: what it comes back with may be older.
    fn flushed(&self, partition: PartitionId, wanted: Position) -> Option<Position> {
        let status = self.status.borrow();
        let flushed = match (&status.database, &status.flushed) {
            (DatabaseState::Up, Some(flushed)) => flushed.get().get(&partition).copied(),
            (DatabaseState::Up, None) | (DatabaseState::Down { .. }, _) => None,
        };
        if flushed.is_none_or(|flushed| flushed < wanted) {
            self.flush.notify_one();
        }
        flushed
    }
}

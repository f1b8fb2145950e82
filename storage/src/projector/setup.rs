//! What the projector is given.

use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::checkpoint::CheckpointStore;
use shardbook_engine::exchange::PartitionLog;
use shardbook_engine::time::Clock;
use uuid::Uuid;

use super::retention::Retention;
use super::status::Instruments;
use super::store::OnRefused;
use crate::database::Database;

/// How much the projector takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectorLimits {
    /// Records after which a batch takes no further payload. One transaction of this many takes
    /// a fraction of a second, of which opening and closing it are a small part.
    pub batch_records: usize,
    /// Events after which a batch takes no further payload: bounds memory where records are
    /// large, at some 1 KiB an event.
    pub batch_events: usize,
    /// Open orders kept at hand, and at most twice as many, at some 500 bytes each.
    pub cached_orders: usize,
    /// Old orders looked at in one transaction: it takes a fraction of a second.
    pub swept_orders: u64,
    /// The least time between catching up and catching up again, so that a trickle of orders
    /// does not cost a commit each.
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

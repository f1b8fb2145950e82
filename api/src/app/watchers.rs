//! Who is told of changes as they become durable: the metrics, the log, the streams.

use std::num::NonZeroU32;
use std::sync::Arc;

use shardbook_engine::instrument::Instrument;

use crate::activity::{ActivityLog, LoggingPublisher};
use crate::app::AppError;
use crate::metrics::{CountingPublisher, Metrics};
use crate::stream::StreamHub;

type Logging = Arc<LoggingPublisher<Arc<StreamHub>>>;

/// The publishers in the order in which they are told.
pub(super) struct Watchers {
    pub(super) counting: Arc<CountingPublisher<Logging>>,
    logging: Logging,
}

impl Watchers {
    pub(super) fn new(
        metrics: &Metrics,
        log: ActivityLog,
        hub: &Arc<StreamHub>,
        instruments: &[Arc<Instrument>],
    ) -> Self {
        let logging = LoggingPublisher::new(log, Arc::clone(hub), instruments);
        let logging = Arc::new(logging);
        let next = Arc::clone(&logging);
        let counting = CountingPublisher::new(metrics.clone(), next, instruments);
        Self {
            counting: Arc::new(counting),
            logging,
        }
    }

    /// From now on, changes are new and no longer those of a replayed journal.
    pub(super) fn go_live(&self) {
        self.counting.go_live();
        self.logging.go_live();
    }

    /// Tells of the changes of one more instrument.
    pub(super) fn include(&self, instrument: &Arc<Instrument>) {
        self.counting.include(instrument);
        self.logging.include(instrument);
    }
}

pub(super) fn start_log(lines_per_second: NonZeroU32) -> Result<ActivityLog, AppError> {
    let started = ActivityLog::start(lines_per_second);
    started.map_err(|source| AppError::Machine {
        doing: "starting the thread that writes the log",
        source,
    })
}

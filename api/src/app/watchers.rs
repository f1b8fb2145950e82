//! Who is told of changes as they become durable: the metrics, the log, the streams.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shardbook_engine::id::InstrumentId;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Durable;
use shardbook_engine::market_data::{Change, ChangeId};
use shardbook_engine::publisher::Publisher;

use crate::activity::ActivityLog;
use crate::app::AppError;
use crate::by_instrument::ByInstrument;
use crate::metrics::{InstrumentMetrics, Metrics};
use crate::stream::StreamHub;

/// Tells all of them, in this order. It runs on every order's way, once for each batch of an
/// instrument's records.
pub(super) struct Watchers {
    watched: ByInstrument<Watched>,
    metrics: Metrics,
    log: ActivityLog,
    hub: Arc<StreamHub>,
    /// Changes are new, and no longer those of a replayed journal, which only the streams take.
    is_live: AtomicBool,
}

/// What is known of an instrument.
struct Watched {
    instrument: Arc<Instrument>,
    metrics: Arc<InstrumentMetrics>,
}

impl Watchers {
    /// The metrics and the log are told of these instruments, from [`Self::go_live`] on.
    pub(super) fn new(
        metrics: &Metrics,
        log: ActivityLog,
        hub: &Arc<StreamHub>,
        instruments: &[Arc<Instrument>],
    ) -> Self {
        let watchers = Self {
            watched: ByInstrument::default(),
            metrics: metrics.clone(),
            log,
            hub: Arc::clone(hub),
            is_live: AtomicBool::new(false),
        };
        for instrument in instruments {
            watchers.include(instrument);
        }
        watchers
    }

    /// From now on, changes are new and no longer those of a replayed journal.
    pub(super) fn go_live(&self) {
        self.is_live.store(true, Ordering::Release);
    }

    /// One more instrument.
    pub(super) fn include(&self, instrument: &Arc<Instrument>) {
        let watched = Watched {
            instrument: Arc::clone(instrument),
            metrics: self.metrics.of_instrument(instrument),
        };
        self.watched.insert(instrument.id, watched);
    }
}

impl Publisher for Watchers {
    fn begin_after(&self, instrument: InstrumentId, newest: ChangeId) {
        self.hub.begin_after(instrument, newest);
    }

    fn publish(&self, instrument: InstrumentId, changes: Durable<Vec<Change>>) {
        if self.is_live.load(Ordering::Acquire) {
            self.watched.with(instrument, |watched| {
                watched.metrics.changed(changes.as_ref());
                self.log.changed(&watched.instrument, changes.as_ref());
            });
        }
        self.hub.publish(instrument, changes);
    }
}

pub(super) fn start_log(lines_per_second: NonZeroU32) -> Result<ActivityLog, AppError> {
    let started = ActivityLog::start(lines_per_second);
    started.map_err(|source| AppError::Machine {
        doing: "starting the thread that writes the log",
        source,
    })
}

//! The rings of all instruments, filled by their shards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use shardbook_engine::id::InstrumentId;
use shardbook_engine::journal::Durable;
use shardbook_engine::market_data::{Change, ChangeId};
use shardbook_engine::publisher::Publisher;

use crate::stream::ring::Ring;

/// How many events of an instrument are held unless set otherwise. At 200 events a second a
/// consumer may fall 50 seconds behind, or come back within them, before it misses any.
pub const EVENTS_KEPT: usize = 10_000;

/// Carries every instrument's changes to whoever watches.
#[derive(Debug)]
pub struct StreamHub {
    rings: RwLock<HashMap<InstrumentId, Arc<Ring>>>,
    events_kept: usize,
    figures: Arc<Figures>,
}

/// What the metrics show of the streams.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    subscribers: AtomicU64,
    gaps: AtomicU64,
}

/// Counts as one subscriber while it lives.
#[derive(Debug)]
pub(crate) struct Subscriber(Arc<Figures>);

impl StreamHub {
    /// A hub that holds the newest `events_kept` events of each instrument.
    #[must_use]
    pub fn new(events_kept: usize) -> Self {
        Self {
            rings: RwLock::default(),
            events_kept,
            figures: Arc::default(),
        }
    }

    /// The instrument's ring; it is there from the first time anyone asks.
    #[must_use]
    pub fn ring(&self, instrument: InstrumentId) -> Arc<Ring> {
        if let Some(ring) = self.rings.read().get(&instrument) {
            return Arc::clone(ring);
        }
        let mut rings = self.rings.write();
        let ring = rings
            .entry(instrument)
            .or_insert_with(|| Arc::new(Ring::new(self.events_kept)));
        Arc::clone(ring)
    }

    /// How many subscriptions there are now.
    #[must_use]
    pub fn subscribers(&self) -> u64 {
        self.figures.subscribers.load(Ordering::Relaxed)
    }

    /// How many gaps consumers were told of.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.figures.gaps.load(Ordering::Relaxed)
    }

    pub(crate) fn subscriber(&self) -> Subscriber {
        self.figures.subscribers.fetch_add(1, Ordering::Relaxed);
        Subscriber(Arc::clone(&self.figures))
    }
}

impl Subscriber {
    pub(crate) fn count_gap(&self) {
        self.0.gaps.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.0.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Publisher for StreamHub {
    fn begin_after(&self, instrument: InstrumentId, newest: ChangeId) {
        self.ring(instrument).begin_after(newest);
    }

    fn publish(&self, instrument: InstrumentId, changes: Durable<Vec<Change>>) {
        self.ring(instrument).extend(changes.into_inner());
    }
}

//! The rings of all instruments, filled by their shards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use thiserror::Error;

use shardbook_engine::id::InstrumentId;
use shardbook_engine::journal::Durable;
use shardbook_engine::market_data::{Change, ChangeId};
use shardbook_engine::publisher::Publisher;

use crate::stream::ring::Ring;

/// How many events of an instrument are held unless set otherwise. At 200 events a second a
/// consumer may fall 50 seconds behind, or come back within them, before it misses any.
pub const EVENTS_KEPT: usize = 10_000;

/// Subscriptions that there may be at once unless set otherwise, over all connections: as many as
/// five for each connection there may be. Each costs a task and what it has read but not sent,
/// some kilobytes; all of them a few hundred megabytes.
pub const SUBSCRIPTIONS_MAX: usize = 100_000;

/// There are as many subscriptions as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there are as many subscriptions to events as there may be, {0}")]
pub struct NoSeat(usize);

/// Carries every instrument's changes to whoever watches.
#[derive(Debug)]
pub struct StreamHub {
    rings: RwLock<HashMap<InstrumentId, Arc<Ring>>>,
    events_kept: usize,
    subscriptions_max: usize,
    figures: Arc<Figures>,
}

/// What the metrics show of the streams.
#[derive(Debug, Default)]
struct Figures {
    subscribers: AtomicU64,
    gaps: AtomicU64,
}

/// One subscription's room: it counts as one while this lives.
#[derive(Debug)]
pub struct Seat(Arc<Figures>);

impl StreamHub {
    /// A hub that holds the newest `events_kept` events of each instrument.
    #[must_use]
    pub fn new(events_kept: usize) -> Self {
        Self {
            rings: RwLock::default(),
            events_kept,
            subscriptions_max: SUBSCRIPTIONS_MAX,
            figures: Arc::default(),
        }
    }

    /// The same with another bound of subscriptions.
    #[must_use]
    pub fn with_subscriptions_max(self, subscriptions_max: usize) -> Self {
        Self {
            subscriptions_max,
            ..self
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

    /// Room for one more subscription.
    ///
    /// # Errors
    /// When there is none.
    pub fn seat(&self) -> Result<Seat, NoSeat> {
        self.seats(1)?.pop().ok_or(NoSeat(self.subscriptions_max))
    }

    /// Room for so many more subscriptions, or for none.
    ///
    /// # Errors
    /// When there is not room for all of them.
    pub fn seats(&self, count: usize) -> Result<Vec<Seat>, NoSeat> {
        let full = NoSeat(self.subscriptions_max);
        let max = u64::try_from(self.subscriptions_max).unwrap_or(u64::MAX);
        let more = u64::try_from(count).map_err(|_| full)?;
        let taken = &self.figures.subscribers;
        let with_more = |taken: u64| taken.checked_add(more).filter(|all| *all <= max);
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_more)
            .map_err(|_| full)?;
        let seats = (0..count).map(|_| Seat(Arc::clone(&self.figures)));
        Ok(seats.collect())
    }
}

impl Seat {
    pub(crate) fn count_gap(&self) {
        self.0.gaps.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Seat {
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

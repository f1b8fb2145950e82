//! The rings of all instruments, filled by their shards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use thiserror::Error;
use tokio::time::Instant;

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

/// From one subscription's turn to the next one's. To wake one consumer and write to it costs some
/// twenty microseconds, however little there is to send: at this pace that comes to less than half
/// of one processor, however many they are.
const TURN_SPACING: Duration = Duration::from_micros(50);

/// The longest time from turn to turn, however many subscriptions there are.
const TURN_INTERVAL_MAX: Duration = Duration::from_millis(500);

/// The shortest time worth waiting for: with fewer subscriptions nobody waits.
const TURN_INTERVAL_MIN: Duration = Duration::from_millis(1);

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
#[derive(Debug)]
struct Figures {
    begun: Instant,
    subscribers: AtomicU64,
    /// Those that there ever were.
    seated: AtomicU64,
    gaps: AtomicU64,
}

/// One subscription's room: it counts as one while this lives.
///
/// It also says when the subscription has its turn to send. What happens on a busy market concerns
/// every consumer at once; if each were served at once, orders would wait until all are. So the
/// more there are, the longer the time from turn to turn, in which what happens gathers and then
/// goes out together; and each has its turn at another time.
#[derive(Debug)]
pub struct Seat {
    figures: Arc<Figures>,
    /// Between 0 and 2^32: where in the time from turn to turn its own turn lies.
    phase: u64,
}

impl StreamHub {
    /// A hub that holds the newest `events_kept` events of each instrument.
    #[must_use]
    pub fn new(events_kept: usize) -> Self {
        Self {
            rings: RwLock::default(),
            events_kept,
            subscriptions_max: SUBSCRIPTIONS_MAX,
            figures: Arc::new(Figures {
                begun: Instant::now(),
                subscribers: AtomicU64::default(),
                seated: AtomicU64::default(),
                gaps: AtomicU64::default(),
            }),
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
        let seats = (0..count).map(|_| Seat::new(&self.figures));
        Ok(seats.collect())
    }
}

impl Seat {
    fn new(figures: &Arc<Figures>) -> Self {
        /// 2^32 divided by the golden ratio: the multiples of it spread evenly, however many.
        const STEP: u64 = 2_654_435_769;
        let number = figures.seated.fetch_add(1, Ordering::Relaxed);
        Self {
            figures: Arc::clone(figures),
            phase: number.wrapping_mul(STEP) & u64::from(u32::MAX),
        }
    }

    /// When its next turn is, or `None` while there are so few that nobody waits.
    pub(crate) fn next_turn(&self, now: Instant) -> Option<Instant> {
        let interval = turn_interval(self.figures.subscribers.load(Ordering::Relaxed))?;
        let interval = u64::try_from(interval.as_nanos()).ok()?;
        let since = now.saturating_duration_since(self.figures.begun);
        let since = u64::try_from(since.as_nanos()).ok()?;
        let offset = (interval * self.phase) >> 32;
        let turns = match since.checked_sub(offset) {
            Some(since_first) => since_first / interval + 1,
            None => 0,
        };
        Some(self.figures.begun + Duration::from_nanos(offset + turns * interval))
    }

    pub(crate) fn count_gap(&self) {
        self.figures.gaps.fetch_add(1, Ordering::Relaxed);
    }
}

/// The time from one turn of a subscription to its next, where so many have theirs.
fn turn_interval(subscribers: u64) -> Option<Duration> {
    let subscribers = u32::try_from(subscribers).unwrap_or(u32::MAX);
    let interval = TURN_SPACING.saturating_mul(subscribers);
    (interval >= TURN_INTERVAL_MIN).then(|| interval.min(TURN_INTERVAL_MAX))
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.figures.subscribers.fetch_sub(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_never_wait_and_the_many_wait_no_longer_than_the_longest_time() {
        assert_eq!(turn_interval(19), None);
        assert_eq!(turn_interval(20), Some(Duration::from_millis(1)));
        assert_eq!(turn_interval(1_000), Some(Duration::from_millis(50)));
        assert_eq!(turn_interval(u64::MAX), Some(TURN_INTERVAL_MAX));
    }

    #[test]
    fn each_has_one_turn_in_the_time_from_turn_to_turn_and_they_are_spread_over_it() {
        const SEATS: usize = 1_000;
        let hub = StreamHub::new(10);
        let seats = hub.seats(SEATS).unwrap();
        let interval = TURN_SPACING * 1_000;
        let from = hub.figures.begun + Duration::from_secs(7);
        let mut tenths = [0; 10];
        for seat in &seats {
            let turn = seat.next_turn(from).unwrap();
            assert!(turn > from && turn <= from + interval);
            assert_eq!(seat.next_turn(turn), Some(turn + interval));
            let tenth = (turn - from).as_nanos() * 10 / (interval.as_nanos() + 1);
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        for turns in tenths {
            assert!((90..=110).contains(&turns), "{tenths:?}");
        }
    }
}

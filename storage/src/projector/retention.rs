//! What the database lets go of by age: orders long closed, with their events and trades.
//!
//! The tables are gone through every so often, oldest order first, a few thousand rows at a time
//! between the projector's own batches, so that neither waits long for the other. An order goes
//! when it has been closed for longer than is kept, its events with it, and a trade once both of
//! its orders are gone; so an order that is there has all of its trades. An order that rests
//! stays, however old, and nothing else is touched: sums by day and by minute are for good.

use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::id::ClientId;
use shardbook_engine::time::{Clock, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::ProjectorLimits;
use super::error::ProjectorError;
use super::store::{OldOrders, Place, Store};

/// From the end of one sweep to the beginning of the next.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Between two steps of a sweep: with the orders of a step, some ten thousand a second go at
/// most, more than come in for long.
const STEP_PAUSE: Duration = Duration::from_millis(200);

/// How long the database keeps closed orders, with their events and trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Everyone's; for good if `None`.
    pub orders: Option<Duration>,
    /// The feed's clients'; as long as everyone's if `None`.
    pub feed: Option<Duration>,
}

/// Going through the tables.
pub(super) struct Cleaning {
    clock: Arc<dyn Clock>,
    swept_orders: u64,
    sweeps: Vec<Sweep>,
    /// Which of the sweeps is under way, and how far it has come.
    at: usize,
    after: Option<Place>,
    due: Instant,
}

/// Whose orders go at which age.
struct Sweep {
    client: Option<ClientId>,
    age: Duration,
}

impl Cleaning {
    pub(super) fn new(
        retention: Retention,
        clock: Arc<dyn Clock>,
        limits: ProjectorLimits,
    ) -> Self {
        let feed = [ClientId::binance_trades(), ClientId::binance_depth()];
        let of_feed = retention.feed.into_iter().flat_map(|age| {
            let feed = feed.iter().cloned();
            feed.map(move |client| Sweep {
                client: Some(client),
                age,
            })
        });
        let everyone = retention.orders.map(|age| Sweep { client: None, age });
        Self {
            clock,
            swept_orders: limits.swept_orders,
            sweeps: of_feed.chain(everyone).collect(),
            at: 0,
            after: None,
            due: Instant::now(),
        }
    }

    /// Waits until there may be something to do.
    pub(super) async fn wait(&self) {
        if self.sweeps.is_empty() {
            std::future::pending::<()>().await;
        }
        sleep_until(self.due).await;
    }

    /// Does the next step, if one is due; says whether it was the last of them all.
    pub(super) async fn step(&mut self, store: &Store) -> Result<bool, ProjectorError> {
        let Some(sweep) = self.sweeps.get(self.at) else {
            return Ok(false);
        };
        if Instant::now() < self.due {
            return Ok(false);
        }
        let age = u64::try_from(sweep.age.as_micros()).unwrap_or(u64::MAX);
        let now = self.clock.now().microseconds();
        let old = OldOrders {
            client: sweep.client.as_ref(),
            before: Timestamp::from_microseconds(now.saturating_sub(age)),
            after: self.after.as_ref(),
            limit: self.swept_orders,
        };
        self.after = store.delete_old(old).await?;
        self.due = Instant::now() + STEP_PAUSE;
        if self.after.is_some() {
            return Ok(false);
        }
        self.at += 1;
        if self.at < self.sweeps.len() {
            return Ok(false);
        }
        self.at = 0;
        self.due = Instant::now() + SWEEP_INTERVAL;
        Ok(true)
    }
}

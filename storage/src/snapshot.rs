//! Books as they stood: taken from what is durable, and kept in the database.
//!
//! A snapshot is of one sequence, and is copied from what readers see while that goes on. The
//! projector writes it once the database has passed that sequence: a snapshot never shows an
//! order that the tables beside it don't know. One is under way at a time, so that memory holds
//! one book twice at most, however many are asked for.

mod document;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::id::{InstrumentId, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{BookLevel, StandingOrders};
use shardbook_engine::order::Order;
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Volume;
use shardbook_engine::router::{InstrumentHandle, Router};
use shardbook_engine::side::Side;
use shardbook_engine::time::{Clock, Timestamp};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

pub(crate) use self::document::levels_of;

use crate::entity::convert::{RowError, order_of};
use crate::entity::{order, orderbook_snapshot};
use crate::projector::{DatabaseState, ProjectorHandle};

/// How long one may wait for its turn and for the database to come past its sequence. A database
/// that keeps up is past it within a fraction of a second.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// A book, and every order that rests in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookSnapshot {
    /// Its id.
    pub id: Uuid,
    /// Whose book.
    pub instrument: Arc<Instrument>,
    /// The last command in it, whether or not it changed the book.
    pub sequence: Sequence,
    /// When it was taken.
    pub created_at: Timestamp,
    /// Bids, best first.
    pub bids: Vec<BookLevel>,
    /// Asks, best first.
    pub asks: Vec<BookLevel>,
    /// The orders that rest, oldest placement first.
    pub orders: Vec<Order>,
}

/// A snapshot without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    /// Its id.
    pub id: Uuid,
    /// Whose book, by its symbol.
    pub instrument: String,
    /// The last command in it.
    pub sequence: Sequence,
    /// How many orders rest.
    pub order_count: u64,
    /// When it was taken.
    pub created_at: Timestamp,
}

/// Why a snapshot is not in the database.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The database is away, or went away meanwhile.
    #[error("the database does not take it: {0}")]
    Down(String),
    /// It did not come past the snapshot's sequence in time.
    #[error("the database did not take it within {} s", WAIT_MAX.as_secs())]
    TimedOut,
    /// The book fits no row: a bug.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// A snapshot on its way to the database.
#[derive(Debug)]
pub struct PreparedSnapshot {
    pub(crate) instrument: InstrumentId,
    pub(crate) head: SnapshotHead,
    pub(crate) row: orderbook_snapshot::Model,
    /// How many of the instrument's newest the database keeps, this one included.
    pub(crate) kept: u64,
}

impl BookSnapshot {
    /// An instrument's book as readers see it. Takes as long as there are orders, and holds its
    /// readers' lock for a moment at a time only.
    #[must_use]
    pub fn take(of: &InstrumentHandle, created_at: Timestamp) -> Self {
        let StandingOrders { sequence, orders } = StandingOrders::of(of.market_data());
        let mut bids = levels(&orders, Side::Buy);
        bids.reverse();
        let mut asks = levels(&orders, Side::Sell);
        add_up(&mut bids);
        add_up(&mut asks);
        Self {
            id: Uuid::now_v7(),
            instrument: Arc::clone(of.instrument()),
            sequence,
            created_at,
            bids,
            asks,
            orders,
        }
    }

    /// Makes it a row, of which the database keeps the newest `kept` of the instrument.
    ///
    /// # Errors
    /// When a number of it fits no column.
    pub fn prepare(self, kept: u64) -> Result<PreparedSnapshot, RowError> {
        let head = SnapshotHead {
            id: self.id,
            instrument: self.instrument.symbol.to_string(),
            sequence: self.sequence,
            order_count: u64::try_from(self.orders.len()).unwrap_or(u64::MAX),
            created_at: self.created_at,
        };
        Ok(PreparedSnapshot {
            instrument: self.instrument.id,
            row: document::row(&self, &head)?,
            head,
            kept,
        })
    }
}

/// One side's levels, lowest price first, without what has accumulated.
fn levels(orders: &[Order], side: Side) -> Vec<BookLevel> {
    let mut levels: BTreeMap<Price, BookLevel> = BTreeMap::new();
    let resting = orders.iter().filter(|order| order.side == side);
    for (order, price) in resting.filter_map(|order| Some((order, order.kind.price()?))) {
        let level = levels.entry(price).or_insert(BookLevel {
            price,
            volume: Volume::ZERO,
            orders: 0,
            cumulative: Volume::ZERO,
        });
        level.volume += order.remaining_quantity();
        level.orders += 1;
    }
    levels.into_values().collect()
}

/// Tells of each level, best first, how much rests there and before it.
fn add_up(levels: &mut [BookLevel]) {
    let mut cumulative = Volume::ZERO;
    for level in levels {
        cumulative += level.volume;
        level.cumulative = cumulative;
    }
}

/// Takes snapshots. Clones share the one that may be under way.
#[derive(Clone)]
pub struct Snapshots {
    projector: ProjectorHandle,
    clock: Arc<dyn Clock>,
    one_at_a_time: Arc<Semaphore>,
    kept: u64,
}

impl Snapshots {
    /// Snapshots for the database that `projector` fills, of which it keeps the newest `kept` of
    /// each instrument.
    #[must_use]
    pub fn new(projector: ProjectorHandle, clock: Arc<dyn Clock>, kept: u64) -> Self {
        Self {
            projector,
            clock,
            one_at_a_time: Arc::new(Semaphore::new(1)),
            kept,
        }
    }

    /// Takes a snapshot, and returns once it is in the database.
    ///
    /// # Errors
    /// When the database is away or does not come past it in time.
    pub async fn take(&self, of: &Arc<InstrumentHandle>) -> Result<SnapshotHead, SnapshotError> {
        let taking = async {
            let _turn = self.one_at_a_time.acquire().await;
            if let DatabaseState::Down { reason } = self.projector.database() {
                return Err(SnapshotError::Down(reason));
            }
            let (of, clock, kept) = (Arc::clone(of), Arc::clone(&self.clock), self.kept);
            let prepared = tokio::task::spawn_blocking(move || {
                BookSnapshot::take(&of, clock.now()).prepare(kept)
            });
            let prepared = prepared
                .await
                .map_err(|error| SnapshotError::Down(error.to_string()))??;
            self.projector.keep(prepared).await
        };
        let taken = timeout(WAIT_MAX, taking).await;
        taken.unwrap_or(Err(SnapshotError::TimedOut))
    }
}

impl Snapshots {
    /// Takes one of every instrument each `interval`, but for those that nothing happened on
    /// since their last; for as long as it is polled.
    pub async fn take_every(self, interval: Duration, router: Arc<Router>) {
        let mut taken: HashMap<InstrumentId, Sequence> = HashMap::new();
        loop {
            tokio::time::sleep(interval).await;
            for on in router.instruments() {
                let id = on.instrument().id;
                let sequence = on.market_data().read().sequence();
                if taken.get(&id).copied().unwrap_or_default() == sequence {
                    continue;
                }
                match self.take(&on).await {
                    Ok(head) => {
                        taken.insert(id, head.sequence);
                    }
                    Err(error) => {
                        let symbol = &on.instrument().symbol;
                        tracing::warn!(%symbol, %error, "no snapshot was taken this time");
                        break;
                    }
                }
            }
        }
    }
}

/// The orders of a snapshot's row.
pub(crate) fn orders_of(instrument: &Instrument, json: &str) -> Result<Vec<Order>, RowError> {
    let rows: Vec<order::Model> = document::read("orders", json)?;
    rows.iter().map(|row| order_of(instrument, row)).collect()
}

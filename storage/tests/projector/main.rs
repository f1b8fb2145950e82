//! What the projector leaves in the database, on SQLite and on PostgreSQL: exactly what
//! happened, whatever happens to it meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test that meets something else has failed"
)]

mod largest;
mod market;
mod outages;
mod ownership;
mod power;
mod projection;
mod queries;
mod retention;
mod settlements;
mod snapshots;
mod sums;

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use shardbook_engine::id::{OrderId, OrderRef, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::BookLevel;
use shardbook_engine::order::{Order, OrderState, Trade};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Volume};
use shardbook_engine::side::Side;
use shardbook_engine::time::{Clock, SystemClock, Timestamp};
use shardbook_storage::database::{Database, DatabaseUrl};
use shardbook_storage::entity::convert::{
    TradingStatus, instrument_row, order_event_row, order_of, order_row, trade_of,
};
use shardbook_storage::entity::{instrument, order, order_event, trade};
use shardbook_storage::projector::{
    DatabaseState, Instruments, OnRefused, Projector, ProjectorError, ProjectorHandle,
    ProjectorLimits, ProjectorSetup, ProjectorStatus, RefusedDatabase, Retention,
};
use shardbook_storage::query::Queries;
use shardbook_storage::snapshot::{BookSnapshot, SnapshotError};
use shardbook_test_support::journal::MemoryJournal;
use shardbook_test_support::postgres::Postgres;
use shardbook_test_support::random::Random;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

use self::market::Market;

const EXCHANGE: Uuid = Uuid::from_u128(7);

/// Where a test's database stands, with what must live as long as it.
enum Place {
    Sqlite(TempDir),
    Postgres { _server: Arc<Postgres>, url: String },
}

impl Place {
    /// One of each kind, empty.
    fn both() -> [Self; 2] {
        let server = Postgres::shared();
        let url = server.database();
        [
            Self::Sqlite(tempfile::tempdir().unwrap()),
            Self::Postgres {
                _server: server,
                url,
            },
        ]
    }

    async fn open(&self) -> Database {
        let url = match self {
            Self::Sqlite(directory) => {
                DatabaseUrl::Sqlite(directory.path().join("shardbook.sqlite"))
            }
            Self::Postgres { url, .. } => url.parse().unwrap(),
        };
        Database::open(&url).await.unwrap()
    }
}

/// An exchange of three instruments on two partitions.
struct Exchange {
    markets: [Market; 3],
    heads: Arc<Heads>,
    journals: [MemoryJournal; 2],
    random: Random,
}

/// Where each instrument's journal ends.
struct Heads(Mutex<Vec<(Arc<Instrument>, Sequence)>>);

impl Instruments for Heads {
    fn heads(&self) -> Vec<(Arc<Instrument>, Sequence)> {
        self.0.lock().unwrap().clone()
    }
}

impl Exchange {
    fn new(seed: u64) -> Self {
        let instruments = [
            market::instrument(0, "BTC-USD", "0.01", "0.00001"),
            market::instrument(1, "ODD-TICK", "0.25", "3"),
            market::instrument(2, "FINE", "0.000000000001", "0.0000000001"),
        ];
        Self::of(instruments.map(Market::new), seed)
    }

    fn of(markets: [Market; 3], seed: u64) -> Self {
        Self {
            markets,
            heads: Arc::new(Heads(Mutex::default())),
            journals: [MemoryJournal::default(), MemoryJournal::default()],
            random: Random::seeded(seed),
        }
    }

    /// Journals `count` records of random instruments, in payloads of random lengths.
    fn happen(&mut self, count: usize) {
        let mut waiting = [Vec::new(), Vec::new()];
        for _ in 0..count {
            let index = self.random.below(3) as usize;
            let partition = index % 2;
            waiting[partition].push(self.markets[index].happen(&mut self.random));
            if self.random.below(5) == 0 {
                let frames = 1 + self.random.below(3) as usize;
                self.journals[partition].append_records(&waiting[partition], frames);
                waiting[partition].clear();
            }
        }
        for (journal, waiting) in self.journals.iter().zip(&waiting) {
            if !waiting.is_empty() {
                journal.append_records(waiting, 1);
            }
        }
        let ends = self.markets.iter();
        *self.heads.0.lock().unwrap() = ends
            .map(|market| (Arc::clone(&market.instrument), market.sequence))
            .collect();
    }

    fn projector(
        &self,
        database: &Database,
        limits: ProjectorLimits,
    ) -> (Projector, ProjectorHandle) {
        Projector::new(ProjectorSetup {
            database: database.clone(),
            exchange: EXCHANGE,
            logs: vec![self.journals[0].log(0), self.journals[1].log(1)],
            checkpoints: Vec::new(),
            retention: Retention::default(),
            clock: Arc::new(SystemClock),
            instruments: Arc::<Heads>::clone(&self.heads),
            limits,
            on_refused: OnRefused::LeaveAlone,
        })
    }

    /// The same, by an exchange that may be another.
    fn starting_over(&self, database: &Database, exchange: Uuid) -> (Projector, ProjectorHandle) {
        Projector::new(ProjectorSetup {
            database: database.clone(),
            exchange,
            logs: vec![self.journals[0].log(0), self.journals[1].log(1)],
            checkpoints: Vec::new(),
            retention: Retention::default(),
            clock: Arc::new(SystemClock),
            instruments: Arc::<Heads>::clone(&self.heads),
            limits: limits(1_000),
            on_refused: OnRefused::StartOver,
        })
    }

    /// Projects everything there is.
    async fn project(&self, database: &Database) -> ProjectorHandle {
        let (projector, handle) = self.projector(database, limits(64));
        projector.run(async {}).await;
        assert_eq!(handle.database(), DatabaseState::Up);
        handle
    }

    /// Compares every table with what happened.
    async fn assert_projected(&self, database: &Database) {
        for market in &self.markets {
            assert_orders(database, market).await;
            assert_events(database, market).await;
            assert_trades(database, market).await;
            sums::assert_candles(database, market).await;
            sums::assert_days(database, market).await;
            let row = instrument::Entity::find_by_id(market.instrument.symbol.to_string())
                .one(database.reader())
                .await
                .unwrap();
            let status = if market.halted {
                TradingStatus::Halted
            } else {
                TradingStatus::Trading
            };
            let happened = market.sequence > Sequence::ZERO;
            let expected = instrument_row(&market.instrument, status, market.sequence).unwrap();
            assert_eq!(row, happened.then_some(expected));
        }
    }
}

async fn assert_orders(database: &Database, market: &Market) {
    let rows = order::Entity::find()
        .filter(order::Column::Instrument.eq(market.instrument.symbol.as_str()))
        .order_by_asc(order::Column::Sequence)
        .order_by_asc(order::Column::MirrorIndex)
        .all(database.reader())
        .await
        .unwrap();
    let expected: Vec<_> = market.shown().cloned().collect();
    let found: Vec<_> = rows
        .iter()
        .map(|row| order_of(&market.instrument, row).unwrap())
        .collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    // What is computed for people who query the tables, too.
    for (row, order) in rows.iter().zip(&expected) {
        assert_eq!(*row, order_row(&market.instrument, order).unwrap());
    }
}

async fn assert_events(database: &Database, market: &Market) {
    let mut found = order_event::Entity::find()
        .filter(order_event::Column::Instrument.eq(market.instrument.symbol.as_str()))
        .all(database.reader())
        .await
        .unwrap();
    let mut expected: Vec<_> = market
        .events
        .iter()
        .map(|order| order_event_row(&order_row(&market.instrument, order).unwrap()))
        .collect();
    let key = |row: &order_event::Model| (row.sequence, row.order_sequence, row.mirror_index);
    found.sort_by_key(key);
    expected.sort_by_key(key);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

async fn assert_trades(database: &Database, market: &Market) {
    let rows = trade::Entity::find()
        .filter(trade::Column::Instrument.eq(market.instrument.symbol.as_str()))
        .order_by_asc(trade::Column::TradeNumber)
        .all(database.reader())
        .await
        .unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| trade_of(&market.instrument, row).unwrap())
        .collect();
    assert_eq!(found, market.trades);
    for row in rows {
        assert_eq!(
            row.trade_id,
            format!("{}-{}", row.instrument, row.trade_number)
        );
    }
}

fn limits(batch_records: usize) -> ProjectorLimits {
    ProjectorLimits {
        batch_records,
        cached_orders: 16,
        pause: Duration::ZERO,
        ..ProjectorLimits::default()
    }
}

/// Waits until the database has got over a killed projector and takes another.
async fn admitted(exchange: &Exchange, database: &Database) {
    let (mut projector, _) = exchange.projector(database, limits(9));
    while let Err(error) = projector.admit().await {
        println!("{error}");
    }
}

/// Polls `work` at most `polls` times, and drops it then: what a kill leaves of it.
async fn killed_after<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// Waits until the database has all there is.
async fn caught_up(exchange: &Exchange, handle: &mut ProjectorHandle) {
    let heads = exchange.heads.heads();
    handle
        .wait_until(|status| {
            heads.iter().all(|(instrument, head)| {
                status
                    .projected
                    .get(&instrument.id)
                    .copied()
                    .unwrap_or_default()
                    == *head
            })
        })
        .await;
}

//! What the projector leaves in the database, on SQLite and on PostgreSQL: exactly what
//! happened, whatever happens to it meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "tests, their support included, stop where something is not as it must be"
)]

#[path = "support/journal.rs"]
mod journal;
#[path = "support/market.rs"]
mod market;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "another crate's tests use the rest")]
mod postgres;

#[path = "projector/largest.rs"]
mod largest;
#[path = "projector/settlements.rs"]
mod settlements;
#[path = "projector/sums.rs"]
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
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

use self::journal::MemoryJournal;
use self::market::{Market, Random};
use self::postgres::Postgres;

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
            journals: [MemoryJournal::new(), MemoryJournal::new()],
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
                self.journals[partition].append(&waiting[partition], frames);
                waiting[partition].clear();
            }
        }
        for (journal, waiting) in self.journals.iter().zip(&waiting) {
            if !waiting.is_empty() {
                journal.append(waiting, 1);
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

#[tokio::test]
async fn any_history_is_projected_as_it_was() {
    for (seed, place) in (1..).zip(Place::both()) {
        let mut exchange = Exchange::new(seed);
        exchange.happen(1_500);
        let database = place.open().await;
        let handle = exchange.project(&database).await;
        exchange.assert_projected(&database).await;
        let lag = handle.lag(Timestamp::from_microseconds(u64::MAX)).unwrap();
        assert_eq!((lag.records, lag.age), (0, Duration::ZERO));
    }
}

#[tokio::test]
async fn a_restart_goes_on_from_the_middle() {
    for place in Place::both() {
        let mut exchange = Exchange::new(3);
        for _ in 0..4 {
            exchange.happen(150);
            let database = place.open().await;
            exchange.project(&database).await;
            exchange.assert_projected(&database).await;
            database.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn whenever_it_is_killed_nothing_is_lost_and_nothing_comes_twice() {
    for place in Place::both() {
        let mut exchange = Exchange::new(4);
        let database = place.open().await;
        let mut polls = Random::seeded(5);
        let (mut kills, mut ends) = (0, 0);
        while kills < 20 {
            exchange.happen(40);
            admitted(&exchange, &database).await;
            let (projector, handle) = exchange.projector(&database, limits(9));
            // How far so many polls go depends on the machine; one never reaches the end.
            let most = if ends > kills { 1 } else { 1 + polls.below(30) };
            if killed_after(most, projector.run(async {})).await.is_none() {
                kills += 1;
            } else {
                ends += 1;
                assert!(ends < 50, "it is hardly ever killed: {:?}", handle.status());
            }
        }
        admitted(&exchange, &database).await;
        exchange.project(&database).await;
        exchange.assert_projected(&database).await;
    }
}

#[tokio::test]
async fn two_projectors_on_one_database_write_everything_once() {
    for place in Place::both() {
        let mut exchange = Exchange::new(6);
        exchange.happen(400);
        let (one, other) = (place.open().await, place.open().await);
        exchange.projector(&one, limits(5)).0.admit().await.unwrap();
        let (first, _) = exchange.projector(&one, limits(5));
        let (second, _) = exchange.projector(&other, limits(7));
        tokio::join!(first.run(async {}), second.run(async {}));
        exchange.project(&one).await;
        exchange.assert_projected(&one).await;
    }
}

#[tokio::test]
async fn it_follows_the_journal_while_it_runs() {
    for place in Place::both() {
        let mut exchange = Exchange::new(8);
        let database = place.open().await;
        let (projector, mut handle) = exchange.projector(&database, limits(1_000));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(projector.run(async {
            let _ = stopped.await;
        }));
        for _ in 0..5 {
            exchange.happen(40);
            caught_up(&exchange, &mut handle).await;
            exchange.assert_projected(&database).await;
        }
        exchange.happen(40);
        stop.send(()).unwrap();
        running.await.unwrap();
        exchange.assert_projected(&database).await;
    }
}

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

#[tokio::test]
async fn a_database_may_come_late_and_go_away() {
    let server = Postgres::stopped();
    let mut exchange = Exchange::new(9);
    exchange.happen(50);
    let database = Database::open(&server.default_database().parse().unwrap())
        .await
        .unwrap();
    let (projector, mut handle) = exchange.projector(&database, limits(1_000));
    assert_eq!(handle.lag(Timestamp::default()), None);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    let unreachable = |status: &ProjectorStatus| {
        let state = &status.database;
        matches!(state, DatabaseState::Down { reason } if reason.contains("no connection"))
    };
    handle.wait_until(unreachable).await;

    server.resume();
    caught_up(&exchange, &mut handle).await;
    exchange.assert_projected(&database).await;

    server.stop();
    exchange.happen(50);
    handle
        .wait_until(|status| status.database != DatabaseState::Up)
        .await;
    handle
        .wait_until(|status| status.oldest_waiting.is_some())
        .await;
    let lag = handle.lag(Timestamp::from_microseconds(u64::MAX)).unwrap();
    assert_eq!(lag.records, 50);
    assert!(lag.age > Duration::ZERO);

    server.resume();
    caught_up(&exchange, &mut handle).await;
    exchange.assert_projected(&database).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn another_exchanges_database_is_never_written_to() {
    for place in Place::both() {
        let mut exchange = Exchange::new(10);
        exchange.happen(50);
        let database = place.open().await;
        exchange.project(&database).await;
        let ours = Uuid::from_u128(8);
        let (mut stranger, handle) = Projector::new(ProjectorSetup {
            database: database.clone(),
            exchange: ours,
            logs: vec![exchange.journals[0].log(0), exchange.journals[1].log(1)],
            checkpoints: Vec::new(),
            retention: Retention::default(),
            clock: Arc::new(SystemClock),
            instruments: Arc::<Heads>::clone(&exchange.heads),
            limits: limits(1_000),
            on_refused: OnRefused::LeaveAlone,
        });
        let error = stranger.admit().await.unwrap_err();
        let expected = RefusedDatabase::ForeignExchange {
            found: EXCHANGE.to_string(),
            ours,
        };
        assert!(matches!(error, ProjectorError::Refused(refused) if refused == expected));
        exchange.happen(50);
        stranger.run(async {}).await;
        assert_ne!(handle.database(), DatabaseState::Up);
        // Had the stranger written anything, this would not find what it left.
        exchange.project(&database).await;
        exchange.assert_projected(&database).await;
    }
}

/// Makes the database `exchange`'s, as if it had been taken away and another put in its place.
async fn hand_over(database: &Database, from: Uuid, to: Uuid) {
    let sql = format!("UPDATE exchange SET exchange_id = '{to}' WHERE exchange_id = '{from}'");
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared(&sql).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_database_that_becomes_anothers_is_not_written_to_from_then_on() {
    for place in Place::both() {
        let mut exchange = Exchange::new(14);
        exchange.happen(50);
        let (database, stranger) = (place.open().await, Uuid::from_u128(8));
        // Told to start over, which holds for the database that is taken up first alone.
        let (projector, mut handle) = exchange.starting_over(&database, EXCHANGE);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(projector.run(async {
            let _ = stopped.await;
        }));
        caught_up(&exchange, &mut handle).await;
        let before = order::Entity::find().all(database.reader()).await.unwrap();

        hand_over(&database, EXCHANGE, stranger).await;
        exchange.happen(50);
        let refused = |status: &ProjectorStatus| {
            let state = &status.database;
            matches!(state, DatabaseState::Down { reason } if reason.contains("belongs to exchange"))
        };
        handle.wait_until(refused).await;
        let after = order::Entity::find().all(database.reader()).await.unwrap();
        assert_eq!(after, before);

        hand_over(&database, stranger, EXCHANGE).await;
        caught_up(&exchange, &mut handle).await;
        exchange.assert_projected(&database).await;
        stop.send(()).unwrap();
        running.await.unwrap();
    }
}

#[tokio::test]
async fn a_database_is_started_over_if_that_is_asked_for_and_the_journal_holds_everything() {
    for place in Place::both() {
        let mut exchange = Exchange::new(15);
        exchange.happen(100);
        let (database, ours) = (place.open().await, Uuid::from_u128(8));
        exchange.project(&database).await;

        // A stranger of whose journal the beginning is gone takes nothing away.
        let mut trimmed = Exchange::new(16);
        trimmed.happen(80);
        trimmed.journals[0].trim(2);
        let error = trimmed.starting_over(&database, ours).0.admit().await;
        assert!(matches!(
            error,
            Err(ProjectorError::Refused(RefusedDatabase::BeginningMissing { partition: 0, oldest }))
                if oldest.get() == 3
        ));
        exchange.assert_projected(&database).await;

        // One with everything leaves only its own.
        let mut other = Exchange::new(16);
        other.happen(80);
        other.starting_over(&database, ours).0.run(async {}).await;
        other.assert_projected(&database).await;

        // Its own database it goes on with, though still told to start over.
        other.happen(80);
        other.starting_over(&database, ours).0.run(async {}).await;
        other.assert_projected(&database).await;
    }
}

#[tokio::test]
async fn a_database_that_the_journal_cannot_go_on_from_is_never_written_to() {
    for place in Place::both() {
        let mut exchange = Exchange::new(11);
        exchange.happen(100);
        let database = place.open().await;

        // Nothing is projected yet, and the journal begins later.
        let range = exchange.journals[0].log(0).source.range();
        exchange.journals[0].trim(2);
        let error = exchange
            .projector(&database, limits(9))
            .0
            .admit()
            .await
            .unwrap_err();
        let ProjectorError::Refused(RefusedDatabase::OutsideJournal { oldest, newest, .. }) = error
        else {
            panic!("{error}");
        };
        assert_eq!((oldest.get(), newest), (3, range.newest));

        // The database is ahead of a journal that was lost.
        let mut exchange = Exchange::new(11);
        exchange.happen(100);
        exchange.project(&database).await;
        let lost = Exchange::new(11);
        let error = lost
            .projector(&database, limits(9))
            .0
            .admit()
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            ProjectorError::Refused(RefusedDatabase::OutsideJournal { .. })
        ));
    }
}

#[tokio::test]
async fn queries_find_orders_and_trades() {
    for place in Place::both() {
        let mut exchange = Exchange::new(12);
        exchange.happen(1_200);
        let database = place.open().await;
        exchange.project(&database).await;
        let queries = Queries::new(database);
        for market in &exchange.markets {
            assert_order_queries(&queries, market, &exchange.markets).await;
            assert_trade_queries(&queries, market).await;
        }
    }
}

async fn assert_order_queries(queries: &Queries, market: &Market, markets: &[Market]) {
    let resolve = |symbol: &str| {
        let found = markets
            .iter()
            .find(|market| market.instrument.symbol.as_str() == symbol);
        found.map(|market| Arc::clone(&market.instrument))
    };
    for number in [0, 7, 399, 10_000] {
        let id = OrderId::new(&format!("order-{number}")).unwrap();
        let newest = |market: &Market| {
            market
                .shown()
                .filter(|order| order.id == id)
                .last()
                .cloned()
        };
        let found = queries.order_by_id(&market.instrument, &id).await.unwrap();
        assert_eq!(found, newest(market));
        let found = queries.orders_by_id(&id, resolve).await.unwrap();
        assert!(found.is_sorted_by(|one, next| one.order.created_at >= next.order.created_at));
        let expected = markets.iter().filter_map(&newest).count();
        assert_eq!(found.len(), expected);
        for stored in found {
            let market = markets
                .iter()
                .find(|market| market.instrument == stored.instrument)
                .unwrap();
            assert_eq!(Some(stored.order), newest(market));
        }
    }
    for order in market.shown().step_by(50) {
        let placed = queries
            .order_placed(&market.instrument, order.placed)
            .await
            .unwrap();
        assert_eq!(placed.as_ref(), Some(order));
        let trades = queries
            .trades_of(&market.instrument, order.placed, order.side)
            .await
            .unwrap();
        let is_its = |trade: &&Trade| match order.side {
            Side::Buy => trade.buy.placed == order.placed,
            Side::Sell => trade.sell.placed == order.placed,
        };
        let expected: Vec<_> = market.trades.iter().filter(is_its).collect();
        assert_eq!(
            trades.iter().map(|trade| &**trade).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(trades.len() as u64, order.trade_count);
    }
    let nothing = OrderRef::single(Sequence::new(1_000_000));
    assert_eq!(
        queries
            .order_placed(&market.instrument, nothing)
            .await
            .unwrap(),
        None
    );
}

async fn assert_trade_queries(queries: &Queries, market: &Market) {
    let numbers = |trades: Vec<Arc<Trade>>| -> Vec<u64> {
        trades.iter().map(|trade| trade.number.get()).collect()
    };
    let instrument = &market.instrument;
    let last = market.trades.len() as u64;
    assert!(last > 20);
    let newest = queries.trades_before(instrument, None, 3).await.unwrap();
    assert_eq!(numbers(newest), [last, last - 1, last - 2]);
    let before = Some(TradeNumber::new(3));
    let oldest = queries
        .trades_before(instrument, before, 1_000)
        .await
        .unwrap();
    assert_eq!(numbers(oldest), [2, 1]);
    let first = TradeNumber::new(4);
    let middle = queries.trades_numbered(instrument, first, 5).await.unwrap();
    assert_eq!(*middle[0], market.trades[3]);
    assert_eq!(numbers(middle), [4, 5, 6, 7, 8]);
    let end = queries
        .trades_numbered(instrument, TradeNumber::new(last), 5)
        .await
        .unwrap();
    assert_eq!(numbers(end), [last]);
}

#[tokio::test]
async fn decimals_of_any_length_come_back_exactly() {
    for place in Place::both() {
        let mut exchange = Exchange::new(13);
        let mut instrument = market::instrument(0, "LONG", "0.00001", "0.0001");
        instrument.min_notional = Some(Notional::new(123_456_789_012_345_678_123_456_789));
        exchange.markets[0] = Market::new(instrument);
        exchange.happen(10);
        let database = place.open().await;
        exchange.project(&database).await;
        exchange.assert_projected(&database).await;
        let row = instrument::Entity::find_by_id("LONG")
            .one(database.reader())
            .await
            .unwrap();
        let decimal = row.unwrap().min_notional.unwrap().to_string();
        assert_eq!(decimal, "123456789012345678.123456789");
    }
}

/// A market's book as far as it matters here: its open orders, at its last record or later.
fn book_of(market: &Market, sequence: Sequence) -> BookSnapshot {
    let level = |price: u64, lots: u128| BookLevel {
        price: Price::new(price).unwrap(),
        volume: Volume::new(lots),
        orders: 2,
        cumulative: Volume::new(lots + 1),
    };
    BookSnapshot {
        id: Uuid::now_v7(),
        instrument: Arc::clone(&market.instrument),
        sequence,
        created_at: Timestamp::from_microseconds(1_769_860_800_000_001),
        bids: vec![level(2, u128::from(u64::MAX)), level(1, 1)],
        asks: vec![level(1_000_000_000_000, 3)],
        orders: market
            .shown()
            .filter(|order| order.is_open())
            .cloned()
            .collect(),
    }
}

#[tokio::test]
async fn a_snapshot_is_written_once_the_database_has_passed_it_and_the_newest_are_kept() {
    for place in Place::both() {
        let mut exchange = Exchange::new(19);
        exchange.happen(200);
        let database = place.open().await;
        let queries = Queries::new(database.clone());
        let (projector, handle) = exchange.projector(&database, limits(50));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(projector.run(async {
            let _ = stopped.await;
        }));
        let (mut kept, mut orders) = (Vec::new(), 0);
        for _ in 0..4 {
            for market in &exchange.markets {
                let book = book_of(market, market.sequence);
                orders += book.orders.len();
                let head = handle.keep(book.clone().prepare(2).unwrap()).await.unwrap();
                assert_eq!((head.id, head.sequence), (book.id, book.sequence));
                assert_eq!(head.order_count, book.orders.len() as u64);
                let resolve = |symbol: &str| {
                    assert_eq!(symbol, market.instrument.symbol.as_str());
                    Some(Arc::clone(&market.instrument))
                };
                let found = queries.snapshot(book.id, resolve).await.unwrap();
                assert_eq!(found, Some(book));
                kept.push(head);
            }
            exchange.happen(20);
        }
        assert!(orders > 0, "books with nothing in them show nothing");
        // The newest two of each of the three.
        kept.drain(..6);
        kept.reverse();
        assert_eq!(queries.snapshots(None, 100).await.unwrap(), kept);
        assert_eq!(queries.snapshots(None, 1).await.unwrap(), kept[..1]);
        let fine = &exchange.markets[2].instrument;
        let of_one = queries.snapshots(Some(fine), 100).await.unwrap();
        assert_eq!(of_one, [kept[0].clone(), kept[3].clone()]);

        // One that nobody waits for any more stands in no other's way.
        let market = &exchange.markets[0];
        let mut far = market.sequence;
        (0..100).for_each(|_| far = far.next());
        let given_up = handle.keep(book_of(market, far).prepare(2).unwrap());
        assert!(given_up.now_or_never().is_none());
        let near = book_of(market, market.sequence);
        let head = handle.keep(near.clone().prepare(2).unwrap()).await.unwrap();
        assert_eq!(head.id, near.id);

        // One of what is still to come waits for it, while the projector goes on.
        let next = book_of(market, far);
        let mut waiting = pin!(handle.keep(next.clone().prepare(2).unwrap()));
        let mut watch = handle.clone();
        // The second time, it has looked at what waits since.
        for _ in 0..2 {
            exchange.happen(20);
            tokio::select! {
                biased;
                _ = &mut waiting => panic!("it is written before the database has passed it"),
                () = caught_up(&exchange, &mut watch) => {}
            }
        }
        assert!(exchange.markets[0].sequence < far);
        let unknown = queries.snapshot(next.id, |_| None).await.unwrap();
        assert_eq!(unknown, None);
        while exchange.markets[0].sequence < far {
            exchange.happen(50);
        }
        assert_eq!(waiting.await.unwrap().id, next.id);
        stop.send(()).unwrap();
        running.await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_is_refused_while_the_database_is_away() {
    let server = Postgres::stopped();
    let mut exchange = Exchange::new(18);
    exchange.happen(20);
    let url = server.default_database().parse().unwrap();
    let database = Database::open(&url).await.unwrap();
    let (projector, handle) = exchange.projector(&database, limits(50));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    let market = &exchange.markets[0];
    let book = book_of(market, market.sequence);
    let answer = handle.keep(book.prepare(2).unwrap()).await;
    assert!(matches!(answer, Err(SnapshotError::Down(_))), "{answer:?}");
    stop.send(()).unwrap();
    running.await.unwrap();
}

/// A clock that stands.
struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Has everything projected, and everything that is too old deleted.
async fn sweep(exchange: &Exchange, database: &Database, retention: Retention, now: Timestamp) {
    let (projector, mut handle) = Projector::new(ProjectorSetup {
        database: database.clone(),
        exchange: EXCHANGE,
        logs: vec![exchange.journals[0].log(0), exchange.journals[1].log(1)],
        checkpoints: Vec::new(),
        retention,
        clock: Arc::new(Stopped(now)),
        instruments: Arc::<Heads>::clone(&exchange.heads),
        limits: ProjectorLimits {
            swept_orders: 150,
            ..limits(1_000)
        },
        on_refused: OnRefused::LeaveAlone,
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    handle.wait_until(|status| status.sweeps > 0).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

/// Compares what the database kept: all but the orders that are gone, with their events, and the
/// trades of which both are. Says how many orders are gone.
async fn assert_kept(
    database: &Database,
    market: &Market,
    is_gone: impl Fn(&Order) -> bool,
) -> usize {
    let key = |order: &Order| {
        (
            order.placed.sequence.get() as i64,
            i64::from(order.placed.index),
        )
    };
    let symbol = market.instrument.symbol.as_str();
    let kept: BTreeSet<_> = market
        .shown()
        .filter(|order| !is_gone(order))
        .map(key)
        .collect();
    let orders = order::Entity::find().filter(order::Column::Instrument.eq(symbol));
    let orders = orders.all(database.reader()).await.unwrap();
    let found: BTreeSet<_> = orders
        .iter()
        .map(|row| (row.sequence, row.mirror_index))
        .collect();
    assert_eq!(found, kept);
    let events = order_event::Entity::find().filter(order_event::Column::Instrument.eq(symbol));
    let mut found: Vec<_> = events
        .all(database.reader())
        .await
        .unwrap()
        .iter()
        .map(|row| (row.order_sequence, row.mirror_index, row.sequence))
        .collect();
    found.sort_unstable();
    let events = market
        .events
        .iter()
        .filter(|order| kept.contains(&key(order)));
    let mut expected: Vec<_> = events
        .map(|order| (key(order).0, key(order).1, order.updated.get() as i64))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let trades = trade::Entity::find()
        .filter(trade::Column::Instrument.eq(symbol))
        .order_by_asc(trade::Column::TradeNumber);
    let found = trades.all(database.reader()).await.unwrap();
    let found: Vec<_> = found.iter().map(|row| row.trade_number as u64).collect();
    let placed = |placed: OrderRef| (placed.sequence.get() as i64, i64::from(placed.index));
    let trades = market.trades.iter().filter(|trade| {
        kept.contains(&placed(trade.buy.placed)) || kept.contains(&placed(trade.sell.placed))
    });
    let expected: Vec<_> = trades.map(|trade| trade.number.get()).collect();
    assert_eq!(found, expected);
    market.shown().filter(|order| is_gone(order)).count()
}

#[tokio::test]
async fn what_is_long_closed_goes_with_its_events_and_trades_and_nothing_else_does() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for place in Place::both() {
        let mut exchange = Exchange::new(19);
        exchange.happen(900);
        let database = place.open().await;
        exchange.project(&database).await;
        // Half of what rests is older, and some of what is closed is younger.
        let times = |is_open: bool| {
            let shown = exchange.markets.iter().flat_map(Market::shown);
            let chosen = shown.filter(|order| order.is_open() == is_open);
            let mut times: Vec<_> = chosen.map(|order| order.updated_at).collect();
            times.sort_unstable();
            times
        };
        let (resting, closed) = (times(true), times(false));
        let before = resting[resting.len() / 2];
        assert!(resting[0] < before && before < closed[closed.len() - 1]);
        let now = Timestamp::from_microseconds(before.microseconds() + 24 * 60 * 60 * 1_000_000);
        let is_old = |order: &Order| !order.is_open() && order.updated_at < before;
        let feed = Retention {
            orders: None,
            feed: Some(DAY),
        };
        sweep(&exchange, &database, feed, now).await;
        for market in &exchange.markets {
            let is_gone = |order: &Order| is_old(order) && order.client.is_feed();
            assert!(assert_kept(&database, market, is_gone).await > 10);
        }
        let everyone = Retention {
            orders: Some(DAY),
            feed: None,
        };
        sweep(&exchange, &database, everyone, now).await;
        for market in &exchange.markets {
            assert!(assert_kept(&database, market, is_old).await > 30);
        }
        // What rests is still there to be traded with and cancelled.
        exchange.happen(300);
        sweep(&exchange, &database, everyone, now).await;
        for market in &exchange.markets {
            assert_kept(&database, market, is_old).await;
            // What was summed up is for good.
            sums::assert_candles(&database, market).await;
            sums::assert_days(&database, market).await;
        }
    }
}

#[tokio::test]
async fn an_outage_stays_in_the_journal_until_the_database_is_back() {
    let server = Postgres::stopped();
    let url = server.default_database().parse().unwrap();
    let database = Database::open(&url).await.unwrap();
    let mut exchange = Exchange::new(20);
    exchange.happen(20);
    server.resume();
    exchange.project(&database).await;
    server.stop();

    let (projector, mut handle) = exchange.projector(&database, limits(10));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    handle
        .wait_until(|status| status.database != DatabaseState::Up)
        .await;
    // Whatever happens while it is away stays in the journal.
    let before: usize = exchange
        .journals
        .iter()
        .map(MemoryJournal::frames_read)
        .sum();
    for _ in 0..20 {
        exchange.happen(100);
        tokio::task::yield_now().await;
    }
    let held = exchange
        .journals
        .iter()
        .map(MemoryJournal::frames)
        .sum::<usize>();
    let read: usize = exchange
        .journals
        .iter()
        .map(MemoryJournal::frames_read)
        .sum();
    assert!(
        read - before < held / 4,
        "{read} frames were read of {held}"
    );
    server.resume();
    caught_up(&exchange, &mut handle).await;
    exchange.assert_projected(&database).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[test]
fn histories_have_everything_in_them() {
    let mut exchange = Exchange::new(1);
    exchange.happen(1_500);
    let shown = || exchange.markets.iter().flat_map(Market::shown);
    let mirrored = |placed: OrderRef| placed.index > 0;
    assert!(shown().any(|order| mirrored(order.placed) && order.is_open()));
    assert!(shown().any(|order| mirrored(order.placed)
        && order.updated > order.placed.sequence
        && matches!(order.state, OrderState::Cancelled(_))));
    assert!(shown().any(|order| matches!(order.state, OrderState::Rejected(_))));
    assert!(shown().any(|order| order.client.is_feed() && !mirrored(order.placed)));
    assert!(shown().any(|order| order.trade_count > 2 && order.state == OrderState::Filled));
}

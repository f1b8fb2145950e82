//! `kill -9` while days are settled. A trigger halts the settlement at a certain line, so that the
//! kill falls into the middle of its transaction; afterwards each day is settled once, with what
//! `GET /trades` comes to.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryOrder,
    Statement, TransactionTrait,
};
use serde_json::{Value, json};
use shardbook_engine::time::{Clock as _, Day, SystemClock};
use shardbook_storage::database::Database;
use shardbook_storage::entity::convert::day_text;
use shardbook_storage::entity::{settlement, settlement_line};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::naive;
use shardbook_test_support::postgres::Postgres;
use shardbook_test_support::server::Server;
use tempfile::TempDir;

use crate::PROGRAM;
use crate::support::{Reply, TestApp};

/// Whole days that were traded and not yet settled, up to yesterday.
const DAYS: u64 = 3;

const INSTRUMENTS: [&str; 2] = ["BTC-USD", "ETH-USD"];

/// Lines of each day's settlement: three clients on both instruments.
const LINES_A_DAY: usize = 6;

/// Lines that are written when the kill falls: before the first of all, within a day, before a
/// day's last, between days, and before the last of all.
const LINES_BEFORE: [usize; 5] = [0, 2, 5, 6, 17];

/// Days that were traded while the settlements went to a database that is gone.
struct Traded {
    /// Holds the journal, as `data`, and the settings.
    directory: TempDir,
    dates: Vec<String>,
}

impl Traded {
    async fn days() -> Self {
        let today = SystemClock.now().day().days_since_epoch();
        let dates: Vec<_> = (today - DAYS..today)
            .map(|day| day_text(Day::from_days_since_epoch(day)).unwrap())
            .collect();
        let clock = TestClock::at(&format!("{}T11:00:00Z", dates[0]));
        let app = TestApp::start_by(&clock, "").await;
        for (date, number) in dates.iter().zip(1..) {
            clock.set(&format!("{date}T12:00:00Z"));
            for instrument in INSTRUMENTS {
                for words in [
                    format!("alice sells {number} @ 100.00"),
                    "bob buys 0.25 @ 100.00".to_owned(),
                    "carol buys 9 @ 100.00".to_owned(),
                    "alice sells 20 @ 99.95".to_owned(),
                ] {
                    let placed = app.place(&words, json!({"instrument": instrument})).await;
                    assert_eq!(placed.status, 201, "{}", placed.text);
                }
                let all = json!({"client_id": "alice"});
                assert_eq!(app.post("/orders/cancel-all", &all).await.status, 200);
            }
        }
        Self {
            directory: app.stop_and_keep().await,
            dates,
        }
    }

    /// Serves a copy of the journal as it stood when nothing was settled.
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let copied = Command::new("cp")
            .arg("--recursive")
            .arg(self.directory.path().join("data"))
            .arg(copy.path())
            .status();
        assert!(copied.unwrap().success());
        copy
    }

    fn serve(&self, copy: &TempDir, database_url: &str) -> Server {
        let config = self.directory.path().join("shardbook.toml");
        let arguments = [
            "--config",
            config.to_str().unwrap(),
            "--feed",
            "off",
            "--database-url",
            database_url,
            "--journal-segment-bytes",
            "1048576",
        ];
        Server::start(PROGRAM, &copy.path().join("data"), &arguments)
    }
}

/// A database with all its tables and nothing in them, seen by a connection of the test's own.
struct Watched {
    connection: DatabaseConnection,
}

impl Watched {
    async fn prepare(url: &str) -> Self {
        let database = Database::open(&url.parse().unwrap()).await.unwrap();
        database.migrate().await.unwrap();
        let is_sqlite = database.backend() == DbBackend::Sqlite;
        database.close().await.unwrap();
        let mut options = ConnectOptions::new(url);
        options.max_connections(if is_sqlite { 1 } else { 2 });
        let connection = sea_orm::Database::connect(options).await.unwrap();
        Self { connection }
    }

    async fn run(&self, statements: &[&str]) {
        for statement in statements {
            let done = self.connection.execute_unprepared(statement).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// Serves, and kills the server when it has written so many lines and is at the next.
    async fn kill_after_lines(&self, lines: usize, serve: impl FnOnce() -> Server) {
        if self.connection.get_database_backend() == DbBackend::Sqlite {
            self.kill_on_sqlite(lines, serve).await;
        } else {
            self.kill_on_postgres(lines, serve).await;
        }
    }

    /// The trigger counts for years. Whoever else writes is done in much less than a second.
    async fn kill_on_sqlite(&self, lines: usize, serve: impl FnOnce() -> Server) {
        let trigger = format!(
            "CREATE TRIGGER halts BEFORE INSERT ON settlement_lines
             WHEN (SELECT count(*) FROM settlement_lines) = {lines}
             BEGIN SELECT count(*) FROM many a, many b, many c, many d, many e, many f; END"
        );
        self.run(&[
            "PRAGMA busy_timeout = 1000",
            "CREATE TABLE many AS WITH RECURSIVE n(i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n",
            &trigger,
        ])
        .await;
        let server = serve();
        let begin = "BEGIN IMMEDIATE";
        while self.connection.execute_unprepared(begin).await.is_ok() {
            self.run(&["ROLLBACK"]).await;
            tokio::task::yield_now().await;
        }
        server.kill();
        self.run(&["DROP TRIGGER halts", "DROP TABLE many"]).await;
    }

    /// The trigger waits for a lock that the test holds.
    async fn kill_on_postgres(&self, lines: usize, serve: impl FnOnce() -> Server) {
        let function = format!(
            "CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF (SELECT count(*) FROM settlement_lines) = {lines} THEN
             PERFORM pg_advisory_xact_lock(1); END IF; RETURN NEW; END $$"
        );
        self.run(&[
            &function,
            "CREATE TRIGGER halts BEFORE INSERT ON settlement_lines
             FOR EACH ROW EXECUTE FUNCTION halt()",
        ])
        .await;
        let held = self.connection.begin().await.unwrap();
        let lock = "SELECT pg_advisory_xact_lock(1)";
        held.execute_unprepared(lock).await.unwrap();
        let server = serve();
        let waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let waiting = Statement::from_string(DbBackend::Postgres, waiting);
        while self
            .connection
            .query_one_raw(waiting.clone())
            .await
            .unwrap()
            .is_none()
        {
            tokio::task::yield_now().await;
        }
        server.kill();
        held.rollback().await.unwrap();
        // Waits until the database has got over the connection that broke off.
        self.run(&["DROP TRIGGER halts ON settlement_lines"]).await;
    }

    /// What is settled, which is whole days.
    async fn settled(&self) -> Vec<settlement::Model> {
        let heads = settlement::Entity::find().order_by_asc(settlement::Column::Date);
        let heads = heads.all(&self.connection).await.unwrap();
        let lines = settlement_line::Entity::find().all(&self.connection);
        let lines = lines.await.unwrap();
        for head in &heads {
            let of_day = lines.iter().filter(|line| line.date == head.date);
            assert_eq!(of_day.count(), LINES_A_DAY, "lines of {}", head.date);
        }
        assert_eq!(lines.len(), heads.len() * LINES_A_DAY, "lines of no day");
        heads
    }
}

/// Reads what the server's database has, once it has taken it in.
async fn get(http: &reqwest::Client, url: &str) -> Value {
    let reply = Reply::once_projected(|| http.get(url)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body
}

/// Waits until the server has settled so many days, and tells them, oldest first.
async fn settled_by(http: &reqwest::Client, base: &str, days: usize) -> Vec<Value> {
    loop {
        let heads = get(http, &format!("{base}/settlements")).await;
        let mut heads = heads.as_array().unwrap().clone();
        if heads.len() >= days {
            heads.reverse();
            return heads;
        }
        tokio::task::yield_now().await;
    }
}

/// Each day is settled with what its trades come to, and what was settled `before` stays as it was.
async fn judge(traded: &Traded, base: &str, before: &[settlement::Model]) {
    let http = reqwest::Client::new();
    let heads = settled_by(&http, base, traded.dates.len()).await;
    for (head, before) in heads.iter().zip(before) {
        assert_eq!(head["date"], before.date);
        assert_eq!(head["settled_at"], before.settled_at.rfc3339());
    }
    for date in &traded.dates {
        let settlement = get(&http, &format!("{base}/settlements/{date}")).await;
        let mut expected = Vec::new();
        for instrument in INSTRUMENTS {
            let trades = format!("{base}/trades?instrument={instrument}&limit=1000");
            let trades = get(&http, &trades).await;
            let trades = naive::read(trades.as_array().unwrap());
            let mut owners = BTreeMap::new();
            for order in trades.iter().flat_map(|trade| [&trade.buy, &trade.sell]) {
                let shown = get(&http, &format!("{base}/orders/{order}")).await;
                let owner = shown["client_id"].as_str().unwrap().to_owned();
                owners.insert(order.clone(), owner);
            }
            let owner = |order: &str| owners[order].clone();
            expected.extend(naive::lines(&trades, date, instrument, owner));
        }
        assert_eq!(expected.len(), LINES_A_DAY);
        assert_eq!(settlement["lines"], json!(expected), "{date}");
        let again = http.post(format!("{base}/admin/settlements"));
        let again = again.json(&json!({ "date": date })).send().await.unwrap();
        assert_eq!(again.status(), 200, "{date}");
        assert_eq!(again.json::<Value>().await.unwrap(), settlement);
    }
}

async fn killed_while_settling(new_database: impl Fn(&Path) -> String) {
    let traded = Traded::days().await;
    for lines in LINES_BEFORE {
        let copy = traded.copy();
        let url = new_database(copy.path());
        let watched = Watched::prepare(&url).await;
        let serve = || traded.serve(&copy, &url);
        watched.kill_after_lines(lines, serve).await;
        let before = watched.settled().await;
        assert_eq!(before.len(), lines / LINES_A_DAY, "{lines} lines");
        let server = serve();
        judge(&traded, &server.base, &before).await;
        assert_eq!(server.terminate(), Some(0));
        watched.settled().await;
    }
    // As soon as a day is told to be settled, while the next is.
    for days in 1..traded.dates.len() {
        let copy = traded.copy();
        let url = new_database(copy.path());
        let watched = Watched::prepare(&url).await;
        let server = traded.serve(&copy, &url);
        settled_by(&reqwest::Client::new(), &server.base, days).await;
        server.kill();
        let before = watched.settled().await;
        assert!(before.len() >= days);
        let server = traded.serve(&copy, &url);
        judge(&traded, &server.base, &before).await;
        server.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_in_a_settlement_leaves_whole_days_each_settled_once() {
    let in_a_file = |place: &Path| format!("sqlite://{}/test.sqlite", place.display());
    killed_while_settling(in_a_file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_in_a_settlement_leaves_whole_days_in_postgresql() {
    let postgres = Postgres::shared();
    killed_while_settling(|_| postgres.database()).await;
}

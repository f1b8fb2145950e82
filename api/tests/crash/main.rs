//! `kill -9` at random moments under concurrent load. The judge is the clients' own log: what
//! was acknowledged must be there, once, and what was not may be sent again with the same key;
//! and the database comes to hold what the API says, on SQLite and on PostgreSQL, whatever
//! becomes of either server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod foreign;
mod outage;
mod tables;
mod trimmed;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use shardbook_test_support::postgres::Postgres;
use shardbook_test_support::random::Random;
use shardbook_test_support::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_shardbook");

const CLIENTS: usize = 16;

/// Kills on SQLite and on PostgreSQL, unless [`ROUNDS_VARIABLE`] says how many.
const ROUNDS: usize = 6;
const ROUNDS_ON_POSTGRES: usize = 3;
const ROUNDS_VARIABLE: &str = "SHARDBOOK_CRASH_ROUNDS";

/// Kills of one exchange: every order of it is looked at after each.
const ROUNDS_OF_ONE_MAX: usize = 8;

/// As few as may be, so that checkpoints are made by themselves too.
const CHECKPOINT_RECORDS: &str = "1000";

/// What a client knows of one order.
#[derive(Clone, Debug)]
enum Known {
    /// It was sent, and no answer came.
    Sent(Value),
    /// It was acknowledged with this answer.
    Acknowledged(Value),
}

type Log = Mutex<BTreeMap<String, Known>>;

fn an_order(random: &mut Random, id: &str, client: usize) -> Value {
    let side = random.one_of(&["buy", "sell"]);
    let quantity = format!("0.{:05}", 1 + random.below(500));
    let mut order = json!({
        "order_id": id, "idempotency_key": id, "client_id": format!("client-{client}"),
        "instrument": "BTC-USD", "side": side, "quantity": quantity,
    });
    if random.below(5) == 0 {
        order["type"] = json!("market");
    } else {
        order["type"] = json!("limit");
        order["price"] = json!(format!("{}.00", 100 + random.below(10)));
    }
    order
}

/// Places orders until the server is gone, and writes down what it sends and hears.
async fn trade(
    http: reqwest::Client,
    base: String,
    round: usize,
    client: usize,
    log: Arc<Log>,
    acknowledged: Arc<AtomicUsize>,
) {
    let seed = u64::try_from(round * CLIENTS + client).unwrap();
    let mut random = Random::seeded(seed);
    for number in 0.. {
        let id = format!("r{round}-c{client}-{number}");
        let order = an_order(&mut random, &id, client);
        log.lock().insert(id.clone(), Known::Sent(order.clone()));
        let sent = http
            .post(format!("{base}/orders"))
            .json(&order)
            .send()
            .await;
        let Ok(response) = sent else { return };
        let status = response.status();
        let Ok(answer) = response.json::<Value>().await else {
            return;
        };
        assert_eq!(status, 201, "{answer}");
        log.lock().insert(id, Known::Acknowledged(answer));
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Kills the server once so many orders were acknowledged, while others are in flight.
async fn one_round(place: &Place, round: usize, log: &Arc<Log>) {
    let server = place.serve();
    let http = reqwest::Client::new();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (http, base) = (http.clone(), server.base.clone());
            tokio::spawn(trade(
                http,
                base,
                round,
                client,
                Arc::clone(log),
                Arc::clone(&acknowledged),
            ))
        })
        .collect();
    let enough = 20 + 37 * (round % ROUNDS_OF_ONE_MAX) + round % 61;
    let acknowledged = |enough| {
        let acknowledged = Arc::clone(&acknowledged);
        async move {
            while acknowledged.load(Ordering::Relaxed) < enough {
                tokio::task::yield_now().await;
            }
        }
    };
    // A few orders before the kill, so that it strikes what a checkpoint does, or right after.
    acknowledged(enough - round % 20).await;
    server.ask_for_checkpoints();
    acknowledged(enough).await;
    server.kill();
    for client in clients {
        client.await.unwrap();
    }
}

/// Reads, and asks again while the database has yet to take in what memory has let go of.
async fn get(http: &reqwest::Client, url: String) -> (u16, Value) {
    loop {
        let response = http.get(&url).send().await.unwrap();
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        if body["code"] != "database_unavailable" {
            return (status, body);
        }
        tokio::task::yield_now().await;
    }
}

/// Every acknowledged order is there as it was acknowledged, or has traded on since.
async fn judge_acknowledged(http: &reqwest::Client, base: &str, log: &Log) {
    let log = log.lock().clone();
    for (id, known) in &log {
        let Known::Acknowledged(then) = known else {
            continue;
        };
        let (status, now) = get(http, format!("{base}/orders/{id}")).await;
        assert_eq!(status, 200, "{id} was acknowledged: {now}");
        for field in [
            "sequence",
            "client_id",
            "side",
            "type",
            "price",
            "quantity",
            "created_at",
        ] {
            assert_eq!(now[field], then[field], "{field} of {id}");
        }
        let count = |order: &Value| order["trade_count"].as_u64().unwrap();
        assert!(count(&now) >= count(then), "{id} lost a trade");
    }
}

/// Sends again what was not answered: placed now, or replayed if it had been, never twice.
async fn retry_unanswered(http: &reqwest::Client, base: &str, log: &Log) {
    let unanswered: Vec<(String, Value)> = log
        .lock()
        .iter()
        .filter_map(|(id, known)| match known {
            Known::Sent(order) => Some((id.clone(), order.clone())),
            Known::Acknowledged(_) => None,
        })
        .collect();
    for (id, order) in unanswered {
        for _ in 0..2 {
            let response = http
                .post(format!("{base}/orders"))
                .json(&order)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 201, "{id}");
            let answer = response.json().await.unwrap();
            log.lock().insert(id.clone(), Known::Acknowledged(answer));
        }
    }
}

/// All trades there are, oldest first.
async fn all_trades(http: &reqwest::Client, base: &str) -> Vec<Value> {
    let mut trades = Vec::new();
    let mut before = String::new();
    loop {
        let url = format!("{base}/trades?instrument=BTC-USD&limit=1000{before}");
        let (status, page) = get(http, url).await;
        assert_eq!(status, 200, "{page}");
        let page = page.as_array().unwrap().clone();
        let Some(oldest) = page.last() else { break };
        before = format!("&before={}", oldest["trade_id"].as_str().unwrap());
        trades.extend(page);
    }
    trades.reverse();
    trades
}

/// All trades are numbered from 1 without a gap, and add up to what the orders say.
async fn judge_trades(http: &reqwest::Client, base: &str, log: &Log) {
    let trades = all_trades(http, base).await;
    let numbers: Vec<String> = trades
        .iter()
        .map(|trade| trade["trade_id"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = (1..=numbers.len())
        .map(|number| format!("BTC-USD-{number}"))
        .collect();
    assert_eq!(numbers, expected);
    let mut sequences = BTreeSet::new();
    let mut sides = 0;
    let ids: Vec<String> = log.lock().keys().cloned().collect();
    for id in &ids {
        let (status, order) = get(http, format!("{base}/orders/{id}")).await;
        assert_eq!(status, 200, "{order}");
        assert!(
            sequences.insert(order["sequence"].as_u64().unwrap()),
            "{id} shares a sequence"
        );
        sides += order["trade_count"].as_u64().unwrap();
        let own = trades
            .iter()
            .filter(|trade| trade["buy_order_id"] == *id || trade["sell_order_id"] == *id);
        let filled: u64 = own.map(|trade| lots(&trade["quantity"])).sum();
        assert_eq!(filled, lots(&order["filled_quantity"]), "{id}");
    }
    assert_eq!(sides, 2 * u64::try_from(trades.len()).unwrap());
    let last = u64::try_from(sequences.len()).unwrap();
    assert_eq!(
        sequences,
        (1..=last).collect(),
        "every sequence is one order's"
    );
}

/// `"0.00123"` is 123 lots of 0.00001.
fn lots(quantity: &Value) -> u64 {
    quantity.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// A data directory, and the database that is projected from it.
struct Place {
    data_dir: tempfile::TempDir,
    database_url: String,
}

impl Place {
    fn on_sqlite() -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let database_url = format!("sqlite://{}/test.sqlite", data_dir.path().display());
        Self {
            data_dir,
            database_url,
        }
    }

    fn on(database_url: String) -> Self {
        Self {
            data_dir: tempfile::tempdir().unwrap(),
            database_url,
        }
    }

    fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    fn serve_with(&self, more: &[&str]) -> Server {
        let arguments = [
            "--feed",
            "off",
            "--database-url",
            &self.database_url,
            "--checkpoint-records",
            CHECKPOINT_RECORDS,
            "--journal-segment-bytes",
            "1048576",
        ];
        Server::start(PROGRAM, self.data_dir.path(), &[&arguments, more].concat())
    }
}

/// Kills exchanges so many times in all, one after another, each on a place of its own.
async fn kill_nine_loses_nothing(new_place: impl Fn() -> Place, rounds: usize) {
    let given = std::env::var(ROUNDS_VARIABLE).ok();
    let rounds = given.map_or(rounds, |given| given.parse().expect("a number of rounds"));
    let mut orders = 0;
    let mut done = 0;
    while done < rounds {
        let until = rounds.min(done + ROUNDS_OF_ONE_MAX);
        orders += kill_one(&new_place(), done..until).await;
        done = until;
        // Seen with `--nocapture`.
        eprintln!("{done} kills survived, {orders} orders sent");
    }
}

/// Kills one exchange so many times; returns how many orders it was sent.
async fn kill_one(place: &Place, rounds: Range<usize>) -> usize {
    let log = Arc::new(Log::default());
    let http = reqwest::Client::new();
    for round in rounds {
        one_round(place, round, &log).await;
        let server = place.serve();
        judge_acknowledged(&http, &server.base, &log).await;
        retry_unanswered(&http, &server.base, &log).await;
        judge_trades(&http, &server.base, &log).await;
        server.kill();
    }
    let server = place.serve();
    judge_trades(&http, &server.base, &log).await;
    tables::judge(place, &server.base, &log).await;
    assert_eq!(server.terminate(), Some(0));
    log.lock().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_no_acknowledged_order_and_doubles_none() {
    kill_nine_loses_nothing(Place::on_sqlite, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_leaves_postgresql_with_each_order_and_trade_once() {
    let postgres = Postgres::shared();
    let new_place = || Place::on(postgres.database());
    kill_nine_loses_nothing(new_place, ROUNDS_ON_POSTGRES).await;
}

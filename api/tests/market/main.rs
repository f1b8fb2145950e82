//! The exchange under a market: a thousand clients at one price, and a recording of Binance's
//! played into the real application and its database.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use shardbook_api::app::App;
use shardbook_api::settings::{ServeArguments, Settings};
use shardbook_engine::time::{Clock, SystemClock};
use shardbook_storage::database::{Database, DatabaseUrl};
use shardbook_storage::entity::{order, trade};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::naive;
use shardbook_test_support::recordings::recording;

async fn start(data_dir: &Path, feed: &str) -> App {
    start_by(Arc::new(SystemClock), data_dir, feed).await
}

async fn start_by(clock: Arc<dyn Clock>, data_dir: &Path, feed: &str) -> App {
    let arguments = ServeArguments {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(data_dir.display().to_string()),
        feed: Some(feed.to_owned()),
        feed_speed: Some("max".to_owned()),
        ..ServeArguments::default()
    };
    let settings = Settings::read(&arguments).unwrap();
    let on_fatal = Arc::new(|error: &dyn std::error::Error| panic!("{error}"));
    App::start_by(clock, settings, on_fatal).await.unwrap()
}

/// Asks until the answer is what is waited for.
async fn get_until(app: &App, path: &str, reached: impl Fn(&Value) -> bool) -> Value {
    let url = format!("http://{}{path}", app.address());
    loop {
        let answer: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        if reached(&answer) {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

async fn get(app: &App, path: &str) -> Value {
    get_until(app, path, |_| true).await
}

async fn place(http: reqwest::Client, base: String, order: Value) -> Value {
    let response = http
        .post(format!("{base}/orders"))
        .json(&order)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

async fn place_all(app: &App, orders: Vec<Value>) -> Vec<Value> {
    let http = reqwest::Client::new();
    let base = format!("http://{}", app.address());
    let placed: Vec<_> = orders
        .into_iter()
        .map(|order| tokio::spawn(place(http.clone(), base.clone(), order)))
        .collect();
    let mut answers = Vec::new();
    for answer in placed {
        answers.push(answer.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_at_one_price_are_filled_once_each_in_the_order_of_their_sequence() {
    let data_dir = tempfile::tempdir().unwrap();
    let app = start(data_dir.path(), "off").await;
    let makers = (0..1_000).map(|client| {
        json!({"client_id": format!("maker-{client}"), "instrument": "BTC-USD", "side": "sell",
               "type": "limit", "price": "70000.00", "quantity": "0.00003"})
    });
    let makers = place_all(&app, makers.collect()).await;
    // 1,000 makers of 3 lots; 600 takers of 7 lots want 4,200 lots of the 3,000 there are.
    let takers = (0..600).map(|client| {
        json!({"client_id": format!("taker-{client}"), "instrument": "BTC-USD", "side": "buy",
               "type": "market", "quantity": "0.00007"})
    });
    let takers = place_all(&app, takers.collect()).await;

    let mut expected: Vec<(u64, &str)> = makers
        .iter()
        .map(|maker| {
            (
                maker["sequence"].as_u64().unwrap(),
                maker["order_id"].as_str().unwrap(),
            )
        })
        .collect();
    expected.sort_unstable();
    let mut by_sequence: Vec<&Value> = takers.iter().collect();
    by_sequence.sort_by_key(|taker| taker["sequence"].as_u64());
    let trades: Vec<&Value> = by_sequence
        .iter()
        .flat_map(|taker| taker["trades"].as_array().unwrap())
        .collect();
    let mut filled_in_order: Vec<&str> = trades
        .iter()
        .map(|trade| trade["sell_order_id"].as_str().unwrap())
        .collect();
    filled_in_order.dedup();
    let expected: Vec<&str> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(filled_in_order, expected, "first in, first filled");

    let mut sold = BTreeMap::<&str, u64>::new();
    for trade in &trades {
        *sold
            .entry(trade["sell_order_id"].as_str().unwrap())
            .or_default() += lots(&trade["quantity"]);
    }
    assert!(
        sold.values().all(|sold| *sold == 3),
        "no maker is filled twice"
    );
    assert_eq!(sold.len(), 1_000);
    let bought: u64 = takers
        .iter()
        .map(|taker| lots(&taker["filled_quantity"]))
        .sum();
    assert_eq!(bought, 3_000);
    let statuses = takers
        .iter()
        .fold(BTreeMap::<String, u64>::new(), |mut counts, taker| {
            let status = format!("{} {}", taker["status"], taker["reason"]).replace('"', "");
            *counts.entry(status).or_default() += 1;
            counts
        });
    // 428 takers of 7 lots are 2,996; the next gets the last 4, and the rest find nothing.
    let expected = [
        ("cancelled book_exhausted", 1),
        ("filled null", 428),
        ("rejected no_liquidity", 171),
    ];
    let expected = expected.map(|(status, count)| (status.to_owned(), count));
    assert_eq!(statuses, BTreeMap::from(expected));
    let book = get(&app, "/orderbook?instrument=BTC-USD").await;
    assert_eq!((&book["asks"], &book["bids"]), (&json!([]), &json!([])));
    app.stop().await;
}

/// `"0.00007"` is 7 lots of 0.00001.
fn lots(quantity: &Value) -> u64 {
    quantity.as_str().unwrap().replace('.', "").parse().unwrap()
}

const RECORDING: &str = "binance_spot_ws/btcusdt_20240808.gz";

/// What the database holds of the recording, and the book at its end.
#[derive(Debug, PartialEq)]
struct Outcome {
    tape_orders: usize,
    bought: Decimal,
    sold: Decimal,
    trades: u64,
    book: Value,
}

async fn play(data_dir: &Path, recording: &Path) -> Outcome {
    let app = start(data_dir, &format!("file:{}", recording.display())).await;
    // The database is read below, and a stop does not wait for it without end.
    get_until(&app, "/healthz", |health| {
        health["feed"]["status"] == "finished" && health["database"]["lag_records"] == 0
    })
    .await;
    let mut book = get(&app, "/orderbook?instrument=BTC-USD&levels=1000").await;
    for side in ["bids", "asks"] {
        // How a level's quantity is split into the mirror's orders is not the source's business.
        for level in book[side].as_array_mut().unwrap() {
            level.as_object_mut().unwrap().remove("orders");
        }
        book["totals"][side]
            .as_object_mut()
            .unwrap()
            .remove("orders");
    }
    for field in ["sequence", "timestamp"] {
        book.as_object_mut().unwrap().remove(field);
    }
    app.stop().await;
    let url = DatabaseUrl::Sqlite(data_dir.join("shardbook.db"));
    let database = Database::open(&url).await.unwrap();
    let tape = order::Entity::find().filter(order::Column::ClientId.eq("binance-trades"));
    let tape = tape.all(database.reader()).await.unwrap();
    let sum = |side: &str| -> Decimal {
        let of_side = tape.iter().filter(|order| order.side == side);
        of_side
            .map(|order| order.quantity.to_string().parse::<Decimal>().unwrap())
            .sum()
    };
    let trades = trade::Entity::find()
        .count(database.reader())
        .await
        .unwrap();
    let outcome = Outcome {
        tape_orders: tape.len(),
        bought: sum("buy"),
        sold: sum("sell"),
        trades,
        book,
    };
    database.close().await.unwrap();
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_taken_in_once_and_whole_however_often_it_is_played() {
    let Some(recording) = recording(RECORDING) else {
        return;
    };
    let data_dir = tempfile::tempdir().unwrap();
    let first = play(data_dir.path(), &recording).await;
    assert_eq!(first.tape_orders, 9_757);
    assert_eq!(first.bought, Decimal::new(9_665_118, 5));
    assert_eq!(first.sold, Decimal::new(11_538_197, 5));
    assert_eq!(first.book["bids"][0]["price"], "61685.99");
    assert_eq!(first.book["asks"][0]["price"], "61686.00");
    let again = play(data_dir.path(), &recording).await;
    assert_eq!(again, first);
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Whose an order of the recording is.
fn owner(order_id: &str) -> String {
    let feeds = ["binance-trades", "binance-depth"];
    let feed = feeds.iter().find(|feed| order_id.starts_with(**feed));
    (*feed.unwrap_or(&"alice")).to_owned()
}

/// All trades, oldest first, once the database has those that memory has not.
async fn all_trades(app: &App) -> Vec<naive::NaiveTrade> {
    let (mut newest_first, mut before) = (Vec::<Value>::new(), String::new());
    loop {
        let path = format!("/trades?limit=1000{before}");
        let page = get_until(app, &path, Value::is_array).await;
        let Some(last) = page.as_array().unwrap().last() else {
            return naive::read(&newest_first);
        };
        before = format!("&before={}", last["trade_id"].as_str().unwrap());
        newest_first.extend(page.as_array().unwrap().clone());
    }
}

/// Every number that is told of the trades is the one counted over them.
async fn check_numbers(app: &App, clock: &TestClock) -> Vec<naive::NaiveTrade> {
    let trades = all_trades(app).await;
    for (interval, minutes) in [("1m", 1), ("5m", 5), ("15m", 15), ("1h", 60), ("1d", 1_440)] {
        let expected = naive::candles(&trades, minutes);
        let mut told = Vec::new();
        // In parts, oldest first: there may be more than one answer holds.
        for part in expected.chunks(1_000) {
            let time = |candle: &Value| candle["open_time"].as_str().unwrap().to_owned();
            let after = expected.get(told.len() + part.len()).map(time);
            let to = after.map_or_else(String::new, |after| format!("&to={after}"));
            let from = time(&part[0]);
            let path = format!("/analytics/candles?interval={interval}&limit=1000&from={from}{to}");
            let answer = get_until(app, &path, Value::is_array).await;
            told.extend(answer.as_array().unwrap().clone());
        }
        assert_eq!(told, expected, "{interval}");
    }
    for (window, minutes) in [("5m", 5), ("6h", 360), ("24h", 1_440)] {
        let answer = get(app, &format!("/analytics/vwap?window={window}")).await;
        naive::check_vwap(&trades, minutes, &answer);
    }
    naive::check_ticker(&trades, &get(app, "/analytics/ticker").await);
    let today =
        chrono::DateTime::from_timestamp_micros(i64::try_from(clock.now().microseconds()).unwrap());
    let today = today.unwrap().format("%Y-%m-%d").to_string();
    let expected = naive::lines(&trades, &today, "BTC-USD", owner);
    for client in ["alice", "binance-depth", "binance-trades"] {
        let told = get(app, &format!("/positions/{client}")).await;
        let line = expected.iter().find(|line| line["client_id"] == client);
        assert_eq!(told.as_array().unwrap().first(), line, "{client}");
    }
    trades
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_told_of_a_recording_is_that_of_its_trades() {
    let Some(recording) = recording(RECORDING) else {
        return;
    };
    let data_dir = tempfile::tempdir().unwrap();
    // Played within three days, which end meanwhile.
    let clock = TestClock::at("2026-01-30T00:00:00Z");
    let first_day = clock.now();
    let feed = format!("file:{}", recording.display());
    let app = start_by(Arc::new(clock.clone()), data_dir.path(), &feed).await;
    while get(&app, "/healthz").await["feed"]["status"] != "finished" {
        if clock.now().since(first_day).as_secs() < 3 * 24 * 3_600 {
            clock.forward(HOUR / 30);
        }
    }
    let trades = check_numbers(&app, &clock).await;
    assert!(trades.len() > 9_000, "{}", trades.len());
    // A day and more later memory lets go of all of it.
    clock.forward(HOUR * 26);
    let http = reqwest::Client::new();
    let order = json!({"client_id": "alice", "instrument": "BTC-USD", "side": "buy",
                       "type": "market", "quantity": "0.00001"});
    let base = format!("http://{}", app.address());
    assert_eq!(place(http, base, order).await["status"], "filled");
    check_numbers(&app, &clock).await;
    app.stop().await;
    let app = start_by(Arc::new(clock.clone()), data_dir.path(), "off").await;
    let trades = check_numbers(&app, &clock).await;
    let days: BTreeMap<String, ()> = trades
        .iter()
        .map(|trade| (trade.time.format("%Y-%m-%d").to_string(), ()))
        .collect();
    clock.forward(HOUR * 24);
    for day in days.keys() {
        let path = format!("/settlements/{day}");
        let settlement = get_until(&app, &path, |answer| answer["lines"].is_array()).await;
        let expected = naive::lines(&trades, day, "BTC-USD", owner);
        assert_eq!(settlement["lines"], json!(expected), "{day}");
    }
    app.stop().await;
}

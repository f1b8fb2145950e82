//! Candles, windows and positions equal what the exchange's own trades come to.

use std::time::Duration;

use serde_json::{Value, json};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::naive::{self, NaiveTrade};
use shardbook_test_support::random::Random;

use crate::support::{Reply, TestApp};

const INSTRUMENTS: [&str; 2] = ["BTC-USD", "ETH-USD"];
const CLIENTS: [&str; 4] = ["alice", "bob", "carol", "dave"];
const INTERVALS: [(&str, i64); 5] = [
    ("1m", 1),
    ("5m", 5),
    ("15m", 15),
    ("1h", 60),
    ("1d", 24 * 60),
];
const WINDOWS: [(&str, i64); 5] = [
    ("1m", 1),
    ("5m", 5),
    ("90m", 90),
    ("7h", 7 * 60),
    ("24h", 24 * 60),
];

/// All trades of an instrument, oldest first.
pub(crate) async fn all_trades(app: &TestApp, instrument: &str) -> Vec<NaiveTrade> {
    let (mut newest_first, mut before) = (Vec::<Value>::new(), String::new());
    loop {
        let path = format!("/trades?instrument={instrument}&limit=100{before}");
        let page = app.get_projected(&path).await.body;
        let Some(last) = page.as_array().unwrap().last() else {
            return naive::read(&newest_first);
        };
        before = format!("&before={}", last["trade_id"].as_str().unwrap());
        newest_first.extend(page.as_array().unwrap().clone());
    }
}

/// Trades on both instruments, several at a time and up to `minutes_max` between them.
pub(crate) async fn trade(
    app: &TestApp,
    clock: &TestClock,
    random: &mut Random,
    (times, minutes_max): (u32, u64),
) {
    for _ in 0..times {
        clock.forward(Duration::from_micros(
            random.below(minutes_max * 60_000_000),
        ));
        let instrument = INSTRUMENTS[usize::try_from(random.below(2)).unwrap()];
        let mut client = || CLIENTS[usize::try_from(random.below(4)).unwrap()];
        let (maker, taker) = (client(), client());
        let side = ["buys", "sells"][usize::try_from(random.below(2)).unwrap()];
        let other = if side == "buys" { "sells" } else { "buys" };
        let (lots, cents) = (random.below(900) + 100, 10_000 + random.below(40) * 5);
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        let here = json!({"instrument": instrument});
        for words in [
            format!("{maker} {side} {}.{:03} @ {price}", lots / 100, lots % 100),
            format!("{maker} {side} 0.200 @ {price}"),
            format!("{taker} {other} 9.5"),
        ] {
            let placed = app.place(&words, here.clone()).await;
            assert_eq!(placed.status, 201, "{words}: {}", placed.text);
            clock.forward(Duration::from_micros(random.below(500)));
        }
    }
}

/// Every number that the exchange tells of its trades is the one counted over them.
async fn check(app: &TestApp, today: &str) {
    for instrument in INSTRUMENTS {
        let trades = all_trades(app, instrument).await;
        for (interval, minutes) in INTERVALS {
            let all = format!("/analytics/candles?instrument={instrument}&interval={interval}");
            let expected = naive::candles(&trades, minutes);
            let candles = app.get_projected(&format!("{all}&limit=1000")).await;
            assert_eq!(candles.body, json!(expected), "{interval} of {instrument}");
            check_part(app, &all, &expected).await;
        }
        for (window, minutes) in WINDOWS {
            let path = format!("/analytics/vwap?instrument={instrument}&window={window}");
            let answer = app.get(&path).await.body;
            assert_eq!(answer["window"], window);
            naive::check_vwap(&trades, minutes, &answer);
        }
        let path = format!("/analytics/ticker?instrument={instrument}");
        naive::check_ticker(&trades, &app.get(&path).await.body);
        // With one order an id names one client.
        let owners = owners(app, instrument, &trades).await;
        for client in CLIENTS {
            let lines = naive::lines(&trades, today, instrument, |order| owners(order));
            let expected = lines.iter().find(|line| line["client_id"] == client);
            let positions = app.get(&format!("/positions/{client}")).await.body;
            let mut positions = positions.as_array().unwrap().iter();
            let told = positions.find(|line| line["instrument"] == instrument);
            assert_eq!(told, expected, "{client} on {instrument}");
        }
    }
}

/// A part of the candles, by both bounds and by how many.
async fn check_part(app: &TestApp, all: &str, expected: &[Value]) {
    let (third, last) = (expected.len() / 3, expected.len() - 1);
    let time = |at: usize| expected[at]["open_time"].as_str().unwrap();
    let path = format!("{all}&from={}&to={}", time(third), time(last));
    let part = app.get_projected(&path).await.body;
    let part = part.as_array().unwrap();
    assert_eq!(
        part[..],
        expected[third.max(last.saturating_sub(500))..last]
    );
    let newest = app.get_projected(&format!("{all}&limit=2")).await.body;
    let newest = newest.as_array().unwrap();
    assert_eq!(newest[..], expected[last.saturating_sub(1)..]);
}

/// Whose each order is.
pub(crate) async fn owners(
    app: &TestApp,
    instrument: &str,
    trades: &[NaiveTrade],
) -> impl Fn(&str) -> String {
    let mut owners = std::collections::HashMap::new();
    for order in trades.iter().flat_map(|trade| [&trade.buy, &trade.sell]) {
        if !owners.contains_key(order) {
            let path = format!("/orders/{order}?instrument={instrument}");
            let owner = app.get_projected(&path).await.body["client_id"].clone();
            owners.insert(order.clone(), owner.as_str().unwrap().to_owned());
        }
    }
    move |order| owners[order].clone()
}

#[tokio::test]
async fn every_number_is_that_of_the_trades_from_memory_after_a_restart_and_from_the_database() {
    let clock = TestClock::at("2026-01-30T09:00:00Z");
    let app = TestApp::start_by(&clock, "").await;
    let mut random = Random::seeded(0x5DEE_CE66);
    // All of it within what memory holds, and no day ends.
    trade(&app, &clock, &mut random, (40, 6)).await;
    check(&app, "2026-01-30").await;
    let app = app.restart().await;
    check(&app, "2026-01-30").await;
    // Three days: memory lets go of the first.
    trade(&app, &clock, &mut random, (60, 140)).await;
    clock.set("2026-02-04T00:30:00Z");
    trade(&app, &clock, &mut random, (5, 6)).await;
    check(&app, "2026-02-04").await;
    let app = app.restart().await;
    check(&app, "2026-02-04").await;
    app.stop().await;
}

#[tokio::test]
async fn an_interval_begins_with_its_first_microsecond() {
    let clock = TestClock::at("2026-01-30T23:59:59.999999Z");
    let app = TestApp::start_by(&clock, "").await;
    app.placed("alice sells 1 @ 100.00").await;
    app.placed("bob buys 0.25 @ 100.00").await;
    clock.set("2026-01-31T00:00:00Z");
    app.placed("bob buys 0.5 @ 100.00").await;
    for interval in ["1m", "1d"] {
        let path = format!("/analytics/candles?interval={interval}");
        let candles = app.get(&path).await.body;
        let volumes: Vec<_> = candles
            .as_array()
            .unwrap()
            .iter()
            .map(|candle| candle["volume"].as_str().unwrap())
            .collect();
        assert_eq!(volumes, ["0.25000", "0.50000"], "{interval}");
        assert_eq!(candles[1]["open_time"], "2026-01-31T00:00:00.000000Z");
    }
    let bob = app.get("/positions/bob").await.body;
    assert_eq!(bob[0]["bought_quantity"], "0.50000", "{bob}");
    app.stop().await;
}

#[tokio::test]
async fn without_trades_there_is_nothing_to_tell() {
    let clock = TestClock::at("2026-01-30T12:00:30Z");
    let app = TestApp::start_by(&clock, "").await;
    app.placed("alice sells 1 @ 100.00").await;
    let vwap = app.get("/analytics/vwap?window=24h").await.body;
    assert_eq!(
        vwap,
        json!({"instrument": "BTC-USD", "window": "24h", "from": "2026-01-29T12:00:00.000000Z",
               "to": "2026-01-30T12:00:30.000000Z", "vwap": null, "volume": "0.00000",
               "notional": "0.0000000", "trade_count": 0})
    );
    assert_eq!(app.get("/analytics/candles").await.body, json!([]));
    let ticker = app.get("/analytics/ticker").await.body;
    assert_eq!(ticker["last"], Value::Null);
    assert_eq!(
        (&ticker["best_bid"], &ticker["best_ask"]),
        (&Value::Null, &json!("100.00"))
    );
    assert_eq!(app.get("/positions/alice").await.body, json!([]));
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_window_interval_or_time_is_refused() {
    let app = TestApp::start().await;
    for path in [
        "/analytics/vwap?window=0m",
        "/analytics/vwap?window=25h",
        "/analytics/vwap?window=5",
        "/analytics/candles?interval=2m",
        "/analytics/candles?from=yesterday",
        "/analytics/candles?limit=1001",
    ] {
        assert_eq!(
            app.get(path).await.problem(),
            (400, "invalid_parameter"),
            "{path}"
        );
    }
    let ever = app
        .get("/analytics/candles?from=0001-01-01T00:00:00Z")
        .await;
    assert_eq!(ever.status, 200, "{}", ever.text);
    let nobody = app.get("/positions/a%20b").await;
    assert_eq!(nobody.problem(), (404, "not_found"));
    let unknown = app.get("/analytics/ticker?instrument=XYZ").await;
    assert_eq!(unknown.problem(), (404, "unknown_instrument"));
    app.stop().await;
}

pub(crate) async fn as_csv(app: &TestApp, path: &str) -> Reply {
    let request = app.request(reqwest::Method::GET, path);
    Reply::of(request.header("Accept", "text/csv")).await
}

/// A file of CSV without quotes, as the JSON that has the same in it.
pub(crate) fn rows(csv: &str) -> Vec<Value> {
    let mut lines = csv.lines();
    let columns: Vec<_> = lines.next().unwrap().split(',').collect();
    let rows = lines.map(|line| {
        let fields = columns.iter().zip(line.split(','));
        let fields = fields.map(|(column, text)| {
            let is_number = ["trade_count", "sequence"].contains(column);
            let value = if is_number {
                json!(text.parse::<u64>().unwrap())
            } else {
                json!(text)
            };
            ((*column).to_owned(), value)
        });
        Value::Object(fields.collect())
    });
    rows.collect()
}

#[tokio::test]
async fn trades_and_candles_are_csv_for_who_asks_for_it() {
    let clock = TestClock::at("2026-01-30T09:00:00Z");
    let app = TestApp::start_by(&clock, "").await;
    for path in ["/trades", "/analytics/candles"] {
        let empty = as_csv(&app, path).await;
        assert_eq!(empty.text.lines().count(), 1, "{}", empty.text);
    }
    trade(&app, &clock, &mut Random::seeded(7), (10, 6)).await;
    for path in ["/trades?limit=1000", "/analytics/candles?interval=5m"] {
        let json = app.get(path).await;
        let csv = as_csv(&app, path).await;
        assert_eq!(csv.status, 200);
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(csv.header("vary"), "accept");
        assert!(!json.body.as_array().unwrap().is_empty());
        assert_eq!(json!(rows(&csv.text)), json.body, "{path}");
        let neither = app
            .request(reqwest::Method::GET, path)
            .header("Accept", "image/png");
        let neither = Reply::of(neither).await;
        assert_eq!(neither.problem(), (406, "not_acceptable"));
    }
    app.stop().await;
}

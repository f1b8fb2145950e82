//! The largest trades there can be, many times a day: nothing overflows, and every digit is told.

use serde_json::{Value, json};
use shardbook_test_support::clock::TestClock;

use crate::analytics::{as_csv, rows};
use crate::clearing::settled_by_itself;
use crate::support::TestApp;

/// An instrument whose tick and lot have as many units of their last digit as there may be.
const LARGEST: &str = r#"
    [[instruments]]
    symbol = "LARGEST"
    tick_size = "1.000000"
    lot_size = "1.000000"
"#;

/// A price of 10^12 ticks and a quantity of 10^12 lots: the most there may be.
const MOST: &str = "1000000000000.000000";

/// Trades in one batch. The notional of one is 10^36 units of its last digit: of 171 it leaves
/// `i128`, of 341 `u128`.
const BATCH: usize = 250;

/// Has alice sell bob as much as there can be, so many times.
async fn trade(app: &TestApp, times: usize) {
    let order = |client: &str, side: &str| {
        json!({"client_id": client, "instrument": "LARGEST", "side": side, "type": "limit",
               "price": MOST, "quantity": MOST})
    };
    let orders: Vec<_> = (0..times)
        .flat_map(|_| [order("alice", "sell"), order("bob", "buy")])
        .collect();
    let placed = app.post("/orders/batch", &json!({"orders": orders})).await;
    for result in placed.body["results"].as_array().unwrap() {
        assert_eq!(result["status"], 201, "{result}");
    }
}

/// So many trades' quantity.
fn volume(trades: usize) -> String {
    format!("{trades}{}.{}", "0".repeat(12), "0".repeat(6))
}

/// And what it costs.
fn notional(trades: usize) -> String {
    format!("{trades}{}.{}", "0".repeat(24), "0".repeat(12))
}

fn line(client: &str, trades: usize) -> Value {
    let (nothing, free) = ("0.000000", "0.000000000000");
    let (much, dear) = (volume(trades), notional(trades));
    let line = |(bought, paid): (&str, &str), (sold, received): (&str, &str), signs: [&str; 2]| {
        json!({
            "client_id": client, "instrument": "LARGEST",
            "bought_quantity": bought, "sold_quantity": sold,
            "bought_notional": paid, "sold_notional": received,
            "net_quantity": format!("{}{much}", signs[0]),
            "net_cash": format!("{}{dear}", signs[1]),
            "trade_count": trades,
        })
    };
    match client {
        "bob" => line((&much, &dear), (nothing, free), ["", "-"]),
        _ => line((nothing, free), (&much, &dear), ["-", ""]),
    }
}

fn candle(open_time: &str, trades: usize) -> Value {
    json!({
        "open_time": open_time, "open": MOST, "high": MOST, "low": MOST, "close": MOST,
        "volume": volume(trades), "notional": notional(trades),
        "vwap": format!("{MOST}0000"), "trade_count": trades,
    })
}

async fn check_candles(app: &TestApp, interval: &str, expected: &[Value]) {
    let path = format!("/analytics/candles?instrument=LARGEST&interval={interval}");
    assert_eq!(app.get_projected(&path).await.body, json!(expected));
    let csv = as_csv(app, &path).await;
    assert_eq!(json!(rows(&csv.text)), json!(expected), "as CSV");
}

/// What is told of so many trades at noon.
async fn check(app: &TestApp, trades: usize) {
    for client in ["alice", "bob"] {
        let positions = app.get(&format!("/positions/{client}")).await.body;
        assert_eq!(positions, json!([line(client, trades)]));
    }
    for (path, sums) in [
        (
            "/analytics/vwap?window=5m&instrument=LARGEST",
            ["vwap"].as_slice(),
        ),
        (
            "/analytics/ticker?instrument=LARGEST",
            &["last", "open", "high", "low"],
        ),
    ] {
        let answer = app.get(path).await.body;
        assert_eq!(answer["volume"], volume(trades), "{path}");
        assert_eq!(answer["notional"], notional(trades), "{path}");
        assert_eq!(answer["trade_count"], trades, "{path}");
        for field in sums {
            let told = answer[field].as_str().unwrap();
            assert_eq!(told.trim_end_matches('0'), "1000000000000.", "{field}");
        }
    }
    check_candles(app, "1m", &[candle("2026-01-30T12:00:00.000000Z", trades)]).await;
    check_candles(app, "1d", &[candle("2026-01-30T00:00:00.000000Z", trades)]).await;
}

#[tokio::test]
async fn the_largest_trades_are_told_with_every_digit() {
    let clock = TestClock::at("2026-01-30T12:00:00Z");
    let app = TestApp::start_by(&clock, LARGEST).await;
    trade(&app, BATCH).await;
    check(&app, BATCH).await;
    trade(&app, BATCH).await;
    check(&app, 2 * BATCH).await;
    let app = app.restart().await;
    check(&app, 2 * BATCH).await;
    clock.set("2026-01-31T00:00:00Z");
    settled_by_itself(&app, &["2026-01-30"]).await;
    let settlement = app.get("/settlements/2026-01-30").await.body;
    let lines = json!(["alice", "bob"].map(|client| line(client, 2 * BATCH)));
    assert_eq!(settlement["lines"], lines);
    let csv = as_csv(&app, "/settlements/2026-01-30").await;
    assert_eq!(json!(rows(&csv.text)), lines);
    // Memory lets go of the day, and the database tells of it.
    clock.set("2026-02-02T12:00:00Z");
    trade(&app, 1).await;
    let minutes = [
        candle("2026-01-30T12:00:00.000000Z", 2 * BATCH),
        candle("2026-02-02T12:00:00.000000Z", 1),
    ];
    check_candles(&app, "1m", &minutes).await;
    app.stop().await;
}

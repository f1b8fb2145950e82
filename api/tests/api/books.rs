//! What everyone can read: the book, the trades, the instruments, and how the exchange is doing.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::support::{TestApp, order_of};

#[tokio::test]
async fn the_book_shows_levels_totals_spread_and_middle() {
    let app = TestApp::start().await;
    let empty = app.get("/orderbook").await.body;
    assert_eq!(empty["spread"], json!(null));
    assert_eq!(empty["bids"], json!([]));
    for words in [
        "alice buys 0.15 @ 70150",
        "bob buys 0.05 @ 70150",
        "bob buys 1 @ 70149.99",
        "carol sells 2 @ 70151.01",
    ] {
        app.placed(words).await;
    }
    let book = app.get("/orderbook?levels=1").await.body;
    let level = |price: &str, quantity: &str, orders: u64| json!([{"price": price, "quantity": quantity, "orders": orders, "cumulative_quantity": quantity}]);
    assert_eq!(book["sequence"], 4);
    assert_eq!(book["bids"], level("70150.00", "0.20000", 2));
    assert_eq!(book["asks"], level("70151.01", "2.00000", 1));
    assert_eq!(
        book["totals"]["bids"],
        json!({"levels": 2, "orders": 3, "quantity": "1.20000"})
    );
    assert_eq!(book["spread"], "1.01");
    assert_eq!(book["mid_price"], "70150.505");
    let whole = app.get("/orderbook?instrument=BTC-USD").await.body;
    assert_eq!(whole["bids"][1]["cumulative_quantity"], "1.20000");
    app.stop().await;
}

#[tokio::test]
async fn trades_come_newest_first_and_page_by_page() {
    let app = TestApp::start().await;
    app.placed("bob sells 1 @ 100").await;
    for _ in 0..5 {
        app.placed("alice buys 0.1").await;
    }
    let ids = |trades: &Value| -> Vec<_> {
        let trades = trades.as_array().unwrap().iter();
        trades
            .map(|trade| trade["trade_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let newest = app.get("/trades?limit=2").await.body;
    assert_eq!(ids(&newest), ["BTC-USD-5", "BTC-USD-4"]);
    let older = app.get("/trades?limit=2&before=BTC-USD-4").await.body;
    assert_eq!(ids(&older), ["BTC-USD-3", "BTC-USD-2"]);
    assert_eq!(
        ids(&app.get("/trades?before=BTC-USD-1").await.body),
        [""; 0]
    );
    assert_eq!(
        ids(&app.get("/trades?instrument=ETH-USD").await.body),
        [""; 0]
    );
    app.stop().await;
}

#[tokio::test]
async fn trades_that_memory_let_go_of_come_from_the_database() {
    let app = TestApp::start().await;
    app.placed("bob sells 1 @ 100").await;
    let orders = json!({"orders": vec![order_of("alice buys 0.00001", json!({})); 400]});
    for _ in 0..3 {
        assert_eq!(app.post("/orders/batch", &orders).await.status, 200);
    }
    for (path, newest, count) in [
        ("/trades?limit=20&before=BTC-USD-50", 49, 20),
        ("/trades?limit=1000&before=BTC-USD-210", 209, 209),
        ("/trades?before=BTC-USD-2", 1, 1),
    ] {
        let page = app.get_projected(path).await.body;
        let ids: Vec<_> = page
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["trade_id"].clone())
            .collect();
        let expected: Vec<_> = (0..count)
            .map(|n| json!(format!("BTC-USD-{}", newest - n)))
            .collect();
        assert_eq!(ids, expected, "{path}");
    }
    app.stop().await;
}

#[tokio::test]
async fn instruments_show_their_rules() {
    let app = TestApp::start().await;
    let all = app.get("/instruments").await.body;
    let expected = json!([
        {"symbol": "BTC-USD", "tick_size": "0.01", "lot_size": "0.00001", "min_quantity": "0.00001",
         "max_quantity": "10000000.00000", "min_notional": null, "price_band": null,
         "status": "trading"},
        {"symbol": "ETH-USD", "tick_size": "0.05", "lot_size": "0.001", "min_quantity": "0.010",
         "max_quantity": "1000.000", "min_notional": "10.00000", "price_band": "10.00",
         "status": "trading"}
    ]);
    assert_eq!(all, expected);
    assert_eq!(app.get("/instruments/ETH-USD").await.body, expected[1]);
    app.stop().await;
}

#[tokio::test]
async fn health_names_every_part() {
    let app = TestApp::start().await;
    let reply = app.get("/healthz").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["status"], "ok");
    assert_eq!(reply.body["journal"]["status"], "ok");
    assert_eq!(reply.body["database"]["status"], "up");
    assert_eq!(
        reply.body["shards"],
        json!({"BTC-USD": "running", "ETH-USD": "running"})
    );
    assert_eq!(reply.body["feed"]["status"], "off");
    app.stop().await;
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let app = TestApp::start().await;
    app.placed("bob sells 1 @ 100 as b1").await;
    app.placed("alice buys 0.4 @ 100").await;
    app.placed("alice buys 0.4 @ 100").await;
    let key = json!({"idempotency_key": "k"});
    app.place("alice buys 1 @ 90", key.clone()).await;
    app.place("alice buys 1 @ 90", key).await;
    app.place("alice buys 1 @ 100", json!({"time_in_force": "fok"}))
        .await;
    app.place("alice buys 0 @ 100", json!({})).await;
    app.place("alice buys 1 @ 100", json!({"instrument": "DOGE-USD"}))
        .await;
    let text = app.get("/metrics").await.text;
    let figures: BTreeMap<_, _> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .collect();
    let rows = [
        ("orders_received_total{instrument=\"BTC-USD\"}", "5"),
        ("orders_matched_total{instrument=\"BTC-USD\"}", "3"),
        ("trades_total{instrument=\"BTC-USD\"}", "2"),
        (
            "orders_rejected_total{instrument=\"BTC-USD\",reason=\"fok_not_fillable\"}",
            "1",
        ),
        (
            "orders_rejected_total{instrument=\"BTC-USD\",reason=\"invalid_order\"}",
            "1",
        ),
        (
            "orders_rejected_total{instrument=\"unknown\",reason=\"unknown_instrument\"}",
            "1",
        ),
        (
            "current_orderbook_depth{instrument=\"BTC-USD\",side=\"ask\"}",
            "1",
        ),
        (
            "current_orderbook_depth{instrument=\"BTC-USD\",side=\"bid\"}",
            "1",
        ),
        ("order_latency_seconds_count{instrument=\"BTC-USD\"}", "6"),
        ("shard_queue_length{instrument=\"BTC-USD\"}", "0"),
    ];
    for (name, expected) in rows {
        assert_eq!(
            figures.get(name).copied(),
            Some(expected),
            "{name} in\n{text}"
        );
    }
    let names = [
        "journal_flush_seconds_count",
        "journal_batch_records_count",
        "projection_lag_records",
        "projection_lag_seconds",
        "stream_subscribers",
        "feed_messages_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
    ];
    for name in names {
        assert!(figures.contains_key(name), "{name} in\n{text}");
    }
    app.stop().await;
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let app = TestApp::start().await;
    assert_eq!(
        app.get("/openapi.json").await.body["info"]["title"],
        "Shardbook"
    );
    assert!(
        app.get("/openapi.yaml")
            .await
            .text
            .starts_with("openapi: 3.0")
    );
    let page = app.get("/docs").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.contains("place_order"));
    app.stop().await;
}

/// Makers at one price, from as many clients at once.
const MAKERS: usize = 1_000;

#[tokio::test]
async fn a_thousand_makers_at_one_price_are_filled_in_the_order_of_their_sequence() {
    let app = TestApp::start().await;
    let placing = stream::iter(0..MAKERS).map(|number| {
        let words = format!("maker-{number} sells 0.001 @ 100 as m{number}");
        let app = &app;
        async move { app.placed(&words).await["sequence"].as_u64().unwrap() }
    });
    let mut sequences: Vec<_> = placing.buffer_unordered(64).collect().await;
    let book = app.get("/orderbook").await.body;
    assert_eq!(book["asks"][0]["quantity"], "1.00000");
    assert_eq!(book["asks"][0]["orders"], MAKERS);
    let mut makers = Vec::new();
    for _ in 0..10 {
        let taker = app.placed("taker buys 0.1").await;
        assert_eq!(taker["filled_quantity"], "0.10000");
        for trade in taker["trades"].as_array().unwrap() {
            assert_eq!(trade["quantity"], "0.00100");
            makers.push(trade["sell_order_id"].as_str().unwrap().to_owned());
        }
    }
    let mut filled = Vec::new();
    for maker in makers {
        let order = app.get(&format!("/orders/{maker}")).await.body;
        assert_eq!(order["status"], "filled");
        filled.push(order["sequence"].as_u64().unwrap());
    }
    sequences.sort_unstable();
    assert_eq!(filled, sequences);
    assert_eq!(
        app.get("/orderbook").await.body["totals"]["asks"]["orders"],
        0
    );
    let more = app.placed("taker buys 0.1").await;
    assert_eq!(
        (&more["status"], &more["reason"]),
        (&json!("rejected"), &json!("no_liquidity"))
    );
    app.stop().await;
}

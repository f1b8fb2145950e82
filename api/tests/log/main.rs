//! What the real binary's log tells of orders and requests, followed by their ids.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod server;

use futures::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use server::{Server, order};

fn is_of(line: &Value, target: &str) -> bool {
    line["target"] == target
}

fn failed_at(path: &str) -> impl Fn(&Value) -> bool {
    move |line| is_of(line, "shardbook::requests") && line["fields"]["path"] == path
}

/// What the lines say of one order, a field's value for each of `fields`.
fn story(lines: &[Value], order_id: &str, fields: &[&str]) -> Vec<String> {
    let about = lines
        .iter()
        .filter(|line| is_of(line, "shardbook::orders") && line["fields"]["order_id"] == order_id);
    let value = |line: &Value, field: &str| {
        let value = &line["fields"][field];
        if value.is_null() {
            return "-".to_owned();
        }
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let told = about.map(|line| {
        let values: Vec<_> = fields.iter().map(|field| value(line, field)).collect();
        values.join(" | ")
    });
    told.collect()
}

fn assert_keeps_secrets(lines: &[Value]) {
    let all = serde_json::to_string(lines).unwrap();
    for secret in ["key-of-", "an-access-key", "a-ticket"] {
        assert!(!all.contains(secret), "{secret} is in {all}");
    }
}

/// Something of everything that is told.
async fn trade_and_be_refused(server: &Server) {
    let (limit, more) = (Some("100.00"), Some("101.00"));
    assert_eq!(
        server.place("ask-1", "alice", "sell", limit, "1").await,
        201
    );
    assert_eq!(server.place("bid-1", "bob", "buy", more, "0.4").await, 201);
    assert_eq!(server.place("bid-1", "bob", "buy", limit, "0.4").await, 422);
    let cancel = "/orders/ask-1/cancel";
    assert_eq!(server.send(Method::POST, cancel, None).await, 200);
    assert_eq!(
        server.place("market-1", "carol", "buy", None, "1").await,
        201
    );
    let off_tick = Some("100.005");
    assert_eq!(
        server.place("bad-1", "dave", "buy", off_tick, "1").await,
        422
    );
    assert_eq!(server.place("bid-2", "bob", "buy", limit, "2").await, 201);
    let less = Some(json!({"quantity": "1.5"}));
    assert_eq!(server.send(Method::PATCH, "/orders/bid-2", less).await, 200);
    let cancel = "/orders/none-1/cancel";
    assert_eq!(server.send(Method::POST, cancel, None).await, 404);
    let read = "/orders/none-2?ticket=a-ticket";
    assert_eq!(server.send(Method::GET, read, None).await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_can_be_followed_through_the_log_by_its_id() {
    let directory = TempDir::new().unwrap();
    let server = Server::start(directory.path(), &[]);
    trade_and_be_refused(&server).await;
    let lines = server.lines_until(failed_at("/orders/none-2"));
    let told = |id: &str, fields: &[&str]| story(&lines, id, fields);
    assert_eq!(
        told(
            "ask-1",
            &["message", "client_id", "sequence", "trades", "reason"]
        ),
        [
            "order accepted | alice | 1 | - | -",
            "order matched | alice | 2 | BTC-USD-1 0.40000 @ 100.00 | -",
            "order cancelled | alice | 3 | - | requested",
        ]
    );
    assert_eq!(
        told(
            "bid-1",
            &[
                "message",
                "instrument",
                "sequence",
                "trades",
                "status",
                "code"
            ]
        ),
        [
            "order accepted | BTC-USD | 2 | - | filled | -",
            "order matched | BTC-USD | 2 | BTC-USD-1 0.40000 @ 100.00 | filled | -",
            "order call refused | BTC-USD | - | - | 422 | idempotency_key_reused",
        ]
    );
    assert_eq!(
        told("market-1", &["message", "client_id", "reason", "sequence"]),
        ["order rejected | carol | no_liquidity | 4"]
    );
    assert_eq!(
        told("bad-1", &["message", "call", "client_id", "status", "code"]),
        ["order call refused | place | dave | 422 | invalid_order"]
    );
    assert_eq!(
        told("bid-2", &["message", "quantity", "sequence"]),
        [
            "order accepted | 2.00000 | 5",
            "order amended | 1.50000 | 6"
        ]
    );
    assert_eq!(
        told("none-1", &["message", "call", "code"]),
        ["order call refused | cancel | order_not_found"]
    );
    let failed = lines
        .iter()
        .filter(|line| is_of(line, "shardbook::requests"));
    let failed: Vec<_> = failed.map(|line| &line["fields"]).collect();
    assert_eq!(
        failed,
        [&json!({
            "message": "request refused", "method": "GET", "path": "/orders/none-2",
            "status": 404, "code": "order_not_found"
        })],
        "what was told as an order's refusal is told once"
    );
    assert_keeps_secrets(&lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_an_order_meets_at_once_stands_in_one_line() {
    let directory = TempDir::new().unwrap();
    let server = Server::start(directory.path(), &[]);
    for (id, side, price, quantity) in [
        ("ask-1", "sell", "100.00", "0.4"),
        ("ask-2", "sell", "100.01", "0.6"),
        ("sweep", "buy", "101.00", "1"),
    ] {
        let placed = server.place(id, "alice", side, Some(price), quantity);
        assert_eq!(placed.await, 201);
    }
    assert_eq!(server.send(Method::GET, "/nowhere", None).await, 404);
    let lines = server.lines_until(failed_at("/nowhere"));
    assert_eq!(
        story(&lines, "sweep", &["message", "trades"]),
        [
            "order accepted | -",
            "order matched | BTC-USD-1 0.40000 @ 100.00, BTC-USD-2 0.60000 @ 100.01",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feeds_orders_are_told_to_those_alone_who_ask_for_them() {
    for (filter, is_told) in [("info", false), ("info,shardbook::orders=debug", true)] {
        let directory = TempDir::new().unwrap();
        let more = [format!("--log-filter={filter}")];
        let server = Server::start_fed(directory.path(), "simulated", &[&more[0]]);
        let trades = || async {
            let trades = server.http.get(format!("{}/trades?limit=1", server.base));
            trades.send().await.unwrap().text().await.unwrap()
        };
        while trades().await == "[]" {}
        let placed = server.place("mine", "alice", "buy", Some("1.00"), "1");
        assert_eq!(placed.await, 201);
        let lines = server.terminate();
        assert_eq!(story(&lines, "mine", &["message"]), ["order accepted"]);
        let of_feed = lines.iter().filter(|line| {
            let client = line["fields"]["client_id"].as_str();
            is_of(line, "shardbook::orders") && client == Some("binance-trades")
        });
        let levels: Vec<_> = of_feed.map(|line| line["level"].clone()).collect();
        assert_eq!(!levels.is_empty(), is_told, "{filter}");
        assert!(levels.iter().all(|level| level == "DEBUG"), "{levels:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websockets_orders_are_told_like_any_and_a_refusal_once() {
    let directory = TempDir::new().unwrap();
    let server = Server::start(directory.path(), &[]);
    let url = server.base.replace("http", "ws") + "/stream";
    let (mut socket, _) = connect_async(url).await.unwrap();
    let frames = [
        json!({"op": "place", "id": 1, "order": order("a-1", "alice", "sell", Some("100.00"), "1")}),
        json!({"op": "place", "id": 2, "order": order("a-2", "alice", "sell", Some("0"), "1")}),
        json!({"op": "amend", "id": 3, "order_id": "a-3", "quantity": "1"}),
    ];
    for frame in frames {
        socket.send(Message::text(frame.to_string())).await.unwrap();
        socket.next().await.unwrap().unwrap();
    }
    let batch = json!({"orders": [order("a-4", "alice", "sell", Some("0"), "1")]});
    assert_eq!(
        server
            .send(Method::POST, "/orders/batch", Some(batch))
            .await,
        200
    );
    assert_eq!(server.send(Method::GET, "/nowhere", None).await, 404);
    let lines = server.lines_until(failed_at("/nowhere"));
    let told = |id: &str| story(&lines, id, &["message", "call", "code"]);
    assert_eq!(told("a-1"), ["order accepted | - | -"]);
    assert_eq!(told("a-2"), ["order call refused | place | invalid_order"]);
    assert_eq!(
        told("a-3"),
        ["order call refused | amend | order_not_found"]
    );
    assert_eq!(told("a-4"), ["order call refused | place | invalid_order"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_after_a_crash_does_not_tell_again_what_it_replays() {
    let directory = TempDir::new().unwrap();
    let server = Server::start(directory.path(), &[]);
    assert_eq!(
        server
            .place("before", "alice", "sell", Some("100.00"), "1")
            .await,
        201
    );
    drop(server);
    let server = Server::start(directory.path(), &[]);
    assert_eq!(
        server
            .place("after", "bob", "buy", Some("100.00"), "1")
            .await,
        201
    );
    let lines = server.terminate();
    let before = story(&lines, "before", &["message", "status"]);
    assert_eq!(before, ["order matched | filled"]);
    let after = story(&lines, "after", &["message"]);
    assert_eq!(after, ["order accepted", "order matched"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_second_has_no_room_for_is_left_out_and_counted() {
    const ORDERS: u64 = 40;
    let directory = TempDir::new().unwrap();
    let server = Server::start(directory.path(), &["--log-lines-per-second=3"]);
    for n in 0..ORDERS {
        let id = format!("order-{n}");
        assert_eq!(
            server.place(&id, "alice", "buy", Some("100.00"), "1").await,
            201
        );
    }
    let metrics = server.http.get(format!("{}/metrics", server.base)).send();
    let metrics = metrics.await.unwrap().text().await.unwrap();
    assert!(metrics.contains("# TYPE log_lines_left_out_total counter"));
    let lines = server.terminate();
    let told = |message: &str| {
        let of = lines.iter().filter(|line| is_of(line, "shardbook::orders"));
        let of = of.filter(|line| {
            line["fields"]["message"]
                .as_str()
                .unwrap()
                .starts_with(message)
        });
        of.cloned().collect::<Vec<_>>()
    };
    let written = u64::try_from(told("order accepted").len()).unwrap();
    let left_out = told("lines were left out");
    let left_out: u64 = left_out
        .iter()
        .map(|line| line["fields"]["lines"].as_u64().unwrap())
        .sum();
    assert!(written >= 3);
    assert!(left_out > 0, "{written} were written");
    assert_eq!(written + left_out, ORDERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_filter_turns_off_is_not_told() {
    let directory = TempDir::new().unwrap();
    let server = Server::start(
        directory.path(),
        &["--log-filter=info,shardbook::orders=off"],
    );
    assert_eq!(
        server
            .place("a-1", "alice", "sell", Some("100.00"), "1")
            .await,
        201
    );
    assert_eq!(
        server.place("a-2", "alice", "sell", Some("0"), "1").await,
        422
    );
    assert_eq!(server.send(Method::GET, "/nowhere", None).await, 404);
    let lines = server.lines_until(failed_at("/nowhere"));
    assert!(!lines.iter().any(|line| is_of(line, "shardbook::orders")));
}

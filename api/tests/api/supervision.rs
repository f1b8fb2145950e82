//! Halts, and shards that panic.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, order_of};

const FAULTS: &str = "fault_injection = true";

const CLIENTS: u64 = 4;
const ORDERS: u64 = 40;

async fn admin(app: &TestApp, what: &str) -> Reply {
    let path = format!("/admin/instruments/{what}");
    Reply::of(app.request(Method::POST, &path)).await
}

async fn inject(app: &TestApp, fault: Value) {
    let reply = app.post("/admin/faults/panic", &fault).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    assert_eq!(reply.body, json!({"instrument": "BTC-USD"}));
}

/// Sends an order again for as long as its instrument restarts.
async fn insist(app: &TestApp, order: &Value) -> Reply {
    loop {
        let reply = app.post("/orders", order).await;
        if reply.problem() != (503, "shard_restarting") {
            return reply;
        }
    }
}

async fn shard(app: &TestApp, symbol: &str) -> Value {
    app.get("/healthz").await.body["shards"][symbol].clone()
}

async fn restarts(app: &TestApp, symbol: &str) -> u64 {
    let text = app.get("/metrics").await.text;
    let series = format!("shard_restarts_total{{instrument=\"{symbol}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    line.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn a_halted_instrument_takes_cancels_only_until_it_is_resumed() {
    let mut app = TestApp::start().await;
    app.placed("alice buys 1 @ 100 as a1").await;
    for _ in 0..2 {
        let halted = admin(&app, "BTC-USD/halt").await;
        assert_eq!(halted.status, 200);
        assert_eq!(halted.body["status"], "halted");
        assert_eq!(halted.body, app.get("/instruments/BTC-USD").await.body);
    }
    app = app.restart().await;
    assert_eq!(shard(&app, "BTC-USD").await, "halted");
    assert_eq!(shard(&app, "ETH-USD").await, "running");
    let statuses = app.get("/instruments").await.body;
    assert_eq!(statuses[0]["status"], "halted");
    assert_eq!(statuses[1]["status"], "trading");
    let rejected = app.place("bob sells 1 @ 100", json!({})).await;
    let reason = "instrument_halted";
    assert_eq!(rejected.order(), (201, "rejected", reason, "0.00000"));
    let amended = app.amend("a1", &json!({"price": "99"})).await;
    assert_eq!(amended.problem(), (409, reason));
    assert_eq!(app.cancel("a1").await.order().1, "cancelled");
    for _ in 0..2 {
        let resumed = admin(&app, "BTC-USD/resume").await;
        assert_eq!(resumed.status, 200);
        assert_eq!(resumed.body["status"], "trading");
    }
    assert_eq!(shard(&app, "BTC-USD").await, "running");
    assert_eq!(app.placed("bob sells 1 @ 100").await["status"], "open");
    let unknown = admin(&app, "DOGE-USD/halt").await;
    assert_eq!(unknown.problem(), (404, "unknown_instrument"));
    app.stop().await;
}

#[tokio::test]
async fn without_fault_injection_there_is_no_such_call() {
    let app = TestApp::start().await;
    let body = json!({"instrument": "BTC-USD"});
    let reply = app.post("/admin/faults/panic", &body).await;
    let elsewhere = app.post("/no/such/call", &body).await;
    assert_eq!(reply.problem(), (404, "not_found"));
    assert_eq!(reply.text, elsewhere.text);
    let options = Reply::of(app.request(Method::OPTIONS, "/admin/faults/panic")).await;
    assert_eq!(options.problem(), (404, "not_found"));
    assert!(
        !app.get("/openapi.json")
            .await
            .text
            .contains("/admin/faults")
    );
    app.stop().await;
}

#[tokio::test]
async fn a_fault_names_its_instrument() {
    let app = TestApp::start_with(FAULTS).await;
    let rows = [
        (json!({}), (422, "invalid_order")),
        (json!({"instrument": 1}), (422, "invalid_order")),
        (
            json!({"instrument": "DOGE-USD"}),
            (422, "unknown_instrument"),
        ),
        (
            json!({"instrument": "BTC-USD", "order_id": ""}),
            (422, "invalid_order"),
        ),
    ];
    for (body, expected) in rows {
        let reply = app.post("/admin/faults/panic", &body).await;
        assert_eq!(reply.problem(), expected, "{body}");
    }
    assert!(
        app.get("/openapi.json")
            .await
            .text
            .contains("/admin/faults")
    );
    app.stop().await;
}

/// A client's order of this number, safe to repeat.
fn keyed(instrument: &str, client: u64, number: u64) -> Value {
    let side = if client.is_multiple_of(2) {
        "buys"
    } else {
        "sells"
    };
    let price = 95 + number % 10;
    let words = format!("c{client} {side} 1 @ {price} as {client}-{number}");
    let key = format!("{client}-{number}");
    let more = json!({"instrument": instrument, "idempotency_key": key});
    order_of(&words, more)
}

/// Places a client's orders on the instrument that crashes, once at an order and once for no
/// reason; tells what was acknowledged.
async fn trade_btc(app: &TestApp, client: u64) -> Vec<Value> {
    let poison = order_of("mallory buys 5 @ 105 as poison", json!({}));
    let mut placed = Vec::new();
    for number in 0..ORDERS {
        if client == 0 && number == ORDERS / 2 {
            let crashed = app.post("/orders", &poison).await;
            assert_eq!(crashed.problem(), (503, "shard_restarting"));
            let refused = insist(app, &poison).await;
            assert_eq!(refused.problem(), (409, "command_refused"));
            inject(app, json!({"instrument": "BTC-USD"})).await;
        }
        let reply = insist(app, &keyed("BTC-USD", client, number)).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        placed.push(reply.body);
    }
    placed
}

/// Places a client's orders on the other instrument; none is sent twice.
async fn trade_eth(app: &TestApp, client: u64) {
    for number in 0..ORDERS {
        let order = keyed("ETH-USD", client, number);
        let reply = app.post("/orders", &order).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_panics_under_load_comes_back_with_all_it_acknowledged() {
    let app = TestApp::start_with(FAULTS).await;
    let fault = json!({"instrument": "BTC-USD", "order_id": "poison"});
    inject(&app, fault).await;
    let (placed, _) = tokio::join!(
        join_all((0..CLIENTS).map(|client| trade_btc(&app, client))),
        join_all((0..CLIENTS).map(|client| trade_eth(&app, client)))
    );

    // Each acknowledged order is there, and its key gives the same answer again.
    let mut sequences = Vec::new();
    for (client, placed) in (0..).zip(placed) {
        for (number, first) in (0..).zip(placed) {
            let again = app.post("/orders", &keyed("BTC-USD", client, number)).await;
            assert_eq!(again.header("idempotency-replayed"), "true");
            assert_eq!(again.body, first);
            let path = format!("/orders/{client}-{number}?instrument=BTC-USD");
            assert_eq!(app.get(&path).await.body["sequence"], first["sequence"]);
            sequences.push(first["sequence"].as_u64().unwrap());
        }
    }
    sequences.sort_unstable();
    let expected: Vec<u64> = (1..=CLIENTS * ORDERS).collect();
    assert_eq!(sequences, expected);
    let trades = app.get("/trades?limit=1000").await.body;
    let trades = trades.as_array().unwrap();
    assert!(!trades.is_empty());
    for (trade, number) in trades.iter().rev().zip(1..) {
        assert_eq!(trade["trade_id"], format!("BTC-USD-{number}"));
    }
    assert_eq!(restarts(&app, "BTC-USD").await, 2);
    assert_eq!(restarts(&app, "ETH-USD").await, 0);
    app.stop().await;
}

/// A checkpoint that nobody can read before someone writes it: whoever opens it waits. When it is
/// dropped, they find that it is none.
struct Held(PathBuf);

impl Held {
    fn put_into(data_dir: &Path) -> Self {
        let name = format!("checkpoints-0/{}.manifest", u64::MAX);
        let file = data_dir.join(name);
        let made = Command::new("mkfifo").arg(&file).status();
        assert!(made.unwrap().success());
        Self(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // For both, as that waits for nobody.
        let both = OpenOptions::new().read(true).write(true).open(&self.0);
        std::fs::remove_file(&self.0).unwrap();
        drop(both);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_restarts_is_told_by_health_and_to_its_clients() {
    let app = TestApp::start_with(FAULTS).await;
    app.placed("alice buys 1 @ 100 as a1").await;
    let held = Held::put_into(&app.data_dir());
    inject(&app, json!({"instrument": "BTC-USD"})).await;

    let health = app.get("/healthz").await;
    assert_eq!(health.status, 200, "other instruments take orders");
    assert_eq!(health.body["status"], "degraded");
    assert_eq!(
        health.body["shards"],
        json!({"BTC-USD": "restarting", "ETH-USD": "running"})
    );
    let refused = app.place("bob sells 1 @ 100", json!({})).await;
    assert_eq!(refused.problem(), (503, "shard_restarting"));
    let elsewhere = order_of("bob sells 1 @ 100", json!({"instrument": "ETH-USD"}));
    assert_eq!(app.post("/orders", &elsewhere).await.status, 201);
    assert_eq!(app.get("/orders/a1").await.status, 200, "reads go on");

    drop(held);
    let sold = insist(&app, &order_of("bob sells 1 @ 100", json!({}))).await;
    assert_eq!(sold.body["status"], "filled", "{}", sold.text);
    assert_eq!(shard(&app, "BTC-USD").await, "running");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_panic_halts_over_a_restart_too_and_a_resume_lifts_it() {
    let mut app = TestApp::start_with(FAULTS).await;
    app.placed("bob sells 1 @ 100 as b1").await;
    for number in 2..4 {
        inject(&app, json!({"instrument": "BTC-USD"})).await;
        let placed = insist(&app, &order_of("alice buys 1 @ 99", json!({}))).await;
        assert_eq!(placed.body["sequence"], number);
        assert_eq!(placed.body["status"], "open");
    }
    inject(&app, json!({"instrument": "BTC-USD"})).await;
    let late = insist(&app, &order_of("alice buys 1 @ 100", json!({}))).await;
    let reason = "instrument_halted";
    assert_eq!(late.order(), (201, "rejected", reason, "0.00000"));
    assert_eq!(late.body["sequence"], 5, "right behind the halt");
    assert_eq!(restarts(&app, "BTC-USD").await, 3);
    app = app.restart().await;
    assert_eq!(shard(&app, "BTC-USD").await, "halted");
    let resumed = admin(&app, "BTC-USD/resume").await;
    assert_eq!(resumed.body["status"], "trading");
    let filled = app.placed("alice buys 1 @ 100").await;
    assert_eq!(filled["sequence"], 7);
    assert_eq!(filled["trades"][0]["trade_id"], "BTC-USD-1");
    app.stop().await;
}

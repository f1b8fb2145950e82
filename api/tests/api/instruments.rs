//! Instruments added while the exchange runs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

fn doge() -> Value {
    json!({"symbol": "DOGE-USD", "tick_size": "0.00001", "lot_size": 1, "min_notional": "1",
           "binance_symbol": "DOGEUSDT"})
}

fn on_doge(words: &str) -> (String, Value) {
    (words.to_owned(), json!({"instrument": "DOGE-USD"}))
}

#[tokio::test]
async fn an_instrument_is_added_traded_and_kept_and_the_others_do_not_notice() {
    let app = TestApp::start().await;
    app.placed("alice buys 1 @ 100 as a1").await;
    let (words, more) = on_doge("bob sells 50 @ 0.20001 as b1");
    assert_eq!(
        app.place(&words, more).await.problem(),
        (422, "unknown_instrument")
    );

    let added = app.post("/admin/instruments", &doge()).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(added.header("location"), "/instruments/DOGE-USD");
    let view = json!({
        "symbol": "DOGE-USD", "tick_size": "0.00001", "lot_size": "1", "min_quantity": "1",
        "max_quantity": "1000000000000", "min_notional": "1.00000", "price_band": null,
        "status": "trading"
    });
    assert_eq!(added.body, view);
    assert_eq!(app.get("/instruments/DOGE-USD").await.body, view);
    let symbols = |reply: &Reply| -> Vec<Value> {
        let all = reply.body.as_array().unwrap().iter();
        all.map(|one| one["symbol"].clone()).collect()
    };
    let all = app.get("/instruments").await;
    assert_eq!(symbols(&all), ["BTC-USD", "ETH-USD", "DOGE-USD"]);

    let (words, more) = on_doge("bob sells 50 @ 0.20001 as b1");
    assert_eq!(app.place(&words, more).await.order().1, "open");
    let (words, more) = on_doge("alice buys 20 @ 0.20001 as a2");
    assert_eq!(app.place(&words, more).await.order().1, "filled");
    let (words, more) = on_doge("alice buys 4 @ 0.20001");
    assert_eq!(
        app.place(&words, more).await.problem(),
        (422, "invalid_order")
    );
    let health = app.get("/healthz").await;
    assert_eq!(health.body["shards"]["DOGE-USD"], "running");
    let metrics = app.get("/metrics").await.text;
    for line in [
        "orders_received_total{instrument=\"DOGE-USD\"} 2",
        "orders_matched_total{instrument=\"DOGE-USD\"} 2",
        "trades_total{instrument=\"DOGE-USD\"} 1",
        "current_orderbook_depth{instrument=\"DOGE-USD\",side=\"ask\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert_eq!(app.get("/orders/a1").await.body["sequence"], 1);
    let halted = app
        .post("/admin/instruments/DOGE-USD/halt", &json!({}))
        .await;
    assert_eq!(halted.body["status"], "halted");

    // Once with what its checkpoint holds, once more without anything new.
    let app = app.restart().await.restart().await;
    assert_eq!(app.records_replayed(), 0, "checkpoints hold it, too");
    let all = app.get("/instruments").await;
    assert_eq!(symbols(&all), ["BTC-USD", "ETH-USD", "DOGE-USD"]);
    let kept = app.get("/instruments/DOGE-USD").await.body;
    assert_eq!(kept["status"], "halted");
    assert_eq!(kept["min_notional"], "1.00000");
    let order = app.get("/orders/b1").await;
    assert_eq!(order.order(), (200, "partially_filled", "", "20"));
    let resumed = app
        .post("/admin/instruments/DOGE-USD/resume", &json!({}))
        .await;
    assert_eq!(resumed.body["status"], "trading");
    let (words, more) = on_doge("alice buys 30 @ 0.20001");
    assert_eq!(app.place(&words, more).await.order().1, "filled");
    let listed = app.get_projected("/orders?instrument=DOGE-USD").await;
    assert_eq!(listed.body.as_array().unwrap().len(), 3);
    app.stop().await;
}

#[tokio::test]
async fn a_name_or_a_binance_symbol_is_one_instruments_alone_however_many_ask_at_once() {
    let app = TestApp::start_with("partitions = 2").await;
    let ask = || async { app.post("/admin/instruments", &doge()).await };
    let replies = futures::future::join_all((0..8).map(|_| ask())).await;
    let added = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(added, 1);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.problem(), (409, "instrument_exists"));
    }
    let mut other = doge();
    other["symbol"] = json!("DOGE-EUR");
    let reply = app.post("/admin/instruments", &other).await;
    assert_eq!(reply.problem(), (422, "invalid_order"));
    assert_eq!(
        reply.body["errors"],
        json!([{"field": "binance_symbol",
                "message": "DOGE-USD has the Binance symbol DOGEUSDT already"}])
    );
    let of_the_settings = json!({"symbol": "BTC-USD", "tick_size": 1, "lot_size": 1});
    let reply = app.post("/admin/instruments", &of_the_settings).await;
    assert_eq!(reply.problem(), (409, "instrument_exists"));
    other.as_object_mut().unwrap().remove("binance_symbol");
    // The next in turn stands in the other partition, and comes back from there.
    assert_eq!(app.post("/admin/instruments", &other).await.status, 201);
    for instrument in ["DOGE-USD", "DOGE-EUR"] {
        let order = app.place(
            "alice buys 50 @ 0.2 as a1",
            json!({"instrument": instrument}),
        );
        assert_eq!(order.await.status, 201);
    }
    let app = app.restart().await;
    for instrument in ["DOGE-USD", "DOGE-EUR"] {
        let order = app
            .get(&format!("/orders/a1?instrument={instrument}"))
            .await;
        assert_eq!(order.order().1, "open", "{instrument}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_instrument_is_refused_with_everything_that_is_wrong() {
    let app = TestApp::start().await;
    let rows = [
        ("{}", 422, "invalid_order"),
        ("[]", 422, "invalid_order"),
        ("{\"symbol\"", 400, "malformed_json"),
        (
            "{\"symbol\": \"..\", \"tick_size\": 1, \"lot_size\": 1}",
            422,
            "invalid_order",
        ),
        (
            "{\"symbol\": \"A\", \"tick_size\": 1e-30, \"lot_size\": 1}",
            422,
            "invalid_order",
        ),
        (
            "{\"symbol\": \"A\", \"tick_size\": 1, \"lot_size\": 1e999}",
            422,
            "invalid_order",
        ),
    ];
    for (body, status, code) in rows {
        let request = app.request(Method::POST, "/admin/instruments").body(body);
        let reply = Reply::of(request.header("content-type", "application/json")).await;
        assert_eq!(reply.problem(), (status, code), "{body}");
    }
    assert_eq!(
        app.get("/instruments").await.body.as_array().unwrap().len(),
        2
    );
    app.stop().await;
}

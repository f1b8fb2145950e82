//! Books as they stood, taken and read again.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

async fn book(app: &TestApp) -> Value {
    app.get("/orderbook?instrument=BTC-USD&levels=1000")
        .await
        .body
}

#[tokio::test]
async fn a_snapshot_holds_the_book_and_its_orders_as_they_stood() {
    let app = TestApp::start().await;
    app.placed("alice sells 1 @ 101.00 as a1").await;
    app.placed("bob buys 2 @ 100.00 as b1").await;
    app.placed("bob buys 3 @ 100.00 as b2").await;
    app.placed("carol sells 0.5 as c1").await;
    let (before, orders) = (
        book(&app).await,
        app.get("/orders?instrument=BTC-USD&status=open").await.body,
    );
    let taken = app
        .post("/admin/snapshots", &json!({"instrument": "BTC-USD"}))
        .await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    let [head] = taken.body.as_array().unwrap().as_slice() else {
        panic!("{}", taken.text);
    };
    assert_eq!(head["instrument"], "BTC-USD");
    assert_eq!(head["sequence"], 4);
    assert_eq!(head["order_count"], 3);

    // What happens later is not in it.
    app.placed("dave buys 3 @ 101.00 as d1").await;
    let path = format!("/admin/snapshots/{}", head["snapshot_id"].as_str().unwrap());
    let read = app.get(&path).await;
    assert_eq!(read.status, 200, "{}", read.text);
    for field in [
        "snapshot_id",
        "instrument",
        "sequence",
        "order_count",
        "created_at",
    ] {
        assert_eq!(read.body[field], head[field], "{field}");
    }
    for side in ["bids", "asks"] {
        assert_eq!(read.body[side], before[side], "{side}");
    }
    let held = read.body["orders"].as_array().unwrap();
    let ids: Vec<_> = held
        .iter()
        .map(|order| order["order_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["a1", "b1", "b2"]);
    let part = &held[1];
    assert_eq!(part["status"], "partially_filled");
    assert_eq!(part["remaining_quantity"], "1.50000");
    for order in orders.as_array().unwrap() {
        assert!(held.contains(order), "{order}");
    }
    app.stop().await;
}

#[tokio::test]
async fn snapshots_are_listed_newest_first_and_outlive_a_restart() {
    let app = TestApp::start_with("snapshots_kept = 2").await;
    let mut heads = Vec::new();
    for number in 0..3 {
        app.placed(&format!("alice sells 1 @ 101.00 as a{number}"))
            .await;
        // Of all instruments, those on which nothing ever happened included.
        let taken = app.post("/admin/snapshots", &json!({})).await;
        assert_eq!(taken.status, 201, "{}", taken.text);
        let taken = taken.body.as_array().unwrap().clone();
        assert_eq!(taken.len(), 2);
        heads.extend(taken);
    }
    heads.drain(..2);
    heads.reverse();
    let app = app.restart().await;
    let listed = app.get("/admin/snapshots").await;
    assert_eq!(listed.body, json!(heads));
    let listed = app.get("/admin/snapshots?instrument=BTC-USD&limit=1").await;
    assert_eq!(listed.body, json!([heads[1]]));
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_snapshot_is_told_apart() {
    let app = TestApp::start().await;
    let missing = "/admin/snapshots/0199a3c0-7f3e-7cc1-a1f0-3f6a6f0d2b11";
    for path in [missing, "/admin/snapshots/7"] {
        assert_eq!(app.get(path).await.problem(), (404, "not_found"), "{path}");
    }
    let unknown = app.get("/admin/snapshots?instrument=XYZ").await;
    assert_eq!(unknown.problem(), (404, "unknown_instrument"));
    let bad = app.get("/admin/snapshots?limit=0").await;
    assert_eq!(bad.problem(), (400, "invalid_parameter"));
    let unknown = app
        .post("/admin/snapshots", &json!({"instrument": "XYZ"}))
        .await;
    assert_eq!(unknown.problem(), (422, "unknown_instrument"));
    let bad = app
        .post("/admin/snapshots", &json!({"instrument": 7}))
        .await;
    assert_eq!(bad.problem(), (422, "invalid_order"));
    app.stop().await;
}

#[tokio::test]
async fn every_so_often_a_snapshot_is_taken_of_each_book_that_changed() {
    let app = TestApp::start_with("snapshot_interval_seconds = 1").await;
    let on_eth = json!({"instrument": "ETH-USD"});
    let taken = async |symbol: &str, count: usize| loop {
        let path = format!("/admin/snapshots?instrument={symbol}");
        let listed = app.get(&path).await.body;
        if listed.as_array().unwrap().len() == count {
            break listed;
        }
    };
    app.placed("alice sells 1 @ 101.00 as a1").await;
    let listed = taken("BTC-USD", 1).await;
    assert_eq!(listed[0]["order_count"], 1);
    assert_eq!(taken("ETH-USD", 0).await, json!([]));
    // One that does not change has no other, however often the others do.
    for count in 1..=2 {
        app.place("alice sells 1 @ 101.00", on_eth.clone()).await;
        taken("ETH-USD", count).await;
    }
    assert_eq!(taken("BTC-USD", 1).await, listed);
    app.stop().await;
}

#[tokio::test]
async fn no_body_at_all_means_every_instrument() {
    let app = TestApp::start().await;
    app.placed("alice sells 1 @ 101.00 as a1").await;
    let json = "application/json";
    for (content_type, body) in [(None, ""), (Some(json), ""), (Some(json), "{}")] {
        let mut request = app.request(Method::POST, "/admin/snapshots").body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let taken = Reply::of(request).await;
        assert_eq!(
            taken.status, 201,
            "{content_type:?} {body:?}: {}",
            taken.text
        );
        let heads = taken.body.as_array().unwrap();
        let symbols: Vec<_> = heads.iter().map(|head| &head["instrument"]).collect();
        assert_eq!(symbols, ["BTC-USD", "ETH-USD"]);
    }
    let rows = [
        (None, "{}", (415, "unsupported_media_type")),
        (Some("text/plain"), "", (415, "unsupported_media_type")),
        (Some(json), " ", (400, "malformed_json")),
    ];
    for (content_type, body, problem) in rows {
        let mut request = app.request(Method::POST, "/admin/snapshots").body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let refused = Reply::of(request).await;
        assert_eq!(refused.problem(), problem, "{content_type:?} {body:?}");
    }
    app.stop().await;
}

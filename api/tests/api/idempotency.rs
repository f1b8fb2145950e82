//! Requests that come again do nothing twice.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Reply, TestApp, order_of};

#[tokio::test]
async fn the_same_request_gets_the_first_answer_again() {
    let mut app = TestApp::start().await;
    app.placed("bob sells 0.1 @ 100 as b1").await;
    let first = app
        .place("alice buys 0.25 @ 100", json!({"idempotency_key": "k"}))
        .await;
    assert_eq!(first.order(), (201, "partially_filled", "", "0.10000"));
    assert_eq!(first.header("idempotency-replayed"), "");
    app.placed("bob sells 0.15 @ 100").await;
    let same = [
        json!({"idempotency_key": "k"}),
        json!({"idempotency_key": "k", "time_in_force": "gtc", "quantity": 0.25}),
        json!({"idempotency_key": "k", "self_trade_prevention": "none", "price": "100.000"}),
    ];
    for more in &same {
        let again = app.place("alice buys 0.25 @ 100", more.clone()).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(
            (again.status, &again.body),
            (first.status, &first.body),
            "{more}"
        );
        assert_eq!(again.header("location"), first.header("location"));
    }
    app = app.restart().await;
    let again = app.place("alice buys 0.25 @ 100", same[0].clone()).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body, first.body);
    app.stop().await;
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    let app = TestApp::start().await;
    let key = json!({"idempotency_key": "k"});
    app.place("alice buys 1 @ 100 as a1", key.clone()).await;
    let others = [
        "alice buys 2 @ 100 as a1",
        "alice buys 1 @ 100",
        "alice buys 1 @ 100 as a2",
    ];
    for other in others {
        let reply = app.place(other, key.clone()).await;
        assert_eq!(reply.problem(), (422, "idempotency_key_reused"), "{other}");
    }
    assert_eq!(
        app.place("bob buys 2 @ 100", key.clone()).await.status,
        201,
        "another client"
    );
    let elsewhere = json!({"idempotency_key": "k", "instrument": "ETH-USD"});
    assert_eq!(app.place("alice buys 2 @ 100", elsewhere).await.status, 201);
    app.stop().await;
}

#[tokio::test]
async fn only_an_order_binds_its_key() {
    let app = TestApp::start().await;
    let key = json!({"idempotency_key": "k"});
    assert_eq!(
        app.place("alice buys 0 @ 100", key.clone()).await.status,
        422
    );
    app.placed("alice buys 1 @ 100 as taken").await;
    assert_eq!(
        app.place("alice buys 1 @ 100 as taken", key.clone())
            .await
            .status,
        409
    );
    let rejected = app
        .place(
            "alice sells 1 @ 100 as r",
            json!({"idempotency_key": "k", "time_in_force": "post_only"}),
        )
        .await;
    assert_eq!(rejected.order().1, "rejected");
    let again = app
        .place(
            "alice sells 1 @ 100 as r",
            json!({"idempotency_key": "k", "time_in_force": "post_only"}),
        )
        .await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body, rejected.body);
    app.stop().await;
}

#[tokio::test]
async fn the_key_may_stand_in_the_header() {
    let app = TestApp::start().await;
    let order = order_of("alice buys 1 @ 100", json!({}));
    let keyed = order_of("alice buys 1 @ 100", json!({"idempotency_key": "k"}));
    let post = |path: &str, key: &str, body: &serde_json::Value| {
        Reply::of(
            app.request(Method::POST, path)
                .header("Idempotency-Key", key)
                .json(body),
        )
    };
    let first = post("/orders", "k", &order).await;
    assert_eq!(first.body["idempotency_key"], "k");
    for (key, body) in [("\"k\"", &order), ("k", &keyed)] {
        let again = post("/orders", key, body).await;
        assert_eq!(again.header("idempotency-replayed"), "true", "{key}");
        assert_eq!(again.body, first.body);
    }
    let conflict = post("/orders", "other", &keyed).await;
    assert_eq!(conflict.problem(), (400, "idempotency_key_conflict"));
    assert_eq!(
        post("/orders", "a b", &order).await.problem(),
        (400, "invalid_parameter")
    );
    assert_eq!(
        post("/orders", "", &order).await.problem(),
        (400, "invalid_parameter")
    );
    let batch = json!({"orders": [order]});
    assert_eq!(
        post("/orders/batch", "k", &batch).await.problem(),
        (400, "invalid_parameter")
    );
    app.stop().await;
}

#[tokio::test]
async fn many_at_once_are_one_order() {
    let app = TestApp::start().await;
    let posts = (0..50).map(|_| app.place("alice buys 1 @ 100", json!({"idempotency_key": "k"})));
    let replies = join_all(posts).await;
    let replayed = replies
        .iter()
        .filter(|reply| reply.header("idempotency-replayed") == "true");
    assert_eq!(replayed.count(), 49);
    for reply in &replies {
        assert_eq!(
            (reply.status.as_u16(), &reply.body),
            (201, &replies[0].body)
        );
    }
    assert_eq!(
        app.get("/orderbook").await.body["totals"]["bids"]["orders"],
        1
    );
    app.stop().await;
}

#[tokio::test]
async fn a_batch_answers_each_order_for_itself() {
    let app = TestApp::start().await;
    let orders = json!([
        order_of("bob sells 1 @ 100 as b1", json!({})),
        order_of("alice buys 0.4 as a1", json!({"idempotency_key": "k"})),
        order_of("alice buys 0.4 as a1", json!({"idempotency_key": "k"})),
        order_of("alice buys 0.4 as b1", json!({})),
        order_of("alice buys 0 as a2", json!({})),
        order_of("carol buys 5 @ 10", json!({"instrument": "ETH-USD"})),
    ]);
    let reply = app.post("/orders/batch", &json!({"orders": orders})).await;
    assert_eq!(reply.status, 200);
    let results = reply.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results
        .iter()
        .map(|result| result["status"].clone())
        .collect();
    assert_eq!(statuses, [201, 201, 201, 409, 422, 201]);
    assert_eq!(results[1]["order"]["filled_quantity"], "0.40000");
    assert_eq!(results[1]["replayed"], json!(null));
    assert_eq!(results[2]["replayed"], true);
    assert_eq!(results[2]["order"], results[1]["order"]);
    assert_eq!(results[3]["problem"]["code"], "duplicate_order_id");
    assert_eq!(results[4]["problem"]["errors"][0]["field"], "quantity");
    app.stop().await;
}

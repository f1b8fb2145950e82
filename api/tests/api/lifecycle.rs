//! Orders from their placement to their end.

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{TestApp, order_of};

#[tokio::test]
async fn an_order_that_rests_is_shown_in_full() {
    let app = TestApp::start().await;
    let reply = app
        .place(
            "alice buys 0.25 @ 70150.5 as a1",
            json!({"idempotency_key": "k1"}),
        )
        .await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), "/orders/a1");
    let order = &reply.body;
    let expected = json!({
        "order_id": "a1", "client_id": "alice", "instrument": "BTC-USD", "side": "buy",
        "type": "limit", "time_in_force": "gtc", "price": "70150.50", "quantity": "0.25000",
        "filled_quantity": "0.00000", "remaining_quantity": "0.25000", "average_price": null,
        "status": "open", "reason": null, "idempotency_key": "k1", "sequence": 1,
        "updated_sequence": 1, "created_at": order["created_at"],
        "updated_at": order["created_at"], "self_trade_prevention": "none", "trade_count": 0,
        "trades": []
    });
    assert_eq!(*order, expected);
    assert_eq!(app.get("/orders/a1").await.body, expected);
    app.stop().await;
}

#[tokio::test]
async fn orders_trade_at_the_makers_price_and_both_show_the_trade() {
    let app = TestApp::start().await;
    app.placed("bob sells 0.1 @ 70150 as b1").await;
    let taker = app.placed("alice buys 0.25 @ 70150.50 as a1").await;
    assert_eq!(taker["status"], "partially_filled");
    assert_eq!(taker["filled_quantity"], "0.10000");
    assert_eq!(taker["remaining_quantity"], "0.15000");
    assert_eq!(taker["average_price"], "70150.000000");
    let trade = json!({
        "trade_id": "BTC-USD-1", "instrument": "BTC-USD", "buy_order_id": "a1",
        "sell_order_id": "b1", "price": "70150.00", "quantity": "0.10000", "taker_side": "buy",
        "sequence": 2, "timestamp": taker["created_at"]
    });
    assert_eq!(taker["trades"], json!([trade]));
    let maker = app.get("/orders/b1").await.body;
    assert_eq!(maker["status"], "filled");
    assert_eq!(maker["trades"], json!([trade]));
    assert_eq!(app.get("/trades").await.body, json!([trade]));
    app.stop().await;
}

#[tokio::test]
async fn each_way_to_end_has_its_status_and_reason() {
    let app = TestApp::start().await;
    let place = |words: &'static str, more| app.place(words, more);
    let reply = place("alice buys 1", json!({})).await;
    assert_eq!(reply.order(), (201, "rejected", "no_liquidity", "0.00000"));
    assert_eq!(reply.body["price"], json!(null));
    assert_eq!(reply.body["time_in_force"], json!(null));
    app.placed("bob sells 1 @ 100").await;
    let fok = json!({"time_in_force": "fok"});
    let reply = place("alice buys 2 @ 100", fok).await;
    assert_eq!(
        reply.order(),
        (201, "rejected", "fok_not_fillable", "0.00000")
    );
    let post_only = json!({"time_in_force": "post_only"});
    let reply = place("alice buys 1 @ 100", post_only).await;
    assert_eq!(
        reply.order(),
        (201, "rejected", "post_only_would_cross", "0.00000")
    );
    let own = json!({"self_trade_prevention": "cancel_taker"});
    let reply = place("bob buys 1 @ 100", own).await;
    assert_eq!(reply.order(), (201, "cancelled", "self_trade", "0.00000"));
    let ioc = json!({"time_in_force": "ioc"});
    let reply = place("alice buys 1.5 @ 100", ioc).await;
    assert_eq!(
        reply.order(),
        (201, "cancelled", "ioc_remainder", "1.00000")
    );
    app.placed("bob sells 1 @ 100").await;
    let reply = place("alice buys 1.5", json!({})).await;
    assert_eq!(
        reply.order(),
        (201, "cancelled", "book_exhausted", "1.00000")
    );
    app.stop().await;
}

#[tokio::test]
async fn a_price_outside_the_band_is_rejected_once_there_was_a_trade() {
    let app = TestApp::start().await;
    let eth = json!({"instrument": "ETH-USD"});
    let place = |words: &'static str| app.place(words, eth.clone());
    assert_eq!(place("bob sells 1 @ 100").await.order().1, "open");
    assert_eq!(place("alice buys 1 @ 100").await.order().1, "filled");
    let reply = place("alice buys 1 @ 110.05").await;
    assert_eq!(
        reply.order(),
        (201, "rejected", "price_outside_band", "0.000")
    );
    assert_eq!(place("alice buys 1 @ 110").await.order().1, "open");
    app.stop().await;
}

#[tokio::test]
async fn a_cancel_takes_what_is_left_and_may_be_repeated() {
    let app = TestApp::start().await;
    app.placed("alice buys 1 @ 100 as a1").await;
    app.placed("bob sells 0.4 @ 100 as b1").await;
    let first = app.cancel("a1").await;
    assert_eq!(first.order(), (200, "cancelled", "requested", "0.40000"));
    assert_eq!(
        first.body["trades"],
        json!(null),
        "a cancel shows no trades"
    );
    assert_eq!(first.body["remaining_quantity"], "0.60000");
    let second = app.cancel("a1").await;
    assert_eq!((second.status, &second.body), (first.status, &first.body));
    let filled = app.cancel("b1").await;
    assert_eq!(filled.problem(), (409, "order_not_open"));
    assert_eq!(filled.body["order"]["order_id"], "b1");
    assert_eq!(app.get("/orderbook").await.body["sequence"], 3);
    app.stop().await;
}

#[tokio::test]
async fn an_amend_keeps_its_place_only_when_it_gets_smaller() {
    let app = TestApp::start().await;
    app.placed("alice buys 1 @ 100 as a1").await;
    app.placed("carol buys 1 @ 100 as c1").await;
    let smaller = app.amend("a1", &json!({"quantity": "0.5"})).await;
    assert_eq!(smaller.order(), (200, "open", "", "0.00000"));
    let trade = app.placed("bob sells 0.25").await;
    assert_eq!(trade["trades"][0]["buy_order_id"], "a1");
    assert_eq!(
        app.amend("a1", &json!({"quantity": "2"})).await.order().1,
        "partially_filled"
    );
    let trade = app.placed("bob sells 0.25").await;
    assert_eq!(trade["trades"][0]["buy_order_id"], "c1");
    app.stop().await;
}

#[tokio::test]
async fn an_amend_may_trade_and_is_refused_without_a_trace() {
    let app = TestApp::start().await;
    app.placed("alice buys 1 @ 100 as a1").await;
    app.placed("bob sells 0.5 @ 101 as b1").await;
    let post_only = json!({"time_in_force": "post_only"});
    app.place("carol buys 1 @ 99 as c1", post_only).await;
    let crossed = app.amend("c1", &json!({"price": "101"})).await;
    assert_eq!(crossed.problem(), (409, "post_only_would_cross"));
    assert_eq!(app.get("/orders/c1").await.body["price"], "99.00");
    let amended = app.amend("a1", &json!({"price": "101"})).await;
    assert_eq!(amended.order(), (200, "partially_filled", "", "0.50000"));
    assert_eq!(amended.body["trades"][0]["sell_order_id"], "b1");
    let rows = [
        (json!({}), (422, "invalid_order")),
        (json!({"quantity": "0.5"}), (422, "invalid_order")),
        (json!({"quantity": "0.000001"}), (422, "invalid_order")),
        (json!({"price": "101.001"}), (422, "invalid_order")),
        (
            json!({"price": null, "quantity": null}),
            (422, "invalid_order"),
        ),
    ];
    for (change, expected) in rows {
        assert_eq!(
            app.amend("a1", &change).await.problem(),
            expected,
            "{change}"
        );
    }
    assert_eq!(
        app.amend("b1", &json!({"price": 1})).await.problem(),
        (409, "order_not_open")
    );
    assert_eq!(
        app.amend("nobody", &json!({"price": 1})).await.problem(),
        (404, "order_not_found")
    );
    let feeds = app.amend("binance-depth:1:1", &json!({"price": 1})).await;
    assert_eq!(feeds.problem(), (403, "forbidden"));
    app.stop().await;
}

#[tokio::test]
async fn cancel_all_takes_a_clients_orders_and_no_others() {
    let app = TestApp::start().await;
    for words in [
        "alice buys 1 @ 99 as a1",
        "alice sells 1 @ 101 as a2",
        "bob buys 1 @ 98 as b1",
    ] {
        app.placed(words).await;
    }
    app.place("alice buys 1 @ 99 as a3", json!({"instrument": "ETH-USD"}))
        .await;
    let buys = json!({"client_id": "alice", "instrument": "BTC-USD", "side": "buy"});
    let reply = app.post("/orders/cancel-all", &buys).await;
    assert_eq!(
        reply.body,
        json!({"cancelled": 1, "order_ids": ["a1"], "failed": []})
    );
    let reply = app
        .post("/orders/cancel-all", &json!({"client_id": "alice"}))
        .await;
    assert_eq!(reply.body["cancelled"], 2);
    let mut ids: Vec<_> = reply.body["order_ids"].as_array().unwrap().to_vec();
    ids.sort_by_key(ToString::to_string);
    assert_eq!(ids, [json!("a2"), json!("a3")]);
    assert_eq!(app.get("/orders/a2").await.body["reason"], "mass_cancel");
    assert_eq!(app.get("/orders/b1").await.body["status"], "open");
    let again = app
        .post("/orders/cancel-all", &json!({"client_id": "alice"}))
        .await;
    assert_eq!(
        again.body,
        json!({"cancelled": 0, "order_ids": [], "failed": []})
    );
    let rows = [
        (json!({}), (422, "invalid_order")),
        (
            json!({"client_id": "alice", "side": "up"}),
            (422, "invalid_order"),
        ),
        (
            json!({"client_id": "alice", "instrument": "X"}),
            (422, "unknown_instrument"),
        ),
        (json!({"client_id": "binance-depth"}), (403, "forbidden")),
    ];
    for (body, expected) in rows {
        assert_eq!(
            app.post("/orders/cancel-all", &body).await.problem(),
            expected,
            "{body}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn an_id_is_unique_within_its_instrument() {
    let app = TestApp::start().await;
    app.placed("alice buys 1 @ 100 as x").await;
    let again = app.place("bob buys 2 @ 99 as x", json!({})).await;
    assert_eq!(again.problem(), (409, "duplicate_order_id"));
    app.cancel("x").await;
    let closed = app.place("bob buys 2 @ 99 as x", json!({})).await;
    assert_eq!(closed.problem(), (409, "duplicate_order_id"));
    let elsewhere = app
        .place("bob buys 2 @ 99 as x", json!({"instrument": "ETH-USD"}))
        .await;
    assert_eq!(elsewhere.status, 201);
    assert_eq!(
        app.get("/orders/x").await.problem(),
        (409, "order_id_ambiguous")
    );
    assert_eq!(app.cancel("x").await.problem(), (409, "order_id_ambiguous"));
    assert_eq!(
        app.get("/orders/x?instrument=ETH-USD").await.body["client_id"],
        "bob"
    );
    let unnamed = app.placed("alice buys 1 @ 100").await;
    assert_eq!(unnamed["order_id"].as_str().unwrap().len(), 36);
    app.stop().await;
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_restart() {
    let mut app = TestApp::start().await;
    app.placed("alice buys 1 @ 100 as a1").await;
    app.placed("bob sells 0.4 @ 100 as b1").await;
    app.placed("carol buys 1 @ 99 as c1").await;
    app.cancel("c1").await;
    let paths = [
        "/orders/a1",
        "/orders/b1",
        "/orders/c1",
        "/orderbook",
        "/trades",
        "/instruments",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(app.get(path).await.body);
    }
    app = app.restart().await;
    assert_eq!(app.records_replayed(), 0, "a stop leaves nothing to replay");
    for (path, before) in paths.into_iter().zip(before) {
        assert_eq!(app.get(path).await.body, before, "{path}");
    }
    let next = app.placed("bob sells 0.1 @ 100 as b2").await;
    assert_eq!(next["sequence"], 5);
    assert_eq!(next["trades"][0]["trade_id"], "BTC-USD-2");
    for _ in 0..2 {
        app = app.restart().await;
        assert_eq!(app.records_replayed(), 0);
        assert_eq!(app.get("/orders/b2").await.body, next);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_stop_answers_what_was_accepted_and_keeps_it() {
    let app = TestApp::start().await;
    let mut posts = JoinSet::new();
    for number in 0..200 {
        let words = format!("alice buys 1 @ 100 as a{number}");
        let post = app
            .request(Method::POST, "/orders")
            .json(&order_of(&words, json!({})));
        posts.spawn(async move {
            // A connection that the server did not take has no answer.
            let response = post.send().await.ok()?;
            assert_eq!(response.status(), 201);
            Some(number)
        });
    }
    let mut acknowledged = Vec::from_iter(posts.join_next().await.unwrap().unwrap());
    let app = app.restart().await;
    acknowledged.extend(posts.join_all().await.into_iter().flatten());
    assert!(!acknowledged.is_empty());
    for number in acknowledged {
        let order = app.get(&format!("/orders/a{number}")).await;
        assert_eq!(order.order(), (200, "open", "", "0.00000"));
    }
    app.stop().await;
}

#[tokio::test]
async fn a_full_queue_is_answered_at_once_and_nothing_is_placed() {
    let app = TestApp::start_with("queue_length = 1").await;
    let orders: Vec<_> = (0..500)
        .map(|number| order_of(&format!("alice buys 1 @ 100 as a{number}"), json!({})))
        .collect();
    let reply = app.post("/orders/batch", &json!({"orders": orders})).await;
    let results = reply.body["results"].as_array().unwrap();
    let placed = results.iter().filter(|result| result["status"] == 201);
    let placed = placed.count();
    let refused = results
        .iter()
        .filter(|result| result["problem"]["code"] == "overloaded");
    assert_eq!(placed + refused.count(), 500);
    assert!((1..500).contains(&placed), "{placed} of 500 were placed");
    let book = app.get("/orderbook").await.body;
    assert_eq!(book["totals"]["bids"]["orders"], placed);
    app.stop().await;
}

#[tokio::test]
async fn a_closed_order_that_memory_let_go_of_comes_from_the_database() {
    let app = TestApp::start_with("closed_orders_in_memory = 1").await;
    app.placed("alice buys 1 @ 100 as a1").await;
    app.placed("bob sells 1 @ 100 as b1").await;
    app.placed("alice buys 1 @ 100 as a2").await;
    app.cancel("a2").await;
    let order = app.get_projected("/orders/a1").await;
    assert_eq!(order.order(), (200, "filled", "", "1.00000"));
    assert_eq!(order.body["trades"][0]["sell_order_id"], "b1");
    assert_eq!(app.cancel("a1").await.problem(), (409, "order_not_open"));
    assert_eq!(
        app.amend("a1", &json!({"price": 1})).await.problem(),
        (409, "order_not_open")
    );
    assert_eq!(
        app.get("/orders/nobody").await.problem(),
        (404, "order_not_found")
    );
    app.stop().await;
}

#[tokio::test]
async fn a_closed_orders_trades_that_memory_let_go_of_come_from_the_database() {
    let app = TestApp::start_with("trades_in_memory = 1").await;
    let trades_of = async |id: &str| -> Vec<String> {
        let order = app.get(&format!("/orders/{id}")).await;
        assert_eq!(order.status, 200, "{}", order.text);
        let trades = order.body["trades"].as_array().unwrap();
        assert_eq!(order.body["trade_count"], trades.len());
        let ids = trades.iter().map(|trade| &trade["trade_id"]);
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    app.placed("alice sells 2 @ 100 as a1").await;
    app.placed("bob buys 1 @ 100 as b1").await;
    app.placed("alice sells 3 @ 99 as a2").await;
    let swept = json!({"idempotency_key": "swept"});
    let first = app.place("bob buys 4 @ 100 as b2", swept.clone()).await;
    assert_eq!(first.body["trade_count"], 2);
    // Memory has the last of three trades, which both a1 and b2 had.
    assert_eq!(trades_of("a1").await, ["BTC-USD-1", "BTC-USD-3"]);
    assert_eq!(trades_of("a2").await, ["BTC-USD-2"]);
    assert_eq!(trades_of("b1").await, ["BTC-USD-1"]);
    assert_eq!(trades_of("b2").await, ["BTC-USD-2", "BTC-USD-3"]);
    let again = app.place("bob buys 4 @ 100 as b2", swept).await;
    assert_eq!((again.status, again.body), (first.status, first.body));
    app.placed("bob buys 1 @ 101 as b3").await;
    assert_eq!(trades_of("b3").await, [""; 0]);
    assert_eq!(trades_of("a1").await, ["BTC-USD-1", "BTC-USD-3"]);
    app.stop().await;
}

#[tokio::test]
async fn a_journal_that_takes_more_of_the_disk_than_it_should_is_told_of() {
    let app = TestApp::start_with("journal_bytes_max = 2097152").await;
    let health = loop {
        let health = app.get("/healthz").await;
        assert_eq!(health.status, 200, "orders are taken");
        if health.body["journal"]["bytes"] != 0 {
            break health.body;
        }
    };
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(health["journal"]["status"], "ok");
    let reason = health["journal"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("journal_bytes_max, which is 2097152"),
        "{reason}"
    );
    let metrics = app.get("/metrics").await.text;
    let bytes = format!("journal_bytes {}", health["journal"]["bytes"]);
    assert!(metrics.contains(&bytes), "{metrics}");
    app.placed("alice buys 1 @ 100.00").await;
    app.stop().await;
}

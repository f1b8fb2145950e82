//! What each role may do, and whose orders it may see.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::json;
use shardbook_test_support::clock::TestClock;

use crate::support::{Reply, TestApp, order_of};

use super::{FORBIDDEN, Guarded, NOT_FOUND, UNAUTHENTICATED, key_made_by_hand};

#[tokio::test]
async fn a_trader_can_not_touch_anothers_orders() {
    let guarded = Guarded::start().await;
    let (_, alice) = guarded.key("trader", "alice", json!({})).await;
    let (_, bob) = guarded.key("trader", "bob", json!({})).await;
    let (alice, bob) = (guarded.holds(&alice), guarded.holds(&bob));
    let placed = alice.place("alice buys 1 @ 100.00 as a1").await;
    assert_eq!(placed.status, StatusCode::CREATED);

    for instrument in ["", "?instrument=BTC-USD"] {
        let path = format!("/orders/a1{instrument}");
        assert_eq!(bob.get(&path).await.problem(), NOT_FOUND, "{path}");
        let change = json!({"price": "101.00"});
        let amended = bob.ask(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(amended.problem(), NOT_FOUND, "{path}");
        let path = format!("/orders/a1/cancel{instrument}");
        let cancelled = bob.ask(Method::POST, &path, None).await;
        assert_eq!(cancelled.problem(), NOT_FOUND, "{path}");
    }
    let listed = bob.get("/orders?client_id=alice").await;
    assert_eq!(listed.problem(), FORBIDDEN);
    assert_eq!(bob.get("/orders").await.body, json!([]));
    let before = bob.get("/orders?before=a1").await;
    assert_eq!(before.problem(), (400, "invalid_parameter"));
    assert_eq!(bob.place("alice buys 1 @ 1.00").await.problem(), FORBIDDEN);
    let all = json!({"client_id": "alice"});
    let all = bob.post("/orders/cancel-all", &all).await;
    assert_eq!(all.problem(), FORBIDDEN);
    let batch = json!({"orders": [
        order_of("alice buys 1 @ 1.00", json!({})), order_of("bob buys 1 @ 1.00", json!({})),
    ]});
    let batch = bob.post("/orders/batch", &batch).await;
    assert_eq!(batch.body["results"][0]["problem"]["code"], "forbidden");
    assert_eq!(batch.body["results"][1]["status"], 201);

    let untouched = alice.get("/orders/a1").await;
    assert_eq!(untouched.order(), (200, "open", "", "0.00000"));
    let own = alice.get("/orders").await;
    assert_eq!(own.body.as_array().unwrap().len(), 1);
    assert_eq!(
        guarded.admin().get("/orders/a1").await.body["client_id"],
        "alice"
    );
    let all = guarded.admin().get("/orders").await;
    assert_eq!(all.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_says_whose_order_it_is_where_the_order_does_not() {
    let guarded = Guarded::start().await;
    let (_, key) = guarded.key("trader", "alice", json!({})).await;
    let alice = guarded.holds(&key);
    let mut order = order_of("alice buys 1 @ 100.00 as a1", json!({}));
    order.as_object_mut().unwrap().remove("client_id");
    let placed = alice.post("/orders", &order).await;
    assert_eq!(placed.body["client_id"], "alice");
    let cancelled = alice.post("/orders/cancel-all", &json!({})).await;
    assert_eq!(cancelled.body["order_ids"], json!(["a1"]));
    let nobodys = guarded.admin().post("/orders", &order).await;
    assert_eq!(nobodys.problem(), (422, "invalid_order"));
}

#[tokio::test]
async fn an_id_that_another_has_elsewhere_is_not_ambiguous_to_its_owner() {
    let guarded = Guarded::start().await;
    let (_, alice) = guarded.key("trader", "alice", json!({})).await;
    let (_, bob) = guarded.key("trader", "bob", json!({})).await;
    let (alice, bob) = (guarded.holds(&alice), guarded.holds(&bob));
    alice.place("alice buys 1 @ 100.00 as x").await;
    let elsewhere = order_of("bob buys 1 @ 100.00 as x", json!({"instrument": "ETH-USD"}));
    assert_eq!(
        bob.post("/orders", &elsewhere).await.status,
        StatusCode::CREATED
    );
    assert_eq!(alice.get("/orders/x").await.body["client_id"], "alice");
    assert_eq!(bob.get("/orders/x").await.body["client_id"], "bob");
    let both = guarded.admin().get("/orders/x").await;
    assert_eq!(both.problem(), (409, "order_id_ambiguous"));
    let cancelled = bob.ask(Method::POST, "/orders/x/cancel", None).await;
    assert_eq!(cancelled.body["instrument"], "ETH-USD");
}

#[tokio::test]
async fn a_reader_reads_what_is_public_and_nothing_else() {
    let guarded = Guarded::start().await;
    let (id, key) = guarded.key("reader", "eve", json!({})).await;
    let eve = guarded.holds(&key);
    for path in [
        "/orderbook",
        "/trades",
        "/instruments",
        "/instruments/BTC-USD",
        "/metrics",
        "/healthz",
    ] {
        assert_eq!(eve.get(path).await.status, StatusCode::OK, "{path}");
    }
    let order = order_of("eve buys 1 @ 100.00", json!({}));
    let refused = [
        eve.post("/orders", &order).await,
        eve.post("/orders/batch", &json!({"orders": [order]})).await,
        eve.post("/orders/cancel-all", &json!({})).await,
        eve.get("/orders").await,
        eve.get("/orders/a1").await,
        eve.get("/events?channels=orders").await,
    ];
    for reply in refused {
        assert_eq!(reply.problem(), FORBIDDEN, "{}", reply.text);
    }
    let (_, trader) = guarded.key("trader", "alice", json!({})).await;
    for holder in [eve, guarded.holds(&trader)] {
        let key = json!({"role": "admin"});
        let refused = [
            holder.post("/admin/keys", &key).await,
            holder.get("/admin/keys").await,
            holder
                .ask(Method::DELETE, &format!("/admin/keys/{id}"), None)
                .await,
            holder
                .ask(Method::POST, "/admin/instruments/BTC-USD/halt", None)
                .await,
        ];
        for reply in refused {
            assert_eq!(reply.problem(), FORBIDDEN, "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn without_a_key_only_health_and_documents_are_open() {
    let guarded = Guarded::start().await;
    let app = &guarded.app;
    for path in ["/healthz", "/docs", "/openapi.json", "/openapi.yaml"] {
        assert_eq!(app.get(path).await.status, StatusCode::OK, "{path}");
    }
    let document = app.get("/openapi.json").await;
    for (path, operations) in document.body["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let call = format!("{method} {path}");
            if path == "/healthz" {
                continue;
            }
            let path = path.replace(['{', '}'], "");
            let method = method.to_uppercase().parse().unwrap();
            let reply = Reply::of(app.request(method, &path).json(&json!({}))).await;
            assert_eq!(reply.problem(), UNAUTHENTICATED, "{call}");
            assert_eq!(reply.header("www-authenticate"), "Bearer");
            assert!(operation["security"].is_array(), "{call} declares nothing");
            for status in ["401", "403", "429"] {
                assert!(
                    operation["responses"][status].is_object(),
                    "{call} {status}"
                );
            }
        }
    }
    assert_eq!(app.get("/nowhere").await.problem(), (404, "not_found"));
}

#[tokio::test]
async fn foreign_pages_are_turned_away_whatever_they_show_and_allowed_ones_may_show_a_key() {
    let settings = "auth = 'on'\nallowed_origins = ['https://app.example']";
    let guarded = Guarded::start_with(settings).await;
    let ask = |method: Method, origin: &'static str| {
        let request = guarded.app.request(method, "/orders");
        request.header("Origin", origin)
    };
    for origin in ["https://evil.example", "null"] {
        let request = ask(Method::GET, origin).header("X-API-Key", &guarded.admin);
        assert_eq!(Reply::of(request).await.problem(), FORBIDDEN, "{origin}");
    }
    let preflight = ask(Method::OPTIONS, "https://app.example")
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "x-api-key");
    let preflight = Reply::of(preflight).await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    let may_send = preflight.header("access-control-allow-headers");
    assert!(may_send.contains("x-api-key") && may_send.contains("authorization"));
    let without = Reply::of(ask(Method::GET, "https://app.example")).await;
    assert_eq!(without.problem(), UNAUTHENTICATED);
    let own = ask(Method::GET, "https://app.example").header("X-API-Key", &guarded.admin);
    let own = Reply::of(own).await;
    assert_eq!(own.status, StatusCode::OK);
    for reply in [without, own] {
        let allowed = reply.header("access-control-allow-origin");
        assert_eq!(allowed, "https://app.example");
        let may_read = reply.header("access-control-expose-headers");
        assert!(may_read.contains("ratelimit-policy"), "{may_read}");
    }
}

#[tokio::test]
async fn anothers_order_is_not_found_in_the_database_either() {
    let guarded = Guarded::start_with("auth = 'on'\nclosed_orders_in_memory = 0").await;
    let (_, alice) = guarded.key("trader", "alice", json!({})).await;
    let (_, bob) = guarded.key("trader", "bob", json!({})).await;
    let (alice, bob) = (guarded.holds(&alice), guarded.holds(&bob));
    // Nobody is there to trade with: both are closed at once, and let go of.
    alice.place("alice buys 1 as x").await;
    alice.place("alice buys 1 as a").await;
    let elsewhere = order_of("bob buys 1 as x", json!({"instrument": "ETH-USD"}));
    bob.post("/orders", &elsewhere).await;
    assert_eq!(bob.get_projected("/orders/a").await.problem(), NOT_FOUND);
    for (holder, client) in [(&alice, "alice"), (&bob, "bob")] {
        let own = holder.get_projected("/orders/x").await;
        assert_eq!(own.body["client_id"], client);
    }
    let cancelled = async {
        loop {
            let cancelled = bob.ask(Method::POST, "/orders/a/cancel", None).await;
            if cancelled.problem() != (503, "database_unavailable") {
                return cancelled;
            }
        }
    };
    assert_eq!(cancelled.await.problem(), NOT_FOUND);
    let both = guarded.admin().get_projected("/orders/x").await;
    assert_eq!(both.problem(), (409, "order_id_ambiguous"));
}

#[tokio::test]
async fn a_trader_sees_its_own_settlement_lines_and_positions_and_a_reader_none() {
    let clock = TestClock::at("2026-01-30T12:00:00Z");
    let directory = tempfile::tempdir().unwrap();
    let admin = key_made_by_hand(&directory, "admin", None);
    let app = TestApp::open_by(Arc::new(clock.clone()), directory, "auth = 'on'").await;
    let guarded = Guarded { app, admin };
    let (_, alice) = guarded.key("trader", "alice", json!({})).await;
    let (_, bob) = guarded.key("trader", "bob", json!({})).await;
    let (_, eve) = guarded.key("reader", "eve", json!({})).await;
    let [alice, bob, eve] = [&alice, &bob, &eve].map(|key| guarded.holds(key));
    for (holder, order) in [
        (&alice, "alice sells 1 @ 100.00"),
        (&bob, "bob buys 1 @ 100.00"),
    ] {
        let placed = holder.post("/orders", &order_of(order, json!({}))).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text);
    }
    let positions = bob.get("/positions/bob").await.body;
    assert_eq!(positions[0]["net_quantity"], "1.00000");
    for (holder, path) in [(&alice, "/positions/bob"), (&eve, "/positions/bob")] {
        assert_eq!(holder.get(path).await.problem(), (403, "forbidden"));
    }
    clock.set("2026-01-31T00:00:00Z");
    let day = json!({"date": "2026-01-30"});
    for holder in [&alice, &eve] {
        let refused = holder.post("/admin/settlements", &day).await;
        assert_eq!(refused.problem(), (403, "forbidden"));
    }
    while !guarded
        .admin()
        .post("/admin/settlements", &day)
        .await
        .status
        .is_success()
    {}
    let lines = |reply: Reply| reply.body["lines"].as_array().unwrap().clone();
    let path = "/settlements/2026-01-30";
    let all = lines(guarded.admin().get(path).await);
    let clients: Vec<_> = all.iter().map(|line| line["client_id"].clone()).collect();
    assert_eq!(clients, ["alice", "bob"]);
    assert_eq!(lines(alice.get(path).await), all[..1]);
    assert_eq!(lines(bob.get(path).await), all[1..]);
    let csv = guarded.app.request(Method::GET, path);
    let csv = csv
        .header("X-API-Key", alice.key)
        .header("Accept", "text/csv");
    let csv = Reply::of(csv).await;
    assert_eq!(csv.text.lines().count(), 2, "{}", csv.text);
    assert!(!csv.text.contains("bob"), "{}", csv.text);
    for path in [path, "/settlements"] {
        assert_eq!(eve.get(path).await.problem(), (403, "forbidden"), "{path}");
    }
    guarded.app.stop().await;
}

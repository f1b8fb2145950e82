//! Who may do what, and how much.

use std::process::Command;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shardbook_api::app::create_key;
use shardbook_api::settings::KeyArguments;
use shardbook_test_support::clock::TestClock;
use tempfile::TempDir;

use crate::support::{Reply, TestApp, order_of};

/// An exchange that asks for keys, and its administrator's.
struct Guarded {
    app: TestApp,
    admin: String,
}

/// Someone who holds a key.
struct Holder<'a> {
    app: &'a TestApp,
    key: &'a str,
}

impl Guarded {
    async fn start() -> Self {
        Self::start_with("auth = 'on'").await
    }

    async fn start_with(settings: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let admin = key_made_by_hand(&directory, "admin", None);
        let app = TestApp::open(directory, settings).await;
        Self { app, admin }
    }

    fn admin(&self) -> Holder<'_> {
        self.holds(&self.admin)
    }

    fn holds<'a>(&'a self, key: &'a str) -> Holder<'a> {
        Holder {
            app: &self.app,
            key,
        }
    }

    /// Makes a key, and returns its id and its text.
    async fn key(&self, role: &str, client: &str, more: Value) -> (String, String) {
        let mut key = json!({"role": role, "client_id": client});
        key.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let made = self.admin().post("/admin/keys", &key).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let text = |field: &str| made.body[field].as_str().unwrap().to_owned();
        (text("key_id"), text("key"))
    }
}

fn key_made_by_hand(directory: &TempDir, role: &str, client_id: Option<&str>) -> String {
    let arguments = KeyArguments {
        role: role.to_owned(),
        client_id: client_id.map(str::to_owned),
        data_dir: directory.path().join("data"),
    };
    create_key(&arguments).unwrap().reveal()
}

impl Holder<'_> {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.app.request(method, path).header("X-API-Key", self.key);
        Reply::of(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, None).await
    }

    /// Reads what the database has, once it has taken it in.
    async fn get_projected(&self, path: &str) -> Reply {
        loop {
            let reply = self.get(path).await;
            if reply.problem() != (503, "database_unavailable") {
                return reply;
            }
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn place(&self, order: &str) -> Reply {
        self.post("/orders", &order_of(order, json!({}))).await
    }
}

const FORBIDDEN: (u16, &str) = (403, "forbidden");
const NOT_FOUND: (u16, &str) = (404, "order_not_found");
const UNAUTHENTICATED: (u16, &str) = (401, "unauthenticated");

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
async fn a_key_may_be_shown_in_either_header() {
    let guarded = Guarded::start().await;
    let show = |name: &'static str, value: String| {
        let request = guarded.app.request(Method::GET, "/orderbook");
        Reply::of(request.header(name, value))
    };
    let admin = guarded.admin.clone();
    let mut changed = admin.clone();
    changed.replace_range(
        admin.len() - 1..,
        if admin.ends_with('0') { "1" } else { "0" },
    );
    assert_eq!(show("X-API-Key", admin.clone()).await.status, 200);
    let bearer = show("Authorization", format!("Bearer {admin}")).await;
    assert_eq!(bearer.status, 200);
    for (name, value) in [
        ("X-API-Key", changed.clone()),
        ("X-API-Key", String::new()),
        ("X-API-Key", format!("{admin}, {admin}")),
        ("Authorization", format!("Bearer {changed}")),
        ("Authorization", format!("Basic {admin}")),
        ("Authorization", admin.clone()),
    ] {
        let reply = show(name, value.clone()).await;
        assert_eq!(reply.problem(), UNAUTHENTICATED, "{name}: {value}");
    }
}

#[tokio::test]
async fn keys_outlive_a_restart_and_revoked_ones_do_not() {
    let guarded = Guarded::start().await;
    let (kept_id, kept) = guarded
        .key("trader", "alice", json!({"requests_per_second": 7}))
        .await;
    let (revoked_id, revoked) = guarded.key("reader", "eve", json!({})).await;
    let revoke = format!("/admin/keys/{revoked_id}");
    let gone = guarded.admin().ask(Method::DELETE, &revoke, None).await;
    assert_eq!(
        (gone.status, gone.text.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    let again = guarded.admin().ask(Method::DELETE, &revoke, None).await;
    assert_eq!(again.problem(), (404, "not_found"));
    let refused = guarded.holds(&revoked).get("/orderbook").await;
    assert_eq!(refused.problem(), UNAUTHENTICATED);

    let Guarded { app, admin } = guarded;
    let guarded = Guarded {
        app: app.restart().await,
        admin,
    };
    assert_eq!(guarded.holds(&kept).get("/orders").await.status, 200);
    let refused = guarded.holds(&revoked).get("/orderbook").await;
    assert_eq!(refused.problem(), UNAUTHENTICATED);
    let keys = guarded.admin().get("/admin/keys").await;
    let keys = keys.body.as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0]["role"], "admin");
    assert_eq!(keys[0]["client_id"], Value::Null);
    assert_eq!(keys[1]["key_id"], kept_id);
    assert_eq!(keys[1]["client_id"], "alice");
    assert_eq!(keys[1]["requests_per_second"], 7);
    assert!(keys[1].get("key").is_none());
}

#[tokio::test]
async fn no_file_ever_holds_a_key() {
    let guarded = Guarded::start().await;
    let (_, key) = guarded.key("trader", "alice", json!({})).await;
    let Guarded { app, admin } = guarded;
    let directory = app.stop_and_keep().await;
    let secrets = [admin, key].map(|key| key.rsplit('_').next().unwrap().to_owned());
    let mut files = 0;
    let mut to_read = vec![directory.path().join("data")];
    while let Some(path) = to_read.pop() {
        if path.is_dir() {
            to_read.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        files += 1;
        let content = std::fs::read(&path).unwrap();
        for secret in &secrets {
            let bytes: Vec<_> = (0..secret.len() / 2)
                .map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            for needle in [secret.as_bytes(), &bytes] {
                let found = content.windows(needle.len()).any(|part| part == needle);
                assert!(!found, "{} holds a key", path.display());
            }
        }
    }
    assert!(files > 3, "{files} files");
}

fn shardbook(arguments: &[&str], directory: &TempDir) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shardbook"))
        .args(arguments)
        .arg("--data-dir")
        .arg(directory.path().join("data"))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn the_first_key_is_made_by_the_command_line_while_nothing_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let create = ["keys", "create", "--role"];
    let (code, key, told) = shardbook(&[&create[..], &["admin"]].concat(), &directory);
    assert_eq!(code, Some(0), "{told}");
    let key = key.strip_suffix('\n').unwrap();
    assert!(
        key.starts_with("sbk_") && !key.contains(char::is_whitespace),
        "{key}"
    );
    for (wrong, expected) in [
        (
            &["root"][..],
            "setting role: \"root\" is not allowed; allowed is reader",
        ),
        (&["trader"][..], "setting client_id"),
        (&["reader"][..], "setting client_id"),
        (
            &["trader", "--client-id", "a b"][..],
            "setting client_id: \"a b\"",
        ),
        (
            &["trader", "--client-id", "binance-x"][..],
            "setting client_id",
        ),
    ] {
        let (code, printed, told) = shardbook(&[&create[..], wrong].concat(), &directory);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    let app = TestApp::open(directory, "auth = 'on'").await;
    let holder = Holder { app: &app, key };
    assert_eq!(holder.get("/admin/keys").await.status, 200);
    let trader = ["trader", "--client-id", "alice"];
    let arguments = [&create[..], &trader].concat();
    let (code, printed, told) = shardbook(&arguments, app.directory());
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");
    assert!(told.contains("in use by another process"), "{told}");
}

#[tokio::test]
async fn a_key_that_is_asked_for_wrongly_is_not_made() {
    let guarded = Guarded::start().await;
    let admin = guarded.admin();
    let rows = [
        (json!({}), "role"),
        (json!({"role": "root", "client_id": "a"}), "role"),
        (json!({"role": "trader"}), "client_id"),
        (json!({"role": "reader", "client_id": null}), "client_id"),
        (json!({"role": "trader", "client_id": "a b"}), "client_id"),
        (json!({"role": "trader", "client_id": 1}), "client_id"),
        (
            json!({"role": "admin", "requests_per_second": 0}),
            "requests_per_second",
        ),
        (
            json!({"role": "admin", "requests_per_second": 1.5}),
            "requests_per_second",
        ),
        (
            json!({"role": "admin", "requests_per_second": "7"}),
            "requests_per_second",
        ),
    ];
    for (key, field) in rows {
        let reply = admin.post("/admin/keys", &key).await;
        assert_eq!(reply.problem(), (422, "invalid_order"), "{key}");
        assert_eq!(reply.body["errors"][0]["field"], field, "{key}");
    }
    let feeds = json!({"role": "trader", "client_id": "binance-trades"});
    assert_eq!(admin.post("/admin/keys", &feeds).await.problem(), FORBIDDEN);
    let reply = admin.ask(Method::DELETE, "/admin/keys/abc", None).await;
    assert_eq!(reply.problem(), (404, "not_found"));
    let keys = admin.get("/admin/keys").await;
    assert_eq!(keys.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_batch_beyond_the_limit_is_admitted_in_part() {
    let app = TestApp::start_with("requests_per_second = 1").await;
    let orders = |client: &str| -> Vec<Value> {
        let order = order_of(&format!("{client} buys 1 @ 1.00"), json!({}));
        vec![order; 500]
    };
    // Two units at once and one a second: to admit all 500 it would have to take minutes.
    let batch = app
        .post("/orders/batch", &json!({"orders": orders("alice")}))
        .await;
    assert_eq!(batch.status, StatusCode::OK);
    let results = batch.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses[..2], [&json!(201), &json!(201)]);
    assert_eq!(statuses[499], &json!(429));
    assert_eq!(results[499]["problem"]["code"], "rate_limited");
    assert_eq!(batch.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    assert_eq!(batch.header("ratelimit"), "\"orders\";r=0;t=1");

    let placed = app.place("bob buys 1 @ 1.00", json!({})).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    assert_eq!(placed.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    assert_eq!(placed.header("ratelimit"), "\"orders\";r=1;t=1");
    let metrics = app.get("/metrics").await.text;
    let counted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("rate_limited_total "))
        .unwrap();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!(counted, refused.to_string());
}

#[tokio::test]
async fn beyond_the_limit_a_request_is_told_when_to_come_back() {
    let app = TestApp::start_with("requests_per_second = 1").await;
    let mut refused = None;
    // Each must take more than a second for none to be refused.
    for _ in 0..50 {
        let reply = app.place("alice buys 1 @ 1.00", json!({})).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.problem(), (429, "rate_limited"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    assert_eq!(refused.header("ratelimit"), "\"orders\";r=0;t=1");
    // Reads name no client, and this machine is not limited by address.
    for _ in 0..100 {
        assert_eq!(app.get("/orderbook").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_key_has_a_limit_of_its_own_for_all_it_does() {
    let guarded = Guarded::start().await;
    let (_, slow) = guarded
        .key("trader", "alice", json!({"requests_per_second": 1}))
        .await;
    let (_, fast) = guarded.key("trader", "alice", json!({})).await;
    let (slow, fast) = (guarded.holds(&slow), guarded.holds(&fast));
    let order = order_of("alice buys 1 @ 1.00", json!({}));
    let batch = json!({"orders": vec![order; 500]});
    let batch = slow.post("/orders/batch", &batch).await;
    let admitted = batch.body["results"].as_array().unwrap().iter();
    let admitted = admitted.filter(|result| result["status"] == 201).count();
    assert!((2..500).contains(&admitted), "{admitted}");
    let answers = async {
        let mut last = slow.get("/orderbook").await;
        for _ in 0..50 {
            if last.status == StatusCode::TOO_MANY_REQUESTS {
                break;
            }
            last = slow.get("/orderbook").await;
        }
        last
    };
    let last = answers.await;
    assert_eq!(last.problem(), (429, "rate_limited"));
    assert_eq!(last.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    let other = fast.get("/orderbook").await;
    assert_eq!(other.status, StatusCode::OK);
    assert_eq!(other.header("ratelimit-policy"), "\"orders\";q=5000;w=1");
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

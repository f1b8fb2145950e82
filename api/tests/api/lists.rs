//! Lists of orders against a naive one, on both databases: every order once, wherever it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::postgres::Postgres;
use shardbook_test_support::random::Random;
use tempfile::TempDir;

use crate::support::TestApp;

/// An exchange whose memory soon lets go of what is over, on a database of its own.
struct Place {
    url: String,
    app: TestApp,
    /// Live as long as the database.
    _directory: TempDir,
    _server: Option<Arc<Postgres>>,
}

impl Place {
    async fn both() -> [Self; 2] {
        let server = Postgres::shared();
        let url = server.database();
        let directory = tempfile::tempdir().unwrap();
        let sqlite = format!(
            "sqlite://{}",
            directory.path().join("lists.sqlite").display()
        );
        [
            Self::start(sqlite, directory, None).await,
            Self::start(url, tempfile::tempdir().unwrap(), Some(server)).await,
        ]
    }

    async fn start(url: String, directory: TempDir, server: Option<Arc<Postgres>>) -> Self {
        let settings = format!("closed_orders_in_memory = 4\ndatabase_url = \"{url}\"");
        let app = TestApp::start_with(&settings).await;
        Self {
            url,
            app,
            _directory: directory,
            _server: server,
        }
    }

    /// Keeps the projector from writing, and nobody from reading.
    async fn hold(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.url);
        options.max_connections(1).min_connections(1);
        let database = Database::connect(options).await.unwrap();
        let statements = if self.url.starts_with("sqlite") {
            "BEGIN IMMEDIATE"
        } else {
            "BEGIN; LOCK TABLE partitions IN ACCESS EXCLUSIVE MODE"
        };
        database.execute_unprepared(statements).await.unwrap();
        database
    }
}

const CLIENTS: [&str; 3] = ["alice", "bob", "carol"];
const INSTRUMENTS: [&str; 2] = ["BTC-USD", "ETH-USD"];
const STATUSES: [&str; 5] = [
    "open",
    "partially_filled",
    "filled",
    "cancelled",
    "rejected",
];

/// Places, cancels or amends something; returns the id if it was placed.
async fn something(
    app: &TestApp,
    random: &mut Random,
    number: u64,
    open: &[String],
) -> Option<String> {
    if !open.is_empty() && random.below(4) == 0 {
        let id = &open[usize::try_from(random.below(u64::try_from(open.len()).unwrap())).unwrap()];
        let reply = app.cancel(id).await;
        // One that memory has let go of, the database may not have yet.
        assert!(
            matches!(reply.problem().0, 200 | 409 | 503),
            "{}",
            reply.text
        );
        return None;
    }
    let id = format!("o-{number}");
    let mut order = json!({
        "order_id": id, "client_id": random.one_of(&CLIENTS),
        "instrument": random.one_of(&INSTRUMENTS), "side": random.one_of(&["buy", "sell"]),
        "quantity": random.below(5) + 1,
    });
    let fields = order.as_object_mut().unwrap();
    if random.below(6) == 0 {
        fields.insert("type".to_owned(), json!("market"));
    } else {
        let time_in_force = random.one_of(&["gtc", "gtc", "gtc", "ioc", "fok", "post_only"]);
        fields.insert("type".to_owned(), json!("limit"));
        fields.insert("price".to_owned(), json!(98 + random.below(5)));
        fields.insert("time_in_force".to_owned(), json!(time_in_force));
    }
    let reply = app.post("/orders", &order).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    Some(id)
}

/// Every order as it stands, newest first, without its trades.
async fn all_one_by_one(app: &TestApp, ids: &[String]) -> Vec<Value> {
    let mut orders = Vec::new();
    for id in ids {
        let mut order = app.get_projected(&format!("/orders/{id}")).await.body;
        order.as_object_mut().unwrap().remove("trades").unwrap();
        orders.push(order);
    }
    let text = |order: &Value, field: &str| order[field].as_str().unwrap().to_owned();
    orders.sort_by_key(|order| {
        std::cmp::Reverse((
            text(order, "created_at"),
            text(order, "instrument"),
            order["sequence"].as_u64(),
        ))
    });
    orders
}

/// The whole list, read page by page.
async fn paged(app: &TestApp, query: &str, limit: usize) -> Vec<Value> {
    let mut listed = Vec::new();
    let mut before = String::new();
    let mut is_over = false;
    loop {
        let page = app
            .get_projected(&format!("/orders?limit={limit}{query}{before}"))
            .await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.body.as_array().unwrap().clone();
        assert!(page.len() <= limit);
        // Who gets less than asked for takes it for the end.
        assert!(!is_over || page.is_empty(), "{query} went on: {page:?}");
        is_over = page.len() < limit;
        let Some(last) = page.last() else {
            return listed;
        };
        before = format!("&before={}", last["order_id"].as_str().unwrap());
        listed.extend(page);
    }
}

/// Compares every list with every filter.
async fn compare(app: &TestApp, ids: &[String]) {
    let all = all_one_by_one(app, ids).await;
    let choices = |choices: &[&str], name: &str| -> Vec<(String, Option<String>)> {
        let named = choices
            .iter()
            .map(|choice| (format!("&{name}={choice}"), Some((*choice).to_owned())));
        std::iter::once((String::new(), None))
            .chain(named)
            .collect()
    };
    for (client_query, client) in choices(&CLIENTS, "client_id") {
        for (instrument_query, instrument) in choices(&INSTRUMENTS, "instrument") {
            for (status_query, status) in choices(&STATUSES, "status") {
                let is = |order: &Value, field: &str, wanted: &Option<String>| {
                    wanted.as_ref().is_none_or(|wanted| order[field] == *wanted)
                };
                let expected: Vec<_> = all
                    .iter()
                    .filter(|order| is(order, "client_id", &client))
                    .filter(|order| is(order, "instrument", &instrument))
                    .filter(|order| is(order, "status", &status))
                    .cloned()
                    .collect();
                let query = format!("{client_query}{instrument_query}{status_query}");
                assert_eq!(paged(app, &query, 7).await, expected, "{query}");
            }
        }
    }
    assert_eq!(paged(app, "", 1000).await, all);
}

#[tokio::test]
async fn every_list_is_what_asking_one_by_one_gives_wherever_the_orders_are() {
    for place in Place::both().await {
        let app = &place.app;
        let mut random = Random::seeded(7);
        let mut ids = Vec::new();
        for round in 0..3 {
            for step in 0..40 {
                let recent = ids.len().saturating_sub(12);
                let number = round * 1_000 + step;
                let placed = something(app, &mut random, number, &ids[recent..]).await;
                ids.extend(placed);
            }
            compare(app, &ids).await;
        }
        let all = all_one_by_one(app, &ids).await;
        for status in STATUSES {
            assert!(
                all.iter().any(|order| order["status"] == status),
                "no {status}"
            );
        }
        let app = place.app.restart().await;
        compare(&app, &ids).await;
        app.stop().await;
    }
}

#[tokio::test]
async fn orders_of_one_moment_stand_in_one_order_over_all_instruments() {
    let clock = TestClock::at("2026-01-31T12:00:00Z");
    let app = TestApp::start_by(&clock, "closed_orders_in_memory = 4").await;
    let mut random = Random::seeded(13);
    let mut ids = Vec::new();
    for number in 0..40 {
        let recent = ids.len().saturating_sub(12);
        let placed = something(&app, &mut random, number, &ids[recent..]).await;
        ids.extend(placed);
    }
    let all = all_one_by_one(&app, &ids).await;
    assert!(
        all.iter()
            .all(|order| order["created_at"] == all[0]["created_at"])
    );
    for limit in [1, 2, 7] {
        assert_eq!(paged(&app, "", limit).await, all);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_list_read_while_orders_come_and_go_has_every_order_from_before_once() {
    for place in Place::both().await {
        let app = &place.app;
        let mut random = Random::seeded(11);
        let mut ids: Vec<String> = Vec::new();
        for round in 0..6 {
            for step in 0..20 {
                let placed = something(app, &mut random, round * 1_000 + step, &ids).await;
                ids.extend(placed);
            }
            // A page, a change, a page: memory and database move on below the reader.
            let before_reading: BTreeSet<_> = ids.iter().cloned().collect();
            let mut seen = BTreeMap::<String, usize>::new();
            let mut before = String::new();
            for step in 20.. {
                let path = format!("/orders?limit=9{before}");
                let page = app.get_projected(&path).await.body;
                let Some(last) = page.as_array().unwrap().last() else {
                    break;
                };
                before = format!("&before={}", last["order_id"].as_str().unwrap());
                for order in page.as_array().unwrap() {
                    let id = order["order_id"].as_str().unwrap().to_owned();
                    *seen.entry(id).or_default() += 1;
                }
                for more in 0..3 {
                    let number = round * 1_000 + step * 10 + more;
                    let placed = something(app, &mut random, number, &ids).await;
                    ids.extend(placed);
                }
            }
            assert!(seen.values().all(|times| *times == 1), "{seen:?}");
            let missed: Vec<_> = before_reading
                .iter()
                .filter(|id| !seen.contains_key(*id))
                .collect();
            assert!(missed.is_empty(), "{missed:?}");
        }
        place.app.stop().await;
    }
}

#[tokio::test]
async fn a_list_that_memory_alone_can_give_needs_no_database_and_no_part_is_ever_given() {
    for place in Place::both().await {
        let app = &place.app;
        let early = app.placed("dave buys 1 @ 90 as early").await;
        let holder = place.hold().await;
        for number in 0..6 {
            app.placed(&format!("alice buys 1 @ 95 as a{number}")).await;
            assert_eq!(app.cancel(&format!("a{number}")).await.status, 200);
        }
        app.placed("alice buys 1 @ 95 as a6").await;
        app.placed("alice buys 1 @ 95 as a7").await;
        let ids = |reply: &crate::support::Reply| -> Vec<String> {
            let orders = reply.body.as_array().expect("a list");
            let ids = orders
                .iter()
                .map(|order| order["order_id"].as_str().unwrap());
            ids.map(str::to_owned).collect()
        };
        // Six are closed, of which memory holds the last four.
        assert_eq!(
            ids(&app.get("/orders?status=open").await),
            ["a7", "a6", "early"]
        );
        assert_eq!(
            ids(&app.get("/orders?client_id=alice&limit=6").await),
            ["a7", "a6", "a5", "a4", "a3", "a2"]
        );
        assert_eq!(
            ids(&app.get("/orders?client_id=alice&limit=2&before=a6").await),
            ["a5", "a4"]
        );
        for whole in [
            "/orders",
            "/orders?client_id=alice",
            "/orders?client_id=alice&limit=3&before=a3",
            "/orders?before=a0",
            "/orders?status=cancelled&instrument=BTC-USD",
        ] {
            let reply = app.get(whole).await;
            assert_eq!(reply.problem(), (503, "database_unavailable"), "{whole}");
        }
        holder.execute_unprepared("ROLLBACK").await.unwrap();
        holder.close().await.unwrap();
        let all = app.get_projected("/orders").await;
        assert_eq!(
            ids(&all),
            ["a7", "a6", "a5", "a4", "a3", "a2", "a1", "a0", "early"]
        );
        assert_eq!(all.body[8]["created_at"], early["created_at"]);
        assert_eq!(all.body[0].get("trades"), None);
        let reply = app
            .get_projected("/orders?limit=2&before=a2&client_id=alice")
            .await;
        assert_eq!(ids(&reply), ["a1", "a0"]);
        let reply = app.get_projected("/orders?before=a0").await;
        assert_eq!(ids(&reply), ["early"]);
        place.app.stop().await;
    }
}

#[tokio::test]
async fn what_a_list_is_asked_for_must_make_sense() {
    let app = TestApp::start().await;
    app.placed("alice buys 1 @ 95 as twice").await;
    let eth = json!({"instrument": "ETH-USD"});
    assert_eq!(
        app.place("alice buys 1 @ 95 as twice", eth).await.status,
        201
    );
    let rows = [
        (
            "status=done",
            400,
            "invalid_parameter",
            "status: must be one of open, partially_filled, filled, cancelled, rejected",
        ),
        (
            "limit=0",
            400,
            "invalid_parameter",
            "limit: must be a whole number from 1 to 1000",
        ),
        (
            "limit=1001",
            400,
            "invalid_parameter",
            "limit: must be a whole number from 1 to 1000",
        ),
        (
            "client_id=",
            400,
            "invalid_parameter",
            "client_id: must have 1 to 64 characters, has 0",
        ),
        (
            "instrument=XRP-USD",
            404,
            "unknown_instrument",
            "there is no instrument XRP-USD",
        ),
        (
            "before=nobody",
            400,
            "invalid_parameter",
            "before: must be an order of this list; there is no nobody in it",
        ),
        (
            "before=twice",
            409,
            "order_id_ambiguous",
            "twice stands on BTC-USD, ETH-USD; say which with instrument",
        ),
        (
            "before=twice&client_id=bob",
            400,
            "invalid_parameter",
            "before: must be an order of this list; there is no twice in it",
        ),
    ];
    for (query, status, code, detail) in rows {
        let reply = app.get_projected(&format!("/orders?{query}")).await;
        assert_eq!(reply.problem(), (status, code), "{query}");
        let mut found = reply.body["detail"].as_str().unwrap().to_owned();
        if code == "order_id_ambiguous" && found.starts_with("twice stands on ETH-USD") {
            found = found.replace("ETH-USD, BTC-USD", "BTC-USD, ETH-USD");
        }
        assert_eq!(found, detail, "{query}");
    }
    let on = app.get("/orders?before=twice&instrument=ETH-USD").await;
    assert_eq!(on.body, json!([]));
    app.stop().await;
}

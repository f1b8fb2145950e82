//! Days are settled once, with what their trades come to.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::naive;
use shardbook_test_support::postgres::Postgres;
use shardbook_test_support::random::Random;

use crate::analytics::{all_trades, as_csv, owners, rows, trade};
use crate::support::{Reply, TestApp};

/// Longer than closing and settling take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const INSTRUMENTS: [&str; 2] = ["BTC-USD", "ETH-USD"];

async fn settle(app: &TestApp, date: &str) -> Reply {
    app.post("/admin/settlements", &json!({"date": date})).await
}

/// Asks until the day is closed and in the database.
async fn settled(app: &TestApp, date: &str) -> Reply {
    let settling = async {
        loop {
            let reply = settle(app, date).await;
            if reply.status.is_success() {
                return reply;
            }
            let (status, code) = reply.problem();
            assert!(
                [(409, "day_not_closed"), (503, "database_unavailable")].contains(&(status, code)),
                "{}",
                reply.text
            );
        }
    };
    tokio::time::timeout(PATIENCE, settling).await.unwrap()
}

/// Waits until the exchange has settled these days by itself.
pub(crate) async fn settled_by_itself(app: &TestApp, dates: &[&str]) -> Value {
    let waiting = async {
        loop {
            let listed = app.get("/settlements").await.body;
            let heads = listed.as_array().unwrap().iter();
            let listed_dates: Vec<_> = heads.map(|head| head["date"].as_str().unwrap()).collect();
            if listed_dates == dates {
                return listed;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

/// The lines of a day as its trades give them.
async fn expected(app: &TestApp, date: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    for instrument in INSTRUMENTS {
        let trades = all_trades(app, instrument).await;
        let owners = owners(app, instrument, &trades).await;
        lines.extend(naive::lines(&trades, date, instrument, |order| {
            owners(order)
        }));
    }
    lines
}

fn check_balance(lines: &[Value]) {
    let mut nets = BTreeMap::<(&str, &str), i128>::new();
    for line in lines {
        for field in ["net_quantity", "net_cash"] {
            let digits = line[field].as_str().unwrap().replace('.', "");
            *nets
                .entry((line["instrument"].as_str().unwrap(), field))
                .or_default() += digits.parse::<i128>().unwrap();
        }
    }
    assert!(nets.values().all(|net| *net == 0), "{nets:?}");
}

#[tokio::test]
async fn a_day_is_settled_by_itself_after_midnight_with_what_its_trades_come_to() {
    let clock = TestClock::at("2026-01-30T21:00:00Z");
    let app = TestApp::start_by(&clock, "").await;
    let mut random = Random::seeded(0x0BAD_CAFE);
    trade(&app, &clock, &mut random, (25, 5)).await;
    let early = settle(&app, "2026-01-30").await;
    assert_eq!(early.problem(), (409, "day_not_closed"));
    let missing = app.get("/settlements/2026-01-30").await;
    assert_eq!(missing.problem(), (404, "not_found"));
    // The day ends while it is traded.
    clock.set("2026-01-30T23:59:59.999000Z");
    trade(&app, &clock, &mut random, (25, 5)).await;
    let heads = settled_by_itself(&app, &["2026-01-30"]).await;
    let settlement = app.get("/settlements/2026-01-30").await.body;
    let lines = expected(&app, "2026-01-30").await;
    assert_eq!(settlement["lines"], json!(lines));
    check_balance(&lines);
    assert_eq!(
        heads,
        json!([{"date": "2026-01-30", "settled_at": settlement["settled_at"],
                "line_count": lines.len()}])
    );
    // Asked for again, and after a restart, it is the same.
    let again = settle(&app, "2026-01-30").await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &settlement));
    let app = app.restart().await;
    assert_eq!(app.get("/settlements/2026-01-30").await.body, settlement);
    let csv = as_csv(&app, "/settlements/2026-01-30").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(json!(rows(&csv.text)), settlement["lines"]);
    app.stop().await;
}

#[tokio::test]
async fn a_trade_on_midnight_belongs_to_the_day_that_begins() {
    let clock = TestClock::at("2026-01-30T23:59:59.999999Z");
    let app = TestApp::start_by(&clock, "").await;
    app.placed("alice sells 3 @ 100.00").await;
    app.placed("bob buys 1 @ 100.00").await;
    clock.set("2026-01-31T00:00:00Z");
    app.placed("bob buys 2 @ 100.00").await;
    let first = settled(&app, "2026-01-30").await.body;
    // A clock that goes back takes no trade back into the day.
    clock.set("2026-01-30T23:59:59Z");
    app.placed("carol sells 0.5 @ 100.00").await;
    app.placed("bob buys 0.5 @ 100.00").await;
    assert_eq!(app.get("/settlements/2026-01-30").await.body, first);
    let bob = app.get("/positions/bob").await.body;
    assert_eq!(bob[0]["bought_quantity"], "2.50000", "{bob}");
    clock.set("2026-02-01T00:00:00Z");
    let second = settled(&app, "2026-01-31").await.body;
    for (settlement, date, quantity) in [
        (&first, "2026-01-30", "1.00000"),
        (&second, "2026-01-31", "2.50000"),
    ] {
        assert_eq!(settlement["lines"], json!(expected(&app, date).await));
        let lines = settlement["lines"].as_array().unwrap();
        let bob = lines.iter().find(|line| line["client_id"] == "bob");
        assert_eq!(bob.unwrap()["net_quantity"], quantity);
    }
    app.stop().await;
}

#[tokio::test]
async fn days_missed_while_it_was_down_are_closed_before_any_order_and_settled() {
    let clock = TestClock::at("2026-01-30T12:00:00Z");
    let app = TestApp::start_by(&clock, "").await;
    app.placed("alice sells 3 @ 100.00").await;
    let last = app.placed("bob buys 1 @ 100.00").await;
    clock.set("2026-02-02T12:00:00Z");
    let app = app.restart().await;
    let next = app.placed("bob buys 1 @ 100.00").await;
    let sequence = |order: &Value| order["sequence"].as_u64().unwrap();
    assert_eq!(
        sequence(&next),
        sequence(&last) + 4,
        "the 30th, the 31st and the 1st were closed in between"
    );
    let dates = ["2026-02-01", "2026-01-31", "2026-01-30"];
    let heads = settled_by_itself(&app, &dates).await;
    let counts: Vec<_> = heads
        .as_array()
        .unwrap()
        .iter()
        .map(|head| head["line_count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [0, 0, 2]);
    for date in dates {
        let settlement = app.get(&format!("/settlements/{date}")).await.body;
        assert_eq!(settlement["lines"], json!(expected(&app, date).await));
    }
    // Before the exchange there was nothing to settle, and today is not over.
    for date in ["2026-01-29", "2026-02-02", "2027-01-01"] {
        let reply = settle(&app, date).await;
        assert_eq!(reply.problem(), (409, "day_not_closed"), "{date}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_day_is_refused() {
    let app = TestApp::start().await;
    for date in [
        json!("2026-02-30"),
        json!("yesterday"),
        json!("2026-1-3"),
        json!("1969-12-31"),
        json!(20_260_130),
    ] {
        let reply = app.post("/admin/settlements", &json!({"date": date})).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{date}");
    }
    for body in [json!({}), json!({"date": null}), json!([])] {
        let reply = app.post("/admin/settlements", &body).await;
        assert_eq!(reply.problem(), (422, "invalid_order"), "{body}");
    }
    for path in ["/settlements/2026-02-30", "/settlements/today"] {
        let reply = app.get(path).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{path}");
        assert_eq!(reply.body["errors"][0]["field"], "date", "{path}");
    }
    app.stop().await;
}

#[tokio::test]
async fn with_the_database_down_it_says_so_and_settles_once_it_is_back() {
    let server = Postgres::start();
    let clock = TestClock::at("2026-01-30T12:00:00Z");
    let settings = format!("database_url = \"{}\"", server.database());
    let app = TestApp::start_by(&clock, &settings).await;
    app.placed("alice sells 3 @ 100.00").await;
    app.placed("bob buys 1 @ 100.00").await;
    server.stop();
    clock.set("2026-01-31T00:00:01Z");
    let refused = async {
        loop {
            let reply = settle(&app, "2026-01-30").await;
            // Until the day is closed.
            if reply.problem() != (409, "day_not_closed") {
                return reply;
            }
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(refused.problem(), (503, "database_unavailable"));
    assert_ne!(refused.header("retry-after"), "");
    let listed = app.get("/settlements").await;
    assert_eq!(listed.problem(), (503, "database_unavailable"));
    server.resume();
    let settlement = settled(&app, "2026-01-30").await.body;
    assert_eq!(
        settlement["lines"],
        json!(expected(&app, "2026-01-30").await)
    );
    app.stop().await;
}

/// Whether a settlement has been broken off: a sequence counts in a transaction that comes to
/// nothing, too.
async fn was_refused(database: &DatabaseConnection) -> bool {
    let asked = Statement::from_string(
        database.get_database_backend(),
        "SELECT is_called FROM tries",
    );
    let row = database.query_one_raw(asked).await.unwrap().unwrap();
    row.try_get("", "is_called").unwrap()
}

#[tokio::test]
async fn a_day_whose_settlement_the_database_broke_off_is_settled_by_itself_later() {
    let server = Postgres::shared();
    let clock = TestClock::at("2026-01-30T12:00:00Z");
    let url = server.database();
    let app = TestApp::start_by(&clock, &format!("database_url = \"{url}\"")).await;
    app.placed("alice sells 3 @ 100.00").await;
    app.placed("bob buys 1 @ 100.00").await;
    // Its tables are there.
    app.get_projected("/settlements").await;
    let database = sea_orm::Database::connect(&url).await.unwrap();
    for statement in [
        "CREATE SEQUENCE tries",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM nextval('tries'); RAISE 'as the test asked'; END $$",
        "CREATE TRIGGER refuses BEFORE INSERT ON settlement_lines
             FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        database.execute_unprepared(statement).await.unwrap();
    }
    clock.set("2026-01-31T00:00:01Z");
    let refused = async { while !was_refused(&database).await {} };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(app.get("/settlements").await.body, json!([]));
    let statement = "DROP TRIGGER refuses ON settlement_lines";
    database.execute_unprepared(statement).await.unwrap();
    settled_by_itself(&app, &["2026-01-30"]).await;
    let settlement = app.get("/settlements/2026-01-30").await.body;
    let lines = expected(&app, "2026-01-30").await;
    assert_eq!(settlement["lines"], json!(lines));
    database.close().await.unwrap();
    app.stop().await;
}

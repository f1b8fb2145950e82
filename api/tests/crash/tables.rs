//! The database as judged by the API: each order and trade once, as the API says it is.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};
use shardbook_storage::database::Database;
use shardbook_storage::entity::{order, order_event, trade};

use super::{Log, Place, all_trades, get};

/// Longer than catching up takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked how things are.
const ASKING: Duration = Duration::from_millis(10);

/// Waits until `/healthz` says what is waited for.
pub(crate) async fn health(base: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let http = reqwest::Client::new();
    let mut pace = tokio::time::interval(ASKING);
    let mut last = Value::Null;
    let asking = async {
        loop {
            pace.tick().await;
            let (status, health) = get(&http, format!("{base}/healthz")).await;
            assert_eq!(
                status, 200,
                "orders are accepted whatever the database does"
            );
            if is_so(&health) {
                return health;
            }
            last = health;
        }
    };
    let found = tokio::time::timeout(PATIENCE, asking).await;
    found.unwrap_or_else(|_| panic!("it never came to {what}: {last}"))
}

/// Whether the database is up and holds everything.
pub(crate) fn is_caught_up(health: &Value) -> bool {
    health["status"] == "ok"
        && health["database"]["status"] == "up"
        && health["database"]["lag_records"] == 0
        && health["database"]["lag_seconds"] == 0
}

/// Waits until nothing is missing, and compares the tables with what the API says of all orders
/// and trades. Nothing may be placed meanwhile.
pub(crate) async fn judge(place: &Place, base: &str, log: &Log) {
    health(base, "a database without lag", is_caught_up).await;
    let database = Database::open(&place.database_url.parse().unwrap()).await;
    let database = database.unwrap();
    judge_orders(&database, base, log).await;
    judge_trades(&database, base).await;
    database.close().await.unwrap();
}

async fn judge_orders(database: &Database, base: &str, log: &Log) {
    let http = reqwest::Client::new();
    let mut expected = BTreeMap::new();
    let ids: Vec<_> = log.lock().keys().cloned().collect();
    for id in ids {
        let (status, order) = get(&http, format!("{base}/orders/{id}")).await;
        // What got no answer may never have come to be; nothing else is 404.
        if status == 200 {
            expected.insert(order["sequence"].as_i64().unwrap(), order);
        } else {
            assert_eq!(order["code"], "order_not_found", "{id}");
        }
    }
    let mut last_events = BTreeMap::new();
    let events = order_event::Entity::find().order_by_asc(order_event::Column::Sequence);
    for event in events.all(database.reader()).await.unwrap() {
        last_events.insert(event.order_sequence, event);
    }
    let rows = order::Entity::find().all(database.reader()).await.unwrap();
    assert_eq!(rows.len(), expected.len(), "orders in the database");
    assert_eq!(last_events.len(), expected.len(), "orders that changed");
    for row in rows {
        let event = &last_events[&row.sequence];
        let last = (event.sequence, &event.status, event.trade_count);
        let now = (row.updated_sequence, &row.status, row.trade_count);
        assert_eq!(last, now, "{}", row.order_id);
        let shown = &expected[&row.sequence];
        for (field, value) in shown.as_object().unwrap() {
            if field != "trades" {
                assert_eq!(*value, column(&row, field), "{field} of {}", row.order_id);
            }
        }
    }
}

pub(crate) fn column(row: &order::Model, field: &str) -> Value {
    match field {
        "order_id" => json!(row.order_id),
        "client_id" => json!(row.client_id),
        "instrument" => json!(row.instrument),
        "side" => json!(row.side),
        "type" => json!(row.kind),
        "time_in_force" => json!(row.time_in_force),
        "price" => json!(row.price.map(|price| price.to_string())),
        "quantity" => json!(row.quantity.to_string()),
        "filled_quantity" => json!(row.filled_quantity.to_string()),
        "remaining_quantity" => json!(row.remaining_quantity.to_string()),
        "average_price" => json!(row.average_price.map(|price| price.to_string())),
        "status" => json!(row.status),
        "reason" => json!(row.reason),
        "idempotency_key" => json!(row.idempotency_key),
        "sequence" => json!(row.sequence),
        "updated_sequence" => json!(row.updated_sequence),
        "created_at" => json!(row.created_at.rfc3339()),
        "updated_at" => json!(row.updated_at.rfc3339()),
        "self_trade_prevention" => json!(row.self_trade_prevention),
        "trade_count" => json!(row.trade_count),
        field => panic!("no column {field}"),
    }
}

async fn judge_trades(database: &Database, base: &str) {
    let shown = all_trades(&reqwest::Client::new(), base).await;
    let rows = trade::Entity::find().order_by_asc(trade::Column::TradeNumber);
    let rows = rows.all(database.reader()).await.unwrap();
    let found: Vec<_> = rows.iter().map(trade_columns).collect();
    assert_eq!(found.len(), shown.len(), "trades in the database");
    for (found, shown) in found.iter().zip(&shown) {
        assert_eq!(found, shown);
    }
}

pub(crate) fn trade_columns(row: &trade::Model) -> Value {
    json!({
        "trade_id": row.trade_id, "instrument": row.instrument,
        "buy_order_id": row.buy_order_id, "sell_order_id": row.sell_order_id,
        "price": row.price.to_string(), "quantity": row.quantity.to_string(),
        "taker_side": row.taker_side, "sequence": row.sequence,
        "timestamp": row.timestamp.rfc3339(),
    })
}

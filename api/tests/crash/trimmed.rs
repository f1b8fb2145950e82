//! A database started over after the journal was trimmed: it begins with a checkpoint, and what
//! it holds from then on is what the API says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sea_orm::EntityTrait;
use serde_json::{Value, json};
use shardbook_storage::database::Database;
use shardbook_storage::entity::{instrument, order, order_event, trade};

use super::foreign::refused;
use super::tables::{column, health, is_caught_up, trade_columns};
use super::{PROGRAM, Place, Postgres, Random, Server, all_trades, an_order, get};

/// Orders in one batch; a segment of 1 MiB holds some ten of them.
const BATCH: usize = 500;

/// Small files and frequent checkpoints, so that the journal is soon trimmed; and little memory,
/// so that not everything is in a checkpoint.
const SMALL: [&str; 8] = [
    "--feed",
    "off",
    "--journal-segment-bytes",
    "1048576",
    "--checkpoint-records",
    "1000",
    "--closed-orders-in-memory",
    "50",
];

fn serve(data_dir: &Path, more: &[&str]) -> Server {
    Server::start(PROGRAM, data_dir, &[&SMALL[..], more].concat())
}

/// Places a batch of random orders; returns the ids of those that are open after it.
async fn place_batch(base: &str, number: usize, random: &mut Random) -> Vec<String> {
    let ids: Vec<_> = (0..BATCH)
        .map(|order| format!("o-{number}-{order}"))
        .collect();
    let orders: Vec<_> = ids
        .iter()
        .map(|id| an_order(random, id, number % 3))
        .collect();
    let answer = reqwest::Client::new()
        .post(format!("{base}/orders/batch"))
        .json(&json!({ "orders": orders }))
        .send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    for result in answer["results"].as_array().unwrap() {
        assert_eq!(result["status"], 201, "{result}");
    }
    ids
}

/// Places some orders that are closed when it returns, the newest of all closed ones.
async fn place_and_cancel(base: &str) -> Vec<String> {
    let http = reqwest::Client::new();
    let ids: Vec<_> = (0..10).map(|number| format!("closed-{number}")).collect();
    for id in &ids {
        let order = json!({
            "order_id": id, "client_id": "closer", "instrument": "BTC-USD", "side": "buy",
            "type": "limit", "price": "0.01", "quantity": "1"
        });
        let placed = http.post(format!("{base}/orders")).json(&order).send();
        assert_eq!(placed.await.unwrap().status(), 201);
        let cancelled = http.post(format!("{base}/orders/{id}/cancel")).send();
        assert_eq!(cancelled.await.unwrap().status(), 200);
    }
    ids
}

fn segments(data_dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(data_dir.join("partition-0"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What the database holds is what the API says, and of what is `recent` or open nothing is
/// missing. Says how many of all orders are gone.
async fn judge(url: &str, base: &str, all: &[String], recent: &[String]) -> usize {
    health(base, "a database without lag", is_caught_up).await;
    let database = Database::open(&url.parse().unwrap()).await.unwrap();
    let rows = order::Entity::find().all(database.reader()).await.unwrap();
    let rows: BTreeMap<_, _> = rows
        .into_iter()
        .map(|row| (row.order_id.clone(), row))
        .collect();
    let mut events = BTreeMap::new();
    for event in order_event::Entity::find()
        .all(database.reader())
        .await
        .unwrap()
    {
        let last = events.entry(event.order_id).or_insert(0);
        *last = event.sequence.max(*last);
    }
    let http = reqwest::Client::new();
    let gone: Vec<_> = all.iter().filter(|id| !rows.contains_key(*id)).collect();
    assert_eq!(rows.len() + gone.len(), all.len());
    for id in gone.iter().step_by(50) {
        let (status, answer) = get(&http, format!("{base}/orders/{id}")).await;
        assert_eq!(status, 404, "{id} was let go of: {answer}");
    }
    for id in recent {
        assert!(rows.contains_key(id), "{id} is missing");
    }
    for (id, row) in rows.iter().step_by(5) {
        let (_, shown) = get(&http, format!("{base}/orders/{id}")).await;
        assert_eq!(events[id], row.updated_sequence, "the last event of {id}");
        for (field, value) in shown.as_object().unwrap() {
            if field == "trades" {
                let shown = value.as_array().unwrap().len();
                assert_eq!(json!(shown), json!(row.trade_count), "trades of {id}");
            } else {
                assert_eq!(*value, column(row, field), "{field} of {id}");
            }
        }
    }
    let (_, book) = get(&http, format!("{base}/orderbook?levels=1")).await;
    let totals = &book["totals"];
    let resting =
        totals["bids"]["orders"].as_u64().unwrap() + totals["asks"]["orders"].as_u64().unwrap();
    let open = ["open", "partially_filled"];
    let found = rows
        .values()
        .filter(|row| open.contains(&row.status.as_str()));
    assert_eq!(u64::try_from(found.count()), Ok(resting), "open orders");
    let trades = trade::Entity::find().all(database.reader()).await.unwrap();
    let trades: BTreeMap<_, _> = trades
        .iter()
        .map(|row| (json!(row.trade_id).to_string(), trade_columns(row)))
        .collect();
    let (_, newest) = get(&http, format!("{base}/trades?limit=1000")).await;
    for shown in newest.as_array().unwrap() {
        assert_eq!(trades.get(&shown["trade_id"].to_string()), Some(shown));
    }
    let instruments = instrument::Entity::find().all(database.reader());
    for row in instruments.await.unwrap() {
        let (_, shown) = get(&http, format!("{base}/instruments/{}", row.symbol)).await;
        assert_eq!(json!(row.status), shown["status"], "{}", row.symbol);
    }
    // What is read beyond what memory holds ends where the database does.
    assert_eq!(all_trades(&http, base).await.len(), trades.len());
    database.close().await.unwrap();
    gone.len()
}

async fn a_new_database_begins_with_a_checkpoint(new: &str) {
    let place = Place::on_sqlite();
    let data_dir = place.data_dir.path();
    let mut random = Random::seeded(3);
    let (mut all, mut batches) = (Vec::new(), 0);
    let server = serve(data_dir, &["--database-url", &place.database_url]);
    let first = segments(data_dir).remove(0);
    while segments(data_dir).contains(&first) {
        all.extend(place_batch(&server.base, batches, &mut random).await);
        batches += 1;
        assert!(batches < 200, "nothing is trimmed");
        // Nothing that the database still needs is trimmed.
        if batches % 10 == 0 {
            health(&server.base, "a database without lag", is_caught_up).await;
        }
    }
    // What the older of the two checkpoints holds, and no record after it tells of.
    let closed = place_and_cancel(&server.base).await;
    all.extend(closed.clone());
    let on_eth = format!("{}/admin/instruments/ETH-USD/halt", server.base);
    let halted = reqwest::Client::new().post(on_eth).json(&json!({})).send();
    assert_eq!(halted.await.unwrap().status(), 200);
    assert_eq!(server.terminate(), Some(0));
    let server = serve(data_dir, &["--database-url", &place.database_url]);
    all.extend(place_batch(&server.base, batches, &mut random).await);
    batches += 1;
    assert_eq!(server.terminate(), Some(0));

    let elsewhere = [&SMALL[..], &["--database-url", new]].concat();
    let (code, said) = refused(data_dir, &elsewhere);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--accept-new-database"), "{said}");

    let recent = [&all[all.len() - BATCH..], &closed].concat();
    let server = serve(data_dir, &["--database-url", new, "--accept-new-database"]);
    let gone = judge(new, &server.base, &all, &recent).await;
    assert!(gone > BATCH, "only {gone} of {} are gone", all.len());
    // It goes on, over a restart too, whether or not it is still told to start over.
    all.extend(place_batch(&server.base, batches, &mut random).await);
    assert_eq!(server.terminate(), Some(0));
    let server = serve(data_dir, &["--database-url", new, "--accept-new-database"]);
    all.extend(place_batch(&server.base, batches + 1, &mut random).await);
    let recent = [&all[all.len() - 3 * BATCH..], &closed].concat();
    assert_eq!(judge(new, &server.base, &all, &recent).await, gone);
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sqlite_file_begins_with_a_checkpoint_where_the_journal_was_trimmed() {
    let place = Place::on_sqlite();
    a_new_database_begins_with_a_checkpoint(&place.database_url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_postgresql_database_begins_with_a_checkpoint_where_the_journal_was_trimmed() {
    let postgres = Postgres::shared();
    a_new_database_begins_with_a_checkpoint(&postgres.database()).await;
}

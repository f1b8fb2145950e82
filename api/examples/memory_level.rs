//! Whether the memory of a real exchange stays level however many orders it takes.
//!
//! ```text
//! cargo build --release -p shardbook
//! cargo run --release -p shardbook --example memory_level -- target/release/shardbook 6000000
//! ```
//!
//! Serves an exchange of its own with small windows, so that all are full soon, sends it orders
//! in batches of 500 as fast as it answers, most with a key, and prints what it holds in memory
//! along the way. Half of the orders rest until they trade or their client cancels all of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const CONNECTIONS: u64 = 4;
const BATCH: u64 = 500;

/// Clients of each connection, in turn.
const CLIENTS: u64 = 25;

/// Lines of the table.
const SAMPLES: u64 = 16;

const SETTINGS: [&str; 14] = [
    "--feed",
    "off",
    "--requests-per-second",
    "0",
    "--closed-orders-in-memory",
    "50000",
    "--order-ids",
    "100000",
    "--idempotency-keys",
    "100000",
    "--checkpoint-records",
    "200000",
    "--stream-events",
    "10000",
];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, orders] = &arguments[..] else {
        panic!("which binary, and how many orders?");
    };
    let orders: u64 = orders.parse().unwrap();
    let place = tempfile::tempdir().unwrap();
    let mut child = Command::new(binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(place.path())
        .args(SETTINGS)
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let server = Server(child);
    let line = lines.next().unwrap().unwrap();
    let base = line.strip_prefix("listening on ").unwrap().to_owned();
    let sent = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|connection| {
            let (base, sent) = (base.clone(), Arc::clone(&sent));
            tokio::spawn(trade(base, connection, orders, sent))
        })
        .collect();
    println!("    orders  seconds  resident MB  open orders  database behind");
    for sample in 0..=SAMPLES {
        while sent.load(Ordering::Relaxed) < orders * sample / SAMPLES {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        print_sample(&server, &base, sent.load(Ordering::Relaxed), begun).await;
    }
    for connection in connections {
        connection.await.unwrap();
    }
    caught_up(&base).await;
    print_sample(&server, &base, sent.load(Ordering::Relaxed), begun).await;
}

async fn print_sample(server: &Server, base: &str, sent: u64, begun: Instant) {
    let get = async |path| -> Value {
        let answer = reqwest::get(format!("{base}{path}")).await.unwrap();
        answer.json().await.unwrap()
    };
    let book = get("/orderbook?instrument=BTC-USD&levels=1").await;
    let open = |side: &str| book["totals"][side]["orders"].as_u64().unwrap();
    let lag = get("/healthz").await["database"]["lag_records"].clone();
    println!(
        "{sent:>10}  {:>7}  {:>11}  {:>11}  {lag:>15}",
        begun.elapsed().as_secs(),
        resident(server.0.id()),
        open("bids") + open("asks"),
    );
}

async fn caught_up(base: &str) {
    loop {
        let health = reqwest::get(format!("{base}/healthz")).await.unwrap();
        let health: Value = health.json().await.unwrap();
        if health["database"]["lag_records"] == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn trade(base: String, connection: u64, orders: u64, sent: Arc<AtomicU64>) {
    let http = reqwest::Client::new();
    for batch in 0.. {
        if sent.load(Ordering::Relaxed) >= orders {
            return;
        }
        let client = format!("client-{connection}-{}", batch % CLIENTS);
        let orders: Vec<Value> = (0..BATCH)
            .map(|number| order(&client, connection, batch * BATCH + number))
            .collect();
        let post = async |path: &str, body: Value| {
            let sent = http.post(format!("{base}{path}")).json(&body).send().await;
            let response = sent.unwrap();
            assert!(response.status().is_success(), "{}", response.status());
            response.json::<Value>().await.unwrap()
        };
        if batch % 4 == 3 {
            let all = json!({"client_id": client, "instrument": "BTC-USD"});
            post("/orders/cancel-all", all).await;
        }
        let answer = post("/orders/batch", json!({"orders": orders})).await;
        let results = answer["results"].as_array().unwrap();
        let refused = results.iter().find(|result| result["status"] != 201);
        assert!(refused.is_none(), "{refused:?}");
        sent.fetch_add(BATCH, Ordering::Relaxed);
    }
}

/// Ids of 36 characters; every other order is a market order, the others are at 20 prices.
fn order(client: &str, connection: u64, number: u64) -> Value {
    let id = format!("{connection:04}-{number:031}");
    let side = if number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0 {
        "buy"
    } else {
        "sell"
    };
    let mut order = json!({
        "order_id": id, "client_id": client, "instrument": "BTC-USD", "side": side,
        "quantity": "0.001", "type": "market",
    });
    if number.is_multiple_of(2) {
        let away = number / 2 % 10;
        let price = if side == "buy" {
            1_000 - away
        } else {
            1_001 + away
        };
        order["type"] = json!("limit");
        order["price"] = json!(price);
    }
    if !number.is_multiple_of(5) {
        order["idempotency_key"] = json!(id);
    }
    order
}

/// A process's memory, in megabytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() / 1_024
}

//! A disk that fills up under a real exchange: it takes no more orders, loses none, and goes on
//! by itself once there is room.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../crash/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::Server;

/// The disk's size, and what is in the way on it at first.
const DISK: &str = "size=9m";
const BALLAST_BYTES: usize = 3 * 1024 * 1024;

/// Orders in one batch; of several batches one segment of 1 MiB is soon full.
const BATCH: usize = 500;

/// A small file system of its own; unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where this user may not mount one.
    fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "none"])
            .arg(place.path())
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// Places a batch of orders that rest, notes which were acknowledged, and says how the others
/// ended.
async fn place(base: &str, number: usize, acknowledged: &mut BTreeSet<String>) -> Vec<Value> {
    let orders: Vec<Value> = (0..BATCH)
        .map(|order| {
            json!({
                "order_id": format!("o-{number}-{order}"), "client_id": "alice",
                "instrument": "BTC-USD", "side": "buy", "price": "100.00", "quantity": "0.1",
                "type": "limit",
            })
        })
        .collect();
    let sent = reqwest::Client::new()
        .post(format!("{base}/orders/batch"))
        .json(&json!({ "orders": orders }))
        .send();
    let answer: Value = sent.await.unwrap().json().await.unwrap();
    let mut others = Vec::new();
    for result in answer["results"].as_array().unwrap() {
        if result["status"] == 201 {
            let id = result["order"]["order_id"].as_str().unwrap();
            assert!(acknowledged.insert(id.to_owned()), "{id} twice");
        } else {
            others.push(result.clone());
        }
    }
    others
}

async fn health(base: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("{base}/healthz")).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Every acknowledged order rests, and no other.
async fn judge(base: &str, acknowledged: &BTreeSet<String>) {
    let book = reqwest::get(format!("{base}/orderbook?instrument=BTC-USD"));
    let book: Value = book.await.unwrap().json().await.unwrap();
    assert_eq!(book["totals"]["bids"]["orders"], acknowledged.len());
    for id in acknowledged.iter().step_by(997) {
        let answer = reqwest::get(format!("{base}/orders/{id}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_orders_loses_none_and_is_left_behind_once_there_is_room() {
    let Some(disk) = Disk::mount() else {
        // Past the test harness, which keeps to itself what a passing test prints.
        let said = b"NOT CHECKED: a full disk, as this user may not mount a tmpfs; the journal's \
own tests have a disk in memory\n";
        std::io::stderr().write_all(said).unwrap();
        return;
    };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/db", elsewhere.path().display());
    let serve = [
        "--feed",
        "off",
        "--journal-segment-bytes",
        "1048576",
        "--requests-per-second",
        "0",
        "--database-url",
        &database,
    ];
    let data_dir = disk.path().join("data");
    let server = Server::start(&data_dir, &serve);
    let base = &server.base;
    let mut acknowledged = BTreeSet::new();
    let mut numbers = 0..;
    let patience = Instant::now() + Duration::from_secs(60);
    let refused = loop {
        assert!(Instant::now() < patience, "the disk does not fill up");
        let others = place(base, numbers.next().unwrap(), &mut acknowledged).await;
        if let Some(other) = others.first() {
            break other.clone();
        }
    };
    assert_eq!(refused["status"], 503, "{refused}");
    assert_eq!(refused["problem"]["code"], "journal_unavailable");
    let (status, body) = health(base).await;
    assert_eq!((status, &body["status"]), (503, &json!("unavailable")));
    assert_eq!(body["journal"]["status"], "unavailable");
    judge(base, &acknowledged).await;

    fs::remove_file(&ballast).unwrap();
    while health(base).await.0 != 200 {
        assert!(Instant::now() < patience, "it does not find the room");
        tokio::task::yield_now().await;
    }
    let before = acknowledged.len();
    let others = place(base, numbers.next().unwrap(), &mut acknowledged).await;
    assert_eq!(others, [Value::Null; 0]);
    assert_eq!(acknowledged.len(), before + BATCH);
    judge(base, &acknowledged).await;

    server.kill();
    let server = Server::start(&data_dir, &serve);
    judge(&server.base, &acknowledged).await;
    assert_eq!(server.terminate(), Some(0));
}

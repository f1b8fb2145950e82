//! A disk that fills up under a real exchange: it takes no more orders, loses none, and goes on
//! by itself once there is room.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::naive;
use shardbook_test_support::server::Server;
use shardbook_test_support::unchecked::not_checked;

use crate::PROGRAM;
use crate::support::TestApp;

/// The disk's size: some segments.
const DISK: &str = "size=9m";

/// Much longer than filling a disk takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

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

    /// The same, and says what is not checked then.
    fn mount_or_tell() -> Option<Self> {
        let disk = Self::mount();
        if disk.is_none() {
            not_checked(
                "a full disk, as this user may not mount a tmpfs; the journal's own tests have a disk \
                 in memory",
            );
        }
        disk
    }

    /// Takes what room there is, until the file that this returns is removed.
    fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut in_the_way = fs::File::create(&ballast).unwrap();
        while in_the_way.write_all(&[1; 4096]).is_ok() {}
        ballast
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
    let Some(disk) = Disk::mount_or_tell() else {
        return;
    };
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
    let server = Server::start(PROGRAM, &data_dir, &serve);
    let ballast = disk.fill();
    let base = &server.base;
    let mut acknowledged = BTreeSet::new();
    let mut numbers = 0..;
    let patience = Instant::now() + PATIENCE;
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
    let server = Server::start(PROGRAM, &data_dir, &serve);
    judge(&server.base, &acknowledged).await;
    assert_eq!(server.terminate(), Some(0));
}

/// Whether orders are taken: places and cancels one.
async fn takes_orders(app: &TestApp) -> bool {
    let placed = app.place("carol buys 0.00001 @ 1.00", json!({})).await;
    if placed.problem() == (503, "journal_unavailable") {
        return false;
    }
    let id = placed.body["order_id"].as_str().unwrap();
    app.cancel(id).await;
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_ends_while_the_disk_is_full_is_closed_and_settled_once_there_is_room() {
    let Some(disk) = Disk::mount_or_tell() else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let settings = format!(
        "database_url = \"sqlite://{}/db\"\nrequests_per_second = 0",
        elsewhere.path().display()
    );
    let clock = TestClock::at("2026-01-30T23:00:00Z");
    let directory = tempfile::tempdir_in(disk.path()).unwrap();
    let app = TestApp::open_by(Arc::new(clock.clone()), directory, &settings).await;
    app.placed("alice sells 1 @ 100.00").await;
    app.placed("bob buys 1 @ 100.00").await;
    let ballast = disk.fill();
    let patience = Instant::now() + PATIENCE;
    let base = format!("http://{}", app.address());
    let (mut acknowledged, mut numbers) = (BTreeSet::new(), 0..);
    while place(&base, numbers.next().unwrap(), &mut acknowledged).await == [Value::Null; 0] {
        assert!(Instant::now() < patience, "the disk does not fill up");
    }

    clock.set("2026-01-31T00:00:01Z");
    let date = json!({"date": "2026-01-30"});
    let settle = || app.post("/admin/settlements", &date);
    for _ in 0..3 {
        assert!(!takes_orders(&app).await);
        assert_eq!(settle().await.problem(), (409, "day_not_closed"));
    }
    assert_eq!(app.get("/settlements").await.body, json!([]));

    fs::remove_file(&ballast).unwrap();
    let settled = loop {
        let heads = app.get("/settlements").await.body;
        if heads[0]["date"] == "2026-01-30" {
            break app.get("/settlements/2026-01-30").await.body;
        }
        assert!(Instant::now() < patience, "it is not settled by itself");
    };
    let trades = app.get("/trades").await.body;
    let trades = naive::read(trades.as_array().unwrap());
    let sold = trades[0].sell.clone();
    let owner = |order: &str| (if order == sold { "alice" } else { "bob" }).to_owned();
    let lines = naive::lines(&trades, "2026-01-30", "BTC-USD", owner);
    assert_eq!(settled["lines"], json!(lines));
    assert_eq!(settle().await.status, 200);
    assert!(takes_orders(&app).await);
    judge(&base, &acknowledged).await;
    app.stop().await;
}

//! `shardbook journal` on the data directory of a real exchange: whole, torn, damaged, in use.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use shardbook_test_support::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_shardbook");

/// Two partitions, so that one can be damaged and the other not; small files.
const SERVE: [&str; 6] = [
    "--feed",
    "off",
    "--partitions",
    "2",
    "--journal-segment-bytes",
    "1048576",
];

/// How a run of the binary ended.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn journal(command: &str, data_dir: &Path) -> Run {
    let output = Command::new(PROGRAM)
        .args(["journal", command, "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every file with its content.
fn everything(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(everything(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

/// Runs a command that must leave the directory as it is.
fn look(command: &str, data_dir: &Path) -> Run {
    let before = everything(data_dir);
    let run = journal(command, data_dir);
    assert!(everything(data_dir) == before, "{command} changed a file");
    run
}

async fn post(base: &str, path: &str, body: Value) {
    let http = reqwest::Client::new();
    let sent = http.post(format!("{base}{path}")).json(&body).send().await;
    assert!(sent.unwrap().status().is_success());
}

/// A data directory in which a few orders met, and whose server was killed. `BTC-USD` and
/// `SOL-USD` stand in partition 0, `ETH-USD` in partition 1.
async fn traded() -> tempfile::TempDir {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(PROGRAM, data_dir.path(), &SERVE);
    let order = |id: &str, instrument: &str, side: &str, quantity: &str| {
        json!({
            "order_id": id, "client_id": "alice", "instrument": instrument, "side": side,
            "type": "limit", "price": "100.5", "quantity": quantity, "idempotency_key": id,
        })
    };
    for body in [
        order("a", "BTC-USD", "sell", "1"),
        order("b", "BTC-USD", "buy", "0.25"),
        order("c", "ETH-USD", "buy", "2"),
    ] {
        post(&server.base, "/orders", body).await;
    }
    post(&server.base, "/orders/a/cancel", json!({})).await;
    server.kill();
    data_dir
}

/// The one segment of a partition.
fn segment(data_dir: &Path, partition: u32) -> PathBuf {
    let directory = data_dir.join(format!("partition-{partition}"));
    let mut files = everything(&directory).into_keys();
    let segment = files.find(|path| path.extension().is_some_and(|end| end == "segment"));
    segment.unwrap()
}

fn lines(dump: &str) -> Vec<Value> {
    dump.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_healthy_journal_is_told_log_by_log_and_record_by_record() {
    let data_dir = traded().await;
    let verified = look("verify", data_dir.path());
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(
        verified.stdout,
        "control log: positions 1 to 4, 4 records\n\
         partition 0: positions 1 to 3, 3 records\n\
         partition 1: positions 1 to 1, 1 records\n"
    );

    let dumped = look("dump", data_dir.path());
    assert_eq!(dumped.code, Some(0), "{}", dumped.stderr);
    let mut lines = lines(&dumped.stdout);
    assert_eq!(lines.len(), 8);
    for line in &mut lines {
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        let timestamp = timestamp.as_str().unwrap();
        assert!(timestamp.len() == 27 && timestamp.ends_with('Z'), "{line}");
    }
    assert_eq!(lines[0]["record"], "exchange_created");
    assert_eq!(
        lines[1],
        json!({
            "log": "control", "position": 2, "record": "instrument_listed",
            "instrument": "BTC-USD", "number": 0, "partition": 0, "tick_size": "0.01",
            "lot_size": "0.00001", "min_quantity": "0.00001",
            "max_quantity": "10000000.00000", "min_notional": null, "price_band": null,
            "binance_symbol": "BTCUSDT",
        })
    );
    let place = |id: &str, side: &str, quantity: &str| {
        json!({
            "op": "place", "order_id": id, "order_id_chosen_by": "client", "client_id": "alice",
            "idempotency_key": id, "side": side, "type": "limit", "price": "100.50",
            "time_in_force": "gtc", "quantity": quantity, "self_trade_prevention": "none",
        })
    };
    let record = |position: u64, command: Value, events: Value| {
        json!({
            "partition": 0, "position": position, "instrument": "BTC-USD",
            "sequence": position, "command": command, "events": events,
        })
    };
    let traded = json!({
        "event": "traded", "trade_id": "BTC-USD-1", "maker": {"sequence": 1, "index": 0},
        "price": "100.50", "quantity": "0.25000",
    });
    let cancelled = json!({
        "event": "cancelled", "order": {"sequence": 1, "index": 0}, "reason": "requested",
    });
    let cancel = json!({"op": "cancel", "order_id": "a", "requested_by": null});
    assert_eq!(
        lines[4],
        record(1, place("a", "sell", "1.00000"), json!([]))
    );
    let taker = place("b", "buy", "0.25000");
    assert_eq!(lines[5], record(2, taker, json!([traded])));
    assert_eq!(lines[6], record(3, cancel, json!([cancelled])));
    assert_eq!(lines[7]["partition"], 1);
    assert_eq!(lines[7]["instrument"], "ETH-USD");
    assert_eq!(lines[7]["command"]["quantity"], "2.0000");
}

#[tokio::test]
async fn a_torn_tail_is_told_and_left_where_it_is() {
    let data_dir = traded().await;
    let file = segment(data_dir.path(), 0);
    let mut bytes = fs::read(&file).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // A frame may end with zeros.
    bytes[end + 20..end + 60].fill(7);
    fs::write(&file, &bytes).unwrap();

    let verified = look("verify", data_dir.path());
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let told = verified.stdout.lines().nth(1).unwrap();
    let beginning = "partition 0: positions 1 to 3, 3 records; torn tail of ";
    assert!(told.starts_with(beginning), "{told}");
    assert!(told.contains(&file.display().to_string()), "{told}");

    let dumped = look("dump", data_dir.path());
    assert_eq!(dumped.code, Some(0), "{}", dumped.stderr);
    assert_eq!(lines(&dumped.stdout).len(), 8);
}

#[tokio::test]
async fn damage_is_told_with_its_place_and_what_to_do() {
    let data_dir = traded().await;
    let file = segment(data_dir.path(), 0);
    let mut bytes = fs::read(&file).unwrap();
    // Within the first frame's payload.
    bytes[120] ^= 1;
    fs::write(&file, &bytes).unwrap();

    let verified = look("verify", data_dir.path());
    assert_eq!(verified.code, Some(3));
    let place = format!("{} at byte 64: ", file.display());
    for told in [
        &place,
        "nothing was changed",
        "put the file back from a copy",
    ] {
        assert!(verified.stderr.contains(told), "{}", verified.stderr);
    }
    assert_eq!(
        verified.stdout,
        "control log: positions 1 to 4, 4 records\n\
         partition 1: positions 1 to 1, 1 records\n"
    );
    let dumped = look("dump", data_dir.path());
    assert_eq!(dumped.code, Some(3));
    assert!(dumped.stderr.contains(&place), "{}", dumped.stderr);
}

/// A partition's files of a kind, oldest first.
fn checkpoint_files(data_dir: &Path, partition: u32, kind: &str) -> Vec<PathBuf> {
    let directory = data_dir.join(format!("checkpoints-{partition}"));
    // Named only, as they may be on their way from one name to another.
    let entries = fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == kind));
    files.sort();
    files
}

#[tokio::test]
async fn checkpoints_are_made_when_asked_for_and_told_beside_their_logs() {
    let data_dir = traded().await;
    let server = Server::start(PROGRAM, data_dir.path(), &SERVE);
    server.ask_for_checkpoints();
    while (0..2).any(|id| checkpoint_files(data_dir.path(), id, "manifest").is_empty()) {
        tokio::task::yield_now().await;
    }
    server.kill();
    let expected = "control log: positions 1 to 4, 4 records\n\
                    partition 0: positions 1 to 3, 3 records\n\
                    partition 0: checkpoint at position 3, whole\n\
                    partition 1: positions 1 to 1, 1 records\n\
                    partition 1: checkpoint at position 1, whole\n";
    let verified = look("verify", data_dir.path());
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(verified.stdout, expected);

    // One that can't be used is none to do without: the log holds all that it did.
    let state = checkpoint_files(data_dir.path(), 0, "state").remove(0);
    let mut bytes = fs::read(&state).unwrap();
    bytes[10] ^= 1;
    fs::write(&state, bytes).unwrap();
    let verified = look("verify", data_dir.path());
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let manifest = checkpoint_files(data_dir.path(), 0, "manifest").remove(0);
    let told = format!(
        "partition 0: {} is passed over by a start: the checkpoint is damaged: {}: its checksum \
         does not hold",
        manifest.display(),
        state.display()
    );
    assert_eq!(verified.stdout.lines().nth(2), Some(&told[..]));
    let server = Server::start(PROGRAM, data_dir.path(), &SERVE);
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn whichever_signal_stops_it_a_checkpoint_holds_all_and_the_next_start_replays_nothing() {
    let data_dir = traded().await;
    for (signal, records) in [("-TERM", 4), ("-INT", 5)] {
        let server = Server::start(PROGRAM, data_dir.path(), &SERVE);
        let order = json!({
            "client_id": "bob", "instrument": "BTC-USD", "side": "buy", "type": "limit",
            "price": "1", "quantity": "1",
        });
        post(&server.base, "/orders", order).await;
        assert_eq!(server.end_by(signal), Some(0));
        let verified = look("verify", data_dir.path());
        let told: Vec<&str> = verified.stdout.lines().collect();
        let log = format!("partition 0: positions 1 to {records}, {records} records");
        let checkpoint = format!("partition 0: checkpoint at position {records}, whole");
        assert_eq!(told[1..3], [log, checkpoint]);
    }
}

#[tokio::test]
async fn a_journal_that_is_served_is_left_alone() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(PROGRAM, data_dir.path(), &SERVE);
    for command in ["verify", "dump"] {
        let run = journal(command, data_dir.path());
        assert_eq!(run.code, Some(2), "{command}");
        assert!(run.stderr.contains("in use by another process"));
        assert_eq!(run.stdout, "");
    }
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(journal("verify", data_dir.path()).code, Some(0));
}

#[test]
fn a_directory_that_holds_no_exchange_is_named_and_stays_empty() {
    let above = tempfile::tempdir().unwrap();
    for (name, told) in [("missing", "no such directory"), (".", "holds no exchange")] {
        let run = look("verify", above.path());
        assert_eq!(run.code, Some(2));
        let run = journal("dump", &above.path().join(name));
        assert_eq!(run.code, Some(2), "{name}");
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
    assert_eq!(everything(above.path()).len(), 0);
}

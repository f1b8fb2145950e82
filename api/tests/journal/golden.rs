//! The golden data directory in `fixtures/golden/v1`, as those see it who look after an exchange
//! that has moved on to this program.

use std::fmt::Write;

use shardbook_engine::journal::{Journal, Part};
use shardbook_storage::journal::{FileJournal, JournalOptions};

use super::*;

const SERVE: [&str; 2] = ["--feed", "off"];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden")
}

/// A copy that may be served.
fn copy() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let from = golden().join("v1");
    for (path, bytes) in everything(&from) {
        let to = place.path().join(path.strip_prefix(&from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    place
}

#[test]
fn the_golden_journal_is_whole_and_holds_what_it_was_written_with() {
    let dumped = look("dump", &golden().join("v1"));
    assert_eq!(dumped.code, Some(0), "{}", dumped.stderr);
    let expected = golden().join("v1.jsonl");
    if std::env::var("SHARDBOOK_GOLDEN").is_ok_and(|word| word == "write") {
        fs::write(&expected, &dumped.stdout).unwrap();
    }
    let expected = fs::read_to_string(expected).unwrap();
    for (found, expected) in dumped.stdout.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(dumped.stdout.lines().count(), expected.lines().count());

    let verified = look("verify", &golden().join("v1"));
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let (control, partition): (Vec<_>, Vec<_>) = lines(&expected)
        .into_iter()
        .partition(|line| line["log"] == "control");
    let last = |lines: &[Value]| lines.last().unwrap()["position"].clone();
    let newest = last(&partition);
    let (first, rest) = verified
        .stdout
        .split_once("partition 0: checkpoint")
        .unwrap();
    assert_eq!(
        first,
        format!(
            "control log: positions 1 to {}, {} records\n\
             partition 0: positions 1 to {newest}, {} records\n",
            last(&control),
            control.len(),
            partition.len()
        )
    );
    let newest = format!(" at position {newest}, whole\npartition 0: checkpoint at position ");
    assert!(rest.starts_with(&newest), "{rest}");
}

/// Where the log's beginning was let go of, a start needs a checkpoint.
#[test]
fn a_trimmed_log_is_whole_with_its_checkpoints_and_refused_without() {
    let data_dir = copy();
    let log = data_dir.path().join("partition-0");
    fs::remove_file(log.join("00000000000000000001.segment")).unwrap();
    let verified = look("verify", data_dir.path());
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(verified.stdout.lines().count(), 4, "{}", verified.stdout);

    fs::remove_dir_all(data_dir.path().join("checkpoints-0")).unwrap();
    for run in [look("verify", data_dir.path()), serve(data_dir.path())] {
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        assert!(
            run.stderr.contains("its beginning is missing"),
            "{}",
            run.stderr
        );
    }
}

/// All that the exchange says of the golden instruments.
async fn everything_told(base: &str) -> String {
    let mut told = String::new();
    for instrument in ["BTC-USD", "ETH-USD"] {
        for read in ["orderbook?levels=1000&", "trades?limit=1000&"] {
            let url = format!("{base}/{read}instrument={instrument}");
            let mut answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
            // Each start closes the days that are over, at its own time.
            if let Some(book) = answer.as_object_mut() {
                book.remove("timestamp");
            }
            writeln!(told, "{read} {instrument} {answer}").unwrap();
        }
    }
    for id in ["a1", "b2", "c4", "d3", "e4", "m7", "sweep", "g1", "g2"] {
        let url = format!("{base}/orders/{id}");
        let answer = reqwest::get(url).await.unwrap().text().await.unwrap();
        writeln!(told, "{answer}").unwrap();
    }
    told
}

#[tokio::test]
async fn the_golden_journal_is_served_the_same_with_its_checkpoints_and_without() {
    let mut told = Vec::new();
    for checkpoints in [2, 1, 0] {
        let data_dir = copy();
        let mut manifests = everything(&data_dir.path().join("checkpoints-0"));
        manifests.retain(|path, _| path.extension().is_some_and(|end| end == "manifest"));
        assert_eq!(manifests.len(), 2);
        for path in manifests.keys().skip(checkpoints) {
            fs::remove_file(path).unwrap();
        }
        let server = Server::start(PROGRAM, data_dir.path(), &SERVE);
        told.push(everything_told(&server.base).await);
        assert_eq!(server.terminate(), Some(0));
    }
    assert!(told[0].contains("\"order_id\":\"sweep\""), "{}", told[0]);
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

/// How a start ends that is refused.
fn serve(data_dir: &Path) -> Run {
    let output = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir)
        .args(SERVE)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A segment's header has its version at byte 8.
#[test]
fn segments_of_a_higher_version_are_refused_by_name() {
    for log in ["control", "partition-0"] {
        let data_dir = copy();
        let file = data_dir
            .path()
            .join(log)
            .join("00000000000000000001.segment");
        let mut bytes = fs::read(&file).unwrap();
        bytes[8] = 2;
        fs::write(&file, bytes).unwrap();
        for run in [look("verify", data_dir.path()), serve(data_dir.path())] {
            assert_eq!(run.code, Some(3), "{}", run.stderr);
            for told in [
                &file.display().to_string(),
                "format version 2, and this program reads 1 alone",
                "use the version of the program that wrote it",
            ] {
                assert!(run.stderr.contains(told), "{}", run.stderr);
            }
        }
    }
}

#[test]
fn records_of_a_higher_version_are_refused_with_their_position() {
    for log in ["control", "partition-0"] {
        let data_dir = copy();
        let options = JournalOptions { segment_bytes: 0 };
        let (mut journal, _) = FileJournal::open(&data_dir.path().join(log), options).unwrap();
        let position = journal.append(Part::Last, &[2, 0]).unwrap();
        drop(journal);
        for run in [look("verify", data_dir.path()), serve(data_dir.path())] {
            assert_eq!(run.code, Some(3), "{}", run.stderr);
            let position = format!("position {position}");
            for told in [&position[..], "format version 2", "reads version 1"] {
                assert!(run.stderr.contains(told), "{}", run.stderr);
            }
        }
    }
}

/// A checkpoint's file is not the journal: one that can't be read is passed over.
#[tokio::test]
async fn checkpoints_of_a_higher_version_are_passed_over() {
    let untouched = copy();
    let server = Server::start(PROGRAM, untouched.path(), &SERVE);
    let expected = everything_told(&server.base).await;
    server.kill();
    let data_dir = copy();
    for (path, mut bytes) in everything(&data_dir.path().join("checkpoints-0")) {
        if path.extension().is_some_and(|end| end == "manifest") {
            bytes[8] = 2;
            fs::write(path, bytes).unwrap();
        }
    }
    let server = Server::start(PROGRAM, data_dir.path(), &SERVE);
    assert_eq!(everything_told(&server.base).await, expected);
    server.kill();
}

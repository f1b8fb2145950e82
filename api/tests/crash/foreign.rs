//! A database of another exchange: never written to unless that is asked for in so many words.

use std::path::Path;
use std::process::Command;

use super::{Known, Log, PROGRAM, Place, Postgres, Random, Server, an_order, tables};

async fn place_orders(base: &str, name: &str, count: usize) -> Log {
    let http = reqwest::Client::new();
    let mut random = Random::seeded(1);
    let log = Log::default();
    for number in 0..count {
        let id = format!("{name}-{number}");
        let order = an_order(&mut random, &id, 0);
        let request = http.post(format!("{base}/orders")).json(&order);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        let answer = response.json().await.unwrap();
        log.lock().insert(id, Known::Acknowledged(answer));
    }
    log
}

/// The exit code of a start that does not get to serving, and what it says.
pub(crate) fn refused(data_dir: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir)
        .args(more)
        .env_remove("DATABASE_URL")
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

async fn another_exchange_is_kept_out(place: Place) {
    let server = place.serve();
    let log = place_orders(&server.base, "theirs", 30).await;
    assert_eq!(server.terminate(), Some(0));

    let stranger = Place::on(place.database_url.clone());
    let arguments = ["--feed", "off", "--database-url", &place.database_url];
    let (code, said) = refused(stranger.data_dir.path(), &arguments);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the database belongs to exchange"), "{said}");
    assert!(said.contains("--accept-new-database"), "{said}");
    let server = place.serve();
    tables::judge(&place, &server.base, &log).await;
    assert_eq!(server.terminate(), Some(0));

    let accepting = [&arguments[..], &["--accept-new-database"]].concat();
    let server = Server::start(PROGRAM, stranger.data_dir.path(), &accepting);
    let log = place_orders(&server.base, "ours", 20).await;
    tables::judge(&stranger, &server.base, &log).await;
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_exchange_gets_into_a_database_only_when_told_to() {
    let postgres = Postgres::shared();
    another_exchange_is_kept_out(Place::on(postgres.database())).await;
    another_exchange_is_kept_out(Place::on_sqlite()).await;
}

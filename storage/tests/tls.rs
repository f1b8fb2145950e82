//! PostgreSQL behind TLS: the address says how much of the server is checked.

use shardbook_storage::database::Database;
use shardbook_test_support::postgres::Postgres;

#[tokio::test]
async fn postgresql_is_talked_to_over_tls_as_the_address_asks_for() {
    let server = Postgres::stopped();
    let certificate = server.encrypt();
    server.resume();
    let address = server.default_database();
    let vouched = format!("verify-full&sslrootcert={}", certificate.display());
    for (mode, refused) in [
        ("require", None),
        (vouched.as_str(), None),
        // Nobody known vouches for it.
        ("verify-full", Some("UnknownIssuer")),
        ("disable", Some("no encryption")),
    ] {
        let url = format!("{address}?sslmode={mode}").parse().unwrap();
        let database = Database::open(&url).await.unwrap();
        let answer = database.migrate().await.map_err(|error| error.to_string());
        match (answer, refused) {
            (Ok(()), None) => {}
            (Err(said), Some(refused)) => assert!(said.contains(refused), "{mode}: {said}"),
            (answer, _) => panic!("{mode}: {answer:?}"),
        }
    }
}

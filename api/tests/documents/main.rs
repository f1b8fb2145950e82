//! What the exchange says of itself, held against what it does: the OpenAPI and AsyncAPI documents,
//! the Postman collection and the README.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod asyncapi;
mod expectation;
mod openapi;
mod postman;
mod readme;
mod schema;
mod script;

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Much longer than anything here takes, so that only what never comes runs into it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Set, it makes the tests write what they would compare: the documents, and the answers in the
/// Postman collection.
const WRITE: &str = "SHARDBOOK_WRITE_DOCUMENTS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Holds a committed document against the code's, or writes it.
fn assert_committed(name: &str, of_the_code: &str) {
    let path = root().join("openapi").join(name);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, of_the_code).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == of_the_code,
        "openapi/{name} is not what the code says; run \
         `{WRITE}=1 cargo test --package shardbook --test documents` and look at what changed"
    );
}

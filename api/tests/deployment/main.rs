//! What stands around the exchange where it is run, held against the exchange: the image, the
//! containers, the service, and what Prometheus and Grafana ask for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod compose;
mod image;
mod queries;
mod server;
mod unit;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// A committed file's text.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A committed file of YAML.
fn yaml(path: &str) -> serde_yaml::Value {
    serde_yaml::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The variables and flags that the program says it knows.
fn known_settings() -> BTreeSet<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_shardbook"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let names = Regex::new(r"\[env: ([A-Z_]+)=|(--[a-z-]+)").unwrap();
    let names = names.captures_iter(&help).map(|found| {
        let name = found.get(1).or_else(|| found.get(2)).unwrap();
        name.as_str().to_owned()
    });
    names.collect()
}

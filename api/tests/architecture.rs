//! ARCHITECTURE.md and the code agree: each crate depends on no more than its boundary allows, and
//! each module stands on the map, once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// One crate: its folder, which of the others it uses, and which crates would tell it of things
/// that it must not know.
struct Boundary {
    package: &'static str,
    folder: &'static str,
    uses: &'static [&'static str],
    must_not_know: &'static [&'static str],
}

const BOUNDARIES: [Boundary; 6] = [
    Boundary {
        package: "shardbook-engine",
        folder: "engine",
        uses: &[],
        must_not_know: &[
            "sea-orm",
            "sea-orm-migration",
            "sqlx",
            "poem",
            "poem-openapi",
            "hyper",
            "reqwest",
            "tokio-tungstenite",
            "serde_json",
            "toml",
            "crc32c",
            "tempfile",
        ],
    },
    Boundary {
        package: "shardbook-storage",
        folder: "storage",
        uses: &["shardbook-engine"],
        must_not_know: &[
            "poem",
            "poem-openapi",
            "hyper",
            "reqwest",
            "tokio-tungstenite",
        ],
    },
    Boundary {
        package: "shardbook-feed",
        folder: "feed",
        uses: &["shardbook-engine"],
        must_not_know: &[
            "poem",
            "poem-openapi",
            "hyper",
            "sea-orm",
            "sea-orm-migration",
            "sqlx",
        ],
    },
    Boundary {
        package: "shardbook",
        folder: "api",
        uses: &["shardbook-engine", "shardbook-feed", "shardbook-storage"],
        must_not_know: &["sea-orm", "sea-orm-migration", "sqlx", "postcard", "crc32c"],
    },
    Boundary {
        package: "shardbook-load-test",
        folder: "load-test",
        uses: &[],
        must_not_know: &["sea-orm", "sqlx", "poem", "postcard"],
    },
    Boundary {
        package: "shardbook-test-support",
        folder: "test-support",
        uses: &["shardbook-engine"],
        must_not_know: &[
            "sea-orm",
            "sea-orm-migration",
            "sqlx",
            "poem",
            "poem-openapi",
            "hyper",
            "reqwest",
            "tokio-tungstenite",
        ],
    },
];

#[test]
fn every_crate_of_the_workspace_has_a_boundary() {
    let packages: BTreeSet<String> = packages()
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    let bounded = BOUNDARIES
        .iter()
        .map(|boundary| boundary.package.to_owned())
        .collect();
    assert_eq!(packages, bounded);
}

#[test]
fn crates_depend_only_on_what_their_boundary_allows() {
    let packages = packages();
    for boundary in &BOUNDARIES {
        let package = packages
            .iter()
            .find(|package| package["name"] == boundary.package)
            .unwrap_or_else(|| panic!("{} is no crate of the workspace", boundary.package));
        let dependencies = dependencies(package);
        let used: BTreeSet<&str> = dependencies
            .iter()
            .map(String::as_str)
            .filter(|name| BOUNDARIES.iter().any(|other| other.package == *name))
            .collect();
        assert_eq!(
            used,
            boundary.uses.iter().copied().collect(),
            "what {} uses of ours",
            boundary.package
        );
        for unknown in boundary.must_not_know {
            assert!(
                !dependencies.contains(*unknown),
                "{} must not know {unknown}",
                boundary.package
            );
        }
    }
}

#[test]
fn the_engine_touches_no_file_and_no_socket() {
    for file in sources("engine") {
        knows_none_of(&file, &["std::fs", "tokio::fs", "std::net", "tokio::net"]);
    }
}

#[test]
fn the_core_has_no_clock_no_task_and_no_randomness() {
    let engine = root().join("engine/src");
    for file in sources("engine") {
        let place = file.strip_prefix(&engine).unwrap();
        let core = ["book", "shard", "market_data", "record", "control"];
        if core
            .iter()
            .any(|noun| place.starts_with(noun) || place == Path::new(noun).with_extension("rs"))
        {
            knows_none_of(
                &file,
                &["::now()", "tokio::", "async ", "rand::", "new_v4", "now_v7"],
            );
        }
    }
}

#[test]
fn every_module_stands_on_the_map_once_and_the_map_names_no_other() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut mistakes = Vec::new();
    for Boundary { folder, .. } in &BOUNDARIES {
        let source = root().join(folder).join("src");
        let there = sources(folder)
            .into_iter()
            .map(|file| relative(&file, &source))
            .collect();
        let mut named = BTreeSet::new();
        for module in named_modules(&map, folder) {
            if !named.insert(module.clone()) {
                mistakes.push(format!("{folder}: {module} is named twice"));
            }
        }
        mistakes.extend(
            named
                .difference(&there)
                .map(|gone| format!("{folder}: {gone} is not there")),
        );
        mistakes.extend(
            there
                .difference(&named)
                .map(|new| format!("{folder}: {new} is not named")),
        );
    }
    assert!(
        mistakes.is_empty(),
        "ARCHITECTURE.md:\n{}",
        mistakes.join("\n")
    );
}

#[test]
fn no_module_is_called_after_being_useful() {
    for boundary in &BOUNDARIES {
        for file in sources(boundary.folder) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let vague = [
                "mod.rs",
                "utils.rs",
                "util.rs",
                "common.rs",
                "helpers.rs",
                "misc.rs",
            ];
            assert!(
                !vague.contains(&name.as_str()),
                "{} says nothing",
                file.display()
            );
        }
    }
}

/// The words ending in `.rs` of the section whose heading names the folder, `{a,b}` spelled out.
fn named_modules(map: &str, folder: &str) -> Vec<String> {
    let heading = format!("## `{folder}`");
    let section = map
        .split_once(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("ARCHITECTURE.md has no section {heading:?}"))
        .1;
    let section = section.split("\n## ").next().unwrap();
    section
        .split_whitespace()
        .filter(|word| word.ends_with(".rs"))
        .flat_map(spelled_out)
        .collect()
}

fn spelled_out(word: &str) -> Vec<String> {
    let Some((before, rest)) = word.split_once('{') else {
        return vec![word.to_owned()];
    };
    let (choices, after) = rest.split_once('}').expect("a brace is closed");
    choices
        .split(',')
        .map(|choice| format!("{before}{choice}{after}"))
        .collect()
}

fn knows_none_of(file: &Path, words: &[&str]) {
    let code = fs::read_to_string(file).unwrap();
    for word in words {
        assert!(!code.contains(word), "{} knows {word}", file.display());
    }
}

/// The crate's own sources, unit tests in files of their own left out.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder).join("src")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|is| is == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn relative(file: &Path, to: &Path) -> String {
    file.strip_prefix(to)
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// What the crate itself is built from, tests and build scripts aside.
fn dependencies(package: &Value) -> BTreeSet<String> {
    package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

//! The image: what it is built from is there, and what it holds runs as nobody in particular.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use crate::server::Server;
use crate::{root, text};

/// The lines of the Dockerfile, those that go on put together, comments left out.
fn instructions() -> Vec<String> {
    let lines = text("Dockerfile").replace("\\\n", " ");
    let lines = lines.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// What is copied from the repository.
fn copied() -> Vec<String> {
    let mut copied = Vec::new();
    for line in instructions() {
        let Some(arguments) = line.strip_prefix("COPY ") else {
            continue;
        };
        if arguments.contains("--from=") {
            continue;
        }
        let paths: Vec<&str> = arguments
            .split_whitespace()
            .filter(|word| !word.starts_with("--"))
            .collect();
        copied.extend(paths[..paths.len() - 1].iter().map(ToString::to_string));
    }
    copied
}

#[test]
fn the_image_is_built_by_the_compiler_of_the_toolchain_file() {
    let toolchain: toml::Table = text("rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let expected = format!("ARG RUST_VERSION={channel}");
    assert!(instructions().contains(&expected), "no {expected}");
}

#[test]
fn what_the_image_copies_is_there_and_let_through() {
    let ignored = text(".dockerignore");
    let let_through: Vec<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    assert!(ignored.lines().any(|line| line == "*"));
    let copied = copied();
    assert!(copied.len() > 5, "{copied:?}");
    for path in &copied {
        assert!(root().join(path).exists(), "{path} is not there");
        assert!(
            let_through
                .iter()
                .any(|open| path == open || path.starts_with(&format!("{open}/"))),
            ".dockerignore keeps {path} out"
        );
    }
}

#[test]
fn every_crates_manifest_is_copied_and_the_sources_of_those_that_the_program_is_made_of() {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let copied = copied();
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        assert!(copied.contains(&format!("{member}/Cargo.toml")), "{member}");
        let is_needed = !["load-test", "test-support"].contains(&member);
        assert_eq!(
            copied.contains(&format!("{member}/src")),
            is_needed,
            "{member}"
        );
    }
}

#[test]
fn the_image_runs_as_a_user_with_a_number_and_tells_its_health() {
    let instructions = instructions();
    let last_stage = instructions
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .unwrap();
    let runs = &instructions[last_stage..];
    let user = runs.iter().find_map(|line| line.strip_prefix("USER "));
    let (user, group) = user.unwrap().split_once(':').unwrap();
    for id in [user, group] {
        assert!(id.parse::<u32>().unwrap() > 0);
    }
    let health = runs.iter().find(|line| line.starts_with("HEALTHCHECK "));
    assert!(health.unwrap().ends_with("CMD [\"healthy\"]"));
}

#[test]
fn the_health_check_tells_an_exchange_that_takes_orders_from_none() {
    let healthy = |address: &str| {
        Command::new(root().join("deploy/healthy"))
            .env("SHARDBOOK_LISTEN", address)
            .output()
            .unwrap()
            .status
            .success()
    };
    let server = Server::start(&["--feed", "off"]);
    let address = server.address.clone();
    assert!(healthy(&address));
    drop(server);
    assert!(!healthy(&address));

    let unwell = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unwell.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let (mut asking, _) = unwell.accept().unwrap();
        let mut request = [0; 512];
        assert!(asking.read(&mut request).unwrap() > 0);
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n";
        asking.write_all(answer).unwrap();
    });
    assert!(!healthy(&address));
    answering.join().unwrap();
}

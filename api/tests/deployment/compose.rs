//! The containers: reachable from this machine only, without a secret in the file, and set up with
//! what the program knows.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use serde_yaml::Value;

use crate::{known_settings, root, text, yaml};

fn services() -> Vec<(String, Value)> {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_mapping().unwrap();
    let services = services.iter();
    let services = services.map(|(name, service)| (name.as_str().unwrap().to_owned(), service));
    services
        .map(|(name, service)| (name, service.clone()))
        .collect()
}

/// The texts of a list of a service, none where it is left out.
fn list(service: &Value, name: &str) -> Vec<String> {
    let items = service[name].as_sequence().cloned().unwrap_or_default();
    let items = items.iter().map(|item| item.as_str().unwrap().to_owned());
    items.collect()
}

/// The variables that a service is given.
fn environment(service: &Value) -> Vec<(String, String)> {
    let Some(variables) = service["environment"].as_mapping() else {
        return Vec::new();
    };
    let variables = variables.iter().map(|(name, value)| {
        let name = name.as_str().unwrap().to_owned();
        (name, value.as_str().expect("a text, in quotes").to_owned())
    });
    variables.collect()
}

#[test]
fn every_port_is_published_on_loopback() {
    let ports = |(_, service): &(String, Value)| list(service, "ports");
    let ports: Vec<String> = services().iter().flat_map(ports).collect();
    assert_eq!(ports.len(), 3);
    for port in ports {
        assert!(port.starts_with("127.0.0.1:"), "{port}");
    }
}

#[test]
fn every_image_has_a_version() {
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.split_once(':').expect(&name);
        assert!(
            tag.contains(|character: char| character.is_ascii_digit()),
            "{image}"
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    assert!(text("docker-compose.yml").contains(&format!("image: shardbook:{version}\n")));
}

#[test]
fn no_password_stands_in_the_file_and_none_may_be_missing() {
    let compose = text("docker-compose.yml");
    let made = text("deploy/make-passwords");
    for (service, definition) in services() {
        for (name, value) in environment(&definition) {
            if !name.contains("PASSWORD") && !value.contains("PASSWORD") {
                continue;
            }
            let asked = value.split_once("${").expect(&name).1;
            let (asked, otherwise) = asked.split_once(":?").expect(&name);
            assert!(made.contains(&format!("{asked}=")), "{service}: {asked}");
            assert!(otherwise.contains("deploy/make-passwords"), "{service}");
        }
    }
    assert!(compose.contains("PASSWORD"));
    let ignored = text(".gitignore");
    assert!(ignored.lines().any(|line| line == ".env"));
}

#[test]
fn passwords_are_made_once_and_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let deploy = folder.path().join("deploy");
    std::fs::create_dir(&deploy).unwrap();
    let script = deploy.join("make-passwords");
    std::fs::copy(root().join("deploy/make-passwords"), &script).unwrap();
    let make = || {
        assert!(Command::new(&script).output().unwrap().status.success());
        std::fs::read_to_string(folder.path().join(".env")).unwrap()
    };
    let made = make();
    let passwords: BTreeSet<&str> = made
        .lines()
        .map(|line| line.split_once('=').unwrap().1)
        .collect();
    assert_eq!(passwords.len(), 2);
    for password in passwords {
        // No character that would mean something in the database's address.
        assert!(password.len() >= 32 && password.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let mode = folder.path().join(".env").metadata().unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(make(), made, "the database knows the first ones");
}

#[test]
fn the_exchange_is_given_only_what_it_knows() {
    let (_, exchange) = services()
        .into_iter()
        .find(|(name, _)| name == "shardbook")
        .unwrap();
    let known = known_settings();
    assert!(known.len() > 60, "{known:?}");
    let given = environment(&exchange);
    assert!(given.len() > 5);
    for (name, _) in given {
        assert!(known.contains(&name), "{name} is no setting");
    }
}

#[test]
fn prometheus_asks_by_a_name_that_the_exchange_answers_to() {
    let prometheus = yaml("deploy/prometheus/prometheus.yml");
    let target = &prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0];
    let (host, port) = target.as_str().unwrap().split_once(':').unwrap();
    let services = services();
    let (_, exchange) = services.iter().find(|(name, _)| name == host).unwrap();
    let variables = environment(exchange);
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.unwrap().1.clone()
    };
    assert_eq!(value("SHARDBOOK_ALLOWED_HOSTS"), host);
    assert_eq!(value("SHARDBOOK_LISTEN"), format!("0.0.0.0:{port}"));
}

#[test]
fn what_is_mounted_is_there_and_what_is_named_is_declared() {
    let compose = yaml("docker-compose.yml");
    for (name, service) in services() {
        for volume in list(&service, "volumes") {
            let (from, _) = volume.split_once(':').unwrap();
            match from.strip_prefix("./") {
                Some(path) => assert!(root().join(path).exists(), "{name}: {path}"),
                None => assert!(compose["volumes"].get(from).is_some(), "{name}: {from}"),
            }
        }
        for network in list(&service, "networks") {
            assert!(compose["networks"].get(&network).is_some(), "{network}");
        }
    }
}

/// The data sources that a part of a dashboard names.
fn sources_asked(part: &serde_json::Value) -> Vec<String> {
    let items = part.as_array().into_iter().flatten();
    let fields = part
        .as_object()
        .into_iter()
        .flat_map(|object| object.values());
    let mut asked: Vec<String> = items.chain(fields).flat_map(sources_asked).collect();
    if let Some(source) = part["datasource"]["uid"].as_str() {
        asked.push(source.to_owned());
    }
    asked
}

#[test]
fn the_dashboard_stands_where_grafana_looks_and_asks_the_source_that_there_is() {
    let sources = yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    let uid = sources["datasources"][0]["uid"].as_str().unwrap();
    let dashboard = text("deploy/grafana/dashboards/shardbook.json");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let asked = sources_asked(&dashboard);
    assert!(asked.len() > 60);
    assert!(asked.iter().all(|source| source == uid), "{asked:?}");
    let providers = yaml("deploy/grafana/provisioning/dashboards/shardbook.yml");
    let path = providers["providers"][0]["options"]["path"]
        .as_str()
        .unwrap();
    let (_, grafana) = services()
        .into_iter()
        .find(|(name, _)| name == "grafana")
        .unwrap();
    let mounted = format!("./deploy/grafana/dashboards:{path}:ro");
    assert!(list(&grafana, "volumes").contains(&mounted));
}

//! The service: started with what the program knows, and with room for its connections.

use crate::{known_settings, text};

/// The values that the unit gives for a name, in order.
fn values(name: &str) -> Vec<String> {
    let unit = text("deploy/shardbook.service");
    let begin = format!("{name}=");
    let values = unit.lines().filter_map(|line| line.strip_prefix(&begin));
    values.map(str::to_owned).collect()
}

#[test]
fn the_service_starts_the_program_with_what_it_knows() {
    let known = known_settings();
    let start = values("ExecStart");
    let words: Vec<&str> = start[0].split_whitespace().collect();
    assert_eq!(words[..2], ["/usr/local/bin/shardbook", "serve"]);
    for flag in words.iter().filter(|word| word.starts_with("--")) {
        assert!(known.contains(*flag), "{flag}");
    }
    for variable in values("Environment") {
        let (name, _) = variable.split_once('=').unwrap();
        assert!(known.contains(name), "{name}");
    }
}

#[test]
fn the_service_keeps_its_state_where_the_program_looks_for_it() {
    let state = format!("/var/lib/{}", values("StateDirectory")[0]);
    assert_eq!(
        values("Environment"),
        [format!("SHARDBOOK_DATA_DIR={state}")]
    );
}

#[test]
fn what_needs_a_person_is_not_started_again() {
    assert_eq!(values("Restart"), ["always"]);
    assert_eq!(values("RestartPreventExitStatus"), ["2 3"]);
}

#[test]
fn the_service_may_open_more_files_than_there_may_be_connections() {
    let settings: toml::Table = text("deploy/shardbook.toml").parse().unwrap();
    let connections = settings["connections_max"].as_integer().unwrap();
    let files: i64 = values("LimitNOFILE")[0].parse().unwrap();
    assert!(files > 2 * connections);
}

//! The example of a settings file, `deploy/shardbook.toml`: it has every key, each with its default
//! and with what is allowed.

use std::collections::BTreeMap;

use clap::CommandFactory;

use super::*;

const EXAMPLE: &str = include_str!("../../../../deploy/shardbook.toml");

/// Where the instruments begin.
const INSTRUMENTS: &str = "[[instruments]]";

/// What no key but the data directory takes.
const NONSENSE: &str = "'a=b=c'";

/// One key of the example.
struct Entry {
    /// What stands above it, in one line.
    comment: String,
    /// Its default, or an example for one that has none, as it stands there.
    value: String,
    has_default: bool,
}

fn entries(lines: &str) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    let mut comment = String::new();
    for line in lines.lines() {
        let bare = line.strip_prefix("# ");
        match bare.unwrap_or(line).split_once(" = ") {
            Some((name, value))
                if name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
            {
                let entry = Entry {
                    comment: std::mem::take(&mut comment),
                    value: value.to_owned(),
                    has_default: bare.is_none(),
                };
                let before = entries.insert(name.to_owned(), entry);
                assert!(before.is_none(), "{name} stands there twice");
            }
            Some(_) | None => match bare {
                Some(text) => comment.extend([text, " "]),
                None => comment.clear(),
            },
        }
    }
    entries
}

fn general() -> BTreeMap<String, Entry> {
    entries(EXAMPLE.split(INSTRUMENTS).next().unwrap())
}

/// The keys of the first instrument.
fn of_an_instrument() -> BTreeMap<String, Entry> {
    entries(EXAMPLE.split(INSTRUMENTS).nth(1).unwrap())
}

#[test]
fn the_example_has_every_key_once_and_no_other() {
    let serve = CommandLine::command();
    let serve = serve.find_subcommand("serve").unwrap();
    let known = serve.get_arguments().map(|flag| flag.get_id().to_string());
    let mut known: Vec<String> = known.filter(|name| name != "config").collect();
    known.sort();
    assert_eq!(general().into_keys().collect::<Vec<_>>(), known);

    let error = read("", "[[instruments]]\ncolour = 1").unwrap_err();
    let known = error.split("expected one of ").nth(1).unwrap();
    let known = known.split('`').skip(1).step_by(2);
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    assert_eq!(of_an_instrument().into_keys().collect::<Vec<_>>(), known);
}

#[test]
fn the_example_says_what_holds_without_it() {
    let settings = |file| format!("{:#?}", read("", file).unwrap());
    assert_eq!(settings(EXAMPLE), settings(""));
    for (name, entry) in general().iter().filter(|(_, entry)| !entry.has_default) {
        let line = format!("{name} = {}", entry.value);
        assert!(EXAMPLE.contains(&format!("# {line}\n")));
        read("", &line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn a_default_that_is_another_would_be_seen() {
    for (name, entry) in general().iter().filter(|(_, entry)| entry.has_default) {
        let other = match (name.as_str(), entry.value.as_str()) {
            ("listen", _) => "'127.0.0.1:1'",
            ("data_dir", _) => "'elsewhere'",
            ("feed", _) => "'off'",
            // They have a part in files and in a simulated market alone.
            ("feed_speed" | "feed_seed", _) => continue,
            ("binance_ws_url", _) => "'ws://other'",
            ("binance_rest_url", _) => "'http://other'",
            ("auth", _) => "'on'",
            ("open_to_everyone", _) => continue, // It only lets an address pass.
            ("allowed_hosts", _) => "['other']",
            ("allowed_origins", _) => "['http://other']",
            ("log_format", _) => "'json'",
            ("log_filter", _) => "'off'",
            ("journal_segment_bytes", _) => "1048576",
            ("checkpoint_records", _) => "1001",
            ("journal_bytes_max", _) => "2097153",
            (_, "false") => "true",
            (_, _) => "17",
        };
        let line = format!("{name} = {}\n", entry.value);
        let changed = EXAMPLE.replace(&line, &format!("{name} = {other}\n"));
        assert_ne!(changed, EXAMPLE, "{line}");
        let settings = |file: &str| format!("{:?}", read("", file).unwrap());
        assert_ne!(settings(&changed), settings(""), "{name}");
    }
}

#[test]
fn the_example_says_of_each_key_what_is_allowed() {
    for (name, entry) in general() {
        // A symbol has a part in files alone.
        let feed = if name == "feed" {
            ""
        } else {
            "feed = 'file:x'\n"
        };
        let wrong = format!("{feed}{name} = {NONSENSE}");
        if name == "data_dir" {
            read("", &wrong).unwrap();
            continue;
        }
        let error = read("", &wrong).expect_err(&name);
        let allowed = error.split("allowed is ").nth(1).expect(&error);
        let said = format!("Allowed: {allowed}");
        assert!(entry.comment.contains(&said), "{name}: {said}");
    }
    for name in [
        "binance_symbol",
        "min_quantity",
        "min_notional",
        "price_band",
    ] {
        let entry = &of_an_instrument()[name];
        let rest = "symbol = 'A-B'\ntick_size = '0.01'\nlot_size = '0.00001'\n";
        let with = |value: &str| read("", &format!("{INSTRUMENTS}\n{rest}{name} = {value}"));
        with(&entry.value).unwrap();
        let error = with("'-0.001'").expect_err(name);
        let allowed = error.split("allowed is ").nth(1).expect(&error);
        let said = format!("Allowed: {allowed}");
        assert!(entry.comment.contains(&said), "{name}: {said}");
    }
}

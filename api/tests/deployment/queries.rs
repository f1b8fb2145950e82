//! Every metric and label that the dashboard and the alerts name is one that `/metrics` shows.
//! `deploy/check.py` runs the queries themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;

use crate::server::Server;
use crate::{root, text, yaml};

/// What Prometheus adds to whatever it scrapes.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// Shown only while messages come from Binance itself; so it is looked for in the code.
const LIVE_ONLY: &str = "feed_lag_seconds";

/// One expression's metrics and labels.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

fn named(query: &str) -> Named {
    let found = |pattern: &str, text: &str| {
        let pattern = Regex::new(pattern).unwrap();
        let found = pattern.captures_iter(text);
        let found = found.map(|found| found[1].to_owned());
        found.collect::<Vec<_>>()
    };
    let mut labels: BTreeSet<String> = found(r#"([a-z_]+)\s*(?:=~|!~|!=|=)\s*""#, query)
        .into_iter()
        .collect();
    let grouping = r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)";
    for group in found(grouping, query) {
        labels.extend(group.split(',').map(|label| label.trim().to_owned()));
    }
    let rest = Regex::new(&format!(r#"\{{[^}}]*\}}|\[[^\]]*\]|"[^"]*"|{grouping}"#)).unwrap();
    let rest = rest.replace_all(query, " ");
    let words = Regex::new(r"\b([a-z_][a-z0-9_]*)\b\s*(\(?)").unwrap();
    let metrics = words.captures_iter(&rest).filter(|word| {
        let is_operator = ["and", "or", "unless", "sum", "max", "by", "on"].contains(&&word[1]);
        word[2].is_empty() && !is_operator
    });
    Named {
        metrics: metrics.map(|word| word[1].to_owned()).collect(),
        labels,
    }
}

/// Each series' name with its labels' names, as `/metrics` shows them.
fn shown(metrics: &str) -> BTreeMap<String, BTreeSet<String>> {
    let label = Regex::new(r#"([a-z_]+)=""#).unwrap();
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let labels = label.captures_iter(line).map(|found| found[1].to_owned());
        shown.entry(name.to_owned()).or_default().extend(labels);
    }
    shown
}

/// Where each query stands, and the query.
fn queries() -> Vec<(String, String)> {
    let dashboard = text("deploy/grafana/dashboards/shardbook.json");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap().to_owned();
            queries.push((format!("the dashboard's {}", panel["title"]), query));
        }
    }
    assert!(queries.len() > 20);
    for group in yaml("deploy/prometheus/alerts.yml")["groups"]
        .as_sequence()
        .unwrap()
    {
        for rule in group["rules"].as_sequence().unwrap() {
            let name = rule["alert"].as_str().unwrap();
            let query = rule["expr"].as_str().unwrap().to_owned();
            queries.push((format!("the alert {name}"), query));
        }
    }
    assert!(queries.len() > 30);
    queries
}

#[tokio::test]
async fn dashboard_and_alerts_name_what_the_exchange_shows() {
    let server = Server::start(&["--feed", "simulated"]);
    let at = |path: &str| format!("http://{}{path}", server.address);
    let client = reqwest::Client::new();
    // Its trades are skipped from now on, and that is counted.
    let halt = client.post(at("/admin/instruments/SOL-USD/halt"));
    assert_eq!(halt.send().await.unwrap().status(), 200);
    let skipping = async {
        loop {
            let metrics = client.get(at("/metrics")).send().await.unwrap();
            let metrics = metrics.text().await.unwrap();
            if metrics.contains("\nfeed_skipped_total{") {
                return metrics;
            }
        }
    };
    let metrics = tokio::time::timeout(Duration::from_secs(60), skipping).await;
    let mut shown = shown(&metrics.expect("trades of a halted instrument are skipped"));
    let code = std::fs::read_to_string(root().join("api/src/metrics/observed.rs")).unwrap();
    assert!(code.contains(&format!("\"{LIVE_ONLY}\"")));
    for more in ["up", LIVE_ONLY] {
        shown.insert(more.to_owned(), BTreeSet::new());
    }
    for (place, query) in queries() {
        let named = named(&query);
        assert!(!named.metrics.is_empty(), "{place}: {query}");
        let mut labels: BTreeSet<String> = ADDED.map(str::to_owned).into();
        for metric in &named.metrics {
            let there = shown.get(metric);
            labels.extend(
                there
                    .unwrap_or_else(|| panic!("{place}: no {metric}"))
                    .clone(),
            );
        }
        for label in &named.labels {
            assert!(labels.contains(label), "{place}: {query}: no label {label}");
        }
    }
}

#[test]
fn a_query_names_its_metrics_and_labels() {
    let query = r#"histogram_quantile(0.99, sum by (side, le) (rate(a_bucket{b=~"c|up"}[5m])))
        / on (d) e_total > 2 unless up{f!="g"}"#;
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = Named {
        metrics: of(&["a_bucket", "e_total", "up"]),
        labels: of(&["side", "le", "b", "d", "f"]),
    };
    assert_eq!(named(query), expected);
}

//! Each metric by its name, its type and its labels, and what moves it.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use crate::support::{Reply, TestApp};

/// What `/metrics` shows.
struct Shown(String);

impl Shown {
    async fn by(app: &TestApp) -> Self {
        Self(app.get("/metrics").await.text)
    }

    fn kind(&self, name: &str) -> Option<&str> {
        let begin = format!("# TYPE {name} ");
        self.0.lines().find_map(|line| line.strip_prefix(&begin))
    }

    /// A series' value; a series that is not there has counted nothing.
    fn value(&self, series: &str) -> f64 {
        let line = self.0.lines().find_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            (name == series).then_some(value)
        });
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Each value of a label that a metric's series of one instrument have.
    fn values_of(&self, name: &str, instrument: &str, label: &str) -> Vec<&str> {
        let begin = format!("{name}{{instrument=\"{instrument}\",{label}=\"");
        let series = self.0.lines().filter_map(|line| line.strip_prefix(&begin));
        let mut values: Vec<_> = series.map(|rest| rest.split_once('"').unwrap().0).collect();
        values.sort_unstable();
        values
    }

    /// The labels that a metric's series have, a histogram's own `le` left out.
    fn labels(&self, name: &str) -> Vec<String> {
        let mut labels = BTreeMap::new();
        for line in self.0.lines() {
            for suffix in ["", "_bucket", "_sum", "_count"] {
                let Some(rest) = line.strip_prefix(&format!("{name}{suffix}{{")) else {
                    continue;
                };
                let (inside, _) = rest.split_once('}').unwrap();
                for label in inside.split("\",") {
                    let (label, _) = label.split_once('=').unwrap();
                    labels.insert(label.to_owned(), ());
                }
            }
        }
        labels.into_keys().filter(|label| label != "le").collect()
    }
}

#[tokio::test]
async fn every_metric_has_its_name_its_type_and_its_labels() {
    let app = TestApp::start_with("fault_injection = true").await;
    app.placed("alice sells 1 @ 100.00 as a1").await;
    app.placed("bob buys 1 @ 100.00 as b1").await;
    app.place("bob buys 1 @ 100.005", json!({})).await;
    app.post("/admin/faults/panic", &json!({"instrument": "BTC-USD"}))
        .await;
    let placed = async {
        // The shard comes back by itself.
        while app.place("carol sells 2 @ 101.00", json!({})).await.status != 201 {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), placed)
        .await
        .unwrap();
    let shown = Shown::by(&app).await;
    let rows: &[(&str, &str, &[&str])] = &[
        ("orders_received_total", "counter", &["instrument"]),
        ("orders_matched_total", "counter", &["instrument"]),
        (
            "orders_rejected_total",
            "counter",
            &["instrument", "reason"],
        ),
        ("order_latency_seconds", "histogram", &["instrument"]),
        ("current_orderbook_depth", "gauge", &["instrument", "side"]),
        ("trades_total", "counter", &["instrument"]),
        ("journal_flush_seconds", "histogram", &[]),
        ("journal_batch_records", "histogram", &[]),
        ("projection_lag_records", "gauge", &[]),
        ("projection_lag_seconds", "gauge", &[]),
        ("shard_queue_length", "gauge", &["instrument"]),
        ("shard_restarts_total", "counter", &["instrument"]),
        ("stream_subscribers", "gauge", &[]),
        ("stream_gaps_total", "counter", &[]),
        ("feed_messages_total", "counter", &[]),
        ("feed_gaps_total", "counter", &[]),
        ("feed_reconnects_total", "counter", &[]),
        ("log_lines_left_out_total", "counter", &[]),
        ("process_resident_memory_bytes", "gauge", &[]),
        ("process_cpu_seconds_total", "counter", &[]),
        ("process_open_fds", "gauge", &[]),
    ];
    for (name, kind, labels) in rows {
        assert_eq!(shown.kind(name), Some(*kind), "{name}");
        assert_eq!(shown.labels(name), *labels, "{name}");
    }
    assert_eq!(
        shown.value("shard_restarts_total{instrument=\"BTC-USD\"}"),
        1.0
    );
    app.stop().await;
}

#[tokio::test]
async fn what_an_order_can_be_rejected_for_and_what_someone_is_called_for_count_from_zero() {
    let app = TestApp::start().await;
    let shown = Shown::by(&app).await;
    let reasons = shown.values_of("orders_rejected_total", "BTC-USD", "reason");
    assert_eq!(
        reasons,
        [
            "fok_not_fillable",
            "instrument_halted",
            "journal_unavailable",
            "no_liquidity",
            "overloaded",
            "post_only_would_cross",
            "price_outside_band",
            "shard_restarting",
            "too_many_open_orders",
        ]
    );
    app.placed("alice sells 1 @ 100.00").await;
    let post_only = json!({"time_in_force": "post_only"});
    app.place("bob buys 1 @ 100.00", post_only).await;
    let after = Shown::by(&app).await;
    for reason in reasons {
        let series = format!("orders_rejected_total{{instrument=\"BTC-USD\",reason=\"{reason}\"}}");
        let expected = f64::from(u8::from(reason == "post_only_would_cross"));
        assert_eq!(after.value(&series), expected, "{reason}");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_order_counts_as_matched_once_at_its_first_fill() {
    let app = TestApp::start().await;
    let rows = [
        // What happens, and how many orders had a first fill and how many trades there were then.
        ("alice sells 3 @ 100.00 as a1", 0.0, 0.0),
        ("bob buys 1 @ 100.00 as b1", 2.0, 1.0),
        ("bob buys 1 @ 100.00 as b2", 3.0, 2.0),
        ("carol sells 1 @ 100.00 as c1", 3.0, 2.0),
        ("dave buys 3 @ 100.00 as d1", 5.0, 4.0),
        ("alice sells 1 @ 100.00 as a2", 6.0, 5.0),
    ];
    for (order, matched, trades) in rows {
        app.placed(order).await;
        let shown = Shown::by(&app).await;
        let of = |name: &str| shown.value(&format!("{name}{{instrument=\"BTC-USD\"}}"));
        assert_eq!(
            (of("orders_matched_total"), of("trades_total")),
            (matched, trades),
            "{order}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn figures_move_with_what_they_count() {
    let app = TestApp::start().await;
    let before = Shown::by(&app).await;
    app.placed("alice sells 1 @ 100.00 as a1").await;
    app.placed("alice sells 1 @ 101.00 as a2").await;
    app.placed("bob buys 1 @ 99.00 as b1").await;
    app.place("alice sells 1 @ 102.00 as a1", json!({})).await;
    let after = Shown::by(&app).await;
    let moved = |series: &str| after.value(series) - before.value(series);
    let rows = [
        ("orders_received_total{instrument=\"BTC-USD\"}", 3.0),
        ("order_latency_seconds_count{instrument=\"BTC-USD\"}", 3.0),
        (
            "orders_rejected_total{instrument=\"BTC-USD\",reason=\"duplicate_order_id\"}",
            1.0,
        ),
        (
            "current_orderbook_depth{instrument=\"BTC-USD\",side=\"ask\"}",
            2.0,
        ),
        (
            "current_orderbook_depth{instrument=\"BTC-USD\",side=\"bid\"}",
            1.0,
        ),
        ("journal_batch_records_sum", 3.0),
    ];
    for (series, by) in rows {
        assert_eq!(moved(series), by, "{series}");
    }
    assert!(moved("journal_flush_seconds_count") >= 1.0);

    // One who asks for events that are not there yet is told of a gap in each channel.
    let watch = app
        .request(Method::GET, "/events?channels=trades,orders")
        .header("Last-Event-ID", "999999.1");
    let watching = watch.send().await.unwrap();
    assert_eq!(watching.status(), 200);
    let shown = Shown::by(&app).await;
    assert_eq!(shown.value("stream_subscribers"), 1.0);
    assert_eq!(shown.value("stream_gaps_total"), 2.0);
    drop(watching);
    app.stop().await;
}

#[tokio::test]
async fn a_refusal_for_coming_too_often_is_counted() {
    let app = TestApp::start_with("requests_per_second = 1").await;
    let mut limited = 0.0;
    for n in 0..10 {
        let order = format!("alice buys 1 @ 100.00 as a{n}");
        let reply: Reply = app.place(&order, json!({})).await;
        limited += f64::from(u8::from(reply.status == 429));
    }
    assert!(limited > 0.0);
    let shown = Shown::by(&app).await;
    assert_eq!(shown.kind("rate_limited_total"), Some("counter"));
    assert_eq!(shown.value("rate_limited_total"), limited);
    app.stop().await;
}

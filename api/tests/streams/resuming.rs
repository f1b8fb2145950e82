//! Server-sent events go on where their reader stopped.

use reqwest::StatusCode;
use serde_json::Value;

use crate::app::{TestApp, limit};
use crate::watcher::{Events, SseEvent, Watcher};

const TRADES: usize = 12;

/// Orders that each trade, so that each record has several events.
async fn trade(app: &TestApp) {
    for number in 0..TRADES {
        let maker = limit(
            &format!("maker-{number}"),
            "maker",
            "sell",
            "100.00",
            "0.00002",
        );
        app.place(&maker).await;
        let taker = limit(
            &format!("taker-{number}"),
            "taker",
            "buy",
            "100.00",
            "0.00001",
        );
        app.place(&taker).await;
    }
}

async fn read(events: &mut Events, count: usize) -> Vec<SseEvent> {
    let mut read = Vec::new();
    while read.len() < count {
        read.push(events.next().await);
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_behind_any_event_without_loss_or_repetition() {
    let app = TestApp::start().await;
    let mut uninterrupted = Events::open(&app, "", None).await;
    trade(&app).await;
    // The snapshot, then maker and delta, then trade, two orders and delta.
    let all = read(&mut uninterrupted, 1 + TRADES * 6).await;
    for behind in 0..all.len() {
        let id = all[behind].id.as_deref().unwrap();
        let mut resumed = Events::open(&app, "", Some(id)).await;
        let rest = read(&mut resumed, all.len() - behind - 1).await;
        assert_eq!(rest, all[behind + 1..], "behind {id}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_all_there_was_goes_on_over_a_restart_and_another_is_told_of_a_gap() {
    let app = TestApp::start().await;
    let mut before = Events::open(&app, "", None).await;
    trade(&app).await;
    let all = read(&mut before, 1 + TRADES * 6).await;
    let app = app.restart().await;
    // The checkpoint made at the stop holds what those events led to, and not the events.
    let behind = all[all.len() - 2].id.as_deref();
    let mut late = Events::open(&app, "channels=orderbook_deltas", behind).await;
    let names: Vec<_> = read(&mut late, 2)
        .await
        .into_iter()
        .map(|event| event.name)
        .collect();
    assert_eq!(names, ["gap", "orderbook_snapshot"]);
    let mut resumed = Events::open(&app, "", all[all.len() - 1].id.as_deref()).await;
    app.place(&limit("later", "maker", "sell", "101.00", "0.00001"))
        .await;
    let mut watcher = Watcher::default();
    all.iter().for_each(|event| watcher.hear(&event.data));
    for event in read(&mut resumed, 2).await {
        watcher.hear(&event.data);
    }
    watcher.assert_has_the_book_of(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_further_back_or_above_the_head_come_gaps_and_a_new_snapshot() {
    let app = TestApp::start_with("stream_events = 10\n").await;
    trade(&app).await;
    for id in ["1.1", "1000.1"] {
        let mut events = Events::open(&app, "channels=orderbook_deltas,trades", Some(id)).await;
        let mut watcher = Watcher::default();
        let first = read(&mut events, 3).await;
        assert!(
            first[..2]
                .iter()
                .all(|gap| gap.id.is_none() && gap.name == "gap")
        );
        first.iter().for_each(|event| watcher.hear(&event.data));
        let channels: Vec<_> = watcher
            .gaps
            .iter()
            .map(|gap| gap["channel"].clone())
            .collect();
        assert_eq!(channels, ["trades", "orderbook_deltas"]);
        assert!(watcher.gaps.iter().all(|gap| gap["missed"] == Value::Null));
        watcher.assert_has_the_book_of(&app).await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_read_is_said_so() {
    let app = TestApp::start().await;
    let rows = [
        ("", "abc", 400, "invalid_parameter"),
        ("", "12", 400, "invalid_parameter"),
        ("", "12.", 400, "invalid_parameter"),
        ("", "-1.2", 400, "invalid_parameter"),
        ("", "1.99999999999", 400, "invalid_parameter"),
        ("channels=trade", "1.1", 400, "invalid_parameter"),
        ("channels=", "1.1", 400, "invalid_parameter"),
        ("instrument=DOGE-USD", "1.1", 404, "unknown_instrument"),
    ];
    for (query, id, status, code) in rows {
        let request = app.http.get(app.url(&format!("/events?{query}")));
        let response = request.header("Last-Event-ID", id).send().await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::from_u16(status).unwrap(),
            "{query} {id}"
        );
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code, "{query} {id}");
    }
    app.stop().await;
}

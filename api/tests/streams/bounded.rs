//! What the streams take up at most, and what they do not count.

use serde_json::json;

use crate::app::{TestApp, limit};
use crate::watcher::{Events, Socket};

async fn asked_to_watch(socket: &mut Socket, instruments: &[&str]) -> serde_json::Value {
    socket
        .ask(&json!({
            "op": "subscribe", "id": 1, "channels": ["trades"], "instruments": instruments,
        }))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_bounded_over_all_connections() {
    let app = TestApp::start_with("subscriptions_max = 3").await;
    let (mut first, mut second) = (Socket::connect(&app).await, Socket::connect(&app).await);
    let answer = asked_to_watch(&mut first, &["BTC-USD", "ETH-USD"]).await;
    assert_eq!(answer["status"], 200, "{answer}");

    // There is room for one of the two: neither is begun.
    let refused = asked_to_watch(&mut second, &["BTC-USD", "ETH-USD"]).await;
    assert_eq!(refused["status"], 503, "{refused}");
    assert_eq!(refused["problem"]["code"], "overloaded");
    let events = Events::open(&app, "channels=trades", None).await;
    let refused = app
        .http
        .get(app.url("/events?channels=trades"))
        .send()
        .await;
    let refused = refused.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(
        refused.json::<serde_json::Value>().await.unwrap()["code"],
        "overloaded"
    );

    // Whoever unsubscribes or goes away makes room, and the connection that was refused stays.
    let left = first
        .ask(&json!({"op": "unsubscribe", "id": 2, "instruments": ["ETH-USD"]}))
        .await;
    assert_eq!(left["status"], 200);
    drop(events);
    let room_for_two = async {
        while asked_to_watch(&mut second, &["ETH-USD", "SOL-USD"]).await["status"] != 200 {}
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, room_for_two).await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_operations_about_orders_count_as_rejected_orders() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(&app).await;
    let wrong = limit("a", "client", "buy", "100.005", "1");
    let frames = [
        json!({"op": "subscribe", "id": 1}),
        json!({"op": "unsubscribe", "id": 2, "channels": ["x"]}),
        json!({"op": "cancel_on_disconnect", "id": 3}),
        json!({"op": "auth", "id": 4}),
        json!({"op": "dance", "id": 5}),
        json!({"id": 6}),
    ];
    for frame in frames {
        let answer = socket.ask(&frame).await;
        assert!(
            answer["type"] == "error" || frame["op"] == "auth",
            "{answer}"
        );
    }
    socket.send_text("no JSON").await;
    assert_eq!(socket.next().await["status"], 400);
    let rejected = || async {
        let text = app.http.get(app.url("/metrics")).send().await.unwrap();
        let text = text.text().await.unwrap();
        let lines = text.lines().filter_map(|line| {
            let (series, count) = line.rsplit_once(' ')?;
            let counts = series.starts_with("orders_rejected_total{");
            counts.then(|| count.parse::<u64>().unwrap())
        });
        lines.sum::<u64>()
    };
    assert_eq!(rejected().await, 0);
    let frames = [
        json!({"op": "place", "id": 7, "order": wrong}),
        json!({"op": "cancel", "id": 8, "order_id": "none"}),
        json!({"op": "amend", "id": 9, "order_id": "none", "quantity": "1"}),
    ];
    for (count, frame) in (1..).zip(frames) {
        assert_eq!(socket.ask(&frame).await["type"], "error");
        assert_eq!(rejected().await, count, "{frame}");
    }
    app.stop().await;
}

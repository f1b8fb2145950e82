//! Many who watch, and one who stops reading.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::app::{TestApp, limit};

/// How many watch and do nothing else; set `SHARDBOOK_IDLE_SUBSCRIBERS` for more, as far as the
/// machine's limit of open files goes: each is a file of the test and one of the exchange.
const IDLE: usize = 300;

/// More than the machine itself keeps for a connection (`tcp_wmem`, 4 MiB by default) together with
/// the ring's 100 events.
const KEPT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn watch(app: &TestApp, query: &str, mut stream: TcpStream) -> TcpStream {
    let address = app.address();
    let request = format!("GET /events?{query} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads until a text comes or the connection ends, and returns all that came.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let text = text.as_bytes();
    let mut read = Vec::new();
    let mut searched = 0;
    while stream
        .read_buf(&mut read)
        .await
        .is_ok_and(|count| count > 0)
    {
        let unsearched = &read[searched..];
        if unsearched.windows(text.len()).any(|window| window == text) {
            break;
        }
        // What is sought may have begun at the end of what was read.
        searched = read.len().saturating_sub(text.len());
    }
    String::from_utf8_lossy(&read).into_owned()
}

async fn subscribers(app: &TestApp) -> usize {
    let response = app.http.get(app.url("/metrics")).send().await.unwrap();
    let metrics = response.text().await.unwrap();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("stream_subscribers "));
    let count = line.and_then(|line| line.rsplit(' ').next());
    count.unwrap_or("0").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_of_many_is_sent_the_same_and_is_forgotten_once_gone() {
    let idle = std::env::var("SHARDBOOK_IDLE_SUBSCRIBERS");
    let idle = idle.map_or(IDLE, |count| count.parse().unwrap());
    let app = TestApp::start().await;
    let mut watching = Vec::new();
    for _ in 0..idle {
        let stream = TcpStream::connect(app.address()).await.unwrap();
        let mut stream = watch(&app, "channels=trades", stream).await;
        read_until(&mut stream, "text/event-stream").await;
        watching.push(stream);
    }
    while subscribers(&app).await < idle {
        tokio::task::yield_now().await;
    }
    app.place(&limit("maker", "a", "sell", "100.00", "1")).await;
    app.place(&limit("taker", "b", "buy", "100.00", "1")).await;
    let mut told = BTreeSet::new();
    for stream in &mut watching {
        let text = read_until(stream, "}}\n\n").await;
        let event = text.find("event: trade").expect("a trade");
        told.insert(text[event..].to_owned());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    drop(watching);
    let forgotten = async {
        while subscribers(&app).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_stops_reading_costs_a_bounded_buffer_however_much_happens() {
    let app = TestApp::start_with("stream_events = 100\n").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(app.address()).await.unwrap();
    let mut stopped = watch(&app, "channels=orders", stream).await;
    read_until(&mut stopped, "text/event-stream").await;
    let mut published = 0;
    let mut batch = 0;
    while published < 2 * KEPT_BYTES_MAX {
        let order = |number: u64| {
            let id = format!("b{batch}-{number}");
            limit(&id, "client", "buy", "100.00", "0.00001")
        };
        let orders: Vec<_> = (0..500).map(order).collect();
        let answer = app.post("/orders/batch", &json!({"orders": orders})).await;
        let results = answer["results"].as_array().unwrap();
        // An order's event is about as long as the order in its answer.
        published += results
            .iter()
            .map(|it| it["order"].to_string().len())
            .sum::<usize>();
        batch += 1;
    }
    app.place(&limit("the-last", "client", "buy", "100.00", "0.00001"))
        .await;
    let kept = read_until(&mut stopped, "\"the-last\"").await;
    // A machine so slow that this takes half a minute sees the connection broken instead.
    let broken = !kept.contains("\"the-last\"");
    assert!(broken || kept.contains("event: gap"), "nothing was missed");
    assert!(
        kept.len() < KEPT_BYTES_MAX,
        "{} bytes were kept",
        kept.len()
    );
    app.stop().await;
}

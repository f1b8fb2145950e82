use std::sync::atomic::{AtomicU64, Ordering};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::workload::Percent;

const ORDER: &str = "{\"quantity\": 1}";

/// An exchange that answers each order with `status`, over HTTP or WebSockets, and holds everyone
/// up for `stall` from the order of that number on.
#[derive(Clone, Copy)]
struct StandIn {
    status: u16,
    stall_at: u64,
    stall: Duration,
}

/// What the stand-in's connections share.
struct Served {
    stand_in: StandIn,
    turn: tokio::sync::Mutex<()>,
    orders: AtomicU64,
}

impl StandIn {
    const WELL: Self = Self {
        status: 201,
        stall_at: u64::MAX,
        stall: Duration::ZERO,
    };

    async fn listen(self, protocol: Protocol) -> (Target, Arc<Served>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string().parse().unwrap();
        let served = Arc::new(Served {
            stand_in: self,
            turn: tokio::sync::Mutex::new(()),
            orders: AtomicU64::new(0),
        });
        let all = Arc::clone(&served);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = Arc::clone(&all);
                tokio::spawn(async move {
                    match protocol {
                        Protocol::Single | Protocol::Batch { .. } => served.http(stream).await,
                        Protocol::WebSocket { .. } => served.websocket(stream).await,
                    }
                });
            }
        });
        (target, served)
    }
}

impl Served {
    async fn order(&self) -> u16 {
        let _turn = self.turn.lock().await;
        if self.orders.fetch_add(1, Ordering::Relaxed) + 1 == self.stand_in.stall_at {
            tokio::time::sleep(self.stand_in.stall).await;
        }
        self.stand_in.status
    }

    async fn http(&self, stream: TcpStream) {
        let mut requests = BufReader::new(stream);
        while let Some(length) = head(&mut requests).await {
            let mut body = vec![0; length];
            requests.read_exact(&mut body).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let (status, answer) = match body.get("orders") {
                Some(Value::Array(orders)) => {
                    let mut results = Vec::new();
                    for _ in orders {
                        results.push(json!({"status": self.order().await}));
                    }
                    (200, json!({"results": results}).to_string())
                }
                Some(_) | None => (self.order().await, "{}".to_owned()),
            };
            let length = answer.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{answer}");
            requests.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    async fn websocket(&self, stream: TcpStream) {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            let operation: Value = serde_json::from_str(&text).unwrap();
            let (id, status) = (&operation["id"], self.order().await);
            let answer = format!("{{\"type\":\"result\",\"id\":{id},\"status\":{status}}}");
            socket.send(Message::text(answer)).await.unwrap();
        }
    }
}

/// Reads a request's head, and tells its body's length; `None` at the connection's end.
async fn head(requests: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        if line == "\r\n" {
            return Some(length);
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
}

fn number(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

fn protocols() -> [Protocol; 3] {
    [
        Protocol::Single,
        Protocol::Batch { orders: number(7) },
        Protocol::WebSocket {
            in_flight: number(3),
        },
    ]
}

async fn finished(stand_in: StandIn, protocol: Protocol, pace: Loop) -> (Finished, u64) {
    let folder = tempfile::tempdir().unwrap();
    let orders = folder.path().join("orders");
    std::fs::write(&orders, ORDER).unwrap();
    let (target, served) = stand_in.listen(protocol).await;
    let finished = run(Load {
        workload: Workload::read(&orders, "run".to_owned(), Percent::default()).unwrap(),
        target,
        protocol,
        pace,
        seconds: number(1),
        connections: number(4),
        subscribers: 0,
        watched: None,
    })
    .await
    .unwrap();
    (finished, served.orders.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_sent_once_and_its_answer_counted() {
    for protocol in protocols() {
        let pace = Loop::Open { rate: number(500) };
        let (finished, orders) = finished(StandIn::WELL, protocol, pace).await;
        assert!(finished.all_well(), "{protocol:?}: {finished:?}");
        assert_eq!((finished.tally.answers(), orders), (500, 500));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_closed_loop_every_order_that_was_sent_is_answered() {
    for protocol in protocols() {
        let (finished, orders) = finished(StandIn::WELL, protocol, Loop::Closed).await;
        assert!(finished.all_well(), "{protocol:?}: {finished:?}");
        assert_eq!(finished.tally.answers(), orders);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_shows_in_every_order_that_was_due_meanwhile() {
    // 300 orders are due while the exchange stands still, and a few of them are in flight.
    let stand_in = StandIn {
        stall_at: 100,
        stall: Duration::from_millis(300),
        ..StandIn::WELL
    };
    for protocol in protocols() {
        let pace = Loop::Open {
            rate: number(1_000),
        };
        let (finished, _) = finished(stand_in, protocol, pace).await;
        let tally = &finished.tally;
        assert!(tally.percentile(100.0) >= stand_in.stall, "{protocol:?}");
        assert!(tally.percentile(85.0) >= stand_in.stall / 3, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_server_is_no_success() {
    let stand_in = StandIn {
        status: 503,
        ..StandIn::WELL
    };
    for protocol in protocols() {
        let pace = Loop::Open { rate: number(20) };
        let (finished, _) = finished(stand_in, protocol, pace).await;
        assert!(!finished.all_well(), "{protocol:?}");
        assert_eq!(finished.tally.statuses()[&503], 20);
    }
}

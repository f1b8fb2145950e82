//! Clients of the streams.

use std::collections::BTreeMap;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use crate::app::TestApp;

/// What someone knows who knows only what a stream told, checked as it is told.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    sequence: Option<u64>,
    bids: BTreeMap<String, String>,
    asks: BTreeMap<String, String>,
    pub(crate) snapshots: usize,
    pub(crate) deltas: usize,
    pub(crate) trades: Vec<Value>,
    /// The newest state of each order.
    pub(crate) orders: BTreeMap<String, Value>,
    pub(crate) order_events: usize,
    pub(crate) gaps: Vec<Value>,
}

impl Watcher {
    pub(crate) fn hear(&mut self, message: &Value) {
        match message["type"].as_str().unwrap() {
            "trade" => self.trades.push(message["trade"].clone()),
            "order" => {
                let order = &message["order"];
                assert!(order.get("trades").is_none());
                let id = order["order_id"].as_str().unwrap().to_owned();
                self.orders.insert(id, order.clone());
                self.order_events += 1;
            }
            "orderbook_snapshot" => {
                self.bids.clear();
                self.asks.clear();
                self.snapshots += 1;
                self.follow(message);
            }
            "orderbook_delta" => {
                assert!(self.sequence.is_some(), "a snapshot comes first");
                let previous = message["previous_sequence"].as_u64();
                assert_eq!(previous, self.sequence, "the chain holds");
                self.deltas += 1;
                self.follow(message);
            }
            "gap" => {
                if message["channel"] == "orderbook_deltas" {
                    self.sequence = None;
                }
                self.gaps.push(message.clone());
            }
            other => panic!("{other} is no event"),
        }
    }

    fn follow(&mut self, message: &Value) {
        self.sequence = message["sequence"].as_u64();
        for (side, levels) in [("bids", &mut self.bids), ("asks", &mut self.asks)] {
            for level in message[side].as_array().unwrap() {
                let [price, quantity] = [0, 1].map(|at| level[at].as_str().unwrap().to_owned());
                if quantity == "0" {
                    levels.remove(&price);
                } else {
                    levels.insert(price, quantity);
                }
            }
        }
    }

    pub(crate) fn has_bid(&self, price: &str) -> bool {
        self.sequence.is_some() && self.bids.contains_key(price)
    }

    /// Checks that the book is what `GET /orderbook` shows.
    pub(crate) async fn assert_has_the_book_of(&self, app: &TestApp) {
        let book = app.get("/orderbook?levels=1000").await;
        for (side, levels) in [("bids", &self.bids), ("asks", &self.asks)] {
            let shown: BTreeMap<_, _> = book[side]
                .as_array()
                .unwrap()
                .iter()
                .map(|level| {
                    let text = |field: &str| level[field].as_str().unwrap().to_owned();
                    (text("price"), text("quantity"))
                })
                .collect();
            assert_eq!(*levels, shown, "{side}");
        }
        assert!(self.sequence.unwrap() <= book["sequence"].as_u64().unwrap());
    }
}

/// A WebSocket client.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn connect(app: &TestApp) -> Self {
        let (socket, _) = connect_async(app.stream_url()).await.unwrap();
        Self(socket)
    }

    /// One whose machine takes in little that is not read.
    pub(crate) async fn connect_with_little_room(app: &TestApp) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let stream = socket.connect(app.address()).await.unwrap();
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) = client_async(app.stream_url(), stream).await.unwrap();
        Self(socket)
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next frame that is JSON.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => {
                    panic!("{other:?} is no answer")
                }
            }
        }
    }

    /// Sends an operation and returns what answers it, which must be the next frame.
    pub(crate) async fn ask(&mut self, frame: &Value) -> Value {
        self.send(frame).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], frame["id"], "{answer}");
        answer
    }

    pub(crate) async fn subscribe(&mut self, channels: &[&str], interval_ms: Option<u64>) {
        let answer = self
            .ask(&json!({
                "op": "subscribe", "id": "subscribe", "channels": channels,
                "instruments": ["BTC-USD"], "interval_ms": interval_ms,
            }))
            .await;
        assert_eq!(
            (&answer["type"], &answer["status"]),
            (&json!("result"), &json!(200))
        );
    }
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SseEvent {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A reader of server-sent events.
pub(crate) struct Events {
    response: reqwest::Response,
    unread: String,
}

impl Events {
    pub(crate) async fn open(app: &TestApp, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = app.http.get(app.url(&format!("/events?{query}")));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self::of(response)
    }

    pub(crate) fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            unread: String::new(),
        }
    }

    /// Whether the server ends the stream, whatever it sends before.
    pub(crate) async fn ended(&mut self) -> bool {
        while let Some(chunk) = self.response.chunk().await.transpose() {
            if chunk.is_err() {
                return false;
            }
        }
        true
    }

    pub(crate) async fn next(&mut self) -> SseEvent {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
                };
                let parsed = field("event: ").map(|name| SseEvent {
                    id: field("id: "),
                    name,
                    data: serde_json::from_str(&field("data: ").unwrap()).unwrap(),
                });
                self.unread = rest.to_owned();
                match parsed {
                    Some(event) => return event,
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.unwrap().unwrap();
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

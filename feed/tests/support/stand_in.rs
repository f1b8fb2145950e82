//! A server that speaks as Binance does, over plain WebSocket and HTTP on loopback: combined
//! streams with control messages and pings, and REST depth, trades and aggregates. What it says
//! comes from a market of its own, which is the truth that tests compare with; and it misbehaves
//! as it is told to.

#[path = "stand_in/market.rs"]
pub(crate) mod market;
#[path = "stand_in/rest.rs"]
mod rest;
#[path = "stand_in/streams.rs"]
mod streams;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use market::SourceMarket;

/// The server.
#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) websocket_url: String,
    pub(crate) rest_url: String,
    state: Arc<Mutex<State>>,
}

/// What the server is made of.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) markets: BTreeMap<String, SourceMarket>,
    /// Every connection ever, by its number; those that ended have no streams.
    pub(crate) connections: Vec<Connection>,
    /// Whether events get lost on their way to the connections.
    pub(crate) muted: bool,
    /// What the next REST requests are answered with instead of the truth.
    pub(crate) answers: VecDeque<Answer>,
    /// Most trades that `/trades` holds, to make a small history look like a long one.
    pub(crate) newest_max: Option<usize>,
    /// The REST requests that came, path and query.
    pub(crate) requests: Vec<String>,
    /// What was published last, newest at the end, to be sent again.
    pub(crate) published: VecDeque<(String, Value)>,
}

/// A wrong answer.
pub(crate) enum Answer {
    /// This status, and what `Retry-After` says.
    Status(u16, Option<u32>),
    /// This body, for a request to this call; other calls are answered as they should be.
    Body(&'static str, String),
}

/// One connection as the server sees it.
pub(crate) struct Connection {
    orders: mpsc::UnboundedSender<Order>,
    pub(crate) streams: BTreeSet<String>,
    /// The control messages that came by it.
    pub(crate) control: Vec<String>,
    /// The pongs' payloads.
    pub(crate) pongs: Vec<Vec<u8>>,
    pub(crate) is_open: bool,
}

/// What a connection's task is told.
enum Order {
    Say(String),
    Ping(Vec<u8>),
    Binary(Vec<u8>),
    Close,
    /// Without a word.
    Cut,
}

impl StandIn {
    /// Serves these symbols, in upper case.
    pub(crate) async fn start(symbols: &[&str]) -> Self {
        let streams = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rest = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let markets = symbols
            .iter()
            .map(|symbol| ((*symbol).to_owned(), SourceMarket::new(symbol)));
        let state = Arc::new(Mutex::new(State {
            markets: markets.collect(),
            ..State::default()
        }));
        let server = Self {
            websocket_url: format!("ws://{}", streams.local_addr().unwrap()),
            rest_url: format!("http://{}", rest.local_addr().unwrap()),
            state,
        };
        tokio::spawn(streams::serve(streams, server.clone()));
        tokio::spawn(rest::serve(rest, server.clone()));
        server
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes a market or asks it.
    pub(crate) fn market<T>(&self, symbol: &str, with: impl FnOnce(&mut SourceMarket) -> T) -> T {
        with(self.state().markets.get_mut(symbol).unwrap())
    }

    /// Publishes what a market's book changed since the last time.
    pub(crate) fn publish_depth(&self, symbol: &str) {
        if let Some(diff) = self.market(symbol, SourceMarket::diff) {
            self.publish(&format!("{}@depth@100ms", symbol.to_lowercase()), diff);
        }
    }

    /// Makes a trade, which the market's book does not feel, and publishes it.
    pub(crate) fn trade(&self, symbol: &str, side: market::Taker, quantity: &str) -> u64 {
        let (id, event) = self.market(symbol, |market| market.trade(side, quantity));
        self.publish(&format!("{}@trade", symbol.to_lowercase()), event);
        id
    }

    /// Sends an event to whoever has its stream.
    pub(crate) fn publish(&self, stream: &str, event: Value) {
        let mut state = self.state();
        state
            .published
            .push_back((stream.to_owned(), event.clone()));
        if state.published.len() > 50 {
            state.published.pop_front();
        }
        if state.muted {
            return;
        }
        state.send(stream, &event);
    }

    /// Sends the last so many events once more.
    pub(crate) fn publish_again(&self, count: usize) {
        let state = self.state();
        let from = state.published.len().saturating_sub(count);
        for (stream, event) in state.published.iter().skip(from) {
            state.send(stream, event);
        }
    }

    /// Sends a text to every connection.
    pub(crate) fn say(&self, text: &str) {
        self.order_all(|| Order::Say(text.to_owned()));
    }

    pub(crate) fn say_binary(&self, bytes: &[u8]) {
        self.order_all(|| Order::Binary(bytes.to_vec()));
    }

    pub(crate) fn ping(&self, payload: &[u8]) {
        self.order_all(|| Order::Ping(payload.to_vec()));
    }

    /// Says that the connections will end soon.
    pub(crate) fn announce_shutdown(&self) {
        self.say(
            &json!({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}})
                .to_string(),
        );
    }

    /// Closes all connections but the newest `kept`, as it should be done.
    pub(crate) fn close(&self, kept: usize) {
        self.order_old(kept, || Order::Close);
    }

    /// Cuts all connections without a word.
    pub(crate) fn cut(&self) {
        self.order_old(0, || Order::Cut);
    }

    fn order_all(&self, order: impl Fn() -> Order) {
        for connection in self.state().open() {
            let _ = connection.orders.send(order());
        }
    }

    fn order_old(&self, kept: usize, order: impl Fn() -> Order) {
        let state = self.state();
        let open: Vec<&Connection> = state.open().collect();
        for connection in &open[..open.len().saturating_sub(kept)] {
            let _ = connection.orders.send(order());
        }
    }

    /// How many connections were ever made.
    pub(crate) fn connections(&self) -> usize {
        self.state().connections.len()
    }

    /// Whether any open connection has this stream by the address and has asked for it too.
    pub(crate) fn is_subscribed(&self, stream: &str) -> bool {
        let state = self.state();
        let name = format!("\"{stream}\"");
        state.open().any(|connection| {
            connection.streams.contains(stream)
                && connection.control.iter().any(|asked| asked.contains(&name))
        })
    }
}

impl State {
    pub(crate) fn open(&self) -> impl Iterator<Item = &Connection> {
        self.connections
            .iter()
            .filter(|connection| connection.is_open)
    }

    fn send(&self, stream: &str, event: &Value) {
        let text = json!({"stream": stream, "data": event}).to_string();
        for connection in self.open() {
            if connection.streams.contains(stream) {
                let _ = connection.orders.send(Order::Say(text.clone()));
            }
        }
    }
}

//! The live feed against a small server that speaks as Binance does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "support/exchange.rs"]
#[allow(dead_code, reason = "shared with tests that use other parts of it")]
mod exchange;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exchange::{Exchange, bitcoin};
use futures::{SinkExt, StreamExt};
use shardbook_feed::feed::{Feed, FeedConfig};
use shardbook_feed::source::{BinanceSource, Source};
use shardbook_feed::status::{FeedState, FeedStatus, SkipReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

/// Streams and REST snapshots of one symbol.
struct Server {
    streams: TcpListener,
    rest_url: String,
    snapshots: Arc<Mutex<VecDeque<&'static str>>>,
}

impl Server {
    async fn start() -> Self {
        let rest = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rest_url = format!("http://{}", rest.local_addr().unwrap());
        let snapshots = Arc::new(Mutex::new(VecDeque::new()));
        tokio::spawn(serve_snapshots(rest, Arc::clone(&snapshots)));
        Self {
            streams: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            rest_url,
            snapshots,
        }
    }

    /// What the next requests for a snapshot are answered with.
    fn snapshots(&self, bodies: &[&'static str]) {
        self.snapshots.lock().unwrap().extend(bodies);
    }

    async fn accept(&self) -> Connection {
        let (stream, _) = self.streams.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let request = socket.next().await.unwrap().unwrap();
        assert_eq!(
            request.to_text().unwrap(),
            r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@depth@100ms"]}"#
        );
        let mut connection = Connection { socket };
        connection.say(r#"{"result":null,"id":1}"#).await;
        connection
    }

    fn config(&self) -> FeedConfig {
        FeedConfig {
            source: Source::Binance(BinanceSource {
                websocket_url: format!("ws://{}", self.streams.local_addr().unwrap()),
                rest_url: self.rest_url.clone(),
                silence_max: Duration::from_secs(30),
            }),
            liquidity_levels: 100,
        }
    }
}

/// Answers each request with the next body, and with 503 while there is none.
async fn serve_snapshots(rest: TcpListener, bodies: Arc<Mutex<VecDeque<&'static str>>>) {
    loop {
        let (mut stream, _) = rest.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let request = String::from_utf8(request).unwrap();
        assert!(
            request.starts_with("GET /api/v3/depth?symbol=BTCUSDT&limit=5000 "),
            "{request}"
        );
        let body = bodies.lock().unwrap().pop_front();
        let (status, body) = body.map_or(("503 Busy", ""), |body| ("200 OK", body));
        let length = body.len();
        let response = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(response.as_bytes()).await.unwrap();
    }
}

struct Connection {
    socket: WebSocketStream<TcpStream>,
}

impl Connection {
    async fn say(&mut self, text: &str) {
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    async fn diff(&mut self, ids: [u64; 2], bid: &str, ask: &str) {
        let [first, last] = ids;
        let text = format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},"b":[{bid}],"a":[{ask}]}}}}"#
        );
        self.say(&text).await;
    }

    async fn trade(&mut self, id: u64, quantity: &str) {
        let text = format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"100.00","q":"{quantity}","T":1,"m":true,"M":true}}}}"#
        );
        self.say(&text).await;
    }
}

async fn until(
    status: &mut watch::Receiver<FeedStatus>,
    holds: impl FnMut(&FeedStatus) -> bool,
) -> FeedStatus {
    tokio::time::timeout(Duration::from_secs(20), status.wait_for(holds))
        .await
        .expect("it comes to that")
        .unwrap()
        .clone()
}

#[tokio::test]
async fn the_feed_follows_a_server_through_a_stale_snapshot_garbage_and_a_lost_connection() {
    let bitcoin = bitcoin();
    let exchange = Exchange::new(std::slice::from_ref(&bitcoin));
    let server = Server::start().await;
    // The first is older than the first diff.
    server.snapshots(&[
        r#"{"lastUpdateId":9,"bids":[],"asks":[]}"#,
        r#"{"lastUpdateId":11,"bids":[["99.00","2"]],"asks":[["101.00","3"]]}"#,
    ]);
    let feed = Feed::start(server.config(), vec![bitcoin.clone()], exchange.clone())
        .await
        .unwrap();
    let mut status = feed.status();
    let mut connection = server.accept().await;
    connection.diff([10, 12], r#"["100.00","1"]"#, "").await;
    // Nothing more comes by itself, so the feed asks again on the next diff.
    until(&mut status, |status| status.counts.messages >= 2).await;
    connection.say("garbage").await;
    connection.diff([13, 13], "", r#"["100.50","4"]"#).await;
    until(&mut status, |status| status.counts.mirror_updates >= 1).await;
    connection.trade(5, "0.5").await;
    connection.diff([14, 15], "", r#"["100.50","4.5"]"#).await;
    // The diff restores what the trade took.
    let best = [Some((10_000, 100_000)), Some((10_050, 450_000))];
    let seen = until(&mut status, |status| {
        status.counts.trades == 1 && exchange.best(&bitcoin) == best
    })
    .await;
    assert_eq!(seen.state, FeedState::Live);

    drop(connection);
    until(&mut status, |status| status.state == FeedState::Down).await;
    server.snapshots(&[r#"{"lastUpdateId":40,"bids":[["98.00","7"]],"asks":[["102.00","8"]]}"#]);
    let mut connection = server.accept().await;
    connection.trade(5, "0.5").await;
    connection.trade(8, "0.25").await;
    connection.diff([40, 41], r#"["98.00","6"]"#, "").await;
    let best = [Some((9_800, 600_000)), Some((10_200, 800_000))];
    let seen = until(&mut status, |status| {
        status.counts.trades == 2 && exchange.best(&bitcoin) == best
    })
    .await;
    assert_eq!(seen.counts.reconnects, 1);
    assert_eq!((seen.counts.gaps, seen.counts.trades_missed), (1, 2));
    assert_eq!(seen.counts.skipped(SkipReason::BadMessage), 1);
    assert_eq!(seen.counts.skipped(SkipReason::SentBefore), 1);
    assert_eq!(exchange.tape(&bitcoin).sold, 75_000);
    feed.stop().await;
}

//! The application under test, and what it is asked.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shardbook_api::app::App;
use shardbook_api::settings::{ServeArguments, Settings};
use shardbook_engine::time::{Clock, SystemClock};
use shardbook_test_support::clock::TestClock;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any answer takes on a busy machine; who waits so long waits for nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two instruments: one with rules of its own, one without.
const INSTRUMENTS: &str = r#"
    [[instruments]]
    symbol = "BTC-USD"
    tick_size = "0.01"
    lot_size = "0.00001"

    [[instruments]]
    symbol = "ETH-USD"
    tick_size = "0.05"
    lot_size = "0.001"
    min_quantity = "0.01"
    max_quantity = "1000"
    min_notional = "10"
    price_band = "10"
"#;

/// A running exchange with a data directory of its own.
pub(crate) struct TestApp {
    app: App,
    client: reqwest::Client,
    directory: TempDir,
    settings: String,
    clock: Arc<dyn Clock>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body; null if there is none or it is no JSON.
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl TestApp {
    /// An exchange without orders.
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with further settings, as they stand in the settings file.
    pub(crate) async fn start_with(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::open(directory, settings).await
    }

    /// The same by `clock`.
    pub(crate) async fn start_by(clock: &TestClock, settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::open_by(Arc::new(clock.clone()), directory, settings).await
    }

    /// The same on a directory that may hold something already.
    pub(crate) async fn open(directory: TempDir, settings: &str) -> Self {
        Self::open_by(Arc::new(SystemClock), directory, settings).await
    }

    /// The same by `clock`.
    pub(crate) async fn open_by(clock: Arc<dyn Clock>, directory: TempDir, settings: &str) -> Self {
        let arguments = ServeArguments {
            config: Some(write_settings(directory.path(), settings)),
            listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(directory.path().join("data").display().to_string()),
            feed: Some("off".to_owned()),
            // Files are filled with zeros before they are used: small ones start at once.
            journal_segment_bytes: Some("1048576".to_owned()),
            ..ServeArguments::default()
        };
        let settings_read = Settings::read(&arguments).unwrap();
        let on_fatal = Arc::new(|error: &dyn std::error::Error| panic!("{error}"));
        Self {
            app: App::start_by(Arc::clone(&clock), settings_read, on_fatal)
                .await
                .unwrap(),
            client: reqwest::Client::builder()
                .timeout(PATIENCE)
                .build()
                .unwrap(),
            directory,
            settings: settings.to_owned(),
            clock,
        }
    }

    /// Stops the exchange and starts it again on what it left.
    pub(crate) async fn restart(self) -> Self {
        self.app.stop().await;
        Self::open_by(self.clock, self.directory, &self.settings).await
    }

    /// Stops the exchange.
    pub(crate) async fn stop(self) {
        self.app.stop().await;
    }

    /// Stops the exchange and returns the directory that its data stands in, as `data`.
    pub(crate) async fn stop_and_keep(self) -> TempDir {
        self.app.stop().await;
        self.directory
    }

    /// The directory that its data stands in, as `data`.
    pub(crate) const fn directory(&self) -> &TempDir {
        &self.directory
    }

    /// How many records its start replayed.
    pub(crate) fn records_replayed(&self) -> u64 {
        let recovery = self.app.recovery();
        recovery.iter().map(|report| report.records_replayed).sum()
    }

    /// Where it keeps what is durable.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.address());
        self.client.request(method, url)
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::of(self.request(Method::GET, path)).await
    }

    /// Reads what the database has, once it has taken it in.
    pub(crate) async fn get_projected(&self, path: &str) -> Reply {
        Reply::once_projected(|| self.request(Method::GET, path)).await
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        Reply::of(self.request(Method::POST, path).json(body)).await
    }

    /// Changes an order.
    pub(crate) async fn amend(&self, order_id: &str, change: &Value) -> Reply {
        let path = format!("/orders/{order_id}");
        Reply::of(self.request(Method::PATCH, &path).json(change)).await
    }

    /// Cancels an order.
    pub(crate) async fn cancel(&self, order_id: &str) -> Reply {
        let path = format!("/orders/{order_id}/cancel");
        Reply::of(self.request(Method::POST, &path)).await
    }

    /// Places an order as a trader would say it: `alice buys 0.25 @ 100.00 as a1`; without a
    /// price it is a market order. What `more` holds is added.
    pub(crate) async fn place(&self, order: &str, more: Value) -> Reply {
        self.post("/orders", &order_of(order, more)).await
    }

    /// The same, and the order of the answer.
    pub(crate) async fn placed(&self, order: &str) -> Value {
        let reply = self.place(order, json!({})).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{order}: {}", reply.text);
        reply.body
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap()
    }
}

fn write_settings(directory: &Path, more: &str) -> PathBuf {
    let path = directory.join("shardbook.toml");
    let mut file = std::fs::File::create(&path).unwrap();
    write!(file, "{more}\n{INSTRUMENTS}").unwrap();
    path
}

/// The order that a trader's words say, with `more` in it.
pub(crate) fn order_of(words: &str, more: Value) -> Value {
    let parts: Vec<_> = words.split(' ').collect();
    let (client, side, quantity, rest) = match parts.as_slice() {
        [client, side, quantity, rest @ ..] => (*client, *side, *quantity, rest),
        _ => panic!("{words:?} is no order"),
    };
    let side = side.strip_suffix('s').expect("buys or sells");
    let mut order = json!({
        "client_id": client, "instrument": "BTC-USD", "side": side, "quantity": quantity
    });
    let rest = match rest {
        ["@", price, rest @ ..] => {
            order["type"] = json!("limit");
            order["price"] = json!(price);
            rest
        }
        rest => {
            order["type"] = json!("market");
            rest
        }
    };
    match rest {
        ["as", id] => order["order_id"] = json!(id),
        [] => {}
        _ => panic!("{words:?} is no order"),
    }
    let more = more.as_object().expect("an object").clone();
    order.as_object_mut().unwrap().extend(more);
    order
}

impl Reply {
    /// Sends a request and takes in the answer. Whatever is refused is refused as the contract
    /// says.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("every request has an answer");
        let status = response.status();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        let reply = Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        };
        if status.is_client_error() || status.is_server_error() {
            reply.check_problem();
        }
        reply
    }

    /// Asks until the database has taken in what memory has let go of.
    pub(crate) async fn once_projected(request: impl Fn() -> reqwest::RequestBuilder) -> Self {
        let asking = async {
            loop {
                let reply = Self::of(request()).await;
                if reply.problem() != (503, "database_unavailable") {
                    return reply;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap()
    }

    fn check_problem(&self) {
        assert_ne!(
            self.status,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{}",
            self.text
        );
        assert_eq!(
            self.header(CONTENT_TYPE.as_str()),
            "application/problem+json"
        );
        assert_eq!(self.body["status"], self.status.as_u16(), "{}", self.text);
        for field in ["type", "title", "detail", "code"] {
            assert!(self.body[field].is_string(), "no {field} in {}", self.text);
        }
        assert!(self.body["errors"].is_array(), "{}", self.text);
    }

    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.body["code"].as_str().unwrap_or(""),
        )
    }

    /// Status and what is said of the order.
    pub(crate) fn order(&self) -> (u16, &str, &str, &str) {
        let text = |field: &str| self.body[field].as_str().unwrap_or("");
        (
            self.status.as_u16(),
            text("status"),
            text("reason"),
            text("filled_quantity"),
        )
    }
}

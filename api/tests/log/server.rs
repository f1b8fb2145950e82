//! The real binary, and what it writes to standard error.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

/// Longer than a line takes on a busy machine; who waits so long waits for nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, and what it writes to standard error. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    lines: Receiver<String>,
    pub(crate) http: reqwest::Client,
}

impl Server {
    pub(crate) fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::start_fed(data_dir, "off", more)
    }

    pub(crate) fn start_fed(data_dir: &Path, feed: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shardbook"))
            .args([
                "serve",
                "--listen=127.0.0.1:0",
                "--log-format=json",
                "--feed",
                feed,
            ])
            .args(["--journal-segment-bytes=1048576", "--data-dir"])
            .arg(data_dir)
            .args(more)
            .env_remove("DATABASE_URL")
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (told, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = loop {
            let line = stdout.next().expect("it says where it listens").unwrap();
            if let Some(base) = line.strip_prefix("listening on ") {
                break base.trim().to_owned();
            }
        };
        std::thread::spawn(move || stdout.for_each(drop));
        Self {
            child,
            base,
            lines,
            http: reqwest::Client::new(),
        }
    }

    /// Sends a request; returns the answer's status.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> u16 {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header("X-API-Key", "an-access-key");
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn place(
        &self,
        id: &str,
        client: &str,
        side: &str,
        price: Option<&str>,
        quantity: &str,
    ) -> u16 {
        let order = order(id, client, side, price, quantity);
        self.send(Method::POST, "/orders", Some(order)).await
    }

    /// The lines up to the first that `is_last`, that one too.
    pub(crate) fn lines_until(&self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let text = self.lines.recv_timeout(PATIENCE).expect("the line comes");
            let line: Value = serde_json::from_str(&text).expect("every line is JSON");
            let is_last = is_last(&line);
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    /// Ends it, and returns the rest of its lines.
    pub(crate) fn terminate(mut self) -> Vec<Value> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let rest = self.lines.iter();
        rest.map(|text| serde_json::from_str(&text).unwrap())
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn order(
    id: &str,
    client: &str,
    side: &str,
    price: Option<&str>,
    quantity: &str,
) -> Value {
    json!({
        "order_id": id, "client_id": client, "instrument": "BTC-USD", "side": side,
        "type": if price.is_some() { "limit" } else { "market" }, "price": price,
        "quantity": quantity, "idempotency_key": format!("key-of-{id}"),
    })
}

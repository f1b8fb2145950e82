//! An exchange of a test's own.

use std::path::Path;

use clap::Parser;
use serde_json::{Value, json};
use shardbook_api::app::{App, create_key};
use shardbook_api::settings::{CommandLine, KeyArguments, Settings, Subcommand};
use tempfile::TempDir;

/// A running exchange on a free port, its data directory, and a client for its calls.
pub(crate) struct TestApp {
    app: App,
    pub(crate) data_dir: TempDir,
    pub(crate) http: reqwest::Client,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// `settings` are lines of the settings file.
    pub(crate) async fn start_with(settings: &str) -> Self {
        let data_dir = TempDir::new().unwrap();
        std::fs::write(data_dir.path().join("shardbook.toml"), settings).unwrap();
        let app = Self::start_app(data_dir.path()).await;
        let http = reqwest::Client::new();
        Self {
            app,
            data_dir,
            http,
        }
    }

    /// One that asks for keys, and its administrator's.
    pub(crate) async fn start_guarded() -> (Self, String) {
        let data_dir = TempDir::new().unwrap();
        let admin = create_key(&KeyArguments {
            role: "admin".to_owned(),
            client_id: None,
            data_dir: data_dir.path().join("data"),
        });
        let settings = data_dir.path().join("shardbook.toml");
        std::fs::write(settings, "auth = 'on'").unwrap();
        let app = Self {
            app: Self::start_app(data_dir.path()).await,
            data_dir,
            http: reqwest::Client::new(),
        };
        (app, admin.unwrap().reveal())
    }

    async fn start_app(data_dir: &Path) -> App {
        let config = data_dir.join("shardbook.toml");
        let line = CommandLine::parse_from([
            "shardbook",
            "serve",
            "--listen=127.0.0.1:0",
            "--feed=off",
            &format!("--data-dir={}", data_dir.join("data").display()),
            &format!("--config={}", config.display()),
        ]);
        let Subcommand::Serve(arguments) = line.command else {
            panic!("it was told to serve")
        };
        let settings = Settings::read(&arguments).unwrap();
        App::start(settings, std::sync::Arc::new(|error| panic!("{error}")))
            .await
            .unwrap()
    }

    /// Stops the exchange, and starts it again on what it left.
    pub(crate) async fn restart(self) -> Self {
        self.app.stop().await;
        Self {
            app: Self::start_app(self.data_dir.path()).await,
            data_dir: self.data_dir,
            http: reqwest::Client::new(),
        }
    }

    pub(crate) async fn stop(self) {
        self.app.stop().await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address())
    }

    pub(crate) fn stream_url(&self) -> String {
        format!("ws://{}/stream", self.app.address())
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.app.address()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.http.get(self.url(path)).send().await.unwrap();
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(self.url(path)).json(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Places an order that must be taken.
    pub(crate) async fn place(&self, order: &Value) -> Value {
        let placed = self.post("/orders", order).await;
        assert!(placed["order_id"].is_string(), "{placed}");
        placed
    }
}

/// A limit order of BTC-USD.
pub(crate) fn limit(id: &str, client: &str, side: &str, price: &str, quantity: &str) -> Value {
    json!({
        "order_id": id, "client_id": client, "instrument": "BTC-USD", "side": side,
        "type": "limit", "price": price, "quantity": quantity,
    })
}

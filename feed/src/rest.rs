//! Binance's REST API, as much of it as the feed needs.

use std::collections::VecDeque;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::message::{DepthSnapshot, Message, MessageError};
use crate::quiet::Quiet;
use crate::retry::Retry;
use crate::source::Signal;

/// Levels a side that a snapshot asks for: the most there is.
const SNAPSHOT_LEVELS: &str = "5000";

/// Most snapshots a minute: each weighs 250 of the 6,000 that Binance allows an address, and
/// some are left for whoever else asks from there.
const SNAPSHOTS_PER_MINUTE_MAX: usize = 20;

/// Time between two snapshots, so that one that came too early is not asked for again at once.
const SNAPSHOT_INTERVAL_MIN: Duration = Duration::from_millis(300);

/// Most bytes of a body: a snapshot of 5,000 levels a side takes less than half a megabyte.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait that a server's `Retry-After` is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

const MINUTE: Duration = Duration::from_secs(60);

/// Why a request failed.
#[derive(Debug, Error)]
pub enum RestError {
    /// The server was not reached, or broke off.
    #[error("Binance's REST API was not reached")]
    Transport(#[from] reqwest::Error),
    /// The server refused.
    #[error("Binance answered {status}")]
    Status {
        /// Its status: 429 for too many requests, 418 for a ban, 451 for a place it does not
        /// serve.
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The answer is longer than any snapshot.
    #[error("Binance's answer is longer than {BODY_BYTES_MAX} bytes")]
    TooLong,
    /// The answer is no snapshot.
    #[error("Binance's answer is no message")]
    Body(#[from] MessageError),
    /// The answer is some other message.
    #[error("Binance's answer is no depth snapshot")]
    NoSnapshot,
}

/// Binance's REST API at one address.
#[derive(Clone, Debug)]
pub struct RestClient {
    http: reqwest::Client,
    base_url: String,
}

impl RestClient {
    /// A client of the API at `base_url`, as `https://data-api.binance.vision`.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(base_url: &str) -> Result<Self, RestError> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            base_url: base_url.trim_end_matches('/').to_owned(),
        })
    }

    /// A symbol's depth as it stands, up to 5,000 levels a side.
    ///
    /// # Errors
    /// When the server is not reached, refuses, or answers something else.
    pub async fn depth(&self, symbol: &str) -> Result<DepthSnapshot, RestError> {
        let mut response = self
            .http
            .get(format!("{}/api/v3/depth", self.base_url))
            .query(&[("symbol", symbol), ("limit", SNAPSHOT_LEVELS)])
            .send()
            .await?;
        if !response.status().is_success() {
            return Err(RestError::Status {
                status: response.status().as_u16(),
                retry_after: retry_after(&response),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(RestError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        match Message::parse(&String::from_utf8_lossy(&body))? {
            Message::DepthSnapshot(snapshot) => Ok(DepthSnapshot {
                symbol: Some(symbol.to_owned()),
                ..snapshot
            }),
            Message::Trade(_)
            | Message::AggregateTrade(_)
            | Message::DepthDiff(_)
            | Message::ServerShutdown
            | Message::Response(_)
            | Message::BookTicker
            | Message::Unknown => Err(RestError::NoSnapshot),
        }
    }
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// An error and what caused it: the client tells by itself only that a request failed.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}

/// Answers each requested symbol with a snapshot, one after another, for as long as it takes;
/// ends when no one asks any more.
pub(crate) async fn serve_snapshots(
    client: RestClient,
    mut requests: mpsc::Receiver<String>,
    signals: mpsc::Sender<Signal>,
) {
    let mut budget = Budget::default();
    let mut retry = Retry::new(Duration::from_secs(1), MINUTE);
    let mut quiet = Quiet::new(5 * MINUTE);
    while let Some(symbol) = requests.recv().await {
        let snapshot = loop {
            budget.wait().await;
            let error = match client.depth(&symbol).await {
                Ok(snapshot) => break snapshot,
                Err(error) => error,
            };
            if signals.is_closed() {
                return;
            }
            if let Some(held_back) = quiet.speak(std::time::Instant::now()) {
                let reason = with_sources(&error);
                tracing::warn!(%symbol, reason, held_back, "no depth snapshot yet; trying on");
            }
            let wait = match error {
                RestError::Status {
                    retry_after: Some(wait),
                    ..
                } => wait,
                RestError::Status { .. }
                | RestError::Transport(_)
                | RestError::TooLong
                | RestError::Body(_)
                | RestError::NoSnapshot => Duration::ZERO,
            };
            tokio::time::sleep(wait.max(retry.next_wait())).await;
        };
        retry.reset();
        let message = Message::DepthSnapshot(snapshot);
        if signals.send(Signal::Message(message)).await.is_err() {
            return;
        }
    }
}

/// Keeps to [`SNAPSHOTS_PER_MINUTE_MAX`].
#[derive(Debug, Default)]
struct Budget {
    spent: VecDeque<Instant>,
}

impl Budget {
    async fn wait(&mut self) {
        if let Some(last) = self.spent.back() {
            tokio::time::sleep_until(*last + SNAPSHOT_INTERVAL_MIN).await;
        }
        if self.spent.len() >= SNAPSHOTS_PER_MINUTE_MAX
            && let Some(oldest) = self.spent.pop_front()
        {
            tokio::time::sleep_until(oldest + MINUTE).await;
        }
        self.spent.push_back(Instant::now());
    }
}

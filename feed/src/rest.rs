//! Binance's REST API, as much of it as the feed needs.

use std::time::Duration;

use shardbook_engine::time::Timestamp;
use thiserror::Error;

use crate::message::{
    AggregateTrade, DepthSnapshot, Message, MessageError, Trade, aggregate_trades, recent_trades,
};

/// Levels a side that a snapshot asks for: the most there is.
const SNAPSHOT_LEVELS: &str = "5000";

/// Trades or aggregates that a request asks for: the most there is.
pub(crate) const TRADES_MAX: usize = 1_000;

/// Most bytes of a body: a snapshot of 5,000 levels a side takes less than half a megabyte.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait that a server's `Retry-After` is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Longest time between the beginning and the end that aggregates are asked for with both;
/// Binance has refused more.
const AGGREGATES_TIME_MAX: Duration = Duration::from_secs(3_600);

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
    /// The answer is longer than any should be.
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

impl RestError {
    /// How long the server wants to be left alone, if it says so.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Transport(_) | Self::TooLong | Self::Body(_) | Self::NoSnapshot => None,
        }
    }
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
        match Message::parse(&self.depth_body(symbol).await?)? {
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

    /// The same as it came.
    ///
    /// # Errors
    /// When the server is not reached or refuses.
    pub async fn depth_body(&self, symbol: &str) -> Result<String, RestError> {
        self.get("depth", &[("symbol", symbol), ("limit", SNAPSHOT_LEVELS)])
            .await
    }

    /// A symbol's newest trades, up to 1,000, oldest first.
    ///
    /// # Errors
    /// When the server is not reached, refuses, or answers something else.
    pub async fn trades(&self, symbol: &str) -> Result<Vec<Trade>, RestError> {
        let limit = TRADES_MAX.to_string();
        let query = [("symbol", symbol), ("limit", &limit)];
        Ok(recent_trades(symbol, &self.get("trades", &query).await?)?)
    }

    /// A symbol's aggregates from there on, up to 1,000, oldest first.
    ///
    /// # Errors
    /// When the server is not reached, refuses, or answers something else.
    pub async fn aggregates(
        &self,
        symbol: &str,
        from: AggregatesFrom,
    ) -> Result<Vec<AggregateTrade>, RestError> {
        let mut query = vec![
            ("symbol", symbol.to_owned()),
            ("limit", TRADES_MAX.to_string()),
        ];
        match from {
            AggregatesFrom::Id(id) => query.push(("fromId", id.to_string())),
            AggregatesFrom::Time { from, until } => {
                let milliseconds = |at: Timestamp| (at.microseconds() / 1_000).to_string();
                query.push(("startTime", milliseconds(from)));
                if until.since(from) < AGGREGATES_TIME_MAX {
                    query.push(("endTime", milliseconds(until)));
                }
            }
        }
        let query: Vec<(&str, &str)> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = self.get("aggTrades", &query).await?;
        Ok(aggregate_trades(symbol, &body)?)
    }

    async fn get(&self, call: &str, query: &[(&str, &str)]) -> Result<String, RestError> {
        let mut response = self
            .http
            .get(format!("{}/api/v3/{call}", self.base_url))
            .query(query)
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
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// Where a request for aggregates begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregatesFrom {
    /// With this aggregate.
    Id(u64),
    /// With those of a time, both ends included. Where that is more than an hour, it may go
    /// beyond its end.
    Time {
        /// Its beginning.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
    },
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
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}

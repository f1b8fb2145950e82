//! The live connection to Binance's combined stream: made, kept, made anew.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::message::{Message, Response};
use crate::quiet::Quiet;
use crate::retry::Retry;
use crate::source::Signal;
use crate::status::SkipReason;

/// Most streams of a connection that Binance allows.
pub(crate) const STREAMS_MAX: usize = 1_024;

/// Streams named in one request: keeps requests small.
const STREAMS_PER_REQUEST: usize = 100;

/// Time between two requests: Binance disconnects whoever sends more than five messages a
/// second, pongs included.
const REQUEST_INTERVAL: Duration = Duration::from_millis(300);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After so long without a frame a connection is given up. Binance pings every 20 s.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// First and longest wait before connecting anew. Binance allows 300 connections per 5 minutes.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// How often a lasting trouble is told.
const LOG_INTERVAL: Duration = Duration::from_secs(600);

/// Most bytes of a message; the largest diffs take some 100 KB.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a connection ended.
#[derive(Debug, Error)]
enum Ended {
    #[error("the server was not reached within {CONNECT_TIMEOUT:?}")]
    ConnectTimeout,
    #[error("{0}")]
    Socket(Box<tungstenite::Error>),
    #[error("no frame came for {SILENCE_MAX:?}")]
    Silent,
    #[error("the server closed the connection")]
    Closed,
    #[error("the server is shutting down")]
    ServerShutdown,
    #[error("no one listens any more")]
    NoListener,
}

impl From<tungstenite::Error> for Ended {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// Keeps a connection to `url` for `streams`, and sends what comes by it, until no one listens.
pub(crate) async fn run(url: String, streams: Vec<String>, signals: mpsc::Sender<Signal>) {
    let url = format!("{}/stream", url.trim_end_matches('/'));
    let mut retry = Retry::new(RETRY_FIRST, RETRY_LONGEST);
    let mut quiet = Quiet::new(LOG_INTERVAL);
    loop {
        let ended = session(&url, &streams, &signals, &mut retry).await;
        if matches!(ended, Ended::NoListener) || signals.send(Signal::Disconnected).await.is_err() {
            return;
        }
        if let Some(held_back) = quiet.speak(std::time::Instant::now()) {
            tracing::warn!(url, reason = %ended, held_back, "no connection to Binance; trying on");
        } else {
            tracing::debug!(url, reason = %ended, "no connection to Binance; trying on");
        }
        tokio::select! {
            () = tokio::time::sleep(retry.next_wait()) => {}
            () = signals.closed() => return,
        }
    }
}

/// One connection, from its making to its end.
async fn session(
    url: &str,
    streams: &[String],
    signals: &mpsc::Sender<Signal>,
    retry: &mut Retry,
) -> Ended {
    let connected = tokio::select! {
        connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(url)) => connected,
        () = signals.closed() => return Ended::NoListener,
    };
    let mut socket = match connected {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return error.into(),
        Err(_) => return Ended::ConnectTimeout,
    };
    if signals.send(Signal::Connected).await.is_err() {
        return Ended::NoListener;
    }
    let mut requests = subscriptions(streams).into_iter();
    let mut next_request = tokio::time::interval(REQUEST_INTERVAL);
    next_request.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        let frame = tokio::select! {
            _ = next_request.tick(), if requests.len() > 0 => {
                if let Some(request) = requests.next()
                    && let Err(error) = socket.send(Frame::text(request)).await
                {
                    break error.into();
                }
                continue;
            }
            frame = tokio::time::timeout(SILENCE_MAX, socket.next()) => frame,
            () = signals.closed() => break Ended::NoListener,
        };
        let signal = match frame {
            Err(_) => break Ended::Silent,
            Ok(None) => break Ended::Closed,
            Ok(Some(Err(error))) => break error.into(),
            Ok(Some(Ok(frame))) => match read(frame) {
                Ok(signal) => signal,
                Err(ended) => break ended,
            },
        };
        if matches!(signal, Signal::Message(_)) {
            retry.reset();
        }
        if signals.send(signal).await.is_err() {
            break Ended::NoListener;
        }
    };
    close(socket).await;
    ended
}

async fn connect(url: &str) -> Result<Socket, tungstenite::Error> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let (socket, _) = connect_async_with_config(url, Some(config), true).await?;
    Ok(socket)
}

/// Says goodbye, if the other end still listens.
async fn close(mut socket: Socket) {
    let goodbye = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
    if let Ok(Err(error)) = goodbye {
        tracing::debug!(%error, "the connection had ended already");
    }
}

/// What a frame says. Pings are answered by the library with the pong that copies them.
fn read(frame: Frame) -> Result<Signal, Ended> {
    let text = match &frame {
        Frame::Text(text) => text.as_str(),
        Frame::Binary(_) => {
            return Ok(Signal::Bad(
                SkipReason::BadMessage,
                String::from("a binary message"),
            ));
        }
        Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => return Ok(Signal::Alive),
        Frame::Close(_) => return Err(Ended::Closed),
    };
    match Message::parse(text) {
        Ok(Message::ServerShutdown) => Err(Ended::ServerShutdown),
        Ok(Message::Response(Response::Done)) => Ok(Signal::Alive),
        Ok(Message::Response(Response::Failed { code, message })) => {
            tracing::warn!(code, message, "Binance refuses a subscription");
            Ok(Signal::Alive)
        }
        Ok(
            message @ (Message::Trade(_)
            | Message::AggregateTrade(_)
            | Message::DepthDiff(_)
            | Message::DepthSnapshot(_)
            | Message::BookTicker
            | Message::Unknown),
        ) => Ok(Signal::Message(message)),
        Err(error) => Ok(Signal::Bad(SkipReason::BadMessage, error.to_string())),
    }
}

/// The requests that subscribe to `streams`.
fn subscriptions(streams: &[String]) -> Vec<String> {
    streams
        .chunks(STREAMS_PER_REQUEST)
        .zip(1_u64..)
        .map(|(params, id)| {
            serde_json::json!({"method": "SUBSCRIBE", "params": params, "id": id}).to_string()
        })
        .collect()
}

#[cfg(test)]
mod tests;

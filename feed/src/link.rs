//! One connection to Binance's combined stream, from its making to its end.
//!
//! It has a task of its own, which subscribes, answers pings, reads messages and sends what it
//! hears into a bounded channel. Whoever lets go of the channel ends it.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message as Frame, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::message::{Message, Response};
use crate::source::Signal;
use crate::status::SkipReason;

/// Streams named in one request: keeps requests small.
const STREAMS_PER_REQUEST: usize = 100;

/// Streams named in the address; the others are subscribed to once the connection stands.
const STREAMS_IN_ADDRESS_MAX: usize = 50;

/// Time between two requests: Binance disconnects whoever sends more than five messages a
/// second, pongs included.
const REQUEST_INTERVAL: Duration = Duration::from_millis(300);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After so long without a frame a connection is given up. Binance pings every 20 s.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// After so long without market data too, pings or not: a subscription may have been lost.
const DATA_SILENCE_MAX: Duration = Duration::from_secs(300);

/// How long the other end may take to accept a frame of ours.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of a message; the largest diffs take some 100 KB.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most events that wait to be heard. Beyond it the connection itself makes the server wait.
const EVENTS_MAX: usize = 1_024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The streams to be subscribed to. Only ever grows: what is added is subscribed to by the
/// connections that stand.
pub(crate) type Streams = watch::Receiver<Vec<String>>;

/// What a connection says.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// It stands.
    Opened,
    /// A text came. What is no text comes as an empty one.
    Heard { text: Utf8Bytes, signal: Signal },
    /// The server is about to end it.
    ShuttingDown,
    /// It ended, for this reason; nothing comes after.
    Ended(Ended),
}

/// Why a connection ended.
#[derive(Debug, Error)]
pub(crate) enum Ended {
    #[error("the server was not reached within {CONNECT_TIMEOUT:?}")]
    ConnectTimeout,
    #[error("{0}")]
    Socket(Box<tungstenite::Error>),
    #[error("no frame came for {SILENCE_MAX:?}")]
    Silent,
    #[error("no market data came for {DATA_SILENCE_MAX:?}")]
    NoData,
    #[error("the server did not take a frame within {SEND_TIMEOUT:?}")]
    SendTimeout,
    #[error("the server closed the connection")]
    Closed,
    #[error("no one listens any more")]
    NoListener,
}

impl From<tungstenite::Error> for Ended {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// A connection's end for the one who listens.
pub(crate) struct Link {
    pub(crate) events: mpsc::Receiver<LinkEvent>,
    /// How far it has come.
    pub(crate) stage: watch::Receiver<LinkStage>,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkStage {
    /// It is being made.
    Connecting,
    /// It stands.
    Open,
    /// Every subscription was answered.
    Subscribed,
}

impl Link {
    /// Begins to connect to the combined stream at `url`.
    pub(crate) fn open(url: String, streams: Streams) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (stage, staged) = watch::channel(LinkStage::Connecting);
        tokio::spawn(async move {
            let mut caller = Caller {
                url,
                requests: Requests::new(streams),
                events: sender,
                stage,
            };
            let ended = caller.call().await;
            // No one may want to know.
            drop(caller.events.send(LinkEvent::Ended(ended)).await);
        });
        Self {
            events,
            stage: staged,
        }
    }
}

/// The connection's task.
struct Caller {
    url: String,
    requests: Requests,
    events: mpsc::Sender<LinkEvent>,
    stage: watch::Sender<LinkStage>,
}

impl Caller {
    async fn call(&mut self) -> Ended {
        let address = self.requests.address(&self.url);
        let connected = tokio::select! {
            connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(&address)) => connected,
            () = self.events.closed() => return Ended::NoListener,
        };
        let mut socket = match connected {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return error.into(),
            Err(_) => return Ended::ConnectTimeout,
        };
        self.stage.send_replace(LinkStage::Open);
        if self.events.send(LinkEvent::Opened).await.is_err() {
            return Ended::NoListener;
        }
        let Err(ended) = self.converse(&mut socket).await;
        close(socket).await;
        ended
    }

    async fn converse(&mut self, socket: &mut Socket) -> Result<std::convert::Infallible, Ended> {
        let mut next_request = tokio::time::interval(REQUEST_INTERVAL);
        next_request.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_frame = Instant::now();
        let mut last_data = last_frame;
        loop {
            tokio::select! {
                _ = next_request.tick(), if self.requests.any() => {
                    if let Some(request) = self.requests.next() {
                        send(socket, request).await?;
                    }
                }
                () = self.requests.more() => {}
                frame = socket.next() => {
                    let frame = frame.ok_or(Ended::Closed)??;
                    last_frame = Instant::now();
                    if matches!(frame, Frame::Ping(_)) {
                        // The library has put the pong in line; this sends it.
                        flush(socket).await?;
                    }
                    let event = read(frame)?;
                    if let LinkEvent::Heard { signal: Signal::Message(_), .. } = &event {
                        last_data = last_frame;
                    }
                    self.note_answer(&event);
                    if self.events.send(event).await.is_err() {
                        return Err(Ended::NoListener);
                    }
                }
                () = tokio::time::sleep_until(last_frame + SILENCE_MAX) => {
                    return Err(Ended::Silent);
                }
                () = tokio::time::sleep_until(last_data + DATA_SILENCE_MAX) => {
                    return Err(Ended::NoData);
                }
                () = self.events.closed() => return Err(Ended::NoListener),
            }
        }
    }

    fn note_answer(&mut self, event: &LinkEvent) {
        if let LinkEvent::Heard {
            signal: Signal::Answered,
            ..
        } = event
        {
            self.requests.answered += 1;
            if self.requests.all_answered() {
                self.stage.send_replace(LinkStage::Subscribed);
            }
        }
    }
}

/// The requests that a connection makes.
struct Requests {
    streams: Streams,
    /// How many streams were asked for so far.
    asked: usize,
    sent: u64,
    answered: u64,
}

impl Requests {
    const fn new(streams: Streams) -> Self {
        Self {
            streams,
            asked: 0,
            sent: 0,
            answered: 0,
        }
    }

    /// The address to connect to, with the first streams in it. They are asked for again by a
    /// request, whose answer tells that the server has them.
    fn address(&self, url: &str) -> String {
        let streams = self.streams.borrow();
        let first: Vec<&str> = streams
            .iter()
            .take(STREAMS_IN_ADDRESS_MAX)
            .map(String::as_str)
            .collect();
        if first.is_empty() {
            return format!("{url}/stream");
        }
        format!("{url}/stream?streams={}", first.join("/"))
    }

    fn any(&self) -> bool {
        self.asked < self.streams.borrow().len()
    }

    /// The next request, if there are streams that were not asked for.
    fn next(&mut self) -> Option<String> {
        let streams = self.streams.borrow_and_update();
        let rest = streams.get(self.asked..)?;
        let params = rest.get(..STREAMS_PER_REQUEST).unwrap_or(rest);
        if params.is_empty() {
            return None;
        }
        self.asked += params.len();
        self.sent += 1;
        let request = serde_json::json!({"method": "SUBSCRIBE", "params": params, "id": self.sent});
        Some(request.to_string())
    }

    fn all_answered(&self) -> bool {
        !self.any() && self.answered >= self.sent
    }

    /// Waits until the streams change; for ever, once no one can change them.
    async fn more(&mut self) {
        if self.streams.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn connect(url: &str) -> Result<Socket, tungstenite::Error> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let (socket, _) = connect_async_with_config(url, Some(config), true).await?;
    Ok(socket)
}

async fn send(socket: &mut Socket, request: String) -> Result<(), Ended> {
    let sent = tokio::time::timeout(SEND_TIMEOUT, socket.send(Frame::text(request))).await;
    Ok(sent.map_err(|_| Ended::SendTimeout)??)
}

async fn flush(socket: &mut Socket) -> Result<(), Ended> {
    let flushed = tokio::time::timeout(SEND_TIMEOUT, socket.flush()).await;
    Ok(flushed.map_err(|_| Ended::SendTimeout)??)
}

/// Says goodbye, if the other end still listens.
async fn close(mut socket: Socket) {
    let goodbye = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
    if let Ok(Err(error)) = goodbye {
        tracing::debug!(%error, "the connection had ended already");
    }
}

/// What a frame says. Pings are answered by the library with the pong that copies them.
fn read(frame: Frame) -> Result<LinkEvent, Ended> {
    let text = match frame {
        Frame::Text(text) => text,
        Frame::Binary(_) => {
            let what = String::from("a binary message");
            return Ok(heard(Signal::Bad(SkipReason::BadMessage, what)));
        }
        Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => return Ok(heard(Signal::Alive)),
        Frame::Close(_) => return Err(Ended::Closed),
    };
    let signal = match Message::parse(&text) {
        Ok(Message::ServerShutdown) => return Ok(LinkEvent::ShuttingDown),
        Ok(Message::Response(Response::Done)) => Signal::Answered,
        Ok(Message::Response(Response::Failed { code, message })) => {
            tracing::warn!(code, message, "Binance refuses a subscription");
            Signal::Answered
        }
        Ok(
            message @ (Message::Trade(_)
            | Message::AggregateTrade(_)
            | Message::DepthDiff(_)
            | Message::DepthSnapshot(_)
            | Message::BookTicker
            | Message::Unknown),
        ) => Signal::Message(message),
        Err(error) => Signal::Bad(SkipReason::BadMessage, error.to_string()),
    };
    Ok(LinkEvent::Heard { text, signal })
}

const fn heard(signal: Signal) -> LinkEvent {
    LinkEvent::Heard {
        text: Utf8Bytes::from_static(""),
        signal,
    }
}

#[cfg(test)]
mod tests;

//! The WebSocket `/stream`: events and orders over one connection.
//!
//! The connection is taken over from the HTTP server after the handshake (RFC 6455), so that
//! shared events go out as the bytes they are and many messages go out with one write.

mod connection;
mod disconnect;
mod frame;
mod operation;
mod placements;
mod reply;
mod subscriptions;

use std::sync::Arc;

use poem::http::header::{self, HeaderName};
use poem::http::{HeaderMap, HeaderValue, StatusCode};
use poem::{Endpoint, IntoResponse, Request, Response};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::access::{Access, Caller};
use crate::activity::ActivityLog;
use crate::metrics::Metrics;
use crate::payload::BODY_BYTES_MAX;
use crate::problem::{Code, Problem};
use crate::stream::hub::StreamHub;
use crate::stream::websocket::connection::Connection;
use crate::trading::Trading;

/// The version of the protocol that RFC 6455 defines.
const PROTOCOL_VERSION: &str = "13";

/// Bytes read at once: some dozens of orders, and no more, since every connection has its own.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Bytes gathered before they are written without being flushed.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

/// What all connections share.
#[derive(Clone)]
struct Shared {
    access: Arc<Access>,
    trading: Trading,
    hub: Arc<StreamHub>,
    metrics: Metrics,
    log: ActivityLog,
    stop: watch::Receiver<bool>,
}

impl Shared {
    /// Counts and tells that a client was not given what it asked for about orders.
    fn refused(&self, call: &'static str, problem: &mut Problem) {
        self.metrics.refused(problem);
        self.log.refused(call, problem);
    }
}

/// Answers the handshakes at `/stream`.
pub struct WebSocketCalls(Shared);

impl WebSocketCalls {
    /// Streams what `hub` carries and trades through `trading` for those whom `access` knows, until
    /// `stop` turns true.
    #[must_use]
    pub const fn new(
        access: Arc<Access>,
        trading: Trading,
        hub: Arc<StreamHub>,
        metrics: Metrics,
        log: ActivityLog,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self(Shared {
            access,
            trading,
            hub,
            metrics,
            log,
            stop,
        })
    }

    fn shake_hands(&self, request: &Request) -> Result<Response, Problem> {
        let accept = check_handshake(request.headers())?;
        let upgrade = request
            .take_upgrade()
            .map_err(|_| not_a_handshake("the connection can't be taken over"))?;
        let shared = self.0.clone();
        // Who shows no key now shows it over the connection.
        let caller = request.extensions().get::<Caller>().cloned();
        tokio::spawn(async move {
            // Who goes away during the handshake has nothing to be told.
            let Ok(upgraded) = upgrade.await else { return };
            let config = Some(config());
            let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, config).await;
            Connection::new(socket, shared, caller).run().await;
        });
        Ok(Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept)
            .finish())
    }
}

impl Endpoint for WebSocketCalls {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let answer = self.shake_hands(&request);
        Ok(answer.unwrap_or_else(IntoResponse::into_response))
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(BODY_BYTES_MAX))
        .max_frame_size(Some(BODY_BYTES_MAX))
}

/// The value that tells the client its handshake was understood.
fn check_handshake(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let names = |name: HeaderName, wanted: &str| {
        let values = headers.get_all(name).into_iter();
        let mut words = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    if !names(header::UPGRADE, "websocket") || !names(header::CONNECTION, "upgrade") {
        return Err(not_a_handshake("this path takes WebSocket connections"));
    }
    if !names(header::SEC_WEBSOCKET_VERSION, PROTOCOL_VERSION) {
        return Err(not_a_handshake("Sec-WebSocket-Version must be 13"));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| not_a_handshake("Sec-WebSocket-Key is missing"))?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| not_a_handshake("Sec-WebSocket-Key is not valid"))
}

fn not_a_handshake(message: &'static str) -> Problem {
    Problem::new(Code::InvalidParameter, message)
}

//! What an exchange is measured beside: servers that read an order and answer it with a constant,
//! and do nothing else. Over HTTP one call of poem-openapi, over WebSockets tokio-tungstenite.
//!
//! ```text
//! cargo run --release -p shardbook-load-test --example bare -- 127.0.0.1:8090 127.0.0.1:8091
//! ```
//!
//! The first address is HTTP's, the second that of WebSockets.

#![allow(missing_docs, reason = "a measurement")]

use std::io;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use poem::http::uri::Scheme;
use poem::listener::{Acceptor, TcpAcceptor};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi, OpenApiService};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// As long as the answer to an order that rests.
const ANSWER: &str = r#"{"order_id":"load-1700000000000-1000000","client_id":"trader-42","instrument":"BTC-USD","side":"buy","type":"limit","time_in_force":"gtc","price":"70000.00","quantity":"0.25000","filled_quantity":"0.00000","remaining_quantity":"0.25000","average_price":null,"status":"open","reason":null,"idempotency_key":null,"sequence":1000000,"updated_sequence":1000000,"created_at":"2026-01-31T12:00:00.000001Z","updated_at":"2026-01-31T12:00:00.000001Z","self_trade_prevention":"none","trade_count":0,"trades":[]}"#;

/// How many answers go out in one flush at most.
const FLUSHED_AT_ONCE: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let mut addresses = std::env::args().skip(1);
    let mut listener = async || {
        let address = addresses.next().context("two addresses are needed")?;
        anyhow::Ok(TcpListener::bind(address).await?)
    };
    let http = TcpAcceptor::from_tokio(listener().await?)?;
    tokio::spawn(serve_websockets(listener().await?));
    let service = OpenApiService::new(Api, "bare", "1");
    poem::Server::new_with_acceptor(Prompt(http))
        .run(service)
        .await?;
    Ok(())
}

/// Small answers go out at once.
struct Prompt(TcpAcceptor);

impl Acceptor for Prompt {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, LocalAddr, RemoteAddr, Scheme)> {
        let accepted = self.0.accept().await?;
        accepted.0.set_nodelay(true)?;
        Ok(accepted)
    }
}

/// What is read of an order.
#[derive(Deserialize)]
struct Order<'a> {
    client_id: &'a str,
    quantity: &'a str,
}

impl Order<'_> {
    fn is_one(&self) -> bool {
        !self.client_id.is_empty() && !self.quantity.is_empty()
    }
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/orders", method = "post")]
    async fn place(&self, body: Bytes) -> Json {
        let order: Option<Order<'_>> = serde_json::from_slice(&body).ok();
        Json(match order.filter(Order::is_one) {
            Some(_) => Bytes::from_static(ANSWER.as_bytes()),
            None => Bytes::new(),
        })
    }
}

/// JSON as bytes.
struct Json(Bytes);

impl Payload for Json {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        Response::builder()
            .status(poem::http::StatusCode::CREATED)
            .content_type(Self::CONTENT_TYPE)
            .body(self.0)
    }
}

impl ApiResponse for Json {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(201),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: Self::CONTENT_TYPE,
                    schema: Self::schema_ref(),
                }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}

async fn serve_websockets(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer_operations(stream));
    }
}

#[derive(Deserialize)]
struct Operation<'a> {
    id: u64,
    #[serde(borrow)]
    order: Order<'a>,
}

async fn answer_operations(stream: TcpStream) -> Result<()> {
    let socket = tokio_tungstenite::accept_async(stream).await?;
    let (mut answers, operations) = socket.split();
    let mut operations = operations.ready_chunks(FLUSHED_AT_ONCE);
    while let Some(chunk) = operations.next().await {
        for message in chunk {
            let Message::Text(text) = message? else {
                continue;
            };
            let operation: Operation<'_> = serde_json::from_str(&text)?;
            if operation.order.is_one() {
                let answer = format!(
                    "{{\"type\":\"result\",\"id\":{},\"status\":201,\"order\":{ANSWER}}}",
                    operation.id
                );
                answers.feed(Message::text(answer)).await?;
            }
        }
        answers.flush().await?;
    }
    Ok(())
}

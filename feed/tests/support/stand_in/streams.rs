//! The WebSocket side: streams in the address and by control messages.

use std::collections::BTreeSet;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::{Connection, Order, StandIn};

pub(super) async fn serve(listener: TcpListener, server: StandIn) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(greet(stream, server.clone()));
    }
}

async fn greet(stream: TcpStream, server: StandIn) {
    let mut query = None;
    // A client that is gone before it has said anything is none.
    #[allow(clippy::result_large_err, reason = "the library's callback")]
    let accepted =
        tokio_tungstenite::accept_hdr_async(stream, |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), "/stream");
            query = request.uri().query().map(str::to_owned);
            Ok(response)
        })
        .await;
    let Ok(socket) = accepted else { return };
    let streams: BTreeSet<String> = query
        .as_deref()
        .and_then(|query| query.strip_prefix("streams="))
        .into_iter()
        .flat_map(|streams| streams.split('/'))
        .map(str::to_owned)
        .collect();
    let (orders, ordered) = mpsc::unbounded_channel();
    let number = {
        let mut state = server.state();
        state.connections.push(Connection {
            orders,
            streams,
            control: Vec::new(),
            pongs: Vec::new(),
            is_open: true,
        });
        state.connections.len() - 1
    };
    converse(socket, ordered, &server, number).await;
    server.state().connections[number].is_open = false;
}

/// Until either side ends it.
async fn converse(
    mut socket: WebSocketStream<TcpStream>,
    mut ordered: mpsc::UnboundedReceiver<Order>,
    server: &StandIn,
    number: usize,
) {
    loop {
        tokio::select! {
            biased;
            order = ordered.recv() => {
                let frame = match order {
                    Some(Order::Say(text)) => Frame::text(text),
                    Some(Order::Ping(payload)) => Frame::Ping(payload.into()),
                    Some(Order::Binary(bytes)) => Frame::binary(bytes),
                    Some(Order::Close) => Frame::Close(None),
                    Some(Order::Cut) | None => return,
                };
                let is_close = matches!(frame, Frame::Close(_));
                if socket.send(frame).await.is_err() || is_close {
                    return;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(Frame::Text(text))) => {
                    let answer = control(server, number, &text);
                    if socket.send(Frame::text(answer)).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Frame::Pong(payload))) => {
                    server.state().connections[number].pongs.push(payload.to_vec());
                }
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return,
                Some(Ok(Frame::Ping(_) | Frame::Binary(_) | Frame::Frame(_))) => {}
            },
        }
    }
}

/// Carries a control message out and says what Binance would.
fn control(server: &StandIn, number: usize, text: &str) -> String {
    let mut state = server.state();
    let connection = &mut state.connections[number];
    connection.control.push(text.to_owned());
    let Ok(message) = serde_json::from_str::<Value>(text) else {
        return json!({"code": 3, "msg": "Invalid JSON"}).to_string();
    };
    let params = message["params"].as_array().cloned().unwrap_or_default();
    let named = params.iter().filter_map(Value::as_str).map(str::to_owned);
    let result = match message["method"].as_str() {
        Some("SUBSCRIBE") => {
            connection.streams.extend(named);
            Value::Null
        }
        Some("UNSUBSCRIBE") => {
            for stream in named {
                connection.streams.remove(&stream);
            }
            Value::Null
        }
        Some("LIST_SUBSCRIPTIONS") => json!(connection.streams),
        Some(_) | None => {
            return json!({"code": 2, "msg": "Invalid request: unknown method"}).to_string();
        }
    };
    json!({"result": result, "id": message["id"]}).to_string()
}

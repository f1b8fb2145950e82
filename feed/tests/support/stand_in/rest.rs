//! The REST side: depth, trades, aggregates.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Answer, StandIn, State};

pub(super) async fn serve(listener: TcpListener, server: StandIn) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(answer(stream, server.clone()));
    }
}

/// Answers one request and closes.
async fn answer(mut stream: TcpStream, server: StandIn) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        // A client that is gone needs no answer.
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        request.push(byte);
    }
    let request = String::from_utf8(request).unwrap();
    let target = request.split(' ').nth(1).unwrap().to_owned();
    let (status, extra, body) = respond(&mut server.state(), &target);
    let length = body.len();
    let response = format!(
        "HTTP/1.1 {status} X\r\n{extra}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(response.as_bytes()).await;
}

fn respond(state: &mut State, target: &str) -> (u16, String, String) {
    state.requests.push(target.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let call = path.strip_prefix("/api/v3/").unwrap_or_default();
    match state.answers.front() {
        Some(Answer::Status(..)) => {
            let Some(Answer::Status(status, retry_after)) = state.answers.pop_front() else {
                unreachable!()
            };
            let extra = retry_after.map(|seconds| format!("retry-after: {seconds}\r\n"));
            return (status, extra.unwrap_or_default(), String::new());
        }
        Some(Answer::Body(of, _)) if *of == call => {
            let Some(Answer::Body(_, body)) = state.answers.pop_front() else {
                unreachable!()
            };
            return (200, String::new(), body);
        }
        Some(Answer::Body(..)) | None => {}
    }
    let query: HashMap<&str, &str> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let number = |name: &str| query.get(name).map(|value| value.parse::<u64>().unwrap());
    let limit = usize::try_from(number("limit").unwrap_or(500)).unwrap();
    let newest_max = state.newest_max.unwrap_or(usize::MAX);
    let Some(market) = query
        .get("symbol")
        .and_then(|symbol| state.markets.get(*symbol))
    else {
        let body = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
        return (400, String::new(), body.to_owned());
    };
    let body = match call {
        "depth" => market.snapshot(limit.min(5_000)),
        "trades" => market.newest(limit.min(1_000).min(newest_max)),
        "aggTrades" => market.aggregates(
            number("fromId"),
            number("startTime"),
            number("endTime"),
            limit.min(1_000),
        ),
        _ => return (404, String::new(), String::new()),
    };
    (200, String::new(), body.to_string())
}

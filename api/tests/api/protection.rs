//! Clients that take more than their part, and connections that go nowhere.

use std::fmt::Write;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::TestApp;

const HEAD: &str = "Host: localhost\r\nContent-Type: application/json\r\n";

/// A request of an order, byte by byte.
fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /orders HTTP/1.1\r\n{HEAD}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn whoever_is_too_slow_with_a_request_is_closed_and_the_others_are_served() {
    let app = TestApp::start_with("request_seconds_max = 1").await;
    for beginning in [
        "",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        // What could become either version of the protocol, and becomes none.
        "PRI * HTTP/2.0\r\n",
        "G",
    ] {
        let answer = app.raw(beginning.as_bytes()).await;
        assert!(!answer.contains(" 200 "), "{beginning}: {answer}");
        assert_eq!(app.get("/healthz").await.status, 200);
    }
    // One that has been answered may be idle for as long, and no longer.
    let answer = app
        .raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // A body that does not come is told so.
    let late = format!("POST /orders HTTP/1.1\r\n{HEAD}Content-Length: 100\r\n\r\n{{\"a\"");
    let answer = app.raw(late.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("the body did not come within 1 seconds"),
        "{answer}"
    );
    assert_eq!(
        app.placed("alice buys 1 @ 100 as a1").await["status"],
        "open"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_until_another_ends() {
    let app = TestApp::start_with("connections_max = 3").await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, request)
            .await
            .unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        held.push(stream);
    }
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = app.raw(request.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("content-type: application/problem+json"),
        "{answer}"
    );
    assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");
    drop(held.pop());
    // The server hears of it soon.
    while !app
        .raw(request.as_bytes())
        .await
        .starts_with("HTTP/1.1 200 ")
    {}
    drop(held);
    app.stop().await;
}

#[tokio::test]
async fn heads_without_measure_are_refused() {
    let app = TestApp::start().await;
    let mut many = String::new();
    for number in 0..101 {
        write!(many, "X-{number}: 1\r\n").unwrap();
    }
    let long = "x".repeat(70_000);
    let rows = [
        (format!("GET /healthz HTTP/1.1\r\n{HEAD}{many}\r\n"), "431"),
        (
            format!("GET /healthz HTTP/1.1\r\n{HEAD}X: {long}\r\n\r\n"),
            "431",
        ),
        (format!("GET /{long} HTTP/1.1\r\n{HEAD}\r\n"), "414"),
        ("nothing of the kind\r\n\r\n".to_owned(), "400"),
    ];
    for (request, status) in rows {
        let answer = app.raw(request.as_bytes()).await;
        let line = answer.lines().next().unwrap_or("");
        assert!(
            line.starts_with(&format!("HTTP/1.1 {status} "))
                || (status == "414" && line.contains(" 431 ")),
            "{status}: {answer}"
        );
    }
    assert_eq!(app.get("/healthz").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn json_without_measure_is_refused_and_nothing_breaks() {
    let app = TestApp::start().await;
    let deep = |open: &str, close: &str| {
        let times = 60_000 / (open.len() + close.len());
        format!("{}{}", open.repeat(times), close.repeat(times))
    };
    let digits = "9".repeat(60_000);
    let order = |field: &str, value: &str| {
        let mut order = json!({
            "client_id": "alice", "instrument": "BTC-USD", "side": "buy", "type": "limit",
            "price": "100", "quantity": "1"
        });
        order[field] = json!("@@");
        order.to_string().replace("\"@@\"", value)
    };
    let rows = [
        (deep("[", "]"), 422),
        (deep("{\"a\":", "}").replace(":}", ":1}"), 422),
        ("[".repeat(60_000), 400),
        (order("price", &digits), 422),
        (order("price", &format!("0.{digits}")), 422),
        (order("price", "1e999999999999999999999"), 422),
        (order("quantity", "1e-999999999999999999999"), 422),
        (order("quantity", &format!("\"{digits}\"")), 422),
        (order("client_id", &format!("\"{digits}\"")), 422),
        ("x".repeat(64 * 1024 + 1), 413),
    ];
    for (body, expected) in rows {
        let answer = app.raw(post(&body).as_bytes()).await;
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let start: String = body.chars().take(60).collect();
        assert_eq!(status, expected, "{start}: {answer}");
        assert!(
            answer.contains("application/problem+json"),
            "{start}: {answer}"
        );
    }
    assert_eq!(app.get("/orders").await.body, json!([]));
    // Fields that nobody knows are passed over, however deep they are.
    let answer = app
        .raw(post(&order("more", &deep("[", "]"))).as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    app.stop().await;
}

//! Wrong input of every kind has the contract's answer, and never a 500 or none.

use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use serde_json::json;

use crate::support::{Reply, TestApp, order_of};

/// A body, the status it has and the problem's code.
type BodyRow<'a> = (&'a [u8], u16, &'a str);

/// Bodies that are no order.
const BODIES: &[BodyRow<'_>] = &[
    (b"", 400, "malformed_json"),
    (b"   ", 400, "malformed_json"),
    (b"{", 400, "malformed_json"),
    (b"{]", 400, "malformed_json"),
    (b"nope", 400, "malformed_json"),
    (b"{\"a\":1,}", 400, "malformed_json"),
    (b"{'a':1}", 400, "malformed_json"),
    (b"{\"a\":+1}", 400, "malformed_json"),
    (b"{\"a\":1e}", 400, "malformed_json"),
    (b"{\"a\":NaN}", 400, "malformed_json"),
    (b"{\"a\":\"\\x\"}", 400, "malformed_json"),
    (b"{\"a\":\"\n\"}", 400, "malformed_json"),
    (b"{}{}", 400, "malformed_json"),
    (b"\xff\xfe{\x00}", 400, "malformed_json"),
    (b"{\"a\":\"\xc3\x28\"}", 400, "malformed_json"),
    (b"\xef\xbb\xbf{}", 400, "malformed_json"),
    (b"\x00", 400, "malformed_json"),
    (b"null", 422, "invalid_order"),
    (b"true", 422, "invalid_order"),
    (b"1e400", 422, "invalid_order"),
    (b"\"order\"", 422, "invalid_order"),
    (b"[]", 422, "invalid_order"),
    (b"[1,2,3]", 422, "invalid_order"),
    (b"{}", 422, "invalid_order"),
    (
        b"{\"side\":\"buy\",\"side\":\"sell\"}",
        422,
        "invalid_order",
    ),
    (b"{\"client_id\":\"\\ud800\"}", 422, "invalid_order"),
];

/// What makes a valid order wrong, its status and code.
const CHANGES: &[(&str, u16, &str)] = &[
    (r#"{"client_id": null}"#, 422, "invalid_order"),
    (r#"{"client_id": "ünïcödé"}"#, 422, "invalid_order"),
    (r#"{"client_id": "a\u0000b"}"#, 422, "invalid_order"),
    (r#"{"client_id": "🦀"}"#, 422, "invalid_order"),
    (r#"{"client_id": {"a": 1}}"#, 422, "invalid_order"),
    (r#"{"order_id": ".."}"#, 422, "invalid_order"),
    (r#"{"order_id": "cancel-all"}"#, 422, "invalid_order"),
    (r#"{"order_id": 7}"#, 422, "invalid_order"),
    (r#"{"side": "BUY"}"#, 422, "invalid_order"),
    (r#"{"type": "iceberg"}"#, 422, "invalid_order"),
    (r#"{"price": null}"#, 422, "invalid_order"),
    (
        r#"{"price": "1e99999999999999999999"}"#,
        422,
        "invalid_order",
    ),
    (
        r#"{"price": "1e-99999999999999999999"}"#,
        422,
        "invalid_order",
    ),
    (
        r#"{"price": 123456789012345678901234567890}"#,
        422,
        "invalid_order",
    ),
    (r#"{"price": 0}"#, 422, "invalid_order"),
    (r#"{"price": "-1"}"#, 422, "invalid_order"),
    (r#"{"price": "100.001"}"#, 422, "invalid_order"),
    (r#"{"price": "١٠٠"}"#, 422, "invalid_order"),
    (r#"{"price": "Infinity"}"#, 422, "invalid_order"),
    (r#"{"price": "10000000000.01"}"#, 422, "invalid_order"),
    (r#"{"quantity": "10000000.00001"}"#, 422, "invalid_order"),
    (r#"{"quantity": 0.000001}"#, 422, "invalid_order"),
    (r#"{"quantity": []}"#, 422, "invalid_order"),
    (r#"{"time_in_force": "gtd"}"#, 422, "invalid_order"),
    (r#"{"type": "market"}"#, 422, "invalid_order"),
    (r#"{"idempotency_key": ""}"#, 422, "invalid_order"),
    (r#"{"instrument": "DOGE-USD"}"#, 422, "unknown_instrument"),
    (r#"{"instrument": "BTC/USD"}"#, 422, "invalid_order"),
    (r#"{"client_id": "binance-trades"}"#, 403, "forbidden"),
    (r#"{"order_id": "binance-depth:1:1"}"#, 403, "forbidden"),
    (
        r#"{"instrument": "ETH-USD", "quantity": "0.001"}"#,
        422,
        "invalid_order",
    ),
    (
        r#"{"instrument": "ETH-USD", "quantity": "1000.001"}"#,
        422,
        "invalid_order",
    ),
    (
        r#"{"instrument": "ETH-USD", "price": "100.01"}"#,
        422,
        "invalid_order",
    ),
    (
        r#"{"instrument": "ETH-USD", "quantity": "0.01", "price": "999.95"}"#,
        422,
        "invalid_order",
    ),
];

/// Reads and other calls without a body.
const CALLS: &[(&str, &str, u16, &str)] = &[
    ("GET", "/", 404, "not_found"),
    ("GET", "/nothing/here", 404, "not_found"),
    ("GET", "/orders/", 404, "not_found"),
    ("GET", "/orders/a/b", 404, "not_found"),
    ("GET", "//orders", 404, "not_found"),
    ("GET", "/%00", 404, "not_found"),
    ("GET", "/%ff%fe", 404, "not_found"),
    ("POST", "/nothing", 404, "not_found"),
    ("GET", "/orders/unknown", 404, "order_not_found"),
    ("GET", "/orders/not%20an%20id", 404, "order_not_found"),
    ("GET", "/orders/%F0%9F%A6%80", 404, "order_not_found"),
    ("GET", "/orders/%ff", 404, "order_not_found"),
    (
        "GET",
        "/orders/unknown?instrument=BTC-USD",
        404,
        "order_not_found",
    ),
    (
        "GET",
        "/orders/unknown?instrument=DOGE-USD",
        404,
        "unknown_instrument",
    ),
    (
        "GET",
        "/orders/unknown?instrument=%20",
        400,
        "invalid_parameter",
    ),
    ("POST", "/orders/unknown/cancel", 404, "order_not_found"),
    (
        "POST",
        "/orders/unknown/cancel?instrument=BTC-USD",
        404,
        "order_not_found",
    ),
    ("POST", "/orders/binance-depth:1:1/cancel", 403, "forbidden"),
    (
        "GET",
        "/orderbook?instrument=DOGE-USD",
        404,
        "unknown_instrument",
    ),
    ("GET", "/orderbook?levels=0", 400, "invalid_parameter"),
    ("GET", "/orderbook?levels=1001", 400, "invalid_parameter"),
    ("GET", "/orderbook?levels=-1", 400, "invalid_parameter"),
    ("GET", "/orderbook?levels=", 400, "invalid_parameter"),
    ("GET", "/orderbook?levels=ten", 400, "invalid_parameter"),
    (
        "GET",
        "/orderbook?levels=99999999999999999999",
        400,
        "invalid_parameter",
    ),
    ("GET", "/orderbook?levels=%2B5", 400, "invalid_parameter"),
    ("GET", "/trades?limit=0", 400, "invalid_parameter"),
    ("GET", "/trades?limit=1e2", 400, "invalid_parameter"),
    ("GET", "/trades?before=7", 400, "invalid_parameter"),
    ("GET", "/trades?before=ETH-USD-7", 400, "invalid_parameter"),
    ("GET", "/trades?before=BTC-USD-07", 400, "invalid_parameter"),
    (
        "GET",
        "/trades?before=BTC-USD-99999999999999999999",
        400,
        "invalid_parameter",
    ),
    ("GET", "/instruments/DOGE-USD", 404, "unknown_instrument"),
    ("GET", "/instruments/%20", 404, "unknown_instrument"),
    ("DELETE", "/orders", 405, "method_not_allowed"),
    ("GET", "/orders/batch", 405, "method_not_allowed"),
    ("GET", "/orders/cancel-all", 405, "method_not_allowed"),
    ("GET", "/orders/a/cancel", 405, "method_not_allowed"),
    ("PUT", "/orders/a", 405, "method_not_allowed"),
    ("POST", "/orderbook", 405, "method_not_allowed"),
    ("DELETE", "/docs", 405, "method_not_allowed"),
    ("BREW", "/healthz", 405, "method_not_allowed"),
    ("TRACE", "/healthz", 405, "method_not_allowed"),
    ("POST", "/orders", 415, "unsupported_media_type"),
];

#[tokio::test]
async fn a_body_that_is_no_order_is_refused() {
    let app = TestApp::start().await;
    for (body, status, code) in BODIES {
        for path in ["/orders", "/orders/batch", "/orders/cancel-all"] {
            let request = app
                .request(Method::POST, path)
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_vec());
            let reply = Reply::of(request).await;
            let shown = String::from_utf8_lossy(body);
            assert_eq!(
                reply.problem(),
                (*status, *code),
                "{path} {shown}: {}",
                reply.text
            );
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn an_order_with_a_wrong_field_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    for (change, status, code) in CHANGES {
        let change = serde_json::from_str(change).unwrap();
        let order = order_of("alice buys 0.25 @ 100.00 as wrong", change);
        let reply = app.post("/orders", &order).await;
        assert_eq!(reply.problem(), (*status, *code), "{order}: {}", reply.text);
        if *code == "invalid_order" {
            assert!(
                !reply.body["errors"].as_array().unwrap().is_empty(),
                "{}",
                reply.text
            );
        }
    }
    assert_eq!(
        app.get("/orders/wrong").await.problem(),
        (404, "order_not_found")
    );
    assert_eq!(app.get("/orderbook").await.body["sequence"], 0);
    app.stop().await;
}

#[tokio::test]
async fn a_call_that_does_not_exist_or_is_called_wrongly_is_refused() {
    let app = TestApp::start().await;
    for (method, path, status, code) in CALLS {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let reply = Reply::of(app.request(method.clone(), path)).await;
        assert_eq!(
            reply.problem(),
            (*status, *code),
            "{method} {path}: {}",
            reply.text
        );
        if *status == 405 {
            assert!(
                !reply.header("allow").is_empty(),
                "{method} {path} says what is allowed"
            );
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn only_json_is_taken_for_json() {
    let app = TestApp::start().await;
    let order = order_of("alice buys 0.25 @ 100.00", json!({})).to_string();
    let rows = [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/xml", 415),
        ("application/jsonp", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ];
    for (content_type, status) in rows {
        let request = app
            .request(Method::POST, "/orders")
            .header(CONTENT_TYPE, content_type)
            .body(order.clone());
        assert_eq!(Reply::of(request).await.status, status, "{content_type}");
    }
    let rows = [("identity", 201), ("gzip", 415), ("br", 415), ("", 415)];
    for (encoding, status) in rows {
        let request = app
            .request(Method::POST, "/orders")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, encoding)
            .body(order.clone());
        let reply = Reply::of(request).await;
        assert_eq!(reply.status, status, "{encoding}");
        assert_eq!(status == 415, reply.text.contains("Content-Encoding"));
    }
    let nameless = app
        .request(Method::POST, "/orders")
        .header(CONTENT_TYPE, HeaderValue::from_bytes(b"\xff").unwrap())
        .body(order);
    assert_eq!(
        Reply::of(nameless).await.problem(),
        (415, "unsupported_media_type")
    );
    app.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_large_it_is() {
    let app = TestApp::start().await;
    let rows = [
        ("/orders", 64 * 1024 + 1),
        ("/orders", 3 * 1024 * 1024),
        ("/orders/cancel-all", 100 * 1024),
        ("/orders/batch", 1024 * 1024 + 1),
        ("/orders/batch", 8 * 1024 * 1024),
    ];
    for (path, size) in rows {
        let request = app
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json")
            .body(vec![b' '; size]);
        let reply = Reply::of(request).await;
        assert_eq!(reply.problem(), (413, "payload_too_large"), "{path} {size}");
    }
    let deep = format!("{{\"a\":{}", "[".repeat(60_000));
    let request = app
        .request(Method::POST, "/orders")
        .header(CONTENT_TYPE, "application/json")
        .body(deep);
    assert_eq!(Reply::of(request).await.problem(), (400, "malformed_json"));
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_order_in_a_batch_leaves_the_others_as_they_are() {
    let app = TestApp::start().await;
    let order = order_of("alice buys 1 @ 100 as a1", json!({}));
    let batch = format!(r#"{{"orders": [["a1"], {order}, {{"side": "buy", "side": "sell"}}, 5]}}"#);
    let request = app.request(Method::POST, "/orders/batch");
    let request = request
        .header("content-type", "application/json")
        .body(batch);
    let reply = Reply::of(request).await;
    let results = reply.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, [422, 201, 422, 422]);
    assert_eq!(results[1]["order"]["order_id"], "a1");
    let details = [
        (0, "what was sent must be a JSON object"),
        (2, "duplicate field `side`"),
        (3, "what was sent must be a JSON object"),
    ];
    for (at, detail) in details {
        let told = results[at]["problem"]["detail"].as_str().unwrap();
        assert!(told.starts_with(detail), "{told}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_batch_has_from_1_to_500_orders() {
    let app = TestApp::start().await;
    for orders in [
        json!([]),
        json!(null),
        json!({}),
        json!("x"),
        json!(vec![json!({}); 501]),
    ] {
        let reply = app.post("/orders/batch", &json!({"orders": orders})).await;
        assert_eq!(reply.problem(), (422, "invalid_order"), "{}", reply.text);
    }
    let reply = app
        .post("/orders/batch", &json!({"orders": vec![json!(1); 500]}))
        .await;
    assert_eq!(reply.status, 200);
    let results = reply.body["results"].as_array().unwrap();
    assert_eq!(results.len(), 500);
    for result in results {
        assert_eq!(result["status"], 422);
        assert_eq!(result["problem"]["code"], "invalid_order");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_foreign_page_is_turned_away() {
    let app = TestApp::start_with(
        "allowed_hosts = ['exchange.example']\nallowed_origins = ['https://app.example']",
    )
    .await;
    let own = format!("http://{}", app.address());
    let rows = [
        ("origin", own.as_str(), 200),
        ("origin", "https://app.example", 200),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("host", "exchange.example", 200),
        ("host", "localhost:1", 200),
        ("host", "evil.example", 403),
    ];
    for (header, value, status) in rows {
        let request = app
            .request(Method::GET, "/instruments")
            .header(header, value);
        let reply = Reply::of(request).await;
        assert_eq!(reply.status, status, "{header}: {value}");
        let allowed = reply.header("access-control-allow-origin");
        let is_page_of_others = value == "https://app.example";
        assert_eq!(allowed == value, is_page_of_others, "{header}: {value}");
    }
    let preflight = app
        .request(Method::OPTIONS, "/orders")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST");
    let reply = Reply::of(preflight).await;
    assert_eq!(reply.status, 204);
    assert_eq!(
        reply.header("access-control-allow-methods"),
        "GET, HEAD, OPTIONS, POST"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_path_tells_its_methods_and_its_head() {
    let app = TestApp::start().await;
    let rows = [
        ("/orders", "GET, HEAD, OPTIONS, POST"),
        ("/orders/a", "GET, HEAD, OPTIONS, PATCH"),
        ("/orders/batch", "OPTIONS, POST"),
        ("/orderbook", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ];
    for (path, allow) in rows {
        let reply = Reply::of(app.request(Method::OPTIONS, path)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (204, allow),
            "{path}"
        );
    }
    for path in [
        "/orderbook",
        "/docs",
        "/openapi.json",
        "/openapi.yaml",
        "/healthz",
        "/metrics",
    ] {
        let reply = Reply::of(app.request(Method::HEAD, path)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text.as_str()),
            (200, ""),
            "{path}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn a_request_without_a_host_is_refused_and_a_bad_head_is_answered() {
    let app = TestApp::start().await;
    let rows: [(&[u8], &str); 5] = [
        (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"),
        (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 403"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
        (b"nonsense\r\n\r\n", "HTTP/1.1 400"),
    ];
    for (request, expected) in rows {
        let answer = app.raw(request).await;
        assert!(
            answer.starts_with(expected),
            "{}: {answer}",
            String::from_utf8_lossy(request)
        );
    }
    app.stop().await;
}

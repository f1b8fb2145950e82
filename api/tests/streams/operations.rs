//! Orders over a WebSocket.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::app::{TestApp, limit};
use crate::watcher::{Socket, Watcher};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_placed_changed_and_cancelled_as_over_http() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(&app).await;
    let mut order = limit("order-1", "client", "buy", "100.00", "0.25");
    order["idempotency_key"] = json!("key-1");
    let placed = socket
        .ask(&json!({"op": "place", "id": 1, "order": order}))
        .await;
    assert_eq!(
        (&placed["type"], &placed["status"]),
        (&json!("result"), &json!(201))
    );
    assert_eq!(placed["order"], app.get("/orders/order-1").await);
    assert!(placed.get("replayed").is_none());
    let again = socket
        .ask(&json!({"op": "place", "id": "again", "order": order}))
        .await;
    assert_eq!(again["replayed"], true);
    assert_eq!(again["order"], placed["order"]);

    let amend = json!({"op": "amend", "id": [4], "order_id": "order-1", "price": "99.00"});
    let amended = socket.ask(&amend).await;
    assert_eq!(
        (&amended["status"], &amended["order"]["price"]),
        (&json!(200), &json!("99.00"))
    );
    assert_eq!(amended["order"]["trades"], json!([]));
    let cancel = json!({"op": "cancel", "id": null, "order_id": "order-1"});
    let cancelled = socket.ask(&cancel).await;
    assert_eq!(cancelled["order"]["reason"], "requested");
    assert_eq!(socket.ask(&cancel).await, cancelled);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_gets_an_error_and_the_connection_stays() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(&app).await;
    let order = limit("a", "client", "buy", "100.005", "0.25");
    let rows = [
        ("not json".to_owned(), 400, "malformed_json"),
        ("[1]".to_owned(), 422, "invalid_order"),
        (json!({"id": 1}).to_string(), 400, "invalid_parameter"),
        (json!({"op": "dance", "id": 2}).to_string(), 400, "invalid_parameter"),
        (json!({"op": "place", "id": 3}).to_string(), 422, "invalid_order"),
        (json!({"op": "place", "id": 4, "order": order}).to_string(), 422, "invalid_order"),
        (json!({"op": "cancel", "id": 5, "order_id": "none"}).to_string(), 404, "order_not_found"),
        (json!({"op": "cancel", "id": 6}).to_string(), 422, "invalid_order"),
        (json!({"op": "amend", "id": 7, "order_id": "a"}).to_string(), 422, "invalid_order"),
        (json!({"op": "cancel", "id": 8, "order_id": "binance-x"}).to_string(), 403, "forbidden"),
        (json!({"op": "subscribe", "id": 9}).to_string(), 400, "invalid_parameter"),
        (json!({"op": "subscribe", "id": 10, "channels": ["x"]}).to_string(), 400, "invalid_parameter"),
        (json!({"op": "subscribe", "id": 11, "channels": ["trades"], "instruments": ["X"]}).to_string(), 404, "unknown_instrument"),
        (json!({"op": "subscribe", "id": 12, "channels": ["trades"], "interval_ms": 0}).to_string(), 400, "invalid_parameter"),
        (json!({"op": "cancel_on_disconnect", "id": 13, "client_id": "c"}).to_string(), 422, "invalid_order"),
        (json!({"op": "cancel_on_disconnect", "id": 14, "client_id": "binance-trades", "enabled": true}).to_string(), 403, "forbidden"),
        (json!({"op": "place", "id": 15, "order": ["key", "order-1"]}).to_string(), 422, "invalid_order"),
        (r#"{"op": "place", "id": 16, "order": {"side": "buy", "side": "sell"}}"#.to_owned(), 422, "invalid_order"),
        (json!({"op": "cancel", "id": 17, "order": 5, "order_id": "none"}).to_string(), 404, "order_not_found"),
    ];
    for (frame, status, code) in rows {
        socket.send_text(&frame).await;
        let answer = socket.next().await;
        assert_eq!(answer["type"], "error", "{frame}");
        assert_eq!(
            (&answer["status"], &answer["problem"]["status"]),
            (&json!(status), &json!(status)),
            "{frame}: {answer}"
        );
        assert_eq!(answer["problem"]["code"], code, "{frame}");
        let id =
            serde_json::from_str::<Value>(&frame).map_or(Value::Null, |frame| frame["id"].clone());
        assert_eq!(answer["id"], id, "{frame}");
    }
    socket
        .0
        .send(Message::binary(b"{}".to_vec()))
        .await
        .unwrap();
    assert_eq!(socket.next().await["problem"]["code"], "malformed_json");
    let done = |id: u64| json!({"type": "result", "id": id, "status": 200});
    assert_eq!(socket.ask(&json!({"op": "ping", "id": 18})).await, done(18));
    assert_eq!(
        socket
            .ask(&json!({"op": "auth", "id": 19, "key": "k"}))
            .await,
        done(19)
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_in_flight_are_applied_in_the_order_sent() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(&app).await;
    // More than one turn's worth of frames.
    const PAIRS: u64 = 1_000;
    for number in 0..PAIRS {
        let id = format!("order-{number}");
        let order = limit(&id, "client", "buy", "100.00", "0.00001");
        socket
            .send(&json!({"op": "place", "id": 2 * number, "order": order}))
            .await;
        socket
            .send(&json!({"op": "cancel", "id": 2 * number + 1, "order_id": id}))
            .await;
    }
    let mut answers = vec![Value::Null; usize::try_from(2 * PAIRS).unwrap()];
    for _ in 0..2 * PAIRS {
        let answer = socket.next().await;
        let id = usize::try_from(answer["id"].as_u64().unwrap()).unwrap();
        answers[id] = answer;
    }
    let field = |answer: &Value| answer["order"]["updated_sequence"].as_u64();
    let sequences: Vec<_> = answers
        .iter()
        .map(|answer| field(answer).unwrap_or_else(|| panic!("{answer}")))
        .collect();
    assert_eq!(sequences, (1..=2 * PAIRS).collect::<Vec<_>>());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_connection_cancels_and_the_servers_own_stop_does_not() {
    let app = TestApp::start().await;
    let enable = |client: &str| json!({"op": "cancel_on_disconnect", "id": 1, "client_id": client, "enabled": true});
    let mut leaving = Socket::connect(&app).await;
    let mut staying = Socket::connect(&app).await;
    for client in ["leaves", "changes-its-mind"] {
        let answer = leaving.ask(&enable(client)).await;
        assert_eq!(
            (&answer["status"], &answer["enabled"]),
            (&json!(200), &json!(true))
        );
    }
    let mut disable = enable("changes-its-mind");
    disable["enabled"] = json!(false);
    assert_eq!(leaving.ask(&disable).await["enabled"], false);
    staying.ask(&enable("stays")).await;
    staying.subscribe(&["orders"], None).await;
    for client in ["leaves", "stays", "changes-its-mind"] {
        app.place(&limit(
            &format!("{client}-1"),
            client,
            "buy",
            "100.00",
            "0.00001",
        ))
        .await;
        let other = json!({"order_id": format!("{client}-2"), "client_id": client, "instrument": "ETH-USD",
            "side": "sell", "type": "limit", "price": "100.00", "quantity": "1"});
        app.place(&other).await;
    }
    drop(leaving);
    let mut watcher = Watcher::default();
    while watcher
        .orders
        .get("leaves-1")
        .is_none_or(|order| order["status"] == "open")
    {
        watcher.hear(&staying.next().await);
    }
    assert_eq!(watcher.orders["leaves-1"]["reason"], "disconnected");
    let app = app.restart().await;
    for (order, status) in [
        ("leaves-1", "cancelled"),
        ("stays-1", "open"),
        ("stays-2", "open"),
        ("changes-its-mind-1", "open"),
        ("changes-its-mind-2", "open"),
    ] {
        assert_eq!(
            app.get(&format!("/orders/{order}")).await["status"],
            status,
            "{order}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_answers_what_it_accepted_and_says_goodbye() {
    let app = TestApp::start().await;
    let (mut sender, mut receiver) = Socket::connect(&app).await.0.split();
    let sending = async {
        for number in 0.. {
            let order = limit(
                &format!("order-{number}"),
                "client",
                "buy",
                "100.00",
                "0.00001",
            );
            let frame = json!({"op": "place", "id": number, "order": order}).to_string();
            if sender.send(Message::text(frame)).await.is_err() {
                return;
            }
        }
    };
    let hearing = async {
        let mut answered = Vec::new();
        while let Some(frame) = receiver.next().await {
            match frame.unwrap() {
                Message::Text(text) => {
                    let answer: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(answer["status"], 201, "{answer}");
                    answered.push(answer["order"].clone());
                }
                Message::Close(closed) => {
                    assert_eq!(closed.unwrap().code, CloseCode::Away);
                    return answered;
                }
                other @ (Message::Binary(_)
                | Message::Ping(_)
                | Message::Pong(_)
                | Message::Frame(_)) => {
                    panic!("{other:?} is no answer")
                }
            }
        }
        panic!("the server went without a word")
    };
    let stopping = async {
        // Some have been placed, and more are under way.
        while app.get("/orderbook").await["totals"]["bids"]["orders"] == 0 {}
        app.restart().await
    };
    let answered_first = async {
        tokio::select! {
            answered = hearing => answered,
            () = sending => panic!("nobody tells the sender to end"),
        }
    };
    let (app, answered) = tokio::join!(stopping, answered_first);
    let book = app.get("/orderbook").await;
    let accepted = &book["totals"]["bids"]["orders"];
    assert_eq!(
        *accepted,
        answered.len(),
        "none was accepted and not answered"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsubscribed_channels_fall_silent_and_others_go_on() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(&app).await;
    socket
        .subscribe(&["orders", "orderbook_deltas"], None)
        .await;
    assert_eq!(socket.next().await["type"], "orderbook_snapshot");
    let answer = socket
        .ask(&json!({"op": "unsubscribe", "id": 2, "channels": ["orders"]}))
        .await;
    assert_eq!(
        (&answer["channels"], &answer["instruments"]),
        (&json!(["orders"]), &json!(["BTC-USD"]))
    );
    app.place(&limit("a", "client", "buy", "100.00", "0.00001"))
        .await;
    assert_eq!(socket.next().await["type"], "orderbook_delta");
    socket.ask(&json!({"op": "unsubscribe", "id": 3})).await;
    app.place(&limit("b", "client", "buy", "100.00", "0.00001"))
        .await;
    socket.subscribe(&["trades"], None).await;
    app.place(&limit("c", "client", "sell", "100.00", "0.00001"))
        .await;
    let trade = socket.next().await;
    assert_eq!(
        (&trade["type"], &trade["trade"]["sell_order_id"]),
        (&json!("trade"), &json!("c"))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_too_large_or_not_utf_8_closes_the_connection_with_its_code() {
    let app = TestApp::start().await;
    let text =
        |bytes: Vec<u8>| Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true));
    let rows = [
        (text(vec![b'x'; 65 * 1024]), CloseCode::Size),
        (text(vec![b'x'; 4 * 1024 * 1024]), CloseCode::Size),
        (text(vec![0xC3, 0x28]), CloseCode::Invalid),
    ];
    for (frame, code) in rows {
        let mut socket = Socket::connect(&app).await;
        // The server may have closed before all of it is written.
        let _ = socket.0.send(frame).await;
        let closed = socket.0.next().await.unwrap().unwrap();
        let Message::Close(Some(closed)) = closed else {
            panic!("{closed:?} gives no reason");
        };
        assert_eq!(closed.code, code);
    }
    let largest = json!({"op": "ping", "id": "x".repeat(64 * 1024 - 30)});
    assert_eq!(
        Socket::connect(&app).await.ask(&largest).await["status"],
        200
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_get_is_no_handshake() {
    let app = TestApp::start().await;
    let response = app.http.get(app.url("/stream")).send().await.unwrap();
    assert_eq!(response.status(), 400);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_in_an_array_or_with_a_field_twice_is_told_what_is_wrong_with_it() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(&app).await;
    let rows = [
        (r#"["key"]"#, "what was sent must be a JSON object"),
        (r#"7"#, "what was sent must be a JSON object"),
        (
            r#"{"side": "buy", "side": "sell"}"#,
            "duplicate field `side`",
        ),
    ];
    for (order, detail) in rows {
        let frame = format!(r#"{{"op": "place", "id": {order}, "order": {order}}}"#);
        socket.send_text(&frame).await;
        let answer = socket.next().await;
        let told = answer["problem"]["detail"].as_str().unwrap();
        assert!(told.starts_with(detail), "{order}: {told}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_order_that_a_shards_panic_leaves_without_an_outcome_is_answered_once() {
    const ORDERS: u64 = 100;
    let app = TestApp::start_with("fault_injection = true").await;
    let fault = json!({"instrument": "BTC-USD", "order_id": "order-50"});
    app.post("/admin/faults/panic", &fault).await;
    let mut socket = Socket::connect(&app).await;
    for id in 0..ORDERS {
        let order = limit(&format!("order-{id}"), "client", "buy", "100.00", "0.25");
        socket
            .send(&json!({"op": "place", "id": id, "order": order}))
            .await;
    }
    let mut answered = std::collections::BTreeSet::new();
    for _ in 0..ORDERS {
        let answer = socket.next().await;
        let id = answer["id"].as_u64().unwrap();
        if answer["status"] == 201 {
            assert_eq!(answer["order"]["order_id"], format!("order-{id}"));
            assert_ne!(id, 50);
        } else {
            let problem = (&answer["status"], &answer["problem"]["code"]);
            assert_eq!(
                problem,
                (&json!(503), &json!("shard_restarting")),
                "{answer}"
            );
        }
        assert!(answered.insert(id), "{id} is answered twice");
    }
    let pong = socket.ask(&json!({"op": "ping", "id": ORDERS})).await;
    assert_eq!(pong["id"], ORDERS);
    app.stop().await;
}

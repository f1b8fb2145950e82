//! Keys on the streams: who may open them, what they carry, and when they end.

use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::app::{TestApp, limit};
use crate::watcher::{Events, Socket};

/// A key's id and its text.
struct Key {
    id: String,
    text: String,
}

impl TestApp {
    async fn key(&self, admin: &str, role: &str, client: &str) -> Key {
        let request = self.http.post(self.url("/admin/keys"));
        let key = json!({"role": role, "client_id": client});
        let made = request.header("X-API-Key", admin).json(&key).send();
        let made: Value = made.await.unwrap().json().await.unwrap();
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Key {
            id: text("key_id"),
            text: text("key"),
        }
    }

    async fn revoke(&self, admin: &str, key: &Key) {
        let request = self
            .http
            .delete(self.url(&format!("/admin/keys/{}", key.id)));
        let revoked = request.header("X-API-Key", admin).send().await.unwrap();
        assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    }

    async fn place_with(&self, key: &Key, order: &Value) {
        let request = self.http.post(self.url("/orders"));
        let placed = request.header("X-API-Key", &key.text).json(order).send();
        assert_eq!(placed.await.unwrap().status(), StatusCode::CREATED);
    }

    async fn events_with(&self, key: &Key, query: &str) -> Events {
        let request = self.http.get(self.url(&format!("/events?{query}")));
        let response = request.header("X-API-Key", &key.text).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Events::of(response)
    }
}

impl Socket {
    async fn connect_with(app: &TestApp, key: &str) -> Result<Self, Error> {
        let mut request = app.stream_url().into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("X-API-Key", key.parse().unwrap());
        connect_async(request).await.map(|(socket, _)| Self(socket))
    }

    /// The code that the server closes the connection with, once all it sent is read.
    async fn close_code(&mut self) -> Option<CloseCode> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

fn problem(answer: &Value) -> (&Value, &Value) {
    (&answer["status"], &answer["problem"]["code"])
}

#[tokio::test]
async fn a_socket_without_a_key_can_do_nothing_until_it_shows_one() {
    let (app, admin) = TestApp::start_guarded().await;
    let alice = app.key(&admin, "trader", "alice").await;
    let bob = app.key(&admin, "trader", "bob").await;
    let mut socket = Socket::connect(&app).await;
    let order = limit("a1", "alice", "buy", "100.00", "1");
    let ops = [
        json!({"op": "ping", "id": 1}),
        json!({"op": "place", "id": 2, "order": order}),
        json!({"op": "cancel", "id": 3, "order_id": "a1"}),
        json!({"op": "subscribe", "id": 4, "channels": ["trades"]}),
        json!({"op": "cancel_on_disconnect", "id": 5, "client_id": "alice", "enabled": true}),
        json!({"op": "auth", "id": 6, "key": "nonsense"}),
    ];
    for op in &ops {
        let answer = socket.ask(op).await;
        assert_eq!(
            problem(&answer),
            (&json!(401), &json!("unauthenticated")),
            "{op}"
        );
    }
    let wrong = socket.ask(&json!({"op": "auth", "id": 7})).await;
    assert_eq!(problem(&wrong), (&json!(422), &json!("invalid_order")));
    for _ in 0..2 {
        let answer = socket
            .ask(&json!({"op": "auth", "id": 8, "key": alice.text}))
            .await;
        assert_eq!(
            (&answer["type"], &answer["status"]),
            (&json!("result"), &json!(200))
        );
    }
    let placed = socket.ask(&ops[1]).await;
    assert_eq!(placed["status"], 201, "{placed}");
    let answer = socket
        .ask(&json!({"op": "auth", "id": 9, "key": bob.text}))
        .await;
    assert_eq!(problem(&answer), (&json!(403), &json!("forbidden")));
    app.stop().await;
}

#[tokio::test]
async fn a_socket_that_shows_no_key_in_time_is_closed() {
    let (app, admin) = TestApp::start_guarded().await;
    let mut silent = Socket::connect(&app).await;
    let mut known = Socket::connect_with(&app, &admin).await.unwrap();
    let answer = silent.ask(&json!({"op": "ping", "id": 1})).await;
    assert_eq!(answer["status"], 401);
    // From here on time passes whenever nothing else happens.
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(silent.close_code().await, Some(CloseCode::Policy));
    assert!(before.elapsed().as_secs() <= 10, "{:?}", before.elapsed());
    tokio::time::resume();
    let answer = known.ask(&json!({"op": "ping", "id": 2})).await;
    assert_eq!(answer["status"], 200);
    app.stop().await;
}

#[tokio::test]
async fn a_sockets_handshake_with_a_wrong_key_is_refused() {
    let (app, admin) = TestApp::start_guarded().await;
    let mut wrong = admin.clone();
    wrong.pop();
    match Socket::connect_with(&app, &wrong).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), StatusCode::UNAUTHORIZED),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was let in"),
    }
    app.stop().await;
}

#[tokio::test]
async fn a_socket_does_what_its_key_may() {
    let (app, admin) = TestApp::start_guarded().await;
    let alice = app.key(&admin, "trader", "alice").await;
    let bob = app.key(&admin, "trader", "bob").await;
    let eve = app.key(&admin, "reader", "eve").await;
    app.place_with(&alice, &limit("a1", "alice", "buy", "100.00", "1"))
        .await;

    let mut socket = Socket::connect_with(&app, &bob.text).await.unwrap();
    let forbidden = (json!(403), json!("forbidden"));
    let missing = (json!(404), json!("order_not_found"));
    let on_disconnect = json!(
        {"op": "cancel_on_disconnect", "id": 1, "client_id": "alice", "enabled": true}
    );
    let of_alice = limit("a2", "alice", "buy", "1.00", "1");
    for (op, expected) in [
        (on_disconnect, &forbidden),
        (
            json!({"op": "place", "id": 2, "order": of_alice}),
            &forbidden,
        ),
        (json!({"op": "cancel", "id": 3, "order_id": "a1"}), &missing),
        (
            json!({"op": "amend", "id": 4, "order_id": "a1", "price": "99.00"}),
            &missing,
        ),
    ] {
        let answer = socket.ask(&op).await;
        assert_eq!(problem(&answer), (&expected.0, &expected.1), "{op}");
    }
    let own = json!({"op": "cancel_on_disconnect", "id": 5, "enabled": true});
    assert_eq!(socket.ask(&own).await["client_id"], "bob");

    let mut socket = Socket::connect_with(&app, &eve.text).await.unwrap();
    for op in [
        json!({"op": "place", "id": 6, "order": limit("e1", "eve", "buy", "1.00", "1")}),
        json!({"op": "cancel", "id": 7, "order_id": "a1"}),
        json!({"op": "subscribe", "id": 8, "channels": ["trades", "orders"]}),
        json!({"op": "cancel_on_disconnect", "id": 9, "enabled": true}),
    ] {
        let answer = socket.ask(&op).await;
        assert_eq!(problem(&answer), (&forbidden.0, &forbidden.1), "{op}");
    }
    socket.subscribe(&["trades"], None).await;
    app.stop().await;
}

/// The ids of the orders in the next `count` events.
async fn order_ids(events: &mut Events, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = events.next().await;
        assert_eq!(event.name, "order");
        ids.push(event.data["order"]["order_id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test]
async fn the_orders_channel_carries_the_callers_own_and_all_for_an_administrator() {
    let (app, admin) = TestApp::start_guarded().await;
    let alice = app.key(&admin, "trader", "alice").await;
    let bob = app.key(&admin, "trader", "bob").await;
    let root = Key {
        id: String::new(),
        text: admin,
    };
    let query = "instrument=BTC-USD&channels=orders";
    let mut to_alice = app.events_with(&alice, query).await;
    let mut to_bob = app.events_with(&bob, query).await;
    let mut to_all = app.events_with(&root, query).await;
    let mut socket = Socket::connect_with(&app, &bob.text).await.unwrap();
    socket.subscribe(&["orders"], None).await;

    app.place_with(&alice, &limit("a1", "alice", "buy", "100.00", "1"))
        .await;
    app.place_with(&bob, &limit("b1", "bob", "sell", "100.00", "2"))
        .await;
    app.place_with(&alice, &limit("a2", "alice", "buy", "99.00", "1"))
        .await;
    app.place_with(&bob, &limit("b2", "bob", "sell", "101.00", "1"))
        .await;

    // Bob's first order fills Alice's: each of them is told of its own.
    assert_eq!(order_ids(&mut to_alice, 3).await, ["a1", "a1", "a2"]);
    assert_eq!(order_ids(&mut to_bob, 2).await, ["b1", "b2"]);
    let mut all = order_ids(&mut to_all, 5).await;
    all.sort();
    assert_eq!(all, ["a1", "a1", "a2", "b1", "b2"]);
    for expected in ["b1", "b2"] {
        assert_eq!(socket.next().await["order"]["order_id"], expected);
    }

    // Going on behind an event, too, shows nothing of another's.
    let resumed = app.http.get(app.url(&format!("/events?{query}")));
    let resumed = resumed
        .header("X-API-Key", &bob.text)
        .header("Last-Event-ID", "0.0");
    let mut resumed = Events::of(resumed.send().await.unwrap());
    let first = resumed.next().await;
    let first = if first.name == "gap" {
        resumed.next().await
    } else {
        first
    };
    assert_eq!(first.data["order"]["order_id"], "b1");
    app.stop().await;
}

#[tokio::test]
async fn a_revoked_keys_streams_end_at_once_and_cancel_what_they_should() {
    let (app, admin) = TestApp::start_guarded().await;
    let alice = app.key(&admin, "trader", "alice").await;
    let other = app.key(&admin, "trader", "alice").await;
    let mut events = app.events_with(&alice, "channels=trades").await;
    let mut kept = app.events_with(&other, "channels=orders").await;
    let mut socket = Socket::connect_with(&app, &alice.text).await.unwrap();
    let on = json!({"op": "cancel_on_disconnect", "id": 1, "enabled": true});
    assert_eq!(socket.ask(&on).await["status"], 200);
    app.place_with(&alice, &limit("a1", "alice", "buy", "100.00", "1"))
        .await;
    assert_eq!(order_ids(&mut kept, 1).await, ["a1"]);

    app.revoke(&admin, &alice).await;
    assert_eq!(socket.close_code().await, Some(CloseCode::Policy));
    assert!(events.ended().await);
    let cancelled = kept.next().await;
    assert_eq!(cancelled.data["order"]["reason"], "disconnected");
    app.stop().await;
}

#[tokio::test]
async fn a_ticket_opens_streams_and_nothing_else() {
    let (app, admin) = TestApp::start_guarded().await;
    let alice = app.key(&admin, "trader", "alice").await;
    let request = app.http.post(app.url("/stream-tickets"));
    let issued = request
        .header("X-API-Key", &alice.text)
        .send()
        .await
        .unwrap();
    assert_eq!(issued.status(), StatusCode::CREATED);
    let issued: Value = issued.json().await.unwrap();
    let ticket = issued["ticket"].as_str().unwrap();
    let query = format!("channels=orders&ticket={ticket}");
    // An EventSource that lost its connection comes back with the same address.
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(Events::open(&app, &query, None).await);
    }
    app.place_with(&alice, &limit("a1", "alice", "buy", "100.00", "1"))
        .await;
    for events in &mut streams {
        assert_eq!(order_ids(events, 1).await, ["a1"]);
    }
    for path in ["/orders", "/orderbook", "/stream"] {
        let with_ticket = app.url(&format!("{path}?ticket={ticket}"));
        let refused = app.http.get(with_ticket).send().await.unwrap();
        // A WebSocket may show its key later, but this is none.
        let expected = if path == "/stream" { 400 } else { 401 };
        assert_eq!(refused.status(), expected, "{path}");
    }
    app.revoke(&admin, &alice).await;
    for mut events in streams {
        assert!(events.ended().await);
    }
    let refused = app.http.get(app.url(&format!("/events?{query}")));
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    app.stop().await;
}

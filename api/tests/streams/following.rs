//! Whoever follows the deltas has the book, whatever they come over and however fast.

use serde_json::{Value, json};

use crate::app::{TestApp, limit};
use crate::watcher::{Events, Socket, Watcher};

const CLIENTS: u64 = 4;
const ORDERS: u64 = 120;

/// Far below everything else, and placed last: who sees it has seen all.
const LAST_PRICE: &str = "1.00";

const ALL: [&str; 3] = ["trades", "orderbook_deltas", "orders"];

/// Orders that rest, trade, are changed and cancelled, from a small generator.
async fn trade(app: &TestApp, client: u64) {
    let mut random = client.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut below = |bound: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % bound
    };
    for number in 0..ORDERS {
        let id = format!("c{client}-{number}");
        let side = if below(2) == 0 { "buy" } else { "sell" };
        let price = format!("{}.00", 100 + below(8));
        let quantity = format!("0.{:05}", 1 + below(300));
        app.place(&limit(
            &id,
            &format!("client-{client}"),
            side,
            &price,
            &quantity,
        ))
        .await;
        match below(4) {
            0 => drop(app.post(&format!("/orders/{id}/cancel"), &json!({})).await),
            1 => {
                let change = json!({"price": format!("{}.00", 100 + below(8))});
                let request = app
                    .http
                    .patch(app.url(&format!("/orders/{id}")))
                    .json(&change);
                drop(request.send().await.unwrap());
            }
            _ => {}
        }
    }
}

async fn trade_all(app: &TestApp) {
    futures::future::join_all((0..CLIENTS).map(|client| trade(app, client))).await;
    app.place(&limit("last", "last", "buy", LAST_PRICE, "0.00001"))
        .await;
}

async fn follow_socket(app: &TestApp, channels: &[&str], interval_ms: Option<u64>) -> Watcher {
    let mut socket = Socket::connect(app).await;
    socket.subscribe(channels, interval_ms).await;
    let mut watcher = Watcher::default();
    while !watcher.has_bid(LAST_PRICE) {
        watcher.hear(&socket.next().await);
    }
    watcher
}

async fn follow_events(app: &TestApp) -> Watcher {
    let mut events = Events::open(app, "", None).await;
    let mut watcher = Watcher::default();
    while !watcher.has_bid(LAST_PRICE) {
        let event = events.next().await;
        assert_eq!(event.data["type"], event.name.as_str());
        watcher.hear(&event.data);
    }
    watcher
}

async fn assert_complete(watcher: &Watcher, app: &TestApp) {
    assert_eq!(watcher.gaps, Vec::<Value>::new());
    assert_eq!(watcher.snapshots, 1);
    let mut trades = app.get("/trades?limit=1000").await;
    let trades = trades.as_array_mut().unwrap();
    trades.reverse();
    assert_eq!(watcher.trades, *trades);
    assert_eq!(
        u64::try_from(watcher.orders.len()).unwrap(),
        CLIENTS * ORDERS + 1
    );
    for (id, seen) in &watcher.orders {
        let mut order = app.get(&format!("/orders/{id}")).await;
        order.as_object_mut().unwrap().remove("trades");
        assert_eq!(*seen, order);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_have_the_book_under_concurrent_trading() {
    let app = TestApp::start().await;
    let ((), by_socket, conflated, by_events) = tokio::join!(
        trade_all(&app),
        follow_socket(&app, &ALL, None),
        follow_socket(&app, &["orderbook_deltas"], Some(20)),
        follow_events(&app),
    );
    for watcher in [&by_socket, &conflated, &by_events] {
        watcher.assert_has_the_book_of(&app).await;
    }
    assert!(by_socket.deltas > conflated.deltas);
    // One who comes late begins with the book as it is.
    let late = follow_socket(&app, &["orderbook_deltas"], None).await;
    assert_eq!((late.snapshots, late.deltas), (1, 0));
    late.assert_has_the_book_of(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_from_the_first_order_on_see_every_trade_and_order() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(&app).await;
    socket.subscribe(&ALL, None).await;
    let mut events = Events::open(&app, "channels=trades,orderbook_deltas,orders", None).await;
    let by_socket = async {
        let mut watcher = Watcher::default();
        while !watcher.has_bid(LAST_PRICE) {
            watcher.hear(&socket.next().await);
        }
        watcher
    };
    let by_events = async {
        let mut watcher = Watcher::default();
        while !watcher.has_bid(LAST_PRICE) {
            watcher.hear(&events.next().await.data);
        }
        watcher
    };
    let ((), by_socket, by_events) = tokio::join!(trade_all(&app), by_socket, by_events);
    assert_complete(&by_socket, &app).await;
    assert_complete(&by_events, &app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_does_not_read_is_told_of_gaps_and_gets_the_book_anew() {
    let app = TestApp::start_with("stream_events = 100\n").await;
    let mut idle = Socket::connect_with_little_room(&app).await;
    idle.subscribe(&ALL, None).await;
    let mut placed = 0;
    for batch in 0..30 {
        let order = |number: u64| {
            let price = format!("{}.00", 100 + number % 7);
            limit(
                &format!("b{batch}-{number}"),
                "client",
                "buy",
                &price,
                "0.00001",
            )
        };
        let orders: Vec<_> = (0..500).map(order).collect();
        placed += orders.len();
        app.post("/orders/batch", &json!({"orders": orders})).await;
    }
    app.place(&limit("last", "last", "buy", LAST_PRICE, "0.00001"))
        .await;
    let mut watcher = Watcher::default();
    while !watcher.has_bid(LAST_PRICE) {
        watcher.hear(&idle.next().await);
    }
    watcher.assert_has_the_book_of(&app).await;
    let missed = |channel: &str| -> u64 {
        let gaps = watcher.gaps.iter().filter(|gap| gap["channel"] == channel);
        gaps.map(|gap| gap["missed"].as_u64().unwrap()).sum()
    };
    assert!(missed("orders") > 0 && missed("orderbook_deltas") > 0);
    assert_eq!(missed("trades"), 0);
    let seen = u64::try_from(watcher.order_events).unwrap() + missed("orders");
    let placed = u64::try_from(placed + 1).unwrap();
    assert!(placed - 1 <= seen && seen <= placed, "{seen} of {placed}");
    app.stop().await;
}

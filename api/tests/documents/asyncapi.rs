//! The AsyncAPI document: what it shows is what the streams take and send.

use std::collections::BTreeSet;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use shardbook_api::asyncapi::asyncapi_yaml;
use tokio_tungstenite::tungstenite::Message;

use crate::PATIENCE;
use crate::readme::Exchange;
use crate::schema::{assert_examples_valid, mistakes};

fn document() -> Value {
    serde_yaml::from_str(&asyncapi_yaml()).unwrap()
}

#[test]
fn the_committed_document_is_the_codes() {
    crate::assert_committed("asyncapi.yaml", &asyncapi_yaml());
}

#[test]
fn every_example_fits_its_schema() {
    assert_examples_valid(&document());
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    assert!(document.pointer(&target[1..]).is_some(), "{target}");
                }
                fields.values().for_each(|value| check(document, value));
            }
            Value::Array(items) => items.iter().for_each(|value| check(document, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    check(&document, &document);
}

/// What was received, each held against the document.
struct Received<'a> {
    document: &'a Value,
    types: BTreeSet<String>,
}

impl Received<'_> {
    fn take_in(&mut self, text: &str) -> Value {
        let value: Value = serde_json::from_str(text).unwrap();
        let name = value["type"].as_str().unwrap();
        let message = &self.document["components"]["messages"][name];
        assert!(message.is_object(), "{name} is not documented");
        let mistakes = mistakes(self.document, &message["payload"], &value);
        assert!(mistakes.is_empty(), "{text}: {mistakes:#?}");
        self.types.insert(name.to_owned());
        value
    }
}

/// Where it resumes behind what never was, it tells of a gap and begins anew.
async fn read_events(address: &str, received: &mut Received<'_>) {
    let url = format!("http://{}/events", address);
    let request = reqwest::Client::new()
        .get(url)
        .header("Last-Event-ID", "999.0");
    let mut events = request.send().await.unwrap();
    let mut text = String::new();
    while !received.types.contains("gap") {
        let chunk = tokio::time::timeout(PATIENCE, events.chunk()).await;
        text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            data.into_iter()
                .for_each(|data| drop(received.take_in(data)));
            text = rest.to_owned();
        }
    }
}

#[tokio::test]
async fn the_streams_take_the_documents_operations_and_send_its_messages() {
    let document = document();
    let mut exchange = Exchange::new("the Postman collection");
    exchange.serve(0, &["--feed", "off"].map(str::to_owned));
    let mut received = Received {
        document: &document,
        types: BTreeSet::new(),
    };
    let url = format!("ws://{}/stream", exchange.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut operations = document["operations"].as_object().unwrap().clone();
    operations.retain(|_, operation| operation["action"] == "receive");
    // One that trades, so that there is something to be told.
    let taker = json!({"op": "place", "id": "taker", "order": {
        "client_id": "client-B", "instrument": "BTC-USD", "side": "sell", "type": "market",
        "quantity": "0.1",
    }});
    let order_of_trying = [
        "auth",
        "ping",
        "subscribe",
        "place",
        "taker",
        "amend",
        "cancel",
        "cancel",
        "cancel_on_disconnect",
        "unsubscribe",
    ];
    for name in order_of_trying {
        let frame = match operations.remove(name) {
            Some(_) => document["components"]["messages"][name]["examples"][0]["payload"].clone(),
            None if name == "taker" => taker.clone(),
            // Of the order that is not there.
            None => json!({"op": name, "id": 9, "order_id": "order-9"}),
        };
        socket.send(Message::text(frame.to_string())).await.unwrap();
        let mut answered = false;
        loop {
            let next = tokio::time::timeout(PATIENCE, socket.next()).await;
            let Ok(Some(Ok(Message::Text(text)))) = next else {
                panic!("{frame} has no answer")
            };
            let message = received.take_in(&text);
            if message.get("id") == frame.get("id") {
                let refused = message["type"] == "error";
                let expected = frame["order_id"] == "order-9";
                assert_eq!(refused, expected, "{frame}: {message}");
                answered = true;
            }
            // Deltas come at intervals, and one at least before the subscription ends.
            if answered && (name != "taker" || received.types.contains("orderbook_delta")) {
                break;
            }
        }
    }
    assert!(operations.is_empty(), "not tried: {operations:?}");

    read_events(&exchange.address, &mut received).await;
    let events = &document["channels"]["events"]["messages"];
    let answers = ["result", "error"].map(str::to_owned);
    let all: BTreeSet<_> = events
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .chain(answers)
        .collect();
    assert_eq!(received.types, all);
}

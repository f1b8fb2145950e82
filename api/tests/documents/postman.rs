//! The Postman collection: its requests, sent in their order to the real program, are answered as
//! its saved examples say.
//!
//! Of a request's scripts one kind is understood, which takes a value from the answer into a
//! variable: `pm.collectionVariables.set("key_id", pm.response.json().key_id);`. What differs from
//! run to run is let differ: times, and the fields of [`DIFFERS`]. Examples that are no JSON hold
//! `…` where something may differ, as the README's do.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;
use serde_yaml::Value as Ordered;
use shardbook_api::service::openapi_json;

use crate::expectation::Expectation;
use crate::readme::Exchange;
use crate::{PATIENCE, WRITE, openapi, root};

const FILE: &str = "openapi/postman.json";

/// Fields whose values nobody can know beforehand.
const DIFFERS: [&str; 7] = [
    "bytes",
    "key",
    "key_id",
    "ticket",
    "snapshot_id",
    "lag_records",
    "lag_seconds",
];

fn collection() -> Ordered {
    let text = std::fs::read_to_string(root().join(FILE)).unwrap();
    // Read as YAML, which JSON is, the fields keep their order.
    serde_yaml::from_str(&text).unwrap()
}

fn text(value: &Ordered) -> &str {
    value.as_str().unwrap_or_default()
}

/// The requests in folders, in order.
fn requests(item: &mut Ordered) -> Vec<&mut Ordered> {
    if item.get("request").is_some() {
        return vec![item];
    }
    let inner = item.get_mut("item").unwrap().as_sequence_mut().unwrap();
    inner.iter_mut().flat_map(requests).collect()
}

struct Runner {
    variables: BTreeMap<String, String>,
    http: reqwest::Client,
    writes: bool,
}

impl Runner {
    fn new(collection: &Ordered, address: &str, key: &str) -> Self {
        let variables = collection["variable"].as_sequence().unwrap().iter();
        let mut variables: BTreeMap<_, _> = variables
            .map(|it| (text(&it["key"]).to_owned(), text(&it["value"]).to_owned()))
            .collect();
        variables.insert("base_url".to_owned(), format!("http://{address}"));
        variables.insert("key".to_owned(), key.to_owned());
        Self {
            variables,
            http: reqwest::Client::new(),
            writes: std::env::var_os(WRITE).is_some(),
        }
    }

    fn filled_in(&self, text: &str) -> String {
        let fill = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("{{{{{name}}}}}"), value)
        };
        self.variables.iter().fold(text.to_owned(), fill)
    }

    /// Sends a request and compares its answer with the saved one, or saves it.
    async fn run(&mut self, item: &mut Ordered) {
        let name = text(&item["name"]).to_owned();
        let request = &item["request"];
        let method = text(&request["method"]).parse().unwrap();
        let url = self.filled_in(text(&request["url"]["raw"]));
        let mut sent = self.http.request(method, url);
        sent = sent.header("X-API-Key", self.filled_in("{{key}}"));
        for header in request["header"].as_sequence().into_iter().flatten() {
            sent = sent.header(text(&header["key"]), self.filled_in(text(&header["value"])));
        }
        if let Some(body) = request.get("body") {
            sent = sent.body(self.filled_in(text(&body["raw"])));
        }
        let script = item
            .get("event")
            .map(|events| text(&events[0]["script"]["exec"][0]));
        let script = script.map(str::to_owned);
        let saved = item["response"][0].as_mapping_mut().unwrap();
        let expected = Expectation::new(&without_what_differs(text(&saved["body"])));
        let mut response = sent.send().await.unwrap();
        let status = response.status().as_u16();
        let mut body = String::new();
        // A stream of events has no end; it is read until it said what it should.
        while let Some(chunk) = tokio::time::timeout(PATIENCE, response.chunk())
            .await
            .unwrap()
            .unwrap()
        {
            body.push_str(std::str::from_utf8(&chunk).unwrap());
            let streams = response.headers()["content-type"] == "text/event-stream";
            if streams && expected.check(&body).is_ok() {
                break;
            }
        }
        if let Some(script) = script {
            self.take_value(&script, &body);
        }
        if self.writes {
            if let Ok(value) = serde_json::from_str::<Value>(&body) {
                let ordered: Ordered = serde_yaml::from_str(&body)
                    .unwrap_or_else(|_| serde_yaml::to_value(&value).unwrap());
                let mut ordered = ordered;
                for secret in ["key", "ticket"] {
                    if let Some(field) = ordered.get_mut(secret) {
                        *field = "…".into();
                    }
                }
                let pretty = serde_json::to_string_pretty(&ordered).unwrap();
                saved.insert("body".into(), pretty.into());
            }
            saved.insert("code".into(), status.into());
            return;
        }
        assert_eq!(saved["code"], Ordered::from(status), "{name}: {body}");
        if let Err(difference) = expected.check(&body) {
            panic!("{name}: {difference}\nit answered:\n{body}");
        }
    }

    fn take_value(&mut self, script: &str, body: &str) {
        let form =
            r#"^pm\.collectionVariables\.set\("(\w+)", pm\.response\.json\(\)([\w.\[\]]+)\);$"#;
        let parts = Regex::new(form).unwrap().captures(script);
        let parts = parts.unwrap_or_else(|| panic!("{script} is not understood"));
        let pointer = parts[2].replace(['.', '['], "/").replace(']', "");
        let body: Value = serde_json::from_str(body).unwrap();
        let value = body.pointer(&pointer).and_then(Value::as_str);
        let value = value.unwrap_or_else(|| panic!("{script}: not in {body}"));
        self.variables.insert(parts[1].to_owned(), value.to_owned());
    }
}

fn without_what_differs(example: &str) -> String {
    fn settle(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let differs = DIFFERS.contains(&name.as_str()) && !field.is_object();
                    if differs {
                        *field = "…".into();
                    } else {
                        settle(field);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(settle),
            Value::String(text) => {
                let time = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$").unwrap();
                if time.is_match(text) {
                    *value = "…".into();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    match serde_json::from_str(example) {
        Ok(mut value) => {
            settle(&mut value);
            value.to_string()
        }
        Err(_) => example.to_owned(),
    }
}

async fn run_all(exchange: &Exchange, key: &str) -> Ordered {
    let mut collection = collection();
    let mut runner = Runner::new(&collection, &exchange.address, key);
    for request in requests(&mut collection) {
        // One who asks with a key finds that key there too.
        if key.is_empty() || text(&request["name"]) != "Read all keys" {
            runner.run(request).await;
        }
    }
    collection
}

#[tokio::test]
async fn the_collections_requests_are_answered_as_it_says() {
    let mut exchange = Exchange::new("the Postman collection");
    exchange.serve(0, &["--feed", "off"].map(str::to_owned));
    let collection = run_all(&exchange, "").await;
    if std::env::var_os(WRITE).is_some() {
        let text = serde_json::to_string_pretty(&collection).unwrap();
        std::fs::write(root().join(FILE), text + "\n").unwrap();
    }
}

#[tokio::test]
async fn with_keys_on_an_administrators_key_has_the_same_answers() {
    if std::env::var_os(WRITE).is_some() {
        return;
    }
    let mut exchange = Exchange::new("the Postman collection");
    let key = exchange.run("target/release/shardbook keys create --role admin --data-dir data");
    exchange.serve(0, &["--feed", "off", "--auth", "on"].map(str::to_owned));
    run_all(&exchange, key.trim()).await;
}

#[test]
fn every_call_is_in_the_collection() {
    let document = serde_json::from_str(&openapi_json()).unwrap();
    let mut collection = collection();
    let there: BTreeSet<String> = requests(&mut collection)
        .into_iter()
        .map(|item| {
            let url = text(&item["request"]["url"]["raw"]).replace("{{base_url}}", "");
            let path = url.split('?').next().unwrap().to_owned();
            format!("{} {path}", text(&item["request"]["method"]))
        })
        .collect();
    let missing: Vec<_> = openapi::calls(&document)
        .into_iter()
        .map(|(call, _)| call)
        .filter(|call| {
            let placeholder = Regex::new(r"\\\{\w+\\\}").unwrap();
            let escaped = regex::escape(call);
            let pattern = placeholder.replace_all(&escaped, "[^/]+");
            let pattern = Regex::new(&format!("^{pattern}$")).unwrap();
            !there.iter().any(|sent| pattern.is_match(sent))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

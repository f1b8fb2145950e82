//! How much a client and a key may do.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestApp, order_of};

use super::Guarded;

#[tokio::test]
async fn a_batch_beyond_the_limit_is_admitted_in_part() {
    let app = TestApp::start_with("requests_per_second = 1").await;
    let orders = |client: &str| -> Vec<Value> {
        let order = order_of(&format!("{client} buys 1 @ 1.00"), json!({}));
        vec![order; 500]
    };
    // Two units at once and one a second: to admit all 500 it would have to take minutes.
    let batch = app
        .post("/orders/batch", &json!({"orders": orders("alice")}))
        .await;
    assert_eq!(batch.status, StatusCode::OK);
    let results = batch.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses[..2], [&json!(201), &json!(201)]);
    assert_eq!(statuses[499], &json!(429));
    assert_eq!(results[499]["problem"]["code"], "rate_limited");
    assert_eq!(batch.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    assert_eq!(batch.header("ratelimit"), "\"orders\";r=0;t=1");

    let placed = app.place("bob buys 1 @ 1.00", json!({})).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    assert_eq!(placed.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    assert_eq!(placed.header("ratelimit"), "\"orders\";r=1;t=1");
    let metrics = app.get("/metrics").await.text;
    let counted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("rate_limited_total "))
        .unwrap();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!(counted, refused.to_string());
}

#[tokio::test]
async fn beyond_the_limit_a_request_is_told_when_to_come_back() {
    let app = TestApp::start_with("requests_per_second = 1").await;
    let mut refused = None;
    // Each must take more than a second for none to be refused.
    for _ in 0..50 {
        let reply = app.place("alice buys 1 @ 1.00", json!({})).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.problem(), (429, "rate_limited"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    assert_eq!(refused.header("ratelimit"), "\"orders\";r=0;t=1");
    // Reads name no client, and this machine is not limited by address.
    for _ in 0..100 {
        assert_eq!(app.get("/orderbook").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_key_has_a_limit_of_its_own_for_all_it_does() {
    let guarded = Guarded::start().await;
    let (_, slow) = guarded
        .key("trader", "alice", json!({"requests_per_second": 1}))
        .await;
    let (_, fast) = guarded.key("trader", "alice", json!({})).await;
    let (slow, fast) = (guarded.holds(&slow), guarded.holds(&fast));
    let order = order_of("alice buys 1 @ 1.00", json!({}));
    let batch = json!({"orders": vec![order; 500]});
    let batch = slow.post("/orders/batch", &batch).await;
    let admitted = batch.body["results"].as_array().unwrap().iter();
    let admitted = admitted.filter(|result| result["status"] == 201).count();
    assert!((2..500).contains(&admitted), "{admitted}");
    let answers = async {
        let mut last = slow.get("/orderbook").await;
        for _ in 0..50 {
            if last.status == StatusCode::TOO_MANY_REQUESTS {
                break;
            }
            last = slow.get("/orderbook").await;
        }
        last
    };
    let last = answers.await;
    assert_eq!(last.problem(), (429, "rate_limited"));
    assert_eq!(last.header("ratelimit-policy"), "\"orders\";q=1;w=1");
    let other = fast.get("/orderbook").await;
    assert_eq!(other.status, StatusCode::OK);
    assert_eq!(other.header("ratelimit-policy"), "\"orders\";q=5000;w=1");
}

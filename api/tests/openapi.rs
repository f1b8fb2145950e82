//! The committed OpenAPI document is the one that the code describes.

use std::path::PathBuf;

use shardbook_api::service::{openapi_json, openapi_yaml};

fn committed(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../openapi")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_default()
}

#[test]
fn the_committed_document_is_the_codes() {
    let hint = "run `shardbook openapi > openapi/openapi.yaml` and look at what changed";
    assert!(committed("openapi.yaml") == openapi_yaml(), "{hint}");
}

#[test]
fn the_document_is_the_same_as_yaml_and_as_json() {
    let yaml: serde_json::Value = serde_yaml::from_str(&openapi_yaml()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap();
    assert_eq!(yaml, json);
}

#[test]
fn every_call_says_what_it_answers_and_how_it_fails() {
    let document: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let call = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{call} has no summary");
            assert!(operation["operationId"].is_string(), "{call} has no id");
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{call}"
            );
            for (status, response) in responses {
                assert_ne!(
                    response["description"], "",
                    "{call} {status} has no description"
                );
            }
        }
    }
}

//! The OpenAPI document.

use serde_json::Value;
use shardbook_api::service::{openapi_json, openapi_yaml};

use crate::schema::assert_examples_valid;

fn document() -> Value {
    serde_json::from_str(&openapi_json()).unwrap()
}

/// Each call as `method path`, and its description.
pub(crate) fn calls(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let calls = paths.iter().flat_map(|(path, calls)| {
        let calls = calls.as_object().unwrap().iter();
        calls.map(move |(method, call)| (format!("{} {path}", method.to_uppercase()), call))
    });
    calls.collect()
}

#[test]
fn the_committed_document_is_the_codes() {
    crate::assert_committed("openapi.yaml", &openapi_yaml());
}

#[test]
fn the_document_is_the_same_as_yaml_and_as_json() {
    let yaml: Value = serde_yaml::from_str(&openapi_yaml()).unwrap();
    assert_eq!(yaml, document());
}

#[test]
fn every_example_fits_its_schema() {
    assert_examples_valid(&document());
}

#[test]
fn every_call_and_parameter_is_described_and_every_answer_has_an_example() {
    let document = document();
    let mut lacking = Vec::new();
    for (name, call) in calls(&document) {
        let mut asked = |what: &str, value: &Value| {
            if value.as_str().unwrap_or_default().is_empty() {
                lacking.push(format!("{name} has no {what}"));
            }
        };
        asked("summary", &call["summary"]);
        asked("description", &call["description"]);
        asked("operationId", &call["operationId"]);
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            asked(
                &format!("description of {}", parameter["name"]),
                &parameter["description"],
            );
        }
        let responses = call["responses"].as_object().unwrap();
        for (status, response) in responses {
            asked(
                &format!("description of {status}"),
                &response["description"],
            );
        }
        if !responses.keys().any(|status| status.starts_with('2')) {
            lacking.push(format!("{name} has no answer that is well"));
        }
        let bodies = responses.values().chain([&call["requestBody"]]);
        for content in bodies
            .filter_map(|body| body["content"].as_object())
            .flatten()
        {
            if content.0.ends_with("json") && !has_example(&document, content.1) {
                lacking.push(format!("{name} has no example of {}", content.1["schema"]));
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["description"]
                .as_str()
                .unwrap_or_default()
                .is_empty()
            {
                lacking.push(format!("{name}.{field} has no description"));
            }
        }
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

fn has_example(document: &Value, content: &Value) -> bool {
    if let Some(examples) = content["examples"].as_object() {
        return !examples.is_empty();
    }
    let schema = &content["schema"];
    let schema = if schema["type"] == "array" {
        &schema["items"]
    } else {
        schema
    };
    let target = schema["$ref"]
        .as_str()
        .and_then(|target| target.strip_prefix('#'));
    let schema = target.map_or(schema, |target| document.pointer(target).unwrap());
    schema.get("example").is_some()
}

#[test]
fn what_may_be_left_out_is_not_filled_in_for_those_who_try() {
    let document = document();
    for (name, call) in calls(&document) {
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            let filled_in = parameter["schema"].get("example").is_some();
            assert!(
                !filled_in || parameter["required"] == true,
                "{name}: {parameter}"
            );
        }
    }
}

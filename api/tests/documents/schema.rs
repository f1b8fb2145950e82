//! Values held against schemas, OpenAPI 3.0's and JSON Schema's, as far as our documents use them.
//! Stricter than either: an object's fields must all be documented.

use regex::Regex;
use serde_json::Value;

/// Everything that is wrong with a value, each as `place: what`. References lead into `document`.
pub(crate) fn mistakes(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut mistakes = Vec::new();
    Checker { document }.check("$", schema, value, &mut mistakes);
    mistakes
}

struct Checker<'a> {
    document: &'a Value,
}

impl Checker<'_> {
    fn check(&self, place: &str, schema: &Value, value: &Value, mistakes: &mut Vec<String>) {
        if let Some(target) = schema["$ref"].as_str() {
            let pointer = target.strip_prefix('#').unwrap();
            let schema = self.document.pointer(pointer);
            let schema = schema.unwrap_or_else(|| panic!("{target} leads nowhere"));
            return self.check(place, schema, value, mistakes);
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        let mut wrong = |what: String| mistakes.push(format!("{place}: {what}"));
        if !has_type(&schema["type"], value) {
            return wrong(format!("{value} is no {}", schema["type"]));
        }
        if let Some(constant) = schema.get("const")
            && constant != value
        {
            wrong(format!("{value} is not {constant}"));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            wrong(format!("{value} is none of {words:?}"));
        }
        if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
            && !Regex::new(pattern).unwrap().is_match(text)
        {
            wrong(format!("{text:?} is not as {pattern}"));
        }
        if let Some(number) = value.as_f64() {
            let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
            let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
            if !(least..=most).contains(&number) {
                wrong(format!("{number} is not from {least} to {most}"));
            }
        }
        self.check_parts(place, schema, value, mistakes);
    }

    fn check_parts(&self, place: &str, schema: &Value, value: &Value, mistakes: &mut Vec<String>) {
        if let Some(items) = value.as_array() {
            let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
            let least = schema["minItems"].as_u64().unwrap_or(0);
            if !(least..=most).contains(&u64::try_from(items.len()).unwrap()) {
                mistakes.push(format!("{place}: has {} items", items.len()));
            }
            for (index, item) in items.iter().enumerate() {
                self.check(
                    &format!("{place}[{index}]"),
                    &schema["items"],
                    item,
                    mistakes,
                );
            }
        }
        if let Some(fields) = value.as_object() {
            for name in schema["required"].as_array().into_iter().flatten() {
                if !fields.contains_key(name.as_str().unwrap()) {
                    mistakes.push(format!("{place}: has no {name}"));
                }
            }
            for (name, field) in fields {
                let place = format!("{place}.{name}");
                match (
                    schema["properties"].get(name),
                    schema.get("additionalProperties"),
                ) {
                    (Some(schema), _) | (None, Some(schema)) => {
                        self.check(&place, schema, field, mistakes);
                    }
                    (None, None) if schema["properties"].is_object() => {
                        mistakes.push(format!("{place}: is not documented"));
                    }
                    (None, None) => {}
                }
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(place, part, value, mistakes);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fitting = choices.iter().filter(|choice| {
                let mut mistakes = Vec::new();
                self.check(place, choice, value, &mut mistakes);
                mistakes.is_empty()
            });
            if fitting.count() != 1 {
                mistakes.push(format!("{place}: {value} is not one of {choices:?}"));
            }
        }
    }
}

fn has_type(kind: &Value, value: &Value) -> bool {
    match kind {
        Value::String(kind) => match kind.as_str() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is no type"),
        },
        Value::Array(kinds) => kinds.iter().any(|kind| has_type(kind, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

/// Every schema of a document with an example of its own, and the example.
pub(crate) fn examples(document: &Value) -> Vec<(String, &Value, &Value)> {
    let mut found = Vec::new();
    collect("#", document, &mut found);
    found
}

fn collect<'a>(place: &str, value: &'a Value, found: &mut Vec<(String, &'a Value, &'a Value)>) {
    match value {
        Value::Object(fields) => {
            if let Some(example) = fields.get("example") {
                let schema = fields.get("schema").unwrap_or(value);
                found.push((place.to_owned(), schema, example));
            }
            match fields.get("examples") {
                // A schema's own.
                Some(Value::Array(examples)) if !fields.contains_key("payload") => {
                    let examples = examples.iter();
                    found.extend(examples.map(|example| (place.to_owned(), value, example)));
                }
                // A message's.
                Some(Value::Array(examples)) => {
                    let schema = &fields["payload"];
                    let examples = examples.iter();
                    found.extend(
                        examples.map(|example| (place.to_owned(), schema, &example["payload"])),
                    );
                }
                // A body's.
                Some(Value::Object(examples)) => {
                    let schema = &fields["schema"];
                    found.extend(examples.iter().map(|(name, example)| {
                        (format!("{place}/{name}"), schema, &example["value"])
                    }));
                }
                Some(_) | None => {}
            }
            for (name, inner) in fields {
                if !["example", "examples"].contains(&name.as_str()) {
                    collect(&format!("{place}/{name}"), inner, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{place}/{index}"), item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Holds each example of a document against its schema.
pub(crate) fn assert_examples_valid(document: &Value) {
    let examples = examples(document);
    assert!(examples.len() > 20, "only {} examples", examples.len());
    let wrong: Vec<_> = examples
        .iter()
        .flat_map(|(place, schema, example)| {
            let mistakes = mistakes(document, schema, example);
            mistakes
                .into_iter()
                .map(move |mistake| format!("{place} {mistake}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_does_not_fit_a_schema_is_told() {
    use serde_json::json;

    let document = json!({"s": {
        "type": "object", "required": ["a"],
        "properties": {
            "a": {"type": "string", "pattern": "^[a-z]+$", "nullable": true},
            "b": {"type": ["integer", "null"], "minimum": 1, "maximum": 3},
            "c": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 2},
            "d": {"oneOf": [{"type": "string"}, {"type": "number"}]},
            "e": {"const": "e"},
            "f": {"allOf": [{"$ref": "#/s"}]},
        },
    }});
    let schema = json!({"$ref": "#/s"});
    for (value, fits) in [
        (
            json!({"a": "abc", "b": 3, "c": ["x", "y"], "d": 1.5, "e": "e", "f": {"a": null}}),
            true,
        ),
        (json!({"a": null, "b": null, "d": "1"}), true),
        (json!({}), false),
        (json!([]), false),
        (json!({"a": "A"}), false),
        (json!({"a": "a", "b": 4}), false),
        (json!({"a": "a", "b": 1.5}), false),
        (json!({"a": "a", "c": ["z"]}), false),
        (json!({"a": "a", "c": ["x", "x", "x"]}), false),
        (json!({"a": "a", "d": true}), false),
        (json!({"a": "a", "e": "f"}), false),
        (json!({"a": "a", "f": {}}), false),
        (json!({"a": "a", "g": 1}), false),
    ] {
        let mistakes = mistakes(&document, &schema, &value);
        assert_eq!(mistakes.is_empty(), fits, "{value}: {mistakes:?}");
    }
}

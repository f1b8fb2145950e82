//! The OpenAPI document, as poem-openapi makes it and with what that can't say: examples of
//! requests and of each problem, headers that many answers have, the order of the tags.

use serde_yaml::{Mapping, Value};

use crate::problem::{CONTENT_TYPE, Code, Problem};

/// Bodies to try, by the call's id and a name: `summary` for people, `value` to be sent. Each can
/// be sent to an exchange that has just begun.
const BODIES: &str = include_str!("document/bodies.yaml");

/// Headers of more than one call's answers.
const HEADERS: &str = include_str!("document/headers.yaml");

/// A document to be served.
#[derive(Clone, Debug)]
pub struct Document(Value);

impl Document {
    /// Completes what poem-openapi wrote.
    ///
    /// # Panics
    /// When it is no OpenAPI document, which a test would see.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "all of it is the program's own, and a test makes the document"
    )]
    pub fn complete(yaml: &str) -> Self {
        let mut document = serde_yaml::from_str(yaml).expect("the document is YAML");
        let bodies = serde_yaml::from_str(BODIES).expect("the bodies are YAML");
        let headers = serde_yaml::from_str(HEADERS).expect("the headers are YAML");
        complete(&mut document, &bodies, headers).expect("the document is an OpenAPI document");
        Self(document)
    }

    /// As YAML.
    ///
    /// # Panics
    /// Never: what was read can be written.
    #[must_use]
    #[expect(clippy::expect_used, reason = "what was read as YAML can be written")]
    pub fn yaml(&self) -> String {
        serde_yaml::to_string(&self.0).expect("a document can be written")
    }

    /// As JSON.
    ///
    /// # Panics
    /// Never: all of its keys are strings.
    #[must_use]
    #[expect(clippy::expect_used, reason = "all of its keys are strings")]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.0).expect("a document can be written")
    }
}

/// `None` where a part is missing that every document has.
fn complete(document: &mut Value, bodies: &Mapping, headers: Value) -> Option<()> {
    let order = example_order(document);
    let components = document.get_mut("components")?;
    let schemas = components.get_mut("schemas")?.as_mapping_mut()?;
    schemas.values_mut().for_each(tidy);
    components
        .as_mapping_mut()?
        .insert("headers".into(), headers);
    let mut tags = Vec::new();
    for path in document.get_mut("paths")?.as_mapping_mut()?.values_mut() {
        for call in path.as_mapping_mut()?.values_mut() {
            for tag in call.get("tags").and_then(Value::as_sequence)? {
                if !tags.contains(tag) {
                    tags.push(tag.clone());
                }
            }
            complete_call(call, bodies, order.as_ref())?;
        }
    }
    // As they first come in the document, and not by their names.
    let described = document.get_mut("tags")?.as_sequence_mut()?;
    described.sort_by_key(|tag| tags.iter().position(|name| tag.get("name") == Some(name)));
    Some(())
}

fn complete_call(call: &mut Value, bodies: &Mapping, order: Option<&Value>) -> Option<()> {
    if let Some(Value::Sequence(parameters)) = call.get_mut("parameters") {
        for parameter in parameters {
            complete_parameter(parameter)?;
        }
    }
    let id = call.get("operationId").cloned()?;
    if let Some(examples) = bodies.get(&id) {
        let body = call.get_mut("requestBody")?.get_mut("content")?;
        let json = body.get_mut("application/json")?.as_mapping_mut()?;
        json.insert("examples".into(), examples.clone());
    }
    let responses = call.get_mut("responses")?.as_mapping_mut()?;
    let limited = responses.contains_key("429");
    for (status, response) in responses.iter_mut() {
        let codes = codes_of(response);
        let examples = problem_examples(&codes, order);
        if let Some(content) = response.get_mut("content") {
            for content in content.as_mapping_mut()?.values_mut() {
                content.get_mut("schema").into_iter().for_each(tidy);
            }
            if let Some(problem) = content.get_mut(CONTENT_TYPE) {
                problem
                    .as_mapping_mut()?
                    .insert("examples".into(), examples);
            }
        }
        let succeeded = status
            .as_str()
            .is_some_and(|status| status.starts_with('2'));
        let mut names = Vec::new();
        if limited && (succeeded || codes.contains(&Code::RateLimited)) {
            names.extend(["RateLimit", "RateLimit-Policy"]);
        }
        if codes
            .iter()
            .any(|code| matches!(code, Code::RateLimited | Code::Overloaded))
        {
            names.push("Retry-After");
        }
        if codes.contains(&Code::Unauthenticated) {
            names.push("WWW-Authenticate");
        }
        complete_headers(response.as_mapping_mut()?, &names)?;
    }
    Some(())
}

/// What is not required has no example: Swagger UI would send it.
fn complete_parameter(parameter: &mut Value) -> Option<()> {
    rename(parameter.get_mut("name")?);
    let required = parameter.get("required") == Some(&Value::Bool(true));
    if !required {
        parameter
            .get_mut("schema")?
            .as_mapping_mut()?
            .remove("example");
    }
    let parameter = parameter.as_mapping_mut()?;
    if parameter.get("deprecated") == Some(&Value::Bool(false)) {
        parameter.remove("deprecated");
    }
    Some(())
}

/// A header that poem-openapi wrote all in capitals, as it is usually written.
fn rename(name: &mut Value) {
    let Value::String(text) = name else { return };
    if text.contains(|letter: char| letter.is_ascii_lowercase()) {
        return;
    }
    let mut after_letter = false;
    *text = text
        .chars()
        .map(|letter| {
            let written = if after_letter {
                letter.to_ascii_lowercase()
            } else {
                letter
            };
            after_letter = letter.is_ascii_alphabetic();
            written
        })
        .collect();
}

/// The kinds of problem that a response's description names.
fn codes_of(response: &Value) -> Vec<Code> {
    let description = response.get("description").and_then(Value::as_str);
    let words = description
        .unwrap_or_default()
        .split('`')
        .skip(1)
        .step_by(2);
    words
        .filter_map(|word| Code::ALL.iter().find(|code| code.word() == word).copied())
        .collect()
}

fn problem_examples(codes: &[Code], order: Option<&Value>) -> Value {
    let mut examples = Mapping::new();
    for code in codes {
        let problem = serde_yaml::to_value(Problem::example(*code).view());
        let mut problem = problem.unwrap_or_default();
        if let (Code::OrderNotOpen, Value::Mapping(fields), Some(order)) =
            (*code, &mut problem, order)
        {
            fields.insert("order".into(), order.clone());
        }
        let mut example = Mapping::new();
        example.insert("summary".into(), code.title().into());
        example.insert("value".into(), problem);
        examples.insert(code.word().into(), Value::Mapping(example));
    }
    Value::Mapping(examples)
}

/// An order that is no longer open, from the example of one that is.
fn example_order(document: &Value) -> Option<Value> {
    let schemas = document.get("components")?.get("schemas")?;
    let mut order = schemas.get("OrderView")?.get("example")?.clone();
    let fields = order.as_mapping_mut()?;
    fields.remove("trades");
    let quantity = fields.get("quantity")?.clone();
    fields.insert("filled_quantity".into(), quantity);
    fields.insert("remaining_quantity".into(), "0.00000".into());
    fields.insert("status".into(), "filled".into());
    Some(order)
}

fn complete_headers(response: &mut Mapping, more: &[&str]) -> Option<()> {
    let empty = Value::Mapping(Mapping::new());
    let headers = response.entry("headers".into()).or_insert(empty);
    let headers = headers.as_mapping_mut()?;
    let mut named = Mapping::new();
    for (name, header) in headers.iter() {
        let (mut name, mut header) = (name.clone(), header.clone());
        rename(&mut name);
        header.as_mapping_mut()?.remove("deprecated");
        named.insert(name, header);
    }
    for name in more {
        let mut reference = Mapping::new();
        let target = format!("#/components/headers/{name}");
        reference.insert("$ref".into(), target.into());
        named.insert((*name).into(), Value::Mapping(reference));
    }
    *headers = named;
    if headers.is_empty() {
        response.remove("headers");
    }
    Some(())
}

/// Leaves out what only repeats a description beside a reference, and lets null be among the words
/// of what may be null: without it readers of the document differ in whether null is allowed.
pub(crate) fn tidy(value: &mut Value) {
    match value {
        Value::Mapping(schema) => {
            let nullable = schema.get("nullable") == Some(&Value::Bool(true));
            if let Some(Value::Sequence(words)) = schema.get_mut("enum")
                && nullable
            {
                words.push(Value::Null);
            }
            if let Some(Value::Sequence(parts)) = schema.get_mut("allOf") {
                parts.retain(|part| {
                    let words = part.as_mapping();
                    !words.is_some_and(|part| part.keys().all(|key| key == "description"))
                });
            }
            schema.values_mut().for_each(tidy);
        }
        Value::Sequence(values) => values.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

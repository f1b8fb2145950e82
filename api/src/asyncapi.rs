//! The AsyncAPI document of the streams: an outline in words, `asyncapi/outline.yaml`, with the
//! messages, their schemas and examples put in from the types that the OpenAPI document is made of.

use poem_openapi::registry::Registry;
use poem_openapi::types::Type;
use serde_yaml::{Mapping, Value};

use crate::document::tidy;
use crate::schema::operation::{
    AmendOperation, AnswerType, AuthOperation, CancelOnDisconnectOperation, CancelOperation,
    ErrorMessage, OperationName, PingOperation, PlaceOperation, ResultMessage, SubscribeOperation,
    UnsubscribeOperation,
};
use crate::schema::stream::{
    DeltaMessage, GapMessage, MessageType, OrderMessage, SnapshotMessage, TradeMessage,
};
use crate::schema::word::Worded;

const OUTLINE: &str = include_str!("asyncapi/outline.yaml");

/// A message's name, the field that has it, and the message's schema.
struct Message {
    name: &'static str,
    named_by: &'static str,
    schema: String,
}

impl Message {
    fn of<T: Type>(registry: &mut Registry, named_by: &'static str, name: &'static str) -> Self {
        T::register(registry);
        Self {
            name,
            named_by,
            schema: T::name().into_owned(),
        }
    }

    /// What a client sends.
    fn operation(registry: &mut Registry, operation: OperationName) -> Self {
        let of = match operation {
            OperationName::Place => Self::of::<PlaceOperation<'static>>,
            OperationName::Cancel => Self::of::<CancelOperation<'static>>,
            OperationName::Amend => Self::of::<AmendOperation<'static>>,
            OperationName::Subscribe => Self::of::<SubscribeOperation<'static>>,
            OperationName::Unsubscribe => Self::of::<UnsubscribeOperation<'static>>,
            OperationName::CancelOnDisconnect => Self::of::<CancelOnDisconnectOperation<'static>>,
            OperationName::Ping => Self::of::<PingOperation<'static>>,
            OperationName::Auth => Self::of::<AuthOperation<'static>>,
        };
        of(registry, "op", operation.word())
    }

    /// What it is answered.
    fn answer(registry: &mut Registry, answer: AnswerType) -> Self {
        let of = match answer {
            AnswerType::Result => Self::of::<ResultMessage>,
            AnswerType::Error => Self::of::<ErrorMessage>,
        };
        of(registry, "type", answer.word())
    }

    /// What happens.
    fn event(registry: &mut Registry, event: MessageType) -> Self {
        let of = match event {
            MessageType::Trade => Self::of::<TradeMessage>,
            MessageType::OrderbookSnapshot => Self::of::<SnapshotMessage>,
            MessageType::OrderbookDelta => Self::of::<DeltaMessage>,
            MessageType::Order => Self::of::<OrderMessage>,
            MessageType::Gap => Self::of::<GapMessage>,
        };
        of(registry, "type", event.word())
    }

    /// The message as the document shows it.
    fn described(&self, schema: &Mapping) -> Value {
        let description = schema.get("description").cloned().unwrap_or_default();
        let examples = match schema.get("examples") {
            Some(Value::Sequence(examples)) => examples.as_slice(),
            Some(_) | None => &[],
        };
        let examples = examples
            .iter()
            .map(|example| map([("payload", example.clone())]));
        let mut message = mapping([
            ("name", self.name.into()),
            ("summary", description),
            (
                "payload",
                reference(&["components", "schemas", &self.schema]),
            ),
            ("examples", Value::Sequence(examples.collect())),
        ]);
        if schema
            .get("properties")
            .and_then(|all| all.get("id"))
            .is_some()
        {
            let id = reference(&["components", "correlationIds", "operation"]);
            message.insert("correlationId".into(), id);
        }
        Value::Mapping(message)
    }
}

/// The AsyncAPI document.
///
/// # Panics
/// When the outline lacks a part, which a test would see.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "the outline and the schemas are the program's own, and a test makes the document"
)]
pub fn asyncapi_yaml() -> String {
    let mut document: Value = serde_yaml::from_str(OUTLINE).expect("the outline is YAML");
    fill(&mut document).expect("the outline has the places to fill");
    serde_yaml::to_string(&document).expect("a document can be written")
}

/// `None` where the outline lacks a place.
fn fill(document: &mut Value) -> Option<()> {
    let mut registry = Registry::new();
    let all = |registry: &mut Registry| {
        let operations = OperationName::WORDS.iter();
        let answers = AnswerType::WORDS.iter();
        let events = MessageType::WORDS.iter();
        (
            operations
                .map(|(it, _)| Message::operation(registry, *it))
                .collect::<Vec<_>>(),
            answers
                .map(|(it, _)| Message::answer(registry, *it))
                .collect::<Vec<_>>(),
            events
                .map(|(it, _)| Message::event(registry, *it))
                .collect::<Vec<_>>(),
        )
    };
    let (operations, answers, events) = all(&mut registry);
    let mut schemas = Mapping::new();
    for (name, schema) in &registry.schemas {
        let mut schema = serde_yaml::to_value(schema).ok()?;
        tidy(&mut schema);
        json_schema(&mut schema);
        schemas.insert(name.as_str().into(), schema);
    }
    let places = document.as_mapping_mut()?;
    let version = places.get_mut("info")?.get_mut("version")?;
    *version = env!("CARGO_PKG_VERSION").into();
    for message in operations.iter().chain(&answers).chain(&events) {
        let schema = schemas.get_mut(message.schema.as_str())?;
        name_by_constant(schema, message)?;
        let described = message.described(schema.as_mapping()?);
        let messages = places.get_mut("components")?.get_mut("messages")?;
        messages
            .as_mapping_mut()?
            .insert(message.name.into(), described);
    }
    *places.get_mut("components")?.get_mut("schemas")? = Value::Mapping(schemas);
    for message in operations.iter().chain(&answers).chain(&events) {
        let carried = places.get_mut("channels")?.get_mut("stream")?;
        carry(carried, message)?;
    }
    for event in &events {
        carry(places.get_mut("channels")?.get_mut("events")?, event)?;
        for (operation, channel) in [("watch", "stream"), ("events", "events")] {
            let sent = places.get_mut("operations")?.get_mut(operation)?;
            let sent = sent.get_mut("messages")?.as_sequence_mut()?;
            sent.push(reference(&["channels", channel, "messages", event.name]));
        }
    }
    let documented = places.get_mut("operations")?.as_mapping_mut()?;
    for operation in &operations {
        documented.insert(operation.name.into(), received(operation, &answers));
    }
    Some(())
}

/// The schema of the field that names the message: that name and no other.
fn name_by_constant(schema: &mut Value, message: &Message) -> Option<()> {
    let field = schema.get_mut("properties")?.get_mut(message.named_by)?;
    *field = map([("type", "string".into()), ("const", message.name.into())]);
    Some(())
}

/// A channel has a message.
fn carry(channel: &mut Value, message: &Message) -> Option<()> {
    let messages = channel.get_mut("messages")?.as_mapping_mut()?;
    messages.insert(
        message.name.into(),
        reference(&["components", "messages", message.name]),
    );
    Some(())
}

/// An operation of the WebSocket, and its answers.
fn received(operation: &Message, answers: &[Message]) -> Value {
    let on_stream =
        |message: &Message| reference(&["channels", "stream", "messages", message.name]);
    let channel = || reference(&["channels", "stream"]);
    let answers = answers.iter().map(on_stream).collect();
    map([
        ("action", "receive".into()),
        ("channel", channel()),
        ("messages", Value::Sequence(vec![on_stream(operation)])),
        (
            "reply",
            map([
                ("channel", channel()),
                ("messages", Value::Sequence(answers)),
            ]),
        ),
    ])
}

/// OpenAPI 3.0's dialect as JSON Schema, which AsyncAPI speaks.
fn json_schema(value: &mut Value) {
    let Value::Mapping(schema) = value else {
        return;
    };
    for (keyword, inner) in schema.iter_mut() {
        match (keyword.as_str(), inner) {
            (Some("properties"), Value::Mapping(properties)) => {
                properties.values_mut().for_each(json_schema);
            }
            (Some("allOf" | "oneOf" | "anyOf"), Value::Sequence(schemas)) => {
                schemas.iter_mut().for_each(json_schema);
            }
            (Some("items" | "additionalProperties"), inner) => json_schema(inner),
            _ => {}
        }
    }
    if let Some(example) = schema.remove("example") {
        schema.insert("examples".into(), Value::Sequence(vec![example]));
    }
    if schema.get("exclusiveMinimum") == Some(&Value::Bool(true))
        && let Some(least) = schema.remove("minimum")
    {
        schema.insert("exclusiveMinimum".into(), least);
    }
    if schema.remove("nullable") == Some(Value::Bool(true)) {
        or_null(schema);
    }
}

fn or_null(schema: &mut Mapping) {
    match (schema.remove("type"), schema.get_mut("oneOf")) {
        (Some(kind), _) => {
            let kinds = vec![kind, "null".into()];
            schema.insert("type".into(), Value::Sequence(kinds));
        }
        (None, Some(Value::Sequence(choices))) => choices.push(map([("type", "null".into())])),
        // Without a type it is anything, null too.
        (None, _) => {}
    }
}

fn reference(path: &[&str]) -> Value {
    map([("$ref", format!("#/{}", path.join("/")).into())])
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Mapping(mapping(entries))
}

fn mapping<const N: usize>(entries: [(&str, Value); N]) -> Mapping {
    let entries = entries.into_iter();
    entries.map(|(name, value)| (name.into(), value)).collect()
}

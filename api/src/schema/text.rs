//! Ids, decimals and stamps as they stand in JSON.

use std::fmt;
use std::sync::Arc;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Serialize, Serializer};

use shardbook_engine::id::{ClientId, IdempotencyKey, OrderId, Symbol, TradeNumber};
use shardbook_engine::instrument::Instrument;

use crate::decimal::{DecimalText, SignedDecimalText, TimestampText};
use crate::json::{ToJson, plain_text};

/// The schema of a text that keeps a pattern. Only its documentation: parsing checks bytes.
fn pattern(pattern: &str, example: &str) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema {
        pattern: Some(pattern.to_owned()),
        example: Some(example.into()),
        ..MetaSchema::new("string")
    }))
}

/// Declares how an engine's id stands in JSON.
macro_rules! id_text {
    ($(#[$doc:meta])* $name:ident, $id:ty, $pattern:literal, $example:literal, $write:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub $id);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_str())
            }
        }

        impl ToJson for $name {
            fn write(&self, json: &mut Vec<u8>) {
                $write(self.0.as_bytes(), json);
            }
        }

        impl_type!($name, stringify!($name), schema: pattern($pattern, $example), register: |_registry| ());
    };
}

id_text!(
    /// What a client calls an order.
    OrderIdText, OrderId, "^[A-Za-z0-9._:-]{1,64}$", "order-1", plain_text
);
id_text!(
    /// Who trades.
    ClientIdText, ClientId, "^[A-Za-z0-9._:-]{1,64}$", "client-A", plain_text
);
id_text!(
    /// A client's mark against doing a thing twice.
    IdempotencyKeyText, IdempotencyKey, "^[!-~]{1,128}$", "abc-123", visible_text
);
id_text!(
    /// An instrument's name.
    SymbolText, Symbol, "^[A-Za-z0-9._-]{1,32}$", "BTC-USD", plain_text
);

/// Writes visible ASCII characters.
fn visible_text(text: &[u8], json: &mut Vec<u8>) {
    json.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            json.push(b'\\');
        }
        json.push(*byte);
    }
    json.push(b'"');
}

/// A trade's id: the instrument's name and the trade's number within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeIdText {
    instrument: Symbol,
    number: TradeNumber,
}

impl TradeIdText {
    /// The id of an instrument's trade.
    #[must_use]
    pub fn new(instrument: &Instrument, number: TradeNumber) -> Self {
        Self {
            instrument: instrument.symbol.clone(),
            number,
        }
    }

    /// Reads an id of one of the instrument's trades; numbers have no zeros in front.
    #[must_use]
    pub fn parse(text: &str, instrument: &Instrument) -> Option<TradeNumber> {
        let number = text
            .strip_prefix(instrument.symbol.as_str())?
            .strip_prefix('-')?;
        if number.starts_with('0') || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        number.parse().ok().map(TradeNumber::new)
    }
}

impl fmt::Display for TradeIdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.instrument, self.number.get())
    }
}

impl Serialize for TradeIdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToJson for TradeIdText {
    fn write(&self, json: &mut Vec<u8>) {
        json.push(b'"');
        json.extend_from_slice(self.instrument.as_bytes());
        json.push(b'-');
        self.number.get().write(json);
        json.push(b'"');
    }
}

impl_type!(
    TradeIdText, "TradeId",
    schema: pattern("^[A-Za-z0-9._-]{1,32}-[1-9][0-9]*$", "BTC-USD-7"),
    register: |_registry| ()
);

impl_type!(
    DecimalText, "Decimal",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        pattern: Some("^-?[0-9]+(\\.[0-9]+)?$".to_owned()),
        ..MetaSchema::new_with_format("string", "decimal")
    })),
    register: |_registry| ()
);

impl_type!(
    SignedDecimalText, "SignedDecimal",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        pattern: Some("^-?[0-9]+(\\.[0-9]+)?$".to_owned()),
        ..MetaSchema::new_with_format("string", "decimal")
    })),
    register: |_registry| ()
);

impl_type!(
    TimestampText, "Timestamp",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        example: Some("2026-01-31T12:00:00.000001Z".into()),
        ..MetaSchema::new_with_format("string", "date-time")
    })),
    register: |_registry| ()
);

/// A trade's id as it comes in, to be read where its instrument is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeIdInput(pub String);

impl_type!(
    TradeIdInput, "TradeIdInput",
    schema: pattern("^[A-Za-z0-9._-]{1,32}-[1-9][0-9]*$", "BTC-USD-7"),
    register: |_registry| ()
);

/// A decimal as it comes in: a JSON string or number. Documentation only.
#[derive(Clone, Copy, Debug)]
pub struct DecimalInput;

impl_type!(
    DecimalInput, "DecimalInput",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        one_of: vec![
            MetaSchemaRef::Inline(Box::new(MetaSchema {
                pattern: Some("^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?$".to_owned()),
                ..MetaSchema::new("string")
            })),
            MetaSchemaRef::Inline(Box::new(MetaSchema {
                minimum: Some(0.0),
                exclusive_minimum: Some(true),
                ..MetaSchema::new("number")
            })),
        ],
        ..MetaSchema::ANY
    })),
    register: |_registry| ()
);

/// A whole number that never goes below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Count(pub u64);

impl ToJson for Count {
    fn write(&self, json: &mut Vec<u8>) {
        self.0.write(json);
    }
}

impl From<usize> for Count {
    fn from(count: usize) -> Self {
        Self(u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl_type!(
    Count, "Count",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        minimum: Some(0.0),
        ..MetaSchema::new_with_format("integer", "int64")
    })),
    register: |_registry| ()
);

/// A text for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Words(pub Arc<str>);

to_json_by_serde!(Words);

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl_type!(
    Words, "Words",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
    register: |_registry| ()
);

//! The fields of a JSON object, and everything that is wrong with them.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::problem::{Code, FieldError, Problem};
use crate::schema::word::Worded;

/// Reads a JSON object, its fields still texts.
///
/// # Errors
/// [`Code::MalformedJson`] for what is not JSON, [`Code::InvalidOrder`] for JSON that is no
/// object or has a field twice.
pub fn read_object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    let is_object = text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('{');
    // A struct's parser would take an array for the fields in their order.
    let parsed = if is_object {
        serde_json::from_str(text)
    } else {
        serde_json::from_str::<IgnoredAny>(text).and_then(|_| {
            Err(serde::de::Error::custom(
                "what was sent must be a JSON object",
            ))
        })
    };
    parsed.map_err(|error| {
        // What is wrong with the shape may stand before what is no JSON at all.
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Problem::new(Code::InvalidOrder, error.to_string()),
            Err(error) => Problem::new(Code::MalformedJson, error.to_string()),
        }
    })
}

/// An object within an object, read with it in one pass. A struct's own parser would take an
/// array too, for the fields in their order.
#[derive(Clone, Copy, Debug)]
pub struct Inner<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Inner<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Inner<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Inner<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Inner)
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// Collects what is wrong with an object's fields while they are read.
#[derive(Debug, Default)]
pub struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// Notes what is wrong with a field.
    pub fn wrong(&mut self, field: &'static str, message: impl Display) {
        self.errors.push(FieldError {
            field,
            message: message.to_string(),
        });
    }

    /// A text that may be left out, read by `parse`.
    pub fn text<T, E: Display>(
        &mut self,
        field: &'static str,
        value: Option<&RawValue>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(text) = json_string(value?) else {
            self.wrong(field, "must be a string");
            return None;
        };
        match parse(&text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.wrong(field, error);
                None
            }
        }
    }

    /// One of a few words, which may be left out.
    pub fn word<T: Worded>(&mut self, field: &'static str, value: Option<&RawValue>) -> Option<T> {
        self.text(field, value, |word| {
            T::from_word(word).ok_or_else(|| format!("must be one of {}", T::choices()))
        })
    }

    /// Notes a field that has to be there and is left out.
    pub fn required(&mut self, field: &'static str, value: Option<&RawValue>) {
        if value.is_none() {
            self.wrong(field, "is required");
        }
    }

    /// Whether nothing was wrong so far.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The problem that tells of everything that was wrong.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        Problem::invalid(self.errors)
    }
}

/// The text of a JSON string, or `None` for any other value (an escaped half of a surrogate pair
/// is no text either).
fn json_string(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let inside = value.get().strip_prefix('"')?.strip_suffix('"')?;
    // What it is has been checked; only escapes are left to be read.
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str::<Text<'_>>(value.get())
        .ok()
        .map(|text| text.0)
}

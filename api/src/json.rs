//! What goes out as JSON, written straight into bytes.
//!
//! Nearly all of an answer is names that the program has, and texts whose alphabets were checked
//! when they came in: neither is looked through for what is to be escaped, a name is one constant,
//! and nothing can fail. serde writes the same bytes, which tests hold this against; whatever is
//! rare is left to it.

use serde::Serialize;
use serde_json::value::RawValue;

/// Bytes of an answer about one order, with a trade or two: so much is had at once.
const ANSWER_BYTES: usize = 1_024;

/// Something that is written as JSON.
pub trait ToJson {
    /// Adds it to what has been written.
    fn write(&self, json: &mut Vec<u8>);

    /// Whether an object that has it as a field leaves that out.
    fn is_left_out(&self) -> bool {
        false
    }
}

/// The bytes of an answer or a message.
pub(crate) fn to_json(value: &impl ToJson) -> Vec<u8> {
    let mut json = Vec::with_capacity(ANSWER_BYTES);
    value.write(&mut json);
    json
}

impl<T: ToJson> ToJson for Box<T> {
    fn write(&self, json: &mut Vec<u8>) {
        T::write(self, json);
    }
}

/// As a field: left out where there is none.
impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, json: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(json),
            None => json.extend_from_slice(b"null"),
        }
    }

    fn is_left_out(&self) -> bool {
        self.is_none()
    }
}

impl<T: ToJson> ToJson for [T] {
    fn write(&self, json: &mut Vec<u8>) {
        json.push(b'[');
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            item.write(json);
        }
        json.push(b']');
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write(&self, json: &mut Vec<u8>) {
        self.as_slice().write(json);
    }
}

impl ToJson for bool {
    fn write(&self, json: &mut Vec<u8>) {
        let word: &[u8] = if *self { b"true" } else { b"false" };
        json.extend_from_slice(word);
    }
}

impl ToJson for u64 {
    fn write(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
    }
}

impl ToJson for &RawValue {
    fn write(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(self.get().as_bytes());
    }
}

/// Writes a text that holds nothing JSON would escape.
pub(crate) fn plain_text(text: &[u8], json: &mut Vec<u8>) {
    json.push(b'"');
    json.extend_from_slice(text);
    json.push(b'"');
}

/// Writes what is rare, or may hold anything.
pub(crate) fn by_serde(value: &(impl Serialize + ?Sized), json: &mut Vec<u8>) {
    if let Err(error) = serde_json::to_writer(json, value) {
        // Only a map whose keys are no texts comes to this, and there is none.
        tracing::error!(%error, "an answer could not be written as JSON");
    }
}

/// A field's name with what stands behind it, from `name":` as the compiler has it: a name that
/// is a keyword too begins with `r#` there.
pub(crate) const fn key(name: &'static str) -> &'static [u8] {
    match name.as_bytes() {
        [b'r', b'#', plain @ ..] => plain,
        plain => plain,
    }
}

/// Implements [`ToJson`] for an object of these fields, in this order.
macro_rules! object_to_json {
    ($name:ty, $($field:ident,)+) => {
        impl $crate::json::ToJson for $name {
            fn write(&self, json: &mut Vec<u8>) {
                let mut before = *b"{\"";
                $(
                    if !$crate::json::ToJson::is_left_out(&self.$field) {
                        json.extend_from_slice(&before);
                        json.extend_from_slice(
                            const { $crate::json::key(concat!(stringify!($field), "\":")) },
                        );
                        $crate::json::ToJson::write(&self.$field, json);
                        before = *b",\"";
                    }
                )+
                if before == *b"{\"" {
                    json.push(b'{');
                }
                json.push(b'}');
            }
        }
    };
}

/// Implements [`ToJson`] by serde.
macro_rules! to_json_by_serde {
    ($($name:ty),+) => {
        $(
            impl $crate::json::ToJson for $name {
                fn write(&self, json: &mut Vec<u8>) {
                    $crate::json::by_serde(self, json);
                }
            }
        )+
    };
}

#[cfg(test)]
mod tests;

//! Parameters in paths, queries and headers.

use poem::http::HeaderMap;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromParameter, ParseResult};

use shardbook_engine::id::{ClientId, IdempotencyKey, OrderId, Symbol};
use shardbook_engine::order::OrderStatus;

use crate::problem::Problem;
use crate::schema::text::{ClientIdText, OrderIdText, SymbolText, TradeIdInput};
use crate::schema::word::{Word, Worded};

/// The header that may hold an order's idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl ParseFromParameter for OrderIdText {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        OrderId::new(text).map(Self).map_err(ParseError::custom)
    }
}

impl ParseFromParameter for ClientIdText {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        ClientId::new(text).map(Self).map_err(ParseError::custom)
    }
}

impl ParseFromParameter for Word<OrderStatus> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        OrderStatus::from_word(text).map(Self).ok_or_else(|| {
            let choices = OrderStatus::choices();
            ParseError::custom(format!("must be one of {choices}"))
        })
    }
}

impl ParseFromParameter for SymbolText {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Symbol::new(text).map(Self).map_err(ParseError::custom)
    }
}

impl ParseFromParameter for TradeIdInput {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Ok(Self(text.to_owned()))
    }
}

/// How many things an answer shows: from 1 to `MAX`, or `DEFAULT` if the client does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<const DEFAULT: u16, const MAX: u16>(u16);

impl<const DEFAULT: u16, const MAX: u16> Limit<DEFAULT, MAX> {
    /// How many.
    #[must_use]
    pub fn get(limit: Option<Self>) -> usize {
        usize::from(limit.map_or(DEFAULT, |limit| limit.0))
    }
}

impl<const DEFAULT: u16, const MAX: u16> poem_openapi::types::Type for Limit<DEFAULT, MAX> {
    const IS_REQUIRED: bool = true;
    type RawValueType = ();
    type RawElementValueType = ();

    fn name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            minimum: Some(1.0),
            maximum: Some(f64::from(MAX)),
            default: Some(DEFAULT.into()),
            ..MetaSchema::new("integer")
        }))
    }

    fn as_raw_value(&self) -> Option<&()> {
        None
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a ()> + 'a> {
        Box::new(std::iter::empty())
    }
}

impl<const DEFAULT: u16, const MAX: u16> ParseFromParameter for Limit<DEFAULT, MAX> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        // `u16` alone would take a plus sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(limit) if digits && (1..=MAX).contains(&limit) => Ok(Self(limit)),
            Ok(_) | Err(_) => Err(ParseError::custom(format!(
                "must be a whole number from 1 to {MAX}"
            ))),
        }
    }
}

/// The idempotency key in a request's header, with or without quotes.
///
/// # Errors
/// [`InvalidParameter`](crate::problem::Code::InvalidParameter) for a header that holds no key, or more than one.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let invalid = |message: String| Problem::parameter("Idempotency-Key", message);
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid("must be given once at most".to_owned()));
    }
    let text = value.to_str().unwrap_or_default();
    let text = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    IdempotencyKey::new(text)
        .map(Some)
        .map_err(|error| invalid(error.to_string()))
}

/// A batch has no key: each of its orders has its own.
///
/// # Errors
/// [`InvalidParameter`](crate::problem::Code::InvalidParameter) where there is one.
pub fn no_idempotency_key(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        let message = "a batch has none; give each order its own idempotency_key";
        return Err(Problem::parameter("Idempotency-Key", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;
    use crate::problem::Code;

    #[test]
    fn a_key_in_the_header_may_have_quotes() {
        let longest = "k".repeat(128);
        let rows = [
            ("abc-123", Some("abc-123")),
            ("\"abc-123\"", Some("abc-123")),
            ("\"", Some("\"")),
            ("a\"b", Some("a\"b")),
            (longest.as_str(), Some(longest.as_str())),
            ("", None),
            ("\"\"", None),
            ("a b", None),
            (&format!("{longest}k"), None),
        ];
        for (text, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(text).unwrap());
            let key = idempotency_key(&headers).map_err(|problem| problem.code());
            let expected = expected
                .map(|expected| Some(IdempotencyKey::new(expected).unwrap()))
                .ok_or(Code::InvalidParameter);
            assert_eq!(key, expected, "{text}");
        }
        let mut twice = HeaderMap::new();
        twice.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        twice.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        assert!(idempotency_key(&twice).is_err());
        assert!(no_idempotency_key(&twice).is_err());
        let mut latin = HeaderMap::new();
        latin.insert(IDEMPOTENCY_KEY, HeaderValue::from_bytes(b"k\xe9y").unwrap());
        assert!(idempotency_key(&latin).is_err());
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}

//! Windows, intervals, times and days as parameters.

use chrono::{DateTime, NaiveDate};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromParameter, ParseResult};

use shardbook_engine::time::{Day, Minutes, Timestamp};

/// The longest window: a day, which memory always holds.
const WINDOW_MAX: u32 = 24 * 60;

/// A window: `<n>m` or `<n>h`, from 1m to 24h.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// As it was written.
    pub text: String,
    /// How long it is.
    pub span: Minutes,
}

impl Window {
    /// Five minutes.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            text: "5m".to_owned(),
            span: Minutes::new(5).unwrap_or(Minutes::ONE),
        }
    }
}

impl ParseFromParameter for Window {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let parsed = (|| {
            let (number, unit) = text
                .strip_suffix('m')
                .map(|number| (number, 1))
                .or_else(|| text.strip_suffix('h').map(|number| (number, 60)))?;
            if !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let minutes = number.parse::<u32>().ok()?.checked_mul(unit)?;
            Minutes::new(minutes).filter(|span| span.get() <= WINDOW_MAX)
        })();
        let span =
            parsed.ok_or_else(|| ParseError::custom("must be <n>m or <n>h, from 1m to 24h"))?;
        let text = text.to_owned();
        Ok(Self { text, span })
    }
}

/// How long a candle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Minutes);

const INTERVALS: [(&str, u32); 5] = [
    ("1m", 1),
    ("5m", 5),
    ("15m", 15),
    ("1h", 60),
    ("1d", 24 * 60),
];

impl ParseFromParameter for Interval {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let known = INTERVALS.iter().find(|(word, _)| *word == text);
        known
            .and_then(|(_, minutes)| Minutes::new(*minutes))
            .map(Self)
            .ok_or_else(|| ParseError::custom("must be one of 1m, 5m, 15m, 1h, 1d"))
    }
}

/// A point in time, RFC 3339; before 1970, when nothing was, it is its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeInput(pub Timestamp);

impl ParseFromParameter for TimeInput {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        // A plus sign in a query is a space.
        let text = text.trim().replace(' ', "+");
        let time = DateTime::parse_from_rfc3339(&text).ok();
        time.and_then(|time| u64::try_from(time.timestamp_micros().max(0)).ok())
            .map(|microseconds| Self(Timestamp::from_microseconds(microseconds)))
            .ok_or_else(|| ParseError::custom("must be a time, as 2026-01-31T12:00:00Z"))
    }
}

/// A UTC day, `2026-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateInput(pub Day);

impl DateInput {
    /// The day that a text names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        if text.len() != "2026-01-31".len() {
            return None;
        }
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        Some(Self(Day::from_days_since_epoch(u64::try_from(days).ok()?)))
    }
}

impl ParseFromParameter for DateInput {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Self::parse(text).ok_or_else(|| ParseError::custom("must be a day, as 2026-01-31"))
    }
}

fn text(example: &str) -> MetaSchema {
    MetaSchema {
        example: Some(example.into()),
        ..MetaSchema::new("string")
    }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

impl_type!(
    Window, "Window",
    schema: inline(MetaSchema {
        pattern: Some("^[0-9]+[mh]$".to_owned()),
        ..text("5m")
    }),
    register: |_registry| ()
);

impl_type!(
    Interval, "Interval",
    schema: inline(MetaSchema {
        enum_items: INTERVALS.iter().map(|(word, _)| (*word).into()).collect(),
        ..MetaSchema::new("string")
    }),
    register: |_registry| ()
);

impl_type!(
    TimeInput, "TimeInput",
    schema: inline(text("2026-01-31T12:00:00Z")),
    register: |_registry| ()
);

impl_type!(
    DateInput, "DateInput",
    schema: inline(text("2026-01-31")),
    register: |_registry| ()
);

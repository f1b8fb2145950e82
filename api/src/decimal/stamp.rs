//! Points in time and days as text.

use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Serialize, Serializer};

use shardbook_engine::time::{Day, Timestamp};

use crate::json::{ToJson, by_serde, plain_text};

/// A point in time as RFC 3339, in UTC, with microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampText(pub Timestamp);

impl TimestampText {
    fn time(self) -> DateTime<Utc> {
        let microseconds = i64::try_from(self.0.microseconds()).unwrap_or(i64::MAX);
        DateTime::from_timestamp_micros(microseconds).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl fmt::Display for TimestampText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.time().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for TimestampText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToJson for TimestampText {
    fn write(&self, json: &mut Vec<u8>) {
        let time = self.time();
        match u32::try_from(time.year()) {
            Ok(year) if year <= 9_999 => plain_text(&stamp(year, time), json),
            // RFC 3339 knows no such year.
            Ok(_) | Err(_) => by_serde(self, json),
        }
    }
}

/// A stamp with microseconds, without the detour of a formatter: every answer has several.
fn stamp(year: u32, time: DateTime<Utc>) -> [u8; 27] {
    let microseconds = time.timestamp_subsec_micros();
    let [y1, y2] = two_digits(year / 100);
    let [y3, y4] = two_digits(year);
    let [o1, o2] = two_digits(time.month());
    let [d1, d2] = two_digits(time.day());
    let [h1, h2] = two_digits(time.hour());
    let [m1, m2] = two_digits(time.minute());
    let [s1, s2] = two_digits(time.second());
    let [f1, f2] = two_digits(microseconds / 10_000);
    let [f3, f4] = two_digits(microseconds / 100);
    let [f5, f6] = two_digits(microseconds);
    [
        y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'.',
        f1, f2, f3, f4, f5, f6, b'Z',
    ]
}

/// The last two digits of a number.
fn two_digits(number: u32) -> [u8; 2] {
    let digit = |digit: u32| b'0' + u8::try_from(digit % 10).unwrap_or_default();
    [digit(number / 10), digit(number)]
}

/// A UTC day as RFC 3339's full date: `2026-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayText(pub Day);

impl fmt::Display for DayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = TimestampText(self.0.start()).to_string();
        let date = text.split_once('T').map_or(text.as_str(), |(date, _)| date);
        f.write_str(date)
    }
}

impl Serialize for DayText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stamps_have_microseconds_and_end_with_z() {
        let rows = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_769_860_800_000_001, "2026-01-31T12:00:00.000001Z"),
        ];
        for (microseconds, expected) in rows {
            let stamp = TimestampText(Timestamp::from_microseconds(microseconds));
            assert_eq!(stamp.to_string(), expected);
        }
    }

    proptest! {
        /// What is written for every order, and what is right by its looks.
        #[test]
        fn json_holds_the_same_text_as_is_shown_otherwise(
            microseconds in prop_oneof![any::<u64>(), 0..5_000_000_000_000_000_u64],
        ) {
            let stamp = TimestampText(Timestamp::from_microseconds(microseconds));
            let mut json = Vec::new();
            stamp.write(&mut json);
            prop_assert_eq!(String::from_utf8(json).unwrap(), format!("\"{stamp}\""));
            prop_assert_eq!(serde_json::to_string(&stamp).unwrap(), format!("\"{stamp}\""));
        }
    }
}

//! Decimals and stamps as short texts that need no memory of their own: every order's answer is
//! full of them.

use arrayvec::ArrayString;
use chrono::{DateTime, Datelike, Timelike, Utc};

/// Room for a number of 64 bits with its point, and for a stamp.
pub(in crate::decimal) type ShortText = ArrayString<40>;

/// `units` of the last digit as a decimal with `scale` digits after the point; `None` where that
/// is no short text.
pub(super) fn decimal(units: u64, scale: u32) -> Option<ShortText> {
    let power = 10_u64.checked_pow(scale)?;
    let mut text = ShortText::new();
    padded(&mut text, units / power, 1)?;
    if scale > 0 {
        text.try_push('.').ok()?;
        padded(&mut text, units % power, usize::try_from(scale).ok()?)?;
    }
    Some(text)
}

/// A stamp as RFC 3339 with microseconds; `None` after the year 9999, which RFC 3339 does not
/// know.
pub(super) fn stamp(time: DateTime<Utc>) -> Option<ShortText> {
    let year = u64::try_from(time.year())
        .ok()
        .filter(|year| *year <= 9_999)?;
    let parts = [
        (time.month(), '-'),
        (time.day(), '-'),
        (time.hour(), 'T'),
        (time.minute(), ':'),
        (time.second(), ':'),
    ];
    let mut text = ShortText::new();
    padded(&mut text, year, 4)?;
    for (part, before) in parts {
        text.try_push(before).ok()?;
        padded(&mut text, u64::from(part), 2)?;
    }
    text.try_push('.').ok()?;
    padded(&mut text, u64::from(time.timestamp_subsec_micros()), 6)?;
    text.try_push('Z').ok()?;
    Some(text)
}

/// Adds a number with zeros before it up to `width` digits.
fn padded(text: &mut ShortText, number: u64, width: usize) -> Option<()> {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number);
    for _ in digits.len()..width {
        text.try_push('0').ok()?;
    }
    text.try_push_str(digits).ok()
}

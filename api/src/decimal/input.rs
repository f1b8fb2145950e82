//! Reading decimals exactly.

use rust_decimal::Decimal;
use serde_json::value::RawValue;
use thiserror::Error;

use shardbook_engine::instrument::{Increment, UnitsError};

/// Most significant digits and most digits after the point that [`Decimal`] holds for certain.
const DIGITS_MAX: usize = 28;

/// Most digits of a decimal that is read without further ado: they fit an `i64`.
const SHORT_DIGITS_MAX: usize = 18;

/// Most characters of a client's text that an error repeats.
const ECHO_MAX: usize = 40;

/// What a decimal stands for, as error messages call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A price, in ticks.
    Price,
    /// A quantity, in lots.
    Quantity,
}

impl Measure {
    const fn increment(self) -> &'static str {
        match self {
            Self::Price => "tick size",
            Self::Quantity => "lot size",
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Price => "prices",
            Self::Quantity => "quantities",
        }
    }
}

/// Why a JSON value is no whole number of increments.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// Neither a JSON string nor a JSON number, or a string that holds no decimal.
    #[error(
        "must be a decimal, as a JSON string or number: \"70150.50\" or 70150.5; {given} is none"
    )]
    NotDecimal {
        /// What was given, shortened.
        given: String,
    },
    /// Between two neighbouring increments.
    #[error("{given} is not a multiple of the {increment} {step}; the nearest valid {nearest}")]
    BetweenIncrements {
        /// What was given, shortened.
        given: String,
        /// `tick size` or `lot size`.
        increment: &'static str,
        /// The increment.
        step: Decimal,
        /// The neighbours, in words.
        nearest: String,
    },
    /// Zero, below it, or above the most there can be.
    #[error("{given} is out of range: {plural} are from {least} to {most}")]
    OutOfRange {
        /// What was given, shortened.
        given: String,
        /// `prices` or `quantities`.
        plural: &'static str,
        /// The least valid value.
        least: Decimal,
        /// The most valid value.
        most: Decimal,
    },
}

/// A text's value as far as [`Decimal`] can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The value itself.
    Exact(Decimal),
    /// The value without its last digits; it lies above this by less than one of the last digit
    /// kept.
    CutShort(Decimal),
    /// Below zero.
    Negative,
    /// More than 28 digits before the point.
    TooLarge,
}

/// How many increments a JSON value is, from 1 to `most`.
///
/// # Errors
/// When the value is no decimal, lies between two increments, or is out of range.
pub fn whole_units(
    value: &RawValue,
    measure: Measure,
    increment: Increment,
    most: u64,
) -> Result<u64, DecimalError> {
    let text = decimal_text(value.get());
    let not_decimal = || DecimalError::NotDecimal {
        given: shortened(value.get()),
    };
    let text = text.ok_or_else(not_decimal)?;
    let reading = read(text).ok_or_else(not_decimal)?;
    let out_of_range = || DecimalError::OutOfRange {
        given: shortened(text),
        plural: measure.plural(),
        least: increment.step(),
        most: multiple(increment, most),
    };
    let between = |below: Decimal| {
        between_increments(text, measure, increment, below).unwrap_or_else(out_of_range)
    };
    let units = match reading {
        Reading::Exact(value) => match increment.units(value) {
            Ok(units) => units,
            Err(UnitsError::Between { below, .. }) => return Err(between(below)),
            Err(UnitsError::OutOfRange { .. }) => return Err(out_of_range()),
        },
        Reading::CutShort(value) => match increment.whole_units(value) {
            Ok((below, _)) if below < most => return Err(between(multiple(increment, below))),
            Ok(_) | Err(_) => return Err(out_of_range()),
        },
        Reading::Negative | Reading::TooLarge => return Err(out_of_range()),
    };
    if (1..=most).contains(&units) {
        Ok(units)
    } else {
        Err(out_of_range())
    }
}

/// The value of a JSON string or number, exactly; `None` for what is no decimal, below zero or
/// longer than [`Decimal`] can hold.
#[must_use]
pub fn exact_decimal(value: &RawValue) -> Option<Decimal> {
    match read(decimal_text(value.get())?)? {
        Reading::Exact(value) => Some(value),
        Reading::CutShort(_) | Reading::Negative | Reading::TooLarge => None,
    }
}

fn between_increments(
    text: &str,
    measure: Measure,
    increment: Increment,
    below: Decimal,
) -> Option<DecimalError> {
    let plural = measure.plural();
    let mut above = below.checked_add(increment.step())?;
    above.rescale(increment.scale());
    let mut below = below;
    below.rescale(increment.scale());
    let nearest = if below.is_zero() {
        format!("value is {above}")
    } else {
        format!("{plural} are {below} and {above}")
    };
    Some(DecimalError::BetweenIncrements {
        given: shortened(text),
        increment: measure.increment(),
        step: increment.step(),
        nearest,
    })
}

/// `units` increments as a decimal, at the increment's scale; as near as 28 digits come.
fn multiple(increment: Increment, units: u64) -> Decimal {
    increment
        .step()
        .checked_mul(Decimal::from(units))
        .unwrap_or(Decimal::MAX)
}

/// A JSON string's content or a JSON number's digits. An escape within a string makes it none:
/// no character of a decimal needs one.
fn decimal_text(json: &str) -> Option<&str> {
    match json.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => json
            .starts_with(|first: char| first == '-' || first.is_ascii_digit())
            .then_some(json),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().nth(ECHO_MAX).is_none() {
        text.to_owned()
    } else {
        text.chars().take(ECHO_MAX).chain(['…']).collect()
    }
}

/// Reads what the grammar of JSON numbers allows, and zeros in front of it.
fn read(text: &str) -> Option<Reading> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || fraction.is_some_and(|fraction| !is_digits(fraction)) {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    let reading = value_of(whole, fraction, exponent);
    let is_zero = reading == Reading::Exact(Decimal::ZERO);
    Some(if negative && !is_zero {
        Reading::Negative
    } else {
        reading
    })
}

/// An exponent, held within what any text this long could need.
fn read_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.bytes().fold(0_i64, |sum, byte| {
        (sum * 10 + i64::from(byte - b'0')).min(i64::from(i32::MAX))
    });
    Some(if negative { -magnitude } else { magnitude })
}

/// The value of `whole.fraction × 10^exponent`, all digits checked before.
fn value_of(whole: &str, fraction: &str, exponent: i64) -> Reading {
    // Nearly all decimals are short and plain.
    if exponent == 0 && whole.len() + fraction.len() <= SHORT_DIGITS_MAX {
        let fraction = fraction.trim_end_matches('0');
        let digits = whole.bytes().chain(fraction.bytes());
        let mantissa = digits.fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        let scale = u32::try_from(fraction.len()).unwrap_or_default();
        return Reading::Exact(Decimal::new(mantissa, scale));
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let Some(first) = digits.iter().position(|&digit| digit != b'0') else {
        return Reading::Exact(Decimal::ZERO);
    };
    let last = digits.iter().rposition(|&digit| digit != b'0');
    let end = last.map_or(digits.len(), |last| last + 1);
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    // The place of the first digit kept: 0 stands right before the point.
    let leading = length(whole.len()) - 1 - length(first) + exponent;
    let most = i64::try_from(DIGITS_MAX).unwrap_or(i64::MAX);
    if leading >= most {
        return Reading::TooLarge;
    }
    let significant = digits.get(first..end).unwrap_or_default();
    // Digits within reach: no more than fit, none beyond the last place after the point.
    let reach = (leading + 1 + most).clamp(0, most);
    let reach = usize::try_from(reach).unwrap_or(0);
    let kept = significant.get(..reach).unwrap_or(significant);
    let mantissa = kept
        .iter()
        .fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    let scale = length(kept.len()) - 1 - leading;
    let value = if kept.is_empty() {
        Some(Decimal::ZERO)
    } else {
        scaled(mantissa, scale)
    };
    match value {
        None => Reading::TooLarge,
        Some(value) if kept.len() == significant.len() => Reading::Exact(value),
        Some(value) => Reading::CutShort(value),
    }
}

/// `mantissa × 10^-scale`.
fn scaled(mantissa: i128, scale: i64) -> Option<Decimal> {
    match u32::try_from(scale) {
        Ok(scale) => Decimal::try_from_i128_with_scale(mantissa, scale).ok(),
        Err(_) => {
            let zeros = u32::try_from(scale.checked_neg()?).ok()?;
            let mantissa = mantissa.checked_mul(10_i128.checked_pow(zeros)?)?;
            Decimal::try_from_i128_with_scale(mantissa, 0).ok()
        }
    }
}

#[cfg(test)]
mod tests;

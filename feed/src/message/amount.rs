//! Decimals as Binance writes them, JSON strings of digits with at most one point; and its ids.

use std::fmt;

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Most characters of a decimal; more can't be held exactly.
const CHARACTERS_MAX: usize = 40;

/// Highest id: Binance's are signed 64-bit numbers. So ids can be counted on by one.
pub(super) const ID_MAX: u64 = i64::MAX.unsigned_abs();

/// A trade's or an update's number.
#[derive(Clone, Copy)]
pub(super) struct Id(pub(super) u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = u64::deserialize(deserializer)?;
        if id > ID_MAX {
            return Err(D::Error::custom("an id is beyond 63 bits"));
        }
        Ok(Self(id))
    }
}

/// A price: above zero.
pub(super) struct Price(pub(super) Decimal);

/// A level's quantity: zero or more.
pub(super) struct Quantity(pub(super) Decimal);

/// A trade's quantity: above zero.
pub(super) struct TradedQuantity(pub(super) Decimal);

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        above_zero(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DecimalText).map(Self)
    }
}

impl<'de> Deserialize<'de> for TradedQuantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        above_zero(deserializer).map(Self)
    }
}

fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let value = deserializer.deserialize_str(DecimalText)?;
    if value.is_zero() {
        return Err(D::Error::custom("a price or a trade's quantity is zero"));
    }
    Ok(value)
}

struct DecimalText;

impl Visitor<'_> for DecimalText {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of digits with at most one point")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        exact(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// The decimal that a text is, exactly.
pub(super) fn exact(text: &str) -> Option<Decimal> {
    // Signs, exponents and underscores, which the decimal's own parser would take, are nothing
    // that a market sends.
    let plain = text.len() <= CHARACTERS_MAX
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| Decimal::from_str_exact(text).ok())?
}

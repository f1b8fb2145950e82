//! Decimals that may be below zero.

use std::fmt;

use ethnum::I256;
use serde::{Serialize, Serializer};

use shardbook_engine::instrument::Instrument;
use shardbook_engine::price::Price;

use crate::decimal::DecimalText;
use crate::decimal::output::divide_half_even;

/// Digits after the point of a change in percent.
const PERCENT_SCALE: u32 = 2;

/// A decimal that may be below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedDecimalText {
    is_negative: bool,
    magnitude: DecimalText,
}

impl SignedDecimalText {
    /// `units` of the last digit, `scale` digits after the point.
    #[must_use]
    pub fn new(units: I256, scale: u32) -> Self {
        Self {
            is_negative: units.is_negative(),
            magnitude: DecimalText {
                units: units.unsigned_abs(),
                scale,
            },
        }
    }

    /// One less another of the same scale.
    #[must_use]
    pub fn difference(one: DecimalText, less: DecimalText) -> Self {
        Self {
            is_negative: one.units < less.units,
            magnitude: DecimalText {
                units: one.units.max(less.units) - one.units.min(less.units),
                scale: one.scale,
            },
        }
    }

    /// How far a price has come, at the tick's scale.
    #[must_use]
    pub fn change(from: Price, to: Price, instrument: &Instrument) -> Self {
        let price = |price| DecimalText::price(price, instrument);
        Self::difference(price(to), price(from))
    }

    /// The same in percent of where it came from, two digits, halves to the even digit.
    #[must_use]
    pub fn change_percent(from: Price, to: Price) -> Option<Self> {
        let distance = u128::from(from.ticks().abs_diff(to.ticks()));
        let units = divide_half_even(distance * 10_000, u128::from(from.ticks()))?;
        Some(Self {
            is_negative: to < from && units > 0,
            magnitude: DecimalText::new(units, PERCENT_SCALE),
        })
    }
}

impl From<DecimalText> for SignedDecimalText {
    fn from(magnitude: DecimalText) -> Self {
        Self {
            is_negative: false,
            magnitude,
        }
    }
}

impl fmt::Display for SignedDecimalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative {
            f.write_str("-")?;
        }
        self.magnitude.fmt(f)
    }
}

impl Serialize for SignedDecimalText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

to_json_by_serde!(SignedDecimalText);

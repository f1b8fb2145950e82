//! Decimals that come back exactly as they were written, from either database.
//!
//! SQLite knows no exact decimals, so there they are text; PostgreSQL's `numeric` is exact and
//! keeps the zeros at the end. `rust_decimal` ends at 28 digits, where notionals do not.
//!
//! 256 bits, since a sum of ticks times lots is below 2^128 (`Notional` says why) and the units of
//! a tick and of a lot are at most 10^6 < 2^20 each: together below 2^168, and the sum of 2^87
//! clients' lines below 2^255.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use ethnum::{I256, U256};
use sea_orm::sea_query::{self, ArrayType, ColumnType, Nullable, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Most digits after the point: two increments' scales added.
const SCALE_MAX: u32 = 36;

/// So many digits fit `u128`.
const NARROW_DIGITS: usize = 38;

/// `mantissa / 10^scale`, shown with exactly `scale` digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExactDecimal {
    mantissa: I256,
    scale: u32,
}

/// Why a text is no decimal of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a decimal of at most 76 digits, {SCALE_MAX} of them after the point")]
pub struct DecimalError {
    text: String,
}

impl ExactDecimal {
    /// The decimal `mantissa / 10^scale`, or `None` with more digits after the point than a
    /// product of two increments has.
    #[must_use]
    pub fn new(mantissa: impl Into<I256>, scale: u32) -> Option<Self> {
        let mantissa = mantissa.into();
        (scale <= SCALE_MAX).then_some(Self { mantissa, scale })
    }

    /// All its digits as one integer.
    #[must_use]
    pub const fn mantissa(self) -> I256 {
        self.mantissa
    }

    /// How many of them stand after the point.
    #[must_use]
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// Its digits as one integer with `scale` of them after the point, or `None` where digits
    /// would be lost or there would be too many.
    #[must_use]
    pub fn mantissa_at(self, scale: u32) -> Option<I256> {
        let ten = I256::from(10);
        if scale >= self.scale {
            let factor = ten.checked_pow(scale - self.scale)?;
            return self.mantissa.checked_mul(factor);
        }
        let factor = ten.checked_pow(self.scale - scale)?;
        (self.mantissa.checked_rem(factor)? == 0)
            .then(|| self.mantissa.checked_div(factor))
            .flatten()
    }
}

impl fmt::Display for ExactDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        let digits = self.mantissa.unsigned_abs();
        // Nearly every number is short, and those are shown in the way that is fast.
        if let (Ok(digits), Some(one)) = (u64::try_from(digits), 10_u64.checked_pow(self.scale)) {
            return show(f, digits / one, digits % one, self.scale);
        }
        if let Ok(digits) = u128::try_from(digits) {
            let one = 10_u128.pow(self.scale);
            return show(f, digits / one, digits % one, self.scale);
        }
        let one = U256::from(10_u8).pow(self.scale);
        show(f, digits / one, digits % one, self.scale)
    }
}

fn show<N: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    whole: N,
    fraction: N,
    scale: u32,
) -> fmt::Result {
    write!(f, "{whole}")?;
    if scale > 0 {
        let width = usize::try_from(scale).unwrap_or(usize::MAX);
        write!(f, ".{fraction:0width$}")?;
    }
    Ok(())
}

impl FromStr for ExactDecimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        parse(text).ok_or_else(|| DecimalError {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<ExactDecimal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() || (fraction.is_empty() && unsigned.contains('.')) {
        return None;
    }
    let scale = u32::try_from(fraction.len()).ok()?;
    let shift = I256::from(10).checked_pow(scale)?;
    let mut mantissa = number(whole)?
        .checked_mul(shift)?
        .checked_add(number(fraction)?)?;
    if unsigned.len() < text.len() {
        mantissa = -mantissa;
    }
    ExactDecimal::new(mantissa, scale)
}

/// Digits as a number, taken together as far as 128 bits go: nearly every number is short.
fn number(digits: &str) -> Option<I256> {
    let mut number = I256::ZERO;
    for part in digits.as_bytes().chunks(NARROW_DIGITS) {
        let (mut narrow, mut shift) = (0_u128, 1_u128);
        for byte in part {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            narrow = narrow * 10 + u128::from(digit);
            shift *= 10;
        }
        number = number
            .checked_mul(I256::from(shift))?
            .checked_add(I256::from(narrow))?;
    }
    Some(number)
}

impl Serialize for ExactDecimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExactDecimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl From<ExactDecimal> for Value {
    fn from(decimal: ExactDecimal) -> Self {
        Self::String(Some(decimal.to_string()))
    }
}

impl TryGetable for ExactDecimal {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let text = String::try_get_by(row, index)?;
        text.parse()
            .map_err(|error: DecimalError| TryGetError::DbErr(DbErr::Type(error.to_string())))
    }
}

impl sea_query::ValueType for ExactDecimal {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        let text = <String as sea_query::ValueType>::try_from(value)?;
        text.parse().map_err(|_| ValueTypeErr)
    }

    fn type_name() -> String {
        stringify!(ExactDecimal).to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::String
    }

    fn column_type() -> ColumnType {
        ColumnType::Decimal(None)
    }
}

impl Nullable for ExactDecimal {
    fn null() -> Value {
        Value::String(None)
    }
}

#[cfg(test)]
mod tests {
    use ethnum::I256;
    use proptest::prelude::*;

    use super::ExactDecimal;

    #[test]
    fn decimals_keep_every_digit() {
        for text in [
            "0",
            "0.00",
            "100.50",
            "-0.01",
            "123456789012345678.123456789",
            "99999999999999999999999999999999999999",
            "-9999999999999999999999999999999999999999999999999999999999999999999999999999",
            "340282366920938463463374607431768211456000000000000.000001",
            "0.000000000000000000000000000000000001",
        ] {
            assert_eq!(text.parse::<ExactDecimal>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_decimals() {
        for text in [
            "", "-", ".", "1.", ".5", "1e5", "NaN", "+1", "1_0", "--1", "1.2.3", " 1",
        ] {
            assert!(text.parse::<ExactDecimal>().is_err(), "{text:?}");
        }
        assert!("9".repeat(78).parse::<ExactDecimal>().is_err());
        assert!(
            format!("0.{}", "0".repeat(37))
                .parse::<ExactDecimal>()
                .is_err()
        );
    }

    #[test]
    fn a_scale_changes_only_where_no_digit_is_lost() {
        let decimal: ExactDecimal = "100.50".parse().unwrap();
        assert_eq!(decimal.mantissa_at(4), Some(I256::from(1_005_000)));
        assert_eq!(decimal.mantissa_at(1), Some(I256::from(1_005)));
        assert_eq!(decimal.mantissa_at(0), None);
    }

    proptest! {
        #[test]
        fn any_decimal_reads_back(mantissa: i128, more in 1_u64.., scale in 0_u32..=36) {
            let mantissa = I256::from(mantissa) * I256::from(more);
            let decimal = ExactDecimal::new(mantissa, scale).unwrap();
            prop_assert_eq!(decimal.to_string().parse::<ExactDecimal>(), Ok(decimal));
        }
    }
}

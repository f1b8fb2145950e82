//! Decimals that come back exactly as they were written, from either database.
//!
//! SQLite knows no exact decimals, so there they are text; PostgreSQL's `numeric` is exact and
//! keeps the zeros at the end. `rust_decimal` ends at 28 digits, where notionals do not.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use sea_orm::sea_query::{self, ArrayType, ColumnType, Nullable, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Most digits after the point: two increments' scales added.
const SCALE_MAX: u32 = 36;

/// `mantissa / 10^scale`, shown with exactly `scale` digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExactDecimal {
    mantissa: i128,
    scale: u32,
}

/// Why a text is no decimal of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a decimal of at most 38 digits, {SCALE_MAX} of them after the point")]
pub struct DecimalError {
    text: String,
}

impl ExactDecimal {
    /// The decimal `mantissa / 10^scale`, or `None` with more digits after the point than a
    /// product of two increments has.
    #[must_use]
    pub const fn new(mantissa: i128, scale: u32) -> Option<Self> {
        if scale > SCALE_MAX {
            None
        } else {
            Some(Self { mantissa, scale })
        }
    }

    /// All its digits as one integer.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
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
    pub fn mantissa_at(self, scale: u32) -> Option<i128> {
        if scale >= self.scale {
            let factor = 10_i128.checked_pow(scale - self.scale)?;
            return self.mantissa.checked_mul(factor);
        }
        let factor = 10_i128.checked_pow(self.scale - scale)?;
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
        let one = 10_u128.pow(self.scale);
        write!(f, "{}", digits / one)?;
        if self.scale > 0 {
            let width = usize::try_from(self.scale).unwrap_or(usize::MAX);
            write!(f, ".{:0width$}", digits % one)?;
        }
        Ok(())
    }
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
    let mut mantissa: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    if unsigned.len() < text.len() {
        mantissa = -mantissa;
    }
    ExactDecimal::new(mantissa, u32::try_from(fraction.len()).ok()?)
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
        assert!("9".repeat(40).parse::<ExactDecimal>().is_err());
        assert!(
            format!("0.{}", "0".repeat(37))
                .parse::<ExactDecimal>()
                .is_err()
        );
    }

    #[test]
    fn a_scale_changes_only_where_no_digit_is_lost() {
        let decimal: ExactDecimal = "100.50".parse().unwrap();
        assert_eq!(decimal.mantissa_at(4), Some(1_005_000));
        assert_eq!(decimal.mantissa_at(1), Some(1_005));
        assert_eq!(decimal.mantissa_at(0), None);
    }

    proptest! {
        #[test]
        fn any_decimal_reads_back(mantissa: i128, scale in 0_u32..=36) {
            let decimal = ExactDecimal::new(mantissa, scale).unwrap();
            // The parser's own bound: 38 digits, and the one value without a positive twin.
            prop_assume!(mantissa != i128::MIN);
            prop_assert_eq!(decimal.to_string().parse::<ExactDecimal>(), Ok(decimal));
        }
    }
}

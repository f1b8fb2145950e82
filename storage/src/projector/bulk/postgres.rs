//! Values as PostgreSQL's arrays, a column each, in its own binary form: length by length and
//! value by value as <https://www.postgresql.org/docs/current/protocol-overview.html> has it and
//! its `array_recv`, `numeric_recv` and `timestamptz_recv` read it.

use ethnum::U256;
use sea_orm::sqlx::encode::{Encode, IsNull};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::types::Oid;
use sea_orm::sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sea_orm::sqlx::{Arguments, Postgres, Type};

use crate::entity::convert::{RowError, Values};
use crate::entity::decimal::ExactDecimal;
use crate::entity::moment::Moment;
use crate::projector::rows::Kind;

/// Microseconds from 1970 to PostgreSQL's own beginning of time, the year 2000.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// What stands for a null's length.
const NULL: i32 = -1;

/// Decimal digits in one digit of PostgreSQL's.
const GROUP: u32 = 4;

/// The columns of some rows.
pub(super) struct Arrays {
    columns: Vec<Array>,
    /// The column that the next value goes into.
    next: usize,
    rows: usize,
}

/// One column.
struct Array {
    kind: Kind,
    rows: usize,
    /// Each value's length and bytes.
    values: Vec<u8>,
    has_null: bool,
}

impl Arrays {
    pub(super) fn new(kinds: &[Kind], rows: usize) -> Self {
        let columns = kinds.iter().map(|kind| Array {
            kind: *kind,
            rows,
            values: Vec::with_capacity(rows * 16),
            has_null: false,
        });
        Self {
            columns: columns.collect(),
            next: 0,
            rows,
        }
    }

    pub(super) fn into_arguments(self) -> Result<PgArguments, RowError> {
        let mut arguments = PgArguments::default();
        let bytes = self.columns.iter().map(|column| column.values.len() + 20);
        arguments.reserve(self.columns.len(), bytes.sum());
        debug_assert!(self.rows > 0 && self.next == 0, "whole rows");
        for column in self.columns {
            let added = arguments.add(column);
            added.map_err(|_| RowError::OutOfRange { column: "a value" })?;
        }
        Ok(arguments)
    }

    fn put(&mut self, put: impl FnOnce(&mut Array)) {
        if let Some(column) = self.columns.get_mut(self.next) {
            put(column);
        }
        self.next += 1;
        if self.next == self.columns.len() {
            self.next = 0;
        }
    }
}

impl Array {
    fn bytes(&mut self, bytes: &[u8]) {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.values.extend_from_slice(&length.to_be_bytes());
        self.values.extend_from_slice(bytes);
    }
}

impl Values for Arrays {
    fn text(&mut self, text: &str) {
        self.put(|column| column.bytes(text.as_bytes()));
    }

    fn word(&mut self, word: &'static str) {
        self.text(word);
    }

    fn integer(&mut self, number: i64) {
        self.put(|column| column.bytes(&number.to_be_bytes()));
    }

    fn decimal(&mut self, decimal: ExactDecimal) {
        self.put(|column| put_numeric(decimal, &mut column.values));
    }

    fn time(&mut self, time: Moment) {
        let microseconds = time.microseconds().saturating_sub(EPOCH_MICROSECONDS);
        self.integer(microseconds);
    }

    fn null(&mut self) {
        self.put(|column| {
            column.has_null = true;
            column.values.extend_from_slice(&NULL.to_be_bytes());
        });
    }
}

/// Its length; how many digits to the base of 10,000 there are, the first one's power, the sign,
/// the digits after the point; then those digits, highest first.
fn put_numeric(decimal: ExactDecimal, values: &mut Vec<u8>) {
    // 77 decimal digits make twenty, and one more where the point lies within one.
    let mut digits = [0_i16; 24];
    let mut count: i16 = 0;
    let mut rest = decimal.mantissa().unsigned_abs();
    let mut push = |digit: u64| {
        if let Some(free) = digits.get_mut(usize::try_from(count).unwrap_or(usize::MAX)) {
            *free = i16::try_from(digit).unwrap_or(0);
            count += 1;
        }
    };
    let below = decimal.scale() % GROUP;
    if below > 0 {
        push(take(&mut rest, 10_u64.pow(below)) * 10_u64.pow(GROUP - below));
    }
    while rest > 0 {
        push(take(&mut rest, 10_000));
    }
    let after_point = i16::try_from(decimal.scale().div_ceil(GROUP)).unwrap_or(i16::MAX);
    let weight = count - 1 - after_point;
    let sign: u16 = if decimal.mantissa() < 0 { 0x4000 } else { 0 };
    let scale = u16::try_from(decimal.scale()).unwrap_or(u16::MAX);
    let length = 8 + 2 * i32::from(count);
    values.extend_from_slice(&length.to_be_bytes());
    values.extend_from_slice(&count.to_be_bytes());
    values.extend_from_slice(&weight.to_be_bytes());
    values.extend_from_slice(&sign.to_be_bytes());
    values.extend_from_slice(&scale.to_be_bytes());
    let digits = digits.iter().take(usize::try_from(count).unwrap_or(0));
    for digit in digits.rev() {
        values.extend_from_slice(&digit.to_be_bytes());
    }
}

/// Divides, and says what is left over.
fn take(number: &mut U256, by: u64) -> u64 {
    // Most numbers are this short.
    if let Ok(short) = u64::try_from(*number) {
        *number = U256::from(short / by);
        return short % by;
    }
    let left = *number % U256::from(by);
    *number /= U256::from(by);
    u64::try_from(left).unwrap_or(0)
}

/// The numbers that PostgreSQL has for its own types, for good.
fn element_oid(kind: Kind) -> u32 {
    match kind {
        Kind::Text => 25,
        Kind::Integer => 20,
        Kind::Decimal => 1_700,
        Kind::Time => 1_184,
    }
}

fn array_oid(kind: Kind) -> u32 {
    match kind {
        Kind::Text => 1_009,
        Kind::Integer => 1_016,
        Kind::Decimal => 1_231,
        Kind::Time => 1_185,
    }
}

impl Type<Postgres> for Array {
    /// Any would do: each value tells its own.
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(array_oid(Kind::Text)))
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let (dimensions, first): (i32, i32) = (1, 1);
        buffer.extend_from_slice(&dimensions.to_be_bytes());
        buffer.extend_from_slice(&i32::from(self.has_null).to_be_bytes());
        buffer.extend_from_slice(&element_oid(self.kind).to_be_bytes());
        buffer.extend_from_slice(&i32::try_from(self.rows)?.to_be_bytes());
        buffer.extend_from_slice(&first.to_be_bytes());
        buffer.extend_from_slice(&self.values);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(array_oid(self.kind))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The power of the first digit, digits after the point, and the digits.
    fn numeric(mantissa: i128, scale: u32) -> (i16, u16, Vec<u16>) {
        let mut bytes = Vec::new();
        put_numeric(ExactDecimal::new(mantissa, scale).unwrap(), &mut bytes);
        let words: Vec<u16> = bytes
            .chunks(2)
            .map(|two| u16::from_be_bytes([two[0], two[1]]))
            .collect();
        assert_eq!(usize::from(words[1]), bytes.len() - 4, "its length");
        assert_eq!(usize::from(words[2]), words.len() - 6, "how many digits");
        let sign = if mantissa < 0 { 0x4000 } else { 0 };
        assert_eq!(words[4], sign);
        (words[3].cast_signed(), words[5], words[6..].to_vec())
    }

    #[test]
    fn a_numeric_has_digits_of_ten_thousand_from_the_point_to_either_side() {
        assert_eq!(numeric(7_015_000, 2), (1, 2, vec![7, 150, 0]));
        assert_eq!(numeric(12_345_678, 3), (1, 3, vec![1, 2_345, 6_780]));
        assert_eq!(numeric(-5, 0), (0, 0, vec![5]));
        assert_eq!(numeric(1, 8), (-2, 8, vec![1]));
        assert_eq!(numeric(10_000, 4), (0, 4, vec![1, 0]));
        assert_eq!(numeric(0, 0), (-1, 0, vec![]));
        // 38 digits of 9.
        let (weight, scale, digits) = numeric(10_i128.pow(38) - 1, 15);
        assert_eq!((weight, scale, digits.len()), (5, 15, 10));
        assert_eq!((digits[0], digits[1], digits[9]), (999, 9_999, 9_990));
        // 10^76, 36 digits of it behind the point.
        let large = ExactDecimal::new(ethnum::I256::from(10_i128.pow(38)) * 10_i128.pow(38), 36);
        let mut bytes = Vec::new();
        put_numeric(large.unwrap(), &mut bytes);
        assert_eq!(bytes[4..12], [0, 20, 0, 10, 0, 0, 0, 36]);
    }
}

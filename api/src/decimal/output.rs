//! Writing whole numbers of increments as decimals, and stamps as text.

mod short;

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use ethnum::{I256, U256};
use serde::{Serialize, Serializer};

use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Quantity, Volume};
use shardbook_engine::time::{Day, Timestamp};

/// Digits that an average price has beyond the tick's.
const AVERAGE_EXTRA_DIGITS: u32 = 4;

/// Digits after the point of a change in percent.
const PERCENT_SCALE: u32 = 2;

/// A decimal as it is shown: always all digits of its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalText {
    /// The value in units of the last digit shown: of a day's notional below 2^168.
    units: U256,
    scale: u32,
}

impl DecimalText {
    /// `units` of the last digit, `scale` digits after the point.
    #[must_use]
    pub const fn new(units: u128, scale: u32) -> Self {
        Self {
            units: U256::new(units),
            scale,
        }
    }

    fn increments(count: u128, increment: Increment) -> Self {
        Self::new(count * u128::from(increment.mantissa()), increment.scale())
    }

    /// A price, at the tick's scale.
    #[must_use]
    pub fn price(price: Price, instrument: &Instrument) -> Self {
        Self::increments(u128::from(price.ticks()), instrument.tick)
    }

    /// A quantity, at the lot's scale.
    #[must_use]
    pub fn quantity(quantity: Quantity, instrument: &Instrument) -> Self {
        Self::increments(u128::from(quantity.lots()), instrument.lot)
    }

    /// A sum of quantities, at the lot's scale.
    #[must_use]
    pub fn volume(volume: Volume, instrument: &Instrument) -> Self {
        Self::increments(volume.lots(), instrument.lot)
    }

    /// A notional, exact: tick's and lot's scale added.
    #[must_use]
    pub fn notional(notional: Notional, instrument: &Instrument) -> Self {
        let mantissa =
            u128::from(instrument.tick.mantissa()) * u128::from(instrument.lot.mantissa());
        Self {
            units: U256::new(notional.ticks_times_lots()) * U256::new(mantissa),
            scale: instrument.tick.scale() + instrument.lot.scale(),
        }
    }

    /// An increment as itself.
    #[must_use]
    pub fn increment(increment: Increment) -> Self {
        Self::increments(1, increment)
    }

    /// What a quantity cost on average, four digits beyond the tick's, halves to the even digit;
    /// `None` for no quantity.
    #[must_use]
    pub fn average_price(
        notional: Notional,
        volume: Volume,
        instrument: &Instrument,
    ) -> Option<Self> {
        let (notional, lots) = (notional.ticks_times_lots(), volume.lots());
        let step = u128::from(instrument.tick.mantissa()) * 10_u128.pow(AVERAGE_EXTRA_DIGITS);
        // Whole ticks and the rest apart: their product with the step would leave 128 bits. As the
        // step is even, the rest's quotient is odd where the sum is.
        let whole = notional.checked_div(lots)? * step;
        let units = whole + divide_half_even(notional.checked_rem(lots)? * step, lots)?;
        Some(Self::new(
            units,
            instrument.tick.scale() + AVERAGE_EXTRA_DIGITS,
        ))
    }

    /// The distance between the best prices, at the tick's scale.
    #[must_use]
    pub fn spread(bid: Price, ask: Price, instrument: &Instrument) -> Self {
        let ticks = ask.ticks().saturating_sub(bid.ticks());
        Self::increments(u128::from(ticks), instrument.tick)
    }

    /// The middle of the best prices, exact: one digit more than the tick's.
    #[must_use]
    pub fn mid_price(bid: Price, ask: Price, instrument: &Instrument) -> Self {
        let twice = u128::from(bid.ticks()) + u128::from(ask.ticks());
        Self::new(
            twice * u128::from(instrument.tick.mantissa()) * 5,
            instrument.tick.scale() + 1,
        )
    }
}

/// The quotient rounded to the nearest whole number, halves to the even one; `None` for a
/// division by zero.
fn divide_half_even(numerator: u128, denominator: u128) -> Option<u128> {
    let quotient = numerator.checked_div(denominator)?;
    let remainder = numerator.checked_rem(denominator)?;
    let to_next = denominator - remainder;
    let up = remainder > to_next || (remainder == to_next && quotient % 2 == 1);
    Some(quotient + u128::from(up))
}

impl fmt::Display for DecimalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nearly every number is short, and those are shown in the way that is fast.
        if let Ok(units) = u128::try_from(self.units) {
            let power = 10_u128.pow(self.scale);
            return show(f, units / power, units % power, self.scale);
        }
        let power = U256::new(10).pow(self.scale);
        show(f, self.units / power, self.units % power, self.scale)
    }
}

fn show<N: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    whole: N,
    fraction: N,
    scale: u32,
) -> fmt::Result {
    if scale == 0 {
        return write!(f, "{whole}");
    }
    let width = usize::try_from(scale).unwrap_or(usize::MAX);
    write!(f, "{whole}.{fraction:0width$}")
}

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

impl Serialize for DecimalText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let units = u64::try_from(self.units).ok();
        match units.and_then(|units| short::decimal(units, self.scale)) {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.collect_str(self),
        }
    }
}

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
        match short::stamp(self.time()) {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.collect_str(self),
        }
    }
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
    use shardbook_test_support::instrument::of_largest_sums;

    use super::*;

    #[test]
    fn a_quotient_is_rounded_to_the_nearest_and_a_half_to_the_even() {
        let rows = [
            (7, 7, Some(1)),
            (5, 2, Some(2)),
            (7, 2, Some(4)),
            (9, 4, Some(2)),
            (11, 4, Some(3)),
            (0, 3, Some(0)),
            (1, 0, None),
        ];
        for (numerator, denominator, expected) in rows {
            assert_eq!(
                divide_half_even(numerator, denominator),
                expected,
                "{numerator} / {denominator}"
            );
        }
    }

    #[test]
    fn every_digit_of_the_scale_is_shown() {
        let rows = [
            ((7_015_050, 2), "70150.50"),
            ((5, 5), "0.00005"),
            ((0, 2), "0.00"),
            ((42, 0), "42"),
            ((u128::MAX, 4), "34028236692093846346337460743176821.1455"),
        ];
        for ((units, scale), expected) in rows {
            assert_eq!(DecimalText::new(units, scale).to_string(), expected);
        }
    }

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

    #[test]
    fn the_largest_sums_are_shown_with_every_digit() {
        let instrument = of_largest_sums();
        let trades = 10_u128.pow(14);
        let notional = Notional::new(10_u128.pow(24) * trades);
        let volume = Volume::new(10_u128.pow(12) * trades);
        let shown = DecimalText::notional(notional, &instrument).to_string();
        assert_eq!(shown, format!("1{}.{}", "0".repeat(38), "0".repeat(12)));
        let average = DecimalText::average_price(notional, volume, &instrument).unwrap();
        assert_eq!(average.to_string(), "1000000000000.0000000000");
        let nothing = DecimalText::notional(Notional::ZERO, &instrument);
        let shown =
            SignedDecimalText::difference(nothing, DecimalText::notional(notional, &instrument));
        assert_eq!(
            shown.to_string(),
            format!("-1{}.{}", "0".repeat(38), "0".repeat(12))
        );
    }

    proptest! {
        #[test]
        fn an_average_is_what_256_bits_come_to_at_once(
            ticks in 0_u128..10_u128.pow(12),
            lots in 1_u128..10_u128.pow(26),
            part in 0_u128..=1_000,
        ) {
            let notional = ticks * lots + lots / 1_000 * part;
            let step = U256::new(10_u128.pow(6 + AVERAGE_EXTRA_DIGITS));
            let (over, under) = (U256::new(notional) * step, U256::new(lots));
            let twice_left = over % under * 2;
            let is_odd = over / under % 2 == 1;
            let up = twice_left > under || (twice_left == under && is_odd);
            let expected = over / under + U256::from(up);
            let (notional, volume) = (Notional::new(notional), Volume::new(lots));
            let average = DecimalText::average_price(notional, volume, &of_largest_sums()).unwrap();
            prop_assert_eq!((average.units, average.scale), (expected, 10));
        }
    }

    proptest! {
        /// What is written for every order, and what is right by its looks.
        #[test]
        fn json_holds_the_same_text_as_is_shown_otherwise(
            units in prop_oneof![any::<u64>().prop_map(u128::from), 0..1_000_000_u128, any::<u128>()],
            scale in 0..=18_u32,
            microseconds in prop_oneof![any::<u64>(), 0..5_000_000_000_000_000_u64],
        ) {
            let decimal = DecimalText::new(units, scale);
            prop_assert_eq!(serde_json::to_string(&decimal).unwrap(), format!("\"{decimal}\""));
            let stamp = TimestampText(Timestamp::from_microseconds(microseconds));
            prop_assert_eq!(serde_json::to_string(&stamp).unwrap(), format!("\"{stamp}\""));
        }
    }
}

//! Writing whole numbers of increments as decimals.

use std::fmt;

use ethnum::U256;
use serde::{Serialize, Serializer};

use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Quantity, Volume};

use crate::json::{ToJson, by_serde};

/// Digits that an average price has beyond the tick's.
const AVERAGE_EXTRA_DIGITS: u32 = 4;

/// A decimal as it is shown: always all digits of its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalText {
    /// The value in units of the last digit shown: of a day's notional below 2^168.
    pub(in crate::decimal) units: U256,
    pub(in crate::decimal) scale: u32,
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
pub(in crate::decimal) fn divide_half_even(numerator: u128, denominator: u128) -> Option<u128> {
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

impl Serialize for DecimalText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToJson for DecimalText {
    fn write(&self, json: &mut Vec<u8>) {
        let scale = usize::try_from(self.scale).ok();
        match u64::try_from(self.units).ok().zip(scale) {
            Some((units, scale)) => write_short(units, scale, json),
            None => by_serde(self, json),
        }
    }
}

/// Writes `units` of the last digit with `scale` digits after the point: what every order's
/// answer is full of.
fn write_short(units: u64, scale: usize, json: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(units).as_bytes();
    json.push(b'"');
    match digits.len().checked_sub(scale) {
        Some(whole) if whole > 0 => {
            let (whole, fraction) = digits.split_at(whole);
            json.extend_from_slice(whole);
            if scale > 0 {
                json.push(b'.');
                json.extend_from_slice(fraction);
            }
        }
        Some(_) | None => {
            json.extend_from_slice(b"0.");
            json.extend(std::iter::repeat_n(b'0', scale - digits.len()));
            json.extend_from_slice(digits);
        }
    }
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shardbook_test_support::instrument::of_largest_sums;

    use super::*;
    use crate::decimal::SignedDecimalText;

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
        ) {
            let decimal = DecimalText::new(units, scale);
            let mut json = Vec::new();
            decimal.write(&mut json);
            prop_assert_eq!(String::from_utf8(json).unwrap(), format!("\"{decimal}\""));
            prop_assert_eq!(serde_json::to_string(&decimal).unwrap(), format!("\"{decimal}\""));
        }
    }
}

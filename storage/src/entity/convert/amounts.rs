//! Ticks and lots as decimals at the instrument's scales, and back.

use ethnum::{I256, U256};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Quantity, Volume};

use super::RowError;
use crate::entity::decimal::ExactDecimal;

/// Digits an average has more than the tick.
const AVERAGE_DIGITS: u32 = 4;

/// What was paid on average for `quantity`, half-even at the tick's scale + 4; `None` for
/// nothing.
///
/// # Errors
/// When the average fits no column.
pub fn average_price(
    instrument: &Instrument,
    notional: Notional,
    quantity: Quantity,
) -> Result<Option<ExactDecimal>, RowError> {
    if quantity.is_zero() {
        return Ok(None);
    }
    let lots = u128::from(quantity.lots());
    average("average_price", instrument, notional, lots).map(Some)
}

/// `notional` over `lots`, which are some, half-even at the tick's scale + 4.
pub(super) fn average(
    column: &'static str,
    instrument: &Instrument,
    notional: Notional,
    lots: u128,
) -> Result<ExactDecimal, RowError> {
    let tick = u128::from(instrument.tick.mantissa());
    let shift = 10_u128.pow(AVERAGE_DIGITS);
    let mantissa = (|| {
        // Whole ticks and the rest apart: their product with the tick would leave 128 bits.
        let ticks = notional.ticks_times_lots().checked_div(lots)?;
        let rest = notional.ticks_times_lots().checked_rem(lots)?;
        let whole = ticks.checked_mul(tick)?.checked_mul(shift)?;
        let dividend = rest.checked_mul(tick)?.checked_mul(shift)?;
        let below = whole.checked_add(dividend / lots)?;
        let left = dividend % lots;
        let up = match left.checked_mul(2)?.cmp(&lots) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => below % 2 == 1,
            std::cmp::Ordering::Greater => true,
        };
        i128::try_from(below.checked_add(u128::from(up))?).ok()
    })();
    let mantissa = mantissa.ok_or(RowError::OutOfRange { column })?;
    exact(column, mantissa, instrument.tick.scale() + AVERAGE_DIGITS)
}

pub(super) fn exact(
    column: &'static str,
    mantissa: impl Into<I256>,
    scale: u32,
) -> Result<ExactDecimal, RowError> {
    ExactDecimal::new(mantissa, scale).ok_or(RowError::OutOfRange { column })
}

/// So many increments as a decimal.
pub(super) fn units(
    column: &'static str,
    increment: Increment,
    count: u64,
) -> Result<ExactDecimal, RowError> {
    // Below 2^128 as a product of two 64-bit numbers, but not always below 2^127.
    let mantissa = i128::from(count)
        .checked_mul(i128::from(increment.mantissa()))
        .ok_or(RowError::OutOfRange { column })?;
    exact(column, mantissa, increment.scale())
}

pub(super) fn quantity_decimal(
    instrument: &Instrument,
    column: &'static str,
    quantity: Quantity,
) -> Result<ExactDecimal, RowError> {
    units(column, instrument.lot, quantity.lots())
}

/// So many steps, in units.
fn product(column: &'static str, count: u128, step: u128) -> Result<I256, RowError> {
    U256::from(count)
        .checked_mul(U256::from(step))
        .and_then(|product| I256::try_from(product).ok())
        .ok_or(RowError::OutOfRange { column })
}

/// How many steps it is, if it is a whole number of them.
fn steps(mantissa: I256, step: u128) -> Option<u128> {
    let step = I256::from(step);
    (mantissa % step == 0)
        .then(|| u128::try_from(mantissa / step).ok())
        .flatten()
}

pub(super) fn notional_decimal(
    instrument: &Instrument,
    column: &'static str,
    notional: Notional,
) -> Result<ExactDecimal, RowError> {
    let step = u128::from(instrument.tick.mantissa()) * u128::from(instrument.lot.mantissa());
    let mantissa = product(column, notional.ticks_times_lots(), step)?;
    let scale = instrument.tick.scale() + instrument.lot.scale();
    exact(column, mantissa, scale)
}

/// Prices as they stand in columns.
///
/// # Errors
/// When it fits no column.
pub(crate) fn price_decimal(
    instrument: &Instrument,
    price: Price,
) -> Result<ExactDecimal, RowError> {
    units("price", instrument.tick, price.ticks())
}

/// The volume of a decimal at the lot's scale.
///
/// # Errors
/// When it is no whole number of lots.
pub(crate) fn volume_of(
    instrument: &Instrument,
    column: &'static str,
    decimal: ExactDecimal,
) -> Result<Volume, RowError> {
    let step = u128::from(instrument.lot.mantissa());
    decimal
        .mantissa_at(instrument.lot.scale())
        .and_then(|mantissa| steps(mantissa, step))
        .map(Volume::new)
        .ok_or(RowError::OutOfRange { column })
}

/// A volume at the lot's scale.
///
/// # Errors
/// When it fits no column.
pub(crate) fn volume_decimal(
    instrument: &Instrument,
    column: &'static str,
    volume: Volume,
) -> Result<ExactDecimal, RowError> {
    let mantissa = product(column, volume.lots(), u128::from(instrument.lot.mantissa()))?;
    exact(column, mantissa, instrument.lot.scale())
}

/// How many increments a decimal is.
fn units_of(increment: Increment, decimal: ExactDecimal) -> Option<u64> {
    let mantissa = decimal.mantissa_at(increment.scale())?;
    let units = steps(mantissa, u128::from(increment.mantissa()))?;
    u64::try_from(units).ok()
}

pub(crate) fn price_of(
    instrument: &Instrument,
    column: &'static str,
    decimal: ExactDecimal,
) -> Result<Price, RowError> {
    units_of(instrument.tick, decimal)
        .and_then(Price::new)
        .ok_or(RowError::OutOfRange { column })
}

pub(super) fn quantity_of(
    instrument: &Instrument,
    column: &'static str,
    decimal: ExactDecimal,
) -> Result<Quantity, RowError> {
    units_of(instrument.lot, decimal)
        .and_then(Quantity::new)
        .ok_or(RowError::OutOfRange { column })
}

pub(super) fn notional_of(
    instrument: &Instrument,
    column: &'static str,
    decimal: ExactDecimal,
) -> Result<Notional, RowError> {
    let scale = instrument.tick.scale() + instrument.lot.scale();
    let step = u128::from(instrument.tick.mantissa()) * u128::from(instrument.lot.mantissa());
    decimal
        .mantissa_at(scale)
        .and_then(|mantissa| steps(mantissa, step))
        .map(Notional::new)
        .ok_or(RowError::OutOfRange { column })
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use shardbook_engine::id::{InstrumentId, Symbol};
    use shardbook_engine::instrument::{Increment, Instrument};
    use shardbook_engine::quantity::{LOTS_MAX, Notional, Quantity};

    use super::average_price;

    fn instrument(tick: &str, lot: &str) -> Instrument {
        let increment = |step: &str| Increment::new(step.parse::<Decimal>().unwrap()).unwrap();
        Instrument {
            id: InstrumentId::new(0),
            symbol: Symbol::new("BTC-USD").unwrap(),
            tick: increment(tick),
            lot: increment(lot),
            min_quantity: Quantity::new(1).unwrap(),
            max_quantity: Quantity::new(LOTS_MAX).unwrap(),
            min_notional: None,
            price_band: None,
            binance_symbol: None,
            listed_at: shardbook_engine::time::Timestamp::default(),
        }
    }

    #[test]
    fn an_average_is_rounded_half_to_even_four_digits_below_the_tick() {
        for (tick, notional, lots, average) in [
            ("0.01", 7_015_000, 1, "70150.000000"),
            ("0.01", 2, 3, "0.006667"),
            ("0.01", 1, 3, "0.003333"),
            // Exactly between two: 0.0000005 goes down to the even 0, 0.0000015 up to the even 2.
            ("0.01", 1, 20_000, "0.000000"),
            ("0.01", 3, 20_000, "0.000002"),
            ("0.25", 5, 4, "0.312500"),
            ("5", 1, 3, "1.6667"),
        ] {
            let quantity = Quantity::new(lots).unwrap();
            let instrument = instrument(tick, "0.00001");
            let found = average_price(&instrument, Notional::new(notional), quantity).unwrap();
            assert_eq!(
                found.unwrap().to_string(),
                average,
                "{notional} / {lots} of {tick}"
            );
        }
    }

    #[test]
    fn nothing_has_no_average() {
        let instrument = instrument("0.01", "0.00001");
        let found = average_price(&instrument, Notional::ZERO, Quantity::ZERO);
        assert_eq!(found, Ok(None));
    }

    #[test]
    fn the_largest_average_there_can_be_fits() {
        let instrument = instrument("0.01", "0.00001");
        let most = 1_000_000_000_000;
        let quantity = Quantity::new(LOTS_MAX).unwrap();
        let found = average_price(&instrument, Notional::new(most * most), quantity).unwrap();
        assert_eq!(found.unwrap().to_string(), "10000000000.000000");
    }
}

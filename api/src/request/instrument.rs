//! Instruments as they come in, and what their figures must be.

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use shardbook_engine::id::Symbol;
use shardbook_engine::instrument::{Increment, IncrementError, InstrumentSpecification, PriceBand};
use shardbook_engine::quantity::{LOTS_MAX, Notional, Quantity};

use crate::decimal::exact_decimal;
use crate::problem::Problem;
use crate::request::fields::{Fields, read_object};
use crate::schema::instrument::InstrumentRequest;

/// What a Binance symbol is.
pub const BINANCE_SYMBOL_RULE: &str = "1 to 32 upper case letters and digits, as BTCUSDT";

/// What the least notional may be.
pub const MIN_NOTIONAL_RULE: &str = "above 0, a multiple of tick_size times lot_size";

/// What a price band may be.
pub const PRICE_BAND_RULE: &str = "a percentage above 0 with at most two digits after the point";

/// Most characters of a Binance symbol.
const BINANCE_SYMBOL_LENGTH_MAX: usize = 32;

/// So much as ticks times lots, if it is that exactly and above zero.
#[must_use]
pub fn notional_of(value: Decimal, tick: Increment, lot: Increment) -> Option<Notional> {
    let unit = tick.step().checked_mul(lot.step())?;
    let units = value.checked_div(unit)?.normalize();
    let exact = units.scale() == 0 && units.checked_mul(unit)? == value;
    let units = u128::try_from(units.mantissa()).ok()?;
    (exact && units > 0).then_some(Notional::new(units))
}

/// The band of so many percent, if there is one.
#[must_use]
pub fn price_band_of(percent: Decimal) -> Option<PriceBand> {
    let basis_points = percent.checked_mul(Decimal::ONE_HUNDRED)?.normalize();
    if basis_points.scale() > 0 {
        return None;
    }
    PriceBand::from_basis_points(u64::try_from(basis_points.mantissa()).ok()?)
}

/// Whether Binance may have such a symbol.
#[must_use]
pub fn is_binance_symbol(text: &str) -> bool {
    let is_its = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (1..=BINANCE_SYMBOL_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_its)
}

/// Reads an instrument that is to be added.
///
/// # Errors
/// With everything that is wrong with it.
pub fn read_instrument(text: &str) -> Result<InstrumentSpecification, Problem> {
    let request: InstrumentRequest<'_> = read_object(text)?;
    let mut fields = Fields::default();
    for (field, value) in [
        ("symbol", request.symbol),
        ("tick_size", request.tick_size),
        ("lot_size", request.lot_size),
    ] {
        fields.required(field, value);
    }
    let symbol = fields.text("symbol", request.symbol, Symbol::new);
    let tick = increment(&mut fields, "tick_size", request.tick_size);
    let lot = increment(&mut fields, "lot_size", request.lot_size);
    let min_quantity = lots(&mut fields, "min_quantity", request.min_quantity, lot);
    let max_quantity = lots(&mut fields, "max_quantity", request.max_quantity, lot);
    let min_quantity = min_quantity.or_else(|| Quantity::new(1));
    let max_quantity = max_quantity.or_else(|| Quantity::new(LOTS_MAX));
    if max_quantity < min_quantity {
        fields.wrong("max_quantity", "must be at least min_quantity");
    }
    let given = ("min_notional", request.min_notional);
    let min_notional = figure(&mut fields, given, MIN_NOTIONAL_RULE, |value| {
        // Without a tick and a lot, which are wrong themselves, there is nothing to say.
        let (Some(tick), Some(lot)) = (tick, lot) else {
            return Some(None);
        };
        notional_of(value, tick, lot).map(Some)
    });
    let given = ("price_band", request.price_band);
    let price_band = figure(&mut fields, given, PRICE_BAND_RULE, price_band_of);
    let binance_symbol = fields.text("binance_symbol", request.binance_symbol, |text| {
        let is_symbol = is_binance_symbol(text);
        let rule = || format!("must be {BINANCE_SYMBOL_RULE}");
        is_symbol.then(|| text.to_owned()).ok_or_else(rule)
    });
    let read = (symbol, tick, lot, min_quantity, max_quantity);
    match read {
        (Some(symbol), Some(tick), Some(lot), Some(min_quantity), Some(max_quantity))
            if fields.is_empty() =>
        {
            Ok(InstrumentSpecification {
                symbol,
                tick,
                lot,
                min_quantity,
                max_quantity,
                min_notional: min_notional.flatten(),
                price_band,
                binance_symbol,
            })
        }
        _ => Err(fields.into_problem()),
    }
}

/// A field's name, and what was given for it.
type Given<'a> = (&'static str, Option<&'a RawValue>);

/// A decimal that may be left out, of which `read` makes something if it is as the rule says.
fn figure<T>(
    fields: &mut Fields,
    (field, value): Given<'_>,
    rule: &str,
    read: impl FnOnce(Decimal) -> Option<T>,
) -> Option<T> {
    let figure = exact_decimal(value?).and_then(read);
    if figure.is_none() {
        fields.wrong(field, format!("must be a decimal, {rule}"));
    }
    figure
}

fn increment(
    fields: &mut Fields,
    field: &'static str,
    value: Option<&RawValue>,
) -> Option<Increment> {
    let rule = IncrementError.to_string();
    let rule = rule.trim_start_matches("must be ");
    figure(fields, (field, value), rule, |value| {
        Increment::new(value).ok()
    })
}

fn lots(
    fields: &mut Fields,
    field: &'static str,
    value: Option<&RawValue>,
    lot: Option<Increment>,
) -> Option<Quantity> {
    let rule = "a multiple of lot_size, at least one lot and at most 10^12 lots";
    let read = figure(fields, (field, value), rule, |value| {
        let Some(lot) = lot else { return Some(None) };
        let lots = lot.units(value).ok().filter(|lots| *lots > 0);
        lots.and_then(Quantity::new).map(Some)
    });
    read.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instrument_is_read_with_everything_that_is_wrong_with_it() {
        let rows = [
            (
                r#"{"symbol": "A-B", "tick_size": 0.01, "lot_size": 1e-3}"#,
                "",
            ),
            (
                r#"{"symbol": "A-B", "tick_size": "5", "lot_size": "1", "min_quantity": 2,
                "max_quantity": "2", "min_notional": 10, "price_band": "0.05",
                "binance_symbol": "AB", "status": "halted", "more": [1]}"#,
                "",
            ),
            (
                "{}",
                "symbol: is required; tick_size: is required; lot_size: is required",
            ),
            (
                r#"{"symbol": "A B", "tick_size": 0, "lot_size": "x"}"#,
                "symbol: may hold only letters, digits and . _ -; \
              tick_size: must be a decimal, above 0, with at most 18 digits after the point, and \
              at most 1000000 units of its last digit; \
              lot_size: must be a decimal, above 0, with at most 18 digits after the point, and \
              at most 1000000 units of its last digit",
            ),
            (
                r#"{"symbol": "A-B", "tick_size": "1e-30", "lot_size": 1, "price_band": "-5"}"#,
                "tick_size: must be a decimal, above 0, with at most 18 digits after the point, and \
              at most 1000000 units of its last digit; \
              price_band: must be a decimal, a percentage above 0 with at most two digits after \
              the point",
            ),
            (
                r#"{"symbol": "A-B", "tick_size": 1, "lot_size": 0.1, "min_quantity": 0.25,
                "max_quantity": 0, "min_notional": 0.01, "price_band": 0.001,
                "binance_symbol": "btc"}"#,
                "min_quantity: must be a decimal, a multiple of lot_size, at least one lot and at most \
              10^12 lots; max_quantity: must be a decimal, a multiple of lot_size, at least one \
              lot and at most 10^12 lots; min_notional: must be a decimal, above 0, a multiple of \
              tick_size times lot_size; price_band: must be a decimal, a percentage above 0 with \
              at most two digits after the point; binance_symbol: must be 1 to 32 upper case letters and digits, as \
              BTCUSDT",
            ),
            (
                r#"{"symbol": "A-B", "tick_size": 1, "lot_size": 1, "min_quantity": 3,
                "max_quantity": 2}"#,
                "max_quantity: must be at least min_quantity",
            ),
        ];
        for (text, expected) in rows {
            let read = read_instrument(text);
            let found = read.map_or_else(|problem| problem.detail().to_owned(), |_| String::new());
            assert_eq!(found, expected, "{text}");
        }
        let read = read_instrument(rows[1].0).unwrap();
        assert_eq!(
            (read.tick.step(), read.lot.step()),
            (Decimal::from(5), Decimal::ONE)
        );
        assert_eq!((read.min_quantity.lots(), read.max_quantity.lots()), (2, 2));
        assert_eq!(read.min_notional, Some(Notional::new(2)));
        assert_eq!(read.price_band.map(PriceBand::basis_points), Some(5));
        assert_eq!(read.binance_symbol.as_deref(), Some("AB"));
    }
}

//! The instruments of the settings file.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde::Deserialize;

use shardbook_engine::id::Symbol;
use shardbook_engine::instrument::{Increment, InstrumentSpecification};
use shardbook_engine::quantity::{LOTS_MAX, Quantity};

use crate::request::{
    BINANCE_SYMBOL_RULE, MIN_NOTIONAL_RULE, PRICE_BAND_RULE, is_binance_symbol, notional_of,
    price_band_of,
};
use crate::settings::error::SettingsError;
use crate::settings::given::Scalar;

/// Symbol, tick, lot and Binance's symbol of what is traded unless the settings file says what.
const DEFAULTS: [(&str, &str, &str, &str); 3] = [
    ("BTC-USD", "0.01", "0.00001", "BTCUSDT"),
    ("ETH-USD", "0.01", "0.0001", "ETHUSDT"),
    ("SOL-USD", "0.01", "0.001", "SOLUSDT"),
];

/// One `[[instruments]]` of the settings file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstrumentTable {
    symbol: String,
    tick_size: Scalar,
    lot_size: Scalar,
    min_quantity: Option<Scalar>,
    max_quantity: Option<Scalar>,
    min_notional: Option<Scalar>,
    price_band: Option<Scalar>,
    binance_symbol: Option<String>,
}

/// The instruments of the file, or the defaults where it has none.
pub(super) fn all(
    tables: &[InstrumentTable],
) -> Result<Vec<InstrumentSpecification>, SettingsError> {
    let defaults: Vec<_> = DEFAULTS.iter().map(default_table).collect();
    let tables = if tables.is_empty() { &defaults } else { tables };
    let mut symbols = HashSet::new();
    let mut binance_symbols = HashSet::new();
    let mut instruments = Vec::with_capacity(tables.len());
    for table in tables {
        let specification = read(table)?;
        if !symbols.insert(specification.symbol.clone()) {
            let allowed = "a symbol for one instrument alone";
            return Err(SettingsError::wrong(
                "instruments.symbol",
                &table.symbol,
                allowed,
            ));
        }
        if let Some(symbol) = &specification.binance_symbol
            && !binance_symbols.insert(symbol.clone())
        {
            let allowed = "a Binance symbol for one instrument alone";
            return Err(SettingsError::wrong(
                "instruments.binance_symbol",
                symbol,
                allowed,
            ));
        }
        instruments.push(specification);
    }
    Ok(instruments)
}

fn default_table(&(symbol, tick, lot, binance): &(&str, &str, &str, &str)) -> InstrumentTable {
    InstrumentTable {
        symbol: symbol.to_owned(),
        tick_size: Scalar::Text(tick.to_owned()),
        lot_size: Scalar::Text(lot.to_owned()),
        min_quantity: None,
        max_quantity: None,
        min_notional: None,
        price_band: None,
        binance_symbol: Some(binance.to_owned()),
    }
}

fn read(table: &InstrumentTable) -> Result<InstrumentSpecification, SettingsError> {
    let symbol = Symbol::new(&table.symbol).map_err(|error| {
        SettingsError::wrong("instruments.symbol", &table.symbol, &error.to_string())
    })?;
    let tick = increment(&symbol, "tick_size", &table.tick_size)?;
    let lot = increment(&symbol, "lot_size", &table.lot_size)?;
    let lots = |name, given: &Option<Scalar>, default| match given {
        None => Ok(Quantity::new(default).unwrap_or_default()),
        Some(given) => quantity(&symbol, name, given, lot),
    };
    let min_quantity = lots("min_quantity", &table.min_quantity, 1)?;
    let max_quantity = lots("max_quantity", &table.max_quantity, LOTS_MAX)?;
    if let Some(given) = table.max_quantity.as_ref()
        && max_quantity < min_quantity
    {
        let allowed = "at least min_quantity";
        return Err(wrong(&symbol, "max_quantity", given, allowed));
    }
    let min_notional = table.min_notional.as_ref().map(|given| {
        let allowed = MIN_NOTIONAL_RULE;
        notional_of(decimal(&symbol, "min_notional", given)?, tick, lot)
            .ok_or_else(|| wrong(&symbol, "min_notional", given, allowed))
    });
    let price_band = table.price_band.as_ref().map(|given| {
        let allowed = PRICE_BAND_RULE;
        price_band_of(decimal(&symbol, "price_band", given)?)
            .ok_or_else(|| wrong(&symbol, "price_band", given, allowed))
    });
    Ok(InstrumentSpecification {
        binance_symbol: binance_symbol(&symbol, table.binance_symbol.as_deref())?,
        tick,
        lot,
        min_quantity,
        max_quantity,
        min_notional: min_notional.transpose()?,
        price_band: price_band.transpose()?,
        symbol,
    })
}

fn wrong(symbol: &Symbol, name: &str, given: &Scalar, allowed: &str) -> SettingsError {
    SettingsError::wrong(
        &format!("instruments.{name} of {symbol}"),
        given.text(),
        allowed,
    )
}

/// A float of the settings file is not what stands in it, so it has to be a text.
fn decimal(symbol: &Symbol, name: &str, given: &Scalar) -> Result<Decimal, SettingsError> {
    let plain = "a decimal in quotes and without an exponent, as \"0.01\"";
    let in_quotes = "the same in quotes: without them the file's number is not read exactly";
    match given {
        Scalar::Text(text) => {
            Decimal::from_str_exact(text).map_err(|_| wrong(symbol, name, given, plain))
        }
        Scalar::Integer(integer) => Ok(Decimal::from(*integer)),
        Scalar::Float(_) => Err(wrong(symbol, name, given, in_quotes)),
        Scalar::Boolean(_) | Scalar::List(_) => Err(wrong(symbol, name, given, plain)),
    }
}

fn increment(symbol: &Symbol, name: &str, given: &Scalar) -> Result<Increment, SettingsError> {
    Increment::new(decimal(symbol, name, given)?)
        .map_err(|error| wrong(symbol, name, given, &format!("a decimal that {error}")))
}

fn quantity(
    symbol: &Symbol,
    name: &str,
    given: &Scalar,
    lot: Increment,
) -> Result<Quantity, SettingsError> {
    let allowed = format!("a multiple of lot_size, from 1 to {LOTS_MAX} lots");
    let lots = lot.units(decimal(symbol, name, given)?).ok();
    lots.filter(|lots| *lots > 0)
        .and_then(Quantity::new)
        .ok_or_else(|| wrong(symbol, name, given, &allowed))
}

fn binance_symbol(symbol: &Symbol, given: Option<&str>) -> Result<Option<String>, SettingsError> {
    let Some(given) = given else { return Ok(None) };
    if is_binance_symbol(given) {
        return Ok(Some(given.to_owned()));
    }
    let given = Scalar::Text(given.to_owned());
    Err(wrong(symbol, "binance_symbol", &given, BINANCE_SYMBOL_RULE))
}

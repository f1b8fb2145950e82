//! Candles, positions and days.

use chrono::{DateTime, NaiveDate, Utc};
use shardbook_engine::candle::Candle;
use shardbook_engine::id::ClientId;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::position::ClientPosition;
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Notional;
use shardbook_engine::time::Day;

use super::amounts::{
    average, exact, notional_decimal, notional_of, price_of, units, volume_decimal, volume_of,
};
use super::{RowError, count, integer, moment, timestamp, unknown};
use crate::entity::decimal::ExactDecimal;
use crate::entity::{candle, daily_position, settlement_line};

/// A day as text: `2026-01-31`.
///
/// # Errors
/// When it is beyond the year 262142.
pub fn day_text(day: Day) -> Result<String, RowError> {
    let microseconds = i64::try_from(day.start().microseconds()).ok();
    let time = microseconds.and_then(DateTime::<Utc>::from_timestamp_micros);
    let time = time.ok_or(RowError::OutOfRange { column: "day" })?;
    Ok(time.format("%Y-%m-%d").to_string())
}

/// The day of a text.
///
/// # Errors
/// When it is none, or before 1970.
pub fn day_of(text: &str) -> Result<Day, RowError> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| unknown("day", text))?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    let days = u64::try_from(days).map_err(|_| RowError::OutOfRange { column: "day" })?;
    Ok(Day::from_days_since_epoch(days))
}

/// The row of a candle.
///
/// # Errors
/// When a number of it fits no column.
pub fn candle_row(instrument: &Instrument, candle: &Candle) -> Result<candle::Model, RowError> {
    let price = |column, price: Price| units(column, instrument.tick, price.ticks());
    Ok(candle::Model {
        instrument: instrument.symbol.to_string(),
        open_time: moment("open_time", candle.open_time)?,
        open: price("open", candle.open)?,
        high: price("high", candle.high)?,
        low: price("low", candle.low)?,
        close: price("close", candle.close)?,
        volume: volume_decimal(instrument, "volume", candle.volume)?,
        notional: notional_decimal(instrument, "notional", candle.notional)?,
        vwap: average("vwap", instrument, candle.notional, candle.volume.lots())?,
        trade_count: integer("trade_count", candle.trade_count)?,
    })
}

/// The candle of a row.
///
/// # Errors
/// When the row holds what this exchange never writes.
pub fn candle_of(instrument: &Instrument, row: &candle::Model) -> Result<Candle, RowError> {
    let price = |column, decimal| price_of(instrument, column, decimal);
    Ok(Candle {
        open_time: timestamp("open_time", row.open_time)?,
        open: price("open", row.open)?,
        high: price("high", row.high)?,
        low: price("low", row.low)?,
        close: price("close", row.close)?,
        volume: volume_of(instrument, "volume", row.volume)?,
        notional: notional_of(instrument, "notional", row.notional)?,
        trade_count: count("trade_count", row.trade_count)?,
    })
}

/// The row of a client's position in a day.
///
/// # Errors
/// When a number of it fits no column.
pub fn position_row(
    instrument: &Instrument,
    day: Day,
    client: &ClientId,
    position: &ClientPosition,
) -> Result<daily_position::Model, RowError> {
    let volume = |column, volume| volume_decimal(instrument, column, volume);
    let notional = |column, notional: Notional| notional_decimal(instrument, column, notional);
    Ok(daily_position::Model {
        day: day_text(day)?,
        instrument: instrument.symbol.to_string(),
        client_id: client.to_string(),
        bought_quantity: volume("bought_quantity", position.bought)?,
        sold_quantity: volume("sold_quantity", position.sold)?,
        bought_notional: notional("bought_notional", position.bought_notional)?,
        sold_notional: notional("sold_notional", position.sold_notional)?,
        trade_count: integer("trade_count", position.trade_count)?,
    })
}

/// The position of a row.
///
/// # Errors
/// When the row holds what this exchange never writes.
pub fn position_of(
    instrument: &Instrument,
    row: &daily_position::Model,
) -> Result<ClientPosition, RowError> {
    Ok(ClientPosition {
        bought: volume_of(instrument, "bought_quantity", row.bought_quantity)?,
        sold: volume_of(instrument, "sold_quantity", row.sold_quantity)?,
        bought_notional: notional_of(instrument, "bought_notional", row.bought_notional)?,
        sold_notional: notional_of(instrument, "sold_notional", row.sold_notional)?,
        trade_count: count("trade_count", row.trade_count)?,
    })
}

/// The line of a settlement that a day's position comes to.
///
/// # Errors
/// When its sums have different scales: a row never written.
pub fn settlement_line_row(
    position: daily_position::Model,
) -> Result<settlement_line::Model, RowError> {
    let (bought, sold) = (position.bought_quantity, position.sold_quantity);
    let (paid, received) = (position.bought_notional, position.sold_notional);
    Ok(settlement_line::Model {
        net_quantity: difference("net_quantity", bought, sold)?,
        net_cash: difference("net_cash", received, paid)?,
        date: position.day,
        instrument: position.instrument,
        client_id: position.client_id,
        bought_quantity: bought,
        sold_quantity: sold,
        bought_notional: paid,
        sold_notional: received,
        trade_count: position.trade_count,
    })
}

/// Both have the scale of one instrument's column.
fn difference(
    column: &'static str,
    one: ExactDecimal,
    less: ExactDecimal,
) -> Result<ExactDecimal, RowError> {
    let mantissa = (one.scale() == less.scale())
        .then(|| one.mantissa().checked_sub(less.mantissa()))
        .flatten()
        .ok_or(RowError::OutOfRange { column })?;
    exact(column, mantissa, one.scale())
}

#[cfg(test)]
mod tests {
    use shardbook_engine::price::Price;
    use shardbook_engine::quantity::Volume;
    use shardbook_engine::time::Timestamp;
    use shardbook_test_support::instrument::of_largest_sums;

    use super::*;

    /// A hundred million million trades, each as large as one can be.
    #[test]
    fn the_largest_sums_of_a_day_become_rows_and_come_back() {
        let instrument = of_largest_sums();
        let trades = 10_u64.pow(14);
        let position = ClientPosition {
            bought: Volume::new(10_u128.pow(26)),
            sold: Volume::ZERO,
            bought_notional: Notional::new(10_u128.pow(38)),
            sold_notional: Notional::ZERO,
            trade_count: trades,
        };
        let client = ClientId::new("alice").unwrap();
        let row = position_row(&instrument, Day::default(), &client, &position).unwrap();
        assert_eq!(position_of(&instrument, &row), Ok(position));
        let line = settlement_line_row(row).unwrap();
        let shown = format!("-1{}.{}", "0".repeat(38), "0".repeat(12));
        assert_eq!(line.net_cash.to_string(), shown);
        let price = Price::new(10_u64.pow(12)).unwrap();
        let candle = Candle {
            open_time: Timestamp::default(),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: position.bought,
            notional: position.bought_notional,
            trade_count: trades,
        };
        let row = candle_row(&instrument, &candle).unwrap();
        assert_eq!(row.vwap.to_string(), "1000000000000.0000000000");
        assert_eq!(candle_of(&instrument, &row), Ok(candle));
    }
}

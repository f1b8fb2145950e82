//! Between the engine's types and rows: ticks and lots become decimals at the instrument's
//! scales here, and nowhere else in this crate.

mod amounts;
mod clearing;
mod orders;
mod trades;
mod values;

use shardbook_engine::id::{IdError, OrderRef, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::time::Timestamp;
use thiserror::Error;

pub use self::amounts::average_price;
pub use self::clearing::{
    candle_of, candle_row, day_of, day_text, position_of, position_row, settlement_line_row,
};
pub use self::orders::{order_event_row, order_of, order_row};
pub use self::trades::{trade_of, trade_row};

pub(crate) use self::amounts::{price_decimal, price_of, volume_decimal, volume_of};
pub(crate) use self::values::{Values, put_order, put_order_event, put_trade};

use self::amounts::{exact, notional_decimal, quantity_decimal, units};

use super::moment::Moment;
use super::{instrument, words};

/// Why something can't be a row, or a row can't be what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    /// Too large a number for its column, or a number outside of what the engine knows.
    #[error("{column} is out of range")]
    OutOfRange {
        /// Which column.
        column: &'static str,
    },
    /// A word that stands for nothing.
    #[error("{column} holds {word:?}")]
    UnknownWord {
        /// Which column.
        column: &'static str,
        /// What stands there.
        word: String,
    },
    /// A text that is not the JSON that was written.
    #[error("{column} is not the JSON it was: {reason}")]
    Json {
        /// Which column.
        column: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that is no id.
    #[error("{column} is no id: {source}")]
    Id {
        /// Which column.
        column: &'static str,
        /// Why not.
        source: IdError,
    },
}

/// Whether an instrument trades, as of some sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradingStatus {
    /// It takes orders.
    Trading,
    /// It takes cancels only.
    Halted,
}

impl TradingStatus {
    /// The word in `instruments.status`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trading => words::TRADING,
            Self::Halted => words::HALTED,
        }
    }

    /// The status of a word.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn of(word: &str) -> Result<Self, RowError> {
        [Self::Trading, Self::Halted]
            .into_iter()
            .find(|status| status.word() == word)
            .ok_or_else(|| unknown("status", word))
    }
}

/// The row of an instrument.
///
/// # Errors
/// When a number of it fits no column.
pub fn instrument_row(
    instrument: &Instrument,
    status: TradingStatus,
    projected: Sequence,
) -> Result<instrument::Model, RowError> {
    let lots = |column, quantity| quantity_decimal(instrument, column, quantity);
    Ok(instrument::Model {
        symbol: instrument.symbol.to_string(),
        instrument_number: i64::from(instrument.id.get()),
        tick_size: units("tick_size", instrument.tick, 1)?,
        lot_size: units("lot_size", instrument.lot, 1)?,
        min_quantity: lots("min_quantity", instrument.min_quantity)?,
        max_quantity: lots("max_quantity", instrument.max_quantity)?,
        min_notional: instrument
            .min_notional
            .map(|notional| notional_decimal(instrument, "min_notional", notional))
            .transpose()?,
        price_band: instrument
            .price_band
            .map(|band| exact("price_band", i128::from(band.basis_points()), 2))
            .transpose()?,
        binance_symbol: instrument.binance_symbol.clone(),
        status: status.word().to_owned(),
        projected_sequence: integer("projected_sequence", projected.get())?,
    })
}

pub(crate) fn integer(column: &'static str, number: u64) -> Result<i64, RowError> {
    i64::try_from(number).map_err(|_| RowError::OutOfRange { column })
}

pub(crate) fn count(column: &'static str, number: i64) -> Result<u64, RowError> {
    u64::try_from(number).map_err(|_| RowError::OutOfRange { column })
}

fn order_ref(column: &'static str, sequence: i64, index: i64) -> Result<OrderRef, RowError> {
    Ok(OrderRef {
        sequence: Sequence::new(count(column, sequence)?),
        index: u32::try_from(index).map_err(|_| RowError::OutOfRange { column })?,
    })
}

pub(crate) fn moment(column: &'static str, timestamp: Timestamp) -> Result<Moment, RowError> {
    Moment::from_timestamp(timestamp).ok_or(RowError::OutOfRange { column })
}

pub(crate) fn timestamp(column: &'static str, moment: Moment) -> Result<Timestamp, RowError> {
    moment.timestamp().ok_or(RowError::OutOfRange { column })
}

fn unknown(column: &'static str, word: &str) -> RowError {
    RowError::UnknownWord {
        column,
        word: word.to_owned(),
    }
}

fn id_error(column: &'static str) -> impl Fn(IdError) -> RowError {
    move |source| RowError::Id { column, source }
}

//! Between the engine's types and rows: ticks and lots become decimals at the instrument's
//! scales here, and nowhere else in this crate.

mod clearing;
mod values;

use ethnum::{I256, U256};
use shardbook_engine::id::{
    ClientId, IdError, IdempotencyKey, OrderId, OrderRef, Sequence, TradeNumber,
};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::order::{Order, OrderKind, Trade, TradeParty};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Quantity, Volume};
use shardbook_engine::time::Timestamp;
use thiserror::Error;

pub use self::clearing::{
    candle_of, candle_row, day_of, day_text, position_of, position_row, settlement_line_row,
};

pub(crate) use self::values::{Values, put_order, put_order_event, put_trade};

use super::decimal::ExactDecimal;
use super::moment::Moment;
use super::{instrument, order, order_event, trade, words};

/// Digits an average has more than the tick.
const AVERAGE_DIGITS: u32 = 4;

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

/// The row of an order.
///
/// # Errors
/// When a number of it fits no column.
pub fn order_row(instrument: &Instrument, order: &Order) -> Result<order::Model, RowError> {
    let lots = |column, quantity| quantity_decimal(instrument, column, quantity);
    let (status, reason) = words::state(order.state, order.filled_quantity);
    let (kind, price, time_in_force) = match order.kind {
        OrderKind::Limit {
            price,
            time_in_force,
        } => (words::LIMIT, Some(price), Some(time_in_force)),
        OrderKind::Market => (words::MARKET, None, None),
    };
    Ok(order::Model {
        instrument: instrument.symbol.to_string(),
        sequence: integer("sequence", order.placed.sequence.get())?,
        mirror_index: i64::from(order.placed.index),
        order_id: order.id.to_string(),
        client_id: order.client.to_string(),
        side: words::side(order.side).to_owned(),
        kind: kind.to_owned(),
        time_in_force: time_in_force.map(|time| words::time_in_force(time).to_owned()),
        price: price
            .map(|price| units("price", instrument.tick, price.ticks()))
            .transpose()?,
        quantity: lots("quantity", order.quantity)?,
        filled_quantity: lots("filled_quantity", order.filled_quantity)?,
        remaining_quantity: lots("remaining_quantity", order.remaining_quantity())?,
        filled_notional: notional_decimal(instrument, "filled_notional", order.filled_notional)?,
        average_price: average_price(instrument, order.filled_notional, order.filled_quantity)?,
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        idempotency_key: order.idempotency_key.as_ref().map(ToString::to_string),
        self_trade_prevention: words::self_trade_prevention(order.self_trade_prevention).to_owned(),
        trade_count: integer("trade_count", order.trade_count)?,
        updated_sequence: integer("updated_sequence", order.updated.get())?,
        created_at: moment("created_at", order.created_at)?,
        updated_at: moment("updated_at", order.updated_at)?,
    })
}

/// The order of a row.
///
/// # Errors
/// When the row holds what this exchange never writes.
pub fn order_of(instrument: &Instrument, row: &order::Model) -> Result<Order, RowError> {
    let lots = |column, decimal| quantity_of(instrument, column, decimal);
    let unknown_side = || unknown("side", &row.side);
    Ok(Order {
        id: OrderId::new(&row.order_id).map_err(id_error("order_id"))?,
        client: ClientId::new(&row.client_id).map_err(id_error("client_id"))?,
        idempotency_key: row
            .idempotency_key
            .as_deref()
            .map(IdempotencyKey::new)
            .transpose()
            .map_err(id_error("idempotency_key"))?,
        side: words::side_of(&row.side).ok_or_else(unknown_side)?,
        kind: kind_of(instrument, row)?,
        quantity: lots("quantity", row.quantity)?,
        self_trade_prevention: words::self_trade_prevention_of(&row.self_trade_prevention)
            .ok_or_else(|| unknown("self_trade_prevention", &row.self_trade_prevention))?,
        state: words::state_of(&row.status, row.reason.as_deref())
            .ok_or_else(|| unknown("status", &row.status))?,
        filled_quantity: lots("filled_quantity", row.filled_quantity)?,
        filled_notional: notional_of(instrument, "filled_notional", row.filled_notional)?,
        trade_count: count("trade_count", row.trade_count)?,
        placed: order_ref("sequence", row.sequence, row.mirror_index)?,
        updated: Sequence::new(count("updated_sequence", row.updated_sequence)?),
        created_at: timestamp("created_at", row.created_at)?,
        updated_at: timestamp("updated_at", row.updated_at)?,
    })
}

fn kind_of(instrument: &Instrument, row: &order::Model) -> Result<OrderKind, RowError> {
    match (row.kind.as_str(), row.price, row.time_in_force.as_deref()) {
        (words::LIMIT, Some(price), Some(word)) => Ok(OrderKind::Limit {
            price: price_of(instrument, "price", price)?,
            time_in_force: words::time_in_force_of(word)
                .ok_or_else(|| unknown("time_in_force", word))?,
        }),
        (words::MARKET, None, None) => Ok(OrderKind::Market),
        _ => Err(unknown("type", &row.kind)),
    }
}

/// The row of an order as it stood after its last change.
#[must_use]
pub fn order_event_row(order: &order::Model) -> order_event::Model {
    order_event::Model {
        instrument: order.instrument.clone(),
        order_sequence: order.sequence,
        mirror_index: order.mirror_index,
        sequence: order.updated_sequence,
        order_id: order.order_id.clone(),
        client_id: order.client_id.clone(),
        status: order.status.clone(),
        reason: order.reason.clone(),
        price: order.price,
        quantity: order.quantity,
        filled_quantity: order.filled_quantity,
        remaining_quantity: order.remaining_quantity,
        trade_count: order.trade_count,
        timestamp: order.updated_at,
    }
}

/// The row of a trade.
///
/// # Errors
/// When a number of it fits no column.
pub fn trade_row(instrument: &Instrument, trade: &Trade) -> Result<trade::Model, RowError> {
    Ok(trade::Model {
        trade_id: format!("{}-{}", instrument.symbol, trade.number.get()),
        instrument: instrument.symbol.to_string(),
        trade_number: integer("trade_number", trade.number.get())?,
        buy_order_id: trade.buy.order_id.to_string(),
        sell_order_id: trade.sell.order_id.to_string(),
        buy_client_id: trade.buy.client.to_string(),
        sell_client_id: trade.sell.client.to_string(),
        buy_sequence: integer("buy_sequence", trade.buy.placed.sequence.get())?,
        buy_mirror_index: i64::from(trade.buy.placed.index),
        sell_sequence: integer("sell_sequence", trade.sell.placed.sequence.get())?,
        sell_mirror_index: i64::from(trade.sell.placed.index),
        price: units("price", instrument.tick, trade.price.ticks())?,
        quantity: quantity_decimal(instrument, "quantity", trade.quantity)?,
        taker_side: words::side(trade.taker_side).to_owned(),
        sequence: integer("sequence", trade.sequence.get())?,
        timestamp: moment("timestamp", trade.timestamp)?,
    })
}

/// The trade of a row.
///
/// # Errors
/// When the row holds what this exchange never writes.
pub fn trade_of(instrument: &Instrument, row: &trade::Model) -> Result<Trade, RowError> {
    Ok(Trade {
        number: TradeNumber::new(count("trade_number", row.trade_number)?),
        buy: TradeParty {
            order_id: OrderId::new(&row.buy_order_id).map_err(id_error("buy_order_id"))?,
            placed: order_ref("buy_sequence", row.buy_sequence, row.buy_mirror_index)?,
            client: ClientId::new(&row.buy_client_id).map_err(id_error("buy_client_id"))?,
        },
        sell: TradeParty {
            order_id: OrderId::new(&row.sell_order_id).map_err(id_error("sell_order_id"))?,
            placed: order_ref("sell_sequence", row.sell_sequence, row.sell_mirror_index)?,
            client: ClientId::new(&row.sell_client_id).map_err(id_error("sell_client_id"))?,
        },
        price: price_of(instrument, "price", row.price)?,
        quantity: quantity_of(instrument, "quantity", row.quantity)?,
        taker_side: words::side_of(&row.taker_side)
            .ok_or_else(|| unknown("taker_side", &row.taker_side))?,
        sequence: Sequence::new(count("sequence", row.sequence)?),
        timestamp: timestamp("timestamp", row.timestamp)?,
    })
}

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
fn average(
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

fn exact(
    column: &'static str,
    mantissa: impl Into<I256>,
    scale: u32,
) -> Result<ExactDecimal, RowError> {
    ExactDecimal::new(mantissa, scale).ok_or(RowError::OutOfRange { column })
}

/// So many increments as a decimal.
fn units(column: &'static str, increment: Increment, count: u64) -> Result<ExactDecimal, RowError> {
    // Below 2^128 as a product of two 64-bit numbers, but not always below 2^127.
    let mantissa = i128::from(count)
        .checked_mul(i128::from(increment.mantissa()))
        .ok_or(RowError::OutOfRange { column })?;
    exact(column, mantissa, increment.scale())
}

fn quantity_decimal(
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

fn notional_decimal(
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

fn quantity_of(
    instrument: &Instrument,
    column: &'static str,
    decimal: ExactDecimal,
) -> Result<Quantity, RowError> {
    units_of(instrument.lot, decimal)
        .and_then(Quantity::new)
        .ok_or(RowError::OutOfRange { column })
}

fn notional_of(
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

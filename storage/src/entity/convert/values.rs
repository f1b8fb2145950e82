//! The values of the rows that are written by the thousand, one by one and in the order of their
//! entity's columns, into whatever takes them: no row is made of them before.

use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Order, OrderKind, Trade};

use super::amounts::{average_price, notional_decimal, quantity_decimal, units};
use super::{RowError, integer, moment};
use crate::entity::decimal::ExactDecimal;
use crate::entity::moment::Moment;
use crate::entity::words;

/// What values go into.
pub(crate) trait Values {
    /// A text of its own.
    fn text(&mut self, text: &str);
    /// One of few words.
    fn word(&mut self, word: &'static str);
    /// A number.
    fn integer(&mut self, number: i64);
    /// A decimal.
    fn decimal(&mut self, decimal: ExactDecimal);
    /// A time.
    fn time(&mut self, time: Moment);
    /// Nothing.
    fn null(&mut self);

    /// A text, or nothing.
    fn optional_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// A word, or nothing.
    fn optional_word(&mut self, word: Option<&'static str>) {
        match word {
            Some(word) => self.word(word),
            None => self.null(),
        }
    }

    /// A decimal, or nothing.
    fn optional_decimal(&mut self, decimal: Option<ExactDecimal>) {
        match decimal {
            Some(decimal) => self.decimal(decimal),
            None => self.null(),
        }
    }
}

/// The values of [`order_row`](super::order_row).
///
/// # Errors
/// When a number of it fits no column.
pub(crate) fn put_order(
    instrument: &Instrument,
    order: &Order,
    values: &mut impl Values,
) -> Result<(), RowError> {
    let lots = |column, quantity| quantity_decimal(instrument, column, quantity);
    let (status, reason) = words::state(order.state, order.filled_quantity);
    let (kind, time_in_force) = match order.kind {
        OrderKind::Limit { time_in_force, .. } => (words::LIMIT, Some(time_in_force)),
        OrderKind::Market => (words::MARKET, None),
    };
    let notional = notional_decimal(instrument, "filled_notional", order.filled_notional)?;
    let average = average_price(instrument, order.filled_notional, order.filled_quantity)?;
    values.text(instrument.symbol.as_str());
    values.integer(integer("sequence", order.placed.sequence.get())?);
    values.integer(i64::from(order.placed.index));
    values.text(order.id.as_str());
    values.text(order.client.as_str());
    values.word(words::side(order.side));
    values.word(kind);
    values.optional_word(time_in_force.map(words::time_in_force));
    values.optional_decimal(price(instrument, order)?);
    values.decimal(lots("quantity", order.quantity)?);
    values.decimal(lots("filled_quantity", order.filled_quantity)?);
    values.decimal(lots("remaining_quantity", order.remaining_quantity())?);
    values.decimal(notional);
    values.optional_decimal(average);
    values.word(status);
    values.optional_word(reason);
    values.optional_text(order.idempotency_key.as_ref().map(|key| key.as_str()));
    values.word(words::self_trade_prevention(order.self_trade_prevention));
    values.integer(integer("trade_count", order.trade_count)?);
    values.integer(integer("updated_sequence", order.updated.get())?);
    values.time(moment("created_at", order.created_at)?);
    values.time(moment("updated_at", order.updated_at)?);
    Ok(())
}

/// The values of [`order_event_row`](super::order_event_row).
///
/// # Errors
/// When a number of it fits no column.
pub(crate) fn put_order_event(
    instrument: &Instrument,
    order: &Order,
    values: &mut impl Values,
) -> Result<(), RowError> {
    let lots = |column, quantity| quantity_decimal(instrument, column, quantity);
    let (status, reason) = words::state(order.state, order.filled_quantity);
    values.text(instrument.symbol.as_str());
    values.integer(integer("sequence", order.placed.sequence.get())?);
    values.integer(i64::from(order.placed.index));
    values.integer(integer("updated_sequence", order.updated.get())?);
    values.text(order.id.as_str());
    values.text(order.client.as_str());
    values.word(status);
    values.optional_word(reason);
    values.optional_decimal(price(instrument, order)?);
    values.decimal(lots("quantity", order.quantity)?);
    values.decimal(lots("filled_quantity", order.filled_quantity)?);
    values.decimal(lots("remaining_quantity", order.remaining_quantity())?);
    values.integer(integer("trade_count", order.trade_count)?);
    values.time(moment("updated_at", order.updated_at)?);
    Ok(())
}

/// The values of [`trade_row`](super::trade_row).
///
/// # Errors
/// When a number of it fits no column.
pub(crate) fn put_trade(
    instrument: &Instrument,
    trade: &Trade,
    values: &mut impl Values,
) -> Result<(), RowError> {
    let symbol = instrument.symbol.as_str();
    values.text(&format!("{symbol}-{}", trade.number.get()));
    values.text(symbol);
    values.integer(integer("trade_number", trade.number.get())?);
    values.text(trade.buy.order_id.as_str());
    values.text(trade.sell.order_id.as_str());
    values.text(trade.buy.client.as_str());
    values.text(trade.sell.client.as_str());
    values.integer(integer("buy_sequence", trade.buy.placed.sequence.get())?);
    values.integer(i64::from(trade.buy.placed.index));
    values.integer(integer("sell_sequence", trade.sell.placed.sequence.get())?);
    values.integer(i64::from(trade.sell.placed.index));
    values.decimal(units("price", instrument.tick, trade.price.ticks())?);
    values.decimal(quantity_decimal(instrument, "quantity", trade.quantity)?);
    values.word(words::side(trade.taker_side));
    values.integer(integer("sequence", trade.sequence.get())?);
    values.time(moment("timestamp", trade.timestamp)?);
    Ok(())
}

fn price(instrument: &Instrument, order: &Order) -> Result<Option<ExactDecimal>, RowError> {
    let OrderKind::Limit { price, .. } = order.kind else {
        return Ok(None);
    };
    units("price", instrument.tick, price.ticks()).map(Some)
}

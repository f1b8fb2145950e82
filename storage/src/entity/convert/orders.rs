//! Orders, and how they stood after each change.

use shardbook_engine::id::{ClientId, IdempotencyKey, OrderId, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Order, OrderKind};

use super::amounts::{
    average_price, notional_decimal, notional_of, price_of, quantity_decimal, quantity_of, units,
};
use super::{RowError, count, id_error, integer, moment, order_ref, timestamp, unknown};
use crate::entity::{order, order_event, words};

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

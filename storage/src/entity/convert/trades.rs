//! Trades.

use shardbook_engine::id::{ClientId, OrderId, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Trade, TradeParty};

use super::amounts::{price_of, quantity_decimal, quantity_of, units};
use super::{RowError, count, id_error, integer, moment, order_ref, timestamp, unknown};
use crate::entity::{trade, words};

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

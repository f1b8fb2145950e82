//! What a snapshot's row holds as JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::BookLevel;

use super::{BookSnapshot, SnapshotHead};
use crate::entity::convert::{
    RowError, integer, moment, order_row, price_decimal, price_of, volume_decimal, volume_of,
};
use crate::entity::decimal::ExactDecimal;
use crate::entity::orderbook_snapshot;

/// One level, its fields named as the API's.
#[derive(Serialize, Deserialize)]
struct LevelDocument {
    price: ExactDecimal,
    quantity: ExactDecimal,
    orders: u64,
    cumulative_quantity: ExactDecimal,
}

/// The row of a snapshot.
pub(super) fn row(
    snapshot: &BookSnapshot,
    head: &SnapshotHead,
) -> Result<orderbook_snapshot::Model, RowError> {
    let instrument = &*snapshot.instrument;
    let orders = snapshot.orders.iter();
    Ok(orderbook_snapshot::Model {
        snapshot_id: head.id.to_string(),
        instrument: head.instrument.clone(),
        sequence: integer("sequence", head.sequence.get())?,
        order_count: integer("order_count", head.order_count)?,
        created_at: moment("created_at", head.created_at)?,
        bids: levels("bids", instrument, &snapshot.bids)?,
        asks: levels("asks", instrument, &snapshot.asks)?,
        orders: array("orders", orders.map(|order| order_row(instrument, order)))?,
    })
}

fn levels(
    column: &'static str,
    instrument: &Instrument,
    levels: &[BookLevel],
) -> Result<String, RowError> {
    let documents = levels.iter().map(|level| {
        Ok(LevelDocument {
            price: price_decimal(instrument, level.price)?,
            quantity: volume_decimal(instrument, "quantity", level.volume)?,
            orders: level.orders,
            cumulative_quantity: volume_decimal(
                instrument,
                "cumulative_quantity",
                level.cumulative,
            )?,
        })
    });
    array(column, documents)
}

/// The levels of a snapshot's row.
pub(crate) fn levels_of(
    instrument: &Instrument,
    column: &'static str,
    json: &str,
) -> Result<Vec<BookLevel>, RowError> {
    let documents: Vec<LevelDocument> = read(column, json)?;
    let levels = documents.into_iter().map(|level| {
        Ok(BookLevel {
            price: price_of(instrument, "price", level.price)?,
            volume: volume_of(instrument, "quantity", level.quantity)?,
            orders: level.orders,
            cumulative: volume_of(instrument, "cumulative_quantity", level.cumulative_quantity)?,
        })
    });
    levels.collect()
}

/// A JSON array, made item by item: the items are never all there beside it.
fn array<T: Serialize>(
    column: &'static str,
    items: impl Iterator<Item = Result<T, RowError>>,
) -> Result<String, RowError> {
    let mut json = String::from("[");
    for (number, item) in items.enumerate() {
        if number > 0 {
            json.push(',');
        }
        let item = serde_json::to_string(&item?).map_err(|error| unreadable(column, &error))?;
        json.push_str(&item);
    }
    json.push(']');
    Ok(json)
}

pub(super) fn read<T: DeserializeOwned>(column: &'static str, json: &str) -> Result<T, RowError> {
    serde_json::from_str(json).map_err(|error| unreadable(column, &error))
}

fn unreadable(column: &'static str, error: &serde_json::Error) -> RowError {
    RowError::Json {
        column,
        reason: error.to_string(),
    }
}

//! Adds a batch's sums to what the database holds of the same minutes and days.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use shardbook_engine::id::ClientId;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::position::ClientPosition;
use shardbook_engine::time::Day;

use crate::database::DatabaseError;
use crate::entity::convert::{
    RowError, candle_of, candle_row, day_text, moment, position_of, position_row,
};
use crate::entity::{candle, closed_day, daily_position};
use crate::projector::error::ProjectorError;
use crate::projector::fold::{InstrumentSums, Sums};

/// Clients asked for in one statement.
const CLIENTS_MAX: usize = 1_024;

/// Rows of what is summed up, as they are to stand.
#[derive(Debug, Default)]
pub(super) struct SummedRows {
    pub(super) candles: Vec<candle::Model>,
    pub(super) positions: Vec<daily_position::Model>,
    pub(super) closed_days: Vec<closed_day::Model>,
}

impl SummedRows {
    /// The batch's sums with what stands in the database, which the transaction has for itself:
    /// whoever would add to it waits for the position.
    pub(super) async fn add_up(
        transaction: &impl ConnectionTrait,
        sums: Sums,
    ) -> Result<Self, ProjectorError> {
        let mut rows = Self::default();
        for mut sums in sums.0.into_values() {
            add_candle(transaction, &mut sums).await?;
            for (day, positions) in &mut sums.positions {
                add_positions(transaction, &sums.instrument, *day, positions).await?;
            }
            rows.take(&sums)?;
        }
        Ok(rows)
    }

    /// Takes an instrument's sums as they are.
    pub(super) fn take(&mut self, sums: &InstrumentSums) -> Result<(), RowError> {
        let instrument = &sums.instrument;
        for candle in sums.candles.values() {
            self.candles.push(candle_row(instrument, candle)?);
        }
        for (day, positions) in &sums.positions {
            for (client, position) in positions {
                let row = position_row(instrument, *day, client, position)?;
                self.positions.push(row);
            }
        }
        for day in &sums.closed {
            self.closed_days.push(closed_day::Model {
                day: day_text(*day)?,
                instrument: instrument.symbol.to_string(),
            });
        }
        Ok(())
    }
}

/// The batch's first minute may have begun before it.
async fn add_candle(
    transaction: &impl ConnectionTrait,
    sums: &mut InstrumentSums,
) -> Result<(), ProjectorError> {
    let Some(mut first) = sums.candles.first_entry() else {
        return Ok(());
    };
    let open_time = moment("open_time", *first.key())?;
    let open_time = open_time.operand(transaction.get_database_backend());
    let row = candle::Entity::find()
        .filter(candle::Column::Instrument.eq(sums.instrument.symbol.as_str()))
        .filter(ExprTrait::eq(
            Expr::col(candle::Column::OpenTime),
            open_time,
        ))
        .one(transaction)
        .await
        .map_err(DatabaseError::failed("reading a candle"))?;
    if let Some(row) = row {
        let mut begun = candle_of(&sums.instrument, &row)?;
        begun.append(first.get());
        first.insert(begun);
    }
    Ok(())
}

async fn add_positions(
    transaction: &impl ConnectionTrait,
    instrument: &Instrument,
    day: Day,
    positions: &mut BTreeMap<ClientId, ClientPosition>,
) -> Result<(), ProjectorError> {
    let names: Vec<&str> = positions.keys().map(ClientId::as_str).collect();
    let mut found = Vec::new();
    for chunk in names.chunks(CLIENTS_MAX) {
        let mut clients = chunk.to_vec();
        // Few different statements to prepare.
        if let Some(last) = chunk.last() {
            clients.resize(chunk.len().next_power_of_two(), last);
        }
        let rows = daily_position::Entity::find()
            .filter(daily_position::Column::Day.eq(day_text(day)?))
            .filter(daily_position::Column::Instrument.eq(instrument.symbol.as_str()))
            .filter(daily_position::Column::ClientId.is_in(clients))
            .all(transaction)
            .await
            .map_err(DatabaseError::failed("reading the day's positions"))?;
        found.extend(rows);
    }
    for row in found {
        if let Some(position) = positions.get_mut(row.client_id.as_str()) {
            position.append(&position_of(instrument, &row)?);
        }
    }
    Ok(())
}

//! Books as they stood.

use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use shardbook_engine::id::Sequence;
use shardbook_engine::instrument::Instrument;
use uuid::Uuid;

use super::{Queries, QueryError, in_time};
use crate::entity::convert::{RowError, count, timestamp};
use crate::entity::moment::Moment;
use crate::entity::orderbook_snapshot as table;
use crate::snapshot::{BookSnapshot, SnapshotHead, levels_of, orders_of};

type Head = (String, String, i64, i64, Moment);

impl Queries {
    /// The newest `limit` snapshots, of one instrument or of all, newest first.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn snapshots(
        &self,
        instrument: Option<&Instrument>,
        limit: usize,
    ) -> Result<Vec<SnapshotHead>, QueryError> {
        let mut query = table::Entity::find()
            .select_only()
            .column(table::Column::SnapshotId)
            .column(table::Column::Instrument)
            .column(table::Column::Sequence)
            .column(table::Column::OrderCount)
            .column(table::Column::CreatedAt);
        if let Some(instrument) = instrument {
            query = query.filter(table::Column::Instrument.eq(instrument.symbol.as_str()));
        }
        let rows = query
            .order_by_desc(table::Column::CreatedAt)
            .order_by_desc(table::Column::SnapshotId)
            .limit(u64::try_from(limit).unwrap_or(u64::MAX))
            .into_tuple::<Head>()
            .all(self.database.reader());
        let rows = in_time("reading snapshots", rows).await?;
        Ok(rows.into_iter().map(head).collect::<Result<_, _>>()?)
    }

    /// The snapshot with this id, of an instrument that `resolve` knows by its symbol.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn snapshot(
        &self,
        id: Uuid,
        resolve: impl Fn(&str) -> Option<Arc<Instrument>>,
    ) -> Result<Option<BookSnapshot>, QueryError> {
        let row = table::Entity::find_by_id(id.to_string()).one(self.database.reader());
        let Some(row) = in_time("reading a snapshot", row).await? else {
            return Ok(None);
        };
        let Some(instrument) = resolve(&row.instrument) else {
            return Ok(None);
        };
        let levels = |column, json: &str| levels_of(&instrument, column, json);
        Ok(Some(BookSnapshot {
            id,
            sequence: Sequence::new(count("sequence", row.sequence)?),
            created_at: timestamp("created_at", row.created_at)?,
            bids: levels("bids", &row.bids)?,
            asks: levels("asks", &row.asks)?,
            orders: orders_of(&instrument, &row.orders)?,
            instrument,
        }))
    }
}

fn head(
    (id, instrument, sequence, order_count, created_at): Head,
) -> Result<SnapshotHead, RowError> {
    let column = "snapshot_id";
    Ok(SnapshotHead {
        id: id.parse().map_err(|_| RowError::OutOfRange { column })?,
        instrument,
        sequence: Sequence::new(count("sequence", sequence)?),
        order_count: count("order_count", order_count)?,
        created_at: timestamp("created_at", created_at)?,
    })
}

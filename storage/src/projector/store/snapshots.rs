//! Snapshots as rows, of which the newest are kept.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use shardbook_engine::id::Sequence;

use super::{Existing, RowWriter, Store};
use crate::database::{DatabaseError, Transaction};
use crate::entity::convert::count;
use crate::entity::{instrument, orderbook_snapshot as table};
use crate::projector::error::ProjectorError;
use crate::snapshot::PreparedSnapshot;

impl Store {
    /// Writes a snapshot, if the database is past its sequence, and deletes those of its
    /// instrument that are too many with it.
    pub(in crate::projector) async fn write_snapshot(
        &self,
        snapshot: &PreparedSnapshot,
    ) -> Result<(), ProjectorError> {
        let doing = "writing a snapshot";
        self.asking
            .in_time(doing, async {
                let transaction = self.database.begin().await?;
                self.hold(&transaction).await?;
                let projected = projected(&transaction, &snapshot.row.instrument).await?;
                if projected < snapshot.head.sequence {
                    return Err(ProjectorError::Behind {
                        symbol: snapshot.row.instrument.clone(),
                        projected,
                        wanted: snapshot.head.sequence,
                    });
                }
                let mut writer = RowWriter::new(&transaction);
                let rows = vec![snapshot.row.clone()];
                let writing = async {
                    writer
                        .write::<table::Entity>(rows, Existing::Impossible)
                        .await?;
                    writer.finish().await?;
                    let too_old = too_old(snapshot);
                    table::Entity::delete_many()
                        .filter(table::Column::Instrument.eq(snapshot.row.instrument.as_str()))
                        .filter(table::Column::SnapshotId.in_subquery(too_old))
                        .exec(&transaction)
                        .await
                };
                writing.await.map_err(DatabaseError::failed(doing))?;
                let committing = DatabaseError::failed(doing);
                Ok(transaction.commit().await.map_err(committing)?)
            })
            .await
    }
}

/// The instrument's snapshots but for the newest.
fn too_old(snapshot: &PreparedSnapshot) -> sea_orm::sea_query::SelectStatement {
    table::Entity::find()
        .select_only()
        .column(table::Column::SnapshotId)
        .filter(table::Column::Instrument.eq(snapshot.row.instrument.as_str()))
        .order_by_desc(table::Column::Sequence)
        .order_by_desc(table::Column::SnapshotId)
        .offset(snapshot.kept)
        // SQLite takes an offset only with a limit.
        .limit(u64::from(u32::MAX))
        .into_query()
}

/// How far the database has come; 0 for an instrument without records.
async fn projected(transaction: &Transaction, symbol: &str) -> Result<Sequence, ProjectorError> {
    let sequence: Option<i64> = instrument::Entity::find_by_id(symbol)
        .select_only()
        .column(instrument::Column::ProjectedSequence)
        .into_tuple()
        .one(transaction)
        .await
        .map_err(DatabaseError::failed("reading how far it has come"))?;
    Ok(Sequence::new(count(
        "projected_sequence",
        sequence.unwrap_or(0),
    )?))
}

//! The projector's side of the database: whether it may be written to, and one batch as one
//! transaction.

mod beginning;
mod claim;
mod retention;
mod snapshots;
mod sums;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use shardbook_engine::checkpoint::CheckpointStore;
use shardbook_engine::id::{InstrumentId, OrderRef, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::{Position, PositionRange};
use shardbook_engine::order::Order;
use shardbook_engine::partition::PartitionId;
use tokio::time::timeout;
use uuid::Uuid;

pub(super) use self::retention::{OldOrders, Place};

use self::sums::SummedRows;
use super::asking::Asking;
use super::bulk::{BulkWriter, OrderEvents, Orders, Trades};
use super::cache::{OrderCache, OrderKey};
use super::error::ProjectorError;
use super::fold::{Outcome, Progress, Rows, Sums};
use super::rows::{Existing, RowWriter};
use crate::database::{Database, DatabaseError, Flushed, Transaction};
use crate::entity::convert::{RowError, TradingStatus, count, integer, order_of};
use crate::entity::{candle, closed_day, daily_position, instrument, order};

/// How long one transaction may take. A batch takes a fraction of a second; a database that
/// takes this long is stuck, and is given up to be tried anew.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);

/// Placements asked for in one statement.
const PLACEMENTS_MAX: usize = 1_024;

/// Where the database stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) positions: BTreeMap<PartitionId, Position>,
    pub(super) progress: HashMap<InstrumentId, Progress>,
}

/// What becomes of a database that must not be written to as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRefused {
    /// Nothing.
    LeaveAlone,
    /// All it holds is deleted, and projected into it from the oldest record held that can be
    /// gone on from; until it has been taken up once. One that becomes another's later is left
    /// alone.
    StartOver,
}

/// What is held of a partition beside the database.
pub(super) struct Held {
    pub(super) partition: PartitionId,
    pub(super) journal: PositionRange,
    pub(super) checkpoints: Option<Arc<dyn CheckpointStore>>,
}

/// A step of a partition's position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) partition: PartitionId,
    pub(super) from: Position,
    pub(super) to: Position,
}

/// The database of one exchange.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) database: Database,
    pub(super) exchange: Uuid,
    pub(super) asking: Asking,
}

impl Asking {
    /// Gives up on a database that does not answer.
    async fn in_time<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, ProjectorError>>,
    ) -> Result<T, ProjectorError> {
        let _question = self.begin(doing);
        let after = TRANSACTION_TIMEOUT;
        timeout(after, work)
            .await
            .map_err(|_| DatabaseError::TimedOut { doing, after })?
    }
}

impl Store {
    /// Makes sure that this database belongs to this exchange and its journals, and reads where
    /// it stands. A database that holds nothing becomes this exchange's, if the journals still
    /// hold everything; one that is to be started over does in any case.
    pub(super) async fn admit(
        &self,
        held: &[Held],
        instruments: &[Arc<Instrument>],
        refused: OnRefused,
    ) -> Result<Standing, ProjectorError> {
        let reading = "reading where it stands";
        let transaction = self
            .asking
            .in_time(reading, async {
                match refused {
                    // A stranger's tables are not even brought up to date.
                    OnRefused::LeaveAlone => self.look_whose().await?,
                    OnRefused::StartOver => {}
                }
                self.database.migrate().await?;
                Ok(self.database.begin().await?)
            })
            .await?;
        let mut stands = self
            .asking
            .in_time(reading, self.stand(&transaction, held))
            .await;
        if let (Err(ProjectorError::Refused(reason)), OnRefused::StartOver) = (&stands, refused) {
            tracing::warn!(%reason, "deleting all that the database holds, as was asked for");
            // Takes as long as there are open orders, and each step of it a bounded time.
            beginning::start_over(&self.asking, &transaction, held, instruments).await?;
            stands = self
                .asking
                .in_time(reading, self.stand(&transaction, held))
                .await;
        }
        let positions = stands?;
        self.asking
            .in_time(reading, async {
                let progress = progress(&transaction).await?;
                let committing = DatabaseError::failed("committing");
                transaction.commit().await.map_err(committing)?;
                Ok(Standing {
                    positions,
                    progress,
                })
            })
            .await
    }

    /// Asks whether it is there, and still this exchange's.
    pub(super) async fn probe(&self) -> Result<(), ProjectorError> {
        let doing = "asking whether it is there";
        self.asking
            .in_time(doing, async {
                self.database.ping().await?;
                self.look_whose().await
            })
            .await
    }

    /// Makes sure that the committed `positions` are found even after a power failure. `None` when a
    /// later try may.
    pub(super) async fn flush(
        &self,
        positions: BTreeMap<PartitionId, Position>,
    ) -> Result<Option<Flushed<BTreeMap<PartitionId, Position>>>, ProjectorError> {
        let doing = "flushing what is committed";
        self.asking
            .in_time(doing, async { Ok(self.database.flush(positions).await?) })
            .await
    }

    /// Writes one batch: moves the position, hands `fold` those of the `needed` orders that
    /// exist, and writes what it makes of them; all of it or nothing.
    pub(super) async fn commit(
        &self,
        step: Step,
        needed: Needed<'_>,
        fold: impl FnOnce(HashMap<OrderKey, Order>) -> Result<(Rows, Sums, Outcome), ProjectorError>,
    ) -> Result<Outcome, ProjectorError> {
        self.asking
            .in_time("writing a batch", async {
                let transaction = self.database.begin_repeatable().await?;
                // First of all: who moves the position holds its row until the end, so that whoever
                // else would project the same records waits here, and finds the position moved.
                self.move_position(&transaction, step).await?;
                let orders = needed.load(&transaction).await?;
                let (rows, sums, outcome) = fold(orders)?;
                let summed = SummedRows::add_up(&transaction, sums).await?;
                write(&transaction, &rows).await?;
                write_few(&transaction, rows.instruments, summed).await?;
                let committing = DatabaseError::failed("committing a batch");
                transaction.commit().await.map_err(committing)?;
                Ok(outcome)
            })
            .await
    }
}

/// What of an order changes once it is placed.
const CHANGING: &[&str] = &[
    "price",
    "quantity",
    "filled_quantity",
    "remaining_quantity",
    "filled_notional",
    "average_price",
    "status",
    "reason",
    "trade_count",
    "updated_sequence",
    "updated_at",
];

/// Writes what comes by the thousand.
async fn write(transaction: &Transaction, rows: &Rows) -> Result<(), ProjectorError> {
    use Existing::{Changed, Impossible};
    let mut writer = BulkWriter::new(transaction);
    let (new, changed) = (&rows.new_orders, &rows.changed_orders);
    writer.write::<Orders>(new, Impossible).await?;
    writer.write::<Orders>(changed, Changed(CHANGING)).await?;
    writer
        .write::<OrderEvents>(&rows.events, Impossible)
        .await?;
    writer.write::<Trades>(&rows.trades, Impossible).await?;
    writer.finish().await
}

/// Writes what there is one of for each instrument, minute or client.
async fn write_few(
    transaction: &impl ConnectionTrait,
    instruments: Vec<instrument::Model>,
    summed: SummedRows,
) -> Result<(), ProjectorError> {
    use Existing::{Impossible, Replaced};
    let writing = async {
        let mut writer = RowWriter::new(transaction);
        writer
            .write::<instrument::Entity>(instruments, Replaced)
            .await?;
        writer
            .write::<candle::Entity>(summed.candles, Replaced)
            .await?;
        writer
            .write::<daily_position::Entity>(summed.positions, Replaced)
            .await?;
        writer
            .write::<closed_day::Entity>(summed.closed_days, Impossible)
            .await?;
        writer.finish().await
    };
    let writing_failed = DatabaseError::failed("writing a batch");
    Ok(writing.await.map_err(writing_failed)?)
}

/// Where each instrument stands, by its number.
async fn progress(
    transaction: &impl ConnectionTrait,
) -> Result<HashMap<InstrumentId, Progress>, ProjectorError> {
    let rows: Vec<(i64, i64, String)> = instrument::Entity::find()
        .select_only()
        .column(instrument::Column::InstrumentNumber)
        .column(instrument::Column::ProjectedSequence)
        .column(instrument::Column::Status)
        .into_tuple()
        .all(transaction)
        .await
        .map_err(DatabaseError::failed("reading its instruments"))?;
    let mut progress = HashMap::with_capacity(rows.len());
    for (number, sequence, status) in rows {
        let column = "instrument_number";
        let number = u32::try_from(number).map_err(|_| RowError::OutOfRange { column })?;
        let at = Progress {
            sequence: Sequence::new(count("projected_sequence", sequence)?),
            status: TradingStatus::of(&status)?,
        };
        progress.insert(InstrumentId::new(number), at);
    }
    Ok(progress)
}

/// Orders that a batch changes and did not place: from the cache, or else from the database.
pub(super) struct Needed<'a> {
    at_hand: HashMap<OrderKey, Order>,
    missing: BTreeMap<InstrumentId, (&'a Arc<Instrument>, Vec<OrderRef>)>,
}

impl<'a> Needed<'a> {
    /// Takes out of `cache` what it has of `keys`.
    pub(super) fn take(
        keys: HashSet<OrderKey>,
        cache: &mut OrderCache,
        instruments: &'a HashMap<InstrumentId, Arc<Instrument>>,
    ) -> Result<Self, ProjectorError> {
        let mut at_hand = HashMap::with_capacity(keys.len());
        let mut missing: BTreeMap<_, (_, Vec<_>)> = BTreeMap::new();
        for key in keys {
            if let Some(order) = cache.take(&key) {
                at_hand.insert(key, order);
                continue;
            }
            let (id, placed) = key;
            let instrument = instruments
                .get(&id)
                .ok_or(ProjectorError::UnknownInstrument(id))?;
            let (_, orders) = missing.entry(id).or_insert((instrument, Vec::new()));
            orders.push(placed);
        }
        Ok(Self { at_hand, missing })
    }

    async fn load(
        self,
        transaction: &impl ConnectionTrait,
    ) -> Result<HashMap<OrderKey, Order>, ProjectorError> {
        let mut orders = self.at_hand;
        for (id, (instrument, mut placements)) in self.missing {
            placements.sort_unstable();
            for chunk in placements.chunks(PLACEMENTS_MAX) {
                let rows = order::Entity::find()
                    .filter(order::Column::Instrument.eq(instrument.symbol.as_str()))
                    .filter(order::Column::Sequence.is_in(sequences(chunk)?))
                    .all(transaction)
                    .await
                    .map_err(DatabaseError::failed("reading open orders"))?;
                for row in rows {
                    let order = order_of(instrument, &row)?;
                    // A command may have placed several; the others are none of this batch's.
                    if chunk.binary_search(&order.placed).is_ok() {
                        orders.insert((id, order.placed), order);
                    }
                }
            }
        }
        Ok(orders)
    }
}

/// The placements' sequences, filled up to a power of two with the last of them, so that there
/// are few different statements to prepare.
fn sequences(placements: &[OrderRef]) -> Result<Vec<i64>, RowError> {
    let mut sequences = placements
        .iter()
        .map(|placed| integer("sequence", placed.sequence.get()))
        .collect::<Result<Vec<_>, _>>()?;
    sequences.dedup();
    if let Some(last) = sequences.last().copied() {
        sequences.resize(sequences.len().next_power_of_two(), last);
    }
    Ok(sequences)
}

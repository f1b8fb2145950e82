//! What a database begins with that is started over.
//!
//! Where the journal still has its first record, with nothing: everything follows. Where its
//! beginning was trimmed, the records that are left speak of orders that were placed before
//! them, so that a checkpoint stands for what is gone: the oldest that can be read, that is the
//! one from which most records follow. What it holds of each instrument becomes rows: the orders
//! that rest, the closed ones that memory still had, and the trades that were there to be read.
//! What had been let go of by then is lost to this database, and is nowhere else either.
//!
//! It is one transaction with the deletion of what was there, so that whatever breaks off leaves
//! the database as it was.

use std::sync::Arc;

use shardbook_engine::checkpoint::ManifestEntry;
use shardbook_engine::checkpoint::{self, CheckpointError, CheckpointStore, Manifest};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{InstrumentStatus, MarketData, MarketDataLimits};
use shardbook_engine::order::{Order, Trade};
use shardbook_engine::shard::ShardLimits;

use super::sums::SummedRows;
use super::{Asking, Held, Rows, claim, write, write_few};
use crate::database::Transaction;
use crate::entity::convert::{TradingStatus, instrument_row};
use crate::projector::bulk::{OrderState, TradeOf};
use crate::projector::error::{ProjectorError, RefusedDatabase};
use crate::projector::fold::InstrumentSums;

/// Orders or trades that are made into rows at once: bounds what a book of millions costs twice.
const ROWS_MAX: usize = 5_000;

/// What the database is then asked for.
const WRITING: &str = "writing what a checkpoint holds";

/// Empties the database and writes what it is to begin with.
pub(super) async fn start_over(
    asking: &Asking,
    transaction: &Transaction,
    held: &[Held],
    instruments: &[Arc<Instrument>],
) -> Result<(), ProjectorError> {
    // Before anything is deleted.
    let mut beginnings = Vec::new();
    for held in held {
        beginnings.extend(Beginning::of(held, instruments)?);
    }
    asking
        .in_time("deleting what it holds", claim::empty(transaction))
        .await?;
    for beginning in beginnings {
        beginning.write(asking, transaction, instruments).await?;
    }
    Ok(())
}

/// A checkpoint in place of a journal's missing beginning.
struct Beginning<'a> {
    held: &'a Held,
    store: &'a dyn CheckpointStore,
    manifest: Manifest,
}

impl<'a> Beginning<'a> {
    /// The oldest checkpoint that can be read and that the journal goes on from; none where the
    /// journal has its beginning.
    fn of(held: &'a Held, instruments: &[Arc<Instrument>]) -> Result<Option<Self>, ProjectorError> {
        let journal = held.journal;
        if journal.oldest.get() <= 1 {
            return Ok(None);
        }
        let missing = RefusedDatabase::BeginningMissing {
            partition: held.partition.get(),
            oldest: journal.oldest,
        };
        let Some(store) = held.checkpoints.as_deref() else {
            return Err(missing.into());
        };
        let mut manifests = store.manifests()?;
        // A checkpoint stands where a payload ends, so that the next frame begins one.
        manifests.retain(|manifest| {
            manifest.position.next() >= journal.oldest && manifest.position <= journal.newest
        });
        while let Some(manifest) = manifests.pop() {
            let beginning = Self {
                held,
                store,
                manifest,
            };
            let entries = beginning.manifest.entries.iter();
            let mut read = entries.map(|entry| beginning.load(entry, instruments));
            match read.find_map(Result::err) {
                None => return Ok(Some(beginning)),
                Some(ProjectorError::Checkpoint(error)) => {
                    tracing::warn!(%error, "a checkpoint is passed over for the one after it");
                }
                Some(error) => return Err(error),
            }
        }
        Err(missing.into())
    }

    /// One instrument as the checkpoint holds it.
    fn load(
        &self,
        entry: &ManifestEntry,
        instruments: &[Arc<Instrument>],
    ) -> Result<MarketData, ProjectorError> {
        let id = entry.instrument;
        let mut known = instruments.iter();
        let instrument = known
            .find(|instrument| instrument.id == id)
            .ok_or(ProjectorError::UnknownInstrument(id))?;
        let bytes = self.store.load(entry)?;
        // Nothing that is there may be forgotten.
        let limits = MarketDataLimits {
            closed_orders: usize::MAX,
            trades: usize::MAX,
        };
        let decoded = checkpoint::decode(&bytes, instrument, ShardLimits::default(), limits);
        let (_, market_data) = decoded.map_err(|source| CheckpointError::Content {
            instrument: id,
            source,
        })?;
        Ok(market_data)
    }

    async fn write(
        &self,
        asking: &Asking,
        transaction: &Transaction,
        instruments: &[Arc<Instrument>],
    ) -> Result<(), ProjectorError> {
        let (partition, position) = (self.held.partition, self.manifest.position);
        let beginning = claim::begin_partition(transaction, partition, position);
        asking.in_time("beginning a partition", beginning).await?;
        for entry in &self.manifest.entries {
            let market_data = self.load(entry, instruments)?;
            write_instrument(asking, transaction, &market_data).await?;
        }
        tracing::warn!(
            partition = partition.get(),
            %position,
            "the journal's beginning is gone: the database begins with a checkpoint, and what was \
             over and done with before it is missing"
        );
        Ok(())
    }
}

async fn write_instrument(
    asking: &Asking,
    transaction: &Transaction,
    market_data: &MarketData,
) -> Result<(), ProjectorError> {
    let instrument = market_data.instrument();
    let status = match market_data.status() {
        InstrumentStatus::Trading => TradingStatus::Trading,
        InstrumentStatus::Halted => TradingStatus::Halted,
    };
    let row = instrument_row(instrument, status, market_data.sequence())?;
    let summed = summed(market_data)?;
    asking
        .in_time(WRITING, write_few(transaction, vec![row], summed))
        .await?;
    let mut orders = market_data.kept_orders().map(|kept| kept.order);
    loop {
        let some: Vec<Order> = orders.by_ref().filter(is_shown).take(ROWS_MAX).collect();
        if some.is_empty() {
            break;
        }
        let states = some.into_iter().map(|order| OrderState {
            instrument: Arc::clone(instrument),
            order,
        });
        let new_orders: Vec<OrderState> = states.collect();
        let rows = Rows {
            // As far as is known: how it stood after its last change.
            events: new_orders.clone(),
            new_orders,
            ..Rows::default()
        };
        asking.in_time(WRITING, write(transaction, &rows)).await?;
    }
    for trades in market_data.kept_trades().chunks(ROWS_MAX) {
        let trades = trades.iter().map(|trade| TradeOf {
            instrument: Arc::clone(instrument),
            trade: Trade::clone(trade),
        });
        let rows = Rows {
            trades: trades.collect(),
            ..Rows::default()
        };
        asking.in_time(WRITING, write(transaction, &rows)).await?;
    }
    Ok(())
}

/// The mirror's orders have rows once they have traded.
fn is_shown(order: &Order) -> bool {
    order.placed.index == 0 || order.trade_count > 0
}

/// The candles that are there to be read, and the days that are not closed: those have all their
/// trades in them.
fn summed(market_data: &MarketData) -> Result<SummedRows, ProjectorError> {
    let mut sums = InstrumentSums::new(Arc::clone(market_data.instrument()));
    for kept in market_data.kept_candles() {
        sums.candles.insert(kept.candle.open_time, kept.candle);
    }
    for (day, positions) in market_data.open_days() {
        sums.positions.insert(day, positions.into_iter().collect());
    }
    let mut rows = SummedRows::default();
    rows.take(&sums)?;
    Ok(rows)
}

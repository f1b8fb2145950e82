//! What only the database has, asked a bounded number of questions at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use shardbook_engine::candle::Candle;
use shardbook_engine::id::{OrderId, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Order, Trade};
use shardbook_engine::time::Timestamp;
use shardbook_storage::projector::{DatabaseState, ProjectorHandle, ProjectorStatus};
use shardbook_storage::query::{
    CANDLES_MAX, ClosedOrders, ClosedOrdersFound, Queries, QueryError, StoredOrder,
};
use shardbook_storage::snapshot::{BookSnapshot, SnapshotHead};
use uuid::Uuid;

use crate::access::Trader;
use crate::problem::{Code, Problem};

/// Look-ups under way at once: some for each connection that the database has for reading. More
/// would only wait for those, and memory for what they will answer.
const LOOKUPS_MAX: usize = 64;

/// How long a list waits for the database to take in what memory has let go of: it is
/// milliseconds behind unless something is wrong with it.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(1);

/// Orders and trades that memory has let go of. Clones share the bound.
#[derive(Clone)]
pub struct Archive {
    queries: Queries,
    projector: ProjectorHandle,
    permits: Arc<Semaphore>,
}

/// An instrument, and the newest change of an order that its memory has let go of: a database
/// that is not past it may not know the order as it ended.
pub type Mark = (Arc<Instrument>, Sequence);

/// Candles that the database has.
pub struct OldCandles {
    /// Newest first.
    pub candles: Vec<Candle>,
    /// Whether there may be more, older ones.
    pub is_cut: bool,
}

impl Archive {
    /// Asks the database that `projector` fills.
    #[must_use]
    pub fn new(queries: Queries, projector: ProjectorHandle) -> Self {
        Self {
            queries,
            projector,
            permits: Arc::new(Semaphore::new(LOOKUPS_MAX)),
        }
    }

    /// The newest order of this id on the one instrument of `marks` that has one, as far as who
    /// asks may see it.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`], [`Code::OrderIdAmbiguous`], [`Code::Overloaded`],
    /// [`Code::DatabaseUnavailable`].
    pub async fn order(
        &self,
        by: &Trader,
        id: &OrderId,
        marks: &[Mark],
    ) -> Result<(Arc<Instrument>, Order), Problem> {
        let _permit = self.permit()?;
        // Before the query, so that the query can't have missed what this says is there.
        let is_past_marks = self.is_past(marks)?;
        let mut found = self.orders(id, marks).await?;
        found.retain(|stored| by.sees(&stored.order.client));
        let Some(StoredOrder { instrument, order }) = found.pop() else {
            return Err(if is_past_marks {
                not_found(id)
            } else {
                behind()
            });
        };
        if !found.is_empty() {
            let others = found.iter().map(|stored| stored.instrument.symbol.as_str());
            let symbols = others.chain([instrument.symbol.as_str()]);
            return Err(ambiguous(id, symbols));
        }
        // Memory knows every open order, and did not know this one.
        if order.is_open() {
            return Err(behind());
        }
        Ok((instrument, order))
    }

    /// A closed order's newest trades, oldest first. Where the database is past its last change
    /// and has fewer than it had, retention has deleted them.
    ///
    /// # Errors
    /// [`Code::Overloaded`]; [`Code::DatabaseUnavailable`], also where some may be missing.
    pub async fn trades_of(
        &self,
        instrument: &Arc<Instrument>,
        order: &Order,
    ) -> Result<Vec<Arc<Trade>>, Problem> {
        if order.trade_count == 0 {
            return Ok(Vec::new());
        }
        let _permit = self.permit()?;
        self.caught_up(&[(Arc::clone(instrument), order.updated)])
            .await?;
        let trades = self.queries.trades_of(instrument, order.placed, order.side);
        trades.await.map_err(|error| unanswered(&error))
    }

    /// The newest order of this id on each instrument of `marks` that has one.
    ///
    /// # Errors
    /// [`Code::Overloaded`]; [`Code::DatabaseUnavailable`], also where some may be missing.
    pub async fn orders_named(
        &self,
        id: &OrderId,
        marks: &[Mark],
    ) -> Result<Vec<StoredOrder>, Problem> {
        let _permit = self.permit()?;
        self.caught_up(marks).await?;
        self.orders(id, marks).await
    }

    /// Begins to read a list of which memory has let go of what `marks` say.
    ///
    /// # Errors
    /// [`Code::Overloaded`]; [`Code::DatabaseUnavailable`], also where some may be missing.
    pub async fn list(&self, marks: &[Mark]) -> Result<ArchiveList<'_>, Problem> {
        let permit = self.permit()?;
        self.caught_up(marks).await?;
        Ok(ArchiveList {
            archive: self,
            _permit: permit,
        })
    }

    /// Waits, for a bounded time, until the database is past all marks.
    async fn caught_up(&self, marks: &[Mark]) -> Result<(), Problem> {
        let is_past = |status: &ProjectorStatus| {
            marks.iter().all(|(instrument, mark)| {
                let projected = status.projected.get(&instrument.id);
                projected.copied().unwrap_or(Sequence::ZERO) >= *mark
            })
        };
        let mut projector = self.projector.clone();
        let settled = projector.wait_until(|status| match status.database {
            DatabaseState::Up => is_past(status),
            DatabaseState::Down { .. } => true,
        });
        // What it says by then is what counts.
        let _ = timeout(CATCH_UP_TIME_MAX, settled).await;
        if self.is_past(marks)? {
            Ok(())
        } else {
            Err(behind())
        }
    }

    /// The `count` trades of an instrument numbered from `first` on, oldest first, which were
    /// made by the record numbered `made_by`.
    ///
    /// # Errors
    /// [`Code::Overloaded`]; [`Code::DatabaseUnavailable`] where some are missing too.
    pub async fn trades_numbered(
        &self,
        instrument: &Arc<Instrument>,
        first: TradeNumber,
        count: usize,
        made_by: Sequence,
    ) -> Result<Vec<Arc<Trade>>, Problem> {
        let _permit = self.permit()?;
        self.caught_up(&[(Arc::clone(instrument), made_by)]).await?;
        let trades = self.queries.trades_numbered(instrument, first, count).await;
        let trades = trades.map_err(|error| unanswered(&error))?;
        if trades.len() < count {
            return Err(behind());
        }
        Ok(trades)
    }

    /// At most `count` trades of an instrument numbered below `below`, newest first. They are
    /// numbered without a gap, so it is known whether any is missing; one that a database past
    /// `mark` does not have, it no longer keeps.
    ///
    /// # Errors
    /// [`Code::Overloaded`]; [`Code::DatabaseUnavailable`] where some may still come.
    pub async fn trades_before(
        &self,
        instrument: &Instrument,
        below: TradeNumber,
        count: usize,
        mark: Sequence,
    ) -> Result<Vec<Arc<Trade>>, Problem> {
        let _permit = self.permit()?;
        // Before the query, so that the query can't have missed what this says is there.
        let projected = self.projector.projected(instrument.id);
        let trades = self.queries.trades_before(instrument, Some(below), count);
        let trades = trades.await.map_err(|error| unanswered(&error))?;
        let there_are = usize::try_from(below.get().saturating_sub(1)).unwrap_or(usize::MAX);
        let due = count.min(there_are);
        let oldest_due = below.get() - u64::try_from(due).unwrap_or(0);
        let is_whole = trades.len() == due
            && trades
                .last()
                .is_none_or(|last| last.number.get() == oldest_due);
        if is_whole || projected.is_some_and(|projected| projected >= mark) {
            return Ok(trades);
        }
        Err(behind())
    }

    /// The newest one-minute candles of `within`, newest first, from a database that is past
    /// `mark`.
    ///
    /// # Errors
    /// [`Code::Overloaded`], [`Code::DatabaseUnavailable`].
    pub async fn candles_before(
        &self,
        instrument: &Instrument,
        within: (Timestamp, Timestamp),
        mark: Sequence,
    ) -> Result<OldCandles, Problem> {
        let _permit = self.permit()?;
        // Before the query, so that the query can't have missed what this says is there.
        let projected = self.projector.projected(instrument.id);
        if projected.ok_or_else(unavailable)? < mark {
            return Err(behind());
        }
        let found = self.queries.candles_before(instrument, within.0, within.1);
        let candles = found.await.map_err(|error| unanswered(&error))?;
        let is_cut = u64::try_from(candles.len()).is_ok_and(|count| count >= CANDLES_MAX);
        Ok(OldCandles { candles, is_cut })
    }

    /// The newest `limit` snapshots, of one instrument or of all, newest first.
    ///
    /// # Errors
    /// [`Code::Overloaded`], [`Code::DatabaseUnavailable`].
    pub async fn snapshots(
        &self,
        instrument: Option<&Instrument>,
        limit: usize,
    ) -> Result<Vec<SnapshotHead>, Problem> {
        let _permit = self.permit()?;
        let found = self.queries.snapshots(instrument, limit).await;
        found.map_err(|error| unanswered(&error))
    }

    /// The snapshot with this id, of an instrument that `resolve` knows by its symbol.
    ///
    /// # Errors
    /// [`Code::Overloaded`], [`Code::DatabaseUnavailable`].
    pub async fn snapshot(
        &self,
        id: Uuid,
        resolve: impl Fn(&str) -> Option<Arc<Instrument>>,
    ) -> Result<Option<BookSnapshot>, Problem> {
        let _permit = self.permit()?;
        let found = self.queries.snapshot(id, resolve).await;
        found.map_err(|error| unanswered(&error))
    }

    fn is_past(&self, marks: &[Mark]) -> Result<bool, Problem> {
        let mut is_past = true;
        for (instrument, mark) in marks {
            let projected = self.projector.projected(instrument.id);
            let projected = projected.ok_or_else(unavailable)?;
            is_past &= projected >= *mark;
        }
        Ok(is_past)
    }

    async fn orders(&self, id: &OrderId, marks: &[Mark]) -> Result<Vec<StoredOrder>, Problem> {
        let found = if let [(instrument, _)] = marks {
            let order = self.queries.order_by_id(instrument, id).await;
            order.map(|order| {
                let instrument = Arc::clone(instrument);
                let stored = order.map(|order| StoredOrder { instrument, order });
                stored.into_iter().collect()
            })
        } else {
            let known = |symbol: &str| {
                let mut instruments = marks.iter().map(|(instrument, _)| instrument);
                instruments
                    .find(|instrument| instrument.symbol.as_str() == symbol)
                    .cloned()
            };
            self.queries.orders_by_id(id, known).await
        };
        found.map_err(|error| unanswered(&error))
    }

    fn permit(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.permits.try_acquire().map_err(|_| {
            let detail = "too many questions are waiting for the database";
            Problem::new(Code::Overloaded, detail)
        })
    }
}

/// A list being read.
pub struct ArchiveList<'a> {
    archive: &'a Archive,
    _permit: SemaphorePermit<'a>,
}

impl ArchiveList<'_> {
    /// The next part, of the instruments that `resolve` knows by their symbols.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`].
    pub async fn part(
        &self,
        part: &ClosedOrders,
        resolve: impl Fn(&str) -> Option<Arc<Instrument>>,
    ) -> Result<ClosedOrdersFound, Problem> {
        let found = self.archive.queries.closed_orders(part, resolve).await;
        found.map_err(|error| unanswered(&error))
    }
}

/// An id that stands on several instruments.
pub(crate) fn ambiguous<'a>(id: &OrderId, symbols: impl Iterator<Item = &'a str>) -> Problem {
    let symbols: Vec<_> = symbols.collect();
    let detail = format!(
        "{id} stands on {}; say which with instrument",
        symbols.join(", ")
    );
    Problem::new(Code::OrderIdAmbiguous, detail)
}

pub(crate) fn not_found(id: &OrderId) -> Problem {
    Problem::new(Code::OrderNotFound, format!("there is no order {id}"))
}

fn behind() -> Problem {
    let detail = "the database has yet to take in what memory has let go of";
    Problem::new(Code::DatabaseUnavailable, detail)
}

fn unavailable() -> Problem {
    let detail = "memory does not have it, and the database does not answer";
    Problem::new(Code::DatabaseUnavailable, detail)
}

fn unanswered(error: &QueryError) -> Problem {
    tracing::warn!(%error, "the database did not answer");
    unavailable()
}

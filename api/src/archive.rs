//! What only the database has, as the calls ask for it.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use shardbook_engine::id::{OrderId, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{OrderWithTrades, Trade};

use crate::problem::{Code, Problem};

/// Look-ups under way at once. The database answers some thousand a second each; more would only
/// wait in its pool, and everything else of the API with them.
const LOOKUPS_MAX: usize = 64;

/// The database does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

/// Orders and trades that memory has let go of. Every answer is of one moment at least as new as
/// the question.
pub trait Archive: Send + Sync {
    /// How far the database has taken in an instrument's records.
    fn projected<'a>(
        &'a self,
        instrument: &'a Arc<Instrument>,
    ) -> BoxFuture<'a, Result<Sequence, Unanswered>>;

    /// The instrument's newest order of this id, with its newest trades.
    fn order<'a>(
        &'a self,
        instrument: &'a Arc<Instrument>,
        id: &'a OrderId,
    ) -> BoxFuture<'a, Result<Option<OrderWithTrades>, Unanswered>>;

    /// The instrument's `count` trades numbered below `before`, or its newest, newest first;
    /// fewer if there are no more.
    fn trades<'a>(
        &'a self,
        instrument: &'a Arc<Instrument>,
        before: Option<TradeNumber>,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Trade>>, Unanswered>>;
}

/// An archive that is asked a bounded number of questions at once.
#[derive(Clone)]
pub struct Lookups {
    archive: Arc<dyn Archive>,
    permits: Arc<Semaphore>,
}

impl Lookups {
    /// Bounds the questions to the archive.
    #[must_use]
    pub fn new(archive: Arc<dyn Archive>) -> Self {
        Self {
            archive,
            permits: Arc::new(Semaphore::new(LOOKUPS_MAX)),
        }
    }

    /// Asks for an order that memory does not have, one instrument or several.
    ///
    /// `marks` names each instrument with the newest change of an order that memory has let go
    /// of: a database that is not past it may not know the order yet.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`], [`Code::OrderIdAmbiguous`], [`Code::Overloaded`],
    /// [`Code::DatabaseUnavailable`].
    pub async fn order(
        &self,
        id: &OrderId,
        marks: &[(Arc<Instrument>, Sequence)],
    ) -> Result<(Arc<Instrument>, OrderWithTrades), Problem> {
        let _permit = self.permit()?;
        let mut found = Vec::new();
        let mut is_behind = false;
        for (instrument, mark) in marks {
            let projected = self.archive.projected(instrument).await;
            let projected = projected.map_err(unavailable)?;
            let order = self.archive.order(instrument, id).await;
            match order.map_err(unavailable)? {
                Some(order) => found.push((Arc::clone(instrument), order)),
                None => is_behind |= projected < *mark,
            }
        }
        if found.len() > 1 {
            let symbols = found
                .iter()
                .map(|(instrument, _)| instrument.symbol.as_str());
            return Err(ambiguous(id, symbols));
        }
        found.pop().ok_or_else(|| {
            if is_behind {
                let detail = "the database has yet to take in orders that memory has let go of";
                Problem::new(Code::DatabaseUnavailable, detail)
            } else {
                Problem::new(Code::OrderNotFound, format!("there is no order {id}"))
            }
        })
    }

    /// Asks for trades.
    ///
    /// # Errors
    /// [`Code::Overloaded`], [`Code::DatabaseUnavailable`].
    pub async fn trades(
        &self,
        instrument: &Arc<Instrument>,
        before: Option<TradeNumber>,
        count: usize,
    ) -> Result<Vec<Arc<Trade>>, Problem> {
        let _permit = self.permit()?;
        let trades = self.archive.trades(instrument, before, count).await;
        trades.map_err(unavailable)
    }

    fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
        self.permits.try_acquire().map_err(|_| {
            let detail = "too many questions are waiting for the database";
            Problem::new(Code::Overloaded, detail)
        })
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

fn unavailable(_: Unanswered) -> Problem {
    let detail = "memory does not have it, and the database does not answer";
    Problem::new(Code::DatabaseUnavailable, detail)
}

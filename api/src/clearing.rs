//! Has days settled: after midnight by itself, and when asked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use shardbook_engine::id::Symbol;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::router::Router;
use shardbook_engine::time::{Clock, Day};
use shardbook_storage::entity::settlement;
use shardbook_storage::projector::ProjectorHandle;
use shardbook_storage::query::QueryError;
use shardbook_storage::settlement::{Settled, Settlement, SettlementError, Settlements};

use crate::problem::{Code, Problem};

/// How long to wait before a day is tried again that the database does not hold yet.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Settles the days of an exchange.
pub struct Clearing {
    router: Arc<Router>,
    projector: ProjectorHandle,
    settlements: Settlements,
    clock: Arc<dyn Clock>,
}

impl Clearing {
    /// Settles what `router`'s instruments trade, once the database holds it.
    #[must_use]
    pub const fn new(
        router: Arc<Router>,
        projector: ProjectorHandle,
        settlements: Settlements,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            router,
            projector,
            settlements,
            clock,
        }
    }

    /// Settles a day.
    ///
    /// # Errors
    /// [`Code::DayNotClosed`], [`Code::DatabaseUnavailable`] while the database does not have it,
    /// [`Code::Internal`] where it would not sum to zero.
    pub async fn settle(&self, day: Day) -> Result<Settled, Problem> {
        let not_closed = |detail: &str| Problem::new(Code::DayNotClosed, detail);
        let (mut symbols, mut is_behind) = (Vec::<Symbol>::new(), false);
        for handle in self.router.instruments() {
            let instrument: &Instrument = handle.instrument();
            if instrument.listed_at.day() > day {
                continue;
            }
            symbols.push(instrument.symbol.clone());
            let (closed, sequence) = {
                let market = handle.market_data().read();
                (market.last_closed_day(), market.sequence())
            };
            if closed < Some(day) {
                return Err(not_closed("the day is not over on every instrument"));
            }
            let projected = self.projector.projected(instrument.id);
            is_behind |= projected.is_none_or(|projected| projected < sequence);
        }
        if symbols.is_empty() {
            return Err(not_closed("there was no instrument on that day"));
        }
        let settled = self.settlements.settle(day, &symbols, self.clock.now());
        settled.await.map_err(|error| match error {
            SettlementError::NotHeld { .. } if !is_behind => {
                not_closed("the database begins after that day")
            }
            SettlementError::NotHeld { .. } => Problem::new(
                Code::DatabaseUnavailable,
                "the database has yet to take in the end of that day",
            ),
            SettlementError::Query(error) => unanswered(&error),
            SettlementError::ForeignExchange => {
                Problem::new(Code::DatabaseUnavailable, error.to_string())
            }
            SettlementError::Unbalanced { .. } => {
                tracing::error!(%error, "a settlement was not written");
                Problem::new(Code::Internal, "the settlement does not sum to zero")
            }
        })
    }

    /// All settlements, newest first.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`].
    pub async fn list(&self) -> Result<Vec<settlement::Model>, Problem> {
        let listed = self.settlements.list().await;
        listed.map_err(|error| unanswered(&error))
    }

    /// The settlement of a day, if it is settled.
    ///
    /// # Errors
    /// [`Code::DatabaseUnavailable`].
    pub async fn find(&self, day: Day) -> Result<Option<Settlement>, Problem> {
        let found = self.settlements.find(day).await;
        found.map_err(|error| unanswered(&error))
    }

    /// Settles each day once `closed` tells that it is, until `stopped` says so or is gone.
    pub async fn run(
        self: Arc<Self>,
        mut closed: watch::Receiver<Option<Day>>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let settling = async {
            // An error says that no day will be closed any more.
            while closed.changed().await.is_ok() {
                let last = *closed.borrow_and_update();
                while !self.settle_through(last).await {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        };
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = settling => {}
        }
    }

    /// Settles every day that is closed and not settled; says whether nothing is left to settle up
    /// to `last`.
    async fn settle_through(&self, last: Option<Day>) -> bool {
        // Found out before: a day that the database takes in meanwhile is looked for once more.
        let mut is_done = self.is_held(last);
        let Ok(days) = self.settlements.unsettled().await else {
            return false;
        };
        for day in days {
            match self.settle(day).await {
                Ok(Settled::Now(settlement)) => {
                    let lines = settlement.head.line_count;
                    tracing::info!(date = settlement.head.date, lines, "settled a day");
                }
                Ok(Settled::Before(_)) => {}
                Err(problem) => {
                    tracing::debug!(detail = problem.detail(), "a day is not settled yet");
                    // Anything else would be the same again.
                    is_done &= problem.code() != Code::DatabaseUnavailable;
                }
            }
        }
        is_done
    }

    /// Whether every instrument has closed its days up to `last` and the database holds them.
    fn is_held(&self, last: Option<Day>) -> bool {
        self.router.instruments().iter().all(|handle| {
            let projected = self.projector.projected(handle.instrument().id);
            let market = handle.market_data().read();
            // Nothing was to be closed where nothing was listed before today.
            let is_closed = market.last_closed_day() >= last
                || Some(handle.instrument().listed_at.day()) > last;
            is_closed && projected.is_some_and(|projected| projected >= market.sequence())
        })
    }
}

fn unanswered(error: &QueryError) -> Problem {
    tracing::warn!(%error, "the database did not answer");
    Problem::new(Code::DatabaseUnavailable, "the database does not answer")
}

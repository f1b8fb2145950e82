//! The projector, and what reads and health learn of the database from it.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use shardbook_engine::exchange::Exchange;
use shardbook_engine::id::{OrderId, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{OrderWithTrades, Trade};
use shardbook_engine::time::{Clock, SystemClock};
use shardbook_storage::data_dir::DataDir;
use shardbook_storage::database::{Database, DatabaseUrl};
use shardbook_storage::projector::{
    DatabaseState, Instruments, Projector, ProjectorError, ProjectorHandle, ProjectorLimits,
    ProjectorSetup,
};
use shardbook_storage::query::{Queries, QueryError};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{AppError, blocking};
use crate::archive::{Archive, Unanswered};
use crate::health::DatabaseHealthSource;
use crate::schema::Nullable;
use crate::schema::health::{DatabaseHealth, DatabaseStatus};
use crate::schema::text::{Count, Words};
use crate::schema::word::Word;

/// The database that the settings name, or the file in the data directory.
pub(super) fn url(named: Option<&DatabaseUrl>, data_dir: &DataDir) -> DatabaseUrl {
    named
        .cloned()
        .unwrap_or_else(|| DatabaseUrl::Sqlite(data_dir.database()))
}

/// The running projector.
pub(super) struct Projection {
    view: DatabaseView,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
    database: Database,
}

impl Projection {
    /// Starts projecting. A database that is away is waited for in the background; one that
    /// belongs to another exchange is found out now.
    pub(super) async fn start(
        url: &DatabaseUrl,
        exchange: Uuid,
        engine: &Exchange,
    ) -> Result<Self, AppError> {
        let database = Database::open(url).await?;
        let instruments: Arc<dyn Instruments> = engine.router().clone();
        let (mut projector, handle) = Projector::new(ProjectorSetup {
            database: database.clone(),
            exchange,
            logs: engine.logs(),
            instruments,
            limits: ProjectorLimits::default(),
        });
        match projector.admit().await {
            Ok(()) => {}
            Err(ProjectorError::Refused(refused)) => {
                return Err(AppError::ForeignDatabase(refused));
            }
            Err(error) => tracing::warn!(%url, %error, "the database is not there yet"),
        }
        let (stop, stopped) = oneshot::channel();
        let thread = projector
            .start(stopped.map(|_| ()))
            .map_err(|source| AppError::Machine {
                doing: "starting the projector",
                source,
            })?;
        let view = DatabaseView {
            projector: handle,
            queries: Queries::new(database.clone()),
        };
        Ok(Self {
            view,
            stop,
            thread,
            database,
        })
    }

    /// What others may know.
    pub(super) fn view(&self) -> DatabaseView {
        self.view.clone()
    }

    /// Catches up, for a bounded time, and lets go of the database.
    pub(super) async fn stop(self) {
        // A projector that has ended needs no telling.
        let _ = self.stop.send(());
        let thread = self.thread;
        match blocking("ending the projector", move || thread.join()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("the projector panicked"),
            Err(error) => tracing::error!(%error, "the projector did not end well"),
        }
        if let Err(error) = self.database.close().await {
            tracing::warn!(%error, "the database's connections did not end well");
        }
    }
}

/// The database as reads and health see it.
#[derive(Clone)]
pub(super) struct DatabaseView {
    projector: ProjectorHandle,
    queries: Queries,
}

impl DatabaseView {
    async fn find(
        &self,
        instrument: &Arc<Instrument>,
        id: &OrderId,
    ) -> Result<Option<OrderWithTrades>, QueryError> {
        let Some(order) = self.queries.order_by_id(instrument, id).await? else {
            return Ok(None);
        };
        let trades = self
            .queries
            .trades_of(instrument, order.placed, order.side)
            .await?;
        Ok(Some(OrderWithTrades { order, trades }))
    }
}

/// Only that there is no answer matters to who asked; why is for the log.
fn unanswered(error: QueryError) -> Unanswered {
    tracing::warn!(%error, "the database did not answer");
    Unanswered
}

impl Archive for DatabaseView {
    fn projected<'a>(
        &'a self,
        instrument: &'a Arc<Instrument>,
    ) -> BoxFuture<'a, Result<Sequence, Unanswered>> {
        let projected = self.projector.projected(instrument.id).ok_or(Unanswered);
        std::future::ready(projected).boxed()
    }

    fn order<'a>(
        &'a self,
        instrument: &'a Arc<Instrument>,
        id: &'a OrderId,
    ) -> BoxFuture<'a, Result<Option<OrderWithTrades>, Unanswered>> {
        self.find(instrument, id)
            .map(|found| found.map_err(unanswered))
            .boxed()
    }

    fn trades<'a>(
        &'a self,
        instrument: &'a Arc<Instrument>,
        before: Option<TradeNumber>,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Trade>>, Unanswered>> {
        let trades = self.queries.trades_before(instrument, before, count);
        trades.map(|trades| trades.map_err(unanswered)).boxed()
    }
}

impl DatabaseHealthSource for DatabaseView {
    fn database_health(&self) -> DatabaseHealth {
        let (status, reason) = match self.projector.database() {
            DatabaseState::Up => (DatabaseStatus::Up, None),
            DatabaseState::Down { reason } => (DatabaseStatus::Down, Some(reason)),
        };
        let lag = self.projector.lag(SystemClock.now());
        DatabaseHealth {
            status: Word(status),
            reason: Nullable(reason.map(|reason| Words(reason.into()))),
            lag_records: Nullable(lag.map(|lag| Count(lag.records))),
            lag_seconds: Nullable(lag.map(|lag| Count(lag.age.as_secs()))),
        }
    }
}

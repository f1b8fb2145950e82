//! The projector, and what reads and health learn of the database from it.

use std::sync::Arc;

use futures::FutureExt;
use shardbook_engine::checkpoint::CheckpointStore;
use shardbook_engine::exchange::Exchange;
use shardbook_engine::router::Router;
use shardbook_engine::time::Clock;
use shardbook_storage::background::Background;
use shardbook_storage::data_dir::DataDir;
use shardbook_storage::database::{Database, DatabaseUrl};
use shardbook_storage::projector::{
    Instruments, Projector, ProjectorError, ProjectorHandle, ProjectorLimits, ProjectorSetup,
};
use shardbook_storage::query::Queries;
use shardbook_storage::settlement::Settlements;
use shardbook_storage::snapshot::Snapshots;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{AppError, blocking};
use crate::settings::{Settings, SnapshotSettings};

/// The database that the settings name, or the file in the data directory.
fn url(named: Option<&DatabaseUrl>, data_dir: &DataDir) -> DatabaseUrl {
    named
        .cloned()
        .unwrap_or_else(|| DatabaseUrl::Sqlite(data_dir.database()))
}

/// The running projector.
pub(super) struct Projection {
    handle: ProjectorHandle,
    stop: oneshot::Sender<()>,
    projecting: JoinHandle<()>,
    background: Background,
    database: Database,
    /// Takes snapshots every so often, if that is wanted.
    snapshots: Option<JoinHandle<()>>,
}

impl Projection {
    /// Starts projecting. A database that is away is waited for in the background; one that
    /// belongs to another exchange is found out now.
    pub(super) async fn start(
        settings: &Settings,
        data_dir: &DataDir,
        exchange: Uuid,
        engine: &Exchange,
        checkpoints: Vec<Arc<dyn CheckpointStore>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, AppError> {
        let url = url(settings.database.as_ref(), data_dir);
        let machine = |source| AppError::Machine {
            doing: "starting the database's thread",
            source,
        };
        let background = Background::start("projector").map_err(machine)?;
        let database = Database::open_writing_in(&background, &url).await?;
        let instruments: Arc<dyn Instruments> = engine.router().clone();
        let (mut projector, handle) = Projector::new(ProjectorSetup {
            database: database.clone(),
            exchange,
            logs: engine.logs(),
            checkpoints,
            retention: settings.retention,
            clock: Arc::clone(clock),
            instruments,
            limits: ProjectorLimits::default(),
            on_refused: settings.on_refused,
        });
        let admission = background.spawn(async move {
            let admitted = projector.admit().await;
            (projector, admitted)
        });
        let (projector, admitted) = admission.await.map_err(|error| machine(error.into()))?;
        match admitted {
            Ok(()) => {}
            Err(ProjectorError::Refused(refused)) => {
                return Err(AppError::ForeignDatabase(refused));
            }
            Err(error) => tracing::warn!(%url, %error, "the database is not there yet"),
        }
        let (stop, stopped) = oneshot::channel();
        let projecting = background.spawn(projector.run(stopped.map(|_| ())));
        Ok(Self {
            handle,
            stop,
            projecting,
            background,
            database,
            snapshots: None,
        })
    }

    /// What others may know.
    pub(super) fn handle(&self) -> ProjectorHandle {
        self.handle.clone()
    }

    /// Has snapshots of the books taken from now on as often as was set, and when asked for.
    pub(super) fn take_snapshots(
        &mut self,
        settings: SnapshotSettings,
        router: &Arc<Router>,
        clock: &Arc<dyn Clock>,
    ) -> Snapshots {
        let snapshots = Snapshots::new(self.handle(), Arc::clone(clock), settings.kept);
        self.snapshots = settings.interval.map(|interval| {
            let taking = snapshots.clone().take_every(interval, Arc::clone(router));
            tokio::spawn(taking)
        });
        snapshots
    }

    /// Settles days in the database.
    pub(super) fn settlements(&self, exchange: Uuid) -> Settlements {
        Settlements::new(self.database.clone(), exchange)
    }

    /// Asks the database.
    pub(super) fn queries(&self) -> Queries {
        Queries::new(self.database.clone())
    }

    /// Catches up, for a bounded time, and lets go of the database.
    pub(super) async fn stop(self) {
        if let Some(snapshots) = self.snapshots {
            snapshots.abort();
        }
        // A projector that has ended needs no telling.
        let _ = self.stop.send(());
        if let Err(error) = self.projecting.await {
            tracing::error!(%error, "the projector did not end well");
        }
        if let Err(error) = self.database.close().await {
            tracing::warn!(%error, "the database's connections did not end well");
        }
        let background = self.background;
        match blocking("ending the database's thread", move || background.stop()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("the database's thread panicked"),
            Err(error) => tracing::error!(%error, "the database's thread did not end well"),
        }
    }
}

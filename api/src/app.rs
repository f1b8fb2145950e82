//! Puts the exchange together and takes it apart again.
//!
//! It starts from the inside out: the data directory, the control log, the journals, the shards
//! rebuilt from them, the projector, the feed, and last the socket; and stops from the outside
//! in, so that whatever was accepted is answered, durable and, as far as time allows, in the
//! database.

mod database;
mod error;
mod keys;
mod open;
mod running;
mod watchers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::access::AccessKey;
use shardbook_engine::day_closer::DayCloser;
use shardbook_engine::exchange::{CheckpointRequests, Exchange, ExchangeLimits, Setup};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::partition::{OnFatal, PartitionId};
use shardbook_engine::recovery::RecoveryReport;
use shardbook_engine::time::{Clock, SystemClock};
use shardbook_feed::feed::Feed;
use shardbook_feed::sink::RouterSink;
use shardbook_feed::status::FeedStatus;
use shardbook_storage::data_dir::DataDir;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use crate::access::keys::KeyRing;
use crate::access::limits::Limits;
use crate::access::{Access, Auth};
use crate::activity::ActivityLog;
use crate::archive::Archive;
use crate::clearing::Clearing;
use crate::control::Control;
use crate::journal_size::JournalSize;
use crate::listings::Listings;
use crate::metrics::Metrics;
use crate::server::{Listener, ServerLimits};
use crate::settings::Settings;
use crate::stream::StreamHub;

pub use self::error::AppError;
pub use self::keys::{CreateKeyError, create_key};

use self::database::Projection;
use self::open::Opened;
use self::running::Running;
use self::watchers::{Watchers, start_log};

/// How long clients of the streams may take to accept their last answers once the server stops.
const STREAMS_STOP_TIME_MAX: Duration = Duration::from_secs(8);

/// A running exchange.
pub struct App {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    feed: Feed,
    exchange: Exchange,
    projection: Projection,
    log: ActivityLog,
    /// Keeps every other process out until the end.
    _data_dir: DataDir,
}

impl App {
    /// Starts the exchange by the machine's clock; when this returns, it listens.
    ///
    /// `on_fatal` ends the process when the journal fails.
    ///
    /// # Errors
    /// When a setting can't be met, the journal is damaged, or the machine refuses.
    pub async fn start(settings: Settings, on_fatal: OnFatal) -> Result<Self, AppError> {
        Self::start_by(Arc::new(SystemClock), settings, on_fatal).await
    }

    /// The same by another clock, which stamps everything but what is Binance's: so that a day
    /// can end when a test says so.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_by(
        clock: Arc<dyn Clock>,
        settings: Settings,
        on_fatal: OnFatal,
    ) -> Result<Self, AppError> {
        let Opened {
            data_dir,
            exchange,
            control,
            instruments,
            journals,
            checkpoints,
        } = open::open(&settings, Arc::clone(&clock)).await?;
        let traded = traded(&instruments);
        let metrics = Metrics::new(traded.len())?;
        let known = control.keys().to_vec();
        let control = Control::new(control, Arc::clone(&on_fatal));
        let access = access(&settings, &known, control.clone(), &metrics, &clock)?;
        let hub = stream_hub(&settings);
        let log = start_log(settings.log_lines_per_second)?;
        let watchers = Arc::new(Watchers::new(&metrics, log.clone(), &hub, &traded));
        let setup = Setup {
            journals,
            checkpoints: checkpoints.clone(),
            instruments,
            limits: exchange_limits(&settings),
            clock: Arc::clone(&clock),
            publisher: watchers.clone(),
            observer: Arc::new(metrics.clone()),
            on_fatal,
        };
        let engine = blocking("replaying the journal", move || Exchange::start(setup)).await??;
        watchers.go_live();
        let on_listed = Arc::new(move |instrument: &_| watchers.include(instrument));
        let mut projection =
            Projection::start(&settings, &data_dir, exchange, &engine, checkpoints, &clock).await?;
        engine.trim_behind(Arc::new(projection.handle()));
        let (stop, stopped) = watch::channel(false);
        let clearing = start_clearing(&engine, &projection, exchange, &clock, &stopped).await;
        let sink = RouterSink::new(Arc::clone(engine.router()));
        let feed = Feed::start(settings.feed, traded, sink).await?;
        let listings = Listings::of(&engine, control, settings.partitions, on_listed, &clock);
        let running = Running {
            router: Arc::clone(engine.router()),
            feed: feed.status(),
            feed_handle: feed.handle(),
            archive: Archive::new(projection.queries(), projection.handle()),
            projector: projection.handle(),
            journal_size: JournalSize::watch(data_dir.root(), settings.journal_bytes_max),
            snapshots: projection.take_snapshots(settings.snapshots, engine.router(), &clock),
            hub,
            metrics,
            log: log.clone(),
            access,
            listings,
            clearing,
            clock,
            stopped: stopped.clone(),
        };
        let edge = running.serve_behind(settings.guard, settings.fault_injection);
        let listener = bind(settings.listen, settings.server).await?;
        let address = listener.address();
        let server = tokio::spawn(listener.serve(edge, stopped));
        Ok(Self {
            address,
            stop,
            server,
            feed,
            exchange: engine,
            projection,
            log,
            _data_dir: data_dir,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The way to checkpoints out of turn.
    #[must_use]
    pub const fn checkpoint_requests(&self) -> &CheckpointRequests {
        self.exchange.checkpoint_requests()
    }

    /// How the feed is doing.
    #[must_use]
    pub fn feed_status(&self) -> watch::Receiver<FeedStatus> {
        self.feed.status()
    }

    /// What bringing back each partition took.
    #[must_use]
    pub fn recovery(&self) -> &[RecoveryReport] {
        self.exchange.recovery()
    }

    /// Takes no more requests, finishes those under way, and ends once everything accepted is
    /// durable and answered.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server did not end well"),
            Err(error) => tracing::error!(%error, "the server did not end well"),
        }
        // Connections of the streams answer what they had under way; each holds a receiver.
        if timeout(STREAMS_STOP_TIME_MAX, self.stop.closed())
            .await
            .is_err()
        {
            tracing::warn!("some clients of the streams did not take their last answers in time");
        }
        self.feed.stop().await;
        self.exchange.stop().await;
        self.projection.stop().await;
        self.log.end();
    }
}

/// What streams read from, as large as set.
fn stream_hub(settings: &Settings) -> Arc<StreamHub> {
    let hub = StreamHub::new(settings.stream_events);
    Arc::new(hub.with_subscriptions_max(settings.subscriptions_max))
}

/// How much the exchange may hold, as set.
const fn exchange_limits(settings: &Settings) -> ExchangeLimits {
    ExchangeLimits {
        queue_length: settings.queue_length,
        shard: settings.shard,
        market_data: settings.market_data,
        checkpoint_records: settings.checkpoint_records,
    }
}

fn traded(instruments: &[(Arc<Instrument>, PartitionId)]) -> Vec<Arc<Instrument>> {
    let instruments = instruments.iter();
    instruments
        .map(|(instrument, _)| Arc::clone(instrument))
        .collect()
}

/// Who may do what, by the settings and by the keys that the control log has.
fn access(
    settings: &Settings,
    known: &[AccessKey],
    control: Control,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Access>, AppError> {
    let per_second = settings.requests_per_second;
    let keys = KeyRing::new(known, control, Arc::clone(clock), per_second);
    if settings.auth == Auth::On && !keys.has_admin() {
        tracing::warn!(
            "keys are asked for and no administrator has one; stop the server and make one with: \
             shardbook keys create --role admin --data-dir {}",
            settings.data_dir.display()
        );
    }
    let limits = Limits::new(settings.requests_per_second, metrics);
    let access = Access::new(settings.auth, keys, limits, Arc::clone(clock));
    access.map(Arc::new).map_err(|source| AppError::Machine {
        doing: "getting random numbers",
        source,
    })
}

async fn bind(address: SocketAddr, limits: ServerLimits) -> Result<Listener, AppError> {
    let bound = Listener::bind(address, limits).await;
    bound.map_err(|source| AppError::Listen { address, source })
}

/// Closes the days that were missed, before any order is taken; from then on closes and settles
/// each after its end.
async fn start_clearing(
    engine: &Exchange,
    projection: &Projection,
    exchange: Uuid,
    clock: &Arc<dyn Clock>,
    stopped: &watch::Receiver<bool>,
) -> Arc<Clearing> {
    let router = engine.router();
    let closer = DayCloser::new(Arc::clone(router), Arc::clone(clock));
    closer.close_days().await;
    let clearing = Arc::new(Clearing::new(
        Arc::clone(router),
        projection.handle(),
        projection.settlements(exchange),
        Arc::clone(clock),
    ));
    let (closed, closes) = watch::channel(None);
    tokio::spawn(closer.run(closed, stopped.clone()));
    tokio::spawn(Arc::clone(&clearing).run(closes, stopped.clone()));
    clearing
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| AppError::Machine {
            doing,
            source: std::io::Error::other(error),
        })
}

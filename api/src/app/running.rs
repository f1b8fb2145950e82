//! What calls are answered from, and the calls put before it.

use std::sync::Arc;

use poem::EndpointExt;
use shardbook_engine::router::Router;
use shardbook_engine::time::Clock;
use shardbook_feed::feed::FeedHandle;
use shardbook_feed::status::FeedStatus;
use shardbook_storage::projector::ProjectorHandle;
use shardbook_storage::snapshot::Snapshots;
use tokio::sync::watch;

use crate::access::{Access, Needs};
use crate::activity::ActivityLog;
use crate::archive::Archive;
use crate::calls::analytics::AnalyticsCalls;
use crate::calls::faults::Faults;
use crate::calls::halts::Halts;
use crate::calls::instruments::InstrumentCalls;
use crate::calls::keys::KeyCalls;
use crate::calls::market_data::MarketDataCalls;
use crate::calls::operations::Operations;
use crate::calls::orders::Orders;
use crate::calls::settlements::SettlementCalls;
use crate::calls::snapshots::SnapshotCalls;
use crate::clearing::Clearing;
use crate::edge::Edge;
use crate::guard::Guard;
use crate::health::ExchangeHealth;
use crate::journal_size::JournalSize;
use crate::listings::Listings;
use crate::metrics::{Metrics, Observed};
use crate::service::{Extra, service};
use crate::settings::FaultInjection;
use crate::stream::StreamHub;
use crate::stream::sse::EventCalls;
use crate::stream::websocket::WebSocketCalls;
use crate::trading::Trading;

/// What the calls are answered from.
pub(super) struct Running {
    pub(super) router: Arc<Router>,
    pub(super) feed: watch::Receiver<FeedStatus>,
    pub(super) feed_handle: FeedHandle,
    pub(super) archive: Archive,
    pub(super) projector: ProjectorHandle,
    pub(super) journal_size: JournalSize,
    pub(super) snapshots: Snapshots,
    pub(super) hub: Arc<StreamHub>,
    pub(super) metrics: Metrics,
    pub(super) log: ActivityLog,
    pub(super) access: Arc<Access>,
    pub(super) listings: Listings,
    pub(super) clearing: Arc<Clearing>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Running {
    pub(super) fn serve_behind(self, guard: Guard, faults: FaultInjection) -> Edge {
        let Self {
            router,
            feed,
            feed_handle,
            archive,
            projector,
            journal_size,
            snapshots,
            hub,
            metrics,
            log,
            access,
            listings,
            clearing,
            clock,
            stopped,
        } = self;
        Observed {
            router: Arc::clone(&router),
            feed: feed.clone(),
            projector: projector.clone(),
            journal_size: journal_size.clone(),
            hub: Arc::clone(&hub),
            log: log.clone(),
            clock: Arc::clone(&clock),
        }
        .register(&metrics);
        let health = ExchangeHealth {
            router: Arc::clone(&router),
            feed,
            projector,
            journal_size,
            clock: Arc::clone(&clock),
        };
        let trading = Trading::new(router, archive);
        let stream = WebSocketCalls::new(
            Arc::clone(&access),
            trading.clone(),
            Arc::clone(&hub),
            metrics.clone(),
            log.clone(),
            stopped.clone(),
        );
        let calls = (
            Orders::new(trading.clone(), metrics.clone(), log.clone()),
            MarketDataCalls::new(trading.clone()),
            AnalyticsCalls::new(trading.clone(), clock),
            SettlementCalls::new(clearing),
            EventCalls::new(trading.clone(), hub, stopped),
            InstrumentCalls::new(listings, feed_handle),
            Halts::new(trading.clone()),
            SnapshotCalls::new(trading.clone(), snapshots),
            KeyCalls::new(Arc::clone(&access)),
            Operations::new(Arc::new(health), metrics),
        );
        let stream = Extra {
            path: "/stream",
            needs: Needs::KeyNowOrLater,
            endpoint: stream.boxed(),
        };
        let edge = match faults {
            FaultInjection::Off => service(calls, vec![stream], guard, access),
            FaultInjection::On => {
                service((calls, Faults::new(trading)), vec![stream], guard, access)
            }
        };
        edge.with_log(log)
    }
}

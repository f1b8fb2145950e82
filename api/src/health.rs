//! Whether the exchange is well, put together from those who know.

use std::sync::Arc;

use tokio::sync::watch;

use shardbook_engine::router::{InstrumentHandle, Router, ShardStatus as EngineStatus};
use shardbook_feed::status::{FeedState, FeedStatus as EngineFeed};

use crate::decimal::TimestampText;
use crate::schema::Nullable;
use crate::schema::health::{
    DatabaseHealth, DatabaseStatus, FeedHealth, FeedStatus, HealthStatus, HealthView,
    JournalHealth, JournalStatus, ShardStatus, Shards,
};
use crate::schema::word::Word;

/// Something that knows whether the exchange is well.
pub trait HealthSource: Send + Sync {
    /// How it is now.
    fn health(&self) -> HealthView;
}

/// Something that knows whether the database is well.
pub trait DatabaseHealthSource: Send + Sync {
    /// How it is now.
    fn database_health(&self) -> DatabaseHealth;
}

/// Those who know.
pub struct ExchangeHealth {
    /// The shards.
    pub router: Arc<Router>,
    /// The feed.
    pub feed: watch::Receiver<EngineFeed>,
    /// The database.
    pub database: Arc<dyn DatabaseHealthSource>,
}

impl HealthSource for ExchangeHealth {
    fn health(&self) -> HealthView {
        let database = self.database.database_health();
        let handles = self.router.instruments();
        let shards: std::collections::BTreeMap<_, _> = handles
            .iter()
            .map(|handle| {
                let symbol = handle.instrument().symbol.to_string();
                (symbol, Word(shard_status(handle)))
            })
            .collect();
        let is_restarting = shards
            .values()
            .any(|status| status.0 == ShardStatus::Restarting);
        let is_degraded = is_restarting || database.status.0 == DatabaseStatus::Down;
        HealthView {
            status: Word(if is_degraded {
                HealthStatus::Degraded
            } else {
                HealthStatus::Ok
            }),
            // A journal that fails ends the process.
            journal: JournalHealth {
                status: Word(JournalStatus::Ok),
            },
            database,
            shards: Shards(shards),
            feed: feed_health(&self.feed.borrow()),
        }
    }
}

fn shard_status(handle: &InstrumentHandle) -> ShardStatus {
    match handle.status() {
        EngineStatus::Restarting => ShardStatus::Restarting,
        EngineStatus::Running if handle.market_data().read().is_halted() => ShardStatus::Halted,
        EngineStatus::Running => ShardStatus::Running,
    }
}

fn feed_health(feed: &EngineFeed) -> FeedHealth {
    let status = match feed.state {
        FeedState::Off => FeedStatus::Off,
        FeedState::Connecting => FeedStatus::Connecting,
        FeedState::Live => FeedStatus::Live,
        FeedState::Down => FeedStatus::Down,
        FeedState::Finished => FeedStatus::Finished,
    };
    FeedHealth {
        status: Word(status),
        last_message_at: Nullable(feed.last_message_at.map(TimestampText)),
    }
}

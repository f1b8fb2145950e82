//! Whether the exchange is well, put together from those who know.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use shardbook_engine::router::{InstrumentHandle, Router, ShardStatus as EngineStatus};
use shardbook_engine::time::Clock;
use shardbook_feed::status::{FeedState, FeedStatus as EngineFeed};

use shardbook_storage::projector::{DatabaseState, ProjectorHandle, Unanswered};

use crate::decimal::TimestampText;
use crate::journal_size::JournalSize;
use crate::schema::Nullable;
use crate::schema::health::{
    DatabaseHealth, DatabaseStatus, FeedHealth, FeedStatus, HealthStatus, HealthView,
    JournalHealth, JournalStatus, ShardStatus, Shards,
};
use crate::schema::text::{Count, Words};
use crate::schema::word::Word;

/// Something that knows whether the exchange is well.
pub trait HealthSource: Send + Sync {
    /// How it is now.
    fn health(&self) -> HealthView;
}

/// Those who know.
pub struct ExchangeHealth {
    /// The shards.
    pub router: Arc<Router>,
    /// The feed.
    pub feed: watch::Receiver<EngineFeed>,
    /// The database.
    pub projector: ProjectorHandle,
    /// The journal's files.
    pub journal_size: JournalSize,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl HealthSource for ExchangeHealth {
    fn health(&self) -> HealthView {
        let database = self.database();
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
        let has_room = handles.iter().all(|handle| handle.has_room());
        // Down, or up and owing an answer.
        let excess = self.journal_size.excess();
        let is_degraded = is_restarting || database.reason.0.is_some() || excess.is_some();
        HealthView {
            status: Word(if !has_room {
                HealthStatus::Unavailable
            } else if is_degraded {
                HealthStatus::Degraded
            } else {
                HealthStatus::Ok
            }),
            // A journal that fails ends the process; one without room waits for it.
            journal: JournalHealth {
                status: Word(if has_room {
                    JournalStatus::Ok
                } else {
                    JournalStatus::Unavailable
                }),
                reason: Nullable(excess.map(Words::from)),
                bytes: Count(self.journal_size.bytes()),
            },
            database,
            shards: Shards(shards),
            feed: feed_health(&self.feed.borrow()),
        }
    }
}

impl ExchangeHealth {
    fn database(&self) -> DatabaseHealth {
        let lag = self.projector.lag(self.clock.now());
        let (status, reason) = match self.projector.database() {
            DatabaseState::Up => (DatabaseStatus::Up, self.unanswered()),
            DatabaseState::Down { reason } => (DatabaseStatus::Down, Some(reason)),
        };
        DatabaseHealth {
            status: Word(status),
            reason: Nullable(reason.map(Words::from)),
            lag_records: Nullable(lag.map(|lag| Count(lag.records))),
            lag_seconds: Nullable(lag.map(|lag| Count(lag.age.as_secs()))),
        }
    }
}

impl ExchangeHealth {
    fn unanswered(&self) -> Option<String> {
        let Unanswered { doing, waited } = self.projector.unanswered()?;
        Some(format!("no answer for {} s: {doing}", waited.as_secs()))
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
    let counts = &feed.counts;
    let milliseconds = |lag: Duration| Count(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
    FeedHealth {
        status: Word(status),
        last_message_at: Nullable(feed.last_message_at.map(TimestampText)),
        lag_milliseconds: Nullable(feed.lag.map(milliseconds)),
        messages: Count(counts.messages),
        trades: Count(counts.trades),
        mirror_updates: Count(counts.mirror_updates),
        skipped: Count(counts.skipped.values().sum()),
        gaps: Count(counts.gaps),
        trades_filled: Count(counts.trades_filled),
        trades_missed: Count(counts.trades_missed),
        reconnects: Count(counts.reconnects),
    }
}

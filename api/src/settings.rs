//! How the exchange is set up: from the command line, the environment and a settings file, each
//! beating the next.
//!
//! Everything is checked before anything is started. What is wrong stops the start with the
//! setting, the value given and what is allowed.

mod access;
mod command_line;
mod error;
mod feed;
mod given;
mod instrument;
mod log;
mod retention;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use shardbook_engine::instrument::InstrumentSpecification;
use shardbook_engine::market_data::MarketDataLimits;
use shardbook_engine::shard::ShardLimits;
use shardbook_feed::feed::FeedConfig;
use shardbook_storage::database::DatabaseUrl;
use shardbook_storage::journal::JournalOptions;
use shardbook_storage::projector::{OnRefused, Retention};

pub use command_line::{
    CommandLine, JournalArguments, JournalCommand, KeyArguments, KeysCommand, RecordArguments,
    ServeArguments, Subcommand,
};
pub use error::SettingsError;
pub use log::LogFormat;
pub use retention::SnapshotSettings;

use crate::access::Auth;
use crate::guard::Guard;
use crate::server::ServerLimits;
use crate::settings::given::Given;
use crate::stream::hub::{EVENTS_KEPT, SUBSCRIPTIONS_MAX};

/// Most partitions: each has a writer thread of its own, and a disk gains nothing from more.
const PARTITIONS_MAX: u32 = 64;

/// Some second of replaying.
const CHECKPOINT_RECORDS_DEFAULT: u64 = 1_000_000;

/// Fewer, and checkpoints would be all that a busy exchange does.
const CHECKPOINT_RECORDS_MIN: u64 = 1_000;

/// A quarter of an hour of replaying.
const CHECKPOINT_RECORDS_MAX: u64 = 1_000_000_000;

/// An hour: who is slower than that is not coming.
const REQUEST_SECONDS_MAX: u64 = 3_600;

/// Bounds of the settings that are numbers of things in memory.
const COUNT_MAX: usize = 100_000_000;

/// Far more than there is while the database keeps up, which is what lies between two checkpoints;
/// and room to do something about it on a usual disk.
const JOURNAL_BYTES_MAX_DEFAULT: u64 = 10 * 1024 * 1024 * 1024;

/// Two of the smallest files, which are always there.
const JOURNAL_BYTES_MAX_LEAST: u64 = 2 * JournalOptions::SEGMENT_BYTES_MIN;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where everything durable stands.
    pub data_dir: PathBuf,
    /// The database; a SQLite file in the data directory if not set.
    pub database: Option<DatabaseUrl>,
    /// What becomes of a database that is another exchange's.
    pub on_refused: OnRefused,
    /// The market data that drives the exchange.
    pub feed: FeedConfig,
    /// What can be traded, in the order in which it is shown.
    pub instruments: Vec<InstrumentSpecification>,
    /// Logs that the instruments are split over.
    pub partitions: u32,
    /// The partitions' files.
    pub journal: JournalOptions,
    /// Commands that a partition journals from one checkpoint to the next. A start replays about
    /// so many at most, a second's worth by default; each checkpoint writes every instrument anew
    /// that had any of them.
    pub checkpoint_records: u64,
    /// Commands that may wait for one shard.
    pub queue_length: usize,
    /// A shard's windows.
    pub shard: ShardLimits,
    /// What reads are answered from.
    pub market_data: MarketDataLimits,
    /// Events of an instrument that streams can be resumed from.
    pub stream_events: usize,
    /// Subscriptions to events that there may be at once.
    pub subscriptions_max: usize,
    /// How long the database keeps closed orders.
    pub retention: Retention,
    /// Bytes of the journal's files on disk that are told of when there are more.
    pub journal_bytes_max: u64,
    /// Snapshots of the books.
    pub snapshots: SnapshotSettings,
    /// What clients may take up.
    pub server: ServerLimits,
    /// Which hosts and origins are the server's own.
    pub guard: Guard,
    /// Whether keys are asked for.
    pub auth: Auth,
    /// Units a second that each client may use; `None` for as many as it likes.
    pub requests_per_second: Option<NonZeroU32>,
    /// Whether tests may make it fail.
    pub fault_injection: FaultInjection,
    /// How the log looks.
    pub log_format: LogFormat,
    /// What of it is written, as `tracing`'s filter directives.
    pub log_filter: String,
    /// Lines about orders and requests that it gets in a second at most.
    pub log_lines_per_second: NonZeroU32,
}

/// Whether faults can be injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultInjection {
    /// They can't: the call does not exist.
    #[default]
    Off,
    /// They can, by whoever may call at all.
    On,
}

impl Settings {
    /// Puts the settings together and checks them.
    ///
    /// # Errors
    /// When one is wrong, or the settings file can't be read.
    pub fn read(arguments: &ServeArguments) -> Result<Self, SettingsError> {
        let file = given::File::read(arguments.config.as_deref())?;
        Self::check(&Given {
            flags: arguments,
            file: &file,
        })
    }

    fn check(given: &Given<'_>) -> Result<Self, SettingsError> {
        let settings = Self {
            listen: given.parsed(
                "listen",
                "an address and port, as 127.0.0.1:8080",
                default_listen,
            )?,
            data_dir: given.text("data_dir").unwrap_or("./data".to_owned()).into(),
            database: given.optional(
                "database_url",
                "sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE",
                |text| text.parse().ok(),
            )?,
            on_refused: on_refused(given)?,
            feed: feed::feed(given)?,
            instruments: instrument::all(&given.file.instruments)?,
            partitions: given.number("partitions", 1, 1..=PARTITIONS_MAX)?,
            journal: JournalOptions {
                segment_bytes: given.number(
                    "journal_segment_bytes",
                    JournalOptions::SEGMENT_BYTES_DEFAULT,
                    JournalOptions::SEGMENT_BYTES_MIN..=JournalOptions::SEGMENT_BYTES_MAX,
                )?,
            },
            checkpoint_records: given.number(
                "checkpoint_records",
                CHECKPOINT_RECORDS_DEFAULT,
                CHECKPOINT_RECORDS_MIN..=CHECKPOINT_RECORDS_MAX,
            )?,
            queue_length: given.number("queue_length", 4_096, 1..=1_000_000)?,
            shard: shard(given)?,
            market_data: MarketDataLimits {
                closed_orders: given.number(
                    "closed_orders_in_memory",
                    MarketDataLimits::default().closed_orders,
                    0..=COUNT_MAX,
                )?,
                trades: given.number(
                    "trades_in_memory",
                    MarketDataLimits::default().trades,
                    0..=COUNT_MAX,
                )?,
            },
            stream_events: given.number("stream_events", EVENTS_KEPT, 1..=COUNT_MAX)?,
            subscriptions_max: given.number(
                "subscriptions_max",
                SUBSCRIPTIONS_MAX,
                1..=COUNT_MAX,
            )?,
            retention: retention::retention(given)?,
            journal_bytes_max: given.number(
                "journal_bytes_max",
                JOURNAL_BYTES_MAX_DEFAULT,
                JOURNAL_BYTES_MAX_LEAST..=u64::MAX,
            )?,
            snapshots: retention::snapshots(given)?,
            server: server_limits(given)?,
            guard: access::guard(given)?,
            auth: access::auth(given)?,
            requests_per_second: access::requests_per_second(given)?,
            fault_injection: fault_injection(given)?,
            log_format: log::format(given)?,
            log_filter: log::filter(given)?,
            log_lines_per_second: log::lines_per_second(given)?,
        };
        settings.check_exposure(given)?;
        Ok(settings)
    }

    /// Without keys, whoever reaches the server may trade: it is not opened to others by
    /// accident.
    fn check_exposure(&self, given: &Given<'_>) -> Result<(), SettingsError> {
        let told = given.optional("open_to_everyone", "true or false", |text| {
            bool::from_str(text).ok()
        })?;
        if self.listen.ip().is_loopback() || self.auth == Auth::On || told == Some(true) {
            return Ok(());
        }
        Err(SettingsError::wrong(
            "listen",
            self.listen,
            "a loopback address, as 127.0.0.1:8080; with keys (--auth on) any address; with \
             open_to_everyone (--open-to-everyone) any address too, and then everyone who reaches \
             it may trade",
        ))
    }
}

const fn default_listen() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080)
}

fn server_limits(given: &Given<'_>) -> Result<ServerLimits, SettingsError> {
    let defaults = ServerLimits::default();
    let seconds = defaults.request_time_max.as_secs();
    let seconds = given.number("request_seconds_max", seconds, 1..=REQUEST_SECONDS_MAX)?;
    let connections = defaults.connections_max;
    Ok(ServerLimits {
        connections_max: given.number("connections_max", connections, 1..=COUNT_MAX)?,
        request_time_max: Duration::from_secs(seconds),
    })
}

fn on_refused(given: &Given<'_>) -> Result<OnRefused, SettingsError> {
    let accepted = given.optional("accept_new_database", "true or false", |text| {
        bool::from_str(text).ok()
    })?;
    Ok(match accepted {
        Some(true) => OnRefused::StartOver,
        Some(false) | None => OnRefused::LeaveAlone,
    })
}

fn shard(given: &Given<'_>) -> Result<ShardLimits, SettingsError> {
    let default = ShardLimits::default();
    let hours = retention::idempotency_hours(given)?;
    Ok(ShardLimits {
        open_orders_per_client: given.number(
            "open_orders_per_client",
            default.open_orders_per_client,
            1..=COUNT_MAX,
        )?,
        order_ids: given.number("order_ids", default.order_ids, 1..=COUNT_MAX)?,
        idempotency_keys: given.number(
            "idempotency_keys",
            default.idempotency_keys,
            1..=COUNT_MAX,
        )?,
        idempotency_age: Duration::from_secs(hours * 60 * 60),
    })
}

fn fault_injection(given: &Given<'_>) -> Result<FaultInjection, SettingsError> {
    let fault_injection =
        given.optional("fault_injection", "true or false", |text| match text {
            "true" => Some(FaultInjection::On),
            "false" => Some(FaultInjection::Off),
            _ => None,
        })?;
    Ok(fault_injection.unwrap_or_default())
}

#[cfg(test)]
mod tests;

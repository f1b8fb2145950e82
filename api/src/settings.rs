//! How the exchange is set up: from the command line, the environment and a settings file, each
//! beating the next.
//!
//! Everything is checked before anything is started. What is wrong stops the start with the
//! setting, the value given and what is allowed.

mod command_line;
mod error;
mod given;
mod instrument;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use shardbook_engine::instrument::InstrumentSpecification;
use shardbook_engine::market_data::MarketDataLimits;
use shardbook_engine::shard::ShardLimits;
use shardbook_feed::feed::FeedConfig;
use shardbook_feed::source::{BinanceSource, FileSource, Pace, SimulatedSource, Source};
use shardbook_storage::database::DatabaseUrl;
use shardbook_storage::journal::JournalOptions;
use shardbook_storage::projector::{OnRefused, Retention};

pub use command_line::{
    CommandLine, JournalArguments, JournalCommand, KeyArguments, KeysCommand, RecordArguments,
    ServeArguments, Subcommand,
};
pub use error::SettingsError;

use crate::access::Auth;
use crate::access::limits::RATE_MAX;
use crate::guard::{Authority, Guard, WebOrigin};
use crate::server::ServerLimits;
use crate::settings::given::Given;
use crate::stream::hub::{EVENTS_KEPT, SUBSCRIPTIONS_MAX};

/// Most partitions: each has a writer thread of its own, and a disk gains nothing from more.
const PARTITIONS_MAX: u32 = 64;

/// Most levels a side that Binance sends a snapshot of.
const LIQUIDITY_LEVELS_MAX: usize = 5_000;

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

/// Binance's trades are Binance's to keep: a week of them, and of the depth they met, is enough to
/// look back at.
const FEED_RETENTION_DAYS_DEFAULT: u64 = 7;

/// A century.
const RETENTION_DAYS_MAX: u64 = 36_500;

/// Far more than there is while the database keeps up, which is what lies between two checkpoints;
/// and room to do something about it on a usual disk.
const JOURNAL_BYTES_MAX_DEFAULT: u64 = 10 * 1024 * 1024 * 1024;

/// Two of the smallest files, which are always there.
const JOURNAL_BYTES_MAX_LEAST: u64 = 2 * JournalOptions::SEGMENT_BYTES_MIN;

/// A book that follows Binance's, 2,000 orders deep, is a megabyte of JSON: an hour's makes little
/// of the database, and finds a book again that someone asks about the next day.
const SNAPSHOT_INTERVAL_SECONDS_DEFAULT: u64 = 60 * 60;

/// A month.
const SNAPSHOT_INTERVAL_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// Two days' worth at the default interval.
const SNAPSHOTS_KEPT_DEFAULT: u64 = 48;

/// One a minute for two years.
const SNAPSHOTS_KEPT_MAX: u64 = 1_000_000;

/// Units a second that each client may use unless set otherwise.
const REQUESTS_PER_SECOND_DEFAULT: u32 = 5_000;

/// Lines about orders and requests that the log gets in a second at most unless set otherwise:
/// two for each order of the load that the exchange is measured at (2,000 a second), and more than
/// as many again.
const LOG_LINES_PER_SECOND_DEFAULT: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// What of the log is written unless set otherwise. Migrations are looked for at every start and
/// at every stop, and tell of it each time.
const LOG_FILTER: &str = "info,sea_orm_migration=warn";

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

/// Snapshots of the books in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// How often one is taken of each instrument that anything happened on; `None` only when
    /// asked for.
    pub interval: Option<Duration>,
    /// How many of each instrument the database keeps, the newest, whoever asked for them.
    pub kept: u64,
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

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
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
            feed: feed(given)?,
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
            retention: retention(given)?,
            journal_bytes_max: given.number(
                "journal_bytes_max",
                JOURNAL_BYTES_MAX_DEFAULT,
                JOURNAL_BYTES_MAX_LEAST..=u64::MAX,
            )?,
            snapshots: snapshots(given)?,
            server: server_limits(given)?,
            guard: guard(given)?,
            auth: auth(given)?,
            requests_per_second: requests_per_second(given)?,
            fault_injection: fault_injection(given)?,
            log_format: log_format(given)?,
            log_filter: log_filter(given)?,
            log_lines_per_second: log_lines_per_second(given)?,
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

fn feed(given: &Given<'_>) -> Result<FeedConfig, SettingsError> {
    let pace = given
        .optional(
            "feed_speed",
            "max, or a number above 0 (1 is real time)",
            |text| Pace::from_str(text).ok(),
        )?
        .unwrap_or(Pace::Times(1.0));
    let seed = given.optional("feed_seed", "a whole number", |text| text.parse().ok())?;
    let url = |name, default: String, schemes: [&'static str; 2]| {
        let allowed = format!(
            "an address that begins with {} or {}",
            schemes[0], schemes[1]
        );
        let url = given.optional(name, &allowed, |text| {
            schemes
                .iter()
                .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
                .then(|| text.trim_end_matches('/').to_owned())
        })?;
        Ok::<_, SettingsError>(url.unwrap_or(default))
    };
    let binance = BinanceSource::default();
    let binance = BinanceSource {
        websocket_url: url("binance_ws_url", binance.websocket_url, ["wss://", "ws://"])?,
        rest_url: url(
            "binance_rest_url",
            binance.rest_url,
            ["https://", "http://"],
        )?,
        ..BinanceSource::default()
    };
    let source = given.text("feed").unwrap_or("binance".to_owned());
    let source = match (source.as_str(), source.strip_prefix("file:")) {
        ("binance", _) => Source::Binance(binance),
        ("off", _) => Source::Off,
        ("simulated", _) => Source::Simulated(SimulatedSource {
            seed: seed.unwrap_or(SimulatedSource::default().seed),
            ..SimulatedSource::default()
        }),
        (_, Some(path)) if !path.is_empty() => Source::File(FileSource {
            path: path.into(),
            symbol: given.optional("feed_symbol", "a symbol of Binance's, as BTCUSDT", |text| {
                let is_symbol =
                    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
                is_symbol.then(|| text.to_ascii_uppercase())
            })?,
            pace,
        }),
        _ => {
            let allowed = "binance, simulated, file:PATH or off";
            return Err(SettingsError::wrong("feed", source, allowed));
        }
    };
    Ok(FeedConfig {
        source,
        liquidity_levels: given.number("feed_liquidity_levels", 1_000, 0..=LIQUIDITY_LEVELS_MAX)?,
    })
}

fn shard(given: &Given<'_>) -> Result<ShardLimits, SettingsError> {
    let default = ShardLimits::default();
    let hours = idempotency_hours(given)?;
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

/// A request that is repeated within its key's time is answered with its first trades again, so
/// they stay for as long at least.
fn retention(given: &Given<'_>) -> Result<Retention, SettingsError> {
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    let name = "database_retention_days";
    let least = idempotency_hours(given)?.div_ceil(24).max(1);
    let allowed = format!(
        "a whole number from {least} to {RETENTION_DAYS_MAX}, or nothing to keep everything; \
         idempotency_hours, in days, is the least"
    );
    let orders = given.optional(name, &allowed, |text| {
        let given = text.parse().ok();
        given.filter(|days| (least..=RETENTION_DAYS_MAX).contains(days))
    })?;
    let feed = given.number(
        "feed_retention_days",
        FEED_RETENTION_DAYS_DEFAULT,
        0..=RETENTION_DAYS_MAX,
    )?;
    Ok(Retention {
        orders: orders.map(days),
        feed: (feed > 0).then(|| days(feed)),
    })
}

fn idempotency_hours(given: &Given<'_>) -> Result<u64, SettingsError> {
    given.number("idempotency_hours", 24, 1..=24 * 365)
}

fn snapshots(given: &Given<'_>) -> Result<SnapshotSettings, SettingsError> {
    let seconds = given.number(
        "snapshot_interval_seconds",
        SNAPSHOT_INTERVAL_SECONDS_DEFAULT,
        0..=SNAPSHOT_INTERVAL_SECONDS_MAX,
    )?;
    Ok(SnapshotSettings {
        interval: (seconds > 0).then(|| Duration::from_secs(seconds)),
        kept: given.number(
            "snapshots_kept",
            SNAPSHOTS_KEPT_DEFAULT,
            1..=SNAPSHOTS_KEPT_MAX,
        )?,
    })
}

fn guard(given: &Given<'_>) -> Result<Guard, SettingsError> {
    let hosts = given.list(
        "allowed_hosts",
        "names with or without a port, as exchange.example, separated by commas",
        Authority::parse,
    )?;
    let origins = given.list(
        "allowed_origins",
        "origins, as https://exchange.example, separated by commas",
        WebOrigin::parse,
    )?;
    Ok(Guard::new(hosts, origins))
}

fn auth(given: &Given<'_>) -> Result<Auth, SettingsError> {
    let auth = given.optional("auth", "on or off", |text| match text {
        "on" => Some(Auth::On),
        "off" => Some(Auth::Off),
        _ => None,
    })?;
    Ok(auth.unwrap_or(Auth::Off))
}

/// None where there is no limit.
fn requests_per_second(given: &Given<'_>) -> Result<Option<NonZeroU32>, SettingsError> {
    let (default, most) = (REQUESTS_PER_SECOND_DEFAULT, RATE_MAX.get());
    let requests = given.number("requests_per_second", default, 0..=most)?;
    Ok(NonZeroU32::new(requests))
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

fn log_format(given: &Given<'_>) -> Result<LogFormat, SettingsError> {
    let format = given.optional("log_format", "human or json", |text| match text {
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    })?;
    Ok(format.unwrap_or_default())
}

fn log_lines_per_second(given: &Given<'_>) -> Result<NonZeroU32, SettingsError> {
    let (default, most) = (LOG_LINES_PER_SECOND_DEFAULT, u32::MAX);
    let lines = given.number("log_lines_per_second", default.get(), 1..=most)?;
    Ok(NonZeroU32::new(lines).unwrap_or(default))
}

fn log_filter(given: &Given<'_>) -> Result<String, SettingsError> {
    let allowed = "tracing's filter directives, as info or shardbook_api=debug,warn";
    let filter = given.optional("log_filter", allowed, |text| {
        text.parse::<tracing_subscriber::filter::Targets>()
            .ok()
            .map(|_| text.to_owned())
    })?;
    Ok(filter.unwrap_or(LOG_FILTER.to_owned()))
}

#[cfg(test)]
mod tests;

//! The command line, with the environment beside it.

#![allow(
    rustdoc::bare_urls,
    reason = "the command line's help is made of these comments and shows them as they are"
)]

use std::path::PathBuf;

use clap::{Args, Parser};

/// What stands below the flags of `serve`.
const SERVE_HELP: &str = "\
Each flag is a variable of the environment and a key of the settings file too (--queue-length is
SHARDBOOK_QUEUE_LENGTH and queue_length); a flag beats the environment, which beats the file.
Instruments stand in the file alone.

  shardbook serve --feed off                 an empty exchange on http://127.0.0.1:8080
  shardbook serve --feed simulated           with a random market; needs no network
  shardbook serve --config shardbook.toml    with settings and instruments of a file";

/// The exchange's command line.
#[derive(Debug, Parser)]
#[command(
    name = "shardbook",
    version,
    about = "A multi-instrument exchange in one binary"
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Subcommand,
}

/// What the binary can do.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Run the exchange
    #[command(allow_negative_numbers = true, after_help = SERVE_HELP)]
    Serve(Box<ServeArguments>),
    /// Look at the journal of an exchange that is not being served
    Journal {
        /// What to do with it.
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Make keys of an exchange that is not being served
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Write the live feed's messages to a file that --feed file:PATH plays
    Record(RecordArguments),
    /// Print the OpenAPI document as YAML
    Openapi,
}

/// What to record, and where to. Ends with SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub struct RecordArguments {
    /// The file; gzipped if its name ends with .gz. What stands in it is kept, and recorded on to
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The settings file, whose instruments' binance_symbols are recorded
    #[arg(long, value_name = "FILE", env = "SHARDBOOK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where Binance's streams are [default: wss://data-stream.binance.vision]
    #[arg(long, value_name = "URL", env = "SHARDBOOK_BINANCE_WS_URL")]
    pub binance_ws_url: Option<String>,
    /// Where Binance's REST API is [default: https://data-api.binance.vision]
    #[arg(long, value_name = "URL", env = "SHARDBOOK_BINANCE_REST_URL")]
    pub binance_rest_url: Option<String>,
    /// What of the log is written, as info or shardbook_feed=debug,warn [default: info]
    #[arg(long, value_name = "DIRECTIVES", env = "RUST_LOG")]
    pub log_filter: Option<String>,
}

impl RecordArguments {
    /// The same as settings of the exchange, whose other settings do not matter.
    #[must_use]
    pub fn settings(&self) -> ServeArguments {
        ServeArguments {
            config: self.config.clone(),
            feed: Some(String::from("binance")),
            binance_ws_url: self.binance_ws_url.clone(),
            binance_rest_url: self.binance_rest_url.clone(),
            log_filter: self.log_filter.clone(),
            ..ServeArguments::default()
        }
    }
}

/// What can be done with a journal. Neither changes anything.
#[derive(Debug, clap::Subcommand)]
pub enum JournalCommand {
    /// Check every log and print what it holds
    Verify(JournalArguments),
    /// Print every record as a line of JSON
    Dump(JournalArguments),
}

/// What can be done with keys; once the exchange is served, `/admin/keys` does the rest.
#[derive(Debug, clap::Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it, this once
    Create(KeyArguments),
}

/// Which key.
#[derive(Debug, Args)]
pub struct KeyArguments {
    /// How much it may do: reader, trader or admin
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Whom it acts for; a reader's and a trader's key must have a client
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Where everything durable stands
    #[arg(
        long,
        value_name = "DIRECTORY",
        env = "SHARDBOOK_DATA_DIR",
        default_value = "./data"
    )]
    pub data_dir: PathBuf,
}

/// Which journal.
#[derive(Debug, Args)]
pub struct JournalArguments {
    /// Where everything durable stands
    #[arg(
        long,
        value_name = "DIRECTORY",
        env = "SHARDBOOK_DATA_DIR",
        default_value = "./data"
    )]
    pub data_dir: PathBuf,
}

/// Declares the settings that are flags, variables of the environment and keys of the settings
/// file alike, all texts until they are checked together.
macro_rules! serve_arguments {
    ($( $(#[doc = $doc:literal])+ $(#[arg($($arg:tt)*)])? $name:ident: $value:literal, $env:literal; )+) => {
        /// The flags of `shardbook serve`. Each is a variable of the environment and a key of the
        /// settings file too; a flag beats the environment, which beats the file.
        #[derive(Clone, Debug, Default, Args)]
        pub struct ServeArguments {
            /// The settings file, as shardbook.toml
            #[arg(long, value_name = "FILE", env = "SHARDBOOK_CONFIG")]
            pub config: Option<PathBuf>,
            $(
                $(#[doc = $doc])+
                #[arg(long, value_name = $value, env = $env $(, $($arg)*)?)]
                pub $name: Option<String>,
            )+
        }

        impl ServeArguments {
            pub(super) fn get(&self, name: &str) -> Option<&str> {
                match name {
                    $( stringify!($name) => self.$name.as_deref(), )+
                    _ => None,
                }
            }
        }

        /// The settings file.
        #[derive(Clone, Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct FileSettings {
            #[serde(default)]
            pub(super) instruments: Vec<super::instrument::InstrumentTable>,
            $( pub(super) $name: Option<super::given::Scalar>, )+
        }

        impl FileSettings {
            pub(super) fn get(&self, name: &str) -> Option<&super::given::Scalar> {
                match name {
                    $( stringify!($name) => self.$name.as_ref(), )+
                    _ => None,
                }
            }
        }
    };
}

serve_arguments! {
    /// Where to listen [default: 127.0.0.1:8080]
    listen: "ADDRESS", "SHARDBOOK_LISTEN";
    /// Where everything durable stands [default: ./data]
    data_dir: "DIRECTORY", "SHARDBOOK_DATA_DIR";
    /// The database, sqlite://… or postgres://… [default: a file in the data directory]
    database_url: "URL", "DATABASE_URL";
    /// Delete all that another exchange's database holds, and project into it from the oldest record or checkpoint held
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    accept_new_database: "BOOLEAN", "SHARDBOOK_ACCEPT_NEW_DATABASE";
    /// The market data that drives the exchange: binance, simulated, file:PATH or off [default: binance]
    feed: "SOURCE", "SHARDBOOK_FEED";
    /// How fast a file is played: a number, 1 is real time, or max [default: 1]
    feed_speed: "SPEED", "SHARDBOOK_FEED_SPEED";
    /// What a CSV file of trades is of, if its name does not begin with it, as BTCUSDT
    feed_symbol: "SYMBOL", "SHARDBOOK_FEED_SYMBOL";
    /// How many levels a side of Binance's depth to mirror; 0 is none [default: 1000]
    feed_liquidity_levels: "NUMBER", "SHARDBOOK_FEED_LIQUIDITY_LEVELS";
    /// The simulated market's seed; the same seed gives the same market [default: 1]
    feed_seed: "NUMBER", "SHARDBOOK_FEED_SEED";
    /// Where Binance's streams are [default: wss://data-stream.binance.vision]
    binance_ws_url: "URL", "SHARDBOOK_BINANCE_WS_URL";
    /// Where Binance's snapshots are [default: https://data-api.binance.vision]
    binance_rest_url: "URL", "SHARDBOOK_BINANCE_REST_URL";
    /// Whether requests need a key: on or off [default: off]
    auth: "ON_OR_OFF", "SHARDBOOK_AUTH";
    /// Requests and orders a second that each client (its key, where there are keys) may send, in bursts of twice that; 0 is any number [default: 5000]
    requests_per_second: "NUMBER", "SHARDBOOK_REQUESTS_PER_SECOND";
    /// Serve without keys on an address that is not loopback: everyone who reaches it may trade
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    open_to_everyone: "BOOLEAN", "SHARDBOOK_OPEN_TO_EVERYONE";
    /// Host names that are the server's own, beside localhost and addresses
    allowed_hosts: "NAMES", "SHARDBOOK_ALLOWED_HOSTS";
    /// Origins whose web pages may use the exchange
    allowed_origins: "ORIGINS", "SHARDBOOK_ALLOWED_ORIGINS";
    /// Connections that clients may have open at once [default: 20000]
    connections_max: "NUMBER", "SHARDBOOK_CONNECTIONS_MAX";
    /// Seconds in which a request's head must have come, and then its body; an idle connection is
    /// closed after as many [default: 60]
    request_seconds_max: "SECONDS", "SHARDBOOK_REQUEST_SECONDS_MAX";
    /// Logs that the instruments are split over, each with a writer of its own [default: 1]
    partitions: "NUMBER", "SHARDBOOK_PARTITIONS";
    /// Bytes of one file of a journal; two or more are on disk at any time [default: 67108864]
    journal_segment_bytes: "BYTES", "SHARDBOOK_JOURNAL_SEGMENT_BYTES";
    /// A checkpoint is made every so many journaled commands; a start replays those after it [default: 1000000]
    checkpoint_records: "NUMBER", "SHARDBOOK_CHECKPOINT_RECORDS";
    /// Commands that may wait for one instrument; more are answered 503 at once [default: 4096]
    queue_length: "NUMBER", "SHARDBOOK_QUEUE_LENGTH";
    /// Closed orders that each instrument keeps in memory [default: 10000]
    closed_orders_in_memory: "NUMBER", "SHARDBOOK_CLOSED_ORDERS_IN_MEMORY";
    /// Trades that each instrument keeps in memory, with which its closed orders are shown; older ones are asked of the database [default: 10000]
    trades_in_memory: "NUMBER", "SHARDBOOK_TRADES_IN_MEMORY";
    /// Open orders that a client may have on an instrument [default: 100000]
    open_orders_per_client: "NUMBER", "SHARDBOOK_OPEN_ORDERS_PER_CLIENT";
    /// Closed orders of an instrument whose ids can't be used again [default: 1000000]
    order_ids: "NUMBER", "SHARDBOOK_ORDER_IDS";
    /// Orders of an instrument whose idempotency keys are kept [default: 1000000]
    idempotency_keys: "NUMBER", "SHARDBOOK_IDEMPOTENCY_KEYS";
    /// For how many hours they are kept at most [default: 24]
    idempotency_hours: "NUMBER", "SHARDBOOK_IDEMPOTENCY_HOURS";
    /// Events of an instrument that streams can be resumed from [default: 10000]
    stream_events: "NUMBER", "SHARDBOOK_STREAM_EVENTS";
    /// Subscriptions to events that there may be at once, one for each instrument that a connection watches; more are answered 503 [default: 100000]
    subscriptions_max: "NUMBER", "SHARDBOOK_SUBSCRIPTIONS_MAX";
    /// Days that the database keeps closed orders, with their events and trades; open ones, and sums by day and minute, stay [default: for good]
    database_retention_days: "DAYS", "SHARDBOOK_DATABASE_RETENTION_DAYS";
    /// The same for the feed's own orders; 0 is as long as everyone's [default: 7]
    feed_retention_days: "DAYS", "SHARDBOOK_FEED_RETENTION_DAYS";
    /// Bytes of the journal's files above which the log and /healthz warn: nothing is trimmed while the database is away [default: 10737418240]
    journal_bytes_max: "BYTES", "SHARDBOOK_JOURNAL_BYTES_MAX";
    /// A snapshot of every book that changed is written to the database every so many seconds; 0 is never [default: 3600]
    snapshot_interval_seconds: "SECONDS", "SHARDBOOK_SNAPSHOT_INTERVAL_SECONDS";
    /// Snapshots that the database keeps of each instrument, the newest [default: 48]
    snapshots_kept: "NUMBER", "SHARDBOOK_SNAPSHOTS_KEPT";
    /// Let POST /admin/faults/panic crash an instrument's shard, for tests
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    fault_injection: "BOOLEAN", "SHARDBOOK_FAULT_INJECTION";
    /// How the log looks: human or json [default: human]
    log_format: "FORMAT", "SHARDBOOK_LOG_FORMAT";
    /// What of the log is written, as info or shardbook_api=debug,warn [default: info]
    log_filter: "DIRECTIVES", "RUST_LOG";
    /// Lines about orders and requests that the log gets in a second at most; what is above is left out and counted [default: 10000]
    log_lines_per_second: "NUMBER", "SHARDBOOK_LOG_LINES_PER_SECOND";
}

//! The exchange's binary: reads the command line, and does what it says.

use std::io::{BufWriter, ErrorKind, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use mimalloc::MiMalloc;
use shardbook_api::app::{App, AppError, CreateKeyError, create_key};
use shardbook_api::journal::{self, InspectError, Verdict};
use shardbook_api::progress::Bars;
use shardbook_api::record;
use shardbook_api::service::openapi_yaml;
use shardbook_api::settings::{
    CommandLine, JournalCommand, KeyArguments, KeysCommand, LogFormat, RecordArguments,
    ServeArguments, Settings, Subcommand,
};
use shardbook_engine::exchange::StartError;
use shardbook_engine::journal::JournalError;
use shardbook_engine::partition::reader::ReadError;
use shardbook_engine::recovery::RecoveryError;
use shardbook_feed::record::{RecordError, RecordTotals};
use shardbook_storage::control_log::ControlLogError;
use tokio::signal::unix::{SignalKind, signal};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// An order's parts are had by the task that reads it and given back by the shard that lets go of
/// it: what the system's own allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Lines of the log that may wait for standard error: some seconds of the most that orders may
/// have, and a few megabytes.
const LOG_LINES_WAITING_MAX: usize = 16_384;

/// How often the log tells how many of its lines were lost, if any were.
const LOST_LINES_INTERVAL: Duration = Duration::from_secs(1);

/// Something failed that no setting would mend.
const FAILED: u8 = 1;

/// A setting is wrong.
const WRONG_SETTING: u8 = 2;

/// The journal is damaged.
const DAMAGED_JOURNAL: u8 = 3;

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Subcommand::Openapi => {
            print!("{}", openapi_yaml());
            ExitCode::SUCCESS
        }
        Subcommand::Journal { command } => look_at_journal(&command),
        Subcommand::Keys {
            command: KeysCommand::Create(arguments),
        } => make_key(&arguments),
        Subcommand::Record(arguments) => record(&arguments),
        Subcommand::Serve(arguments) => serve(&arguments),
    }
}

/// Nothing but the key goes to standard output, so that a script can take it from there.
fn make_key(arguments: &KeyArguments) -> ExitCode {
    match create_key(arguments) {
        Ok(key) => {
            println!("{}", key.reveal());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("shardbook: {error}");
            ExitCode::from(match &error {
                CreateKeyError::Wrong(_) => WRONG_SETTING,
                CreateKeyError::Log(error) => exit_code(error),
            })
        }
    }
}

fn look_at_journal(command: &JournalCommand) -> ExitCode {
    let out = &mut BufWriter::new(std::io::stdout().lock());
    let damage = match command {
        JournalCommand::Verify(arguments) => match journal::verify(&arguments.data_dir, out) {
            Ok(Verdict::Whole) => Vec::new(),
            Ok(Verdict::Damaged(damage)) => damage,
            Err(error) => vec![error],
        },
        JournalCommand::Dump(arguments) => journal::dump(&arguments.data_dir, out)
            .err()
            .into_iter()
            .collect(),
    };
    let mut exit_code = 0;
    for error in damage {
        // Whoever read the output has seen enough: `journal dump | head` does that.
        if matches!(&error, InspectError::Output(source) if source.kind() == ErrorKind::BrokenPipe)
        {
            return ExitCode::SUCCESS;
        }
        eprintln!("shardbook: {error}");
        exit_code = inspect_exit_code(&error);
    }
    ExitCode::from(exit_code)
}

fn serve(arguments: &ServeArguments) -> ExitCode {
    let settings = match Settings::read(arguments) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("shardbook: {error}");
            return ExitCode::from(WRONG_SETTING);
        }
    };
    let bars = Bars::default();
    let (_writes_the_rest, lines_lost) = start_log(&settings, &bars);
    let served = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(run(settings, bars, lines_lost)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Our own errors name their sources themselves.
            let (text, code) = match error.downcast_ref::<AppError>() {
                Some(error) => (error.to_string(), exit_code(error)),
                None => (format!("{error:#}"), FAILED),
            };
            eprintln!("shardbook: {text}");
            ExitCode::from(code)
        }
    }
}

/// Records until it is told to stop.
fn record(arguments: &RecordArguments) -> ExitCode {
    let settings = match Settings::read(&arguments.settings()) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("shardbook: {error}");
            return ExitCode::from(WRONG_SETTING);
        }
    };
    let _writes_the_rest = start_log(&settings, &Bars::default());
    let recorded = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
        .and_then(|runtime| {
            runtime.block_on(async {
                let mut terminated =
                    signal(SignalKind::terminate()).context("listening for SIGTERM")?;
                let mut interrupted =
                    signal(SignalKind::interrupt()).context("listening for SIGINT")?;
                let stop = async {
                    tokio::select! {
                        _ = terminated.recv() => {}
                        _ = interrupted.recv() => {}
                    }
                };
                Ok(record::record(&settings, arguments.out.clone(), stop).await?)
            })
        });
    match recorded {
        Ok(RecordTotals {
            messages,
            snapshots,
        }) => {
            let out = arguments.out.display();
            println!("recorded {messages} messages and {snapshots} depth snapshots to {out}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Our own errors name their sources themselves.
            let known = error.downcast_ref::<RecordError>();
            match known {
                Some(error) => eprintln!("shardbook: {error}"),
                None => eprintln!("shardbook: {error:#}"),
            }
            ExitCode::from(match known {
                Some(RecordError::File { .. } | RecordError::Rest(_)) | None => FAILED,
                Some(
                    RecordError::Open { .. }
                    | RecordError::NoSymbols
                    | RecordError::TooManyStreams { .. },
                ) => WRONG_SETTING,
            })
        }
    }
}

async fn run(settings: Settings, bars: Bars, lines_lost: ErrorCounter) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut asked = signal(SignalKind::user_defined1()).context("listening for SIGUSR1")?;
    let app = App::start(settings, Arc::new(end)).await?;
    // Whoever started it waits for this line to know where it is and that it serves.
    println!("listening on http://{}", app.address());
    tracing::info!(address = %app.address(), "serving; the documentation is at /docs");
    let feed = app.feed_status();
    tokio::spawn(async move { bars.show(feed).await });
    let requests = app.checkpoint_requests();
    let checkpoints = async {
        while asked.recv().await.is_some() {
            tracing::info!("checkpoints were asked for");
            requests.make().await;
        }
        std::future::pending().await
    };
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        () = checkpoints => {}
        () = tell_lost_lines(lines_lost) => {}
    }
    tracing::info!("stopping");
    app.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Says in the log how many of its lines were lost, whenever some were.
async fn tell_lost_lines(lines_lost: ErrorCounter) {
    let mut told = 0;
    let mut interval = tokio::time::interval(LOST_LINES_INTERVAL);
    loop {
        interval.tick().await;
        let lost = lines_lost.dropped_lines();
        if lost > told {
            tracing::warn!(
                lines = lost - told,
                "lines of the log were lost: standard error took them too slowly"
            );
            told = lost;
        }
    }
}

/// Ends the process at once: nothing may be answered after the journal failed, or after what
/// shows its records has panicked.
fn end(error: &dyn std::error::Error) {
    tracing::error!(%error, "the exchange can't go on; the process ends, and starts again from what is durable");
    eprintln!("shardbook: {error}");
    std::process::exit(i32::from(FAILED));
}

/// Nobody waits for standard error: its lines are written by a thread of their own, and where
/// more come than it takes, the newest are lost and counted. What is returned writes what waits
/// when it is dropped.
fn start_log(settings: &Settings, bars: &Bars) -> (WorkerGuard, ErrorCounter) {
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LOG_LINES_WAITING_MAX)
        .thread_name("log")
        .finish(bars.make_writer());
    let lost = lines.error_counter();
    let filter = EnvFilter::new(&settings.log_filter);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(lines);
    match settings.log_format {
        LogFormat::Human => log.init(),
        LogFormat::Json => log.json().init(),
    }
    (guard, lost)
}

fn exit_code(error: &AppError) -> u8 {
    match error {
        AppError::Journal(error) => journal_exit_code(error),
        AppError::ControlLog(error) => match error {
            ControlLogError::Journal(error) => journal_exit_code(error),
            ControlLogError::Record { .. } | ControlLogError::OutOfStep { .. } => DAMAGED_JOURNAL,
            ControlLogError::Contradiction { .. }
            | ControlLogError::KeyExists { .. }
            | ControlLogError::InstrumentExists { .. }
            | ControlLogError::BinanceSymbolTaken { .. } => WRONG_SETTING,
        },
        AppError::Exchange(StartError::Recovery(error)) => match error {
            RecoveryError::Read(ReadError::Journal(error)) => journal_exit_code(error),
            RecoveryError::Read(ReadError::Record { .. })
            | RecoveryError::UnknownInstrument { .. }
            | RecoveryError::BeginningMissing { .. }
            | RecoveryError::AheadOfJournal { .. }
            | RecoveryError::OutOfStep { .. } => DAMAGED_JOURNAL,
            RecoveryError::Checkpoint(_) => FAILED,
        },
        AppError::DataDir { .. }
        | AppError::TooFewPartitions { .. }
        | AppError::Exchange(StartError::NoSuchPartition { .. } | StartError::Shard(_))
        | AppError::ForeignDatabase(_)
        | AppError::Feed(_)
        | AppError::Listen { .. } => WRONG_SETTING,
        AppError::Exchange(StartError::Thread(_))
        | AppError::Checkpoint(_)
        | AppError::Database(_)
        | AppError::Metrics(_)
        | AppError::Machine { .. } => FAILED,
    }
}

fn inspect_exit_code(error: &InspectError) -> u8 {
    match error {
        InspectError::Journal(JournalError::InUse { .. }) | InspectError::NoData { .. } => {
            WRONG_SETTING
        }
        other if other.is_damage() => DAMAGED_JOURNAL,
        InspectError::Journal(_)
        | InspectError::ControlLog(_)
        | InspectError::Record { .. }
        | InspectError::UnknownInstrument { .. }
        | InspectError::Checkpoint(_)
        | InspectError::Unstartable { .. }
        | InspectError::Output(_) => FAILED,
    }
}

fn journal_exit_code(error: &JournalError) -> u8 {
    match error {
        JournalError::InUse { .. } => WRONG_SETTING,
        JournalError::Damaged { .. } | JournalError::OutOfRange { .. } => DAMAGED_JOURNAL,
        JournalError::Io { .. } | JournalError::NoRoom { .. } => FAILED,
    }
}

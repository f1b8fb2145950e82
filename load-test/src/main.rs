//! Sends orders to an exchange and tells how long each took.
//!
//! In an open loop the rate is kept whatever the exchange does, and a request's latency counts
//! from the moment it was due, not from when a connection was free for it: a stall shows in every
//! request that was due meanwhile. A closed loop tells how much the exchange can do. It knows
//! nothing but HTTP and WebSockets.

mod http;
mod pace;
mod report;
mod run;
mod subscribers;
mod tally;
mod websocket;
mod workload;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::report::Report;
use crate::run::{Load, Loop, Protocol, Target};
use crate::workload::{Percent, Workload};

/// Sends orders to an exchange and tells how long each took.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Orders, one JSON object a line, as fixtures/gen_orders.py writes them; sent in order, and
    /// from the beginning again. Ids and keys are replaced by new ones.
    #[arg(long, value_name = "FILE")]
    orders: PathBuf,
    /// Where the exchange listens.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    target: Target,
    /// A key, where the exchange asks for one.
    #[arg(long, env = "SHARDBOOK_KEY", hide_env_values = true)]
    key: Option<String>,
    /// How orders are sent.
    #[arg(long, value_enum, default_value_t = How::Single)]
    protocol: How,
    /// Requests a second; each order of a batch counts.
    #[arg(
        long,
        value_name = "N",
        default_value = "2000",
        conflicts_with = "closed"
    )]
    rate: NonZeroU32,
    /// Send the next request as soon as there is an answer.
    #[arg(long)]
    closed: bool,
    /// How long.
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: NonZeroU32,
    /// Connections. In an open loop enough of them, that an order waits for the exchange and not
    /// for a connection.
    #[arg(long, value_name = "N", default_value = "64")]
    connections: NonZeroU32,
    /// Orders in a batch.
    #[arg(long, value_name = "N", default_value = "100")]
    batch_orders: NonZeroU32,
    /// Requests unanswered on a WebSocket at most.
    #[arg(long, value_name = "N", default_value = "256")]
    in_flight: NonZeroU32,
    /// So many of 100 requests cancel an order that was placed a while before; at most 50, and
    /// none in batches.
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    cancels: Percent,
    /// So many others watch trades and books over WebSockets, and must miss nothing.
    #[arg(long, value_name = "N", default_value = "0")]
    subscribers: u32,
    /// They watch this instrument, and not those that the orders are for: with another they are idle
    #[arg(long, value_name = "SYMBOL")]
    watched: Option<String>,
    /// Also write report.md, report.json and report.svg here.
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// One order a request over HTTP.
    Single,
    /// Many orders a request over HTTP.
    Batch,
    /// One order a message over WebSockets, many in flight.
    Websocket,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = arguments.report.clone();
    let load = load(arguments)?;
    let described = report::describe(&load);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let finished = runtime.block_on(run::run(load))?;
    let report = Report::new(described, &finished);
    println!("{report}");
    if let Some(folder) = folder {
        report.write(&folder)?;
    }
    Ok(if finished.all_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn load(arguments: Arguments) -> Result<Load> {
    let protocol = match arguments.protocol {
        How::Single => Protocol::Single,
        How::Batch => {
            anyhow::ensure!(
                arguments.cancels == Percent::default(),
                "a batch holds orders and no cancels: leave --cancels away"
            );
            Protocol::Batch {
                orders: arguments.batch_orders,
            }
        }
        How::Websocket => Protocol::WebSocket {
            in_flight: arguments.in_flight,
        },
    };
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let run = format!("load-{}", since_1970.as_millis());
    Ok(Load {
        workload: Workload::read(&arguments.orders, run, arguments.cancels)?,
        target: Target {
            key: arguments.key,
            ..arguments.target
        },
        protocol,
        pace: if arguments.closed {
            Loop::Closed
        } else {
            Loop::Open {
                rate: arguments.rate,
            }
        },
        seconds: arguments.seconds,
        connections: arguments.connections,
        subscribers: arguments.subscribers,
        watched: arguments.watched,
    })
}

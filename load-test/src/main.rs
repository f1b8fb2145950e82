//! Sends orders to an exchange at a constant rate and tells how long each took.
//!
//! The rate is kept whatever the exchange does, and an order's latency counts from the moment it
//! was due, not from when a connection was free for it: a stall shows in every order that was due
//! meanwhile. It knows nothing but HTTP.

mod connection;
mod orders;
mod run;
mod schedule;
mod summary;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::connection::Target;
use crate::run::Load;

/// Sends orders at a constant rate and tells how long each took.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Orders, one JSON object a line, as fixtures/gen_orders.py writes them; sent in order, once.
    #[arg(long, value_name = "FILE")]
    orders: PathBuf,
    /// Where the exchange listens.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    target: Target,
    /// Orders a second.
    #[arg(long, value_name = "N", default_value = "2000")]
    rate: NonZeroU32,
    /// The run ends after so many seconds, or with the last order.
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: NonZeroU32,
    /// Connections, each with one order in flight. Enough of them, that an order waits for the
    /// exchange and not for a connection.
    #[arg(long, value_name = "N", default_value = "64")]
    connections: NonZeroU32,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let load = Load {
        orders: orders::read(&arguments.orders)?,
        target: arguments.target,
        rate: arguments.rate,
        seconds: arguments.seconds,
        connections: arguments.connections,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let summary = runtime.block_on(run::run(load))?;
    println!("{summary}");
    Ok(if summary.all_answered() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

//! One run: senders on their connections, a thread that keeps time, and someone who watches.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http::{self, Client};
use crate::pace::Pace;
use crate::subscribers::{AllSeen, Subscribers};
use crate::tally::Tally;
use crate::websocket::{self, Socket};
use crate::workload::Workload;

/// A request without an answer for so long has failed.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// How often the progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Who is asked, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `host:port`.
    pub(crate) address: String,
    /// Where the exchange asks for one.
    pub(crate) key: Option<String>,
}

/// How requests go out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// `POST /orders`, one in flight on each connection.
    Single,
    /// `POST /orders/batch` with so many orders, one in flight on each connection.
    Batch {
        /// How many orders.
        orders: NonZeroU32,
    },
    /// `WS /stream`.
    WebSocket {
        /// At most so many unanswered on each connection.
        in_flight: NonZeroU32,
    },
}

/// Whether the exchange or the clock says when the next request goes out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loop {
    /// So many requests a second.
    Open {
        /// Requests a second.
        rate: NonZeroU32,
    },
    /// As soon as there is an answer.
    Closed,
}

/// What to send where, and how fast.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) target: Target,
    pub(crate) workload: Workload,
    pub(crate) protocol: Protocol,
    pub(crate) pace: Loop,
    pub(crate) seconds: NonZeroU32,
    pub(crate) connections: NonZeroU32,
    /// How many watch meanwhile.
    pub(crate) subscribers: u32,
    /// What they watch; `None` for what the orders are for.
    pub(crate) watched: Option<String>,
}

/// What the senders share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) workload: Workload,
    pub(crate) pace: Pace,
    pub(crate) tally: Mutex<Tally>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Finished {
    /// All that was counted.
    pub(crate) tally: Tally,
    /// How many requests there were to send, where that was fixed.
    pub(crate) asked: Option<u64>,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// What those who watched were sent.
    pub(crate) seen: Option<AllSeen>,
}

impl FromStr for Target {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self {
            address: text.to_owned(),
            key: None,
        })
    }
}

impl Target {
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)
            .await
            .with_context(|| format!("connecting to {}", self.address))?;
        // A small request must not wait for the answer to the one before.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Finished {
    /// Whether each request was answered, none with a failure of the server's, and all who watched
    /// saw it.
    pub(crate) fn all_well(&self) -> bool {
        let answers = self.tally.answers();
        self.tally.all_well()
            && answers > 0
            && self.asked.is_none_or(|asked| asked == answers)
            && self.seen.is_none_or(|seen| seen.all_well())
    }
}

/// One connection, ready to send.
enum Sender {
    Single(Client),
    Batch(Client, u32),
    WebSocket(Box<Socket>, u32),
}

impl Sender {
    async fn connect(target: &Target, protocol: Protocol) -> Result<Self> {
        Ok(match protocol {
            Protocol::Single => Self::Single(Client::connect(target.clone()).await?),
            Protocol::Batch { orders } => {
                Self::Batch(Client::connect(target.clone()).await?, orders.get())
            }
            Protocol::WebSocket { in_flight } => {
                Self::WebSocket(Box::new(websocket::connect(target).await?), in_flight.get())
            }
        })
    }

    async fn send(self, run: Arc<Run>) -> Result<()> {
        match self {
            Self::Single(client) => http::send_singles(client, &run).await,
            Self::Batch(client, orders) => http::send_batches(client, &run, orders).await,
            Self::WebSocket(socket, in_flight) => {
                websocket::send_pipelined(*socket, run, in_flight).await
            }
        }
    }
}

/// Sends the load and waits for every answer.
///
/// # Errors
/// When the exchange can't be reached to begin with, or is none.
pub(crate) async fn run(load: Load) -> Result<Finished> {
    let mut connections = Vec::new();
    for _ in 0..load.connections.get() {
        connections.push(Sender::connect(&load.target, load.protocol).await?);
    }
    let watched = match load.watched {
        Some(symbol) => BTreeSet::from([symbol]),
        None => load.workload.instruments().clone(),
    };
    let subscribers = Subscribers::subscribe(&load.target, &watched, load.subscribers).await?;
    let start = Instant::now();
    let run = Arc::new(Run {
        workload: load.workload,
        pace: match load.pace {
            Loop::Open { rate } => Pace::open(start, rate, load.seconds),
            Loop::Closed => Pace::closed(start, load.seconds),
        },
        tally: Mutex::new(Tally::new(start)?),
    });
    let mut senders = JoinSet::new();
    for connection in connections {
        senders.spawn(connection.send(Arc::clone(&run)));
    }
    let timekeeper = {
        let run = Arc::clone(&run);
        std::thread::spawn(move || run.pace.keep_time())
    };
    let progress = tokio::spawn(show_progress(Arc::clone(&run), load.seconds));
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let took = start.elapsed();
    progress.abort();
    let _ = progress.await;
    timekeeper.join().ok().context("the timekeeper stopped")?;
    let tally = std::mem::replace(&mut *run.tally.lock(), Tally::new(start)?);
    Ok(Finished {
        asked: run.pace.total(),
        tally,
        took,
        seen: subscribers.seen().await?,
    })
}

/// On standard error, where that is a terminal.
async fn show_progress(run: Arc<Run>, seconds: NonZeroU32) -> Result<()> {
    let bar = ProgressBar::new(seconds.get().into());
    bar.set_style(ProgressStyle::with_template(
        "{wide_bar} {pos}/{len} s, {msg}",
    )?);
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    loop {
        ticks.tick().await;
        bar.set_position(run.pace.start().elapsed().as_secs());
        let answers = run.tally.lock().answers();
        bar.set_message(format!("{answers} answered"));
    }
}

#[cfg(test)]
mod tests;

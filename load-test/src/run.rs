//! One run: a thread that keeps time, and connections that send what is due.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::connection::{Connection, Target};
use crate::schedule::Schedule;
use crate::summary::Summary;

/// What to send where, and how fast.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) orders: Vec<Bytes>,
    pub(crate) target: Target,
    /// Orders a second.
    pub(crate) rate: NonZeroU32,
    pub(crate) seconds: NonZeroU32,
    pub(crate) connections: NonZeroU32,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    orders: Vec<Bytes>,
    target: Target,
    schedule: Schedule,
    /// One permit for each order that is due and not taken yet. However far the exchange falls
    /// behind, this is a number and no queue.
    due: Semaphore,
    answered: AtomicU64,
}

/// Sends the load and waits for every answer.
///
/// # Errors
/// When the exchange can't be reached to begin with.
pub(crate) async fn run(load: Load) -> Result<Summary> {
    let mut connections = Vec::new();
    for _ in 0..load.connections.get() {
        connections.push(Connection::open(&load.target).await?);
    }
    let asked = u64::from(load.rate.get()) * u64::from(load.seconds.get());
    let count = asked.min(u64::try_from(load.orders.len())?);
    let start = Instant::now();
    let shared = Arc::new(Shared {
        orders: load.orders,
        target: load.target,
        schedule: Schedule::new(start, load.rate, count),
        due: Semaphore::new(0),
        answered: AtomicU64::new(0),
    });
    let mut senders = JoinSet::new();
    for connection in connections {
        senders.spawn(send_what_is_due(connection, Arc::clone(&shared)));
    }
    let senders_count = senders.len();
    let timekeeper = {
        let shared = Arc::clone(&shared);
        std::thread::spawn(move || keep_time(&shared, senders_count))
    };
    let progress = tokio::spawn(show_progress(Arc::clone(&shared)));
    let mut summary = Summary::new(count)?;
    while let Some(sent) = senders.join_next().await {
        summary.add(&sent??)?;
    }
    summary.took(start.elapsed());
    progress.abort();
    timekeeper.join().ok().context("the timekeeper stopped")?;
    Ok(summary)
}

/// A thread of its own: the runtime's timers count milliseconds, which is long for an order.
fn keep_time(shared: &Shared, senders: usize) {
    for index in 0..shared.schedule.count() {
        let wait = shared
            .schedule
            .due_at(index)
            .saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        shared.due.add_permits(1);
    }
    // Each sender's last look, which finds nothing left.
    shared.due.add_permits(senders);
}

async fn send_what_is_due(connection: Connection, shared: Arc<Shared>) -> Result<Summary> {
    let mut connection = Some(connection);
    let mut summary = Summary::new(0)?;
    loop {
        shared.due.acquire().await?.forget();
        let Some(due) = shared.schedule.take() else {
            return Ok(summary);
        };
        let order = shared
            .orders
            .get(usize::try_from(due.index)?)
            .cloned()
            .context("the schedule is no longer than the orders")?;
        match place(&mut connection, &shared.target, order).await {
            Ok(status) => summary.answered(due.at.elapsed(), status)?,
            Err(error) => summary.failed(&error),
        }
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that failed is not used again; the next order opens a new one.
async fn place(
    connection: &mut Option<Connection>,
    target: &Target,
    order: Bytes,
) -> Result<hyper::StatusCode> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(target).await?,
    };
    let status = open.place(order).await?;
    *connection = Some(open);
    Ok(status)
}

async fn show_progress(shared: Arc<Shared>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut before = 0;
    loop {
        seconds.tick().await;
        let now = shared.answered.load(Ordering::Relaxed);
        eprintln!(
            "{now} of {} answered, {} in the last second",
            shared.schedule.count(),
            now - before
        );
        before = now;
    }
}

#[cfg(test)]
mod tests;

//! What becomes of orders and requests, line by line in the log.
//!
//! Orders come from what became durable and is shown to everyone else too, so that nothing is
//! told that a crash would lose; what was refused comes from whoever refused it. Neither writes a
//! line itself: what is told waits in a queue with a bound, and a thread of its own turns it into
//! lines, at most so many a second. What does not fit is left out and counted, and the log tells
//! how much that was. So a line costs an order's way a few counters, and nothing where the log's
//! filter does not let it through.
//!
//! The lines have the target [`ORDERS`] or [`REQUESTS`]. No key of any kind is among them.

mod allowance;
mod lines;
mod writer;

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use poem::Response;
use poem::http::{Method, StatusCode, Uri};
use tracing::Level;

use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Durable;
use shardbook_engine::market_data::{Change, ChangeKind};

use self::writer::Writer;
use crate::problem::{Code, Problem, Told};

/// The target of lines about orders.
pub const ORDERS: &str = "shardbook::orders";

/// The target of lines about requests that failed and are not about placing or changing orders.
pub const REQUESTS: &str = "shardbook::requests";

/// Most batches and refusals that wait for their lines: some tenths of a second at the highest
/// load, over which a slow terminal may stall.
const ENTRIES_WAITING_MAX: usize = 4_096;

/// Most changes that wait, in all batches: some 20 MB at the most.
const CHANGES_WAITING_MAX: usize = 65_536;

/// Most characters of a path or an explanation in a line: a client chooses them.
const TEXT_SHOWN_MAX: usize = 256;

/// What waits for its lines.
enum Entry {
    /// An instrument's durable changes.
    Changes(Arc<Instrument>, Vec<Change>),
    /// A call about orders was refused.
    Refused(&'static str, Box<Problem>),
    /// Another request failed.
    Failed(Box<FailedRequest>),
    /// Nothing more comes.
    End,
}

/// A request that was answered with an error.
struct FailedRequest {
    method: Method,
    uri: Uri,
    status: u16,
    code: &'static str,
}

/// What both ends of the queue know.
#[derive(Debug, Default)]
struct Figures {
    changes_waiting: AtomicUsize,
    left_out: AtomicU64,
}

/// The way into the log. Clones share it.
#[derive(Clone)]
pub struct ActivityLog(Arc<Inner>);

struct Inner {
    entries: SyncSender<Entry>,
    figures: Arc<Figures>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ActivityLog {
    /// Starts the thread that writes at most so many lines a second.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(lines_per_second: NonZeroU32) -> io::Result<Self> {
        let (entries, waiting) = sync_channel(ENTRIES_WAITING_MAX);
        let figures = Arc::<Figures>::default();
        let writer = Writer::new(waiting, Arc::clone(&figures), lines_per_second);
        let thread = std::thread::Builder::new()
            .name("activity-log".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self(Arc::new(Inner {
            entries,
            figures,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// How many lines were left out.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.0.figures.left_out.load(Ordering::Relaxed)
    }

    /// A call to place or change orders was refused; it says so of itself from now on, so that it
    /// is told once.
    pub fn refused(&self, call: &'static str, problem: &mut Problem) {
        problem.mark_told();
        if about_orders_enabled(problem.status()) {
            self.tell(Entry::Refused(call, Box::new(problem.clone())));
        }
    }

    /// A request was answered so. What is no error, and what was told before, is not told.
    pub fn answered(&self, method: &Method, uri: &Uri, response: &Response) {
        let status = response.status();
        if !(status.is_client_error() || status.is_server_error())
            || response.extensions().get::<Told>().is_some()
            || !about_requests_enabled(status)
        {
            return;
        }
        let code = response.extensions().get::<Code>();
        self.tell(Entry::Failed(Box::new(FailedRequest {
            method: method.clone(),
            uri: uri.clone(),
            status: status.as_u16(),
            code: code.map_or("", |code| code.word()),
        })));
    }

    /// Durable changes, in their order. Costs one look at a cached number where the log's filter
    /// lets no line about orders through.
    pub fn changed(&self, instrument: &Arc<Instrument>, changes: Durable<&Vec<Change>>) {
        if !tracing::enabled!(target: ORDERS, Level::INFO) {
            return;
        }
        let changes = changes.into_inner();
        let count = changes.iter().filter(|change| is_told(change)).count();
        if count == 0 {
            return;
        }
        let waiting = &self.0.figures.changes_waiting;
        let waiting_before = waiting.fetch_add(count, Ordering::Relaxed);
        if waiting_before + count > CHANGES_WAITING_MAX {
            waiting.fetch_sub(count, Ordering::Relaxed);
            self.leave_out(orders_in(changes));
            return;
        }
        let mut told = Vec::with_capacity(count);
        told.extend(changes.iter().filter(|change| is_told(change)).cloned());
        self.tell(Entry::Changes(Arc::clone(instrument), told));
    }

    fn tell(&self, entry: Entry) {
        let not_taken = match self.0.entries.try_send(entry) {
            Ok(()) => return,
            Err(TrySendError::Full(entry) | TrySendError::Disconnected(entry)) => entry,
        };
        match not_taken {
            Entry::Changes(_, changes) => {
                let waiting = &self.0.figures.changes_waiting;
                waiting.fetch_sub(changes.len(), Ordering::Relaxed);
                self.leave_out(orders_in(&changes));
            }
            Entry::Refused(..) | Entry::Failed(_) => self.leave_out(1),
            Entry::End => {}
        }
    }

    fn leave_out(&self, lines: u64) {
        self.0.figures.left_out.fetch_add(lines, Ordering::Relaxed);
    }

    /// Writes what waits, and ends. What is told afterwards is left out.
    pub fn end(&self) {
        let Some(thread) = self.0.thread.lock().take() else {
            return;
        };
        // Waits for room: the thread makes it.
        let told = self.0.entries.send(Entry::End);
        if told.is_ok() && thread.join().is_err() {
            tracing::error!("the thread that writes the log of orders panicked");
        }
    }
}

fn about_orders_enabled(status: StatusCode) -> bool {
    if status.is_server_error() {
        tracing::enabled!(target: ORDERS, Level::WARN)
    } else {
        tracing::enabled!(target: ORDERS, Level::INFO)
    }
}

fn about_requests_enabled(status: StatusCode) -> bool {
    if status.is_server_error() {
        tracing::enabled!(target: REQUESTS, Level::WARN)
    } else {
        tracing::enabled!(target: REQUESTS, Level::INFO)
    }
}

/// Whether a change is told of as a line or a part of one.
const fn is_told(change: &Change) -> bool {
    match change.kind {
        ChangeKind::Trade(_) | ChangeKind::Order(_) => true,
        ChangeKind::Delta(_) => false,
    }
}

/// At least so many lines a batch would have been.
fn orders_in(changes: &[Change]) -> u64 {
    let orders = changes.iter().filter(|change| match change.kind {
        ChangeKind::Order(_) => true,
        ChangeKind::Trade(_) | ChangeKind::Delta(_) => false,
    });
    u64::try_from(orders.count()).unwrap_or(u64::MAX)
}

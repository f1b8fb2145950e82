//! Sends each command to the one shard that owns its instrument's book.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;
use parking_lot::RwLock;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::command::Command;
use crate::directory::{Claim, Directory};
use crate::fault::Fault;
use crate::id::{InstrumentId, OrderId, Symbol};
use crate::instrument::Instrument;
use crate::market_data::MarketData;
use crate::partition::Room;
use crate::responder::{CallError, Outcome, Responder};
use crate::shard::FeedAtStart;

/// A command on its way to its shard.
pub(crate) struct Queued {
    pub(crate) asked: Asked,
    pub(crate) responder: Responder,
    /// Keeps a placement's id findable until its row is there or it is refused.
    pub(crate) claim: Option<Claim>,
}

impl Queued {
    /// The command that is to be decided, if it is one.
    pub(crate) const fn command(&self) -> Option<&Command> {
        match &self.asked {
            Asked::Command(command) => Some(command),
            Asked::Fault(_) => None,
        }
    }
}

/// What a shard is asked.
pub(crate) enum Asked {
    /// To decide a command.
    Command(Command),
    /// To fail, for a test.
    Fault(Fault),
}

/// Whether a shard takes commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardStatus {
    /// It does.
    Running,
    /// It is being rebuilt from the journal.
    Restarting,
}

/// One instrument as everyone but its shard sees it.
pub struct InstrumentHandle {
    instrument: Arc<Instrument>,
    queue: mpsc::Sender<Queued>,
    market_data: RwLock<MarketData>,
    is_restarting: AtomicBool,
    /// Its partition's.
    room: watch::Receiver<Room>,
    feed_at_start: FeedAtStart,
}

impl InstrumentHandle {
    pub(crate) fn new(
        market_data: MarketData,
        queue: mpsc::Sender<Queued>,
        room: watch::Receiver<Room>,
        feed_at_start: FeedAtStart,
    ) -> Self {
        Self {
            instrument: Arc::clone(market_data.instrument()),
            queue,
            market_data: RwLock::new(market_data),
            is_restarting: AtomicBool::new(false),
            room,
            feed_at_start,
        }
    }

    /// What the journal held of the feed's when the exchange started: the feed asks before it
    /// delivers anything, and knows by itself what came after.
    #[must_use]
    pub const fn feed_at_start(&self) -> &FeedAtStart {
        &self.feed_at_start
    }

    /// The instrument and its rules.
    #[must_use]
    pub const fn instrument(&self) -> &Arc<Instrument> {
        &self.instrument
    }

    /// What is durable of its orders, trades and book. Hold the lock briefly: the shard's next
    /// answers wait for it.
    #[must_use]
    pub const fn market_data(&self) -> &RwLock<MarketData> {
        &self.market_data
    }

    /// Whether its shard takes commands.
    #[must_use]
    pub fn status(&self) -> ShardStatus {
        if self.is_restarting.load(Ordering::Acquire) {
            ShardStatus::Restarting
        } else {
            ShardStatus::Running
        }
    }

    /// Whether its journal has room for what comes next. Without it, no command gets to the
    /// shard.
    #[must_use]
    pub fn has_room(&self) -> bool {
        *self.room.borrow() == Room::Secured
    }

    /// Commands waiting for the shard.
    #[must_use]
    pub fn queue_length(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Queues at once or not at all; then the responder says nothing.
    fn try_send(&self, queued: Queued) -> Result<(), CallError> {
        self.queue.try_send(queued).map_err(|error| {
            let (error, queued) = match error {
                TrySendError::Full(queued) => (CallError::Overloaded, queued),
                TrySendError::Closed(queued) => (CallError::ShardRestarting, queued),
            };
            queued.responder.forget();
            error
        })
    }

    pub(crate) fn set_status(&self, status: ShardStatus) {
        let is_restarting = status == ShardStatus::Restarting;
        self.is_restarting.store(is_restarting, Ordering::Release);
    }
}

/// Where an order id is to be looked for.
#[derive(Clone)]
pub enum Location {
    /// On no instrument's memory.
    Nowhere,
    /// On one.
    On(Arc<InstrumentHandle>),
    /// On several: only the client can say which it means.
    Ambiguous(Vec<Symbol>),
}

/// The instruments and the ways to their shards.
pub struct Router {
    instruments: RwLock<Instruments>,
    directory: Arc<Directory>,
}

#[derive(Default)]
struct Instruments {
    in_order: Vec<Arc<InstrumentHandle>>,
    by_symbol: HashMap<Symbol, Arc<InstrumentHandle>, RandomState>,
    by_id: HashMap<InstrumentId, Arc<InstrumentHandle>, RandomState>,
}

impl Router {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self {
            instruments: RwLock::default(),
            directory,
        }
    }

    pub(crate) fn add(&self, handle: Arc<InstrumentHandle>) {
        let mut instruments = self.instruments.write();
        instruments
            .by_symbol
            .insert(handle.instrument().symbol.clone(), Arc::clone(&handle));
        instruments
            .by_id
            .insert(handle.instrument().id, Arc::clone(&handle));
        instruments.in_order.push(handle);
    }

    /// Every instrument: those of the settings in their order, then those no longer named there.
    #[must_use]
    pub fn instruments(&self) -> Vec<Arc<InstrumentHandle>> {
        self.instruments.read().in_order.clone()
    }

    /// The instrument of this number.
    #[must_use]
    pub fn instrument_by_id(&self, id: InstrumentId) -> Option<Arc<InstrumentHandle>> {
        self.instruments.read().by_id.get(&id).cloned()
    }

    /// The instrument that a read without one means.
    #[must_use]
    pub fn first_instrument(&self) -> Option<Arc<InstrumentHandle>> {
        self.instruments.read().in_order.first().cloned()
    }

    /// The instrument of this name.
    #[must_use]
    pub fn instrument(&self, symbol: &str) -> Option<Arc<InstrumentHandle>> {
        self.instruments.read().by_symbol.get(symbol).cloned()
    }

    /// Where an order of this id may be: open, closed and still in memory, or on its way.
    #[must_use]
    pub fn locate(&self, order_id: &OrderId) -> Location {
        let found = if order_id.is_feed() {
            self.feed_order(order_id)
        } else {
            self.held(order_id)
        };
        match found.as_slice() {
            [] => Location::Nowhere,
            [handle] => Location::On(Arc::clone(handle)),
            several => {
                let symbols = several
                    .iter()
                    .map(|handle| handle.instrument().symbol.clone());
                Location::Ambiguous(symbols.collect())
            }
        }
    }

    fn held(&self, order_id: &OrderId) -> Vec<Arc<InstrumentHandle>> {
        let ids = self.directory.instruments(order_id);
        let instruments = self.instruments.read();
        ids.iter()
            .filter_map(|id| instruments.by_id.get(id).cloned())
            .collect()
    }

    /// The mirror's orders come and go too often to stand in the directory, and are seldom asked
    /// for.
    fn feed_order(&self, order_id: &OrderId) -> Vec<Arc<InstrumentHandle>> {
        let mut handles = self.instruments();
        handles.retain(|handle| {
            handle.instrument().binance_symbol.is_some()
                && handle.market_data().read().order(order_id).is_some()
        });
        handles
    }

    /// Sends a command and waits for what became of it.
    ///
    /// # Errors
    /// When the shard refuses it, has no room for it, or is restarting, or its journal has no
    /// room.
    pub async fn call(&self, to: &InstrumentHandle, command: Command) -> Outcome {
        let (responder, outcome) = Responder::single();
        self.submit(to, command, responder)?;
        outcome.await.unwrap_or(Err(CallError::ShardRestarting))
    }

    /// Sends a command whose outcome goes to `responder`. Commands for one instrument are
    /// decided in the order in which they were submitted.
    ///
    /// # Errors
    /// When the shard's queue is full, the shard is restarting or its journal has no room; then
    /// the responder has said nothing and never will.
    pub fn submit(
        &self,
        to: &InstrumentHandle,
        command: Command,
        responder: Responder,
    ) -> Result<(), CallError> {
        if to.status() == ShardStatus::Restarting {
            responder.forget();
            return Err(CallError::ShardRestarting);
        }
        if !to.has_room() {
            responder.forget();
            return Err(CallError::JournalUnavailable);
        }
        to.try_send(self.queued(to, command, responder))
    }

    /// Sends a command whose outcome goes to `responder`, once there is room in the journal and
    /// in the shard's queue: for the feed, which must lose nothing and can wait.
    pub async fn deliver(&self, to: &InstrumentHandle, command: Command, responder: Responder) {
        // Where the journal's writer is gone, the shard's queue is about to be.
        let _ = to
            .room
            .clone()
            .wait_for(|room| *room == Room::Secured)
            .await;
        let queued = self.queued(to, command, responder);
        // A closed queue drops the command, and with it the responder, which says so.
        let _ = to.queue.send(queued).await;
    }

    /// Injects a fault into a shard, for tests, and waits until it is there: a shard that is to
    /// panic at once has done so.
    ///
    /// # Errors
    /// When the shard's queue is full or the shard is restarting.
    pub async fn inject(&self, to: &InstrumentHandle, fault: Fault) -> Result<(), CallError> {
        let (responder, outcome) = Responder::single();
        let queued = Queued {
            asked: Asked::Fault(fault),
            responder,
            claim: None,
        };
        to.try_send(queued)?;
        match outcome.await {
            // What a shard that has just panicked says to everyone.
            Ok(Ok(_) | Err(CallError::ShardRestarting)) | Err(_) => Ok(()),
            Ok(Err(error)) => Err(error),
        }
    }

    fn queued(&self, to: &InstrumentHandle, command: Command, responder: Responder) -> Queued {
        let claim = match &command {
            Command::Place(order) => Some(self.directory.claim(order.id.id(), to.instrument().id)),
            Command::Cancel(_)
            | Command::Amend(_)
            | Command::MassCancel(_)
            | Command::Tape(_)
            | Command::Mirror(_)
            | Command::WithdrawMirror
            | Command::Halt
            | Command::Resume
            | Command::CloseDay(_) => None,
        };
        Queued {
            asked: Asked::Command(command),
            responder,
            claim,
        }
    }
}

//! The way of a command from the router through the shard and the journal to everyone who may
//! see what came of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answering;
mod checkpoints;
mod failing;
mod midnight;
mod restarting;
mod supervision;

use std::sync::{Arc, Mutex};

use shardbook_engine::answer::{Answer, Refusal};
use shardbook_engine::command::{
    Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate, Requester,
};
use shardbook_engine::exchange::{Exchange, ExchangeLimits, Setup};
use shardbook_engine::id::{ClientId, IdempotencyKey, InstrumentId, OrderId};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::{Durable, Journal, Part};
use shardbook_engine::market_data::{Change, ChangeId, KnownOrder, MarketDataLimits};
use shardbook_engine::order::{
    CancelReason, ChosenId, NewOrder, OrderKind, OrderState, SelfTradePrevention, TimeInForce,
};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::price::Price;
use shardbook_engine::publisher::Publisher;
use shardbook_engine::quantity::{LOTS_MAX, Quantity};
use shardbook_engine::responder::{CallError, Responder};
use shardbook_engine::router::{InstrumentHandle, Location};
use shardbook_engine::shard::ShardLimits;
use shardbook_engine::side::Side;
use shardbook_engine::time::{SystemClock, Timestamp};
use shardbook_test_support::clock::TestClock;
use shardbook_test_support::journal::MemoryJournal;
use shardbook_test_support::nobody::NoObserver;

/// Remembers everything published, and the fatal errors.
#[derive(Default)]
struct Seen {
    changes: Mutex<Vec<(InstrumentId, Change)>>,
    begun: Mutex<Vec<(InstrumentId, ChangeId)>>,
    fatal: Mutex<Vec<String>>,
}

impl Publisher for Seen {
    fn begin_after(&self, instrument: InstrumentId, newest: ChangeId) {
        self.begun.lock().unwrap().push((instrument, newest));
    }

    fn publish(&self, instrument: InstrumentId, changes: Durable<Vec<Change>>) {
        let changes = changes.into_inner().into_iter();
        self.changes
            .lock()
            .unwrap()
            .extend(changes.map(|change| (instrument, change)));
    }
}

fn instrument(number: u32, symbol: &str) -> Arc<Instrument> {
    Arc::new(shardbook_test_support::instrument::instrument(
        number, symbol, "0.01", "0.001",
    ))
}

fn start(journal: &MemoryJournal, queue_length: usize) -> (Exchange, Arc<Seen>) {
    let (setup, seen) = setup(journal, queue_length);
    (Exchange::start(setup).unwrap(), seen)
}

fn setup(journal: &MemoryJournal, queue_length: usize) -> (Setup, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let fatal = Arc::clone(&seen);
    let journals: Vec<Box<dyn Journal>> = vec![Box::new(journal.clone())];
    let instruments = ["BTC-USD", "ETH-USD", "SOL-USD"];
    let setup = Setup {
        journals,
        checkpoints: Vec::new(),
        instruments: (0_u32..)
            .zip(instruments)
            .map(|(number, symbol)| (instrument(number, symbol), PartitionId::new(0)))
            .collect(),
        limits: ExchangeLimits {
            queue_length,
            shard: ShardLimits::default(),
            market_data: MarketDataLimits::default(),
            checkpoint_records: 1_000,
        },
        clock: Arc::new(SystemClock),
        publisher: seen.clone(),
        observer: Arc::new(NoObserver),
        on_fatal: Arc::new(move |error| fatal.fatal.lock().unwrap().push(error.to_string())),
    };
    (setup, seen)
}

fn handle(exchange: &Exchange, symbol: &str) -> Arc<InstrumentHandle> {
    exchange.router().instrument(symbol).unwrap()
}

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

fn order(id: &str, side: Side, price: u64, quantity: u64) -> NewOrder {
    NewOrder {
        id: ChosenId::Client(OrderId::new(id).unwrap()),
        client: client("alice"),
        idempotency_key: None,
        side,
        kind: OrderKind::Limit {
            price: Price::new(price).unwrap(),
            time_in_force: TimeInForce::Gtc,
        },
        quantity: Quantity::new(quantity).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
    }
}

fn place(id: &str, side: Side, price: u64, quantity: u64) -> Command {
    Command::Place(order(id, side, price, quantity))
}

fn cancel(id: &str) -> Command {
    let order_id = OrderId::new(id).unwrap();
    Command::Cancel(Cancel {
        order_id,
        requester: Requester::Anyone,
    })
}

/// Lets the shards run, on the test's own thread, until something holds.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

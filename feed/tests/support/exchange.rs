//! An exchange of real shards without a journal, for the feed to deliver to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use shardbook_engine::answer::Answer;
use shardbook_engine::command::{Command, Stamped, Tape};
use shardbook_engine::id::{InstrumentId, Symbol};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::quantity::Quantity;
use shardbook_engine::shard::{Decision, FeedAtStart, Shard, ShardLimits};
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;
use shardbook_feed::sink::{Receipt, Sink};
use tokio::sync::oneshot;

/// Shards that answer at once.
#[derive(Clone)]
pub(crate) struct Exchange {
    books: Arc<Mutex<BTreeMap<InstrumentId, Book>>>,
}

/// A shard and what the tape brought it.
pub(crate) struct Book {
    pub(crate) shard: Shard,
    pub(crate) tape: TapeTotals,
    pub(crate) tapes: Vec<Tape>,
    commands: u64,
}

/// What the tape brought in, in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TapeTotals {
    pub(crate) orders: u64,
    pub(crate) bought: u64,
    pub(crate) sold: u64,
    pub(crate) first_trade_id: u64,
    pub(crate) last_trade_id: u64,
}

impl Exchange {
    pub(crate) fn new(instruments: &[Arc<Instrument>]) -> Self {
        let books = instruments
            .iter()
            .map(|instrument| {
                let limits = ShardLimits::default();
                let book = Book {
                    shard: Shard::new(Arc::clone(instrument), limits),
                    tape: TapeTotals::default(),
                    tapes: Vec::new(),
                    commands: 0,
                };
                (instrument.id, book)
            })
            .collect();
        Self {
            books: Arc::new(Mutex::new(books)),
        }
    }

    /// Every shard, until the guard goes.
    pub(crate) fn books(&self) -> MutexGuard<'_, BTreeMap<InstrumentId, Book>> {
        self.books.lock().unwrap()
    }

    /// The best bid's and the best ask's ticks and lots, if there are any.
    pub(crate) fn best(&self, instrument: &Instrument) -> [Option<(u64, u128)>; 2] {
        let books = self.books();
        [Side::Buy, Side::Sell].map(|side| {
            let best = books[&instrument.id].shard.book().best(side);
            best.map(|(price, volume)| (price.ticks(), volume.lots()))
        })
    }

    pub(crate) fn tape(&self, instrument: &Instrument) -> TapeTotals {
        self.books()[&instrument.id].tape
    }

    /// Every order of the tape that was taken in.
    #[allow(dead_code, reason = "not every test looks at each of them")]
    pub(crate) fn tapes(&self, instrument: &Instrument) -> Vec<Tape> {
        self.books()[&instrument.id].tapes.clone()
    }

    /// Carries a command out at once.
    pub(crate) fn apply(&self, to: InstrumentId, command: Command) -> Answer {
        self.books().get_mut(&to).unwrap().apply(command)
    }
}

impl Book {
    fn apply(&mut self, command: Command) -> Answer {
        self.commands += 1;
        let stamped = Stamped {
            timestamp: Timestamp::from_microseconds(self.commands),
            command,
        };
        match self.shard.apply(&stamped, &mut Vec::new()) {
            Decision::Recorded { .. } => {
                if let Command::Tape(tape) = &stamped.command {
                    let total = match tape.side {
                        Side::Buy => &mut self.tape.bought,
                        Side::Sell => &mut self.tape.sold,
                    };
                    *total += tape.quantity.lots();
                    if self.tape.orders == 0 {
                        self.tape.first_trade_id = tape.first_trade_id;
                    }
                    self.tape.orders += 1;
                    self.tape.last_trade_id = tape.last_trade_id;
                    self.tapes.push(tape.clone());
                }
                Answer::Applied
            }
            Decision::Unchanged => Answer::Unchanged,
            other @ (Decision::Replayed(_) | Decision::Refused(_)) => {
                panic!("{other:?} to {stamped:?}")
            }
        }
    }
}

impl Sink for Exchange {
    fn feed_at_start(&self, of: InstrumentId) -> FeedAtStart {
        self.books()[&of].shard.feed_at_start()
    }

    async fn deliver(&self, to: InstrumentId, command: Command) -> Receipt {
        let (sender, receipt) = oneshot::channel();
        // Nobody may be waiting any more.
        let _ = sender.send(Ok(self.apply(to, command)));
        receipt
    }
}

/// The instrument numbered `id`, fed by `binance_symbol`, with ticks of 0.01.
pub(crate) fn instrument(
    id: u32,
    symbol: &str,
    lot: &str,
    binance_symbol: &str,
) -> Arc<Instrument> {
    let increment = |step: &str| Increment::new(step.parse().unwrap()).unwrap();
    Arc::new(Instrument {
        id: InstrumentId::new(id),
        symbol: Symbol::new(symbol).unwrap(),
        tick: increment("0.01"),
        lot: increment(lot),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(1_000_000_000_000).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: Some(String::from(binance_symbol)),
        listed_at: shardbook_engine::time::Timestamp::default(),
    })
}

pub(crate) fn bitcoin() -> Arc<Instrument> {
    instrument(1, "BTC-USD", "0.00001", "BTCUSDT")
}

pub(crate) fn ether() -> Arc<Instrument> {
    instrument(2, "ETH-USD", "0.0001", "ETHUSDT")
}

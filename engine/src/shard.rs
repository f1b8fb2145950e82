//! The pure core of one instrument: its whole state, and what a command makes of it.
//!
//! Everything in it is a function of its records: no clock, no randomness, no I/O. A command
//! that is refused, or would change nothing, leaves no record and therefore no trace. Records
//! are applied again by [`Replayer`], by their events and without matching.
//!
//! What grows is bounded: open orders by their clients' limits, closed ids and idempotency keys
//! by [`ShardLimits`].
//!
//! The checks of an order come in this order: its key, its id, then the rejections in the order
//! of [`Rejection`]'s variants. The feed's clients are exempt from limits and bands.

mod change;
mod clients;
mod closed;
mod feed;
mod hashed;
mod keys;
mod orders;
mod place;
mod prepare;
mod replay;
mod state;
mod window;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::{FirstAnswer, Refusal};
use crate::book::{Book, BookEvent, Handle};
use crate::command::{Command, FeedSource, Stamped};
use crate::event::{Event, Maker, MirrorMaker};
use crate::id::{OrderRef, Sequence, TradeNumber};
use crate::instrument::Instrument;
use crate::order::{CancelReason, OrderState, Rejection};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::time::{Day, Timestamp};

use self::closed::ClosedIds;
use self::hashed::IdHasher;
use self::keys::KeyWindow;
use self::orders::OpenOrders;
use self::place::{sum, trade_mirrored};
use self::prepare::Prepared;

pub use self::feed::{FeedAtStart, FeedPositions, MirrorPosition, SourcePosition};
pub use self::prepare::PREPARED_AT_ONCE;
pub use self::replay::Replayer;
pub use self::state::{BoundKey, ClientResting, MirrorResting, RestingOrder, ShardState};

/// How much a shard keeps, and what it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLimits {
    /// Open orders of one client on this instrument. An order that can't rest is not counted.
    pub open_orders_per_client: usize,
    /// Closed orders whose ids can't be used again yet.
    pub order_ids: usize,
    /// Keyed orders whose keys still answer.
    pub idempotency_keys: usize,
    /// How long a key answers, at most; measured between stamps.
    pub idempotency_age: Duration,
}

impl Default for ShardLimits {
    fn default() -> Self {
        Self {
            open_orders_per_client: 100_000,
            order_ids: 1_000_000,
            idempotency_keys: 1_000_000,
            idempotency_age: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// What a shard decided about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is carried out; its events and this make its record.
    Recorded {
        /// The record's.
        sequence: Sequence,
        /// The number of its first trade; the next trade's if it has none.
        first_trade: TradeNumber,
    },
    /// Its key came before with the same request: the answer is what it was then.
    Replayed(FirstAnswer),
    /// It is not carried out, and there is no record of it.
    Refused(Refusal),
    /// It would change nothing, and there is no record of it.
    Unchanged,
}

/// One instrument's whole state.
#[derive(Debug)]
pub struct Shard {
    instrument: Arc<Instrument>,
    limits: ShardLimits,
    sequence: Sequence,
    last_trade: TradeNumber,
    last_price: Option<Price>,
    last_stamp: Timestamp,
    halted: bool,
    last_closed_day: Option<Day>,
    book: Book,
    orders: OpenOrders,
    mirrored: HashMap<Handle, MirrorMaker, foldhash::fast::RandomState>,
    /// Whose levels are mirrored; none before the first whole update, and after a withdrawal.
    mirror_source: Option<FeedSource>,
    positions: FeedPositions,
    closed_ids: ClosedIds,
    id_hasher: IdHasher,
    keys: KeyWindow,
    /// Empty between commands; kept for its room.
    book_events: Vec<BookEvent>,
    prepared: Prepared,
}

impl Shard {
    /// The shard of an instrument that nothing has happened on.
    #[must_use]
    pub fn new(instrument: Arc<Instrument>, limits: ShardLimits) -> Self {
        Self {
            instrument,
            limits,
            sequence: Sequence::ZERO,
            last_trade: TradeNumber::ZERO,
            last_price: None,
            last_stamp: Timestamp::default(),
            halted: false,
            last_closed_day: None,
            book: Book::new(),
            orders: OpenOrders::default(),
            mirrored: HashMap::default(),
            mirror_source: None,
            positions: FeedPositions::default(),
            closed_ids: ClosedIds::new(limits.order_ids),
            id_hasher: IdHasher::default(),
            keys: KeyWindow::new(limits.idempotency_keys, limits.idempotency_age),
            book_events: Vec::new(),
            prepared: Prepared::new(),
        }
    }

    /// Decides a command. `events` is emptied, and holds afterwards what came of the command if
    /// it was recorded, else nothing.
    ///
    /// # Panics
    /// When the stamp is before the last record's, and when the shard's own parts disagree: bugs.
    pub fn apply(&mut self, stamped: &Stamped, events: &mut Vec<Event>) -> Decision {
        let at = stamped.timestamp;
        assert!(at >= self.last_stamp, "stamps never decrease");
        events.clear();
        match &stamped.command {
            Command::Place(order) => self.place(at, order, events),
            Command::Cancel(cancel) => self.cancel(at, cancel, events),
            Command::Amend(amend) => self.amend(at, amend, events),
            Command::MassCancel(mass) => self.mass_cancel(at, mass, events),
            Command::Tape(tape) => self.tape(at, tape, events),
            Command::Mirror(update) => self.mirror(at, update, events),
            Command::WithdrawMirror => self.withdraw_mirror(at, events),
            Command::Halt => self.halt(at, events),
            Command::Resume => self.resume(at, events),
            Command::CloseDay(day) => self.close_day(at, *day, events),
        }
    }

    /// What it trades.
    #[must_use]
    pub const fn instrument(&self) -> &Arc<Instrument> {
        &self.instrument
    }

    /// The last record's number.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The last record's stamp; no later command may have an earlier one.
    #[must_use]
    pub const fn last_stamp(&self) -> Timestamp {
        self.last_stamp
    }

    /// The number of the next trade.
    #[must_use]
    pub const fn next_trade(&self) -> TradeNumber {
        self.last_trade.next()
    }

    /// The last trade's price.
    #[must_use]
    pub const fn last_price(&self) -> Option<Price> {
        self.last_price
    }

    /// Whether trading is stopped.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.halted
    }

    /// The last day that it has closed.
    #[must_use]
    pub const fn last_closed_day(&self) -> Option<Day> {
        self.last_closed_day
    }

    /// What is here of the feed's.
    #[must_use]
    pub const fn feed_at_start(&self) -> FeedAtStart {
        FeedAtStart {
            positions: self.positions,
            mirror_source: self.mirror_source,
        }
    }

    /// How far the feed's sources have been taken in.
    #[must_use]
    pub const fn feed_positions(&self) -> &FeedPositions {
        &self.positions
    }

    /// Whose levels are mirrored, if a mirror is in place.
    #[must_use]
    pub const fn mirror_source(&self) -> Option<FeedSource> {
        self.mirror_source
    }

    /// Its book.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Counts the command whose events these are as carried out.
    fn record(&mut self, at: Timestamp, events: &[Event]) -> Decision {
        let first_trade = self.next_trade();
        for event in events {
            match event {
                Event::Traded { price, .. } => {
                    self.last_trade = self.last_trade.next();
                    self.last_price = Some(*price);
                }
                Event::Rejected(_)
                | Event::Cancelled { .. }
                | Event::Amended { .. }
                | Event::MirrorAdded { .. }
                | Event::MirrorReduced { .. } => {}
            }
        }
        self.sequence = self.sequence.next();
        self.last_stamp = at;
        self.keys.expire(at);
        Decision::Recorded {
            sequence: self.sequence,
            first_trade,
        }
    }

    /// Takes a client's order, already off the book, out of the open ones.
    fn close(&mut self, handle: Handle) -> OrderRef {
        let hash = self.id_hasher.hash(&self.open_order(handle).id);
        self.closed_ids.touch(hash);
        let order = self.orders.remove(handle, hash);
        self.closed_ids.push(order.id, hash, &self.id_hasher);
        OrderRef::single(order.placed)
    }

    /// Puts down a resting order's part in a trade, and closes it if nothing `remaining`.
    fn maker_traded(
        &mut self,
        maker: Handle,
        price: Price,
        quantity: Quantity,
        remaining: Quantity,
    ) -> Maker {
        if let Some(order) = self.orders.get(maker) {
            let order = OrderRef::single(order.placed);
            if remaining.is_zero() {
                self.close(maker);
            }
            return Maker::Client(order);
        }
        let mirrored = self.mirrored_mut(maker);
        let before = mirrored.clone();
        trade_mirrored(mirrored, price, quantity);
        if remaining.is_zero() {
            self.mirrored.remove(&maker);
        }
        Maker::Mirror(before)
    }

    /// Takes a mirrored order, already off the book, out of the open ones.
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn forget_mirrored(&mut self, handle: Handle) -> OrderRef {
        let mirrored = self.mirrored.remove(&handle);
        mirrored.expect("the mirror takes its own away").order
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn mirrored_mut(&mut self, handle: Handle) -> &mut MirrorMaker {
        let mirrored = self.mirrored.get_mut(&handle);
        mirrored.expect("every resting order is a client's or the mirror's")
    }
}

/// What an incoming order got on its way into the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Taken {
    quantity: Quantity,
    notional: Notional,
    trades: u64,
}

impl Taken {
    fn add(&mut self, price: Price, quantity: Quantity) {
        self.quantity = sum(self.quantity, quantity);
        self.notional += price * quantity;
        self.trades += 1;
    }
}

/// What became of an incoming order in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Rests(Handle),
    Filled,
    Cancelled(CancelReason),
    Rejected(Rejection),
}

impl Ending {
    const fn state(self) -> OrderState {
        match self {
            Self::Rests(_) => OrderState::Resting,
            Self::Filled => OrderState::Filled,
            Self::Cancelled(reason) => OrderState::Cancelled(reason),
            Self::Rejected(rejection) => OrderState::Rejected(rejection),
        }
    }

    /// Adds what tells it to others; that an order rests or is filled follows from its trades.
    fn tell(self, order: OrderRef, events: &mut Vec<Event>) {
        match self {
            Self::Rests(_) | Self::Filled => {}
            Self::Cancelled(reason) => events.push(Event::Cancelled { order, reason }),
            Self::Rejected(rejection) => events.push(Event::Rejected(rejection)),
        }
    }
}

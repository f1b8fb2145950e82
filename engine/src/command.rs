//! What goes into a shard's core: already valid, not yet decided.

use crate::id::{ClientId, OrderId};
use crate::order::{CancelReason, NewOrder};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::side::Side;
use crate::time::{Day, Timestamp};

/// Most orders one mass cancel takes away; a longer one runs as several commands, so that no
/// record is unbounded and a shard gives way in between.
pub const MASS_CANCEL_ORDERS_MAX: usize = 1_000;

/// Something a shard is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Places a client's order.
    Place(NewOrder),
    /// Takes an order off the book.
    Cancel(Cancel),
    /// Changes a resting order's price or quantity.
    Amend(Amend),
    /// Takes a client's oldest orders off the book, at most [`MASS_CANCEL_ORDERS_MAX`].
    MassCancel(MassCancel),
    /// Brings in trades of Binance's tape as one market order.
    Tape(Tape),
    /// Brings the mirrored levels to Binance's.
    Mirror(MirrorUpdate),
    /// Takes everything mirrored off the book and forgets its targets.
    WithdrawMirror,
    /// Stops trading: from now on orders are rejected, and the mirror is withdrawn.
    Halt,
    /// Lets trading go on.
    Resume,
    /// Ends a UTC day for this instrument: no later stamp falls in it. Halted ones close too.
    CloseDay(Day),
}

/// A command with the time it is decided at, stamped before it enters the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When; never before the instrument's last stamp.
    pub timestamp: Timestamp,
    /// What.
    pub command: Command,
}

/// On whose behalf an order is changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Requester {
    /// Anyone: keys are off, or an administrator asks. Still not the feed's orders.
    Anyone,
    /// A client with its own key: another's order does not exist for it.
    Client(ClientId),
}

/// Takes an order off the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Which.
    pub order_id: OrderId,
    /// Who asks.
    pub requester: Requester,
}

/// Changes a resting order. The same or less quantity at the same price keeps time priority;
/// anything else loses it and may trade at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amend {
    /// Which.
    pub order_id: OrderId,
    /// Who asks.
    pub requester: Requester,
    /// To what.
    pub change: OrderChange,
}

/// What an amend changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderChange {
    /// The price alone.
    Price(Price),
    /// The total quantity alone, what has traded included.
    Quantity(Quantity),
    /// Both.
    PriceAndQuantity(Price, Quantity),
}

/// Takes a client's orders off the book.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MassCancel {
    /// Whose.
    pub client: ClientId,
    /// On one side only, or on both.
    pub side: Option<Side>,
    /// [`CancelReason::MassCancel`] or [`CancelReason::Disconnected`].
    pub reason: CancelReason,
}

/// Which stream of market data a feed command comes from. Each has positions of its own: what is
/// not above them has been taken in before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedSource {
    /// Binance, live or recorded.
    Binance,
    /// The random market.
    Simulated,
}

/// Trades of Binance's tape that come in as one market order of client `binance-trades`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tape {
    /// Where it comes from.
    pub source: FeedSource,
    /// The source's name for the instrument, as `BTCUSDT`.
    pub symbol: String,
    /// The first trade's id (`t`).
    pub first_trade_id: u64,
    /// The last trade's id; the same for a single trade.
    pub last_trade_id: u64,
    /// The taker's.
    pub side: Side,
    /// In whole lots; above zero.
    pub quantity: Quantity,
}

/// Changed levels of Binance's book, as one command a diff.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MirrorUpdate {
    /// Where it comes from.
    pub source: FeedSource,
    /// The `lastUpdateId` of the snapshot that the source's book began with.
    pub snapshot_id: u64,
    /// The diff's `u`; the snapshot's own for the first update after it.
    pub update_id: u64,
    /// What of the mirror is replaced.
    pub scope: MirrorScope,
    /// The levels and their new quantities; 0 takes a level away.
    pub levels: Vec<MirrorLevel>,
}

/// How much of the mirror an update speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MirrorScope {
    /// The named levels; the others stay.
    Changes,
    /// All of it: a level not named goes. Sent after a new snapshot.
    Whole,
}

/// One mirrored price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MirrorLevel {
    /// Bids or asks.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// How much the source shows there.
    pub quantity: Quantity,
}

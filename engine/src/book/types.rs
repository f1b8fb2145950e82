//! What goes into the book, what comes out, and what it shows of itself.

use std::num::NonZeroU32;

use crate::order::{Rejection, SelfTradePrevention};
use crate::price::Price;
use crate::quantity::{Quantity, Volume};
use crate::side::Side;

/// The place of a resting order in the book's slab. It names the order as long as that rests and
/// is given to another afterwards, the one freed last first: even within the same command, so
/// that whoever keeps something by handle follows the events in their order, the outcome last.
///
/// Two books with the same orders may know them by different handles.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(NonZeroU32);

impl Handle {
    /// The handle of the slab's slot `index`; `None` for the one index that has none.
    pub(super) fn of_index(index: usize) -> Option<Self> {
        let number = u32::try_from(index).ok()?.checked_add(1)?;
        NonZeroU32::new(number).map(Self)
    }

    /// Which slot: dense from 0, so that a `Vec` can stand beside the slab.
    #[must_use]
    #[expect(
        clippy::as_conversions,
        reason = "a u32 fits a usize on every target with sockets"
    )]
    pub const fn index(self) -> usize {
        (self.0.get() - 1) as usize
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({})", self.index())
    }
}

/// Who, as the shard numbers its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientNumber(u32);

impl ClientNumber {
    /// The mirror: its orders come in by [`Book::mirror`](super::Book::mirror) alone.
    pub const MIRROR: Self = Self(0);

    /// The client numbered so; 0 is the mirror.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// An order on its way into the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Whose; never the mirror's.
    pub client: ClientNumber,
    /// Which way it trades.
    pub side: Side,
    /// What is to trade or rest now; above zero.
    pub quantity: Quantity,
    /// What happens when it meets its own client's orders.
    pub self_trade_prevention: SelfTradePrevention,
}

/// One thing that a command did to the book, besides what its [`Outcome`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookEvent {
    /// The incoming order, or the last [`BookEvent::MirrorAdded`], traded with a resting one.
    Traded {
        /// Who rested.
        maker: Handle,
        /// The maker's price.
        price: Price,
        /// How much; above zero.
        quantity: Quantity,
        /// What is left of the maker; at zero it has closed and its handle is free.
        maker_remaining: Quantity,
    },
    /// Self-trade prevention took a resting order away; its handle is free.
    MakerCancelled {
        /// Which.
        maker: Handle,
    },
    /// A mirror order came in. What it traded follows, then [`BookEvent::MirrorRested`] if
    /// anything of it is left.
    MirrorAdded {
        /// Bids or asks.
        side: Side,
        /// Its price.
        price: Price,
        /// How much.
        quantity: Quantity,
    },
    /// What is left of the last [`BookEvent::MirrorAdded`] rests.
    MirrorRested {
        /// From now on its handle.
        handle: Handle,
    },
    /// A mirror order was made smaller and kept its place.
    MirrorReduced {
        /// Which.
        handle: Handle,
        /// By how much; less than what remained.
        by: Quantity,
    },
    /// A mirror order was taken away; its handle is free.
    MirrorRemoved {
        /// Which.
        handle: Handle,
    },
}

/// What became of an incoming order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it traded.
    Filled,
    /// What did not trade rests.
    Rested(Handle),
    /// What did not trade, something at least, is gone.
    Remainder(Remainder),
    /// Nothing happened: [`Rejection::PostOnlyWouldCross`], [`Rejection::FokNotFillable`] or
    /// [`Rejection::NoLiquidity`].
    Rejected(Rejection),
}

/// Why what did not trade of an incoming order is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remainder {
    /// A market order found no more orders.
    Exhausted,
    /// An `ioc` order found no more orders at its limit or better.
    LimitReached,
    /// It met its own client's order.
    SelfTrade,
}

/// A price level as readers see it; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelView {
    /// Its price.
    pub price: Price,
    /// What rests there, in lots.
    pub volume: Volume,
    /// How many orders rest there.
    pub orders: u32,
}

/// A resting order as readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingView {
    /// Whose.
    pub client: ClientNumber,
    /// Bids or asks.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// What is left of it; above zero.
    pub remaining: Quantity,
}

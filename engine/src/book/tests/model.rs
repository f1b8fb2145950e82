//! What is done to a book in tests, what it tells, and how it looks, with orders by name.

use std::fmt;

use super::super::{ClientNumber, Remainder};
use crate::command::{MirrorLevel, MirrorScope};
use crate::order::{OrderKind, Rejection, SelfTradePrevention};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::side::Side;

/// What an order is called: `#4` a client's, `m2` the second that the mirror added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Name {
    Order(u32),
    Mirror(u32),
}

#[derive(Clone, Debug)]
pub(super) struct Placement {
    pub(super) name: Name,
    pub(super) client: ClientNumber,
    pub(super) side: Side,
    pub(super) quantity: Quantity,
    pub(super) kind: OrderKind,
    pub(super) self_trade_prevention: SelfTradePrevention,
}

#[derive(Clone, Debug)]
pub(super) enum Command {
    Place(Placement),
    Cancel(Name),
    Reduce(Name, Quantity),
    Mirror(MirrorScope, Vec<MirrorLevel>),
    Withdraw,
}

/// One thing a book tells. Its text is the notation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Takes(Name, Quantity, Price, Name),
    Filled(Name),
    Rests(Name, Quantity),
    Leaves(Name, Quantity, Remainder),
    Rejected(Name, Rejection),
    SelfTrade(Name),
    Cancelled(Name, Quantity),
    Adds(Name, Side, Quantity, Price),
    Reduced(Name, Quantity),
    Removed(Name),
}

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resting {
    pub(super) name: Name,
    pub(super) client: ClientNumber,
    pub(super) remaining: Quantity,
}

/// A level: its queue, first in first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) queue: Vec<Resting>,
}

/// A whole book: bids before asks, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) rows: Vec<Row>,
    pub(super) targets: Vec<MirrorLevel>,
    pub(super) short: Vec<(Side, Price)>,
}

pub(super) fn lots(lots: u64) -> Quantity {
    Quantity::new(lots).unwrap()
}

pub(super) fn ticks(ticks: u64) -> Price {
    Price::new(ticks).unwrap()
}

/// Sorts bids before asks, the best first.
pub(super) fn best_first(side: Side, price: Price) -> (Side, i128) {
    let ticks = i128::from(price.ticks());
    match side {
        Side::Buy => (side, -ticks),
        Side::Sell => (side, ticks),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(number) => write!(f, "#{number}"),
            Self::Mirror(number) => write!(f, "m{number}"),
        }
    }
}

/// At ticks of a cent.
pub(super) struct Cents(pub(super) Price);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0.ticks() / 100, self.0.ticks() % 100)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Takes(taker, quantity, price, maker) => {
                let (lots, cents) = (quantity.lots(), Cents(price));
                write!(f, "{taker} takes {lots} @ {cents} from {maker}")
            }
            Self::Filled(name) => write!(f, "{name} filled"),
            Self::Rests(name, quantity) => write!(f, "{name} rests {}", quantity.lots()),
            Self::Leaves(name, quantity, why) => {
                write!(f, "{name} leaves {}: {}", quantity.lots(), remainder(why))
            }
            Self::Rejected(name, why) => write!(f, "{name} rejected: {}", rejection(why)),
            Self::SelfTrade(name) => write!(f, "{name} cancelled: self trade"),
            Self::Cancelled(name, quantity) => {
                write!(f, "{name} cancelled with {} left", quantity.lots())
            }
            Self::Adds(name, side, quantity, price) => {
                let verb = match side {
                    Side::Buy => "bids",
                    Side::Sell => "asks",
                };
                write!(f, "{name} {verb} {} @ {}", quantity.lots(), Cents(price))
            }
            Self::Reduced(name, by) => write!(f, "{name} reduced by {}", by.lots()),
            Self::Removed(name) => write!(f, "{name} removed"),
        }
    }
}

fn remainder(why: Remainder) -> &'static str {
    match why {
        Remainder::Exhausted => "book exhausted",
        Remainder::LimitReached => "limit reached",
        Remainder::SelfTrade => "self trade",
    }
}

fn rejection(why: Rejection) -> &'static str {
    match why {
        Rejection::PostOnlyWouldCross => "post-only would cross",
        Rejection::FokNotFillable => "fok not fillable",
        Rejection::NoLiquidity => "no liquidity",
        Rejection::InstrumentHalted
        | Rejection::TooManyOpenOrders
        | Rejection::PriceOutsideBand => "for a reason that is not the book's",
    }
}

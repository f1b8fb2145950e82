//! Who trades with whom: price before time.

use super::Book;
use super::level::Level;
use super::mirror::Mirror;
use super::rank::{LevelKey, Rank};
use super::slab::Slab;
use super::types::{BookEvent, ClientNumber, Handle, Incoming, Outcome, Remainder};
use crate::order::{OrderKind, Rejection, SelfTradePrevention, TimeInForce};
use crate::price::Price;
use crate::quantity::{Quantity, Volume};

/// An incoming order while it trades.
pub(super) struct Taker {
    pub(super) incoming: Incoming,
    /// The worst rank among its makers that it still trades with; `None`: any.
    limit: Option<Rank>,
    /// What has not traded yet.
    pub(super) remaining: Quantity,
}

impl Taker {
    pub(super) const fn new(incoming: Incoming, limit: Option<Price>) -> Self {
        Self {
            incoming,
            limit: match limit {
                Some(price) => Some(Rank::of(incoming.side.opposite(), price)),
                None => None,
            },
            remaining: incoming.quantity,
        }
    }

    fn reaches(&self, rank: Rank) -> bool {
        self.limit.is_none_or(|limit| rank <= limit)
    }

    fn take(&mut self, maker_remaining: Quantity) -> Quantity {
        let quantity = self.remaining.min(maker_remaining);
        self.remaining -= quantity;
        quantity
    }
}

/// Why an order stopped trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing is left of it.
    Filled,
    /// No more orders are within its reach.
    NoMore,
    /// It met its own client's order, and ends.
    OwnOrder,
}

impl Book {
    /// Brings in an order: it trades with what it can reach, the best price first and the oldest
    /// first within it; its remainder rests or goes. What happens on the way is added to
    /// `events`.
    ///
    /// # Panics
    /// If the order has no quantity, or is the mirror's.
    pub fn place(
        &mut self,
        incoming: Incoming,
        kind: OrderKind,
        events: &mut Vec<BookEvent>,
    ) -> Outcome {
        assert!(!incoming.quantity.is_zero(), "an order has a quantity");
        assert_ne!(
            incoming.client,
            ClientNumber::MIRROR,
            "the mirror places nothing"
        );
        match kind {
            OrderKind::Market => self.place_market(incoming, events),
            OrderKind::Limit {
                price,
                time_in_force,
            } => match time_in_force {
                TimeInForce::Gtc => self.place_gtc(incoming, price, events),
                TimeInForce::Ioc => self.place_ioc(incoming, price, events),
                TimeInForce::Fok => self.place_fok(incoming, price, events),
                TimeInForce::PostOnly => self.place_post_only(incoming, price),
            },
        }
    }

    fn place_market(&mut self, incoming: Incoming, events: &mut Vec<BookEvent>) -> Outcome {
        if self.sides.of(incoming.side.opposite()).best().is_none() {
            return Outcome::Rejected(Rejection::NoLiquidity);
        }
        self.take(Taker::new(incoming, None), Remainder::Exhausted, events)
    }

    fn place_gtc(
        &mut self,
        incoming: Incoming,
        price: Price,
        events: &mut Vec<BookEvent>,
    ) -> Outcome {
        let mut taker = Taker::new(incoming, Some(price));
        match self.trade(&mut taker, events) {
            Stop::Filled => Outcome::Filled,
            Stop::NoMore => {
                let key = LevelKey::new(incoming.side, price);
                Outcome::Rested(self.rest(incoming.client, key, taker.remaining))
            }
            Stop::OwnOrder => Outcome::Remainder(Remainder::SelfTrade),
        }
    }

    fn place_ioc(
        &mut self,
        incoming: Incoming,
        price: Price,
        events: &mut Vec<BookEvent>,
    ) -> Outcome {
        let taker = Taker::new(incoming, Some(price));
        self.take(taker, Remainder::LimitReached, events)
    }

    fn place_fok(
        &mut self,
        incoming: Incoming,
        price: Price,
        events: &mut Vec<BookEvent>,
    ) -> Outcome {
        let mut taker = Taker::new(incoming, Some(price));
        if !self.can_fill(&taker) {
            return Outcome::Rejected(Rejection::FokNotFillable);
        }
        let stop = self.trade(&mut taker, events);
        assert_eq!(stop, Stop::Filled, "what can be filled is filled");
        Outcome::Filled
    }

    fn place_post_only(&mut self, incoming: Incoming, price: Price) -> Outcome {
        if self.would_cross(incoming.side, price) {
            return Outcome::Rejected(Rejection::PostOnlyWouldCross);
        }
        let key = LevelKey::new(incoming.side, price);
        Outcome::Rested(self.rest(incoming.client, key, incoming.quantity))
    }

    /// Lets an order trade that never rests; `short` is why something is left of it that has met
    /// all there is.
    fn take(&mut self, mut taker: Taker, short: Remainder, events: &mut Vec<BookEvent>) -> Outcome {
        match self.trade(&mut taker, events) {
            Stop::Filled => Outcome::Filled,
            Stop::NoMore => Outcome::Remainder(short),
            Stop::OwnOrder => Outcome::Remainder(Remainder::SelfTrade),
        }
    }

    /// Lets an order trade until nothing is left of it or something stops it.
    pub(super) fn trade(&mut self, taker: &mut Taker, events: &mut Vec<BookEvent>) -> Stop {
        let makers = taker.incoming.side.opposite();
        let side = self.sides.of_mut(makers);
        while !taker.remaining.is_zero() {
            let Some(best) = side.best().filter(|best| taker.reaches(*best)) else {
                return Stop::NoMore;
            };
            let level = side.level_mut(best);
            let mut queue = Queue {
                level,
                slab: &mut self.slab,
                mirror: &mut self.mirror,
                price: best.price(makers),
            };
            let met = queue.trade(taker, events);
            if level.is_empty() {
                side.vacate(best);
            }
            match met {
                Met::Others => {}
                Met::Own => return Stop::OwnOrder,
            }
        }
        Stop::Filled
    }

    /// Whether an order would be filled whole. With any self-trade prevention its client's own
    /// orders are no liquidity; where meeting one would end it, it must be full before.
    fn can_fill(&self, taker: &Taker) -> bool {
        let client = taker.incoming.client;
        let wanted = Volume::from(taker.remaining);
        let mut found = Volume::ZERO;
        let within_reach = self
            .sides
            .of(taker.incoming.side.opposite())
            .iter()
            .take_while(|(rank, _)| taker.reaches(*rank));
        for (_, level) in within_reach {
            let mut makers = level
                .queue(&self.slab)
                .map(|handle| self.slab.order(handle));
            match taker.incoming.self_trade_prevention {
                SelfTradePrevention::None => found += level.volume(),
                SelfTradePrevention::CancelMaker => {
                    for maker in makers.filter(|maker| maker.client != client) {
                        found += maker.remaining;
                        if found >= wanted {
                            break;
                        }
                    }
                }
                SelfTradePrevention::CancelTaker | SelfTradePrevention::CancelBoth => {
                    while let Some(maker) = makers.next().filter(|_| found < wanted) {
                        if maker.client == client {
                            return false;
                        }
                        found += maker.remaining;
                    }
                }
            }
            if found >= wanted {
                return true;
            }
        }
        false
    }
}

/// Whom an order met at a level.
enum Met {
    /// None that ended it.
    Others,
    /// Its own client's order, which ended it.
    Own,
}

/// The level an order trades at, with all that a trade changes.
struct Queue<'a> {
    level: &'a mut Level,
    slab: &'a mut Slab,
    mirror: &'a mut Mirror,
    price: Price,
}

impl Queue<'_> {
    fn trade(&mut self, taker: &mut Taker, events: &mut Vec<BookEvent>) -> Met {
        let incoming = taker.incoming;
        while let Some(maker) = self.level.first() {
            if taker.remaining.is_zero() {
                break;
            }
            if self.slab.order(maker).client == incoming.client {
                match incoming.self_trade_prevention {
                    SelfTradePrevention::None => {}
                    SelfTradePrevention::CancelTaker => return Met::Own,
                    SelfTradePrevention::CancelMaker => {
                        self.cancel(maker, events);
                        continue;
                    }
                    SelfTradePrevention::CancelBoth => {
                        self.cancel(maker, events);
                        return Met::Own;
                    }
                }
            }
            self.fill(maker, taker, events);
        }
        Met::Others
    }

    fn fill(&mut self, maker: Handle, taker: &mut Taker, events: &mut Vec<BookEvent>) {
        let quantity = taker.take(self.slab.order(maker).remaining);
        let maker_remaining = fill(self.level, self.slab, self.mirror, maker, quantity);
        events.push(BookEvent::Traded {
            maker,
            price: self.price,
            quantity,
            maker_remaining,
        });
    }

    fn cancel(&mut self, maker: Handle, events: &mut Vec<BookEvent>) {
        self.level.unlink(self.slab, maker);
        self.slab.free(maker);
        events.push(BookEvent::MakerCancelled { maker });
    }
}

/// Takes what traded off a resting order, and the order away once nothing remains. Tells what
/// remains. The level may be left empty.
pub(super) fn fill(
    level: &mut Level,
    slab: &mut Slab,
    mirror: &mut Mirror,
    handle: Handle,
    quantity: Quantity,
) -> Quantity {
    level.lower(slab, handle, quantity);
    let slot = slab.order(handle);
    let remaining = slot.remaining;
    if slot.client == ClientNumber::MIRROR {
        mirror.filled(slot.key, quantity, remaining);
    }
    if remaining.is_zero() {
        level.unlink(slab, handle);
        slab.free(handle);
    }
    remaining
}

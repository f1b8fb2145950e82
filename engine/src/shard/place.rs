//! Orders coming in: a client's own, and what the book tells of any on its way in.

use std::mem;

use crate::answer::Refusal;
use crate::book::{BookEvent, ClientNumber, Incoming, Outcome, Remainder};
use crate::event::{Event, MirrorMaker};
use crate::id::{IdempotencyKey, OrderRef, Sequence};
use crate::instrument::PriceBand;
use crate::order::{CancelReason, NewOrder, OrderKind, Rejection, TimeInForce};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::time::Timestamp;

use super::hashed::Hashed;
use super::keys::{KeyUse, fingerprint};
use super::orders::OpenOrder;
use super::state::BoundKey;
use super::{Decision, Ending, Shard, Taken};

impl Shard {
    pub(super) fn place(
        &mut self,
        at: Timestamp,
        order: &NewOrder,
        events: &mut Vec<Event>,
    ) -> Decision {
        let hashes = self.hashes(order);
        if let Some(HashedKey { hash, key }) = hashes.key {
            match self.keys.look_up(hash, key, order, at) {
                KeyUse::SameRequest(answer) => return Decision::Replayed(answer),
                KeyUse::OtherRequest => return Decision::Refused(Refusal::IdempotencyKeyReused),
                KeyUse::Free => {}
            }
        }
        let (hash, id) = (hashes.id, order.id.id());
        let hashed = Hashed { hash, id };
        if self.orders.find(hashed).is_some() || self.closed_ids.contains(hashed) {
            return Decision::Refused(Refusal::DuplicateOrderId);
        }
        let client = self.orders.enter(&order.client);
        let (ending, taken) = match self.rejection(client, order) {
            Some(rejection) => (Ending::Rejected(rejection), Taken::default()),
            None => {
                let incoming = Incoming {
                    client,
                    side: order.side,
                    quantity: order.quantity,
                    self_trade_prevention: order.self_trade_prevention,
                };
                self.bring_in(at, incoming, order.kind, events)
            }
        };
        ending.tell(OrderRef::single(self.sequence.next()), events);
        self.note_placement(at, client, order, hashes, ending, taken);
        self.orders.leave(client);
        self.record(at, events)
    }

    /// Hashes what an order is looked up by, and has the machine fetch all that is looked at, at
    /// once: each is likely to lie in memory alone.
    pub(super) fn hashes<'a>(&self, order: &'a NewOrder) -> Hashes<'a> {
        let key = order.idempotency_key.as_ref().map(|key| HashedKey {
            hash: self.keys.hash(&order.client, key),
            key,
        });
        let id = self.id_hasher.hash(order.id.id());
        if let Some(key) = key {
            self.keys.touch(key.hash);
        }
        self.closed_ids.touch(id);
        self.orders.touch(id);
        Hashes { key, id }
    }

    /// Why the order is rejected before the book sees it. Its client has entered.
    fn rejection(&self, client: ClientNumber, order: &NewOrder) -> Option<Rejection> {
        if self.halted {
            return Some(Rejection::InstrumentHalted);
        }
        if order.client.is_feed() {
            return None;
        }
        match order.kind {
            OrderKind::Market => None,
            OrderKind::Limit {
                price,
                time_in_force,
            } => {
                // Without the one on its way in.
                let open = self.orders.client(client).holds() - 1;
                if may_rest(time_in_force) && open >= self.limits.open_orders_per_client {
                    Some(Rejection::TooManyOpenOrders)
                } else if self.is_outside_band(price) {
                    Some(Rejection::PriceOutsideBand)
                } else {
                    None
                }
            }
        }
    }

    /// Whether a limit price is further from the last trade's than the instrument allows.
    pub(super) fn is_outside_band(&self, price: Price) -> bool {
        match (self.instrument.price_band, self.last_price) {
            (Some(band), Some(last)) => is_outside(band, last, price),
            (None, None | Some(_)) | (Some(_), None) => false,
        }
    }

    /// Lets the book match an order, and tells what that did to others.
    pub(super) fn bring_in(
        &mut self,
        at: Timestamp,
        incoming: Incoming,
        kind: OrderKind,
        events: &mut Vec<Event>,
    ) -> (Ending, Taken) {
        let outcome = self.book.place(incoming, kind, &mut self.book_events);
        let taken = self.follow(at, events);
        let ending = match outcome {
            Outcome::Filled => Ending::Filled,
            Outcome::Rested(handle) => Ending::Rests(handle),
            Outcome::Remainder(Remainder::Exhausted) => {
                Ending::Cancelled(CancelReason::BookExhausted)
            }
            Outcome::Remainder(Remainder::LimitReached) => {
                Ending::Cancelled(CancelReason::IocRemainder)
            }
            Outcome::Remainder(Remainder::SelfTrade) => Ending::Cancelled(CancelReason::SelfTrade),
            Outcome::Rejected(rejection) => Ending::Rejected(rejection),
        };
        (ending, taken)
    }

    /// Follows what the book did, in its order: handles are given again as soon as they are
    /// free. Tells what a client's or the tape's incoming order took.
    pub(super) fn follow(&mut self, at: Timestamp, events: &mut Vec<Event>) -> Taken {
        let sequence = self.sequence.next();
        let mut taken = Taken::default();
        let mut mirror_order: Option<MirrorMaker> = None;
        let mut mirror_orders = 0;
        let mut book_events = mem::take(&mut self.book_events);
        for event in book_events.drain(..) {
            match event {
                BookEvent::Traded {
                    maker,
                    price,
                    quantity,
                    maker_remaining,
                } => {
                    match &mut mirror_order {
                        Some(order) => trade_mirrored(order, price, quantity),
                        None => taken.add(price, quantity),
                    }
                    let maker = self.maker_traded(maker, price, quantity, maker_remaining);
                    events.push(Event::Traded {
                        maker,
                        price,
                        quantity,
                    });
                }
                BookEvent::MakerCancelled { maker } => events.push(Event::Cancelled {
                    order: self.close(maker),
                    reason: CancelReason::SelfTrade,
                }),
                BookEvent::MirrorAdded {
                    side,
                    price,
                    quantity,
                } => {
                    mirror_orders += 1;
                    let placed = OrderRef {
                        sequence,
                        index: mirror_orders,
                    };
                    mirror_order = Some(new_mirrored(placed, quantity, at));
                    events.push(Event::MirrorAdded {
                        index: mirror_orders,
                        side,
                        price,
                        quantity,
                    });
                }
                BookEvent::MirrorRested { handle } => {
                    if let Some(order) = mirror_order.take() {
                        self.mirrored.insert(handle, order);
                    }
                }
                BookEvent::MirrorReduced { handle, by } => {
                    let order = self.mirrored_mut(handle);
                    order.quantity -= by;
                    events.push(Event::MirrorReduced {
                        order: order.order,
                        quantity: order.quantity,
                    });
                }
                BookEvent::MirrorRemoved { handle } => events.push(Event::Cancelled {
                    order: self.forget_mirrored(handle),
                    reason: CancelReason::Mirror,
                }),
            }
        }
        self.book_events = book_events;
        taken
    }

    /// Puts down what became of a placed order, whether it was matched or replayed. Its client
    /// has entered.
    pub(super) fn note_placement(
        &mut self,
        at: Timestamp,
        client: ClientNumber,
        order: &NewOrder,
        hashes: Hashes<'_>,
        ending: Ending,
        taken: Taken,
    ) {
        let sequence = self.sequence.next();
        match ending {
            Ending::Rests(handle) => {
                let resting = resting(order, sequence, client);
                self.orders.insert(handle, resting, hashes.id);
            }
            Ending::Filled | Ending::Cancelled(_) | Ending::Rejected(_) => {
                let id = order.id.id().clone();
                self.closed_ids.push(id, hashes.id, &self.id_hasher);
            }
        }
        if let Some(HashedKey { hash, key }) = hashes.key {
            let bound = BoundKey {
                client: order.client.clone(),
                key: key.clone(),
                fingerprint: fingerprint(order),
                order_id: order.id.id().clone(),
                side: order.side,
                kind: order.kind,
                quantity: order.quantity,
                self_trade_prevention: order.self_trade_prevention,
                state: ending.state(),
                filled_quantity: taken.quantity,
                filled_notional: taken.notional,
                trade_count: taken.trades,
                sequence,
                first_trade: self.next_trade(),
                created_at: at,
            };
            self.keys.bind(hash, bound);
        }
    }
}

/// The hashes of what an order is looked up by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashes<'a> {
    key: Option<HashedKey<'a>>,
    id: u64,
}

/// An idempotency key with the hash of it and its client.
#[derive(Clone, Copy, Debug)]
struct HashedKey<'a> {
    hash: u64,
    key: &'a IdempotencyKey,
}

/// What the shard keeps of an order that has come to rest.
#[expect(clippy::panic, reason = "a bug stops its shard")]
fn resting(order: &NewOrder, placed: Sequence, client: ClientNumber) -> OpenOrder {
    let time_in_force = match order.kind {
        OrderKind::Limit { time_in_force, .. } => time_in_force,
        OrderKind::Market => panic!("a market order never rests"),
    };
    OpenOrder {
        id: order.id.id().clone(),
        placed,
        client,
        side: order.side,
        time_in_force,
        self_trade_prevention: order.self_trade_prevention,
        quantity: order.quantity,
    }
}

/// A mirrored order that has just come in.
pub(super) const fn new_mirrored(
    order: OrderRef,
    quantity: Quantity,
    at: Timestamp,
) -> MirrorMaker {
    MirrorMaker {
        order,
        quantity,
        filled_quantity: Quantity::ZERO,
        filled_notional: Notional::ZERO,
        trade_count: 0,
        created_at: at,
    }
}

/// Counts a trade of a mirrored order.
pub(super) fn trade_mirrored(order: &mut MirrorMaker, price: Price, quantity: Quantity) {
    order.filled_quantity = sum(order.filled_quantity, quantity);
    order.filled_notional += price * quantity;
    order.trade_count += 1;
}

/// Parts of one order's quantity together.
#[expect(clippy::expect_used, reason = "a bug stops its shard")]
pub(super) const fn sum(one: Quantity, other: Quantity) -> Quantity {
    one.checked_add(other)
        .expect("no more trades than the order's quantity")
}

const fn may_rest(time_in_force: TimeInForce) -> bool {
    match time_in_force {
        TimeInForce::Gtc | TimeInForce::PostOnly => true,
        TimeInForce::Ioc | TimeInForce::Fok => false,
    }
}

fn is_outside(band: PriceBand, last: Price, price: Price) -> bool {
    let distance = u128::from(price.ticks().abs_diff(last.ticks()));
    distance * 10_000 > u128::from(last.ticks()) * u128::from(band.basis_points())
}

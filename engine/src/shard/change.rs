//! Orders that rest being cancelled and amended.

use crate::admission;
use crate::answer::{InvalidOrder, Refusal};
use crate::book::{Handle, Incoming, RestingView};
use crate::command::{Amend, Cancel, MASS_CANCEL_ORDERS_MAX, MassCancel, OrderChange, Requester};
use crate::event::{Event, Priority};
use crate::id::{OrderId, OrderRef};
use crate::order::{CancelReason, OrderKind, Rejection, TimeInForce};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::side::Side;
use crate::time::Timestamp;

use super::orders::OpenOrder;
use super::{Decision, Ending, Shard};

/// What an amend would make of an order.
struct Wanted {
    price: Price,
    quantity: Quantity,
    filled: Quantity,
    priority: Priority,
}

impl Shard {
    pub(super) fn cancel(
        &mut self,
        at: Timestamp,
        cancel: &Cancel,
        events: &mut Vec<Event>,
    ) -> Decision {
        let handle = match self.find_for(&cancel.requester, &cancel.order_id) {
            Ok(handle) => handle,
            Err(refusal) => return Decision::Refused(refusal),
        };
        self.take_off(handle, CancelReason::Requested, events);
        self.record(at, events)
    }

    /// Takes away the client's oldest orders, at most [`MASS_CANCEL_ORDERS_MAX`].
    pub(super) fn mass_cancel(
        &mut self,
        at: Timestamp,
        mass: &MassCancel,
        events: &mut Vec<Event>,
    ) -> Decision {
        while events.len() < MASS_CANCEL_ORDERS_MAX
            && let Some(handle) = self.oldest_of(mass)
        {
            self.take_off(handle, mass.reason, events);
        }
        if events.is_empty() {
            return Decision::Unchanged;
        }
        self.record(at, events)
    }

    pub(super) fn amend(
        &mut self,
        at: Timestamp,
        amend: &Amend,
        events: &mut Vec<Event>,
    ) -> Decision {
        let (handle, wanted) = match self.check_amend(amend) {
            Ok(checked) => checked,
            Err(refusal) => return Decision::Refused(refusal),
        };
        let order = self.open_order(handle).clone();
        let placed = OrderRef::single(order.placed);
        events.push(Event::Amended {
            order: placed,
            price: wanted.price,
            quantity: wanted.quantity,
            priority: wanted.priority,
        });
        let remaining = wanted.quantity - wanted.filled;
        match wanted.priority {
            Priority::Kept => {
                if wanted.quantity < order.quantity {
                    self.book.reduce(handle, remaining);
                }
                self.orders.set_quantity(handle, wanted.quantity);
            }
            Priority::Lost => {
                self.book.cancel(handle);
                let incoming = Incoming {
                    client: order.client,
                    side: order.side,
                    quantity: remaining,
                    self_trade_prevention: order.self_trade_prevention,
                };
                let kind = OrderKind::Limit {
                    price: wanted.price,
                    time_in_force: order.time_in_force,
                };
                let (ending, _) = self.bring_in(at, incoming, kind, events);
                ending.tell(placed, events);
                self.note_amend(handle, wanted.quantity, ending);
            }
        }
        self.record(at, events)
    }

    /// Puts down what became of an order that came in anew, whether it was matched or replayed.
    pub(super) fn note_amend(&mut self, from: Handle, quantity: Quantity, ending: Ending) {
        match ending {
            Ending::Rests(to) => {
                let hash = self.id_hasher.hash(&self.open_order(from).id);
                self.orders.rehandle(from, to, hash);
                self.orders.set_quantity(to, quantity);
            }
            Ending::Filled | Ending::Cancelled(_) | Ending::Rejected(_) => {
                self.close(from);
            }
        }
    }

    /// What the amend would do, if nothing speaks against it.
    fn check_amend(&self, amend: &Amend) -> Result<(Handle, Wanted), Refusal> {
        let handle = self.find_for(&amend.requester, &amend.order_id)?;
        let order = self.open_order(handle);
        let wanted = self.wanted(handle, order, amend.change);
        if wanted.quantity <= wanted.filled {
            return Err(InvalidOrder::QuantityNotAboveFilled {
                filled: wanted.filled,
            }
            .into());
        }
        admission::check(&self.instrument, Some(wanted.price), wanted.quantity)?;
        if self.halted {
            return Err(Refusal::AmendRejected(Rejection::InstrumentHalted));
        }
        match wanted.priority {
            Priority::Kept => {}
            Priority::Lost => {
                if self.is_outside_band(wanted.price) {
                    return Err(Refusal::AmendRejected(Rejection::PriceOutsideBand));
                }
                if order.time_in_force == TimeInForce::PostOnly
                    && self.book.would_cross(order.side, wanted.price)
                {
                    return Err(Refusal::AmendRejected(Rejection::PostOnlyWouldCross));
                }
            }
        }
        Ok((handle, wanted))
    }

    fn wanted(&self, handle: Handle, order: &OpenOrder, change: OrderChange) -> Wanted {
        let resting = self.resting(handle);
        let (price, quantity) = match change {
            OrderChange::Price(price) => (price, order.quantity),
            OrderChange::Quantity(quantity) => (resting.price, quantity),
            OrderChange::PriceAndQuantity(price, quantity) => (price, quantity),
        };
        let priority = if price == resting.price && quantity <= order.quantity {
            Priority::Kept
        } else {
            Priority::Lost
        };
        Wanted {
            price,
            quantity,
            filled: order.quantity - resting.remaining,
            priority,
        }
    }

    /// The open order of that id, as far as the requester may know of it.
    fn find_for(&self, requester: &Requester, id: &OrderId) -> Result<Handle, Refusal> {
        if id.is_feed() {
            return Err(Refusal::FeedOrder);
        }
        let id = self.id_hasher.hashed(id);
        let handle = self.orders.find(id).ok_or(Refusal::OrderNotOpen)?;
        match requester {
            Requester::Anyone => Ok(handle),
            Requester::Client(client) => {
                let owner = self.orders.client(self.open_order(handle).client);
                if owner.name() == client {
                    Ok(handle)
                } else {
                    Err(Refusal::OrderNotOpen)
                }
            }
        }
    }

    fn oldest_of(&self, mass: &MassCancel) -> Option<Handle> {
        let oldest = |side| self.orders.oldest(&mass.client, side);
        match mass.side {
            Some(side) => oldest(side),
            None => match (oldest(Side::Buy), oldest(Side::Sell)) {
                (Some(bid), Some(ask)) => {
                    let age = |handle| self.open_order(handle).placed;
                    Some(if age(bid) < age(ask) { bid } else { ask })
                }
                (only, None) | (None, only) => only,
            },
        }
    }

    fn take_off(&mut self, handle: Handle, reason: CancelReason, events: &mut Vec<Event>) {
        self.book.cancel(handle);
        let order = self.close(handle);
        events.push(Event::Cancelled { order, reason });
    }

    /// What has traded of a client's resting order.
    pub(super) fn filled(&self, handle: Handle) -> Quantity {
        self.open_order(handle).quantity - self.resting(handle).remaining
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn resting(&self, handle: Handle) -> RestingView {
        self.book.get(handle).expect("an open order rests")
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn open_order(&self, handle: Handle) -> &OpenOrder {
        self.orders.get(handle).expect("it was found by its id")
    }
}

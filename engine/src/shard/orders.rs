//! The open orders of clients: found by handle, by id, and by client from the oldest on.

use crate::book::{ClientNumber, Handle};
use crate::hash_index::HashIndex;
use crate::id::{ClientId, OrderId, Sequence};
use crate::order::{SelfTradePrevention, TimeInForce};
use crate::quantity::Quantity;
use crate::side::Side;

use super::clients::{Client, Clients};
use super::hashed::Hashed;

/// What the book does not keep of a client's resting order.
#[derive(Clone, Debug)]
pub(super) struct OpenOrder {
    pub(super) id: Hashed<OrderId>,
    /// The command that placed it.
    pub(super) placed: Sequence,
    pub(super) client: ClientNumber,
    pub(super) side: Side,
    /// `gtc` or `post_only`: nothing else rests.
    pub(super) time_in_force: TimeInForce,
    pub(super) self_trade_prevention: SelfTradePrevention,
    /// What has traded included.
    pub(super) quantity: Quantity,
}

/// Clients' open orders.
#[derive(Debug, Default)]
pub(super) struct OpenOrders {
    /// By handle.
    slots: Vec<Option<Slot>>,
    by_id: HashIndex<Handle>,
    clients: Clients,
}

#[derive(Debug)]
struct Slot {
    order: OpenOrder,
    /// Its client's next older order of the same side.
    older: Option<Handle>,
    newer: Option<Handle>,
}

impl OpenOrders {
    /// The handle of an open order.
    pub(super) fn find(&self, id: &Hashed<OrderId>) -> Option<Handle> {
        self.by_id.find(id.hash, |handle| {
            slot(&self.slots, handle).order.id.value == id.value
        })
    }

    /// The order of a handle; none if it is the mirror's.
    pub(super) fn get(&self, handle: Handle) -> Option<&OpenOrder> {
        let slot = self.slots.get(handle.index())?.as_ref()?;
        Some(&slot.order)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Every open order, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle, &OpenOrder)> {
        self.by_id
            .iter()
            .map(|handle| (handle, &slot(&self.slots, handle).order))
    }

    pub(super) fn client(&self, number: ClientNumber) -> &Client {
        self.clients.get(number)
    }

    /// Lets a client's order on its way into the book, see [`OpenOrders::leave`].
    pub(super) fn enter(&mut self, client: &ClientId) -> ClientNumber {
        self.clients.hold(client)
    }

    /// The order on its way in rests by now, or is gone.
    pub(super) fn leave(&mut self, client: ClientNumber) {
        self.clients.release(client);
    }

    /// A client's oldest open order of a side.
    pub(super) fn oldest(&self, client: &ClientId, side: Side) -> Option<Handle> {
        let number = self.clients.number(client)?;
        self.clients.get(number).chain(side).oldest
    }

    /// Takes in an order, the newest of its client's; its client has entered.
    pub(super) fn insert(&mut self, handle: Handle, order: OpenOrder) {
        let client = self.clients.get_mut(order.client);
        client.hold();
        let chain = client.chain_mut(order.side);
        let older = chain.newest.replace(handle);
        match older {
            Some(older) => slot_mut(&mut self.slots, older).newer = Some(handle),
            None => chain.oldest = Some(handle),
        }
        self.put(
            handle,
            Slot {
                order,
                older,
                newer: None,
            },
        );
    }

    /// Takes an order out.
    pub(super) fn remove(&mut self, handle: Handle) -> OpenOrder {
        let Slot {
            order,
            older,
            newer,
        } = self.take(handle);
        self.link(&order, older, newer);
        self.clients.release(order.client);
        order
    }

    /// The same order, of the same age, has come to rest at another handle.
    pub(super) fn rehandle(&mut self, from: Handle, to: Handle) {
        let slot = self.take(from);
        let chain = self.clients.get_mut(slot.order.client);
        let chain = chain.chain_mut(slot.order.side);
        match slot.older {
            Some(older) => slot_mut(&mut self.slots, older).newer = Some(to),
            None => chain.oldest = Some(to),
        }
        match slot.newer {
            Some(newer) => slot_mut(&mut self.slots, newer).older = Some(to),
            None => chain.newest = Some(to),
        }
        self.put(to, slot);
    }

    /// Gives an order another total quantity.
    pub(super) fn set_quantity(&mut self, handle: Handle, quantity: Quantity) {
        slot_mut(&mut self.slots, handle).order.quantity = quantity;
    }

    /// Makes neighbours of what stood around an order that goes.
    fn link(&mut self, gone: &OpenOrder, older: Option<Handle>, newer: Option<Handle>) {
        let chain = self.clients.get_mut(gone.client).chain_mut(gone.side);
        match older {
            Some(older) => slot_mut(&mut self.slots, older).newer = newer,
            None => chain.oldest = newer,
        }
        match newer {
            Some(newer) => slot_mut(&mut self.slots, newer).older = older,
            None => chain.newest = older,
        }
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn put(&mut self, handle: Handle, new: Slot) {
        let hash = new.order.id.hash;
        let index = handle.index();
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        let place = self.slots.get_mut(index).expect("made large enough");
        assert!(place.is_none(), "a handle names one order at a time");
        *place = Some(new);
        self.by_id.insert(hash, handle, |_| false);
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn take(&mut self, handle: Handle) -> Slot {
        let place = self.slots.get_mut(handle.index());
        let slot = place.and_then(Option::take);
        let slot = slot.expect("an open order has a slot");
        self.by_id.remove(slot.order.id.hash, handle);
        slot
    }
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn slot(slots: &[Option<Slot>], handle: Handle) -> &Slot {
    slots
        .get(handle.index())
        .and_then(Option::as_ref)
        .expect("an open order has a slot")
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn slot_mut(slots: &mut [Option<Slot>], handle: Handle) -> &mut Slot {
    slots
        .get_mut(handle.index())
        .and_then(Option::as_mut)
        .expect("an open order has a slot")
}

//! The open orders of clients: found by handle, by id, and by client from the oldest on.

use crate::book::{ClientNumber, Handle};
use crate::hash_index::{Gathered, HashIndex};
use crate::id::{ClientId, OrderId, Sequence};
use crate::order::{SelfTradePrevention, TimeInForce};
use crate::quantity::Quantity;
use crate::side::Side;

use super::clients::{Client, Clients};
use super::hashed::Hashed;

/// What the book does not keep of a client's resting order: one line of the cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct OpenOrder {
    pub(super) id: OrderId,
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
    orders: Vec<Option<OpenOrder>>,
    /// By handle; those of a handle without an order mean nothing.
    links: Vec<Links>,
    by_id: HashIndex<Handle>,
    clients: Clients,
}

/// An order's neighbours by age, among its client's of the same side. Apart from the orders: when
/// one goes, its neighbours need not be looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Links {
    older: Option<Handle>,
    newer: Option<Handle>,
}

impl OpenOrders {
    /// The handle of an open order.
    pub(super) fn find(&self, of: Hashed<'_>) -> Option<Handle> {
        self.by_id
            .find(of.hash, |handle| order(&self.orders, handle).id == *of.id)
    }

    /// Has the machine fetch what [`OpenOrders::find`] looks at first.
    pub(super) fn touch(&self, hash: u64) {
        self.by_id.touch(hash);
    }

    /// The order under a hash, most likely.
    pub(super) fn likely(&self, hash: u64) -> Option<Handle> {
        self.by_id.likely(hash)
    }

    /// Has the machine fetch an order and its neighbours' names.
    pub(super) fn touch_order(&self, handle: Handle) {
        std::hint::black_box(self.get(handle).is_some());
        std::hint::black_box(
            self.links
                .get(handle.index())
                .is_some_and(|at| at.older.is_some()),
        );
    }

    /// The order of a handle; none if it is the mirror's.
    pub(super) fn get(&self, handle: Handle) -> Option<&OpenOrder> {
        self.orders.get(handle.index())?.as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Every open order, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle, &OpenOrder)> {
        self.by_id
            .iter()
            .map(|handle| (handle, order(&self.orders, handle)))
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

    /// Takes in an order, the newest of its client's, under its id's hash; its client has
    /// entered.
    pub(super) fn insert(&mut self, handle: Handle, order: OpenOrder, hash: u64) {
        let (client, side) = (order.client, order.side);
        self.put(handle, order);
        self.put_newest(handle, client, side);
        self.by_id.insert_new(hash, handle);
    }

    /// Takes in an order that is neither to be found by its id nor among its client's before
    /// [`OpenOrders::put_newest`] and [`OpenOrders::index`] tell of it.
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn put(&mut self, handle: Handle, order: OpenOrder) {
        let index = handle.index();
        if self.orders.len() <= index {
            self.orders.resize_with(index + 1, || None);
            self.links.resize_with(index + 1, Links::default);
        }
        let place = self.orders.get_mut(index).expect("made large enough");
        assert!(place.is_none(), "a handle names one order at a time");
        *place = Some(order);
    }

    /// Makes an order the newest of its client's; its client has entered.
    pub(super) fn put_newest(&mut self, handle: Handle, client: ClientNumber, side: Side) {
        let client = self.clients.get_mut(client);
        client.hold();
        let chain = client.chain_mut(side);
        let older = chain.newest.replace(handle);
        if older.is_none() {
            chain.oldest = Some(handle);
        }
        *self.links_mut(handle) = Links { older, newer: None };
        if let Some(older) = older {
            self.links_mut(older).newer = Some(handle);
        }
    }

    /// Lets orders be found by their ids, whose hashes are gathered here.
    pub(super) fn index(&mut self, ids: Gathered<Handle>) {
        self.by_id.insert_all(ids, |_, _| false);
    }

    /// Makes room for so many orders, as if they had come one by one.
    pub(super) fn make_room(&mut self, count: usize) {
        let room = count.next_power_of_two();
        self.orders.reserve(room);
        self.links.reserve(room);
    }

    /// Takes an order out, which stands under this hash.
    pub(super) fn remove(&mut self, handle: Handle, hash: u64) -> OpenOrder {
        let order = self.take(handle);
        self.by_id.remove(hash, handle);
        let Links { older, newer } = *self.links_mut(handle);
        self.join(&order, (older, newer), (newer, older));
        self.clients.release(order.client);
        order
    }

    /// The same order, of the same age and id, has come to rest at another handle.
    pub(super) fn rehandle(&mut self, from: Handle, to: Handle, hash: u64) {
        let order = self.take(from);
        self.by_id.remove(hash, from);
        self.by_id.insert_new(hash, to);
        let links = *self.links_mut(from);
        self.join(&order, (links.older, links.newer), (Some(to), Some(to)));
        self.put(to, order);
        *self.links_mut(to) = links;
    }

    /// Gives an order another total quantity.
    pub(super) fn set_quantity(&mut self, handle: Handle, quantity: Quantity) {
        order_mut(&mut self.orders, handle).quantity = quantity;
    }

    /// Lets the older and the newer neighbour of an order, or the ends of its chain where there is
    /// none, go on with these: the older one's newer first, then the newer one's older.
    fn join(
        &mut self,
        order: &OpenOrder,
        (older, newer): (Option<Handle>, Option<Handle>),
        (next, previous): (Option<Handle>, Option<Handle>),
    ) {
        if let Some(older) = older {
            self.links_mut(older).newer = next;
        }
        if let Some(newer) = newer {
            self.links_mut(newer).older = previous;
        }
        let chain = self.clients.get_mut(order.client).chain_mut(order.side);
        if older.is_none() {
            chain.oldest = next;
        }
        if newer.is_none() {
            chain.newest = previous;
        }
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn take(&mut self, handle: Handle) -> OpenOrder {
        let place = self.orders.get_mut(handle.index());
        let order = place.and_then(Option::take);
        order.expect("an open order has a slot")
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn links_mut(&mut self, handle: Handle) -> &mut Links {
        let links = self.links.get_mut(handle.index());
        links.expect("an open order has a slot")
    }
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn order(orders: &[Option<OpenOrder>], handle: Handle) -> &OpenOrder {
    orders
        .get(handle.index())
        .and_then(Option::as_ref)
        .expect("an open order has a slot")
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn order_mut(orders: &mut [Option<OpenOrder>], handle: Handle) -> &mut OpenOrder {
    orders
        .get_mut(handle.index())
        .and_then(Option::as_mut)
        .expect("an open order has a slot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_order_is_one_line_of_the_cache() {
        assert_eq!(size_of::<Option<OpenOrder>>(), 64);
        assert_eq!(size_of::<Links>(), 8);
    }
}

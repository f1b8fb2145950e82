//! The clients' orders that memory holds: all that rest, and the newest closed.
//!
//! A row is kept small, since a million may rest: a client's name is held once however many orders
//! it has, and keys and what only a traded order has stand apart. It is turned into an [`Order`] on
//! demand. Rows are found by id through a table of slots that holds no text
//! of its own, and by placement through a tree, which also tells which order is newer.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::iter;
use std::ops::Bound;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::hash_index::{Gathered, HashIndex};
use crate::id::{ClientId, IdempotencyKey, OrderId, OrderRef, Sequence};
use crate::market_data::slab::{Slab, Slot};
use crate::market_data::trades::Fills;
use crate::order::{
    NewOrder, Order, OrderKind, OrderState, OrderStatus, SelfTradePrevention, Trade,
};
use crate::quantity::{Notional, Quantity};
use crate::side::Side;
use crate::time::Timestamp;

/// How many orders of all clients are looked at for one client's next, before its own are gone
/// through from the newest.
const NEIGHBOURS_MAX: usize = 1_024;

/// One client's order.
#[derive(Debug)]
pub(super) struct OrderRow {
    pub(super) id: OrderId,
    idempotency_key: Option<Box<IdempotencyKey>>,
    pub(super) kind: OrderKind,
    pub(super) quantity: Quantity,
    pub(super) placed: Sequence,
    pub(super) updated: Sequence,
    created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) fills: Option<Box<Fills>>,
    client: Slot,
    /// The same client's next newer order in memory.
    newer: Option<Slot>,
    /// The same client's next older order in memory.
    older: Option<Slot>,
    pub(super) state: OrderState,
    pub(super) side: Side,
    self_trade_prevention: SelfTradePrevention,
}

impl OrderRow {
    pub(super) fn remaining_quantity(&self) -> Quantity {
        let filled = self.fills.as_ref().map(|fills| fills.quantity);
        self.quantity - filled.unwrap_or_default()
    }

    pub(super) fn status(&self) -> OrderStatus {
        let filled = self.fills.as_ref().map(|fills| fills.quantity);
        OrderStatus::new(self.state, filled.unwrap_or_default())
    }

    pub(super) fn add_fill(&mut self, trade: &Arc<Trade>) {
        self.fills.get_or_insert_default().add(trade);
    }
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    /// Its newest order in memory. A client without any is forgotten.
    newest: Option<Slot>,
}

/// The clients' orders that memory holds.
#[derive(Debug)]
pub(super) struct Orders {
    rows: Slab<OrderRow>,
    by_id: HashIndex<Slot>,
    by_placement: BTreeMap<Sequence, Slot>,
    hasher: RandomState,
    clients: Slab<Client>,
    clients_by_id: HashMap<ClientId, Slot, RandomState>,
    /// In the order they closed.
    closed: VecDeque<Slot>,
    closed_max: usize,
    newest_let_go: Sequence,
}

impl Orders {
    pub(super) fn new(closed_max: usize) -> Self {
        Self {
            rows: Slab::default(),
            by_id: HashIndex::default(),
            by_placement: BTreeMap::new(),
            hasher: RandomState::default(),
            clients: Slab::default(),
            clients_by_id: HashMap::default(),
            closed: VecDeque::new(),
            closed_max,
            newest_let_go: Sequence::ZERO,
        }
    }

    /// Takes in an order that the command numbered `placed` brought. It counts as resting until
    /// it is told otherwise, and hides an older one of the same id from [`Orders::find`].
    pub(super) fn insert(&mut self, new: &NewOrder, placed: Sequence, now: Timestamp) -> Slot {
        let client = self.client(&new.client);
        let slot = self.put(OrderRow {
            id: new.id.id().clone(),
            idempotency_key: new.idempotency_key.clone().map(Box::new),
            kind: new.kind,
            quantity: new.quantity,
            placed,
            updated: placed,
            created_at: now,
            updated_at: now,
            fills: None,
            client,
            newer: None,
            older: None,
            state: OrderState::Resting,
            side: new.side,
            self_trade_prevention: new.self_trade_prevention,
        });
        self.index_id(slot);
        slot
    }

    /// Takes in an order that was held before; all of them come oldest placement first, and are
    /// found by their ids, which are gathered here, from [`Orders::index`] on. Which of them
    /// closed, and when, is told by [`Orders::close`].
    pub(super) fn restore(
        &mut self,
        order: Order,
        fills: Option<Box<Fills>>,
        ids: &mut Gathered<Slot>,
    ) {
        let client = self.client(&order.client);
        let hash = self.hasher.hash_one(order.id.as_bytes());
        let slot = self.put(OrderRow {
            id: order.id,
            idempotency_key: order.idempotency_key.map(Box::new),
            kind: order.kind,
            quantity: order.quantity,
            placed: order.placed.sequence,
            updated: order.updated,
            created_at: order.created_at,
            updated_at: order.updated_at,
            fills,
            client,
            newer: None,
            older: None,
            state: order.state,
            side: order.side,
            self_trade_prevention: order.self_trade_prevention,
        });
        ids.push(hash, slot);
    }

    /// Puts a row in as its client's newest.
    fn put(&mut self, mut row: OrderRow) -> Slot {
        let (client, placed) = (row.client, row.placed);
        let older = self.clients.get(client).newest;
        row.older = older;
        let slot = self.rows.insert(row);
        if let Some(older) = older {
            self.rows.get_mut(older).newer = Some(slot);
        }
        self.clients.get_mut(client).newest = Some(slot);
        self.by_placement.insert(placed, slot);
        slot
    }

    fn client(&mut self, id: &ClientId) -> Slot {
        if let Some(client) = self.clients_by_id.get(id) {
            return *client;
        }
        let client = self.clients.insert(Client {
            id: id.clone(),
            newest: None,
        });
        self.clients_by_id.insert(id.clone(), client);
        client
    }

    fn index_id(&mut self, slot: Slot) {
        let (rows, id) = (&self.rows, &self.rows.get(slot).id);
        let hash = self.hasher.hash_one(id.as_bytes());
        self.by_id
            .insert(hash, slot, |other| rows.get(other).id == *id);
    }

    /// Lets orders be found by their ids, a newer one in an older's place.
    pub(super) fn index(&mut self, ids: Gathered<Slot>) {
        let rows = &self.rows;
        self.by_id
            .insert_all(ids, |one, other| rows.get(one).id == rows.get(other).id);
    }

    /// Makes room for so many orders.
    pub(super) fn make_room(&mut self, count: usize) {
        self.rows.make_room(count);
    }

    /// Notes that the order closed. It stays readable until `closed_max` others have closed, its
    /// trades while they are among the instrument's newest.
    pub(super) fn close(&mut self, slot: Slot) {
        if let Some(fills) = &mut self.rows.get_mut(slot).fills {
            fills.let_go();
        }
        self.closed.push_back(slot);
    }

    /// Lets go of the orders that closed first, beyond those that memory may hold. Those that
    /// could still be found by their id are told in `let_go`.
    pub(super) fn let_go(&mut self, let_go: &mut Vec<OrderId>) {
        while self.closed.len() > self.closed_max {
            let Some(slot) = self.closed.pop_front() else {
                return;
            };
            let row = self.remove(slot);
            self.newest_let_go = self.newest_let_go.max(row.updated);
            let hash = self.hasher.hash_one(row.id.as_bytes());
            if self.by_id.remove(hash, slot) {
                let_go.push(row.id);
            }
        }
    }

    fn remove(&mut self, slot: Slot) -> OrderRow {
        let row = self.rows.remove(slot);
        self.by_placement.remove(&row.placed);
        if let Some(older) = row.older {
            self.rows.get_mut(older).newer = row.newer;
        }
        match row.newer {
            Some(newer) => self.rows.get_mut(newer).older = row.older,
            None => self.clients.get_mut(row.client).newest = row.older,
        }
        if self.clients.get(row.client).newest.is_none() {
            let client = self.clients.remove(row.client);
            self.clients_by_id.remove(&client.id);
        }
        row
    }

    /// The newest order of this id.
    pub(super) fn find(&self, id: &OrderId) -> Option<Slot> {
        let hash = self.hasher.hash_one(id.as_bytes());
        self.by_id.find(hash, |slot| self.rows.get(slot).id == *id)
    }

    /// The order that the command numbered `placed` brought.
    pub(super) fn placed_by(&self, placed: Sequence) -> Option<Slot> {
        self.by_placement.get(&placed).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> &OrderRow {
        self.rows.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut OrderRow {
        self.rows.get_mut(slot)
    }

    pub(super) fn client_of(&self, slot: Slot) -> &ClientId {
        &self.clients.get(self.rows.get(slot).client).id
    }

    /// The order as everyone sees it.
    pub(super) fn show(&self, slot: Slot) -> Order {
        let row = self.rows.get(slot);
        let fills = row.fills.as_deref();
        Order {
            id: row.id.clone(),
            client: self.clients.get(row.client).id.clone(),
            idempotency_key: row.idempotency_key.as_deref().cloned(),
            side: row.side,
            kind: row.kind,
            quantity: row.quantity,
            self_trade_prevention: row.self_trade_prevention,
            state: row.state,
            filled_quantity: fills.map_or(Quantity::ZERO, |fills| fills.quantity),
            filled_notional: fills.map_or(Notional::ZERO, |fills| fills.notional),
            trade_count: fills.map_or(0, |fills| fills.count),
            placed: OrderRef::single(row.placed),
            updated: row.updated,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// Every order placed before `before`, newest first.
    pub(super) fn newest_first(&self, before: Option<OrderRef>) -> impl Iterator<Item = Slot> {
        self.by_placement
            .range((Bound::Unbounded, end_before(before)))
            .rev()
            .map(|(_, slot)| *slot)
    }

    /// One client's orders placed before `before`, newest first.
    pub(super) fn newest_first_of(
        &self,
        client: &ClientId,
        before: Option<OrderRef>,
    ) -> impl Iterator<Item = Slot> {
        let client = self.clients_by_id.get(client).copied();
        let first = client.and_then(|client| self.newest_of(client, before));
        iter::successors(first, |slot| self.rows.get(*slot).older)
    }

    /// A client's newest order placed before `before`.
    fn newest_of(&self, client: Slot, before: Option<OrderRef>) -> Option<Slot> {
        // Near the place for one who has many orders; from its newest on for one who has few.
        let near = before.and_then(|_| {
            self.newest_first(before)
                .take(NEIGHBOURS_MAX)
                .find(|slot| self.rows.get(*slot).client == client)
        });
        near.or_else(|| {
            let is_before = |slot: &Slot| {
                let placed = OrderRef::single(self.rows.get(*slot).placed);
                before.is_none_or(|before| placed < before)
            };
            iter::successors(self.clients.get(client).newest, |slot| {
                self.rows.get(*slot).older
            })
            .find(is_before)
        })
    }

    /// The oldest of the orders that the commands from `sequence` on placed.
    pub(super) fn oldest_from(&self, sequence: Sequence) -> Option<(OrderRef, Timestamp)> {
        let (placed, slot) = self.by_placement.range(sequence..).next()?;
        Some((OrderRef::single(*placed), self.rows.get(*slot).created_at))
    }

    /// Every order, oldest placement first.
    pub(super) fn oldest_first(&self) -> impl ExactSizeIterator<Item = Slot> {
        self.by_placement.values().copied()
    }

    /// The closed orders, first closed first.
    pub(super) fn closed(&self) -> impl ExactSizeIterator<Item = Slot> {
        self.closed.iter().copied()
    }

    /// The ids that name a closed order here.
    pub(super) fn closed_ids(&self) -> impl Iterator<Item = &OrderId> {
        let ids = self
            .closed
            .iter()
            .map(|slot| (slot, &self.rows.get(*slot).id));
        ids.filter(|(slot, id)| self.find(id) == Some(**slot))
            .map(|(_, id)| id)
    }

    pub(super) const fn restore_newest_let_go(&mut self, newest: Sequence) {
        self.newest_let_go = newest;
    }

    /// The last change of the newest closed order that memory has let go of.
    pub(super) const fn newest_let_go(&self) -> Sequence {
        self.newest_let_go
    }
}

/// Where the sequences of single orders placed before `before` end.
const fn end_before(before: Option<OrderRef>) -> Bound<Sequence> {
    match before {
        None => Bound::Unbounded,
        Some(OrderRef { sequence, index: 0 }) => Bound::Excluded(sequence),
        Some(OrderRef { sequence, .. }) => Bound::Included(sequence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_resting_orders_leave_room_for_their_ids() {
        assert!(size_of::<OrderRow>() <= 144);
        assert_eq!(size_of::<Option<OrderRow>>(), size_of::<OrderRow>());
        assert_eq!(size_of::<Option<Slot>>(), 4);
    }
}

//! Clients with open orders, numbered while they have any.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::book::{ClientNumber, Handle};
use crate::id::ClientId;
use crate::side::Side;

/// The client of the tape's market orders, which never rest and prevent no self-trades.
pub(super) const TAPE: ClientNumber = ClientNumber::new(1);

/// The first number that is a client's. 0 is the mirror, 1 the tape.
const FIRST: u32 = 2;

/// Who has open orders. Numbers are dense, given again once free, and mean nothing to anyone
/// outside: two shards with the same records may number differently.
#[derive(Debug, Default)]
pub(super) struct Clients {
    slots: Vec<Option<Client>>,
    free: Vec<ClientNumber>,
    by_name: HashTable<ClientNumber>,
    hasher: RandomState,
}

/// A client with open orders, or with one on its way into the book.
#[derive(Debug)]
pub(super) struct Client {
    name: ClientId,
    /// What keeps its number: its open orders and those on their way in.
    holds: usize,
    bids: Chain,
    asks: Chain,
}

/// The ends of a client's open orders of one side, linked by age through the orders.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    pub(super) oldest: Option<Handle>,
    pub(super) newest: Option<Handle>,
}

impl Client {
    pub(super) const fn name(&self) -> &ClientId {
        &self.name
    }

    /// Its open orders, those on their way in included.
    pub(super) const fn holds(&self) -> usize {
        self.holds
    }

    /// Counts one more hold, see [`Clients::hold`].
    pub(super) const fn hold(&mut self) {
        self.holds += 1;
    }

    pub(super) const fn chain(&self, side: Side) -> &Chain {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    pub(super) const fn chain_mut(&mut self, side: Side) -> &mut Chain {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

impl Clients {
    /// The number of a client that has one.
    pub(super) fn number(&self, name: &ClientId) -> Option<ClientNumber> {
        let hash = self.hasher.hash_one(name.as_str());
        let found = self
            .by_name
            .find(hash, |number| slot(&self.slots, *number).name == *name);
        found.copied()
    }

    /// The client's number, from now on if it had none. Each call is made up for by one of
    /// [`Clients::release`].
    pub(super) fn hold(&mut self, name: &ClientId) -> ClientNumber {
        if let Some(number) = self.number(name) {
            self.get_mut(number).hold();
            return number;
        }
        let client = Client {
            name: name.clone(),
            holds: 1,
            bids: Chain::default(),
            asks: Chain::default(),
        };
        let number = self.free.pop().unwrap_or_else(|| self.grow());
        *slot_mut(&mut self.slots, number) = Some(client);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_name
            .insert_unique(hasher.hash_one(name.as_str()), number, |number| {
                hasher.hash_one(slot(slots, *number).name.as_str())
            });
        number
    }

    /// Gives up one hold; the number is free after the last.
    pub(super) fn release(&mut self, number: ClientNumber) {
        let client = self.get_mut(number);
        client.holds -= 1;
        if client.holds > 0 {
            return;
        }
        let hash = self
            .hasher
            .hash_one(slot(&self.slots, number).name.as_str());
        if let Ok(entry) = self.by_name.find_entry(hash, |found| *found == number) {
            entry.remove();
        }
        *slot_mut(&mut self.slots, number) = None;
        self.free.push(number);
    }

    pub(super) fn get(&self, number: ClientNumber) -> &Client {
        slot(&self.slots, number)
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn get_mut(&mut self, number: ClientNumber) -> &mut Client {
        slot_mut(&mut self.slots, number)
            .as_mut()
            .expect("a client has a number while it has orders")
    }

    #[expect(
        clippy::expect_used,
        reason = "there are as many handles as there are numbers"
    )]
    fn grow(&mut self) -> ClientNumber {
        let number = u32::try_from(self.slots.len())
            .ok()
            .and_then(|index| index.checked_add(FIRST));
        self.slots.push(None);
        ClientNumber::new(number.expect("fewer than 2^32 clients have open orders"))
    }
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn slot(slots: &[Option<Client>], number: ClientNumber) -> &Client {
    index(number)
        .and_then(|index| slots.get(index)?.as_ref())
        .expect("a client has a number while it has orders")
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn slot_mut(slots: &mut [Option<Client>], number: ClientNumber) -> &mut Option<Client> {
    index(number)
        .and_then(|index| slots.get_mut(index))
        .expect("every number given has a slot")
}

fn index(number: ClientNumber) -> Option<usize> {
    usize::try_from(number.get().checked_sub(FIRST)?).ok()
}

//! A book that follows what the real one told, as a replay of the journal does.

use std::collections::HashMap;

use super::super::{Book, ClientNumber, Handle};
use super::model::{Command, Name, Picture, Told};
use super::real::picture;
use crate::command::MirrorScope;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::side::Side;

pub(super) struct Replayed {
    book: Book,
    handles: HashMap<Name, Handle>,
}

impl Replayed {
    pub(super) fn new() -> Self {
        Self {
            book: Book::new(),
            handles: HashMap::new(),
        }
    }

    pub(super) fn follow(&mut self, command: &Command, told: &[Told]) {
        match command {
            Command::Place(placement) => {
                let client = placement.client;
                self.follow_all(told, client, placement.side, placement.kind.price());
            }
            Command::Cancel(name) => self.remove(*name),
            Command::Reduce(name, remaining) => {
                self.book.restore_reduce(self.handles[name], *remaining);
            }
            Command::Mirror(scope, levels) => {
                self.follow_all(told, ClientNumber::MIRROR, Side::Buy, None);
                self.book.restore_mirror(*scope, levels);
            }
            Command::Withdraw => {
                self.follow_all(told, ClientNumber::MIRROR, Side::Buy, None);
                self.book.restore_mirror(MirrorScope::Whole, &[]);
            }
        }
        self.book.assert_invariants();
    }

    pub(super) fn picture(&self) -> Picture {
        let names: HashMap<Handle, Name> = self
            .handles
            .iter()
            .map(|(name, handle)| (*handle, *name))
            .collect();
        picture(&self.book, |handle| names[&handle])
    }

    fn follow_all(
        &mut self,
        told: &[Told],
        client: ClientNumber,
        mut side: Side,
        mut price: Option<Price>,
    ) {
        for told in told {
            match *told {
                Told::Takes(_, quantity, _, maker) => self.fill(maker, quantity),
                Told::Rests(name, remaining) => {
                    let price = price.expect("what rests has a price");
                    let handle = self.book.restore_insert(client, side, price, remaining);
                    self.handles.insert(name, handle);
                }
                Told::Adds(_, added_side, _, added_price) => {
                    side = added_side;
                    price = Some(added_price);
                }
                Told::Reduced(name, by) => {
                    let handle = self.handles[&name];
                    let remaining = self.book.get(handle).unwrap().remaining - by;
                    self.book.restore_reduce(handle, remaining);
                }
                Told::SelfTrade(name) | Told::Removed(name) => self.remove(name),
                Told::Filled(_) | Told::Leaves(..) | Told::Rejected(..) | Told::Cancelled(..) => {}
            }
        }
    }

    fn fill(&mut self, name: Name, quantity: Quantity) {
        let remaining = self.book.restore_fill(self.handles[&name], quantity);
        if remaining.is_zero() {
            self.handles.remove(&name);
        }
    }

    fn remove(&mut self, name: Name) {
        let handle = self.handles.remove(&name).expect("the order is open");
        self.book.restore_remove(handle);
    }
}

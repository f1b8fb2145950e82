//! The real book, by name.

use std::collections::HashMap;

use super::super::{Book, BookEvent, ClientNumber, Handle, Incoming, Outcome};
use super::model::{Command, Name, Picture, Placement, Resting, Row, Told};
use crate::command::{MirrorLevel, MirrorScope};
use crate::quantity::Quantity;
use crate::side::Side;

pub(super) struct Real {
    pub(super) book: Book,
    names: HashMap<Handle, Name>,
    mirror_orders: u32,
}

/// Whether a command would be journaled: it changed something or was not the mirror's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journaled {
    Yes,
    No,
}

impl Real {
    pub(super) fn new(strays_max: u32) -> Self {
        Self {
            book: Book::with_strays_max(strays_max),
            names: HashMap::new(),
            mirror_orders: 0,
        }
    }

    /// Applies a command and checks the book's invariants.
    pub(super) fn apply(&mut self, command: &Command) -> (Vec<Told>, Journaled) {
        let (told, journaled) = match command {
            Command::Place(placement) => (self.place(placement), Journaled::Yes),
            Command::Cancel(name) => {
                let handle = self.handle(*name);
                self.names.remove(&handle);
                let remaining = self.book.cancel(handle);
                (vec![Told::Cancelled(*name, remaining)], Journaled::Yes)
            }
            Command::Reduce(name, remaining) => {
                self.book.reduce(self.handle(*name), *remaining);
                (Vec::new(), Journaled::Yes)
            }
            Command::Mirror(scope, levels) => self.mirror(*scope, levels),
            Command::Withdraw => {
                let mut events = Vec::new();
                self.book.withdraw_mirror(&mut events);
                (self.tell_mirror(&events), Journaled::Yes)
            }
        };
        self.book.assert_invariants();
        (told, journaled)
    }

    pub(super) fn picture(&self) -> Picture {
        picture(&self.book, |handle| self.names[&handle])
    }

    pub(super) fn open(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.names.values().copied().collect();
        names.sort_unstable();
        names
    }

    pub(super) fn remaining(&self, name: Name) -> Quantity {
        self.book.get(self.handle(name)).unwrap().remaining
    }

    fn handle(&self, name: Name) -> Handle {
        let mut handles = self.names.iter().filter(|(_, known)| **known == name);
        *handles.next().expect("the order is open").0
    }

    fn place(&mut self, placement: &Placement) -> Vec<Told> {
        let incoming = Incoming {
            client: placement.client,
            side: placement.side,
            quantity: placement.quantity,
            self_trade_prevention: placement.self_trade_prevention,
        };
        let mut events = Vec::new();
        let outcome = self.book.place(incoming, placement.kind, &mut events);
        let name = placement.name;
        let mut left = placement.quantity;
        let mut told = Vec::new();
        for event in events {
            match event {
                BookEvent::Traded { quantity, .. } => {
                    left -= quantity;
                    told.push(self.tell_trade(name, event));
                }
                BookEvent::MakerCancelled { maker } => {
                    told.push(Told::SelfTrade(self.names.remove(&maker).unwrap()));
                }
                BookEvent::MirrorAdded { .. }
                | BookEvent::MirrorRested { .. }
                | BookEvent::MirrorReduced { .. }
                | BookEvent::MirrorRemoved { .. } => panic!("the mirror was not asked"),
            }
        }
        told.push(match outcome {
            Outcome::Filled => Told::Filled(name),
            Outcome::Rested(handle) => {
                assert_eq!(self.names.insert(handle, name), None, "the handle was free");
                Told::Rests(name, left)
            }
            Outcome::Remainder(why) => Told::Leaves(name, left, why),
            Outcome::Rejected(why) => Told::Rejected(name, why),
        });
        told
    }

    fn mirror(&mut self, scope: MirrorScope, levels: &[MirrorLevel]) -> (Vec<Told>, Journaled) {
        let would_change = self.book.mirror_would_change(scope, levels);
        let before = self.picture();
        let mut events = Vec::new();
        self.book.mirror(scope, levels, &mut events);
        let told = self.tell_mirror(&events);
        assert_eq!(
            before != self.picture(),
            would_change,
            "what would change changes"
        );
        let journaled = if would_change {
            Journaled::Yes
        } else {
            assert!(told.is_empty());
            Journaled::No
        };
        (told, journaled)
    }

    fn tell_mirror(&mut self, events: &[BookEvent]) -> Vec<Told> {
        let mut told = Vec::new();
        let mut left = Quantity::ZERO;
        for event in events {
            let name = Name::Mirror(self.mirror_orders);
            told.push(match *event {
                BookEvent::MirrorAdded {
                    side,
                    price,
                    quantity,
                } => {
                    left = quantity;
                    self.mirror_orders += 1;
                    let name = Name::Mirror(self.mirror_orders);
                    Told::Adds(name, side, quantity, price)
                }
                BookEvent::Traded { quantity, .. } => {
                    left -= quantity;
                    self.tell_trade(name, *event)
                }
                BookEvent::MirrorRested { handle } => {
                    assert_eq!(self.names.insert(handle, name), None, "the handle was free");
                    Told::Rests(name, left)
                }
                BookEvent::MirrorReduced { handle, by } => Told::Reduced(self.names[&handle], by),
                BookEvent::MirrorRemoved { handle } => {
                    Told::Removed(self.names.remove(&handle).unwrap())
                }
                BookEvent::MakerCancelled { .. } => panic!("the mirror prevents nothing"),
            });
        }
        told
    }

    fn tell_trade(&mut self, taker: Name, event: BookEvent) -> Told {
        let BookEvent::Traded {
            maker,
            price,
            quantity,
            maker_remaining,
        } = event
        else {
            panic!("no trade");
        };
        let name = self.names[&maker];
        if maker_remaining.is_zero() {
            self.names.remove(&maker);
        }
        Told::Takes(taker, quantity, price, name)
    }
}

/// How a book looks, read through all it shows; what it shows must agree.
pub(super) fn picture(book: &Book, name: impl Fn(Handle) -> Name) -> Picture {
    let mut rows = Vec::new();
    for side in [Side::Buy, Side::Sell] {
        let mut levels = book.levels(side).peekable();
        let best = levels.peek().map(|level| (level.price, level.volume));
        assert_eq!(book.best(side), best, "the best is the first level");
        for level in levels {
            assert_eq!(book.level(side, level.price), Some(level));
            let queue = book.queue(side, level.price).map(|(handle, remaining)| {
                let view = book.get(handle).expect("who queues rests");
                assert_eq!((view.side, view.price), (side, level.price));
                assert_eq!(view.remaining, remaining);
                Resting {
                    name: name(handle),
                    client: view.client,
                    remaining,
                }
            });
            rows.push(Row {
                side,
                price: level.price,
                queue: queue.collect(),
            });
        }
    }
    Picture {
        rows,
        targets: book.mirror_targets().collect(),
        short: book.mirror.short_levels(),
    }
}

/// A new book with the same orders and targets, as a checkpoint would make it.
pub(super) fn copy(book: &Book) -> Book {
    let mut copy = Book::new();
    for side in [Side::Buy, Side::Sell] {
        for level in book.levels(side) {
            for (handle, remaining) in book.queue(side, level.price) {
                let client: ClientNumber = book.get(handle).unwrap().client;
                copy.restore_insert(client, side, level.price, remaining);
            }
        }
    }
    let targets: Vec<MirrorLevel> = book.mirror_targets().collect();
    copy.restore_mirror(MirrorScope::Whole, &targets);
    copy.assert_invariants();
    copy
}

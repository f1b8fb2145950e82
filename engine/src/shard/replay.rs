//! Records applied again, by their events: nothing is matched, so that a shard comes back as it
//! was even if matching has changed since.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::book::{ClientNumber, Handle};
use crate::command::{Command, MirrorScope};
use crate::event::{Event, Maker, MirrorMaker, Priority};
use crate::id::OrderRef;
use crate::order::{CancelReason, NewOrder, OrderKind};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::record::Record;
use crate::side::Side;

use super::place::{new_mirrored, trade_mirrored};
use super::{Ending, Shard, Taken};

/// Brings a shard from one record to the next. Records name orders by their placement; the way
/// from there to the book is kept here, so that a shard that trades does not carry it.
#[derive(Debug)]
pub struct Replayer {
    shard: Shard,
    handles: HashMap<OrderRef, Handle, RandomState>,
}

/// The order that a record brings in, while its events are applied.
struct Incoming {
    /// Cancelled by this name, if by any.
    order: OrderRef,
    taken: Taken,
    /// Set by the event that ends it.
    ended: Option<Ending>,
    /// The mirrored order that came in last, if it is not at rest yet.
    mirrored: Option<MirroredIncoming>,
    /// Where the amended order stood, once it has lost its place.
    amended: Option<AmendedIncoming>,
}

struct MirroredIncoming {
    order: MirrorMaker,
    side: Side,
    price: Price,
}

struct AmendedIncoming {
    from: Handle,
    price: Price,
    quantity: Quantity,
    remaining: Quantity,
}

impl Replayer {
    /// Takes a shard to apply records to.
    #[must_use]
    pub fn new(shard: Shard) -> Self {
        let clients = shard
            .orders
            .iter()
            .map(|(handle, order)| (OrderRef::single(order.placed), handle));
        let mirrored = shard
            .mirrored
            .iter()
            .map(|(handle, order)| (order.order, *handle));
        let handles = clients.chain(mirrored).collect();
        Self { shard, handles }
    }

    /// The shard as it stands.
    #[must_use]
    pub const fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Gives the shard back.
    ///
    /// # Panics
    /// When orders are held that do not rest any more: a bug.
    #[must_use]
    pub fn finish(self) -> Shard {
        let resting = self.shard.orders.len() + self.shard.mirrored.len();
        assert_eq!(self.handles.len(), resting, "what rests is what is held");
        self.shard
    }

    /// Applies the shard's next record.
    ///
    /// # Panics
    /// When the record does not follow: it is another instrument's, leaves out a number, or
    /// speaks of orders that do not rest as it says.
    pub fn apply(&mut self, record: &Record) {
        let shard = &self.shard;
        assert_eq!(record.instrument, shard.instrument.id, "its own instrument");
        assert_eq!(record.sequence, shard.sequence.next(), "the next record");
        assert_eq!(record.first_trade, shard.next_trade(), "the next trade");
        assert!(
            record.timestamp >= shard.last_stamp,
            "stamps never decrease"
        );

        let mut incoming = Incoming {
            order: OrderRef::single(record.sequence),
            taken: Taken::default(),
            ended: None,
            mirrored: None,
            amended: None,
        };
        for event in &record.events {
            self.apply_event(record, event, &mut incoming);
        }
        self.rest_mirrored(&mut incoming);
        self.note(record, incoming);
        self.shard.record(record.timestamp, &record.events);
    }

    fn apply_event(&mut self, record: &Record, event: &Event, incoming: &mut Incoming) {
        match event {
            Event::Rejected(rejection) => incoming.ended = Some(Ending::Rejected(*rejection)),
            Event::Traded {
                maker,
                price,
                quantity,
            } => {
                incoming.trade(*price, *quantity);
                self.fill(maker, *price, *quantity);
            }
            Event::Cancelled { order, reason } => {
                if *order == incoming.order {
                    incoming.ended = Some(Ending::Cancelled(*reason));
                } else {
                    self.take_off(*order, *reason);
                }
            }
            Event::Amended {
                order,
                price,
                quantity,
                priority,
            } => self.amend(*order, *price, *quantity, *priority, incoming),
            Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            } => {
                self.rest_mirrored(incoming);
                let order = OrderRef {
                    sequence: record.sequence,
                    index: *index,
                };
                incoming.mirrored = Some(MirroredIncoming {
                    order: new_mirrored(order, *quantity, record.timestamp),
                    side: *side,
                    price: *price,
                });
            }
            Event::MirrorReduced { order, quantity } => {
                let handle = self.handle(*order);
                let mirrored = self.shard.mirrored_mut(handle);
                mirrored.quantity = *quantity;
                let remaining = *quantity - mirrored.filled_quantity;
                self.shard.book.restore_reduce(handle, remaining);
            }
        }
    }

    fn fill(&mut self, maker: &Maker, price: Price, quantity: Quantity) {
        let handle = self.handle(maker.order());
        let resting = self.shard.book.get(handle);
        assert_eq!(
            resting.map(|resting| resting.price),
            Some(price),
            "the maker rests at the trade's price"
        );
        let remaining = self.shard.book.restore_fill(handle, quantity);
        let told = self.shard.maker_traded(handle, price, quantity, remaining);
        assert_eq!(told, *maker, "the maker stood as the record says");
        if remaining.is_zero() {
            self.handles.remove(&maker.order());
        }
    }

    fn take_off(&mut self, order: OrderRef, reason: CancelReason) {
        let handle = self.handle(order);
        self.shard.book.restore_remove(handle);
        match reason {
            CancelReason::Mirror => self.shard.forget_mirrored(handle),
            CancelReason::Requested
            | CancelReason::BookExhausted
            | CancelReason::IocRemainder
            | CancelReason::SelfTrade
            | CancelReason::MassCancel
            | CancelReason::Disconnected => self.shard.close(handle),
        };
        self.handles.remove(&order);
    }

    fn amend(
        &mut self,
        order: OrderRef,
        price: Price,
        quantity: Quantity,
        priority: Priority,
        incoming: &mut Incoming,
    ) {
        let from = self.handle(order);
        let filled = self.shard.filled(from);
        let remaining = quantity - filled;
        match priority {
            Priority::Kept => {
                self.shard.book.restore_reduce(from, remaining);
                self.shard.orders.set_quantity(from, quantity);
            }
            Priority::Lost => {
                self.shard.book.restore_remove(from);
                incoming.order = order;
                incoming.amended = Some(AmendedIncoming {
                    from,
                    price,
                    quantity,
                    remaining,
                });
            }
        }
    }

    /// Puts what is left of the last mirrored order that came in behind its level's queue.
    fn rest_mirrored(&mut self, incoming: &mut Incoming) {
        let Some(MirroredIncoming { order, side, price }) = incoming.mirrored.take() else {
            return;
        };
        let remaining = order.quantity - order.filled_quantity;
        if remaining.is_zero() {
            return;
        }
        let mirror = ClientNumber::MIRROR;
        let handle = self
            .shard
            .book
            .restore_insert(mirror, side, price, remaining);
        self.handles.insert(order.order, handle);
        self.shard.mirrored.insert(handle, order);
    }

    /// Does what a command does after its events.
    fn note(&mut self, record: &Record, incoming: Incoming) {
        match &record.command {
            Command::Place(order) => self.note_placement(record, order, incoming),
            Command::Amend(_) => self.note_amend(incoming),
            Command::Cancel(_) | Command::MassCancel(_) => {}
            Command::Tape(tape) => self.shard.note_tape(tape),
            Command::Mirror(update) => {
                self.shard.book.restore_mirror(update.scope, &update.levels);
                self.shard.note_mirror(update);
            }
            Command::WithdrawMirror => self.note_withdrawal(),
            Command::Halt => {
                self.note_withdrawal();
                self.shard.halted = true;
            }
            Command::Resume => self.shard.halted = false,
            Command::CloseDay(day) => self.shard.note_closed_day(*day),
        }
    }

    #[expect(clippy::panic, reason = "a bug stops its shard")]
    fn note_placement(&mut self, record: &Record, order: &NewOrder, incoming: Incoming) {
        let Incoming { taken, ended, .. } = incoming;
        let client = self.shard.orders.enter(&order.client);
        let remaining = order.quantity - taken.quantity;
        let ending = match (ended, order.kind) {
            (Some(ending), _) => ending,
            (None, _) if remaining.is_zero() => Ending::Filled,
            (None, OrderKind::Limit { price, .. }) => {
                let handle = self
                    .shard
                    .book
                    .restore_insert(client, order.side, price, remaining);
                self.handles.insert(incoming.order, handle);
                Ending::Rests(handle)
            }
            (None, OrderKind::Market) => panic!("a market order never rests"),
        };
        let hashes = self.shard.hashes(order);
        self.shard
            .note_placement(record.timestamp, client, order, hashes, ending, taken);
        self.shard.orders.leave(client);
    }

    fn note_amend(&mut self, incoming: Incoming) {
        let Incoming {
            order,
            taken,
            ended,
            amended,
            ..
        } = incoming;
        let Some(amended) = amended else {
            return;
        };
        let remaining = amended.remaining - taken.quantity;
        let ending = match ended {
            Some(ending) => ending,
            None if remaining.is_zero() => Ending::Filled,
            None => {
                let of = self.shard.open_order(amended.from);
                let (client, side, price) = (of.client, of.side, amended.price);
                let book = &mut self.shard.book;
                Ending::Rests(book.restore_insert(client, side, price, remaining))
            }
        };
        match ending {
            Ending::Rests(to) => self.handles.insert(order, to),
            Ending::Filled | Ending::Cancelled(_) | Ending::Rejected(_) => {
                self.handles.remove(&order)
            }
        };
        self.shard
            .note_amend(amended.from, amended.quantity, ending);
    }

    fn note_withdrawal(&mut self) {
        self.shard.book.restore_mirror(MirrorScope::Whole, &[]);
        self.shard.mirror_source = None;
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn handle(&self, order: OrderRef) -> Handle {
        let handle = self.handles.get(&order);
        *handle.expect("a record speaks of orders that rest")
    }
}

impl Incoming {
    fn trade(&mut self, price: Price, quantity: Quantity) {
        match &mut self.mirrored {
            Some(mirrored) => trade_mirrored(&mut mirrored.order, price, quantity),
            None => self.taken.add(price, quantity),
        }
    }
}

//! Applies one record to the market data.

mod told;
mod trade;

use std::sync::Arc;

use crate::answer::Answer;
use crate::command::{Command, Tape};
use crate::event::{Event, Priority};
use crate::id::{ClientId, OrderId, OrderRef, TradeNumber};
use crate::market_data::change::{Applied, Change, ChangeId, ChangeKind};
use crate::market_data::mirror::MirrorRow;
use crate::market_data::slab::Slot;
use crate::market_data::{InstrumentStatus, MarketData};
use crate::order::{CancelReason, Order, OrderKind, OrderState, SelfTradePrevention};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::record::Record;
use crate::side::Side;

/// Takes in a record, and tells what its sender is told.
pub(super) fn apply(market: &mut MarketData, record: &Record, applied: &mut Applied) -> Answer {
    fold(market, record, applied, |fold, touched, first_order| {
        fold.answer(touched, first_order)
    })
}

/// Takes in a record whose sender has been told, or is gone.
pub(super) fn replay(market: &mut MarketData, record: &Record, applied: &mut Applied) {
    fold(market, record, applied, |_, _, _| ());
}

/// `answer` is given the orders touched and where in the changes the first of them is told of.
fn fold<T>(
    market: &mut MarketData,
    record: &Record,
    applied: &mut Applied,
    answer: impl FnOnce(&Fold<'_>, &[Slot], usize) -> T,
) -> T {
    assert_eq!(
        record.instrument, market.instrument.id,
        "a record is folded into its own instrument"
    );
    assert_eq!(
        record.sequence,
        market.sequence.next(),
        "records are folded without a gap"
    );
    market.sequence = record.sequence;
    market.timestamp = record.timestamp;
    let mut fold = Fold {
        market,
        record,
        applied,
        incoming: Incoming::None,
        next_trade: record.first_trade,
        changes: 0,
    };
    fold.begin();
    for event in &record.events {
        fold.take(event);
    }
    fold.finish(answer)
}

/// The order that a record brings in, until it rests or is closed.
enum Incoming {
    None,
    Client(Slot),
    Mirror(OrderRef),
    Tape(Box<Order>),
}

struct Fold<'a> {
    market: &'a mut MarketData,
    record: &'a Record,
    applied: &'a mut Applied,
    incoming: Incoming,
    next_trade: TradeNumber,
    /// How many changes the record has yielded so far.
    changes: u32,
}

impl Fold<'_> {
    fn begin(&mut self) {
        match &self.record.command {
            Command::Place(new) => {
                let (sequence, now) = (self.record.sequence, self.record.timestamp);
                let slot = self.market.orders.insert(new, sequence, now);
                self.market.touched.push(slot);
                self.applied.appeared.push(new.id.id().clone());
                self.incoming = Incoming::Client(slot);
            }
            Command::Tape(tape) => self.incoming = Incoming::Tape(Box::new(self.tape_order(tape))),
            Command::Halt => self.market.status = InstrumentStatus::Halted,
            Command::Resume => self.market.status = InstrumentStatus::Trading,
            // It counts as a change of the order even where it changes nothing.
            Command::Amend(amend) => {
                if let Some(slot) = self.market.orders.find(&amend.order_id) {
                    self.touch(slot);
                }
            }
            Command::Cancel(_)
            | Command::MassCancel(_)
            | Command::Mirror(_)
            | Command::WithdrawMirror => {}
            Command::CloseDay(day) => {
                self.market.last_closed_day = Some(*day);
                self.market.open_days.close(*day);
            }
        }
    }

    fn tape_order(&self, tape: &Tape) -> Order {
        Order {
            id: OrderId::tape(&tape.symbol, tape.first_trade_id, tape.last_trade_id),
            client: ClientId::binance_trades(),
            idempotency_key: None,
            side: tape.side,
            kind: OrderKind::Market,
            quantity: tape.quantity,
            self_trade_prevention: SelfTradePrevention::None,
            state: OrderState::Resting,
            filled_quantity: Quantity::ZERO,
            filled_notional: Notional::ZERO,
            trade_count: 0,
            placed: OrderRef::single(self.record.sequence),
            updated: self.record.sequence,
            created_at: self.record.timestamp,
            updated_at: self.record.timestamp,
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Rejected(rejection) => self.close_incoming(OrderState::Rejected(*rejection)),
            Event::Traded {
                maker,
                price,
                quantity,
            } => self.trade(maker, *price, *quantity),
            Event::Cancelled { order, reason } => self.cancel(*order, *reason),
            Event::Amended {
                order,
                price,
                quantity,
                priority,
            } => self.amend(*order, *price, *quantity, *priority),
            Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            } => self.add_mirror(*index, *side, *price, *quantity),
            Event::MirrorReduced { order, quantity } => self.reduce_mirror(*order, *quantity),
        }
    }

    fn cancel(&mut self, order: OrderRef, reason: CancelReason) {
        if self.incoming_ref() == Some(order) {
            self.close_incoming(OrderState::Cancelled(reason));
            return;
        }
        if order.index > 0 {
            self.settle();
            let row = self.market.mirror.get_mut(order);
            let (side, price, remaining) = (row.side, row.price, row.remaining_quantity());
            self.market.mirror.remove(order, self.record.sequence);
            self.market.depth.leave(side, price, remaining);
            return;
        }
        let slot = self.resting(order);
        self.leave_depth(slot);
        self.touch(slot);
        self.market.orders.get_mut(slot).state = OrderState::Cancelled(reason);
        self.market.orders.close(slot);
    }

    fn amend(&mut self, order: OrderRef, price: Price, quantity: Quantity, priority: Priority) {
        let slot = self.resting(order);
        self.touch(slot);
        match priority {
            Priority::Kept => {
                let row = self.market.orders.get_mut(slot);
                let by = row.quantity - quantity;
                row.quantity = quantity;
                let side = row.side;
                self.market.depth.shrink(side, price, by);
            }
            Priority::Lost => {
                self.leave_depth(slot);
                let row = self.market.orders.get_mut(slot);
                row.quantity = quantity;
                if let OrderKind::Limit { price: limit, .. } = &mut row.kind {
                    *limit = price;
                }
                self.incoming = Incoming::Client(slot);
            }
        }
    }

    fn add_mirror(&mut self, index: u32, side: Side, price: Price, quantity: Quantity) {
        self.settle();
        let order = OrderRef {
            sequence: self.record.sequence,
            index,
        };
        let row = MirrorRow {
            side,
            price,
            quantity,
            created_at: self.record.timestamp,
            updated: self.record.sequence,
            updated_at: self.record.timestamp,
            fills: None,
        };
        self.market.mirror.insert(order, row);
        self.incoming = Incoming::Mirror(order);
    }

    fn reduce_mirror(&mut self, order: OrderRef, quantity: Quantity) {
        self.settle();
        let row = self.market.mirror.get_mut(order);
        let by = row.quantity - quantity;
        row.quantity = quantity;
        row.updated = self.record.sequence;
        row.updated_at = self.record.timestamp;
        let (side, price) = (row.side, row.price);
        self.market.depth.shrink(side, price, by);
    }

    fn incoming_ref(&self) -> Option<OrderRef> {
        match &self.incoming {
            Incoming::None => None,
            Incoming::Client(slot) => Some(OrderRef::single(self.market.orders.get(*slot).placed)),
            Incoming::Mirror(order) => Some(*order),
            Incoming::Tape(order) => Some(order.placed),
        }
    }

    /// The incoming order ends without resting.
    #[expect(clippy::panic, reason = "a bug stops its shard")]
    fn close_incoming(&mut self, state: OrderState) {
        match &mut self.incoming {
            Incoming::None => panic!("an order that closes on arrival has come in"),
            Incoming::Client(slot) => {
                let slot = *slot;
                self.touch(slot);
                self.market.orders.get_mut(slot).state = state;
                self.market.orders.close(slot);
                self.incoming = Incoming::None;
            }
            Incoming::Mirror(order) => {
                let order = *order;
                self.market.mirror.remove(order, self.record.sequence);
                self.incoming = Incoming::None;
            }
            Incoming::Tape(order) => order.state = state,
        }
    }

    /// The incoming order, if it has not been closed, is filled or comes to rest.
    #[expect(clippy::panic, reason = "a bug stops its shard")]
    fn settle(&mut self) {
        match std::mem::replace(&mut self.incoming, Incoming::None) {
            Incoming::None => {}
            Incoming::Client(slot) => {
                let row = self.market.orders.get_mut(slot);
                let remaining = row.remaining_quantity();
                if remaining.is_zero() {
                    row.state = OrderState::Filled;
                    self.market.orders.close(slot);
                    return;
                }
                let Some(price) = row.kind.price() else {
                    panic!("a market order never rests");
                };
                self.market.depth.join(row.side, price, remaining);
            }
            Incoming::Mirror(order) => {
                let row = self.market.mirror.get_mut(order);
                let remaining = row.remaining_quantity();
                if remaining.is_zero() {
                    self.market.mirror.remove(order, self.record.sequence);
                } else {
                    self.market.depth.join(row.side, row.price, remaining);
                }
            }
            Incoming::Tape(mut order) => {
                if order.is_open() {
                    assert!(
                        order.remaining_quantity().is_zero(),
                        "a market order never rests"
                    );
                    order.state = OrderState::Filled;
                }
                self.market.newest_tape_order = order.placed.sequence;
                self.incoming = Incoming::Tape(order);
            }
        }
    }

    fn finish<T>(mut self, answer: impl FnOnce(&Self, &[Slot], usize) -> T) -> T {
        self.settle();
        let touched = std::mem::take(&mut self.market.touched);
        let first_order = self.applied.changes.len();
        for slot in &touched {
            let order = Arc::new(self.market.orders.show(*slot));
            self.tell(ChangeKind::Order(order));
        }
        if let Incoming::Tape(order) = std::mem::replace(&mut self.incoming, Incoming::None) {
            self.tell(ChangeKind::Order(Arc::from(order)));
        }
        let (previous, now) = (self.market.last_delta, self.record.timestamp);
        if let Some(delta) = self.market.depth.take_delta(previous, now) {
            self.market.last_delta = self.record.sequence;
            self.tell(ChangeKind::Delta(Arc::new(delta)));
        }
        let answer = answer(&self, &touched, first_order);
        self.market.touched = touched;
        self.market.touched.clear();
        self.market.orders.let_go(&mut self.applied.let_go);
        answer
    }

    /// Notes that the record changes a client's order; to be called before it does.
    fn touch(&mut self, slot: Slot) {
        if self.market.orders.get(slot).updated != self.record.sequence {
            self.market.keep_for_copies(slot);
            let row = self.market.orders.get_mut(slot);
            row.updated = self.record.sequence;
            row.updated_at = self.record.timestamp;
            self.market.touched.push(slot);
        }
    }

    #[expect(clippy::panic, reason = "a bug stops its shard")]
    fn leave_depth(&mut self, slot: Slot) {
        let row = self.market.orders.get(slot);
        let Some(price) = row.kind.price() else {
            panic!("a market order never rests");
        };
        let remaining = row.remaining_quantity();
        self.market.depth.leave(row.side, price, remaining);
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn resting(&self, order: OrderRef) -> Slot {
        let slot = self.market.orders.placed_by(order.sequence);
        slot.filter(|slot| self.market.orders.get(*slot).state == OrderState::Resting)
            .expect("an order that changes rests")
    }

    fn tell(&mut self, kind: ChangeKind) {
        self.changes += 1;
        let id = ChangeId {
            sequence: self.record.sequence,
            index: self.changes,
        };
        self.market.newest_change = id;
        self.applied.changes.push(Change { id, kind });
    }
}

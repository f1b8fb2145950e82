//! One record folded in: which orders it changes, and the trades it makes.

use std::collections::HashMap;
use std::sync::Arc;

use shardbook_engine::command::{Command, Tape};
use shardbook_engine::event::{Event, Maker, MirrorMaker, Priority};
use shardbook_engine::id::{ClientId, OrderId, OrderRef, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{
    CancelReason, NewOrder, Order, OrderKind, OrderState, SelfTradePrevention, TimeInForce, Trade,
    TradeParty,
};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Quantity};
use shardbook_engine::record::Record;
use shardbook_engine::side::Side;

use crate::projector::bulk::TradeOf;
use crate::projector::cache::OrderKey;
use crate::projector::error::ProjectorError;
use crate::projector::fold::InstrumentSums;

/// The order that trades as taker.
enum Incoming {
    None,
    /// At hand.
    Order(OrderRef),
    /// One of the mirror's that has not traded yet.
    Untraded(Box<Order>),
}

/// What the records of a batch come to, to be added to.
pub(super) struct Gathered<'a> {
    pub(super) orders: &'a mut HashMap<OrderKey, Order>,
    pub(super) trades: &'a mut Vec<TradeOf>,
    /// The instrument's.
    pub(super) sums: &'a mut InstrumentSums,
}

/// One record's folding.
pub(super) struct Step<'a> {
    instrument: &'a Arc<Instrument>,
    record: &'a Record,
    orders: &'a mut HashMap<OrderKey, Order>,
    trades: &'a mut Vec<TradeOf>,
    sums: &'a mut InstrumentSums,
    incoming: Incoming,
    touched: Vec<OrderRef>,
    trade_number: TradeNumber,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        instrument: &'a Arc<Instrument>,
        record: &'a Record,
        gathered: Gathered<'a>,
    ) -> Self {
        let Gathered {
            orders,
            trades,
            sums,
        } = gathered;
        Self {
            instrument,
            record,
            orders,
            trades,
            sums,
            incoming: Incoming::None,
            touched: Vec::new(),
            trade_number: record.first_trade,
        }
    }

    /// Takes in the command and all that came of it.
    pub(super) fn take_all(&mut self) -> Result<(), ProjectorError> {
        self.begin();
        self.record
            .events
            .iter()
            .try_for_each(|event| self.take(event))
    }

    /// The orders that the record changed, each once, in the order they first did.
    pub(super) fn touched(self) -> Vec<OrderRef> {
        self.touched
    }

    fn begin(&mut self) {
        let order = match &self.record.command {
            Command::Place(new) => self.placed(new),
            Command::Tape(tape) => self.tape_order(tape),
            Command::Cancel(_)
            | Command::Amend(_)
            | Command::MassCancel(_)
            | Command::Mirror(_)
            | Command::WithdrawMirror
            | Command::Halt
            | Command::Resume
            | Command::CloseDay(_) => return,
        };
        self.bring_in(order);
    }

    fn take(&mut self, event: &Event) -> Result<(), ProjectorError> {
        match event {
            Event::Rejected(rejection) => {
                let taker = self.taker()?;
                self.change(taker)?.state = OrderState::Rejected(*rejection);
            }
            Event::Traded {
                maker,
                price,
                quantity,
            } => self.trade(maker, *price, *quantity)?,
            Event::Cancelled { order, reason } => self.cancel(*order, *reason)?,
            Event::Amended {
                order,
                price,
                quantity,
                priority,
            } => {
                let amended = self.change(*order)?;
                amended.quantity = *quantity;
                if let OrderKind::Limit { price: limit, .. } = &mut amended.kind {
                    *limit = *price;
                }
                match priority {
                    Priority::Kept => {}
                    Priority::Lost => self.incoming = Incoming::Order(*order),
                }
            }
            Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            } => {
                let order = self.mirror_order(*index, *side, *price, *quantity);
                self.incoming = Incoming::Untraded(Box::new(order));
            }
            Event::MirrorReduced { order, quantity } => {
                if self.is_at_hand(*order) {
                    self.change(*order)?.quantity = *quantity;
                }
            }
        }
        Ok(())
    }

    fn trade(
        &mut self,
        maker: &Maker,
        price: Price,
        quantity: Quantity,
    ) -> Result<(), ProjectorError> {
        let number = self.trade_number;
        self.trade_number = number.next();
        let taker = self.taker()?;
        let taker_side = self.fill(taker, price, quantity)?;
        if let Maker::Mirror(mirror) = maker {
            let order = self.mirror_maker(mirror, taker_side.opposite(), price);
            self.orders.insert(self.key(mirror.order), order);
        }
        self.fill(maker.order(), price, quantity)?;
        let (taker, maker) = (self.party(taker)?, self.party(maker.order())?);
        let (buy, sell) = match taker_side {
            Side::Buy => (taker, maker),
            Side::Sell => (maker, taker),
        };
        let trade = Trade {
            number,
            buy,
            sell,
            price,
            quantity,
            taker_side,
            sequence: self.record.sequence,
            timestamp: self.record.timestamp,
        };
        self.sums.add(&trade);
        self.trades.push(TradeOf {
            instrument: Arc::clone(self.instrument),
            trade,
        });
        Ok(())
    }

    /// Lets an order trade; says on which side it stands.
    fn fill(
        &mut self,
        placed: OrderRef,
        price: Price,
        quantity: Quantity,
    ) -> Result<Side, ProjectorError> {
        let order = self.change(placed)?;
        let remaining = order.remaining_quantity();
        let filled = Quantity::new(order.filled_quantity.lots() + quantity.lots());
        let (Some(filled), true) = (filled, quantity <= remaining && order.is_open()) else {
            return Err(ProjectorError::Overfilled {
                order_id: order.id.clone(),
                sequence: self.record.sequence,
            });
        };
        order.filled_quantity = filled;
        order.filled_notional += price * quantity;
        order.trade_count += 1;
        if order.remaining_quantity().is_zero() {
            order.state = OrderState::Filled;
        }
        Ok(order.side)
    }

    fn cancel(&mut self, placed: OrderRef, reason: CancelReason) -> Result<(), ProjectorError> {
        if is_mirror(placed) && !self.is_at_hand(placed) {
            return Ok(());
        }
        self.change(placed)?.state = OrderState::Cancelled(reason);
        Ok(())
    }

    /// The incoming order, at hand from now on.
    fn taker(&mut self) -> Result<OrderRef, ProjectorError> {
        match std::mem::replace(&mut self.incoming, Incoming::None) {
            Incoming::None => Err(ProjectorError::NoIncomingOrder {
                symbol: self.instrument.symbol.clone(),
                sequence: self.record.sequence,
            }),
            Incoming::Order(placed) => {
                self.incoming = Incoming::Order(placed);
                Ok(placed)
            }
            Incoming::Untraded(order) => Ok(self.bring_in(*order)),
        }
    }

    fn bring_in(&mut self, order: Order) -> OrderRef {
        let placed = order.placed;
        self.orders.insert(self.key(placed), order);
        self.touched.push(placed);
        self.incoming = Incoming::Order(placed);
        placed
    }

    /// An order at hand that the record changes.
    fn change(&mut self, placed: OrderRef) -> Result<&mut Order, ProjectorError> {
        let record = self.record;
        let order = self
            .orders
            .get_mut(&(record.instrument, placed))
            .ok_or_else(|| unknown(self.instrument, placed))?;
        // What was updated by this record before is among the touched already.
        if order.updated != record.sequence {
            self.touched.push(placed);
            order.updated = record.sequence;
            order.updated_at = record.timestamp;
        }
        Ok(order)
    }

    fn is_at_hand(&self, placed: OrderRef) -> bool {
        self.orders.contains_key(&self.key(placed))
    }

    const fn key(&self, placed: OrderRef) -> OrderKey {
        (self.record.instrument, placed)
    }

    fn party(&self, placed: OrderRef) -> Result<TradeParty, ProjectorError> {
        let order = self.orders.get(&self.key(placed));
        let order = order.ok_or_else(|| unknown(self.instrument, placed))?;
        Ok(TradeParty {
            order_id: order.id.clone(),
            placed,
            client: order.client.clone(),
        })
    }

    fn placed(&self, new: &NewOrder) -> Order {
        Order {
            idempotency_key: new.idempotency_key.clone(),
            self_trade_prevention: new.self_trade_prevention,
            ..self.fresh(
                new.id.id().clone(),
                new.client.clone(),
                OrderRef::single(self.record.sequence),
                Terms {
                    side: new.side,
                    kind: new.kind,
                    quantity: new.quantity,
                },
            )
        }
    }

    fn tape_order(&self, tape: &Tape) -> Order {
        self.fresh(
            OrderId::tape(&tape.symbol, tape.first_trade_id, tape.last_trade_id),
            ClientId::binance_trades(),
            OrderRef::single(self.record.sequence),
            Terms {
                side: tape.side,
                kind: OrderKind::Market,
                quantity: tape.quantity,
            },
        )
    }

    fn mirror_order(&self, index: u32, side: Side, price: Price, quantity: Quantity) -> Order {
        let placed = OrderRef {
            sequence: self.record.sequence,
            index,
        };
        self.fresh(
            OrderId::mirror(placed),
            ClientId::binance_depth(),
            placed,
            Terms {
                side,
                kind: mirror_kind(price),
                quantity,
            },
        )
    }

    fn mirror_maker(&self, mirror: &MirrorMaker, side: Side, price: Price) -> Order {
        Order {
            filled_quantity: mirror.filled_quantity,
            filled_notional: mirror.filled_notional,
            trade_count: mirror.trade_count,
            created_at: mirror.created_at,
            // Not yet by this record, unless it was: only so is it counted among the touched.
            updated: self
                .orders
                .get(&self.key(mirror.order))
                .map_or(Sequence::ZERO, |order| order.updated),
            ..self.fresh(
                OrderId::mirror(mirror.order),
                ClientId::binance_depth(),
                mirror.order,
                Terms {
                    side,
                    kind: mirror_kind(price),
                    quantity: mirror.quantity,
                },
            )
        }
    }

    /// An order as it comes in with this record.
    fn fresh(&self, id: OrderId, client: ClientId, placed: OrderRef, terms: Terms) -> Order {
        Order {
            id,
            client,
            idempotency_key: None,
            side: terms.side,
            kind: terms.kind,
            quantity: terms.quantity,
            self_trade_prevention: SelfTradePrevention::None,
            state: OrderState::Resting,
            filled_quantity: Quantity::ZERO,
            filled_notional: Notional::ZERO,
            trade_count: 0,
            placed,
            updated: self.record.sequence,
            created_at: self.record.timestamp,
            updated_at: self.record.timestamp,
        }
    }
}

/// What an order asks for.
struct Terms {
    side: Side,
    kind: OrderKind,
    quantity: Quantity,
}

const fn mirror_kind(price: Price) -> OrderKind {
    OrderKind::Limit {
        price,
        time_in_force: TimeInForce::Gtc,
    }
}

const fn is_mirror(placed: OrderRef) -> bool {
    placed.index > 0
}

pub(super) fn unknown(instrument: &Instrument, order: OrderRef) -> ProjectorError {
    ProjectorError::UnknownOrder {
        symbol: instrument.symbol.clone(),
        sequence: order.sequence,
        index: order.index,
    }
}

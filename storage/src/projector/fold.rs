//! Folds records into what they change in the database. Pure: rows in, rows out.
//!
//! A client's maker or cancelled order that the records did not place themselves must be at
//! hand; [`needed`] says which. Mirror orders appear only once they trade: a maker's row comes
//! with its trade, and a change to one that is not at hand is a change to one that never traded.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use shardbook_engine::command::{Command, Tape};
use shardbook_engine::event::{Event, Maker, MirrorMaker, Priority};
use shardbook_engine::id::{ClientId, InstrumentId, OrderId, OrderRef, Sequence, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{
    CancelReason, NewOrder, Order, OrderKind, OrderState, SelfTradePrevention, TimeInForce, Trade,
    TradeParty,
};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{Notional, Quantity};
use shardbook_engine::record::Record;
use shardbook_engine::side::Side;

use super::cache::OrderKey;
use super::error::ProjectorError;
use crate::entity::convert::{
    TradingStatus, instrument_row, order_event_row, order_row, trade_row,
};
use crate::entity::{instrument, order, order_event, trade};

/// How far an instrument's history stands in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) sequence: Sequence,
    pub(crate) status: TradingStatus,
}

/// Everything a batch of records is folded into.
#[derive(Debug)]
pub(crate) struct Fold {
    /// Orders at hand, as they stand.
    orders: HashMap<OrderKey, Order>,
    /// The newest row of each order that changed, by key so that rows are written in order.
    order_rows: BTreeMap<OrderKey, order::Model>,
    events: Vec<order_event::Model>,
    trades: Vec<trade::Model>,
    progress: BTreeMap<InstrumentId, (Arc<Instrument>, Progress)>,
}

/// The rows that a batch changes or adds, in the order in which they are best written.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) orders: Vec<order::Model>,
    pub(crate) events: Vec<order_event::Model>,
    pub(crate) trades: Vec<trade::Model>,
    pub(crate) instruments: Vec<instrument::Model>,
}

/// What is to be remembered of a batch once its rows are written.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Where each instrument of the batch stands after it.
    pub(crate) progress: Vec<(InstrumentId, Progress)>,
    /// Orders that still rest.
    pub(crate) open: Vec<(OrderKey, Order)>,
}

/// Orders placed before `records` began that they speak of, each once.
pub(crate) fn needed<'a>(records: impl Iterator<Item = &'a Record>) -> HashSet<OrderKey> {
    let mut first: HashMap<InstrumentId, Sequence> = HashMap::new();
    let mut needed = HashSet::new();
    for record in records {
        let first = *first.entry(record.instrument).or_insert(record.sequence);
        for event in &record.events {
            let order = match event {
                Event::Traded {
                    maker: Maker::Client(order),
                    ..
                }
                | Event::Cancelled { order, .. }
                | Event::Amended { order, .. }
                | Event::MirrorReduced { order, .. } => *order,
                Event::Traded {
                    maker: Maker::Mirror(_),
                    ..
                }
                | Event::Rejected(_)
                | Event::MirrorAdded { .. } => continue,
            };
            if order.sequence < first {
                needed.insert((record.instrument, order));
            }
        }
    }
    needed
}

impl Fold {
    /// A fold with those orders at hand that were [`needed`] and exist.
    pub(crate) fn new(orders: HashMap<OrderKey, Order>) -> Self {
        Self {
            orders,
            order_rows: BTreeMap::new(),
            events: Vec::new(),
            trades: Vec::new(),
            progress: BTreeMap::new(),
        }
    }

    /// Folds in one record of `instrument`, which stood at `before` when the fold began; `None`
    /// for one that the database does not know yet.
    ///
    /// # Errors
    /// When the record does not follow, speaks of an unknown order, or fits no row.
    pub(crate) fn apply(
        &mut self,
        instrument: &Arc<Instrument>,
        before: Option<Progress>,
        record: &Record,
    ) -> Result<(), ProjectorError> {
        let progress = self.advance(instrument, before, record)?;
        let mut step = Step {
            instrument,
            record,
            orders: &mut self.orders,
            trades: &mut self.trades,
            incoming: Incoming::None,
            touched: Vec::new(),
            trade_number: record.first_trade,
        };
        step.begin();
        for event in &record.events {
            step.take(event)?;
        }
        for placed in step.touched {
            let key = (record.instrument, placed);
            let order = self
                .orders
                .get(&key)
                .ok_or_else(|| unknown(instrument, placed))?;
            let row = order_row(instrument, order)?;
            self.events.push(order_event_row(&row));
            self.order_rows.insert(key, row);
        }
        self.progress
            .insert(record.instrument, (Arc::clone(instrument), progress));
        Ok(())
    }

    fn advance(
        &self,
        instrument: &Arc<Instrument>,
        before: Option<Progress>,
        record: &Record,
    ) -> Result<Progress, ProjectorError> {
        let known = self.progress.get(&record.instrument);
        let before = known.map(|(_, progress)| *progress).or(before);
        if let Some(before) = before
            && record.sequence != before.sequence.next()
        {
            return Err(ProjectorError::Gap {
                symbol: instrument.symbol.clone(),
                projected: before.sequence,
                found: record.sequence,
            });
        }
        let status = match record.command {
            Command::Halt => TradingStatus::Halted,
            Command::Resume => TradingStatus::Trading,
            Command::Place(_)
            | Command::Cancel(_)
            | Command::Amend(_)
            | Command::MassCancel(_)
            | Command::Tape(_)
            | Command::Mirror(_)
            | Command::WithdrawMirror => {
                before.map_or(TradingStatus::Trading, |before| before.status)
            }
        };
        Ok(Progress {
            sequence: record.sequence,
            status,
        })
    }

    /// What came of it.
    ///
    /// # Errors
    /// When an instrument fits no row.
    pub(crate) fn finish(self) -> Result<(Rows, Outcome), ProjectorError> {
        let mut instruments = Vec::with_capacity(self.progress.len());
        let mut progress = Vec::with_capacity(self.progress.len());
        for (id, (instrument, at)) in self.progress {
            instruments.push(instrument_row(&instrument, at.status, at.sequence)?);
            progress.push((id, at));
        }
        let rows = Rows {
            orders: self.order_rows.into_values().collect(),
            events: self.events,
            trades: self.trades,
            instruments,
        };
        let orders = self.orders.into_iter();
        let open = orders.filter(|(_, order)| order.is_open()).collect();
        Ok((rows, Outcome { progress, open }))
    }
}

/// The order that trades as taker.
enum Incoming {
    None,
    /// At hand.
    Order(OrderRef),
    /// One of the mirror's that has not traded yet.
    Untraded(Box<Order>),
}

/// One record's folding.
struct Step<'a> {
    instrument: &'a Instrument,
    record: &'a Record,
    orders: &'a mut HashMap<OrderKey, Order>,
    trades: &'a mut Vec<trade::Model>,
    incoming: Incoming,
    /// Orders that the record changed, each once, in the order they first did.
    touched: Vec<OrderRef>,
    trade_number: TradeNumber,
}

impl Step<'_> {
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
            | Command::Resume => return,
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
        self.trades.push(trade_row(self.instrument, &trade)?);
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

fn unknown(instrument: &Instrument, order: OrderRef) -> ProjectorError {
    ProjectorError::UnknownOrder {
        symbol: instrument.symbol.clone(),
        sequence: order.sequence,
        index: order.index,
    }
}

//! Random histories of an instrument, and what the database must hold after them.
//!
//! Orders meet at random instead of by price: what is projected depends on the events alone.
//! Each state is kept as it is made up, one order at a time, with nothing shared with the
//! projector's fold.

mod commands;

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use shardbook_engine::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorScope, MirrorUpdate, OrderChange,
    Requester, Tape,
};
use shardbook_engine::event::{Event, Maker, MirrorMaker, Priority};
use shardbook_engine::id::{
    ClientId, IdempotencyKey, InstrumentId, OrderId, OrderRef, Sequence, Symbol, TradeNumber,
};
use shardbook_engine::instrument::{Increment, Instrument, PriceBand};
use shardbook_engine::order::{
    CancelReason, ChosenId, NewOrder, Order, OrderKind, OrderState, Rejection, SelfTradePrevention,
    TimeInForce, Trade, TradeParty,
};
use shardbook_engine::price::{Price, TICKS_MAX};
use shardbook_engine::quantity::{LOTS_MAX, Notional, Quantity};
use shardbook_engine::record::Record;
use shardbook_engine::side::Side;
use shardbook_engine::time::{Day, Timestamp};
use shardbook_test_support::random::Random;

/// Ten microseconds before 2026-02-01.
const BEGIN: u64 = 1_769_903_999_999_990;

/// One instrument: where it stands, and all that ever came of it.
pub(crate) struct Market {
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) sequence: Sequence,
    pub(crate) halted: bool,
    /// Every order, also the mirror's that never traded.
    orders: BTreeMap<OrderRef, Order>,
    /// Orders as they stood after each record that changed them, the record's order kept.
    pub(crate) events: Vec<Order>,
    pub(crate) trades: Vec<Trade>,
    /// Days that are over, the newest last.
    pub(crate) closed: Vec<Day>,
    now: Timestamp,
    /// Orders that rest, for a quick choice.
    open: Vec<OrderRef>,
    touched: Vec<OrderRef>,
    amounts: Amounts,
}

/// How much is traded at which prices.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Amounts {
    /// Some, now and then the most that can be.
    Any,
    /// As much as can be at the highest price, by few and many times a day.
    Largest,
}

/// An instrument with the increments `tick` and `lot`.
pub(crate) fn instrument(id: u32, symbol: &str, tick: &str, lot: &str) -> Instrument {
    let increment = |step: &str| Increment::new(step.parse::<Decimal>().unwrap()).unwrap();
    Instrument {
        id: InstrumentId::new(id),
        symbol: Symbol::new(symbol).unwrap(),
        tick: increment(tick),
        lot: increment(lot),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(1_000_000_000_000).unwrap(),
        min_notional: (id == 1).then(|| Notional::new(123_456_789)),
        price_band: PriceBand::from_basis_points(u64::from(id) * 125),
        binance_symbol: None,
        listed_at: Timestamp::from_microseconds(BEGIN),
    }
}

impl Market {
    pub(crate) fn new(instrument: Instrument) -> Self {
        Self {
            instrument: Arc::new(instrument),
            sequence: Sequence::ZERO,
            halted: false,
            orders: BTreeMap::new(),
            events: Vec::new(),
            trades: Vec::new(),
            closed: Vec::new(),
            now: Timestamp::from_microseconds(BEGIN),
            open: Vec::new(),
            touched: Vec::new(),
            amounts: Amounts::Any,
        }
    }

    /// One whose orders are all as large as can be, at the highest price.
    pub(crate) fn of_largest(instrument: Instrument) -> Self {
        Self {
            amounts: Amounts::Largest,
            ..Self::new(instrument)
        }
    }

    /// The orders that the database must hold.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Order> {
        self.orders
            .values()
            .filter(|order| !is_mirror(order) || order.trade_count > 0)
    }

    /// Lets something happen.
    pub(crate) fn happen(&mut self, random: &mut Random) -> Record {
        self.sequence = self.sequence.next();
        // Now and then some hours go by.
        let seldom = match self.amounts {
            Amounts::Any => 40,
            Amounts::Largest => 450,
        };
        let most = if random.below(seldom) == 0 {
            30_000_000_000
        } else {
            1_000_000
        };
        self.now = Timestamp::from_microseconds(self.now.microseconds() + random.below(most));
        self.touched.clear();
        let first_trade = self.next_trade();
        let mut events = Vec::new();
        let choices = match self.amounts {
            Amounts::Any => 20,
            // Placed, and nothing else.
            Amounts::Largest => 10,
        };
        let command = match random.below(choices) {
            _ if self.day_to_close().is_some() && random.below(3) == 0 => self.close_day(),
            0..=9 => self.place(random, &mut events),
            10 | 11 => self.cancel(random, &mut events),
            12 | 13 => self.amend(random, &mut events),
            14 | 15 => self.mirror(random, &mut events),
            16 | 17 => self.tape(random, &mut events),
            18 => self.mass_cancel(random, &mut events),
            _ => self.operate(random, &mut events),
        };
        for placed in self.touched.drain(..) {
            let order = &self.orders[&placed];
            if !is_mirror(order) || order.trade_count > 0 {
                self.events.push(order.clone());
            }
        }
        let orders = &self.orders;
        self.open.retain(|placed| orders[placed].is_open());
        Record {
            instrument: self.instrument.id,
            sequence: self.sequence,
            timestamp: self.now,
            first_trade,
            command,
            events,
        }
    }

    /// The oldest day that is over and not closed.
    pub(crate) fn day_to_close(&self) -> Option<Day> {
        let first = self.instrument.listed_at.day();
        let next = self.closed.last().map_or(first, |day| day.next());
        (next < self.now.day()).then_some(next)
    }

    /// Lets an order trade with a few of the other side.
    fn trade(&mut self, taker: OrderRef, random: &mut Random, events: &mut Vec<Event>) {
        let (taker_side, of_mirror) = {
            let order = &self.orders[&taker];
            (order.side, is_mirror(order))
        };
        for _ in 0..random.below(4) {
            let makers: Vec<_> =
                self.resting(|order| order.side != taker_side && !(of_mirror && is_mirror(order)));
            let left = self.orders[&taker].remaining_quantity().lots();
            if makers.is_empty() || left == 0 {
                return;
            }
            let maker = random.one_of(&makers);
            let before = self.orders[&maker].clone();
            let most = left.min(before.remaining_quantity().lots());
            let some = 1 + random.below(most);
            let lots = match self.amounts {
                Amounts::Any => random.one_of(&[most, some]),
                Amounts::Largest => most,
            };
            let quantity = Quantity::new(lots).unwrap();
            let price = before.kind.price().unwrap();
            self.fill(taker, price, quantity);
            self.fill(maker, price, quantity);
            let (buy, sell) = match taker_side {
                Side::Buy => (taker, maker),
                Side::Sell => (maker, taker),
            };
            self.trades.push(Trade {
                number: self.next_trade(),
                buy: self.party(buy),
                sell: self.party(sell),
                price,
                quantity,
                taker_side,
                sequence: self.sequence,
                timestamp: self.now,
            });
            events.push(Event::Traded {
                maker: maker_of(&before),
                price,
                quantity,
            });
        }
    }

    fn fill(&mut self, placed: OrderRef, price: Price, quantity: Quantity) {
        let order = self.orders.get_mut(&placed).unwrap();
        order.filled_quantity =
            Quantity::new(order.filled_quantity.lots() + quantity.lots()).unwrap();
        order.filled_notional += price * quantity;
        order.trade_count += 1;
        order.updated = self.sequence;
        order.updated_at = self.now;
        if order.remaining_quantity().is_zero() {
            order.state = OrderState::Filled;
        }
        if !self.touched.contains(&placed) {
            self.touched.push(placed);
        }
    }

    fn rest_or_cancel(&mut self, placed: OrderRef, random: &mut Random, events: &mut Vec<Event>) {
        let order = &self.orders[&placed];
        if !order.is_open() {
            return;
        }
        if order.kind == OrderKind::Market {
            self.cancel_order(placed, CancelReason::BookExhausted, events);
        } else if random.below(6) == 0 {
            self.cancel_order(placed, CancelReason::SelfTrade, events);
        } else if !self.open.contains(&placed) {
            self.open.push(placed);
        }
    }

    fn cancel_order(&mut self, placed: OrderRef, reason: CancelReason, events: &mut Vec<Event>) {
        let order = self.orders.get_mut(&placed).unwrap();
        order.state = OrderState::Cancelled(reason);
        order.updated = self.sequence;
        order.updated_at = self.now;
        if !self.touched.contains(&placed) {
            self.touched.push(placed);
        }
        events.push(Event::Cancelled {
            order: placed,
            reason,
        });
    }

    fn resting(&self, of: impl Fn(&Order) -> bool) -> Vec<OrderRef> {
        let open = self.open.iter().copied();
        open.filter(|placed| {
            let order = &self.orders[placed];
            order.is_open() && of(order)
        })
        .collect()
    }

    fn client(&self, random: &mut Random) -> ClientId {
        let clients = match self.amounts {
            Amounts::Any => 5,
            Amounts::Largest => 2,
        };
        ClientId::new(&format!("client-{}", random.below(clients))).unwrap()
    }

    fn price(&self, random: &mut Random) -> Price {
        let around = 7_015_000 + random.below(2_000);
        let price = match self.amounts {
            Amounts::Any => random.one_of(&[around, around, 1, TICKS_MAX]),
            Amounts::Largest => TICKS_MAX,
        };
        Price::new(price).unwrap()
    }

    fn quantity(&self, random: &mut Random) -> Quantity {
        let some = 1 + random.below(100);
        let quantity = match self.amounts {
            Amounts::Any => random.one_of(&[some, some, some, LOTS_MAX]),
            Amounts::Largest => LOTS_MAX,
        };
        Quantity::new(quantity).unwrap()
    }

    fn next_trade(&self) -> TradeNumber {
        TradeNumber::new(self.trades.len() as u64 + 1)
    }

    fn party(&self, placed: OrderRef) -> TradeParty {
        let order = &self.orders[&placed];
        TradeParty {
            order_id: order.id.clone(),
            placed,
            client: order.client.clone(),
        }
    }

    fn fresh(
        &self,
        id: OrderId,
        client: ClientId,
        placed: OrderRef,
        (side, kind, quantity): (Side, OrderKind, Quantity),
    ) -> Order {
        Order {
            id,
            client,
            idempotency_key: None,
            side,
            kind,
            quantity,
            self_trade_prevention: SelfTradePrevention::None,
            state: OrderState::Resting,
            filled_quantity: Quantity::ZERO,
            filled_notional: Notional::ZERO,
            trade_count: 0,
            placed,
            updated: self.sequence,
            created_at: self.now,
            updated_at: self.now,
        }
    }
}

fn maker_of(order: &Order) -> Maker {
    if !is_mirror(order) {
        return Maker::Client(order.placed);
    }
    Maker::Mirror(MirrorMaker {
        order: order.placed,
        quantity: order.quantity,
        filled_quantity: order.filled_quantity,
        filled_notional: order.filled_notional,
        trade_count: order.trade_count,
        created_at: order.created_at,
    })
}

fn is_mirror(order: &Order) -> bool {
    order.placed.index > 0
}

//! A fold that keeps every order and trade, and adds them up when it is asked.

pub(super) mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{LIMITS, client, count, price, quantity};
use crate::event::{Event, Maker, MirrorMaker};
use crate::id::{ClientId, OrderId, OrderRef, Sequence, TradeNumber};
use crate::market_data::{KnownOrder, Level};
use crate::order::{
    CancelReason, Order, OrderKind, OrderState, OrderWithTrades, SelfTradePrevention, Trade,
    TradeParty,
};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::side::Side;
use crate::time::{Day, Timestamp};

/// Whose open orders are meant.
#[derive(Clone, Copy)]
enum Whose {
    Anyones,
    Clients,
    Mirrors,
}

/// Every order and trade there ever was.
#[derive(Default)]
pub(super) struct Naive {
    pub(super) orders: Vec<Order>,
    pub(super) trades: Vec<Trade>,
    /// Clients' orders in the order they closed.
    pub(super) closed: Vec<OrderRef>,
    pub(super) sequence: u64,
    pub(super) halted: bool,
    /// What the clock has gone on by.
    pub(super) minutes: u64,
    pub(super) closed_day: Option<Day>,
    pub(super) events: Vec<Event>,
    pub(super) first_trade: u64,
}

impl Naive {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(1_000 + self.minutes * 60_000_000 + self.sequence / 2)
    }

    fn open(&self, whose: Whose) -> Vec<usize> {
        let is_wanted = |order: &Order| match whose {
            Whose::Anyones => true,
            Whose::Clients => order.placed.index == 0,
            Whose::Mirrors => order.placed.index > 0,
        };
        (0..self.orders.len())
            .filter(|at| self.orders[*at].is_open() && is_wanted(&self.orders[*at]))
            .collect()
    }

    fn bring(
        &mut self,
        id: OrderId,
        client: ClientId,
        side: Side,
        kind: OrderKind,
        lots: u64,
        index: u32,
    ) -> usize {
        self.orders.push(Order {
            id,
            client,
            idempotency_key: None,
            side,
            kind,
            quantity: quantity(lots),
            self_trade_prevention: SelfTradePrevention::None,
            state: OrderState::Resting,
            filled_quantity: Quantity::ZERO,
            filled_notional: Notional::ZERO,
            trade_count: 0,
            placed: OrderRef {
                sequence: Sequence::new(self.sequence),
                index,
            },
            updated: Sequence::new(self.sequence),
            created_at: self.now(),
            updated_at: self.now(),
        });
        self.orders.len() - 1
    }

    fn change(&mut self, at: usize) -> &mut Order {
        let (sequence, now) = (Sequence::new(self.sequence), self.now());
        let order = &mut self.orders[at];
        (order.updated, order.updated_at) = (sequence, now);
        order
    }

    fn close(&mut self, at: usize, state: OrderState) {
        let order = self.change(at);
        order.state = state;
        if !order.client.is_feed() {
            let placed = order.placed;
            self.closed.push(placed);
        }
    }

    fn cancel(&mut self, at: usize, reason: CancelReason) {
        let order = self.orders[at].placed;
        self.events.push(Event::Cancelled { order, reason });
        self.close(at, OrderState::Cancelled(reason));
    }

    fn fill(&mut self, at: usize, lots: Quantity, at_price: Price) -> TradeParty {
        let order = self.change(at);
        order.filled_quantity = quantity(order.filled_quantity.lots() + lots.lots());
        order.filled_notional += at_price * lots;
        order.trade_count += 1;
        TradeParty {
            order_id: order.id.clone(),
            placed: order.placed,
            client: order.client.clone(),
        }
    }

    /// Lets the order trade with up to `takes` others, the last in first.
    fn take(&mut self, taker: usize, takes: u8) {
        let side = self.orders[taker].side;
        let is_mirror = self.orders[taker].placed.index > 0;
        for _ in 0..takes {
            let maker = self.open(Whose::Anyones).into_iter().rev().find(|at| {
                let maker = &self.orders[*at];
                maker.side != side && *at != taker && !(is_mirror && maker.placed.index > 0)
            });
            let left = self.orders[taker].remaining_quantity();
            let Some(maker) = maker.filter(|_| !left.is_zero()) else {
                return;
            };
            self.trade(taker, maker, left);
        }
    }

    fn trade(&mut self, taker: usize, maker: usize, left: Quantity) {
        let before = self.orders[maker].clone();
        let lots = left.min(before.remaining_quantity());
        let at_price = before.kind.price().unwrap();
        self.events.push(Event::Traded {
            maker: if before.placed.index == 0 {
                Maker::Client(before.placed)
            } else {
                Maker::Mirror(MirrorMaker {
                    order: before.placed,
                    quantity: before.quantity,
                    filled_quantity: before.filled_quantity,
                    filled_notional: before.filled_notional,
                    trade_count: before.trade_count,
                    created_at: before.created_at,
                })
            },
            price: at_price,
            quantity: lots,
        });
        let (took, gave) = (
            self.fill(taker, lots, at_price),
            self.fill(maker, lots, at_price),
        );
        let taker_side = self.orders[taker].side;
        let (buy, sell) = match taker_side {
            Side::Buy => (took, gave),
            Side::Sell => (gave, took),
        };
        self.trades.push(Trade {
            number: TradeNumber::new(count(&self.trades) + 1),
            buy,
            sell,
            price: at_price,
            quantity: lots,
            taker_side,
            sequence: Sequence::new(self.sequence),
            timestamp: self.now(),
        });
        if self.orders[maker].remaining_quantity().is_zero() {
            self.close(maker, OrderState::Filled);
        }
    }

    /// An order that is not closed yet is filled or rests.
    fn settle(&mut self, at: usize) {
        if self.orders[at].is_open() && self.orders[at].remaining_quantity().is_zero() {
            self.close(at, OrderState::Filled);
        }
    }

    pub(super) fn levels(&self, side: Side) -> Vec<(Price, Level)> {
        let mut levels = BTreeMap::<Price, Level>::new();
        for at in self.open(Whose::Anyones) {
            let order = &self.orders[at];
            if order.side == side {
                let level = levels.entry(order.kind.price().unwrap()).or_default();
                level.volume += order.remaining_quantity();
                level.orders += 1;
            }
        }
        match side {
            Side::Buy => levels.into_iter().rev().collect(),
            Side::Sell => levels.into_iter().collect(),
        }
    }

    /// What memory is to know of an order that is in it.
    pub(super) fn known(&self, order: &Order) -> KnownOrder {
        let trades: Vec<_> = self.trades_of(order).cloned().map(Arc::new).collect();
        let is_held = |trade: &Arc<Trade>| trade.number >= self.oldest_held();
        if order.is_open() || trades.iter().all(is_held) {
            let order = order.clone();
            KnownOrder::Whole(OrderWithTrades { order, trades })
        } else {
            KnownOrder::WithoutTrades(order.clone())
        }
    }

    /// The trades that are to be in memory: the newest, and those of open orders.
    pub(super) fn trades_to_hold(&self) -> Vec<TradeNumber> {
        let open = self.orders.iter().filter(|order| order.is_open());
        let of_open = open.flat_map(|order| self.trades_of(order));
        let newest = self.trades.iter().rev().take(LIMITS.trades);
        let numbers = of_open.chain(newest).map(|trade| trade.number);
        numbers.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn trades_of(&self, order: &Order) -> impl Iterator<Item = &Trade> {
        let placed = order.placed;
        let is_its = move |trade: &&Trade| [trade.buy.placed, trade.sell.placed].contains(&placed);
        self.trades.iter().filter(is_its)
    }

    fn oldest_held(&self) -> TradeNumber {
        let let_go = self.trades.len().saturating_sub(LIMITS.trades);
        TradeNumber::new(count(&self.trades[..let_go]) + 1)
    }

    pub(super) fn is_in_memory(&self, order: &Order) -> bool {
        let kept = self.closed.len().saturating_sub(LIMITS.closed_orders);
        order.is_open() || self.closed[kept..].contains(&order.placed)
    }
}

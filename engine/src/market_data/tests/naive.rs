//! A fold that keeps every order and trade, and steps that make valid records for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{LIMITS, client, count, price, quantity};
use crate::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorScope, MirrorUpdate, OrderChange,
    Requester, Tape,
};
use crate::event::{Event, Maker, MirrorMaker, Priority};
use crate::id::{ClientId, InstrumentId, OrderId, OrderRef, Sequence, TradeNumber};
use crate::market_data::{KnownOrder, Level};
use crate::order::{
    CancelReason, ChosenId, NewOrder, Order, OrderKind, OrderState, OrderWithTrades, Rejection,
    SelfTradePrevention, TimeInForce, Trade, TradeParty,
};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::record::Record;
use crate::side::Side;
use crate::time::{Day, Timestamp};

/// What a random step asks for; what can't be done is left out.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Place {
        client: u8,
        side: Side,
        price: u64,
        quantity: u64,
        takes: u8,
        end: End,
    },
    Cancel(u8),
    Amend {
        which: u8,
        price: u64,
        quantity: u64,
        takes: u8,
    },
    MassCancel(u8),
    Tape {
        side: Side,
        quantity: u64,
        takes: u8,
    },
    Mirror {
        reduces: u8,
        removes: u8,
        adds: Vec<(Side, u64, u64, u8)>,
    },
    WithdrawMirror,
    Later(u16),
    CloseDay,
    Halt,
    Resume,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Rests,
    IsCancelled,
    IsRejected,
    CancelsMakers,
}

fn a_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn an_end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Rests),
        1 => Just(End::IsCancelled),
        1 => Just(End::IsRejected),
        1 => Just(End::CancelsMakers),
    ]
}

pub(super) fn a_step() -> impl Strategy<Value = Step> {
    let addition = (a_side(), 1..9_u64, 1..9_u64, 0..3_u8);
    prop_oneof![
        8 => (0..3_u8, a_side(), 1..9_u64, 1..9_u64, 0..4_u8, an_end()).prop_map(
            |(client, side, price, quantity, takes, end)| Step::Place { client, side, price, quantity, takes, end }
        ),
        2 => any::<u8>().prop_map(Step::Cancel),
        3 => (any::<u8>(), 1..9_u64, 1..9_u64, 0..3_u8)
            .prop_map(|(which, price, quantity, takes)| Step::Amend { which, price, quantity, takes }),
        1 => (0..3_u8).prop_map(Step::MassCancel),
        2 => (a_side(), 1..20_u64, 0..4_u8)
            .prop_map(|(side, quantity, takes)| Step::Tape { side, quantity, takes }),
        3 => (0..3_u8, 0..2_u8, prop::collection::vec(addition, 0..4))
            .prop_map(|(reduces, removes, adds)| Step::Mirror { reduces, removes, adds }),
        1 => prop_oneof![Just(Step::WithdrawMirror), Just(Step::Halt), Just(Step::Resume), Just(Step::CloseDay)],
        2 => prop_oneof![0..3_u16, 0..1_600_u16].prop_map(Step::Later),
    ]
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

    fn open(&self, of_mirror: Option<bool>) -> Vec<usize> {
        (0..self.orders.len())
            .filter(|at| self.orders[*at].is_open())
            .filter(|at| of_mirror.is_none_or(|is| is == (self.orders[*at].placed.index > 0)))
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
            let maker = self.open(None).into_iter().rev().find(|at| {
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

    /// Carries the step out and tells it as a record, unless it can't be done.
    pub(super) fn step(&mut self, step: &Step) -> Option<Record> {
        self.sequence += 1;
        self.first_trade = count(&self.trades) + 1;
        let Some(command) = self.command(step) else {
            self.sequence -= 1;
            return None;
        };
        Some(Record {
            instrument: InstrumentId::new(3),
            sequence: Sequence::new(self.sequence),
            timestamp: self.now(),
            first_trade: TradeNumber::new(self.first_trade),
            command,
            events: std::mem::take(&mut self.events),
        })
    }

    fn command(&mut self, step: &Step) -> Option<Command> {
        match step {
            Step::Place {
                client: number,
                side,
                price: ticks,
                quantity: lots,
                takes,
                end,
            } => Some(self.place(client(*number), *side, *ticks, *lots, *takes, *end)),
            Step::Cancel(which) => {
                let open = self.open(Some(false));
                let at = *open.get(usize::from(*which) % open.len().max(1))?;
                self.cancel(at, CancelReason::Requested);
                Some(Command::Cancel(Cancel {
                    order_id: self.orders[at].id.clone(),
                    requester: Requester::Anyone,
                }))
            }
            Step::Amend {
                which,
                price,
                quantity,
                takes,
            } => self.amend(*which, *price, *quantity, *takes),
            Step::MassCancel(number) => {
                let client = client(*number);
                for at in self.open(Some(false)) {
                    if self.orders[at].client == client {
                        self.cancel(at, CancelReason::MassCancel);
                    }
                }
                Some(Command::MassCancel(MassCancel {
                    client,
                    side: None,
                    reason: CancelReason::MassCancel,
                }))
            }
            Step::Tape {
                side,
                quantity: lots,
                takes,
            } => Some(self.tape(*side, *lots, *takes)),
            Step::Mirror {
                reduces,
                removes,
                adds,
            } => Some(self.mirror(*reduces, *removes, adds)),
            Step::WithdrawMirror => {
                self.withdraw();
                Some(Command::WithdrawMirror)
            }
            Step::Later(minutes) => {
                self.minutes += u64::from(*minutes);
                None
            }
            Step::CloseDay => self.close_yesterday(),
            Step::Halt => {
                self.withdraw();
                self.halted = true;
                Some(Command::Halt)
            }
            Step::Resume => {
                self.halted = false;
                Some(Command::Resume)
            }
        }
    }

    fn close_yesterday(&mut self) -> Option<Command> {
        let today = self.now().day().days_since_epoch();
        let day = Day::from_days_since_epoch(today.checked_sub(1)?);
        self.closed_day = self.closed_day.max(Some(day));
        Some(Command::CloseDay(day))
    }

    fn place(
        &mut self,
        client: ClientId,
        side: Side,
        ticks: u64,
        lots: u64,
        takes: u8,
        end: End,
    ) -> Command {
        let id = OrderId::new(&format!("order-{}", self.sequence)).unwrap();
        let kind = OrderKind::Limit {
            price: price(ticks),
            time_in_force: TimeInForce::Gtc,
        };
        let at = self.bring(id.clone(), client.clone(), side, kind, lots, 0);
        match end {
            End::IsRejected => {
                self.events.push(Event::Rejected(Rejection::FokNotFillable));
                self.close(at, OrderState::Rejected(Rejection::FokNotFillable));
            }
            End::Rests | End::IsCancelled | End::CancelsMakers => {
                if matches!(end, End::CancelsMakers) {
                    for other in self.open(Some(false)) {
                        if other != at && self.orders[other].client == client {
                            self.cancel(other, CancelReason::SelfTrade);
                        }
                    }
                }
                self.take(at, takes);
                let left = self.orders[at].remaining_quantity();
                if matches!(end, End::IsCancelled) && !left.is_zero() {
                    self.cancel(at, CancelReason::IocRemainder);
                }
                self.settle(at);
            }
        }
        Command::Place(NewOrder {
            id: ChosenId::Client(id),
            client,
            idempotency_key: None,
            side,
            kind,
            quantity: quantity(lots),
            self_trade_prevention: SelfTradePrevention::None,
        })
    }

    fn amend(&mut self, which: u8, ticks: u64, lots: u64, takes: u8) -> Option<Command> {
        let open = self.open(Some(false));
        let at = *open.get(usize::from(which) % open.len().max(1))?;
        let before = self.orders[at].clone();
        let total = quantity(before.filled_quantity.lots() + lots);
        let keeps = before.kind.price() == Some(price(ticks)) && total <= before.quantity;
        self.events.push(Event::Amended {
            order: before.placed,
            price: price(ticks),
            quantity: total,
            priority: if keeps {
                Priority::Kept
            } else {
                Priority::Lost
            },
        });
        let order = self.change(at);
        order.quantity = total;
        order.kind = OrderKind::Limit {
            price: price(ticks),
            time_in_force: TimeInForce::Gtc,
        };
        if !keeps {
            self.take(at, takes);
            self.settle(at);
        }
        Some(Command::Amend(Amend {
            order_id: before.id,
            requester: Requester::Anyone,
            change: OrderChange::PriceAndQuantity(price(ticks), total),
        }))
    }

    fn tape(&mut self, side: Side, lots: u64, takes: u8) -> Command {
        let trade_id = self.sequence;
        let at = self.bring(
            OrderId::tape("BTCUSDT", trade_id, trade_id),
            ClientId::binance_trades(),
            side,
            OrderKind::Market,
            lots,
            0,
        );
        self.take(at, takes);
        if self.orders[at].trade_count == 0 {
            self.events.push(Event::Rejected(Rejection::NoLiquidity));
            self.close(at, OrderState::Rejected(Rejection::NoLiquidity));
        } else if !self.orders[at].remaining_quantity().is_zero() {
            self.cancel(at, CancelReason::BookExhausted);
        }
        self.settle(at);
        Command::Tape(Tape {
            source: FeedSource::Binance,
            symbol: "BTCUSDT".to_owned(),
            first_trade_id: trade_id,
            last_trade_id: trade_id,
            side,
            quantity: quantity(lots),
        })
    }

    fn mirror(&mut self, reduces: u8, removes: u8, adds: &[(Side, u64, u64, u8)]) -> Command {
        for at in self.open(Some(true)).into_iter().take(removes.into()) {
            self.cancel(at, CancelReason::Mirror);
        }
        for at in self.open(Some(true)).into_iter().take(reduces.into()) {
            let left = self.orders[at].remaining_quantity().lots();
            if left > 1 {
                let total = quantity(self.orders[at].quantity.lots() - left / 2);
                self.change(at).quantity = total;
                self.events.push(Event::MirrorReduced {
                    order: self.orders[at].placed,
                    quantity: total,
                });
            }
        }
        for (number, (side, ticks, lots, takes)) in adds.iter().enumerate() {
            let index = u32::try_from(number).unwrap() + 1;
            let order = OrderRef {
                sequence: Sequence::new(self.sequence),
                index,
            };
            self.events.push(Event::MirrorAdded {
                index,
                side: *side,
                price: price(*ticks),
                quantity: quantity(*lots),
            });
            let kind = OrderKind::Limit {
                price: price(*ticks),
                time_in_force: TimeInForce::Gtc,
            };
            let id = OrderId::mirror(order);
            let at = self.bring(id, ClientId::binance_depth(), *side, kind, *lots, index);
            self.take(at, *takes);
            self.settle(at);
        }
        Command::Mirror(MirrorUpdate {
            source: FeedSource::Binance,
            snapshot_id: 1,
            update_id: self.sequence,
            scope: MirrorScope::Changes,
            levels: Vec::new(),
        })
    }

    fn withdraw(&mut self) {
        for at in self.open(Some(true)) {
            self.cancel(at, CancelReason::Mirror);
        }
    }

    pub(super) fn levels(&self, side: Side) -> Vec<(Price, Level)> {
        let mut levels = BTreeMap::<Price, Level>::new();
        for at in self.open(None) {
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

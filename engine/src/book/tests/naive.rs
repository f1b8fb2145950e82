//! A book so simple that it can be believed: one list of orders in the order they came in.

use super::super::{ClientNumber, Remainder};
use super::model::{Command, Name, Picture, Placement, Resting, Row, Told, best_first};
use crate::command::{MirrorLevel, MirrorScope};
use crate::order::{OrderKind, Rejection, SelfTradePrevention, TimeInForce};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::side::Side;

#[derive(Clone, Copy)]
struct Order {
    name: Name,
    client: ClientNumber,
    side: Side,
    price: Price,
    remaining: Quantity,
}

#[derive(Clone, Default)]
pub(super) struct Naive {
    orders: Vec<Order>,
    targets: Vec<MirrorLevel>,
    /// Levels to look at in the next update.
    touched: Vec<(Side, Price)>,
    mirror_orders: u32,
}

enum Stop {
    Full,
    NoMore,
    Own,
}

impl Naive {
    pub(super) fn apply(&mut self, command: &Command) -> Vec<Told> {
        let mut told = Vec::new();
        match command {
            Command::Place(placement) => self.place(placement, &mut told),
            Command::Cancel(name) => {
                let index = self.orders.iter().position(|order| order.name == *name);
                let order = self.orders.remove(index.unwrap());
                told.push(Told::Cancelled(*name, order.remaining));
            }
            Command::Reduce(name, remaining) => {
                let order = self.orders.iter_mut().find(|order| order.name == *name);
                order.unwrap().remaining = *remaining;
            }
            Command::Mirror(scope, levels) => self.mirror(*scope, levels, &mut told),
            Command::Withdraw => self.mirror(MirrorScope::Whole, &[], &mut told),
        }
        told
    }

    pub(super) fn picture(&self) -> Picture {
        let mut orders = self.orders.clone();
        orders.sort_by_key(|order| best_first(order.side, order.price));
        let mut rows: Vec<Row> = Vec::new();
        for order in orders {
            let resting = Resting {
                name: order.name,
                client: order.client,
                remaining: order.remaining,
            };
            match rows.last_mut() {
                Some(row) if (row.side, row.price) == (order.side, order.price) => {
                    row.queue.push(resting);
                }
                _ => rows.push(Row {
                    side: order.side,
                    price: order.price,
                    queue: vec![resting],
                }),
            }
        }
        let mut targets = self.targets.clone();
        targets.sort_by_key(|level| best_first(level.side, level.price));
        let mut short = self.touched.clone();
        short.sort_by_key(|(side, price)| best_first(*side, *price));
        short.dedup();
        Picture {
            rows,
            targets,
            short,
        }
    }

    fn place(&mut self, placement: &Placement, told: &mut Vec<Told>) {
        let name = placement.name;
        let makers = placement.side.opposite();
        let limit = placement.kind.price();
        let reject = match placement.kind {
            OrderKind::Market => (!self.orders.iter().any(|order| order.side == makers))
                .then_some(Rejection::NoLiquidity),
            OrderKind::Limit {
                time_in_force: TimeInForce::PostOnly,
                ..
            } => self
                .best(makers, limit)
                .map(|_| Rejection::PostOnlyWouldCross),
            OrderKind::Limit {
                time_in_force: TimeInForce::Fok,
                ..
            } => {
                let mut trial = placement.quantity;
                let stop = self.clone().trade(placement, &mut trial, &mut Vec::new());
                (!matches!(stop, Stop::Full)).then_some(Rejection::FokNotFillable)
            }
            OrderKind::Limit { .. } => None,
        };
        if let Some(rejection) = reject {
            told.push(Told::Rejected(name, rejection));
            return;
        }
        let mut left = placement.quantity;
        let stop = self.trade(placement, &mut left, told);
        told.push(match (stop, placement.kind) {
            (Stop::Full, _) => Told::Filled(name),
            (Stop::Own, _) => Told::Leaves(name, left, Remainder::SelfTrade),
            (Stop::NoMore, OrderKind::Market) => Told::Leaves(name, left, Remainder::Exhausted),
            (
                Stop::NoMore,
                OrderKind::Limit {
                    price,
                    time_in_force,
                },
            ) => {
                if time_in_force == TimeInForce::Ioc {
                    Told::Leaves(name, left, Remainder::LimitReached)
                } else {
                    self.rest(placement, price, left);
                    Told::Rests(name, left)
                }
            }
        });
    }

    fn rest(&mut self, placement: &Placement, price: Price, remaining: Quantity) {
        self.orders.push(Order {
            name: placement.name,
            client: placement.client,
            side: placement.side,
            price,
            remaining,
        });
    }

    fn trade(&mut self, taker: &Placement, left: &mut Quantity, told: &mut Vec<Told>) -> Stop {
        let makers = taker.side.opposite();
        while !left.is_zero() {
            let Some(index) = self.best(makers, taker.kind.price()) else {
                return Stop::NoMore;
            };
            let maker = self.orders[index];
            let prevention = taker.self_trade_prevention;
            if maker.client == taker.client && prevention != SelfTradePrevention::None {
                if prevention != SelfTradePrevention::CancelTaker {
                    self.orders.remove(index);
                    told.push(Told::SelfTrade(maker.name));
                }
                if prevention != SelfTradePrevention::CancelMaker {
                    return Stop::Own;
                }
                continue;
            }
            let quantity = maker.remaining.min(*left);
            *left -= quantity;
            self.orders[index].remaining -= quantity;
            if self.orders[index].remaining.is_zero() {
                self.orders.remove(index);
            }
            if maker.client == ClientNumber::MIRROR {
                self.touched.push((maker.side, maker.price));
            }
            told.push(Told::Takes(taker.name, quantity, maker.price, maker.name));
        }
        Stop::Full
    }

    /// The oldest of the best orders of a side that an order with such a limit can reach.
    fn best(&self, side: Side, limit: Option<Price>) -> Option<usize> {
        let limit = limit.map(|price| best_first(side, price));
        let reachable = self.orders.iter().enumerate().filter(|(_, order)| {
            order.side == side && limit.is_none_or(|limit| best_first(side, order.price) <= limit)
        });
        let best = reachable.min_by_key(|(index, order)| (best_first(side, order.price), *index));
        best.map(|(index, _)| index)
    }

    fn mirror(&mut self, scope: MirrorScope, named: &[MirrorLevel], told: &mut Vec<Told>) {
        let mut levels = std::mem::take(&mut self.touched);
        if scope == MirrorScope::Whole {
            levels.extend(
                self.targets
                    .drain(..)
                    .map(|level| (level.side, level.price)),
            );
        }
        for level in named {
            self.targets
                .retain(|target| (target.side, target.price) != (level.side, level.price));
            self.targets.push(*level);
            levels.push((level.side, level.price));
        }
        self.targets.retain(|target| !target.quantity.is_zero());
        levels.sort_by_key(|(side, price)| best_first(*side, *price));
        levels.dedup();
        for (side, price) in &levels {
            self.reduce(*side, *price, told);
        }
        for (side, price) in &levels {
            self.add(*side, *price, told);
        }
    }

    fn target(&self, side: Side, price: Price) -> Quantity {
        let mut targets = self.targets.iter();
        targets
            .find(|target| (target.side, target.price) == (side, price))
            .map_or(Quantity::ZERO, |target| target.quantity)
    }

    fn is_mirrors(order: &Order, side: Side, price: Price) -> bool {
        order.client == ClientNumber::MIRROR && (order.side, order.price) == (side, price)
    }

    fn mirrored(&self, side: Side, price: Price) -> Quantity {
        let orders = self.orders.iter();
        let lots = orders
            .filter(|order| Self::is_mirrors(order, side, price))
            .map(|order| order.remaining.lots());
        Quantity::new(lots.sum()).unwrap()
    }

    fn reduce(&mut self, side: Side, price: Price, told: &mut Vec<Told>) {
        loop {
            let excess = self
                .mirrored(side, price)
                .saturating_sub(self.target(side, price));
            if excess.is_zero() {
                return;
            }
            let newest = self
                .orders
                .iter()
                .rposition(|order| Self::is_mirrors(order, side, price))
                .unwrap();
            let order = &mut self.orders[newest];
            if order.remaining > excess {
                order.remaining -= excess;
                told.push(Told::Reduced(order.name, excess));
            } else {
                told.push(Told::Removed(order.name));
                self.orders.remove(newest);
            }
        }
    }

    fn add(&mut self, side: Side, price: Price, told: &mut Vec<Told>) {
        let quantity = self
            .target(side, price)
            .saturating_sub(self.mirrored(side, price));
        if quantity.is_zero() {
            return;
        }
        let makers = side.opposite();
        let limit = best_first(makers, price);
        let meets_itself = self.orders.iter().any(|order| {
            order.client == ClientNumber::MIRROR
                && order.side == makers
                && best_first(makers, order.price) <= limit
        });
        if meets_itself {
            self.touched.push((side, price));
            return;
        }
        self.mirror_orders += 1;
        let placement = Placement {
            name: Name::Mirror(self.mirror_orders),
            client: ClientNumber::MIRROR,
            side,
            quantity,
            kind: OrderKind::Limit {
                price,
                time_in_force: TimeInForce::Gtc,
            },
            self_trade_prevention: SelfTradePrevention::None,
        };
        told.push(Told::Adds(placement.name, side, quantity, price));
        let mut left = quantity;
        self.trade(&placement, &mut left, told);
        if left != quantity {
            self.touched.push((side, price));
        }
        if !left.is_zero() {
            self.rest(&placement, price, left);
            told.push(Told::Rests(placement.name, left));
        }
    }
}

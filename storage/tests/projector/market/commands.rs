//! What may happen to an instrument, each as the command that it comes of.

use super::*;

impl Market {
    pub(super) fn close_day(&mut self) -> Command {
        let day = self.day_to_close().unwrap();
        self.closed.push(day);
        Command::CloseDay(day)
    }

    pub(super) fn place(&mut self, random: &mut Random, events: &mut Vec<Event>) -> Command {
        let id = OrderId::new(&format!("order-{}", random.below(400))).unwrap();
        let limit = OrderKind::Limit {
            price: self.price(random),
            time_in_force: random.one_of(&[
                TimeInForce::Gtc,
                TimeInForce::Ioc,
                TimeInForce::Fok,
                TimeInForce::PostOnly,
            ]),
        };
        let new = NewOrder {
            id: if random.below(2) == 0 {
                ChosenId::Client(id)
            } else {
                ChosenId::Exchange(id)
            },
            client: self.client(random),
            idempotency_key: (random.below(3) == 0)
                .then(|| IdempotencyKey::new(&format!("k'\"\\{}", random.below(99))).unwrap()),
            side: random.one_of(&[Side::Buy, Side::Sell]),
            kind: random.one_of(&[limit, limit, OrderKind::Market]),
            quantity: self.quantity(random),
            self_trade_prevention: random.one_of(&[
                SelfTradePrevention::None,
                SelfTradePrevention::CancelTaker,
                SelfTradePrevention::CancelMaker,
                SelfTradePrevention::CancelBoth,
            ]),
        };
        let placed = OrderRef::single(self.sequence);
        let mut order = self.fresh(
            new.id.id().clone(),
            new.client.clone(),
            placed,
            (new.side, new.kind, new.quantity),
        );
        order.idempotency_key = new.idempotency_key.clone();
        order.self_trade_prevention = new.self_trade_prevention;
        self.orders.insert(placed, order);
        self.touched.push(placed);
        if random.below(8) == 0 {
            let rejection = random.one_of(&[
                Rejection::InstrumentHalted,
                Rejection::TooManyOpenOrders,
                Rejection::PriceOutsideBand,
                Rejection::PostOnlyWouldCross,
                Rejection::FokNotFillable,
                Rejection::NoLiquidity,
            ]);
            self.orders.get_mut(&placed).unwrap().state = OrderState::Rejected(rejection);
            events.push(Event::Rejected(rejection));
        } else {
            self.trade(placed, random, events);
            self.rest_or_cancel(placed, random, events);
        }
        Command::Place(new)
    }

    pub(super) fn tape(&mut self, random: &mut Random, events: &mut Vec<Event>) -> Command {
        let first = self.sequence.get() * 10;
        let tape = Tape {
            source: FeedSource::Binance,
            symbol: "BTCUSDT".to_owned(),
            first_trade_id: first,
            last_trade_id: first + random.below(2),
            side: random.one_of(&[Side::Buy, Side::Sell]),
            quantity: self.quantity(random),
        };
        let id = OrderId::tape(&tape.symbol, tape.first_trade_id, tape.last_trade_id);
        let placed = OrderRef::single(self.sequence);
        let terms = (tape.side, OrderKind::Market, tape.quantity);
        let order = self.fresh(id, ClientId::binance_trades(), placed, terms);
        self.orders.insert(placed, order);
        self.touched.push(placed);
        self.trade(placed, random, events);
        self.rest_or_cancel(placed, random, events);
        Command::Tape(tape)
    }

    pub(super) fn cancel(&mut self, random: &mut Random, events: &mut Vec<Event>) -> Command {
        let clients: Vec<_> = self.resting(|order| !is_mirror(order));
        let order_id = if clients.is_empty() {
            OrderId::new("none").unwrap()
        } else {
            let placed = random.one_of(&clients);
            self.cancel_order(placed, CancelReason::Requested, events);
            self.orders[&placed].id.clone()
        };
        Command::Cancel(Cancel {
            order_id,
            requester: Requester::Anyone,
        })
    }

    pub(super) fn amend(&mut self, random: &mut Random, events: &mut Vec<Event>) -> Command {
        let clients: Vec<_> = self.resting(|order| !is_mirror(order));
        if clients.is_empty() {
            self.halted = false;
            return Command::Resume;
        }
        let order = random.one_of(&clients);
        let price = self.price(random);
        let now = self.now;
        let sequence = self.sequence;
        let amended = self.orders.get_mut(&order).unwrap();
        let total = amended.filled_quantity.lots() + 1 + random.below(1_000);
        let quantity = Quantity::new(total.min(LOTS_MAX)).unwrap();
        let OrderKind::Limit { time_in_force, .. } = amended.kind else {
            unreachable!("only limit orders rest");
        };
        amended.kind = OrderKind::Limit {
            price,
            time_in_force,
        };
        amended.quantity = quantity;
        amended.updated = sequence;
        amended.updated_at = now;
        self.touched.push(order);
        let priority = random.one_of(&[Priority::Kept, Priority::Lost]);
        events.push(Event::Amended {
            order,
            price,
            quantity,
            priority,
        });
        if priority == Priority::Lost {
            self.trade(order, random, events);
            self.rest_or_cancel(order, random, events);
        }
        Command::Amend(Amend {
            order_id: self.orders[&order].id.clone(),
            requester: Requester::Anyone,
            change: OrderChange::PriceAndQuantity(price, quantity),
        })
    }

    pub(super) fn mirror(&mut self, random: &mut Random, events: &mut Vec<Event>) -> Command {
        for order in self.resting(is_mirror) {
            let now = self.now;
            match random.below(4) {
                0 => self.cancel_order(order, CancelReason::Mirror, events),
                1 if self.orders[&order].remaining_quantity().lots() > 1 => {
                    let reduced = self.orders.get_mut(&order).unwrap();
                    let quantity = Quantity::new(reduced.quantity.lots() - 1).unwrap();
                    reduced.quantity = quantity;
                    reduced.updated = self.sequence;
                    reduced.updated_at = now;
                    self.touched.push(order);
                    events.push(Event::MirrorReduced { order, quantity });
                }
                _ => {}
            }
        }
        for index in 1..=random.below(6) as u32 {
            let placed = OrderRef {
                sequence: self.sequence,
                index,
            };
            let (side, price) = (random.one_of(&[Side::Buy, Side::Sell]), self.price(random));
            let quantity = self.quantity(random);
            let kind = OrderKind::Limit {
                price,
                time_in_force: TimeInForce::Gtc,
            };
            let id = OrderId::mirror(placed);
            let order = self.fresh(
                id,
                ClientId::binance_depth(),
                placed,
                (side, kind, quantity),
            );
            self.orders.insert(placed, order);
            events.push(Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            });
            self.trade(placed, random, events);
            if self.orders[&placed].is_open() {
                self.open.push(placed);
            }
        }
        Command::Mirror(MirrorUpdate {
            source: FeedSource::Binance,
            snapshot_id: 1,
            update_id: self.sequence.get(),
            scope: MirrorScope::Changes,
            levels: Vec::new(),
        })
    }

    pub(super) fn mass_cancel(&mut self, random: &mut Random, events: &mut Vec<Event>) -> Command {
        let client = self.client(random);
        for order in self.resting(|order| order.client == client) {
            self.cancel_order(order, CancelReason::MassCancel, events);
        }
        Command::MassCancel(MassCancel {
            client,
            side: None,
            reason: CancelReason::MassCancel,
        })
    }

    pub(super) fn operate(&mut self, random: &mut Random, events: &mut Vec<Event>) -> Command {
        match random.below(3) {
            0 => {
                self.halted = false;
                Command::Resume
            }
            choice => {
                for order in self.resting(is_mirror) {
                    self.cancel_order(order, CancelReason::Mirror, events);
                }
                if choice == 1 {
                    self.halted = true;
                    Command::Halt
                } else {
                    Command::WithdrawMirror
                }
            }
        }
    }
}

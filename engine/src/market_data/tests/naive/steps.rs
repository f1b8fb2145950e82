//! Steps that make valid records.

use proptest::prelude::*;

use super::*;
use crate::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorScope, MirrorUpdate, OrderChange,
    Requester, Tape,
};
use crate::event::Priority;
use crate::id::InstrumentId;
use crate::order::{ChosenId, NewOrder, Rejection, TimeInForce};
use crate::record::Record;

/// What a random step asks for; what can't be done is left out.
#[derive(Clone, Debug)]
pub(in crate::market_data::tests) enum Step {
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
pub(in crate::market_data::tests) enum End {
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

pub(in crate::market_data::tests) fn a_step() -> impl Strategy<Value = Step> {
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

impl Naive {
    /// Carries the step out and tells it as a record, unless it can't be done.
    pub(in crate::market_data::tests) fn step(&mut self, step: &Step) -> Option<Record> {
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
                let open = self.open(Whose::Clients);
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
                for at in self.open(Whose::Clients) {
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
                    for other in self.open(Whose::Clients) {
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
        let open = self.open(Whose::Clients);
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
        for at in self.open(Whose::Mirrors).into_iter().take(removes.into()) {
            self.cancel(at, CancelReason::Mirror);
        }
        for at in self.open(Whose::Mirrors).into_iter().take(reduces.into()) {
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
        for at in self.open(Whose::Mirrors) {
            self.cancel(at, CancelReason::Mirror);
        }
    }
}

//! Arbitrary records for property tests: every variant, every bound.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::Record;
use crate::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate,
    OrderChange, Requester, Tape,
};
use crate::event::{Event, Maker, MirrorMaker, Priority};
use crate::id::{ClientId, IdempotencyKey, InstrumentId, OrderId, OrderRef, Sequence, TradeNumber};
use crate::order::{
    CancelReason, ChosenId, NewOrder, OrderKind, Rejection, SelfTradePrevention, TimeInForce,
};
use crate::price::{Price, TICKS_MAX};
use crate::quantity::{LOTS_MAX, Notional, Quantity};
use crate::side::Side;
use crate::time::{Day, Timestamp};

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let header = (any::<u32>(), 1..=u64::MAX, any::<u64>(), 1..=u64::MAX);
    header.prop_flat_map(|(instrument, sequence, timestamp, first_trade)| {
        let events = vec(event(sequence, timestamp), 0..8);
        (command(), events).prop_map(move |(command, events)| Record {
            instrument: InstrumentId::new(instrument),
            sequence: Sequence::new(sequence),
            timestamp: Timestamp::from_microseconds(timestamp),
            first_trade: TradeNumber::new(first_trade),
            command,
            events,
        })
    })
}

fn command() -> impl Strategy<Value = Command> {
    let tape_ids = any::<(u64, u64)>().prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![
        new_order().prop_map(Command::Place),
        (order_id(), requester()).prop_map(|(order_id, requester)| {
            Command::Cancel(Cancel {
                order_id,
                requester,
            })
        }),
        (order_id(), requester(), change()).prop_map(|(order_id, requester, change)| {
            Command::Amend(Amend {
                order_id,
                requester,
                change,
            })
        }),
        (
            client(),
            option::of(side()),
            prop_oneof![
                Just(CancelReason::MassCancel),
                Just(CancelReason::Disconnected)
            ]
        )
            .prop_map(|(client, side, reason)| {
                Command::MassCancel(MassCancel {
                    client,
                    side,
                    reason,
                })
            }),
        (source(), "[A-Z]{3,9}", tape_ids, side(), quantity(1)).prop_map(
            |(source, symbol, (first_trade_id, last_trade_id), side, quantity)| {
                Command::Tape(Tape {
                    source,
                    symbol,
                    first_trade_id,
                    last_trade_id,
                    side,
                    quantity,
                })
            }
        ),
        mirror_update().prop_map(Command::Mirror),
        prop_oneof![
            Just(Command::WithdrawMirror),
            Just(Command::Halt),
            Just(Command::Resume),
            (0..=Day::MAX.days_since_epoch())
                .prop_map(|day| Command::CloseDay(Day::from_days_since_epoch(day))),
        ],
    ]
}

fn new_order() -> impl Strategy<Value = NewOrder> {
    let id = prop_oneof![
        order_id().prop_map(ChosenId::Client),
        order_id().prop_map(ChosenId::Exchange)
    ];
    let key = "[!-~]{1,128}".prop_map(|text| IdempotencyKey::new(&text).expect("the pattern fits"));
    let time_in_force = prop_oneof![
        Just(TimeInForce::Gtc),
        Just(TimeInForce::Ioc),
        Just(TimeInForce::Fok),
        Just(TimeInForce::PostOnly)
    ];
    let kind = prop_oneof![
        (price(), time_in_force).prop_map(|(price, time_in_force)| OrderKind::Limit {
            price,
            time_in_force
        }),
        Just(OrderKind::Market)
    ];
    let self_trade_prevention = prop_oneof![
        Just(SelfTradePrevention::None),
        Just(SelfTradePrevention::CancelTaker),
        Just(SelfTradePrevention::CancelMaker),
        Just(SelfTradePrevention::CancelBoth)
    ];
    let key = option::of(key);
    (
        id,
        client(),
        key,
        side(),
        kind,
        quantity(1),
        self_trade_prevention,
    )
        .prop_map(
            |(id, client, idempotency_key, side, kind, quantity, self_trade_prevention)| NewOrder {
                id,
                client,
                idempotency_key,
                side,
                kind,
                quantity,
                self_trade_prevention,
            },
        )
}

fn mirror_update() -> impl Strategy<Value = MirrorUpdate> {
    let scope = prop_oneof![Just(MirrorScope::Changes), Just(MirrorScope::Whole)];
    let level = (side(), price(), quantity(0)).prop_map(|(side, price, quantity)| MirrorLevel {
        side,
        price,
        quantity,
    });
    (
        source(),
        any::<u64>(),
        any::<u64>(),
        scope,
        vec(level, 0..8),
    )
        .prop_map(
            |(source, snapshot_id, update_id, scope, levels)| MirrorUpdate {
                source,
                snapshot_id,
                update_id,
                scope,
                levels,
            },
        )
}

fn event(sequence: u64, timestamp: u64) -> impl Strategy<Value = Event> {
    let priority = prop_oneof![Just(Priority::Kept), Just(Priority::Lost)];
    prop_oneof![
        rejection().prop_map(Event::Rejected),
        (maker(sequence, timestamp), price(), quantity(1)).prop_map(|(maker, price, quantity)| {
            Event::Traded {
                maker,
                price,
                quantity,
            }
        }),
        (order_ref(sequence), reason())
            .prop_map(|(order, reason)| Event::Cancelled { order, reason }),
        (order_ref(sequence), price(), quantity(1), priority).prop_map(
            |(order, price, quantity, priority)| Event::Amended {
                order,
                price,
                quantity,
                priority,
            }
        ),
        (any::<u32>(), side(), price(), quantity(1)).prop_map(|(index, side, price, quantity)| {
            Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            }
        }),
        (order_ref(sequence), quantity(1))
            .prop_map(|(order, quantity)| Event::MirrorReduced { order, quantity }),
    ]
}

fn maker(sequence: u64, timestamp: u64) -> impl Strategy<Value = Maker> {
    prop_oneof![
        order_ref(sequence).prop_map(Maker::Client),
        (
            order_ref(sequence),
            quantity(1),
            quantity(0),
            any::<u128>(),
            any::<u64>(),
            0..=timestamp
        )
            .prop_map(
                |(order, quantity, filled_quantity, notional, trade_count, created_at)| {
                    Maker::Mirror(MirrorMaker {
                        order,
                        quantity,
                        filled_quantity,
                        filled_notional: Notional::new(notional),
                        trade_count,
                        created_at: Timestamp::from_microseconds(created_at),
                    })
                }
            )
    ]
}

fn order_ref(sequence: u64) -> impl Strategy<Value = OrderRef> {
    (1..=sequence, any::<u32>()).prop_map(|(sequence, index)| OrderRef {
        sequence: Sequence::new(sequence),
        index,
    })
}

fn rejection() -> impl Strategy<Value = Rejection> {
    prop_oneof![
        Just(Rejection::InstrumentHalted),
        Just(Rejection::TooManyOpenOrders),
        Just(Rejection::PriceOutsideBand),
        Just(Rejection::PostOnlyWouldCross),
        Just(Rejection::FokNotFillable),
        Just(Rejection::NoLiquidity),
    ]
}

fn reason() -> impl Strategy<Value = CancelReason> {
    prop_oneof![
        Just(CancelReason::Requested),
        Just(CancelReason::BookExhausted),
        Just(CancelReason::IocRemainder),
        Just(CancelReason::SelfTrade),
        Just(CancelReason::MassCancel),
        Just(CancelReason::Disconnected),
        Just(CancelReason::Mirror),
    ]
}

fn requester() -> impl Strategy<Value = Requester> {
    prop_oneof![
        Just(Requester::Anyone),
        client().prop_map(Requester::Client)
    ]
}

fn change() -> impl Strategy<Value = OrderChange> {
    prop_oneof![
        price().prop_map(OrderChange::Price),
        quantity(1).prop_map(OrderChange::Quantity),
        (price(), quantity(1))
            .prop_map(|(price, quantity)| OrderChange::PriceAndQuantity(price, quantity)),
    ]
}

fn order_id() -> impl Strategy<Value = OrderId> {
    "[A-Za-z0-9_:-]{1,64}".prop_map(|text| OrderId::new(&text).expect("the pattern fits"))
}

fn client() -> impl Strategy<Value = ClientId> {
    "[A-Za-z0-9._:-]{1,64}".prop_map(|text| ClientId::new(&text).expect("the pattern fits"))
}

fn source() -> impl Strategy<Value = FeedSource> {
    prop_oneof![Just(FeedSource::Binance), Just(FeedSource::Simulated)]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn price() -> impl Strategy<Value = Price> {
    (1..=TICKS_MAX).prop_map(|ticks| Price::new(ticks).expect("in range"))
}

fn quantity(least: u64) -> impl Strategy<Value = Quantity> {
    (least..=LOTS_MAX).prop_map(|lots| Quantity::new(lots).expect("in range"))
}

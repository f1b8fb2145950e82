//! Random commands: a shard is the same however its records bring it about.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::instrument;
use crate::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate,
    OrderChange, Requester, Stamped, Tape,
};
use crate::event::Event;
use crate::id::{ClientId, IdempotencyKey, OrderId, Sequence, TradeNumber};
use crate::order::{CancelReason, ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::record::{Record, begin_payload, decode_payload};
use crate::shard::{Decision, PREPARED_AT_ONCE, Replayer, RestingOrder, Shard, ShardLimits};
use crate::side::Side;
use crate::time::{Day, Timestamp};

/// Small, so that a hundred commands reach all of them.
pub(super) const LIMITS: ShardLimits = ShardLimits {
    open_orders_per_client: 4,
    order_ids: 6,
    idempotency_keys: 4,
    idempotency_age: Duration::from_micros(100),
};

pub(super) fn new_shard() -> Shard {
    Shard::new(instrument(), LIMITS)
}

/// What a shard said to a command.
pub(super) type Answered = (Decision, Vec<Event>);

pub(super) fn go(shard: &mut Shard, commands: &[Stamped]) -> Vec<Answered> {
    let mut events = Vec::new();
    let answered = commands.iter().map(|stamped| {
        let before = (!stamped_once(stamped)).then(|| shard.export());
        let decision = shard.apply(stamped, &mut events);
        shard.book().assert_invariants();
        if let (Some(before), false) = (before, matches!(decision, Decision::Recorded { .. })) {
            assert_eq!(before, shard.export(), "no record, no trace");
            assert!(events.is_empty());
        }
        (decision, events.clone())
    });
    answered.collect()
}

/// Comparing whole states is slow; one command in four is enough.
fn stamped_once(stamped: &Stamped) -> bool {
    !stamped.timestamp.microseconds().is_multiple_of(4)
}

pub(super) fn records(commands: &[Stamped], answered: &[Answered]) -> Vec<Record> {
    let pairs = commands.iter().zip(answered);
    let records = pairs.filter_map(|(stamped, (decision, events))| match decision {
        Decision::Recorded {
            sequence,
            first_trade,
        } => Some(Record {
            instrument: instrument().id,
            sequence: *sequence,
            timestamp: stamped.timestamp,
            first_trade: *first_trade,
            command: stamped.command.clone(),
            events: events.clone(),
        }),
        Decision::Replayed(_) | Decision::Refused(_) | Decision::Unchanged => None,
    });
    records.collect()
}

fn through_bytes(records: &[Record]) -> Vec<Record> {
    let mut payload = Vec::new();
    begin_payload(&mut payload);
    for record in records {
        record.parts().encode(&mut payload);
    }
    decode_payload(&payload).expect("what was encoded decodes")
}

fn replay(records: &[Record]) -> Shard {
    let mut replayer = Replayer::new(new_shard());
    for record in records {
        replayer.apply(record);
        replayer.shard().book().assert_invariants();
    }
    replayer.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_replayed_shard_is_the_live_one_and_goes_on_as_it_does(
        commands in story(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (first, rest) = commands.split_at(cut.index(commands.len()));
        let mut live = new_shard();
        let answered = go(&mut live, first);
        let records = records(first, &answered);
        let state = live.export();

        let mut replayed = replay(&through_bytes(&records));
        prop_assert_eq!(&replayed.export(), &state);
        let mut imported = Shard::import(instrument(), LIMITS, state.clone());
        prop_assert_eq!(&imported.export(), &state);

        let went_on = go(&mut live, rest);
        prop_assert_eq!(&go(&mut replayed, rest), &went_on);
        prop_assert_eq!(&go(&mut imported, rest), &went_on);
        prop_assert_eq!(&replayed.export(), &live.export());
        prop_assert_eq!(&imported.export(), &live.export());
    }

    #[test]
    fn replaying_may_begin_anywhere(commands in story(), cut in any::<prop::sample::Index>()) {
        let mut live = new_shard();
        let answered = go(&mut live, &commands);
        let records = records(&commands, &answered);
        let (first, rest) = records.split_at(cut.index(records.len() + 1));
        let checkpoint = replay(first).export();
        let mut replayer = Replayer::new(Shard::import(instrument(), LIMITS, checkpoint));
        for record in rest {
            replayer.apply(record);
        }
        prop_assert_eq!(replayer.finish().export(), live.export());
    }

    /// A shard in service is told of the commands that wait; one that is replayed is not.
    #[test]
    fn being_told_of_commands_before_changes_no_decision(commands in story()) {
        let (mut told, mut untold) = (new_shard(), new_shard());
        for few in commands.chunks(PREPARED_AT_ONCE) {
            told.prepare(few.iter().map(|stamped| &stamped.command));
            prop_assert_eq!(go(&mut told, few), go(&mut untold, few));
        }
        prop_assert_eq!(told.export(), untold.export());
    }

    #[test]
    fn matching_the_recorded_commands_again_gives_the_same_events(commands in story()) {
        let answered = go(&mut new_shard(), &commands);
        let records = records(&commands, &answered);
        let mut again = new_shard();
        let mut events = Vec::new();
        for record in &records {
            let stamped = Stamped { timestamp: record.timestamp, command: record.command.clone() };
            let decision = again.apply(&stamped, &mut events);
            prop_assert_eq!(decision, Decision::Recorded {
                sequence: record.sequence,
                first_trade: record.first_trade,
            });
            prop_assert_eq!(&events, &record.events);
        }
    }

    #[test]
    fn numbers_have_no_gap_and_nothing_outgrows_its_limit(commands in story()) {
        let mut live = new_shard();
        let answered = go(&mut live, &commands);
        let (mut last, mut last_trade) = (Sequence::ZERO, TradeNumber::ZERO);
        for record in records(&commands, &answered) {
            prop_assert_eq!(record.sequence, last.next());
            prop_assert_eq!(record.first_trade, last_trade.next());
            last = record.sequence;
            for event in record.events {
                if matches!(event, Event::Traded { .. }) {
                    last_trade = last_trade.next();
                }
            }
        }
        let state = live.export();
        prop_assert_eq!((state.sequence, state.last_trade), (last, last_trade));
        prop_assert!(state.closed_ids.len() <= LIMITS.order_ids);
        prop_assert!(state.keys.len() <= LIMITS.idempotency_keys);
        for client in CLIENTS {
            let open = state.resting.iter().filter(|order| match order {
                RestingOrder::Client(order) => order.client.as_str() == client,
                RestingOrder::Mirror(_) => false,
            });
            prop_assert!(open.count() <= LIMITS.open_orders_per_client);
        }
    }

    /// With larger windows than the records were made under, ids and keys may stand in them
    /// twice: the last counts, and nothing breaks.
    #[test]
    fn records_made_under_smaller_limits_replay_under_larger_ones(commands in story()) {
        let mut live = new_shard();
        let answered = go(&mut live, &commands);
        let larger = ShardLimits { order_ids: 15, idempotency_keys: 9, ..LIMITS };
        let mut replayer = Replayer::new(Shard::new(instrument(), larger));
        for record in &records(&commands, &answered) {
            replayer.apply(record);
        }
        let mut shard = replayer.finish();
        prop_assert_eq!(shard.export().resting, live.export().resting);
        go(&mut shard, &later(&commands, live.last_stamp()));
    }
}

/// The same commands, once more, from `from` on.
fn later(commands: &[Stamped], from: Timestamp) -> Vec<Stamped> {
    let shifted = commands.iter().map(|stamped| Stamped {
        timestamp: Timestamp::from_microseconds(
            stamped.timestamp.microseconds() + from.microseconds(),
        ),
        command: stamped.command.clone(),
    });
    shifted.collect()
}

#[test]
fn a_mass_cancel_of_many_runs_as_commands_of_a_thousand() {
    let limits = ShardLimits::default();
    let mut shard = Shard::new(instrument(), limits);
    let mut events = Vec::new();
    let mut apply = |command| {
        let stamped = Stamped {
            timestamp: Timestamp::default(),
            command,
        };
        let decision = shard.apply(&stamped, &mut events);
        (decision, events.len())
    };
    for number in 0..2_500 {
        apply(Command::Place(NewOrder {
            id: ChosenId::Client(OrderId::new(&format!("o{number}")).unwrap()),
            client: ClientId::new("alice").unwrap(),
            idempotency_key: None,
            side: if number % 2 == 0 {
                Side::Buy
            } else {
                Side::Sell
            },
            kind: OrderKind::Limit {
                price: Price::new(if number % 2 == 0 { 9_900 } else { 10_000 }).unwrap(),
                time_in_force: TimeInForce::Gtc,
            },
            quantity: Quantity::new(1).unwrap(),
            self_trade_prevention: SelfTradePrevention::None,
        }));
    }
    let all = Command::MassCancel(MassCancel {
        client: ClientId::new("alice").unwrap(),
        side: None,
        reason: CancelReason::Disconnected,
    });
    let cancelled = [(); 4].map(|()| apply(all.clone()).1);
    assert_eq!(cancelled, [1_000, 1_000, 500, 0]);
    assert_eq!(apply(all).0, Decision::Unchanged);
}

#[test]
#[should_panic(expected = "stamps never decrease")]
fn a_stamp_before_the_last_is_a_bug() {
    let mut shard = new_shard();
    for (timestamp, command) in [(2, Command::Halt), (1, Command::Resume)] {
        let timestamp = Timestamp::from_microseconds(timestamp);
        let stamped = Stamped { timestamp, command };
        shard.apply(&stamped, &mut Vec::new());
    }
}

const CLIENTS: [&str; 3] = ["alice", "bob", "carol"];

/// Up to 120 commands, each some microseconds after the one before, or some hours.
pub(super) fn story() -> impl Strategy<Value = Vec<Stamped>> {
    let step = prop_oneof![30 => 0_u64..8, 1 => 0_u64..100_000_000_000];
    vec((step, command()), 1..120).prop_map(|steps| {
        let mut now = 0;
        let stamped = steps.into_iter().map(|(step, command)| {
            now += step;
            Stamped {
                timestamp: Timestamp::from_microseconds(now),
                command,
            }
        });
        stamped.collect()
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        12 => new_order().prop_map(Command::Place),
        3 => (order_id(), requester())
            .prop_map(|(order_id, requester)| Command::Cancel(Cancel { order_id, requester })),
        5 => (order_id(), requester(), change()).prop_map(|(order_id, requester, change)| {
            Command::Amend(Amend { order_id, requester, change })
        }),
        1 => (client(), option::of(side())).prop_map(|(client, side)| {
            Command::MassCancel(MassCancel { client, side, reason: CancelReason::MassCancel })
        }),
        2 => tape(),
        5 => mirror(),
        1 => prop_oneof![
            1 => Just(Command::WithdrawMirror),
            1 => Just(Command::Halt),
            3 => Just(Command::Resume)
        ],
        1 => (0_u64..4).prop_map(|day| Command::CloseDay(Day::from_days_since_epoch(day))),
    ]
}

fn new_order() -> impl Strategy<Value = NewOrder> {
    let id = prop_oneof![
        order_id().prop_map(ChosenId::Client),
        order_id().prop_map(ChosenId::Exchange)
    ];
    let key = prop::sample::select(vec!["k1", "k2", "k3", "k4", "k5", "k6"])
        .prop_map(|key| IdempotencyKey::new(key).unwrap());
    let time_in_force = prop_oneof![
        6 => Just(TimeInForce::Gtc),
        1 => Just(TimeInForce::Ioc),
        1 => Just(TimeInForce::Fok),
        1 => Just(TimeInForce::PostOnly)
    ];
    let kind = prop_oneof![
        6 => (price(), time_in_force)
            .prop_map(|(price, time_in_force)| OrderKind::Limit { price, time_in_force }),
        1 => Just(OrderKind::Market)
    ];
    let prevention = prop_oneof![
        Just(SelfTradePrevention::None),
        Just(SelfTradePrevention::CancelTaker),
        Just(SelfTradePrevention::CancelMaker),
        Just(SelfTradePrevention::CancelBoth)
    ];
    (
        id,
        client(),
        option::of(key),
        side(),
        kind,
        quantity(),
        prevention,
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

fn tape() -> impl Strategy<Value = Command> {
    (source(), 1_u64..40, 0_u64..3, side(), quantity()).prop_map(
        |(source, first, more, side, quantity)| {
            Command::Tape(Tape {
                source,
                symbol: "BTCUSDT".to_owned(),
                first_trade_id: first,
                last_trade_id: first + more,
                side,
                quantity,
            })
        },
    )
}

fn mirror() -> impl Strategy<Value = Command> {
    let level = (side(), price(), 0_u64..8).prop_map(|(side, price, lots)| MirrorLevel {
        side,
        price,
        quantity: Quantity::new(lots).unwrap(),
    });
    let scope = prop_oneof![2 => Just(MirrorScope::Changes), 1 => Just(MirrorScope::Whole)];
    (source(), 1_u64..5, 0_u64..20, scope, vec(level, 0..6)).prop_map(
        |(source, snapshot_id, update_id, scope, levels)| {
            Command::Mirror(MirrorUpdate {
                source,
                snapshot_id,
                update_id,
                scope,
                levels,
            })
        },
    )
}

fn source() -> impl Strategy<Value = FeedSource> {
    prop_oneof![3 => Just(FeedSource::Binance), 1 => Just(FeedSource::Simulated)]
}

fn requester() -> impl Strategy<Value = Requester> {
    prop_oneof![
        3 => Just(Requester::Anyone),
        1 => client().prop_map(Requester::Client)
    ]
}

fn change() -> impl Strategy<Value = OrderChange> {
    prop_oneof![
        price().prop_map(OrderChange::Price),
        quantity().prop_map(OrderChange::Quantity),
        (price(), quantity())
            .prop_map(|(price, quantity)| OrderChange::PriceAndQuantity(price, quantity)),
    ]
}

fn order_id() -> impl Strategy<Value = OrderId> {
    (0_u8..20).prop_map(|number| OrderId::new(&format!("o{number}")).unwrap())
}

fn client() -> impl Strategy<Value = ClientId> {
    prop::sample::select(CLIENTS.to_vec()).prop_map(|client| ClientId::new(client).unwrap())
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

/// Around a price whose band of 10% some of them leave.
fn price() -> impl Strategy<Value = Price> {
    (94_u64..=106).prop_map(|ticks| Price::new(ticks).unwrap())
}

fn quantity() -> impl Strategy<Value = Quantity> {
    (1_u64..10).prop_map(|lots| Quantity::new(lots).unwrap())
}

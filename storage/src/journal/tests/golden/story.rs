//! What the golden journal tells: commands that between them bring about every kind of record.
//!
//! Decided by a real shard, so that the records follow from one another as an exchange's do.

use std::num::NonZeroU32;
use std::sync::Arc;

use rust_decimal::Decimal;
use shardbook_engine::access::{AccessKey, Holder, KeyId, SecretHash};
use shardbook_engine::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate,
    OrderChange, Requester, Stamped, Tape,
};
use shardbook_engine::control::ControlRecord;
use shardbook_engine::id::{ClientId, IdempotencyKey, InstrumentId, OrderId, Symbol};
use shardbook_engine::instrument::{Increment, Instrument, PriceBand};
use shardbook_engine::order::{
    CancelReason, ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce,
};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{LOTS_MAX, Notional, Quantity};
use shardbook_engine::record::Record;
use shardbook_engine::shard::{Decision, Shard, ShardLimits};
use shardbook_engine::side::Side;
use shardbook_engine::time::{Day, Timestamp};
use uuid::Uuid;

/// 2026-01-01T00:00:00Z, in microseconds.
const BEGIN: u64 = 1_767_225_600_000_000;

/// Few open orders, so that a story reaches them.
const LIMITS: ShardLimits = ShardLimits {
    open_orders_per_client: 3,
    order_ids: 1_000,
    idempotency_keys: 1_000,
    idempotency_age: std::time::Duration::from_secs(3_600),
};

/// Instruments with the ticks and lots of those that an exchange has without settings, so that it
/// starts on the golden journal. The first has every rule, the second none.
pub(super) fn instruments() -> [Arc<Instrument>; 2] {
    let instrument = |number, symbol, lot_scale, binance_symbol: &str| Instrument {
        id: InstrumentId::new(number),
        symbol: Symbol::new(symbol).unwrap(),
        tick: Increment::new(Decimal::new(1, 2)).unwrap(),
        lot: Increment::new(Decimal::new(1, lot_scale)).unwrap(),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(LOTS_MAX).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: Some(binance_symbol.to_owned()),
        listed_at: Timestamp::from_microseconds(BEGIN),
    };
    let btc = Instrument {
        min_notional: Some(Notional::new(100_000)),
        price_band: PriceBand::from_basis_points(1_000),
        ..instrument(0, "BTC-USD", 5, "BTCUSDT")
    };
    let eth = Instrument {
        binance_symbol: None,
        ..instrument(1, "ETH-USD", 4, "ETHUSDT")
    };
    [Arc::new(btc), Arc::new(eth)]
}

/// The control log's records. What is added goes to the end.
pub(super) fn control_records(exchange: Uuid) -> Vec<ControlRecord> {
    let created_at = Timestamp::from_microseconds(BEGIN);
    let mut records = vec![ControlRecord::ExchangeCreated {
        exchange,
        created_at,
    }];
    for instrument in instruments() {
        let instrument = Instrument::clone(&instrument);
        records.push(ControlRecord::InstrumentListed {
            instrument,
            partition: 0,
        });
    }
    let holders = [
        Holder::Reader(client_id("alice")),
        Holder::Trader(client_id("bob")),
        Holder::Admin(Some(client_id("carol"))),
        Holder::Admin(None),
    ];
    for (holder, number) in holders.into_iter().zip(1..) {
        records.push(ControlRecord::KeyCreated(AccessKey {
            id: KeyId::new(u64::from(number) << 56),
            secret_hash: SecretHash::new([number; 32]),
            holder,
            requests_per_second: NonZeroU32::new(u32::from(number) - 1),
            created_at,
        }));
    }
    // All of them: an exchange without keys answers everyone.
    for number in 1_u64..=4 {
        records.push(ControlRecord::KeyRevoked {
            key: KeyId::new(number << 56),
            revoked_at: created_at,
        });
    }
    records
}

/// The records of the whole story.
pub(super) fn records() -> Vec<Record> {
    let mut shards = instruments().map(|instrument| Shard::new(instrument, LIMITS));
    let mut records = Vec::new();
    for ((number, command), at) in story().into_iter().zip(1..) {
        let shard = &mut shards[number];
        let stamped = Stamped {
            timestamp: Timestamp::from_microseconds(BEGIN + at * 1_000_001),
            command,
        };
        let mut events = Vec::new();
        let decision = shard.apply(&stamped, &mut events);
        let Decision::Recorded {
            sequence,
            first_trade,
        } = decision
        else {
            panic!("not recorded: {stamped:?} {decision:?}");
        };
        records.push(Record {
            instrument: shard.instrument().id,
            sequence,
            timestamp: stamped.timestamp,
            first_trade,
            command: stamped.command,
            events,
        });
    }
    records
}

/// Commands, each with the number of its instrument. What is added goes to the end.
fn story() -> Vec<(usize, Command)> {
    let mut story = Vec::new();
    let mut on = |instrument, commands: Vec<Command>| {
        story.extend(commands.into_iter().map(|command| (instrument, command)));
    };
    on(0, orders());
    on(1, self_trades());
    on(0, feed());
    on(0, cancels());
    on(1, a_sweep());
    on(0, halts());
    // The day before the story's.
    on(
        1,
        vec![Command::CloseDay(Day::from_days_since_epoch(20_453))],
    );
    story
}

fn orders() -> Vec<Command> {
    use TimeInForce::{Fok, Gtc, Ioc, PostOnly};
    let mut keyed = limit("alice", "a1", Side::Sell, 10_000, 500_000, Gtc);
    keyed.idempotency_key = Some(IdempotencyKey::new("key-of-a1").unwrap());
    let named = OrderId::new("0198a3f0-0000-7000-8000-000000000001").unwrap();
    let unnamed = NewOrder {
        id: ChosenId::Exchange(named),
        ..limit("bob", "-", Side::Buy, 9_900, 300_000, Gtc)
    };
    let orders = vec![
        keyed,
        unnamed,
        limit("bob", "b1", Side::Buy, 10_000, 200_000, Ioc),
        limit("bob", "b2", Side::Buy, 10_000, 200_000, Fok),
        limit("bob", "b3", Side::Buy, 10_000, 200_000, Fok),
        limit("bob", "b4", Side::Buy, 10_000, 200_000, Ioc),
        limit("alice", "a2", Side::Sell, 10_100, 50_000, PostOnly),
        limit("alice", "a3", Side::Sell, 9_900, 50_000, PostOnly),
        market("carol", "c1", Side::Buy, 80_000),
        market("carol", "c2", Side::Buy, 1),
        limit("carol", "c3", Side::Buy, 20_000, 1_000, Gtc),
        limit("dave", "d1", Side::Sell, 10_200, 1_000, Gtc),
        limit("dave", "d2", Side::Sell, 10_201, 1_000, Gtc),
        limit("dave", "d3", Side::Sell, 10_202, 1_000, Gtc),
        limit("dave", "d4", Side::Sell, 10_203, 1_000, Gtc),
    ];
    orders.into_iter().map(Command::Place).collect()
}

fn self_trades() -> Vec<Command> {
    use SelfTradePrevention::{CancelBoth, CancelMaker, CancelTaker};
    let order = |id: &str, side, self_trade_prevention| {
        Command::Place(NewOrder {
            self_trade_prevention,
            ..limit("erin", id, side, 3_000, 7, TimeInForce::Gtc)
        })
    };
    vec![
        order("e1", Side::Sell, SelfTradePrevention::None),
        order("e2", Side::Buy, CancelTaker),
        order("e3", Side::Buy, CancelMaker),
        order("e4", Side::Sell, CancelBoth),
        order("e5", Side::Sell, SelfTradePrevention::None),
        order("e6", Side::Buy, SelfTradePrevention::None),
    ]
}

fn feed() -> Vec<Command> {
    use FeedSource::{Binance, Simulated};
    let level = |side, price, lots| MirrorLevel {
        side,
        price: Price::new(price).unwrap(),
        quantity: Quantity::new(lots).unwrap(),
    };
    let mirror = |source, update_id, scope, levels| {
        Command::Mirror(MirrorUpdate {
            source,
            snapshot_id: 1_000,
            update_id,
            scope,
            levels,
        })
    };
    let tape = |source, first_trade_id, last_trade_id, side, lots| {
        Command::Tape(Tape {
            source,
            symbol: "BTCUSDT".to_owned(),
            first_trade_id,
            last_trade_id,
            side,
            quantity: Quantity::new(lots).unwrap(),
        })
    };
    let whole = vec![
        level(Side::Sell, 10_150, 4_000),
        level(Side::Sell, 10_160, 9_000),
        level(Side::Buy, 10_050, 6_000),
        level(Side::Buy, 10_040, 2_000),
    ];
    let changes = vec![
        level(Side::Sell, 10_160, 5_000),
        level(Side::Buy, 10_040, 0),
        level(Side::Buy, 10_050, 8_000),
    ];
    vec![
        mirror(Binance, 1_000, MirrorScope::Whole, whole.clone()),
        tape(Binance, 501, 501, Side::Buy, 1_500),
        tape(Binance, 502, 509, Side::Sell, 7_000),
        mirror(Binance, 1_007, MirrorScope::Changes, changes),
        Command::Place(market("carol", "c4", Side::Buy, 6_000)),
        Command::WithdrawMirror,
        mirror(Simulated, 1_000, MirrorScope::Whole, whole),
        tape(Simulated, 1, 1, Side::Buy, 250),
    ]
}

fn cancels() -> Vec<Command> {
    let mass_cancel = |client: &str, side, reason| {
        Command::MassCancel(MassCancel {
            client: client_id(client),
            side,
            reason,
        })
    };
    let cancel = |id: &str, requester| {
        let order_id = OrderId::new(id).unwrap();
        Command::Cancel(Cancel {
            order_id,
            requester,
        })
    };
    let amend = |id: &str, requester, change| {
        Command::Amend(Amend {
            order_id: OrderId::new(id).unwrap(),
            requester,
            change,
        })
    };
    let price = |ticks| Price::new(ticks).unwrap();
    let lots = |lots| Quantity::new(lots).unwrap();
    let dave = || Requester::Client(client_id("dave"));
    vec![
        amend("d1", dave(), OrderChange::Quantity(lots(400))),
        amend("d2", Requester::Anyone, OrderChange::Price(price(10_210))),
        // Crosses, and trades at once.
        amend(
            "d3",
            dave(),
            OrderChange::PriceAndQuantity(price(10_045), lots(2_000)),
        ),
        cancel("d1", dave()),
        cancel("d2", Requester::Anyone),
        mass_cancel("bob", None, CancelReason::MassCancel),
        gtc("dave", "d5", Side::Sell, 10_300, 700),
        gtc("dave", "d6", Side::Buy, 9_800, 700),
        mass_cancel("dave", Some(Side::Sell), CancelReason::Disconnected),
        mass_cancel("dave", Some(Side::Buy), CancelReason::MassCancel),
    ]
}

/// One order that takes a hundred: a record too long for a frame of the golden journal.
fn a_sweep() -> Vec<Command> {
    let maker = |number: u64| {
        let (client, id) = (format!("maker-{}", number / 3), format!("m{number}"));
        gtc(&client, &id, Side::Sell, 3_100 + number, 11)
    };
    let mut commands: Vec<Command> = (0..100).map(maker).collect();
    commands.push(gtc("frank", "sweep", Side::Buy, 3_500, 5_000));
    commands
}

fn halts() -> Vec<Command> {
    vec![
        Command::Halt,
        gtc("grace", "g1", Side::Buy, 9_900, 100),
        Command::Resume,
        gtc("grace", "g2", Side::Buy, 9_900, 100),
    ]
}

fn gtc(client: &str, id: &str, side: Side, price: u64, lots: u64) -> Command {
    Command::Place(limit(client, id, side, price, lots, TimeInForce::Gtc))
}

fn limit(
    client: &str,
    id: &str,
    side: Side,
    price: u64,
    lots: u64,
    time_in_force: TimeInForce,
) -> NewOrder {
    NewOrder {
        kind: OrderKind::Limit {
            price: Price::new(price).unwrap(),
            time_in_force,
        },
        ..market(client, id, side, lots)
    }
}

fn market(client: &str, id: &str, side: Side, lots: u64) -> NewOrder {
    NewOrder {
        id: ChosenId::Client(OrderId::new(id).unwrap()),
        client: client_id(client),
        idempotency_key: None,
        side,
        kind: OrderKind::Market,
        quantity: Quantity::new(lots).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
    }
}

fn client_id(client: &str) -> ClientId {
    ClientId::new(client).unwrap()
}

//! Memory is bounded by what is open plus settings, not by history.

use std::time::Duration;

use super::free_instrument;
use crate::answer::Answer;
use crate::checkpoint::encode;
use crate::command::{Command, MassCancel, Stamped};
use crate::id::{ClientId, IdempotencyKey, OrderId};
use crate::journal::{Durable, Position};
use crate::market_data::{Applied, MarketData, MarketDataLimits};
use crate::order::{CancelReason, ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::record::Record;
use crate::shard::{Decision, Shard, ShardLimits};
use crate::side::Side;
use crate::time::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

/// Past what candles are kept for, from the first order on.
const FULL: u64 = 12_000;

/// As many digits as [`FULL`] has, so that only what is held makes a difference.
const LATER: u64 = 36_000;

fn order(number: u64) -> Command {
    let side = if number.is_multiple_of(2) {
        Side::Buy
    } else {
        Side::Sell
    };
    Command::Place(NewOrder {
        id: ChosenId::Client(OrderId::new(&format!("order-{number:06}")).unwrap()),
        client: ClientId::new(&format!("client-{:06}", number / 8)).unwrap(),
        idempotency_key: Some(IdempotencyKey::new(&format!("key-{number:06}")).unwrap()),
        side,
        kind: OrderKind::Limit {
            price: Price::new(10_000 + number * 7 % 11).unwrap(),
            time_in_force: TimeInForce::Gtc,
        },
        quantity: Quantity::new(1 + number % 3).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
    })
}

/// What the number leads to: an order, now and then a client's leaving, and a day's end.
fn commands(number: u64, at: Timestamp) -> Vec<Command> {
    let mut commands = vec![order(number)];
    if let Some(leaving) = (number / 8).checked_sub(3) {
        commands.push(Command::MassCancel(MassCancel {
            client: ClientId::new(&format!("client-{leaving:06}")).unwrap(),
            side: None,
            reason: CancelReason::MassCancel,
        }));
    }
    if at.microseconds() == at.day().start().microseconds() {
        let yesterday = at.day().days_since_epoch() - 1;
        let yesterday = crate::time::Day::from_days_since_epoch(yesterday);
        commands.push(Command::CloseDay(yesterday));
    }
    commands
}

/// How much is held after [`FULL`] orders and after [`LATER`], one a minute: all that a shard and
/// its readers' view consist of, told in words, and their checkpoint's bytes.
fn held(limits: ShardLimits) -> [(usize, usize); 2] {
    let instrument = free_instrument();
    let mut shard = Shard::new(free_instrument(), limits);
    let readers = MarketDataLimits {
        closed_orders: 50,
        trades: 20,
    };
    let mut market_data = MarketData::new(free_instrument(), readers);
    let (mut events, mut applied, mut trades) = (Vec::new(), Applied::default(), 0);
    let mut held = Vec::new();
    // A day's beginning.
    let begun = 20_000 * 24 * 60;
    for number in 0..LATER {
        let minutes = Duration::from_secs((begun + number) * MINUTE.as_secs());
        let timestamp = Timestamp::from_microseconds(u64::try_from(minutes.as_micros()).unwrap());
        for command in commands(number, timestamp) {
            let stamped = Stamped { timestamp, command };
            let Decision::Recorded {
                sequence,
                first_trade,
            } = shard.apply(&stamped, &mut events)
            else {
                continue;
            };
            let record = Record {
                instrument: instrument.id,
                sequence,
                timestamp,
                first_trade,
                command: stamped.command,
                events: events.clone(),
            };
            let durable = Durable::at(Position::new(1), &record);
            if let Answer::Placed(placed) = market_data.apply(durable, &mut applied) {
                trades += placed.trades.len();
            }
            applied.clear();
        }
        if [FULL, LATER].contains(&(number + 1)) {
            let words = format!("{shard:?}{market_data:?}");
            held.push((words.len(), encode(&shard, &market_data).len()));
        }
    }
    assert!(trades > 1_000, "{trades} trades");
    held.try_into().unwrap()
}

fn assert_level(limits: ShardLimits) {
    let [full, later] = held(limits);
    // What rests and what traded in the last day differ from time to time.
    let words_max = full.0 + full.0 / 10;
    // Larger numbers are more bytes, too.
    let bytes_max = full.1 + full.1 / 2;
    assert!(
        later.0 <= words_max && later.1 <= bytes_max,
        "words and bytes grew from {full:?} to {later:?}"
    );
}

#[test]
fn three_times_the_orders_take_no_more_memory_once_the_windows_are_full() {
    assert_level(ShardLimits {
        order_ids: 100,
        idempotency_keys: 100,
        idempotency_age: Duration::from_secs(24 * 60 * 60),
        ..ShardLimits::default()
    });
}

#[test]
fn keys_of_the_last_hours_alone_are_held_however_many_there_is_room_for() {
    assert_level(ShardLimits {
        order_ids: 100,
        idempotency_age: 100 * MINUTE,
        ..ShardLimits::default()
    });
}

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use shardbook_engine::id::{ClientId, IdempotencyKey, InstrumentId, OrderId, Symbol, TradeNumber};
use shardbook_engine::instrument::{Increment, Instrument, InstrumentSpecification};
use shardbook_engine::order::{OrderStatus, SelfTradePrevention, TimeInForce};
use shardbook_engine::quantity::Quantity;
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;

use super::*;
use crate::decimal::{DecimalText, TimestampText};
use crate::problem::{Code, Problem};
use crate::schema::order::{BatchResult, BatchView, OrderView, TradeView};
use crate::schema::stream::{GapMessage, MessageType, OrderMessage, TradeMessage};
use crate::schema::text::{
    ClientIdText, Count, IdempotencyKeyText, OrderIdText, SymbolText, TradeIdText, Words,
};
use crate::schema::word::{OrderType, Reason, Word, Worded};
use crate::schema::{List, Nullable};
use crate::stream::channel::Channel;

fn assert_same<T: ToJson + Serialize>(value: &T) {
    let written = String::from_utf8(to_json(value)).unwrap();
    assert_eq!(written, serde_json::to_string(value).unwrap());
}

fn word<T: Worded + std::fmt::Debug>() -> impl Strategy<Value = Word<T>> {
    select(T::WORDS).prop_map(|(value, _)| Word(value))
}

/// An id of any length made of every byte that its type lets pass.
fn id<T: std::fmt::Debug, E: std::fmt::Debug>(
    new: fn(&str) -> Result<T, E>,
    longest: usize,
) -> impl Strategy<Value = T> {
    let alphabet: Vec<char> = (0..=127_u8)
        .map(char::from)
        .filter(|letter| new(&format!("a{letter}")).is_ok())
        .collect();
    vec(select(alphabet), 1..=longest).prop_filter_map("a reserved word", move |letters| {
        new(&letters.into_iter().collect::<String>()).ok()
    })
}

fn decimal() -> impl Strategy<Value = DecimalText> {
    let units = prop_oneof![0..1_000_000_000_u128, any::<u128>()];
    (units, 0..=18_u32).prop_map(|(units, scale)| DecimalText::new(units, scale))
}

fn stamp() -> impl Strategy<Value = TimestampText> {
    (0..5_000_000_000_000_000_u64).prop_map(|at| TimestampText(Timestamp::from_microseconds(at)))
}

fn count() -> impl Strategy<Value = Count> {
    any::<u64>().prop_map(Count)
}

fn instrument(symbol: Symbol) -> Instrument {
    let step = Increment::new("0.01".parse().unwrap()).unwrap();
    let specification = InstrumentSpecification {
        symbol,
        tick: step,
        lot: step,
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(1_000).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: None,
    };
    specification.numbered(InstrumentId::new(0), Timestamp::default())
}

prop_compose! {
    fn trade()(
        symbol in id(Symbol::new, 32),
        (number, sequence) in (any::<u64>(), count()),
        (buy, sell) in (id(OrderId::new, 64), id(OrderId::new, 64)),
        (price, quantity) in (decimal(), decimal()),
        taker_side in word::<Side>(),
        timestamp in stamp(),
    ) -> TradeView {
        TradeView {
            trade_id: TradeIdText::new(&instrument(symbol.clone()), TradeNumber::new(number)),
            instrument: SymbolText(symbol),
            buy_order_id: OrderIdText(buy),
            sell_order_id: OrderIdText(sell),
            price,
            quantity,
            taker_side,
            sequence,
            timestamp,
        }
    }
}

prop_compose! {
    fn order()(
        (order_id, client) in (id(OrderId::new, 64), id(ClientId::new, 64)),
        symbol in id(Symbol::new, 32),
        key in option::of(id(IdempotencyKey::new, 128)),
        (side, r#type) in (word::<Side>(), word::<OrderType>()),
        (time_in_force, reason) in (option::of(word::<TimeInForce>()), option::of(word::<Reason>())),
        (status, prevention) in (word::<OrderStatus>(), word::<SelfTradePrevention>()),
        (price, average_price) in (option::of(decimal()), option::of(decimal())),
        (quantity, filled, remaining) in (decimal(), decimal(), decimal()),
        (sequence, updated_sequence, trade_count) in (count(), count(), count()),
        (created_at, updated_at) in (stamp(), stamp()),
        trades in option::of(vec(trade(), 0..3)),
    ) -> OrderView {
        OrderView {
            order_id: OrderIdText(order_id),
            client_id: ClientIdText(client),
            instrument: SymbolText(symbol),
            side,
            r#type,
            time_in_force: Nullable(time_in_force),
            price: Nullable(price),
            quantity,
            filled_quantity: filled,
            remaining_quantity: remaining,
            average_price: Nullable(average_price),
            status,
            reason: Nullable(reason),
            idempotency_key: Nullable(key.map(IdempotencyKeyText)),
            sequence,
            updated_sequence,
            created_at,
            updated_at,
            self_trade_prevention: prevention,
            trade_count,
            trades: trades.map(List),
        }
    }
}

proptest! {
    #[test]
    fn an_order_is_written_everywhere_as_serde_writes_it(
        order in order(),
        replayed in option::of(any::<bool>()),
    ) {
        assert_same(&order);
        assert_same(&OrderMessage { r#type: Word(MessageType::Order), order: order.clone() });
        let results = vec![
            BatchResult {
                status: Count(201),
                order: Some(Box::new(order.clone())),
                problem: None,
                replayed,
            },
            BatchResult {
                status: Count(409),
                order: None,
                problem: Some(Box::new(Problem::order_not_open(order).view())),
                replayed: None,
            },
        ];
        assert_same(&BatchView { results: List(results) });
    }

    #[test]
    fn a_trade_is_written_as_serde_writes_it(trade in trade()) {
        assert_same(&trade);
        assert_same(&TradeMessage { r#type: Word(MessageType::Trade), trade });
    }

    #[test]
    fn words_for_people_are_escaped(text in any::<String>()) {
        assert_same(&Words::from(text.as_str()));
        assert_same(&Problem::new(Code::MalformedJson, text).view());
    }
}

#[test]
fn every_character_of_a_key_is_written_as_serde_writes_it() {
    let all: String = (b'!'..=b'~').map(char::from).collect();
    assert_same(&IdempotencyKeyText(IdempotencyKey::new(&all).unwrap()));
}

#[test]
fn what_is_missing_is_null_or_left_out() {
    let on = instrument(Symbol::new("A-B").unwrap());
    assert_same(&GapMessage::new(Channel::Trades, None, &on));
    assert_same(&GapMessage::new(Channel::Orders, Some(7), &on));
    assert_eq!(to_json(&Vec::<Count>::new()), b"[]");
}

#[test]
fn an_object_that_leaves_everything_out_is_empty() {
    struct Perhaps {
        first: Option<Count>,
        r#type: Option<bool>,
    }
    object_to_json!(Perhaps, first, r#type,);
    let rows = [
        (None, None, "{}"),
        (Some(Count(1)), None, r#"{"first":1}"#),
        (None, Some(true), r#"{"type":true}"#),
        (Some(Count(1)), Some(false), r#"{"first":1,"type":false}"#),
    ];
    for (first, r#type, expected) in rows {
        let json = to_json(&Perhaps { first, r#type });
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }
}

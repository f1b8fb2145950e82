use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Iterable, Value};
use shardbook_engine::id::{
    ClientId, IdempotencyKey, InstrumentId, OrderId, OrderRef, Sequence, Symbol, TradeNumber,
};
use shardbook_engine::instrument::{Increment, Instrument};
use shardbook_engine::order::{
    CancelReason, Order, OrderKind, OrderState as State, Rejection, SelfTradePrevention,
    TimeInForce, Trade, TradeParty,
};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::{LOTS_MAX, Notional, Quantity};
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;

use super::*;
use crate::entity::convert::{order_event_row, order_row, trade_row};
use crate::entity::decimal::ExactDecimal;
use crate::entity::moment::Moment;

/// Values as sea-orm has them.
#[derive(Default)]
struct Told(Vec<Value>);

impl Values for Told {
    fn text(&mut self, text: &str) {
        self.0.push(text.into());
    }

    fn word(&mut self, word: &'static str) {
        self.0.push(word.into());
    }

    fn integer(&mut self, number: i64) {
        self.0.push(number.into());
    }

    fn decimal(&mut self, decimal: ExactDecimal) {
        self.0.push(decimal.into());
    }

    fn time(&mut self, time: Moment) {
        self.0.push(time.into());
    }

    fn null(&mut self) {
        self.0.push(Value::String(None));
    }
}

fn told<T: BulkTable>(row: &T::Row) -> Vec<Value> {
    let mut told = Told::default();
    T::put(row, &mut told).unwrap();
    told.0
}

fn of_model<M: IntoActiveModel<A>, A: ActiveModelTrait>(model: M) -> Vec<Value> {
    let mut model = model.into_active_model();
    <A::Entity as EntityTrait>::Column::iter()
        .map(|column| model.take(column).into_value().unwrap())
        .collect()
}

fn instrument() -> Arc<Instrument> {
    let increment = |step: &str| Increment::new(step.parse().unwrap()).unwrap();
    Arc::new(Instrument {
        id: InstrumentId::new(3),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: increment("0.05"),
        lot: increment("0.00001"),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(LOTS_MAX).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: None,
        listed_at: Timestamp::default(),
    })
}

fn orders() -> Vec<Order> {
    let resting = Order {
        id: OrderId::new("an-order").unwrap(),
        client: ClientId::new("alice").unwrap(),
        idempotency_key: None,
        side: Side::Sell,
        kind: OrderKind::Limit {
            price: Price::new(1_402_999).unwrap(),
            time_in_force: TimeInForce::PostOnly,
        },
        quantity: Quantity::new(123_456).unwrap(),
        self_trade_prevention: SelfTradePrevention::CancelBoth,
        state: State::Resting,
        filled_quantity: Quantity::ZERO,
        filled_notional: Notional::ZERO,
        trade_count: 0,
        placed: OrderRef::single(Sequence::new(7)),
        updated: Sequence::new(7),
        created_at: Timestamp::from_microseconds(1_769_860_800_000_001),
        updated_at: Timestamp::from_microseconds(1_769_860_800_000_001),
    };
    let filled = Quantity::new(1_003).unwrap();
    let traded = Order {
        idempotency_key: Some(IdempotencyKey::new("a-key").unwrap()),
        side: Side::Buy,
        filled_quantity: filled,
        filled_notional: Price::new(1_402_997).unwrap() * filled,
        trade_count: 2,
        placed: OrderRef {
            sequence: Sequence::new(8),
            index: 5,
        },
        updated: Sequence::new(11),
        updated_at: Timestamp::from_microseconds(1_769_860_801_000_000),
        ..resting.clone()
    };
    let cancelled = Order {
        state: State::Cancelled(CancelReason::IocRemainder),
        ..traded.clone()
    };
    let market = Order {
        kind: OrderKind::Market,
        state: State::Rejected(Rejection::NoLiquidity),
        ..resting.clone()
    };
    vec![resting, traded, cancelled, market]
}

#[test]
fn the_values_of_an_order_and_its_event_are_those_of_their_entities() {
    let instrument = instrument();
    for order in orders() {
        let row = order_row(&instrument, &order).unwrap();
        let state = OrderState {
            instrument: Arc::clone(&instrument),
            order,
        };
        assert_eq!(told::<OrderEvents>(&state), of_model(order_event_row(&row)));
        assert_eq!(told::<Orders>(&state), of_model(row));
    }
}

#[test]
fn the_values_of_a_trade_are_those_of_its_entity() {
    let instrument = instrument();
    let party = |name: &str, sequence, index| TradeParty {
        order_id: OrderId::new(&format!("{name}s-order")).unwrap(),
        placed: OrderRef {
            sequence: Sequence::new(sequence),
            index,
        },
        client: ClientId::new(name).unwrap(),
    };
    let trade = Trade {
        number: TradeNumber::new(12),
        buy: party("alice", 7, 0),
        sell: party("bob", 8, 5),
        price: Price::new(1_402_999).unwrap(),
        quantity: Quantity::new(77).unwrap(),
        taker_side: Side::Sell,
        sequence: Sequence::new(9),
        timestamp: Timestamp::from_microseconds(1_769_860_801_000_000),
    };
    let row = trade_row(&instrument, &trade).unwrap();
    let trade = TradeOf { instrument, trade };
    assert_eq!(told::<Trades>(&trade), of_model(row));
}

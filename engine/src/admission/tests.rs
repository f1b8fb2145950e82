use expect_test::{Expect, expect};
use rust_decimal::Decimal;

use super::*;
use crate::id::{ClientId, InstrumentId, OrderId, Symbol};
use crate::instrument::Increment;
use crate::order::{ChosenId, OrderKind, SelfTradePrevention, TimeInForce};
use crate::quantity::Notional;
use crate::side::Side;

/// Ticks of 0.01 and lots of 0.0001; from 0.001 to 5, and a notional of at least 10.
fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId::new(1),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: Increment::new(Decimal::new(1, 2)).unwrap(),
        lot: Increment::new(Decimal::new(1, 4)).unwrap(),
        min_quantity: Quantity::new(10).unwrap(),
        max_quantity: Quantity::new(50_000).unwrap(),
        min_notional: Some(Notional::new(10 * 1_000_000)),
        price_band: None,
        binance_symbol: None,
        listed_at: crate::time::Timestamp::default(),
    }
}

fn order(line: &str, instrument: &Instrument) -> NewOrder {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [side, quantity, rest @ ..] = &words[..] else {
        panic!("no order: {line}");
    };
    let units = |step: Increment, word: &str| step.units(word.parse().unwrap()).unwrap();
    NewOrder {
        id: ChosenId::Client(OrderId::new("order-1").unwrap()),
        client: ClientId::new("alice").unwrap(),
        idempotency_key: None,
        side: match *side {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => panic!("no side: {other}"),
        },
        kind: match rest {
            ["at", "market"] => OrderKind::Market,
            ["@", price] => OrderKind::Limit {
                price: Price::new(units(instrument.tick, price)).unwrap(),
                time_in_force: TimeInForce::Gtc,
            },
            other => panic!("no price: {other:?}"),
        },
        quantity: Quantity::new(units(instrument.lot, quantity)).unwrap(),
        self_trade_prevention: SelfTradePrevention::None,
    }
}

/// Fills in what stands right of the bar.
fn check_table(table: &Expect) {
    let instrument = instrument();
    let lines = table.data().lines().map(str::trim);
    let told = lines.filter(|line| !line.is_empty()).map(|line| {
        let (asked, _) = line.split_once('|').unwrap_or((line, ""));
        let answer = match admit(&instrument, &order(asked, &instrument)) {
            Ok(()) => "admitted".to_owned(),
            Err(invalid) => invalid.to_string(),
        };
        format!("{:<24} | {answer}\n", asked.trim())
    });
    table.assert_eq(&told.collect::<String>());
}

#[test]
fn an_order_keeps_the_instruments_rules() {
    check_table(&expect![[r#"
        buy 0.0005 @ 100.00      | the quantity is below the instrument's minimum
        sell 0.0009 at market    | the quantity is below the instrument's minimum
        buy 0.001 @ 10000.00     | admitted
        buy 0.001 @ 9999.99      | the notional is below the instrument's minimum
        sell 0.001 at market     | admitted
        buy 5.0001 @ 0.01        | the quantity is above the instrument's maximum
        buy 5.0001 at market     | the quantity is above the instrument's maximum
        sell 5 @ 2.00            | admitted
        sell 5 @ 1.99            | the notional is below the instrument's minimum
        sell 0.1 @ 100.00        | admitted
    "#]]);
}

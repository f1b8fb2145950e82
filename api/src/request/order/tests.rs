use shardbook_engine::id::InstrumentId;
use shardbook_engine::instrument::Increment;
use shardbook_engine::quantity::Notional;

use super::*;

fn bitcoin() -> Arc<Instrument> {
    Arc::new(Instrument {
        id: InstrumentId::new(0),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: Increment::new(rust_decimal::Decimal::new(1, 2)).unwrap(),
        lot: Increment::new(rust_decimal::Decimal::new(1, 5)).unwrap(),
        min_quantity: Quantity::new(10).unwrap(),
        max_quantity: Quantity::new(1_000_000_000).unwrap(),
        min_notional: Some(Notional::new(10_000_000)),
        price_band: None,
        binance_symbol: None,
        listed_at: shardbook_engine::time::Timestamp::default(),
    })
}

fn read(text: &str) -> Result<PlaceRequest<Arc<Instrument>>, Problem> {
    read_order(
        OrderText::Whole(text),
        &ActsFor::Any(None),
        None,
        |symbol| (symbol.as_str() == "BTC-USD").then(bitcoin),
    )
}

/// A valid limit order in which `change` replaces fields; null takes one away.
fn limit_order_with(change: &str) -> String {
    let mut order = serde_json::json!({
        "order_id": "order-1", "client_id": "client-A", "instrument": "BTC-USD", "side": "buy",
        "type": "limit", "price": "70150.50", "quantity": "0.25"
    });
    let changes: serde_json::Map<_, _> = serde_json::from_str(change).expect("the row is JSON");
    order.as_object_mut().unwrap().extend(changes);
    order.to_string()
}

#[test]
fn an_order_is_read_into_ticks_and_lots() {
    let text = r#"{"order_id": "order-1", "client_id": "client-A", "instrument": "BTC-USD",
        "side": "sell", "type": "limit", "price": 70150.5, "quantity": 25e-2,
        "time_in_force": "post_only", "self_trade_prevention": "cancel_maker",
        "idempotency_key": "abc-123", "unknown": [{}]}"#;
    let order = read(text).unwrap().order;
    assert_eq!(order.id, ChosenId::Client(OrderId::new("order-1").unwrap()));
    assert_eq!(order.side, Side::Sell);
    let expected = OrderKind::Limit {
        price: Price::new(7_015_050).unwrap(),
        time_in_force: TimeInForce::PostOnly,
    };
    assert_eq!(order.kind, expected);
    assert_eq!(order.quantity, Quantity::new(25_000).unwrap());
    assert_eq!(order.idempotency_key, IdempotencyKey::new("abc-123").ok());
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = limit_order_with(r#"{"order_id": null, "time_in_force": null}"#);
    let order = read(&text).unwrap().order;
    assert!(matches!(order.id, ChosenId::Exchange(_)));
    assert!(matches!(
        order.kind,
        OrderKind::Limit {
            time_in_force: TimeInForce::Gtc,
            ..
        }
    ));
    assert_eq!(order.idempotency_key, None);
}

/// A change that makes the order invalid, the field that is named, and words of its message.
const WRONG_FIELDS: &[(&str, &str, &str)] = &[
    (r#"{"client_id": null}"#, "client_id", "is required"),
    (r#"{"client_id": 7}"#, "client_id", "must be a string"),
    (r#"{"client_id": ""}"#, "client_id", "1 to 64 characters"),
    (r#"{"client_id": "zoë"}"#, "client_id", "may hold only"),
    (r#"{"order_id": "batch"}"#, "order_id", "reserved"),
    (r#"{"order_id": ".."}"#, "order_id", "reserved"),
    (r#"{"order_id": "a b"}"#, "order_id", "may hold only"),
    (r#"{"idempotency_key": ""}"#, "idempotency_key", "1 to 128"),
    (
        r#"{"idempotency_key": "a b"}"#,
        "idempotency_key",
        "visible",
    ),
    (r#"{"instrument": null}"#, "instrument", "is required"),
    (r#"{"instrument": {}}"#, "instrument", "must be a string"),
    (r#"{"side": "hold"}"#, "side", "must be one of buy, sell"),
    (r#"{"side": "Buy"}"#, "side", "must be one of buy, sell"),
    (
        r#"{"type": "stop"}"#,
        "type",
        "must be one of limit, market",
    ),
    (
        r#"{"time_in_force": "day"}"#,
        "time_in_force",
        "gtc, ioc, fok, post_only",
    ),
    (
        r#"{"self_trade_prevention": true}"#,
        "self_trade_prevention",
        "must be a string",
    ),
    (r#"{"price": null}"#, "price", "is required"),
    (
        r#"{"price": "70150.505"}"#,
        "price",
        "70150.50 and 70150.51",
    ),
    (r#"{"price": -1}"#, "price", "out of range"),
    (r#"{"price": 1e400}"#, "price", "out of range"),
    (r#"{"price": []}"#, "price", "must be a decimal"),
    (r#"{"quantity": null}"#, "quantity", "is required"),
    (r#"{"quantity": 0}"#, "quantity", "out of range"),
    (
        r#"{"quantity": "0.000105"}"#,
        "quantity",
        "0.00010 and 0.00011",
    ),
    (
        r#"{"quantity": "0.00009"}"#,
        "quantity",
        "below the instrument's minimum, 0.00010",
    ),
    (
        r#"{"quantity": "10000.00001"}"#,
        "quantity",
        "above the instrument's maximum, 10000.00000",
    ),
    (
        r#"{"quantity": "0.0001", "price": "9"}"#,
        "quantity",
        "minimum, 1.0000000",
    ),
    (
        r#"{"type": "market"}"#,
        "price",
        "a market order has no price",
    ),
    (
        r#"{"type": "market", "price": null, "time_in_force": "gtc"}"#,
        "time_in_force",
        "a market order has no time in force",
    ),
];

#[test]
fn each_wrong_field_is_named() {
    for &(change, field, message) in WRONG_FIELDS {
        // 1e400 has no place in serde_json's tree of values.
        let text = match change {
            r#"{"price": 1e400}"# => limit_order_with("{}").replace("\"70150.50\"", "1e400"),
            _ => limit_order_with(change),
        };
        let problem = read(&text).expect_err(change);
        assert_eq!(problem.code(), Code::InvalidOrder, "{change}");
        let expected = format!("{field}: ");
        assert!(
            problem.detail().starts_with(&expected),
            "{change}: {}",
            problem.detail()
        );
        assert!(
            problem.detail().contains(message),
            "{change}: {}",
            problem.detail()
        );
    }
}

#[test]
fn all_wrong_fields_are_told_at_once() {
    let problem = read(r#"{"instrument": "BTC-USD", "price": 0, "type": "limit"}"#).unwrap_err();
    let view = problem.view();
    let fields: Vec<_> = view.errors.iter().map(|error| &*error.field.0).collect();
    assert_eq!(fields, ["client_id", "side", "price", "quantity"]);
}

#[test]
fn what_is_no_order_has_the_code_for_it() {
    let order = limit_order_with("{}");
    let doubled = order.replacen('{', r#"{"side": "buy", "#, 1);
    let rows = [
        ("", Code::MalformedJson),
        ("{", Code::MalformedJson),
        ("nope", Code::MalformedJson),
        ("{\"a\": 01}", Code::MalformedJson),
        ("{\"a\": NaN}", Code::MalformedJson),
        ("{} {}", Code::MalformedJson),
        ("[1, }", Code::MalformedJson),
        ("null", Code::InvalidOrder),
        ("17", Code::InvalidOrder),
        ("[]", Code::InvalidOrder),
        ("{}", Code::InvalidOrder),
        (doubled.as_str(), Code::InvalidOrder),
        (
            &limit_order_with(r#"{"instrument": "DOGE-USD"}"#),
            Code::UnknownInstrument,
        ),
        (
            &limit_order_with(r#"{"instrument": "DOGE-USD", "side": 1}"#),
            Code::InvalidOrder,
        ),
        (
            &limit_order_with(r#"{"client_id": "binance-depth"}"#),
            Code::Forbidden,
        ),
        (
            &limit_order_with(r#"{"order_id": "binance-depth:1:1"}"#),
            Code::Forbidden,
        ),
    ];
    for (text, code) in rows {
        assert_eq!(read(text).expect_err(text).code(), code, "{text}");
    }
    let deep = format!("{{\"a\": {}", "[".repeat(60_000));
    assert_eq!(read(&deep).unwrap_err().code(), Code::MalformedJson);
}

#[test]
fn a_key_may_stand_in_the_body_or_in_the_header() {
    let key = |text: &str| IdempotencyKey::new(text).ok();
    let rows = [
        (None, None, Ok(None)),
        (key("a"), None, Ok(key("a"))),
        (None, key("a"), Ok(key("a"))),
        (key("a"), key("a"), Ok(key("a"))),
        (key("a"), key("b"), Err(Code::IdempotencyKeyConflict)),
    ];
    for (body, header, expected) in rows {
        let found = one_key(body, header.as_ref()).map_err(|problem| problem.code());
        assert_eq!(found, expected);
    }
}

#[test]
fn an_amend_names_a_price_or_a_quantity() {
    let rows = [
        (
            r#"{"price": "70149"}"#,
            Ok(OrderChange::Price(Price::new(7_014_900).unwrap())),
        ),
        (
            r#"{"quantity": 1}"#,
            Ok(OrderChange::Quantity(Quantity::new(100_000).unwrap())),
        ),
        (
            r#"{"quantity": "1", "price": 1}"#,
            Ok(OrderChange::PriceAndQuantity(
                Price::new(100).unwrap(),
                Quantity::new(100_000).unwrap(),
            )),
        ),
        ("{}", Err(Code::InvalidOrder)),
        (r#"{"price": null}"#, Err(Code::InvalidOrder)),
        (
            r#"{"price": 0.001, "quantity": 1}"#,
            Err(Code::InvalidOrder),
        ),
        ("[]", Err(Code::InvalidOrder)),
        ("x", Err(Code::MalformedJson)),
    ];
    for (text, expected) in rows {
        let change = read_amend_request(text)
            .and_then(|request| read_amend(&request, &bitcoin()))
            .map_err(|problem| problem.code());
        assert_eq!(change, expected, "{text}");
    }
}

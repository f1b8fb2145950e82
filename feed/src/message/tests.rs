use super::*;

/// What a message says, in a line.
fn read(text: &str) -> String {
    match Message::parse(text) {
        Ok(Message::Trade(trade)) => format!(
            "trade {} {} {} x {} taker {:?} at {} sent {}",
            trade.symbol,
            trade.id,
            trade.price,
            trade.quantity,
            trade.taker_side,
            trade.traded_at.microseconds(),
            trade.sent_at.microseconds(),
        ),
        Ok(Message::AggregateTrade(trade)) => format!(
            "aggregate {} {} of {}-{} {} x {} taker {:?}",
            trade.symbol,
            trade.id,
            trade.first_trade_id,
            trade.last_trade_id,
            trade.price,
            trade.quantity,
            trade.taker_side,
        ),
        Ok(Message::DepthDiff(diff)) => format!(
            "diff {} {}-{} bids{} asks{}",
            diff.symbol,
            diff.first_update_id,
            diff.last_update_id,
            ladder(&diff.bids),
            ladder(&diff.asks),
        ),
        Ok(Message::DepthSnapshot(snapshot)) => format!(
            "snapshot {} {} bids{} asks{}",
            snapshot.symbol.as_deref().unwrap_or("?"),
            snapshot.last_update_id,
            ladder(&snapshot.bids),
            ladder(&snapshot.asks),
        ),
        Ok(Message::ServerShutdown) => String::from("shutdown"),
        Ok(Message::Response(Response::Done)) => String::from("done"),
        Ok(Message::Response(Response::Failed { code, message })) => {
            format!("failed {code} {message}")
        }
        Ok(Message::BookTicker) => String::from("best prices"),
        Ok(Message::Unknown) => String::from("unknown"),
        Err(_) => String::from("bad"),
    }
}

fn ladder(levels: &[Level]) -> String {
    levels
        .iter()
        .map(|level| format!(" {}x{}", level.price, level.quantity))
        .collect()
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(read(text), *expected, "{text}");
    }
}

#[test]
fn documented_messages_are_read_exactly() {
    check(&[
        (
            r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100","T":1672515782130,"m":true,"M":true}"#,
            "trade BNBBTC 12345 0.00100000 x 100 taker Sell at 1672515782130000 sent 1672515782136000",
        ),
        (
            r#"{"stream":"bnbbtc@trade","data":{"e":"trade","E":1672515782136789,"s":"BNBBTC","t":12346,"p":"0.001","q":"0.00000001","T":1672515782130000,"m":false,"M":true}}"#,
            "trade BNBBTC 12346 0.001 x 0.00000001 taker Buy at 1672515782130000 sent 1672515782136789",
        ),
        (
            r#"{"stream":"bnbbtc@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":7,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}}"#,
            "aggregate BNBBTC 7 of 100-105 0.001 x 100 taker Sell",
        ),
        (
            r#"{"stream":"bnbbtc@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"],["0.0023","0.00000000"]],"a":[["0.0026","100"]]}}"#,
            "diff BNBBTC 157-160 bids 0.0024x10 0.0023x0.00000000 asks 0.0026x100",
        ),
        (
            r#"{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}"#,
            "snapshot ? 160 bids 0.0024x10 asks 0.0026x100",
        ),
        (
            r#"{"stream":"bnbbtc@depthSnapshot","data":{"lastUpdateId":160,"bids":[],"asks":[]}}"#,
            "snapshot BNBBTC 160 bids asks",
        ),
        (
            r#"{"stream":"bnbusdt@bookTicker","data":{"u":400900217,"s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}}"#,
            "best prices",
        ),
        (
            r#"{"u":400900217,"s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}"#,
            "best prices",
        ),
        (r#"{"result":null,"id":1}"#, "done"),
        (r#"{"result":["btcusdt@trade"],"id":3}"#, "done"),
        (
            r#"{"code":2,"msg":"Invalid request"}"#,
            "failed 2 Invalid request",
        ),
        (
            r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#,
            "failed 2 Invalid request",
        ),
        (r#"{"e":"serverShutdown","E":1672515782136}"#, "shutdown"),
        (
            r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1672515782136}}"#,
            "shutdown",
        ),
    ]);
}

#[test]
fn fields_of_other_markets_and_of_the_future_do_no_harm() {
    check(&[
        // The futures market's trade: no M, an order type instead.
        (
            r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"T":1672515782130,"s":"BTCUSDT","t":5,"p":"16800.10","q":"0.002","X":"MARKET","m":false,"st":{"a":[1]}}}"#,
            "trade BTCUSDT 5 16800.10 x 0.002 taker Buy at 1672515782130000 sent 1672515782136000",
        ),
        // Its diff: when it was matched, and the update before.
        (
            r#"{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","ps":"BTCUSDT","U":7,"u":9,"pu":6,"b":[],"a":[["1.0","2"]]}}"#,
            "diff BTCUSDT 7-9 bids asks 1.0x2",
        ),
        // Its aggregate, with the normal quantity.
        (
            r#"{"e":"aggTrade","E":1,"s":"BTCUSDT","a":5,"p":"1","q":"2","nq":"2","f":1,"l":1,"T":1,"m":true}"#,
            "aggregate BTCUSDT 5 of 1-1 1 x 2 taker Sell",
        ),
        // Its best prices, which name themselves.
        (
            r#"{"e":"bookTicker","u":1,"E":1,"T":1,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}"#,
            "best prices",
        ),
        (
            r#"{"lastUpdateId":160,"E":1,"T":1,"bids":[["1","1"]],"asks":[]}"#,
            "snapshot ? 160 bids 1x1 asks",
        ),
        (
            r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1,"o":"1"}}}"#,
            "unknown",
        ),
        (
            r#"{"stream":"btcusdt@depth20","data":{"asks":[]}}"#,
            "unknown",
        ),
        (r"{}", "unknown"),
        (r#"{"e":"ẗräde"}"#, "unknown"),
    ]);
}

#[test]
fn amounts_are_digits_with_at_most_one_point() {
    let trade = |price: &str, quantity: &str| {
        format!(
            r#"{{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":{price},"q":{quantity},"T":1,"m":true}}"#
        )
    };
    let good = [r#""1""#, r#""0.5""#, r#""00.50""#, r#""1.""#, r#"".5""#];
    for amount in good {
        assert_ne!(read(&trade(amount, r#""1""#)), "bad", "price {amount}");
        assert_ne!(read(&trade(r#""1""#, amount)), "bad", "quantity {amount}");
    }
    let bad = [
        "1.5",
        "null",
        "true",
        "[]",
        r#""""#,
        r#"".""#,
        r#""-1""#,
        r#""+1""#,
        r#""0""#,
        r#""0.000""#,
        r#""1e5""#,
        r#""1_000""#,
        r#""1,5""#,
        r#""1.2.3""#,
        r#""NaN""#,
        r#""Infinity""#,
        r#"" 1""#,
        r#""0x10""#,
        r#""１""#,
        r#""99999999999999999999999999999999""#,
        r#""0.00000000000000000000000000000000001""#,
    ];
    for amount in bad {
        assert_eq!(read(&trade(amount, r#""1""#)), "bad", "price {amount}");
        assert_eq!(read(&trade(r#""1""#, amount)), "bad", "quantity {amount}");
    }
}

#[test]
fn bad_messages_are_bad_as_a_whole() {
    check(&[
        ("", "bad"),
        ("{", "bad"),
        ("null", "bad"),
        ("17", "bad"),
        ("[]", "bad"),
        ("\"text\"", "bad"),
        (r#"{"e":5}"#, "bad"),
        (r#"{"stream":5,"data":{}}"#, "bad"),
        (r#"{"stream":"btcusdt@trade","data":5}"#, "bad"),
        // A field is missing, or of the wrong kind, or there twice.
        (
            r#"{"e":"trade","E":1,"s":"B","t":1,"p":"1","q":"1","T":1}"#,
            "bad",
        ),
        (
            r#"{"e":"trade","E":1,"s":"B","t":"1","p":"1","q":"1","T":1,"m":true}"#,
            "bad",
        ),
        (
            r#"{"e":"trade","E":1,"s":"B","t":-1,"p":"1","q":"1","T":1,"m":true}"#,
            "bad",
        ),
        (
            r#"{"e":"trade","E":1,"s":"B","t":1.5,"p":"1","q":"1","T":1,"m":true}"#,
            "bad",
        ),
        (
            r#"{"e":"trade","E":1,"s":"B","t":1,"p":"1","q":"1","T":1,"m":"true"}"#,
            "bad",
        ),
        (
            r#"{"e":"trade","E":1,"s":"B","t":1,"t":2,"p":"1","q":"1","T":1,"m":true}"#,
            "bad",
        ),
        (
            r#"{"e":"trade","E":1,"s":7,"t":1,"p":"1","q":"1","T":1,"m":true}"#,
            "bad",
        ),
        // Levels that are none.
        (
            r#"{"e":"depthUpdate","E":1,"s":"B","U":1,"u":1,"b":[["1"]],"a":[]}"#,
            "bad",
        ),
        (
            r#"{"e":"depthUpdate","E":1,"s":"B","U":1,"u":1,"b":[["1","1","1"]],"a":[]}"#,
            "bad",
        ),
        (
            r#"{"e":"depthUpdate","E":1,"s":"B","U":1,"u":1,"b":[["0","1"]],"a":[]}"#,
            "bad",
        ),
        (
            r#"{"e":"depthUpdate","E":1,"s":"B","U":1,"u":1,"b":[["1","-1"]],"a":[]}"#,
            "bad",
        ),
        (
            r#"{"e":"depthUpdate","E":1,"s":"B","U":1,"u":1,"b":{},"a":[]}"#,
            "bad",
        ),
        (r#"{"lastUpdateId":"x","bids":[],"asks":[]}"#, "bad"),
        (r#"{"lastUpdateId":1,"bids":[]}"#, "bad"),
        // Numbers that contradict each other.
        (
            r#"{"e":"depthUpdate","E":1,"s":"B","U":2,"u":1,"b":[],"a":[]}"#,
            "bad",
        ),
        (
            r#"{"e":"aggTrade","E":1,"s":"B","a":5,"p":"1","q":"2","f":2,"l":1,"T":1,"m":true}"#,
            "bad",
        ),
    ]);
}

#[test]
fn an_error_shows_how_a_long_message_begins() {
    let text = format!("{{\"e\":\"trade\",\"s\":\"{}\"}}", "é".repeat(5_000));
    let error = Message::parse(&text).unwrap_err().to_string();
    assert!(error.contains("missing field"), "{error}");
    assert!(error.chars().count() < 300, "{error}");
}

#[test]
fn a_symbol_is_found_without_reading_the_rest() {
    for (text, expected) in [
        (
            r#"{"stream":"btcusdt@trade","data":{"garbage":1}}"#,
            Some("BTCUSDT"),
        ),
        (
            r#"{"stream":"ethusdt@depthSnapshot","data":{}}"#,
            Some("ETHUSDT"),
        ),
        (r#"{"e":"trade","s":"SOLUSDT"}"#, Some("SOLUSDT")),
        (r#"{"stream":"!serverShutdown","data":{}}"#, None),
        (r#"{"stream":"!miniTicker@arr","data":[]}"#, None),
        (r#"{"lastUpdateId":1,"bids":[],"asks":[]}"#, None),
        (r#"{"result":null,"id":1}"#, None),
        ("no json", None),
    ] {
        assert_eq!(symbol_of(text).as_deref(), expected, "{text}");
    }
}

use super::*;

fn read(line: &str) -> String {
    match DumpLine::parse(line, "BTCUSDT") {
        Some(DumpLine::Message(Message::Trade(trade))) => format!(
            "trade {} {} of {} x {}, taker {:?}, at {}",
            trade.id,
            trade.symbol,
            trade.price,
            trade.quantity,
            trade.taker_side,
            trade.traded_at.microseconds(),
        ),
        Some(DumpLine::Message(Message::AggregateTrade(trade))) => format!(
            "aggregate {} of {}-{}: {} x {}, taker {:?}, at {}",
            trade.id,
            trade.first_trade_id,
            trade.last_trade_id,
            trade.price,
            trade.quantity,
            trade.taker_side,
            trade.traded_at.microseconds(),
        ),
        Some(DumpLine::Message(other)) => panic!("{other:?}"),
        Some(DumpLine::Header) => String::from("header"),
        None => String::from("nothing"),
    }
}

#[test]
fn trades_and_aggregates_are_told_apart_in_old_files_and_new_ones() {
    let cases = [
        (
            "3735683259,61837.63000000,0.02000000,1236.75260000,1723161255342,True,True",
            "trade 3735683259 BTCUSDT of 61837.63000000 x 0.02000000, taker Sell, at 1723161255342000",
        ),
        (
            "7,0.1,2,0.2,1735689600000123,false,true",
            "trade 7 BTCUSDT of 0.1 x 2, taker Buy, at 1735689600000123",
        ),
        // The futures' trades lack the last column.
        (
            "7,0.1,2,0.2,1723161255342,true",
            "trade 7 BTCUSDT of 0.1 x 2, taker Sell, at 1723161255342000",
        ),
        (
            "26129,0.01633102,4.70443515,27781,27785,1498793709153,True,True",
            "aggregate 26129 of 27781-27785: 0.01633102 x 4.70443515, taker Sell, at 1498793709153000",
        ),
        (
            " 26129 , 0.5 , 4 , 27781 , 27781 , 1735689600000123 , False ",
            "aggregate 26129 of 27781-27781: 0.5 x 4, taker Buy, at 1735689600000123",
        ),
        ("id,price,qty,quote_qty,time,is_buyer_maker", "header"),
        (
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
            "header",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(read(line), expected, "{line}");
    }
}

#[test]
fn what_lacks_a_value_or_holds_a_wrong_one_is_no_line() {
    for line in [
        "",
        "7",
        "7,0.1,2,0.2,1723161255342",
        "7,0.1,2,0.2,1723161255342,maybe,True",
        "-7,0.1,2,0.2,1723161255342,True,True",
        "9223372036854775808,0.1,2,0.2,1723161255342,True,True",
        "7,-0.1,2,0.2,1723161255342,True,True",
        "7,0,2,0.2,1723161255342,True,True",
        "7,0.1,0.0,0.2,1723161255342,True,True",
        "7,0.1,1e3,0.2,1723161255342,True,True",
        "7,0.1,2,0.2,soon,True,True",
        "7,0.1,2,9,8,1723161255342,True,True",
        "1723161254087896568 {\"stream\":\"a\",\"data\":{},\"x\":1,\"y\":2,\"z\":3,\"w\":4}",
        "\u{feff}\u{1}id,price,qty,quote_qty,time,is_buyer_maker",
    ] {
        assert_eq!(read(line), "nothing", "{line}");
    }
}

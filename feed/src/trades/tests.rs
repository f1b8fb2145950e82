use shardbook_engine::time::Timestamp;

use shardbook_engine::side::Side;

use super::*;
use crate::test_support::instrument;

/// Takes trades written as `id side quantity`, with a lot of 0.001, and tells what each comes to.
fn take(trades: &[&str]) -> (Vec<String>, Counts) {
    let mut reader = TapeReader::new(instrument("0.01", "0.001"), FeedSource::Binance);
    let mut counts = Counts::default();
    let said = trades
        .iter()
        .map(|trade| {
            let words: Vec<&str> = trade.split(' ').collect();
            let trade = Trade {
                symbol: String::from("BTCUSDT"),
                id: words[0].parse().unwrap(),
                price: "70000.123456".parse().unwrap(),
                quantity: words[2].parse().unwrap(),
                taker_side: match words[1] {
                    "buy" => Side::Buy,
                    "sell" => Side::Sell,
                    other => panic!("{other:?} is no side"),
                },
                traded_at: Timestamp::from_microseconds(1),
                sent_at: Timestamp::from_microseconds(2),
            };
            reader
                .take(&trade, &mut counts)
                .map_or(String::from("nothing"), |tape| {
                    assert_eq!(tape.first_trade_id, tape.last_trade_id);
                    assert_eq!(tape.symbol, "BTCUSDT");
                    assert_eq!(tape.source, FeedSource::Binance);
                    format!(
                        "#{} {:?} {}",
                        tape.first_trade_id,
                        tape.side,
                        tape.quantity.lots()
                    )
                })
        })
        .collect();
    (said, counts)
}

#[test]
fn a_trade_is_a_market_order_of_its_takers_side_in_exact_lots() {
    let (said, counts) = take(&["7 buy 0.02000000", "8 sell 1", "9 sell 123456.789"]);
    assert_eq!(said, ["#7 Buy 20", "#8 Sell 1000", "#9 Sell 123456789"]);
    assert_eq!(counts, Counts::default());
}

#[test]
fn what_is_below_a_lot_is_counted() {
    let (said, counts) = take(&["1 buy 0.0019", "2 buy 0.0009", "3 buy 0.001"]);
    assert_eq!(said, ["#1 Buy 1", "nothing", "#3 Buy 1"]);
    assert_eq!(counts.skipped(SkipReason::RemainderBelowLot), 1);
    assert_eq!(counts.skipped(SkipReason::QuantityBelowLot), 1);
    assert_eq!(counts.gaps, 0, "a skipped trade leaves no hole");
}

#[test]
fn what_can_not_be_counted_in_lots_is_skipped() {
    let (said, counts) = take(&[
        "1 buy 1000000000",
        "2 buy 1000000000.001",
        "3 buy 9999999999999999999999",
    ]);
    assert_eq!(said, ["#1 Buy 1000000000000", "nothing", "nothing"]);
    assert_eq!(counts.skipped(SkipReason::OutOfRange), 2);
}

#[test]
fn ids_that_come_again_are_skipped_and_jumps_are_gaps() {
    let (said, counts) = take(&[
        "5 buy 1",
        "5 buy 1",
        "4 buy 1",
        "6 buy 1",
        "10 sell 1",
        "11 sell 1",
        "13 sell 1",
    ]);
    assert_eq!(
        said,
        [
            "#5 Buy 1000",
            "nothing",
            "nothing",
            "#6 Buy 1000",
            "#10 Sell 1000",
            "#11 Sell 1000",
            "#13 Sell 1000"
        ]
    );
    assert_eq!(counts.skipped(SkipReason::SentBefore), 2);
    assert_eq!((counts.gaps, counts.trades_missed), (2, 4));
}

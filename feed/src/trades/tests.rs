use rust_decimal::Decimal;
use shardbook_engine::side::Side;

use super::*;
use crate::test_support::instrument;

/// Plays a transcript: lines at the margin are what comes in, indented lines what comes of it,
/// with a lot of 0.001.
///
/// `7 buy 0.5` is a trade and `7-9 buy 0.5` an aggregate, made `id` seconds after the beginning;
/// `found 2-3: …` is what a request came to.
struct Transcript {
    reader: TapeReader,
    counts: Counts,
}

impl Transcript {
    fn new(holes: Holes) -> Self {
        Self {
            reader: TapeReader::new(instrument("0.01", "0.001"), FeedSource::Binance, holes),
            counts: Counts::default(),
        }
    }

    fn play(mut self, text: &str) -> Counts {
        let mut expected: Vec<String> = Vec::new();
        let mut said: Vec<String> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let line = line.strip_prefix("        ").expect("a margin");
            if let Some(answer) = line.strip_prefix("    ") {
                expected.push(answer.to_owned());
                continue;
            }
            assert_eq!(said, expected, "before {line:?} in {text}");
            said = self.line(line);
            expected.clear();
        }
        assert_eq!(said, expected, "at the end of {text}");
        self.counts
    }

    fn line(&mut self, line: &str) -> Vec<String> {
        let mut orders = Vec::new();
        let request = match line.strip_prefix("found ") {
            Some(found) => {
                let (hole, found) = found.split_once(':').unwrap();
                let (first, last) = ids(hole);
                let found = found.split(',').map(str::trim);
                let fill = Fill {
                    hole: Hole { first, last },
                    found: found.filter(|print| !print.is_empty()).map(print).collect(),
                };
                self.reader.fill(fill, &mut self.counts, &mut orders)
            }
            None => self.reader.take(print(line), &mut self.counts, &mut orders),
        };
        let mut said: Vec<String> = orders.iter().map(order).collect();
        said.extend(request.map(|request| match request {
            FillRequest::Newest { hole } => format!("newest for {}-{}?", hole.first, hole.last),
            FillRequest::Aggregates { hole, from, until } => format!(
                "aggregates for {}-{} from {} until {}?",
                hole.first,
                hole.last,
                from.microseconds() / 1_000_000,
                until.microseconds() / 1_000_000
            ),
        }));
        said
    }
}

fn ids(text: &str) -> (u64, u64) {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    (first.parse().unwrap(), last.parse().unwrap())
}

fn print(text: &str) -> Print {
    let words: Vec<&str> = text.split(' ').collect();
    let (first_trade_id, last_trade_id) = ids(words[0]);
    Print {
        symbol: String::from("BTCUSDT"),
        first_trade_id,
        last_trade_id,
        quantity: words[2].parse::<Decimal>().unwrap(),
        taker_side: match words[1] {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => panic!("{other:?} is no side"),
        },
        traded_at: Timestamp::from_microseconds(first_trade_id * 1_000_000),
    }
}

fn order(tape: &Tape) -> String {
    assert_eq!(tape.symbol, "BTCUSDT");
    assert_eq!(tape.source, FeedSource::Binance);
    let ids = if tape.first_trade_id == tape.last_trade_id {
        tape.first_trade_id.to_string()
    } else {
        format!("{}-{}", tape.first_trade_id, tape.last_trade_id)
    };
    format!("#{ids} {:?} {}", tape.side, tape.quantity.lots())
}

fn counted(text: &str) -> Counts {
    Transcript::new(Holes::Counted).play(text)
}

fn filled(text: &str) -> Counts {
    Transcript::new(Holes::Filled { taken_in: None }).play(text)
}

#[test]
fn a_trade_is_a_market_order_of_its_takers_side_in_exact_lots() {
    let counts = counted(
        "
        7 buy 0.02000000
            #7 Buy 20
        8 sell 1
            #8 Sell 1000
        9-12 sell 123456.789
            #9-12 Sell 123456789
        ",
    );
    assert_eq!(counts, Counts::default());
}

#[test]
fn what_is_below_a_lot_is_counted() {
    let counts = counted(
        "
        1 buy 0.0019
            #1 Buy 1
        2 buy 0.0009
        3 buy 0.001
            #3 Buy 1
        ",
    );
    assert_eq!(counts.skipped(SkipReason::RemainderBelowLot), 1);
    assert_eq!(counts.skipped(SkipReason::QuantityBelowLot), 1);
    assert_eq!(counts.gaps, 0, "a skipped trade leaves no hole");
}

#[test]
fn what_can_not_be_counted_in_lots_is_skipped() {
    let counts = counted(
        "
        1 buy 1000000000
            #1 Buy 1000000000000
        2 buy 1000000000.001
        3 buy 9999999999999999999999
        ",
    );
    assert_eq!(counts.skipped(SkipReason::OutOfRange), 2);
}

#[test]
fn ids_that_come_again_are_skipped_and_jumps_are_gaps_where_no_one_can_be_asked() {
    let counts = counted(
        "
        5 buy 1
            #5 Buy 1000
        5 buy 1
        4 buy 1
        6 buy 1
            #6 Buy 1000
        10 sell 1
            #10 Sell 1000
        13-14 sell 1
            #13-14 Sell 1000
        ",
    );
    assert_eq!(counts.skipped(SkipReason::SentBefore), 2);
    assert_eq!((counts.gaps, counts.trades_missed), (2, 5));
}

#[test]
fn where_trades_and_aggregates_meet_each_trade_comes_in_once() {
    let counts = counted(
        "
        5 buy 1
            #5 Buy 1000
        5-7 buy 3
        6 buy 1
            #6 Buy 1000
        7 buy 1
            #7 Buy 1000
        5-7 buy 3
        8-10 sell 2
            #8-10 Sell 2000
        8 sell 1
        9 sell 1
        10 sell 0.5
        11 buy 1
            #11 Buy 1000
        ",
    );
    assert_eq!(counts.skipped(SkipReason::Overlaps), 1);
    assert_eq!(counts.skipped(SkipReason::SentBefore), 4);
    assert_eq!((counts.gaps, counts.trades_missed), (0, 0));
}

#[test]
fn a_hole_is_filled_from_the_newest_trades_while_the_others_wait() {
    let counts = filled(
        "
        5 buy 1
            #5 Buy 1000
        8 buy 1
            newest for 6-7?
        9 sell 1
        9 sell 1
        found 6-7: 4 buy 1, 5 buy 1, 6 sell 0.5, 7 buy 0.25, 8 buy 1
            #6 Sell 500
            #7 Buy 250
            #8 Buy 1000
            #9 Sell 1000
        10 buy 1
            #10 Buy 1000
        ",
    );
    assert_eq!(counts.trades_filled, 2);
    assert_eq!(counts.skipped(SkipReason::SentBefore), 1);
    assert_eq!((counts.gaps, counts.trades_missed), (0, 0));
}

#[test]
fn what_the_newest_do_not_reach_comes_from_aggregates_that_lie_wholly_inside() {
    let counts = filled(
        "
        5 buy 1
            #5 Buy 1000
        20 buy 1
            newest for 6-19?
        found 6-19: 17 buy 1, 18 buy 1, 19 buy 1, 20 buy 1
            aggregates for 6-19 from 5 until 20?
        found 6-19: 4-6 buy 9, 7-9 sell 3, 12 buy 1, 13-14 buy 2, 15-17 buy 9, 18-20 buy 9
            #7-9 Sell 3000
            #12 Buy 1000
            #13-14 Buy 2000
            #17 Buy 1000
            #18 Buy 1000
            #19 Buy 1000
            #20 Buy 1000
        ",
    );
    // 6, of which the aggregate overlaps the edge; 10 and 11, which there are none of; 15 and 16,
    // of which the aggregate overlaps 17.
    assert_eq!((counts.gaps, counts.trades_missed), (3, 5));
    assert_eq!(counts.trades_filled, 9);
}

#[test]
fn what_can_not_be_had_is_a_gap_and_the_others_go_on() {
    let counts = filled(
        "
        5 buy 1
            #5 Buy 1000
        8 buy 1
            newest for 6-7?
        found 6-7:
            aggregates for 6-7 from 5 until 8?
        found 6-7:
            #8 Buy 1000
        found 6-7: 6 buy 1, 7 buy 1
        9 buy 1
            #9 Buy 1000
        ",
    );
    assert_eq!((counts.gaps, counts.trades_missed), (1, 2));
    assert_eq!(counts.trades_filled, 0, "what comes too late is not taken");
}

#[test]
fn a_second_hole_behind_the_first_is_filled_after_it() {
    let counts = filled(
        "
        5 buy 1
            #5 Buy 1000
        8 buy 1
            newest for 6-7?
        11 buy 1
        12 buy 1
        found 6-7: 6 buy 1, 7 buy 1
            #6 Buy 1000
            #7 Buy 1000
            #8 Buy 1000
            newest for 9-10?
        13 buy 1
        found 9-10: 9 buy 1, 10 buy 1
            #9 Buy 1000
            #10 Buy 1000
            #11 Buy 1000
            #12 Buy 1000
            #13 Buy 1000
        ",
    );
    assert_eq!((counts.gaps, counts.trades_filled), (0, 4));
}

#[test]
fn trades_that_come_late_by_themselves_fill_the_hole_too() {
    let counts = filled(
        "
        5 buy 1
            #5 Buy 1000
        8 buy 1
            newest for 6-7?
        7 buy 1
        6 buy 1
            #6 Buy 1000
            #7 Buy 1000
            #8 Buy 1000
        found 6-7: 6 buy 1, 7 buy 1
        ",
    );
    assert_eq!((counts.gaps, counts.trades_missed), (0, 0));
}

#[test]
fn at_a_start_the_hole_since_the_exchanges_last_trade_is_filled_from_the_newest_alone() {
    let text = "
        2 buy 1
        9 buy 1
            newest for 4-8?
        found 4-8: 7 buy 1, 8 buy 1, 9 buy 1
            #7 Buy 1000
            #8 Buy 1000
            #9 Buy 1000
        12 buy 1
            newest for 10-11?
        ";
    let counts = Transcript::new(Holes::Filled { taken_in: Some(3) }).play(text);
    assert_eq!(counts.skipped(SkipReason::SentBefore), 1);
    assert_eq!((counts.gaps, counts.trades_missed), (1, 3));
    let without_a_hole = "
        4 buy 1
            #4 Buy 1000
        ";
    let counts = Transcript::new(Holes::Filled { taken_in: Some(3) }).play(without_a_hole);
    assert_eq!(counts, Counts::default());
}

#[test]
fn an_exchange_that_never_had_any_has_missed_none() {
    let counts = filled(
        "
        1000 buy 1
            #1000 Buy 1000
        ",
    );
    assert_eq!(counts.gaps, 0);
}

#[test]
fn so_much_waits_and_no_more() {
    let mut transcript = Transcript::new(Holes::Filled { taken_in: None });
    transcript.line("1 buy 1");
    assert_eq!(transcript.line("3 buy 1"), ["newest for 2-2?"]);
    let bound = u64::try_from(WAITING_MAX).unwrap();
    for id in 4..bound + 2 {
        assert!(transcript.line(&format!("{id} buy 1")).is_empty());
    }
    let said = transcript.line(&format!("{} buy 1", bound + 2));
    assert_eq!(said.len(), WAITING_MAX);
    let counts = transcript.counts;
    assert_eq!((counts.gaps, counts.trades_missed), (1, 1));
}

use shardbook_engine::command::{Command, FeedSource};

use super::*;
use crate::local_book::{DiffOutcome, LocalBook, SnapshotOutcome};
use crate::market::{Market, Need};
use crate::status::Counts;
use crate::test_support::instrument;
use crate::trades::Holes;

fn messages(tick: &str, lot: &str, seed: u64, steps: u64) -> Vec<Message> {
    let mut market =
        SimulatedMarket::new(instrument(tick, lot), String::from("BTCUSDT"), seed, 1_000);
    let mut messages = Vec::new();
    for step in 0..steps {
        market.step(Timestamp::from_microseconds(step * 100_000), &mut messages);
    }
    messages
}

fn commands(messages: &[Message], levels: usize) -> (Vec<Command>, Counts) {
    let mut counts = Counts::default();
    let mut market = Market::new(
        instrument("0.01", "0.00001"),
        FeedSource::Simulated,
        levels,
        Holes::Counted,
    );
    let mut commands = Vec::new();
    for message in messages {
        let need = market.take(message, &mut counts, &mut commands);
        assert_eq!(need, Need::Nothing);
    }
    (commands, counts)
}

#[test]
fn the_same_seed_gives_the_same_commands() {
    let first = commands(&messages("0.01", "0.00001", 7, 300), 20);
    let again = commands(&messages("0.01", "0.00001", 7, 300), 20);
    let other = commands(&messages("0.01", "0.00001", 8, 300), 20);
    assert_eq!(first, again);
    assert_ne!(first.0, other.0);
    assert_eq!(
        first.1,
        Counts::default(),
        "nothing is skipped and nothing missing"
    );
    let tapes = first
        .0
        .iter()
        .filter(|command| matches!(command, Command::Tape(_)))
        .count();
    assert!(tapes > 100, "{tapes} trades in 300 steps");
    assert!(first.0.len() - tapes >= 300, "a mirror update a step");
}

#[test]
fn its_book_is_always_two_sided_and_never_crossed_whatever_the_increments() {
    for (tick, lot) in [
        ("0.01", "0.00001"),
        ("0.01", "1"),
        ("100", "0.001"),
        ("0.000000001", "1000000"),
        ("1000000", "0.000000001"),
    ] {
        let mut book = LocalBook::new();
        for message in messages(tick, lot, 3, 500) {
            match message {
                Message::DepthSnapshot(snapshot) => assert!(matches!(
                    book.take_snapshot(&snapshot),
                    SnapshotOutcome::Begun { .. }
                )),
                Message::DepthDiff(diff) => {
                    assert_eq!(book.take_diff(&diff), DiffOutcome::Applied);
                }
                Message::Trade(trade) => {
                    let depth = book.depth().unwrap();
                    assert!(!trade.quantity.is_zero());
                    assert!(depth.best(trade.taker_side).is_some());
                    continue;
                }
                other @ (Message::AggregateTrade(_)
                | Message::ServerShutdown
                | Message::Response(_)
                | Message::BookTicker
                | Message::Unknown) => panic!("{other:?}"),
            }
            let depth = book.depth().unwrap();
            let bid = depth.best(Side::Buy).expect("a bid").price;
            let ask = depth.best(Side::Sell).expect("an ask").price;
            assert!(bid < ask, "{bid} is not below {ask} with tick {tick}");
            for side in [Side::Buy, Side::Sell] {
                assert_eq!(depth.levels(side).count(), 60);
            }
        }
    }
}

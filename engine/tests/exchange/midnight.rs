//! Days that end while the journal has no room are closed once it has, in order and never twice.

use std::time::Duration;

use shardbook_engine::day_closer::{Closed, DayCloser};
use shardbook_engine::record::decode_payload;
use shardbook_engine::time::Day;
use tokio::sync::watch;

use super::*;

const SYMBOLS: [&str; 3] = ["BTC-USD", "ETH-USD", "SOL-USD"];

const HOURS: u64 = 60 * 60;

fn start_by(clock: &TestClock, journal: &MemoryJournal) -> Exchange {
    let (mut setup, _) = setup(journal, 100);
    setup.clock = Arc::new(clock.clone());
    Exchange::start(setup).unwrap()
}

fn last_closed(exchange: &Exchange) -> [Option<Day>; 3] {
    SYMBOLS.map(|symbol| {
        handle(exchange, symbol)
            .market_data()
            .read()
            .last_closed_day()
    })
}

const fn day(number: u64) -> Day {
    Day::from_days_since_epoch(number)
}

/// The days that an instrument's records in the journal close, in their order.
fn closed_in(journal: &MemoryJournal, exchange: &Exchange, symbol: &str) -> Vec<Day> {
    let id = handle(exchange, symbol).instrument().id;
    let frames = journal.frames();
    let records = frames
        .iter()
        .flat_map(|frame| decode_payload(&frame.payload).unwrap());
    let of_instrument = records.filter(|record| record.instrument == id);
    let days = of_instrument.filter_map(|record| {
        let Command::CloseDay(day) = record.command else {
            return None;
        };
        Some(day)
    });
    days.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_end_while_the_journal_has_no_room_are_closed_once_it_has_over_a_restart_too() {
    let journal = MemoryJournal::default();
    let clock = TestClock::default();
    let exchange = start_by(&clock, &journal);
    let btc = handle(&exchange, "BTC-USD");
    journal.fill();
    let (responder, waits) = Responder::single();
    let order = place("a", Side::Buy, 100, 5);
    exchange.router().submit(&btc, order, responder).unwrap();
    until(|| !btc.has_room()).await;
    clock.forward(Duration::from_secs(49 * HOURS));
    let closer = DayCloser::new(Arc::clone(exchange.router()), Arc::new(clock.clone()));
    assert_eq!(closer.close_days().await, Closed::NotYet);
    assert_eq!(last_closed(&exchange), [None; 3]);

    let (closed, mut closes) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(closer.run(closed, stopped));
    journal.go_on();
    let told = closes.wait_for(|closed| *closed == Some(day(1))).await;
    drop(told.unwrap());
    assert_eq!(last_closed(&exchange), [Some(day(1)); 3]);
    assert!(matches!(waits.await.unwrap(), Ok(Answer::Placed(_))));
    stop.send(true).unwrap();
    running.await.unwrap();
    exchange.stop().await;

    clock.forward(Duration::from_secs(24 * HOURS));
    journal.fill();
    let exchange = start_by(&clock, &journal);
    let btc = handle(&exchange, "BTC-USD");
    until(|| !btc.has_room()).await;
    let closer = DayCloser::new(Arc::clone(exchange.router()), Arc::new(clock.clone()));
    assert_eq!(closer.close_days().await, Closed::NotYet);
    assert_eq!(last_closed(&exchange), [Some(day(1)); 3]);
    journal.go_on();
    until(|| btc.has_room()).await;
    for _ in 0..2 {
        assert_eq!(closer.close_days().await, Closed::Through(day(2)));
    }
    for symbol in SYMBOLS {
        let days = closed_in(&journal, &exchange, symbol);
        assert_eq!(days, [day(0), day(1), day(2)], "{symbol}");
    }
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_that_finds_the_disk_full_waits_for_room_and_nobody_sees_it_before() {
    let journal = MemoryJournal::default();
    let clock = TestClock::default();
    let exchange = start_by(&clock, &journal);
    let btc = handle(&exchange, "BTC-USD");
    // Nobody has noticed yet.
    journal.fill();
    assert!(btc.has_room());
    clock.forward(Duration::from_secs(25 * HOURS));
    let closer = DayCloser::new(Arc::clone(exchange.router()), Arc::new(clock.clone()));
    let closing = tokio::spawn({
        let closer = closer.clone();
        async move { closer.close_days().await }
    });
    until(|| !btc.has_room()).await;
    assert_eq!(last_closed(&exchange), [None; 3]);
    journal.go_on();
    // Whichever shards had not got theirs in before are asked again.
    closing.await.unwrap();
    until(|| btc.has_room()).await;
    assert_eq!(closer.close_days().await, Closed::Through(day(0)));
    for symbol in SYMBOLS {
        assert_eq!(closed_in(&journal, &exchange, symbol), [day(0)], "{symbol}");
    }
    exchange.stop().await;
}

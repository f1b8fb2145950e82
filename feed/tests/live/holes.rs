//! What was missed of trades and depth is had again, or counted as missing.

use shardbook_feed::status::{FeedState, SkipReason};

use crate::rig::{Rig, SYMBOL, config};
use crate::stand_in::Answer;
use crate::stand_in::market::{BookSide, Taker};

#[tokio::test]
async fn a_jump_in_the_trades_is_filled_from_the_newest_and_then_from_aggregates() {
    let mut rig = Rig::live().await;
    rig.server.state().newest_max = Some(4);
    rig.server.state().muted = true;
    rig.bought("0.1");
    // One taker's three trades.
    rig.sold("0.1");
    for _ in 0..2 {
        rig.server
            .market(SYMBOL, |market| market.fill(Taker::Sold, "0.2"));
    }
    for _ in 0..4 {
        rig.bought("0.3");
    }
    rig.server.state().muted = false;
    rig.sold("0.4");
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!((counts.gaps, counts.trades_missed), (0, 0));
    assert_eq!(counts.trades_filled, 8);
    let tape = rig.exchange.tapes(&rig.instrument);
    assert!(
        tape.iter()
            .any(|tape| tape.last_trade_id - tape.first_trade_id == 2),
        "the taker's three came as one"
    );
    let requests = rig.server.state().requests.clone();
    assert!(
        requests
            .iter()
            .any(|asked| asked == "/api/v3/trades?symbol=BTCUSDT&limit=1000")
    );
    let aggregates: Vec<&String> = requests
        .iter()
        .filter(|asked| asked.starts_with("/api/v3/aggTrades?symbol=BTCUSDT&limit=1000&startTime="))
        .collect();
    assert_eq!(aggregates.len(), 1);
    assert!(aggregates[0].contains("&endTime="));
}

#[tokio::test]
async fn what_can_not_be_had_is_a_gap_and_the_tape_goes_on() {
    let mut rig = Rig::live().await;
    rig.server.state().muted = true;
    rig.bought("0.1");
    rig.sold("0.1");
    {
        let mut state = rig.server.state();
        state.muted = false;
        for _ in 0..6 {
            state.answers.push_back(Answer::Status(500, None));
        }
    }
    // Three tries for each way to have them.
    let last = rig.sold("0.4");
    rig.until("the trade behind the hole", |rig| {
        rig.exchange.tape(&rig.instrument).last_trade_id == last
    })
    .await;
    let requests = rig.server.state().requests.clone();
    assert!(
        rig.server.state().answers.is_empty(),
        "{requests:?} {:?}",
        rig.counts()
    );
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!((counts.gaps, counts.trades_missed), (1, 2));
}

#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_is_not_asked_for_trades() {
    let mut rig = Rig::live().await;
    rig.server
        .state()
        .answers
        .push_back(Answer::Status(429, Some(60)));
    let asked = rig.server.state().requests.len();
    rig.server.state().muted = true;
    rig.bought("0.1");
    rig.server.state().muted = false;
    let last = rig.sold("0.4");
    rig.until("the trade behind the hole", |rig| {
        rig.exchange.tape(&rig.instrument).last_trade_id == last
    })
    .await;
    assert_eq!(rig.server.state().requests.len(), asked + 1);
    assert_eq!(rig.counts().trades_missed, 1);
    rig.quiet().await;
}

#[tokio::test]
async fn a_gap_in_the_depth_starts_the_book_over() {
    let mut rig = Rig::live().await;
    rig.server.state().muted = true;
    rig.depth(BookSide::Asks, "100.01", "0");
    rig.server.state().muted = false;
    rig.depth(BookSide::Asks, "100.03", "1");
    rig.until("the gap is seen", |rig| rig.counts().gaps == 1)
        .await;
    rig.quiet().await;
    assert_eq!(rig.counts().reconnects, 0);
}

#[tokio::test]
async fn a_snapshot_from_before_the_first_diff_is_asked_for_again() {
    let mut rig = Rig::live().await;
    let stale = rig
        .server
        .market(SYMBOL, |market| market.snapshot(5_000).to_string());
    {
        let mut state = rig.server.state();
        state.answers.push_back(Answer::Status(503, None));
        state
            .answers
            .push_back(Answer::Body("depth", stale.clone()));
        state.answers.push_back(Answer::Body("depth", stale));
        state
            .answers
            .push_back(Answer::Body("depth", String::from("{}")));
    }
    rig.server.state().muted = true;
    rig.depth(BookSide::Asks, "100.01", "0");
    rig.quiet().await;
    assert!(rig.server.state().answers.is_empty());
    assert_eq!(rig.counts().gaps, 1);
}

#[tokio::test]
async fn a_start_fills_what_was_missed_while_down_from_the_newest_trades_and_asks_no_further() {
    let mut rig = Rig::live().await;
    let exchange = rig.exchange.clone();
    let server = rig.server.clone();
    rig.feed.stop().await;
    while server.state().open().count() > 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..6 {
        server.trade(SYMBOL, Taker::Bought, "0.1");
    }
    server.state().newest_max = Some(4);
    server.state().requests.clear();
    let feed = shardbook_feed::feed::Feed::start(
        config(&server),
        vec![rig.instrument.clone()],
        exchange.clone(),
    )
    .await
    .unwrap();
    assert_eq!(
        exchange.best(&rig.instrument),
        [None, None],
        "a start withdraws what an earlier one mirrored"
    );
    rig.status = feed.status();
    rig.feed = feed;
    rig.subscribed().await;
    rig.sold("0.2");
    rig.until("the hole is closed", |rig| rig.counts().gaps == 1)
        .await;
    rig.quiet().await;
    let counts = rig.counts();
    // The newest four were three of the six, and the one that told of the hole.
    assert_eq!(counts.trades_filled, 3);
    assert_eq!((counts.gaps, counts.trades_missed), (1, 3));
    let requests = rig.server.state().requests.clone();
    assert!(!requests.iter().any(|asked| asked.contains("aggTrades")));
}

#[tokio::test]
async fn trades_and_aggregates_of_one_symbol_come_in_once_whichever_is_first() {
    let mut rig = Rig::live().await;
    let aggregate = |rig: &Rig| {
        let event = rig.server.market(SYMBOL, |market| market.last_aggregate());
        rig.server.publish("btcusdt@trade", event);
    };
    // The trades first.
    rig.bought("0.1");
    let (_, event) = rig
        .server
        .market(SYMBOL, |market| market.fill(Taker::Bought, "0.2"));
    rig.server.publish("btcusdt@trade", event);
    aggregate(&rig);
    // The aggregate first.
    rig.server.state().muted = true;
    rig.sold("0.3");
    let (_, event) = rig
        .server
        .market(SYMBOL, |market| market.fill(Taker::Sold, "0.4"));
    rig.server.state().muted = false;
    aggregate(&rig);
    rig.server.publish("btcusdt@trade", event);
    // The aggregate in between.
    rig.bought("0.5");
    let (_, event) = rig
        .server
        .market(SYMBOL, |market| market.fill(Taker::Bought, "0.6"));
    aggregate(&rig);
    rig.server.publish("btcusdt@trade", event);
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!(counts.skipped(SkipReason::SentBefore), 2);
    assert_eq!(counts.skipped(SkipReason::Overlaps), 1);
    assert_eq!((counts.gaps, counts.trades_filled), (0, 0));
}

#[tokio::test]
async fn what_is_sent_twice_comes_in_once() {
    let mut rig = Rig::live().await;
    rig.bought("0.5");
    rig.depth(BookSide::Asks, "100.01", "9");
    rig.sold("0.25");
    rig.server.publish_again(3);
    rig.server.cut();
    rig.state(FeedState::Down).await;
    rig.subscribed().await;
    rig.server.publish_again(50);
    rig.quiet().await;
    let counts = rig.counts();
    assert!(counts.skipped(SkipReason::SentBefore) >= 5, "{counts:?}");
    assert_eq!((counts.gaps, counts.trades_missed), (0, 0));
}

//! One misbehaviour after another.

use std::time::Duration;

use serde_json::json;
use shardbook_engine::answer::Answer as Answered;
use shardbook_engine::command::Command;
use shardbook_feed::status::{FeedState, SkipReason};

use crate::rig::{Rig, SYMBOL, skip};
use crate::stand_in::market::{BookSide, Taker};

#[tokio::test]
async fn a_connection_cut_without_a_word_is_made_anew_and_what_was_missed_is_filled() {
    let mut rig = Rig::live().await;
    rig.server.cut();
    rig.state(FeedState::Down).await;
    // These no one hears.
    rig.bought("0.3");
    rig.sold("0.2");
    rig.depth(BookSide::Asks, "100.01", "7");
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!(counts.reconnects, 1);
    assert_eq!((counts.gaps, counts.trades_missed), (0, 0));
    assert!(counts.trades_filled >= 2);
    assert_eq!(rig.status.borrow().state, FeedState::Live);
}

#[tokio::test]
async fn a_closed_connection_is_made_anew() {
    let mut rig = Rig::live().await;
    for again in 1..=3 {
        rig.server.close(0);
        rig.until("another connection", |rig| {
            rig.server.connections() == again + 1
        })
        .await;
        rig.quiet().await;
    }
    assert_eq!(rig.counts().reconnects, 3);
}

#[tokio::test]
async fn a_silent_server_loses_first_the_mirror_and_then_the_connection() {
    let mut rig = Rig::live().await;
    skip(Duration::from_secs(31)).await;
    rig.until("the mirror is withdrawn", |rig| {
        rig.exchange.best(&rig.instrument) == [None, None]
    })
    .await;
    rig.state(FeedState::Down).await;
    assert_eq!(rig.server.connections(), 1);
    skip(Duration::from_secs(30)).await;
    rig.until("another connection", |rig| rig.server.connections() == 2)
        .await;
    rig.quiet().await;
    assert_eq!(rig.counts().reconnects, 1);
}

#[tokio::test]
async fn a_server_that_only_pings_lives_for_a_while_and_is_given_up_then() {
    let mut rig = Rig::live().await;
    for minute in 1..=16 {
        skip(Duration::from_secs(19)).await;
        let payload = format!("ping {minute}");
        rig.server.ping(payload.as_bytes());
        rig.until("a pong that copies the ping, or a new connection", |rig| {
            let state = rig.server.state();
            let connections = &state.connections;
            connections.len() > 1
                || connections[0].pongs.last() == Some(&payload.clone().into_bytes())
        })
        .await;
        if minute <= 15 {
            assert_eq!(rig.server.connections(), 1, "pings are a sign of life");
        }
    }
    rig.until("another connection", |rig| rig.server.connections() == 2)
        .await;
    rig.quiet().await;
}

#[tokio::test]
async fn what_is_no_message_is_counted_and_skipped() {
    let mut rig = Rig::live().await;
    let bad = [
        "garbage",
        "{",
        "null",
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":"x"}}"#,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":18446744073709551615,"p":"1","q":"1","T":1,"m":true}}"#,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":9000,"p":"-1","q":"1","T":1,"m":true}}"#,
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":9,"u":8,"b":[],"a":[]}}"#,
    ];
    for text in bad {
        rig.server.say(text);
    }
    rig.server.say_binary(b"\x00\x01");
    let unknown = [
        r#"{"e":"somethingNew"}"#,
        r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{}}}"#,
    ];
    for text in unknown {
        rig.server.say(text);
    }
    rig.server
        .say(r#"{"stream":"dogeusdt@trade","data":{"e":"trade","E":1,"s":"DOGEUSDT","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}}"#);
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!(counts.skipped(SkipReason::BadMessage), 8);
    assert_eq!(counts.skipped(SkipReason::UnknownEvent), 2);
    assert_eq!(counts.skipped(SkipReason::UnmappedSymbol), 1);
    assert_eq!(counts.reconnects, 0);
    assert_eq!(rig.server.connections(), 1);
}

#[tokio::test]
async fn fields_of_the_futures_market_do_no_harm() {
    let mut rig = Rig::live().await;
    let (_, mut event) = rig
        .server
        .market(SYMBOL, |market| market.fill(Taker::Sold, "0.25"));
    event["X"] = json!("MARKET");
    event["ps"] = json!("BTCUSDT");
    event["nested"] = json!({"a": [1, 2]});
    rig.server.publish("btcusdt@trade", event);
    let mut diff = rig.server.market(SYMBOL, |market| {
        market.set(BookSide::Bids, "99.97", "3");
        market.diff().unwrap()
    });
    diff["pu"] = json!(1);
    diff["T"] = json!(1);
    rig.server.publish("btcusdt@depth@100ms", diff);
    rig.quiet().await;
    assert_eq!(rig.counts().skipped.len(), 0);
}

#[tokio::test]
async fn before_the_server_shuts_down_a_new_connection_stands_and_nothing_is_missed() {
    let mut rig = Rig::live().await;
    rig.server.announce_shutdown();
    rig.until("a second connection beside the first", |rig| {
        rig.server.state().open().count() == 2
    })
    .await;
    // What comes meanwhile comes twice.
    rig.bought("0.5");
    rig.depth(BookSide::Asks, "100.01", "4");
    rig.until("the first connection is let go", |rig| {
        rig.sold("0.00002");
        rig.server.state().open().count() == 1
    })
    .await;
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!(counts.reconnects, 1);
    assert_eq!((counts.gaps, counts.trades_filled), (0, 0));
    let requests = rig.server.state().requests.clone();
    let snapshots = requests.iter().filter(|asked| asked.contains("depth"));
    assert_eq!(snapshots.count(), 1, "the book goes on: {requests:?}");
}

#[tokio::test]
async fn a_connection_is_replaced_before_it_is_a_day_old() {
    let mut rig = Rig::live().await;
    // The market is quiet but for a trade now and then.
    for _ in 0..24 * 60 {
        skip(Duration::from_secs(55)).await;
        let last = rig.bought("0.00001");
        rig.until("a sign of life", |rig| {
            rig.exchange.tape(&rig.instrument).last_trade_id == last
        })
        .await;
    }
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!((counts.gaps, counts.trades_filled), (0, 0));
    assert_eq!(counts.reconnects, 0);
    for _ in 0..100 {
        skip(Duration::from_secs(55)).await;
        let last = rig.bought("0.00001");
        rig.until("a sign of life", |rig| {
            rig.exchange.tape(&rig.instrument).last_trade_id == last
        })
        .await;
    }
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!((counts.gaps, counts.trades_filled), (0, 0));
    assert_eq!(counts.reconnects, 1);
    assert_eq!(rig.server.connections(), 2);
}

#[tokio::test]
async fn a_shutdown_that_comes_at_once_is_survived() {
    let mut rig = Rig::live().await;
    rig.server.announce_shutdown();
    rig.server.close(0);
    rig.until("another connection", |rig| rig.server.connections() == 2)
        .await;
    rig.quiet().await;
    assert_eq!(rig.counts().reconnects, 1);
}

#[tokio::test]
async fn quantities_below_a_lot_and_prices_off_the_tick_are_left_out_and_counted() {
    let mut rig = Rig::live().await;
    rig.bought("0.000001");
    rig.sold("0.500004");
    rig.server.market(SYMBOL, |market| {
        market.set(BookSide::Bids, "99.995", "1");
        market.set(BookSide::Bids, "99.97", "0.000009");
        market.set(BookSide::Asks, "100.011", "1");
        market.set(BookSide::Asks, "100.03", "2.000009");
    });
    rig.server.publish_depth(SYMBOL);
    rig.quiet().await;
    let counts = rig.counts();
    assert_eq!(counts.skipped(SkipReason::QuantityBelowLot), 2);
    assert_eq!(counts.skipped(SkipReason::RemainderBelowLot), 1);
    assert_eq!(counts.skipped(SkipReason::PriceOffTick), 2);
    assert_eq!((counts.gaps, counts.trades_missed), (0, 0));
}

#[tokio::test]
async fn a_halted_instrument_counts_its_trades_and_once_resumed_is_mirrored_again() {
    let mut rig = Rig::live().await;
    let id = rig.instrument.id;
    assert!(matches!(
        rig.exchange.apply(id, Command::Halt),
        Answered::Applied
    ));
    assert_eq!(rig.exchange.best(&rig.instrument), [None, None]);
    for _ in 0..3 {
        rig.bought("0.5");
        rig.depth(BookSide::Asks, "100.01", "4");
    }
    rig.until("the trades are counted", |rig| {
        rig.counts().skipped(SkipReason::IgnoredByExchange) == 3
    })
    .await;
    assert_eq!(rig.exchange.best(&rig.instrument), [None, None]);
    assert!(matches!(
        rig.exchange.apply(id, Command::Resume),
        Answered::Applied
    ));
    // Though no diff comes.
    rig.until("the mirror is back", |rig| {
        rig.mirror() == rig.expected_mirror()
    })
    .await;
    rig.quiet().await;
    assert_eq!(rig.counts().skipped(SkipReason::IgnoredByExchange), 3);
}

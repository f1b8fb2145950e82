//! Instruments that come while the feed runs, and recordings made of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use shardbook_engine::time::SystemClock;
use shardbook_feed::feed::{Feed, FeedConfig};
use shardbook_feed::record::{RecordConfig, RecordTotals, record};
use shardbook_feed::source::{FileSource, Pace, Source};
use shardbook_feed::status::FeedState;
use tokio::sync::watch;

use crate::exchange::{Exchange, bitcoin, ether};
use crate::rig::{LEVELS, Rig, SYMBOL};
use crate::stand_in::StandIn;
use crate::stand_in::market::{BookSide, Taker};

#[tokio::test]
async fn an_instrument_added_later_is_subscribed_to_on_the_connection_that_stands() {
    let server = StandIn::start(&[SYMBOL, "ETHUSDT"]).await;
    let exchange = Exchange::new(&[bitcoin(), ether()]);
    let mut rig = Rig::over(server, exchange).await;
    rig.feed.handle().add(ether()).await;
    // Twice is once.
    let mut unmapped = (*ether()).clone();
    unmapped.binance_symbol = None;
    rig.feed.handle().add(unmapped.into()).await;
    rig.until("a subscription", |rig| {
        let state = rig.server.state();
        state.connections[0].streams.contains("ethusdt@trade")
            && state.connections[0].streams.contains("ethusdt@depth@100ms")
    })
    .await;
    rig.server.market("ETHUSDT", |market| {
        market.set(BookSide::Bids, "10.00", "5");
        market.set(BookSide::Asks, "11.00", "6");
    });
    rig.server.publish_depth("ETHUSDT");
    rig.server.trade("ETHUSDT", Taker::Sold, "0.5");
    rig.until("its book and its trade", |rig| {
        rig.exchange.best(&ether()).iter().all(Option::is_some)
            && rig.exchange.tape(&ether()).sold == 5_000
    })
    .await;
    assert_eq!(rig.server.connections(), 1);
    assert_eq!(rig.counts().reconnects, 0);
}

/// What comes of a file.
async fn played(path: PathBuf) -> Exchange {
    let exchange = Exchange::new(&[bitcoin()]);
    let config = FeedConfig {
        source: Source::File(FileSource {
            path,
            symbol: None,
            pace: Pace::Max,
        }),
        liquidity_levels: LEVELS,
    };
    let feed = Feed::start(config, vec![bitcoin()], exchange.clone())
        .await
        .unwrap();
    let mut status = feed.status();
    status
        .wait_for(|status| status.state == FeedState::Finished)
        .await
        .unwrap();
    feed.stop().await;
    exchange
}

#[tokio::test]
async fn what_is_recorded_plays_to_the_same_book_and_tape() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["recorded.lines", "recorded.lines.gz"] {
        let out = folder.path().join(name);
        let mut rig = Rig::live().await;
        let (progress, totals) = watch::channel(RecordTotals::default());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let config = RecordConfig {
            websocket_url: rig.server.websocket_url.clone(),
            rest_url: rig.server.rest_url.clone(),
            symbols: BTreeSet::from([SYMBOL.to_owned()]),
            out: out.clone(),
        };
        let recording = tokio::spawn(async move {
            let stop = async { drop(stopped.await) };
            record(config, &SystemClock, &progress, stop).await
        });
        rig.until("a second subscribed connection", |rig| {
            let state = rig.server.state();
            state.connections.len() == 2 && !state.connections[1].control.is_empty()
        })
        .await;
        let first = rig.sold("0.3");
        rig.depth(BookSide::Bids, "99.98", "4");
        rig.until("a snapshot in the file", |rig| {
            // A diff asks for it, as it would come anyway.
            rig.depth(BookSide::Bids, "99.00", "1");
            totals.borrow().snapshots == 1
        })
        .await;
        // Garbage is recorded too, on its own line.
        rig.server.say("not\na message");
        rig.quiet().await;
        let last = rig.bought("0.2");
        rig.until("the last trade", |rig| {
            rig.exchange.tape(&rig.instrument).last_trade_id == last
        })
        .await;
        let seen = totals.borrow().messages;
        rig.server.say("the end");
        rig.until("everything is recorded", |_| {
            totals.borrow().messages > seen
        })
        .await;
        stop.send(()).unwrap();
        recording.await.unwrap().unwrap();

        let exchange = played(out).await;
        let tapes = exchange.tapes(&bitcoin());
        let live: Vec<_> = rig
            .exchange
            .tapes(&bitcoin())
            .into_iter()
            .filter(|tape| tape.first_trade_id >= first)
            .collect();
        assert_eq!(tapes, live, "{name}");
        rig.exchange = exchange;
        assert_eq!(rig.mirror(), rig.expected_mirror(), "{name}");
    }
}

//! The feed as a whole, delivering to real shards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "support/exchange.rs"]
mod exchange;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Exchange, bitcoin, ether};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_decimal::Decimal;
use serde::Deserialize;
use shardbook_engine::command::FeedSource;
use shardbook_engine::instrument::Instrument;
use shardbook_feed::feed::{Feed, FeedConfig, StartError};
use shardbook_feed::source::{BinanceSource, FileSource, Pace, SimulatedSource, Source};
use shardbook_feed::status::{FeedState, FeedStatus, SkipReason};

/// What the samples' own script says that a right replay gives.
#[derive(Deserialize)]
struct Expected {
    trades: u64,
    bought: String,
    sold: String,
    diffs_applied: u64,
    best_bid: [String; 2],
    best_ask: [String; 2],
    bad_lines: u64,
    bad_messages: u64,
    unknown_events: u64,
    lines: u64,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

fn samples() -> PathBuf {
    fixtures().join("binance_samples.lines")
}

fn expected() -> Expected {
    let text = std::fs::read_to_string(fixtures().join("binance_samples.expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn file(path: PathBuf, pace: Pace) -> FeedConfig {
    FeedConfig {
        source: Source::File(FileSource {
            path,
            symbol: None,
            pace,
        }),
        liquidity_levels: 1_000,
    }
}

/// Plays a file to its end.
async fn play(
    config: FeedConfig,
    exchange: &Exchange,
    instruments: Vec<Arc<Instrument>>,
) -> FeedStatus {
    let feed = Feed::start(config, instruments, exchange.clone())
        .await
        .unwrap();
    let mut status = feed.status();
    let status = status
        .wait_for(|status| status.state == FeedState::Finished)
        .await
        .unwrap()
        .clone();
    feed.stop().await;
    status
}

fn sequence(exchange: &Exchange, instrument: &Instrument) -> u64 {
    exchange.books()[&instrument.id].shard.sequence().get()
}

/// So many units of this size, which it must be exactly.
fn units(text: &str, per_one: u64) -> u64 {
    let units = text.parse::<Decimal>().unwrap() * Decimal::from(per_one);
    assert!(units.fract().is_zero());
    u64::try_from(units).unwrap()
}

fn lots(quantity: &str) -> u64 {
    units(quantity, 100_000)
}

fn ticks(price: &str) -> u64 {
    units(price, 100)
}

#[tokio::test]
async fn a_file_comes_to_what_it_holds_and_playing_it_again_to_nothing_more() {
    let bitcoin = bitcoin();
    let exchange = Exchange::new(&[bitcoin.clone(), ether()]);
    let expected = expected();
    let status = play(
        file(samples(), Pace::Max),
        &exchange,
        vec![ether(), bitcoin.clone()],
    )
    .await;
    let counts = &status.counts;
    assert_eq!(counts.messages, expected.lines);
    assert_eq!(counts.trades, expected.trades);
    // One for each diff: the first was buffered and comes in with the snapshot.
    assert_eq!(
        counts.mirror_updates + counts.mirror_unchanged,
        expected.diffs_applied
    );
    assert_eq!(counts.gaps, 0);
    let skipped: Vec<(SkipReason, u64)> = counts.skipped.clone().into_iter().collect();
    assert_eq!(
        skipped,
        [
            (SkipReason::BadLine, expected.bad_lines),
            (SkipReason::BadMessage, expected.bad_messages),
            (SkipReason::UnknownEvent, expected.unknown_events),
            (SkipReason::QuantityBelowLot, 1),
            // An aggregate of trades from long before.
            (SkipReason::SentBefore, 1),
        ]
    );
    let progress = status.progress.unwrap();
    assert_eq!(progress.bytes_read, progress.bytes_total);
    let tape = exchange.tape(&bitcoin);
    assert_eq!(tape.orders, expected.trades);
    assert_eq!(tape.bought, lots(&expected.bought));
    assert_eq!(tape.sold, lots(&expected.sold));
    let best = [expected.best_bid, expected.best_ask]
        .map(|[price, quantity]| Some((ticks(&price), u128::from(lots(&quantity)))));
    assert_eq!(exchange.best(&bitcoin), best);

    let first = sequence(&exchange, &bitcoin);
    let again = play(file(samples(), Pace::Max), &exchange, vec![bitcoin.clone()]).await;
    assert_eq!(
        sequence(&exchange, &bitcoin),
        first,
        "nothing is taken in twice"
    );
    assert_eq!(exchange.best(&bitcoin), best);
    assert_eq!(again.counts.trades, 0);
    assert_eq!(
        again.counts.skipped(SkipReason::IgnoredByExchange),
        expected.trades
    );
}

#[tokio::test(start_paused = true)]
async fn a_gzipped_file_at_its_own_pace_comes_to_the_same() {
    let bitcoin = bitcoin();
    let mut gzipped = tempfile::NamedTempFile::new().unwrap();
    let mut encoder = GzEncoder::new(&mut gzipped, Compression::fast());
    encoder
        .write_all(&std::fs::read(samples()).unwrap())
        .unwrap();
    encoder.finish().unwrap();
    let fast = Exchange::new(from_ref(&bitcoin));
    play(file(samples(), Pace::Max), &fast, vec![bitcoin.clone()]).await;
    let paced = Exchange::new(from_ref(&bitcoin));
    let start = tokio::time::Instant::now();
    play(
        file(gzipped.path().to_owned(), Pace::Times(2.0)),
        &paced,
        vec![bitcoin.clone()],
    )
    .await;
    // 60 steps of 100 ms, at twice their speed.
    let took = start.elapsed();
    assert!(
        (Duration::from_millis(2_900)..Duration::from_millis(3_100)).contains(&took),
        "{took:?}"
    );
    assert_eq!(paced.tape(&bitcoin), fast.tape(&bitcoin));
    assert_eq!(paced.best(&bitcoin), fast.best(&bitcoin));
}

#[tokio::test]
async fn without_liquidity_a_file_is_its_tape_alone() {
    let bitcoin = bitcoin();
    let exchange = Exchange::new(from_ref(&bitcoin));
    let config = FeedConfig {
        liquidity_levels: 0,
        ..file(samples(), Pace::Max)
    };
    let status = play(config, &exchange, vec![bitcoin.clone()]).await;
    assert_eq!(status.counts.trades, expected().trades);
    assert_eq!(exchange.best(&bitcoin), [None, None]);
}

#[tokio::test]
async fn a_file_that_can_not_be_played_stops_the_start() {
    let exchange = Exchange::new(&[ether()]);
    let unmapped = Feed::start(file(samples(), Pace::Max), vec![ether()], exchange.clone()).await;
    match unmapped {
        Err(error @ StartError::UnmappedSymbol { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("BTCUSDT") && text.contains("ETHUSDT"),
                "{text}"
            );
        }
        Ok(_) | Err(_) => panic!("the symbol is not mapped"),
    }
    let missing = file(PathBuf::from("/no such file"), Pace::Max);
    let missing = Feed::start(missing, vec![bitcoin()], exchange).await;
    assert!(matches!(missing, Err(StartError::File(_))));
}

/// An exchange that mirrors what the samples hold.
async fn mirroring(bitcoin: &Arc<Instrument>) -> Exchange {
    let exchange = Exchange::new(from_ref(bitcoin));
    play(file(samples(), Pace::Max), &exchange, vec![bitcoin.clone()]).await;
    assert!(exchange.best(bitcoin).iter().all(Option::is_some));
    exchange
}

#[tokio::test]
async fn a_start_without_a_feed_withdraws_what_an_earlier_one_mirrored() {
    let bitcoin = bitcoin();
    let exchange = mirroring(&bitcoin).await;
    let config = FeedConfig {
        source: Source::Off,
        liquidity_levels: 1_000,
    };
    let feed = Feed::start(config, vec![bitcoin.clone()], exchange.clone())
        .await
        .unwrap();
    assert_eq!(feed.status().borrow().state, FeedState::Off);
    assert_eq!(exchange.best(&bitcoin), [None, None]);
    feed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_network_the_mirror_is_withdrawn_and_the_feed_keeps_trying() {
    let bitcoin = bitcoin();
    let exchange = mirroring(&bitcoin).await;
    let config = FeedConfig {
        source: Source::Binance(BinanceSource {
            // A port that nothing listens on.
            websocket_url: String::from("ws://127.0.0.1:1"),
            rest_url: String::from("http://127.0.0.1:1"),
            silence_max: Duration::from_secs(30),
        }),
        liquidity_levels: 1_000,
    };
    let feed = Feed::start(config, vec![bitcoin.clone()], exchange.clone())
        .await
        .unwrap();
    assert_eq!(exchange.best(&bitcoin), [None, None]);
    let mut status = feed.status();
    status
        .wait_for(|status| status.state == FeedState::Down)
        .await
        .unwrap();
    // Still down after an hour, and still there to be stopped.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(status.borrow().state, FeedState::Down);
    feed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_market_trades_on_every_instrument_until_it_is_stopped() {
    let bitcoin = bitcoin();
    let mut unmapped = (*ether()).clone();
    unmapped.binance_symbol = None;
    let instruments = [bitcoin.clone(), Arc::new(unmapped)];
    let both = Exchange::new(&instruments);
    let config = FeedConfig {
        source: Source::Simulated(SimulatedSource::default()),
        liquidity_levels: 50,
    };
    let feed = Feed::start(config, instruments.to_vec(), both.clone())
        .await
        .unwrap();
    let mut status = feed.status();
    status
        .wait_for(|status| status.counts.trades >= 100)
        .await
        .unwrap();
    feed.stop().await;
    let status = status.borrow();
    assert_eq!(status.state, FeedState::Live);
    assert_eq!(status.counts.skipped.len(), 0);
    for instrument in &instruments {
        assert!(both.tape(instrument).orders > 10);
        assert!(both.best(instrument).iter().all(Option::is_some));
        let source = both.books()[&instrument.id].shard.mirror_source();
        assert_eq!(source, Some(FeedSource::Simulated));
    }
}

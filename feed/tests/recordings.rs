//! The feed against real recordings of Binance's streams, which are not part of the project:
//! they are looked for in `SHARDBOOK_RECORDINGS`, or in `../shared/data` beside the checkout, and
//! the tests say so where they are not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "support/exchange.rs"]
mod exchange;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchange::{Exchange, TapeTotals, bitcoin, ether};
use rust_decimal::Decimal;
use serde::Deserialize;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::side::Side;
use shardbook_feed::feed::{Feed, FeedConfig};
use shardbook_feed::local_book::{DiffOutcome, LocalBook, SnapshotOutcome};
use shardbook_feed::message::{Level, Message};
use shardbook_feed::source::{FileSource, Pace, Source};
use shardbook_feed::status::FeedState;

/// The recording of this name, if recordings stand here.
fn recording(name: &str) -> Option<PathBuf> {
    recording_in("binance_spot_ws", name)
}

/// The same in another folder of them.
fn recording_in(folder: &str, name: &str) -> Option<PathBuf> {
    let directory = std::env::var_os("SHARDBOOK_RECORDINGS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = directory.join(folder).join(name);
    if path.exists() {
        return Some(path);
    }
    // Past the test harness, which keeps to itself what a passing test prints.
    let said = format!("NOT CHECKED: there is no recording {}\n", path.display());
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    None
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The best prices, as `@bookTicker` says them.
#[derive(Deserialize)]
struct Ticker {
    u: u64,
    b: String,
    #[serde(rename = "B")]
    bid_quantity: String,
    a: String,
    #[serde(rename = "A")]
    ask_quantity: String,
}

#[derive(Deserialize)]
struct TickerLine {
    data: Ticker,
}

/// A recording's messages as text.
fn messages(path: &Path) -> impl Iterator<Item = String> {
    let file = std::fs::File::open(path).unwrap();
    BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .map(|line| line.unwrap().split_once(' ').unwrap().1.to_owned())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct BookCounts {
    dropped: usize,
    applied: usize,
    crossed: usize,
    equal_to_ticker: usize,
    different_from_ticker: usize,
}

/// Follows a recording's depth and compares the best prices after every update.
fn follow(path: &Path) -> (BookCounts, LocalBook) {
    let mut tickers = BTreeMap::new();
    let mut book = LocalBook::new();
    let mut counts = BookCounts::default();
    for text in messages(path) {
        match Message::parse(&text).unwrap() {
            Message::DepthSnapshot(snapshot) => match book.take_snapshot(&snapshot) {
                SnapshotOutcome::Begun { dropped, applied } => {
                    counts.dropped += dropped;
                    counts.applied += applied;
                    // One buffered diff at most goes beyond the snapshot in these recordings, so
                    // the book is seen after every one.
                    assert!(applied <= 1);
                    if applied == 1 {
                        compare(&book, &tickers, &mut counts);
                    }
                }
                SnapshotOutcome::TooOld | SnapshotOutcome::NotNeeded => panic!("no snapshot"),
            },
            Message::DepthDiff(diff) => match book.take_diff(&diff) {
                DiffOutcome::Applied => {
                    counts.applied += 1;
                    compare(&book, &tickers, &mut counts);
                }
                DiffOutcome::Buffered => {}
                DiffOutcome::Ignored | DiffOutcome::Gap => panic!("{diff:?} does not continue"),
            },
            Message::BookTicker => {
                // The feed has no use for it, so it is read here.
                let line: TickerLine = serde_json::from_str(&text).unwrap();
                tickers.insert(line.data.u, line.data);
            }
            Message::Trade(_) => {}
            other @ (Message::AggregateTrade(_)
            | Message::ServerShutdown
            | Message::Response(_)
            | Message::Unknown) => panic!("{other:?}"),
        }
    }
    (counts, book)
}

fn compare(book: &LocalBook, tickers: &BTreeMap<u64, Ticker>, counts: &mut BookCounts) {
    let depth = book.depth().unwrap();
    let bid = depth.best(Side::Buy).unwrap();
    let ask = depth.best(Side::Sell).unwrap();
    counts.crossed += usize::from(bid.price >= ask.price);
    let Some((_, ticker)) = tickers.range(..=depth.update_id()).next_back() else {
        return;
    };
    let said = [
        &ticker.b,
        &ticker.bid_quantity,
        &ticker.a,
        &ticker.ask_quantity,
    ]
    .map(|text| decimal(text));
    if said == [bid.price, bid.quantity, ask.price, ask.quantity] {
        counts.equal_to_ticker += 1;
    } else {
        counts.different_from_ticker += 1;
    }
}

#[test]
fn the_local_book_has_the_best_prices_that_binance_says() {
    let level = |price, quantity| {
        Some(Level {
            price: decimal(price),
            quantity: decimal(quantity),
        })
    };
    let cases = [
        (
            "btcusdt_20240808.gz",
            3_449,
            level("61685.99", "1.0087"),
            level("61686.00", "2.29327"),
        ),
        (
            "ethusdt_20240808.gz",
            3_432,
            level("2682.50", "3.3168"),
            level("2682.51", "48.9739"),
        ),
    ];
    for (name, applied, bid, ask) in cases {
        let Some(path) = recording(name) else {
            continue;
        };
        let (counts, book) = follow(&path);
        assert_eq!(
            counts,
            BookCounts {
                dropped: 2,
                applied,
                crossed: 0,
                equal_to_ticker: applied,
                different_from_ticker: 0,
            },
            "{name}"
        );
        let depth = book.depth().unwrap();
        assert_eq!(depth.best(Side::Buy), bid);
        assert_eq!(depth.best(Side::Sell), ask);
    }
}

/// Plays a recording into a real shard, twice, and compares what came of it.
async fn play_twice(
    name: &str,
    instrument: Arc<Instrument>,
    tape: TapeTotals,
    updates: u64,
    best: [&str; 2],
) {
    let Some(path) = recording(name) else {
        return;
    };
    let exchange = Exchange::new(std::slice::from_ref(&instrument));
    let best = best.map(|price| u64::try_from(decimal(price) * Decimal::from(100)).unwrap());
    for trades in [tape.orders, 0] {
        let config = FeedConfig {
            source: Source::File(FileSource {
                path: path.clone(),
                symbol: None,
                pace: Pace::Max,
            }),
            liquidity_levels: 1_000,
        };
        let feed = Feed::start(config, vec![instrument.clone()], exchange.clone())
            .await
            .unwrap();
        let mut status = feed.status();
        let counts = status
            .wait_for(|status| status.state == FeedState::Finished)
            .await
            .unwrap()
            .counts
            .clone();
        feed.stop().await;
        assert_eq!(counts.trades, trades);
        assert_eq!(counts.gaps, 0);
        if trades > 0 {
            assert_eq!(counts.mirror_updates + counts.mirror_unchanged, updates);
        } else {
            assert_eq!(counts.mirror_updates, 0);
        }
        assert_eq!(exchange.tape(&instrument), tape);
        let mirrored = exchange
            .best(&instrument)
            .map(|best| best.expect("both sides").0);
        assert_eq!(mirrored, best);
    }
}

/// What the recordings' own description says of the tapes.
const BITCOINS_TAPE: TapeTotals = TapeTotals {
    orders: 9_757,
    bought: 9_665_118,
    sold: 11_538_197,
    first_trade_id: 3_735_683_259,
    last_trade_id: 3_735_693_015,
};

const ETHERS_TAPE: TapeTotals = TapeTotals {
    orders: 6_106,
    bought: 9_530_359,
    sold: 13_082_790,
    first_trade_id: 1_520_538_925,
    last_trade_id: 1_520_545_030,
};

#[tokio::test]
async fn bitcoins_tape_and_depth_come_in_whole_and_once() {
    let best = ["61685.99", "61686.00"];
    // A diff each: the first comes in with the snapshot.
    play_twice("btcusdt_20240808.gz", bitcoin(), BITCOINS_TAPE, 3_449, best).await;
}

#[tokio::test]
async fn ethers_tape_and_depth_come_in_whole_and_once() {
    let best = ["2682.50", "2682.51"];
    // The snapshot, and a diff each.
    play_twice("ethusdt_20240808.gz", ether(), ETHERS_TAPE, 3_433, best).await;
}

/// Plays a dump of trades to its end.
async fn play_dump(name: &str, instrument: Arc<Instrument>, tape: TapeTotals) {
    let Some(path) = recording_in("binance_vision_derived", name) else {
        return;
    };
    let exchange = Exchange::new(std::slice::from_ref(&instrument));
    let config = FeedConfig {
        source: Source::File(FileSource {
            path,
            symbol: None,
            pace: Pace::Max,
        }),
        liquidity_levels: 1_000,
    };
    let feed = Feed::start(config, vec![instrument.clone()], exchange.clone())
        .await
        .unwrap();
    let mut status = feed.status();
    let counts = status
        .wait_for(|status| status.state == FeedState::Finished)
        .await
        .unwrap()
        .counts
        .clone();
    feed.stop().await;
    assert_eq!(counts.trades, tape.orders);
    assert_eq!((counts.gaps, counts.skipped.len()), (0, 0));
    assert_eq!(exchange.tape(&instrument), tape);
}

#[tokio::test]
async fn the_dumps_of_trades_come_to_the_same_as_the_streams() {
    let bitcoins = "BTCUSDT-trades-2024-08-08_last6min.derived.csv.gz";
    play_dump(bitcoins, bitcoin(), BITCOINS_TAPE).await;
    let ethers = "ETHUSDT-trades-2024-08-08_last6min.derived.csv.gz";
    play_dump(ethers, ether(), ETHERS_TAPE).await;
}

/// A symbol's book after all of a recording whose snapshot comes after the first diffs.
#[derive(Deserialize)]
struct Followed {
    dropped: usize,
    applied: usize,
    gaps: usize,
    r#final: [String; 4],
    levels: [usize; 2],
}

#[test]
fn local_books_begun_in_the_midst_of_the_diffs_end_as_they_should() {
    let folder = "binance_spot_snapshot_sync";
    let (Some(bodies), Some(stream), Some(expected)) = (
        recording_in(folder, "BINANCE.http.0.0"),
        recording_in(folder, "BINANCE.ws.1.0"),
        recording_in("expected", "binance_spot_snapshot_sync_BINANCE.json"),
    ) else {
        return;
    };
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let expected: BTreeMap<String, Followed> = serde_json::from_str(&read(expected)).unwrap();
    let bodies = read(bodies);
    let stream = read(stream);
    for (symbol, expected) in expected {
        let body = bodies
            .lines()
            .find(|line| line.contains(&format!("symbol={symbol}&")))
            .and_then(|line| line.split_once("-> "))
            .and_then(|(_, answer)| answer.split_once(": "))
            .unwrap()
            .1;
        let Message::DepthSnapshot(snapshot) = Message::parse(body).unwrap() else {
            panic!("{symbol} has no snapshot")
        };
        let mut book = LocalBook::new();
        let (mut dropped, mut applied, mut gaps) = (0, 0, 0);
        let diffs = stream
            .lines()
            .filter_map(|line| Message::parse(line.split_once(": ")?.1).ok())
            .filter_map(|message| match message {
                Message::DepthDiff(diff) if diff.symbol == symbol => Some(diff),
                Message::DepthDiff(_)
                | Message::Trade(_)
                | Message::AggregateTrade(_)
                | Message::DepthSnapshot(_)
                | Message::ServerShutdown
                | Message::Response(_)
                | Message::BookTicker
                | Message::Unknown => None,
            });
        for diff in diffs {
            match book.take_diff(&diff) {
                DiffOutcome::Applied => applied += 1,
                DiffOutcome::Ignored => dropped += 1,
                DiffOutcome::Gap => gaps += 1,
                // The snapshot comes after the first.
                DiffOutcome::Buffered => {
                    if let SnapshotOutcome::Begun {
                        dropped: before,
                        applied: since,
                    } = book.take_snapshot(&snapshot)
                    {
                        dropped += before;
                        applied += since;
                    }
                }
            }
        }
        assert_eq!(
            (dropped, applied, gaps),
            (expected.dropped, expected.applied, expected.gaps),
            "{symbol}"
        );
        let depth = book.depth().unwrap();
        let best = [Side::Buy, Side::Sell].map(|side| depth.best(side).unwrap());
        let best = best.iter().flat_map(|level| [level.price, level.quantity]);
        let expected_best = expected.r#final.iter().map(|text| decimal(text));
        assert!(best.eq(expected_best), "{symbol}");
        let levels = [Side::Buy, Side::Sell].map(|side| depth.levels(side).count());
        assert_eq!(levels, expected.levels, "{symbol}");
    }
}

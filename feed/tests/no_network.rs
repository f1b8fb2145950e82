//! The feed where nothing answers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "support/exchange.rs"]
#[allow(dead_code, reason = "shared with tests that use other parts of it")]
mod exchange;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exchange::{Exchange, bitcoin};
use shardbook_feed::feed::{Feed, FeedConfig};
use shardbook_feed::source::{BinanceSource, Source};
use shardbook_feed::status::FeedState;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Counts the lines of a log that shows what is told by default.
#[derive(Clone, Default)]
struct Lines(Arc<AtomicU64>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn for_a_day_the_feed_keeps_trying_and_does_not_fill_the_log() {
    let lines = Lines::default();
    let _log = tracing::subscriber::set_default(lines.clone());
    let exchange = Exchange::new(&[bitcoin()]);
    let config = FeedConfig {
        source: Source::Binance(BinanceSource {
            // A port that nothing listens on.
            websocket_url: String::from("ws://127.0.0.1:1"),
            rest_url: String::from("http://127.0.0.1:1"),
            silence_max: Duration::from_secs(30),
        }),
        liquidity_levels: 1_000,
    };
    let feed = Feed::start(config, vec![bitcoin()], exchange)
        .await
        .unwrap();
    let mut status = feed.status();
    status
        .wait_for(|status| status.state == FeedState::Down)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(status.borrow().state, FeedState::Down);
    let lines = lines.0.load(Ordering::Relaxed);
    // One every ten minutes, and what is told once.
    assert!((100..=150).contains(&lines), "{lines} lines a day");
    feed.stop().await;
}

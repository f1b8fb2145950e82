//! Figures that something else knows, asked for when the metrics are read.

use std::sync::Arc;

use opentelemetry::KeyValue;
use tokio::sync::watch;

use shardbook_engine::router::Router;
use shardbook_engine::side::Side;
use shardbook_engine::time::Clock;
use shardbook_feed::status::FeedStatus;
use shardbook_storage::projector::ProjectorHandle;

use crate::activity::ActivityLog;
use crate::journal_size::JournalSize;
use crate::metrics::Metrics;
use crate::stream::StreamHub;

/// What is asked.
#[derive(Clone)]
pub struct Observed {
    /// The instruments, their books and their queues.
    pub router: Arc<Router>,
    /// The feed.
    pub feed: watch::Receiver<FeedStatus>,
    /// The database.
    pub projector: ProjectorHandle,
    /// The journal's files.
    pub journal_size: JournalSize,
    /// The streams.
    pub hub: Arc<StreamHub>,
    /// What is told in the log.
    pub log: ActivityLog,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Observed {
    /// Has `metrics` ask from now on.
    pub fn register(self, metrics: &Metrics) {
        self.register_instruments(metrics);
        self.register_feed(metrics);
        self.register_projection(metrics);
        self.register_journal(metrics);
        self.register_streams(metrics);
        self.register_log(metrics);
    }

    fn register_instruments(&self, metrics: &Metrics) {
        let meter = metrics.meter();
        let router = Arc::clone(&self.router);
        meter
            .u64_observable_gauge("current_orderbook_depth")
            .with_description("Price levels of a book's side.")
            .with_callback(move |observer| {
                for handle in router.instruments() {
                    let symbol = handle.instrument().symbol.to_string();
                    for (side, word) in [(Side::Buy, "bid"), (Side::Sell, "ask")] {
                        let levels = handle.market_data().read().totals(side).levels;
                        let labels = [
                            KeyValue::new("instrument", symbol.clone()),
                            KeyValue::new("side", word),
                        ];
                        observer.observe(u64::try_from(levels).unwrap_or(u64::MAX), &labels);
                    }
                }
            })
            .build();
        let router = Arc::clone(&self.router);
        meter
            .u64_observable_gauge("shard_queue_length")
            .with_description("Commands waiting for a shard.")
            .with_callback(move |observer| {
                for handle in router.instruments() {
                    let symbol = handle.instrument().symbol.to_string();
                    let waiting = u64::try_from(handle.queue_length()).unwrap_or(u64::MAX);
                    observer.observe(waiting, &[KeyValue::new("instrument", symbol)]);
                }
            })
            .build();
    }

    fn register_projection(&self, metrics: &Metrics) {
        let meter = metrics.meter();
        let lag = {
            let projector = self.projector.clone();
            let clock = Arc::clone(&self.clock);
            move || projector.lag(clock.now())
        };
        let records = lag.clone();
        meter
            .u64_observable_gauge("projection_lag_records")
            .with_description("Durable records that the database has yet to take in.")
            .with_callback(move |observer| {
                if let Some(lag) = records() {
                    observer.observe(lag.records, &[]);
                }
            })
            .build();
        meter
            .f64_observable_gauge("projection_lag_seconds")
            .with_description("The age of the oldest of them.")
            .with_callback(move |observer| {
                if let Some(lag) = lag() {
                    observer.observe(lag.age.as_secs_f64(), &[]);
                }
            })
            .build();
    }

    fn register_journal(&self, metrics: &Metrics) {
        let size = self.journal_size.clone();
        metrics
            .meter()
            .u64_observable_gauge("journal_bytes")
            .with_description("Bytes of the journal's files.")
            .with_callback(move |observer| observer.observe(size.bytes(), &[]))
            .build();
    }

    fn register_streams(&self, metrics: &Metrics) {
        let meter = metrics.meter();
        let hub = Arc::clone(&self.hub);
        meter
            .u64_observable_gauge("stream_subscribers")
            .with_description("Subscriptions to instruments' events.")
            .with_callback(move |observer| observer.observe(hub.subscribers(), &[]))
            .build();
        let hub = Arc::clone(&self.hub);
        meter
            .u64_observable_counter("stream_gaps_total")
            .with_description("Times a subscriber was too slow and missed events.")
            .with_callback(move |observer| observer.observe(hub.gaps(), &[]))
            .build();
    }

    fn register_log(&self, metrics: &Metrics) {
        let log = self.log.clone();
        metrics
            .meter()
            .u64_observable_counter("log_lines_left_out_total")
            .with_description("Lines about orders and requests that the log had no room for.")
            .with_callback(move |observer| observer.observe(log.left_out(), &[]))
            .build();
    }

    fn register_feed(&self, metrics: &Metrics) {
        let meter = metrics.meter();
        let counted =
            |name: &'static str, description: &'static str, of: fn(&FeedStatus) -> u64| {
                let feed = self.feed.clone();
                meter
                    .u64_observable_counter(name)
                    .with_description(description)
                    .with_callback(move |observer| observer.observe(of(&feed.borrow()), &[]))
                    .build();
            };
        counted("feed_messages_total", "Messages that came in.", |feed| {
            feed.counts.messages
        });
        counted("feed_gaps_total", "Holes in what came in.", |feed| {
            feed.counts.gaps
        });
        counted(
            "feed_reconnects_total",
            "Connections after the first.",
            |feed| feed.counts.reconnects,
        );
        counted(
            "feed_trades_total",
            "Market orders taken in: a trade each, or an aggregate of one taker's.",
            |feed| feed.counts.trades,
        );
        counted(
            "feed_mirror_updates_total",
            "Changes of the mirrored depth.",
            |feed| feed.counts.mirror_updates,
        );
        counted(
            "feed_trades_filled_total",
            "Trades missed at first and had by asking for them.",
            |feed| feed.counts.trades_filled,
        );
        counted(
            "feed_trades_missed_total",
            "Trades that are missing for good.",
            |feed| feed.counts.trades_missed,
        );
        let feed = self.feed.clone();
        meter
            .u64_observable_counter("feed_skipped_total")
            .with_description("What came in and was not taken in, by reason.")
            .with_callback(move |observer| {
                for (reason, count) in &feed.borrow().counts.skipped {
                    observer.observe(*count, &[KeyValue::new("reason", reason.as_str())]);
                }
            })
            .build();
        let feed = self.feed.clone();
        meter
            .f64_observable_gauge("feed_lag_seconds")
            .with_description("How long the newest live message was on its way.")
            .with_callback(move |observer| {
                if let Some(lag) = feed.borrow().lag {
                    observer.observe(lag.as_secs_f64(), &[]);
                }
            })
            .build();
    }
}

//! What the exchange counts, as Prometheus reads it.
//!
//! Counters on an order's way are bound to their labels once, so that counting costs nanoseconds.
//! What something else knows already (a queue's length, the feed's counts) is asked when the
//! metrics are read.

mod counting;
mod observed;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    BoundCounter, BoundHistogram, Counter, Histogram, Meter, MeterProvider,
};
use opentelemetry_sdk::metrics::{Instrument as SdkInstrument, SdkMeterProvider, Stream};
use parking_lot::RwLock;
use prometheus::{Encoder, TextEncoder};
use thiserror::Error;

use shardbook_engine::id::Symbol;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::Rejection;

pub use observed::Observed;

use crate::by_instrument::ByInstrument;
use crate::problem::{Code, Problem};
use crate::schema::word::{Reason, Worded};

/// Series of one metric that an instrument can have: one for each reason to reject an order or to
/// refuse a request about one.
const SERIES_PER_INSTRUMENT: usize = 32;

/// Instruments that may be added while the exchange runs before series of one metric are folded
/// into one. Only a bound: what is not there takes no memory.
const INSTRUMENTS_ADDED_MAX: usize = 10_000;

/// Bounds of the latency histogram, in seconds.
const LATENCY_BOUNDS: [f64; 16] = [
    0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.000_8, 0.001_2, 0.002, 0.003, 0.005, 0.008, 0.015, 0.03,
    0.06, 0.125, 0.5, 2.0,
];

/// Bounds of the histogram of records that share a flush.
const BATCH_BOUNDS: [f64; 13] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0,
];

/// Refusals that someone is called for: their series begin at zero, for a series that begins with
/// its first count has not grown, as far as Prometheus can tell.
const CALLED_FOR: [Code; 3] = [
    Code::JournalUnavailable,
    Code::Overloaded,
    Code::ShardRestarting,
];

/// The metrics can't be set up: a name is taken, or none.
#[derive(Debug, Error)]
#[error("the metrics can't be set up: {0}")]
pub struct MetricsError(String);

/// The exchange's counters. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: prometheus::Registry,
    provider: SdkMeterProvider,
    received: Counter<u64>,
    matched: Counter<u64>,
    rejected: Counter<u64>,
    trades: Counter<u64>,
    restarts: Counter<u64>,
    latency: Histogram<f64>,
    flush: BoundHistogram<f64>,
    batch: BoundHistogram<u64>,
    instruments: RwLock<HashMap<Symbol, Arc<InstrumentMetrics>>>,
    /// The same, for what comes with every record.
    by_number: ByInstrument<Arc<InstrumentMetrics>>,
}

/// One instrument's counters, bound to its name.
pub(crate) struct InstrumentMetrics {
    received: BoundCounter<u64>,
    matched: BoundCounter<u64>,
    rejected: Vec<(Rejection, BoundCounter<u64>)>,
    trades: BoundCounter<u64>,
    restarts: BoundCounter<u64>,
    latency: BoundHistogram<f64>,
}

impl Metrics {
    /// Counters for about so many instruments.
    ///
    /// # Errors
    /// When the process's own figures can't be had.
    pub fn new(instruments: usize) -> Result<Self, MetricsError> {
        let failed = |error: &dyn std::fmt::Display| MetricsError(error.to_string());
        let registry = prometheus::Registry::new();
        registry
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .map_err(|error| failed(&error))?;
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()
            .map_err(|error| failed(&error))?;
        let instruments_max = instruments.saturating_add(INSTRUMENTS_ADDED_MAX);
        let series_max = instruments_max.saturating_mul(SERIES_PER_INSTRUMENT);
        let provider = SdkMeterProvider::builder()
            .with_reader(exporter)
            .with_view(move |_: &SdkInstrument| {
                Stream::builder()
                    .with_cardinality_limit(series_max)
                    .build()
                    .ok()
            })
            .build();
        Ok(Self(Arc::new(Inner::new(registry, provider))))
    }

    /// An order was placed, and its answer is ready.
    pub fn order_answered(&self, instrument: &Instrument, elapsed: Duration) {
        self.at(instrument, |of| of.latency.record(elapsed.as_secs_f64()));
    }

    /// A request to place or change an order was refused before or instead of becoming a record.
    pub fn refused(&self, problem: &Problem) {
        let instrument = problem.instrument().map_or("unknown", Symbol::as_str);
        let labels = [
            KeyValue::new("instrument", instrument.to_owned()),
            KeyValue::new("reason", problem.code().word()),
        ];
        self.0.rejected.add(1, &labels);
    }

    /// Where else metrics can be made.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.0.provider.meter("shardbook")
    }

    /// All metrics in Prometheus's text format.
    ///
    /// # Errors
    /// When one can't be written.
    pub fn text(&self) -> Result<String, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.0.registry.gather(), &mut text)
            .map_err(|error| MetricsError(error.to_string()))?;
        String::from_utf8(text).map_err(|error| MetricsError(error.to_string()))
    }

    /// An instrument's own counters.
    pub(crate) fn of_instrument(&self, instrument: &Instrument) -> Arc<InstrumentMetrics> {
        let known = self.0.by_number.with(instrument.id, Arc::clone);
        known.unwrap_or_else(|| {
            let new = self.of(&instrument.symbol);
            self.0.by_number.insert(instrument.id, Arc::clone(&new));
            new
        })
    }

    /// Counts what happened to an instrument.
    fn at(&self, instrument: &Instrument, count: impl Fn(&InstrumentMetrics)) {
        let known = self
            .0
            .by_number
            .with(instrument.id, |metrics| count(metrics));
        if known.is_none() {
            count(&self.of_instrument(instrument));
        }
    }

    fn of(&self, instrument: &Symbol) -> Arc<InstrumentMetrics> {
        if let Some(known) = self.0.instruments.read().get(instrument) {
            return Arc::clone(known);
        }
        let mut instruments = self.0.instruments.write();
        let new = || Arc::new(InstrumentMetrics::new(&self.0, instrument));
        Arc::clone(instruments.entry(instrument.clone()).or_insert_with(new))
    }
}

impl Inner {
    fn new(registry: prometheus::Registry, provider: SdkMeterProvider) -> Self {
        let meter = provider.meter("shardbook");
        let counter = |name: &'static str, description: &'static str| {
            meter
                .u64_counter(name)
                .with_description(description)
                .build()
        };
        Self {
            received: counter("orders_received_total", "Valid orders, replays excluded."),
            matched: counter("orders_matched_total", "Orders with a first fill."),
            rejected: counter(
                "orders_rejected_total",
                "Orders that the book rejected, and requests about orders that were refused, by reason.",
            ),
            trades: counter("trades_total", "Trades."),
            restarts: counter(
                "shard_restarts_total",
                "Shards that panicked and were rebuilt from the journal.",
            ),
            latency: meter
                .f64_histogram("order_latency_seconds")
                .with_description("From an order's request read to its answer ready.")
                .with_boundaries(LATENCY_BOUNDS.to_vec())
                .build(),
            flush: meter
                .f64_histogram("journal_flush_seconds")
                .with_description("Writing and flushing one group of records.")
                .with_boundaries(LATENCY_BOUNDS.to_vec())
                .build()
                .bind(&[]),
            batch: meter
                .u64_histogram("journal_batch_records")
                .with_description("Records that shared a flush.")
                .with_boundaries(BATCH_BOUNDS.to_vec())
                .build()
                .bind(&[]),
            instruments: RwLock::default(),
            by_number: ByInstrument::default(),
            registry,
            provider,
        }
    }
}

impl InstrumentMetrics {
    fn new(metrics: &Inner, instrument: &Symbol) -> Self {
        let label = KeyValue::new("instrument", instrument.to_string());
        let own = [label.clone()];
        let of_reason = |word: &'static str| {
            let labels = [label.clone(), KeyValue::new("reason", word)];
            metrics.rejected.bind(&labels)
        };
        for code in CALLED_FOR {
            of_reason(code.word()).add(0);
        }
        let rejected = Reason::WORDS
            .iter()
            .filter_map(|(reason, word)| Some((reason.rejection()?, of_reason(word))));
        Self {
            received: metrics.received.bind(&own),
            matched: metrics.matched.bind(&own),
            rejected: rejected.collect(),
            trades: metrics.trades.bind(&own),
            restarts: metrics.restarts.bind(&own),
            latency: metrics.latency.bind(&own),
        }
    }
}

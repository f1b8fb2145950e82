//! Counting what the engine does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use shardbook_engine::command::Command;
use shardbook_engine::event::{Event, Maker};
use shardbook_engine::id::{InstrumentId, OrderRef, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Durable;
use shardbook_engine::market_data::{Change, ChangeId, ChangeKind};
use shardbook_engine::observer::Observer;
use shardbook_engine::publisher::Publisher;
use shardbook_engine::record::Record;

use crate::metrics::Metrics;
use crate::schema::word::Reason;

impl Observer for Metrics {
    fn journal_flushed(&self, elapsed: Duration, records: usize) {
        self.0.flush.record(elapsed.as_secs_f64());
        self.0
            .batch
            .record(u64::try_from(records).unwrap_or(u64::MAX));
    }

    fn shard_restarted(&self, instrument: &Instrument) {
        self.of(&instrument.symbol).restarts.add(1);
    }

    fn released(&self, instrument: &Instrument, record: Durable<&Record>) {
        let record = record.into_inner();
        let metrics = self.of(&instrument.symbol);
        if matches!(record.command, Command::Place(_) | Command::Tape(_)) {
            metrics.received.add(1);
        }
        let mut trades = 0;
        for event in &record.events {
            match event {
                Event::Traded { .. } => trades += 1,
                Event::Rejected(rejection) => {
                    let reason = Reason::from(*rejection);
                    let counter = metrics.rejected.iter().find(|(known, _)| *known == reason);
                    if let Some((_, counter)) = counter {
                        counter.add(1);
                    }
                }
                Event::Cancelled { .. }
                | Event::Amended { .. }
                | Event::MirrorAdded { .. }
                | Event::MirrorReduced { .. } => {}
            }
        }
        if trades > 0 {
            metrics.trades.add(trades);
            let mirrored = first_fills_of_the_mirror(&record.events);
            if mirrored > 0 {
                metrics.matched.add(mirrored);
            }
        }
    }
}

/// How many of the mirror's orders traded for the first time.
fn first_fills_of_the_mirror(events: &[Event]) -> u64 {
    let mut count = 0;
    let mut incoming_is_new = false;
    for event in events {
        match event {
            Event::MirrorAdded { .. } => incoming_is_new = true,
            Event::Traded { maker, .. } => {
                count += u64::from(std::mem::take(&mut incoming_is_new));
                count += match maker {
                    Maker::Mirror(maker) => u64::from(maker.trade_count == 0),
                    Maker::Client(_) => 0,
                };
            }
            Event::Rejected(_)
            | Event::Cancelled { .. }
            | Event::Amended { .. }
            | Event::MirrorReduced { .. } => {}
        }
    }
    count
}

/// Counts the orders that traded for the first time, on the way of the changes to another
/// publisher. The mirror's are not among the changes; their records are counted instead.
pub struct CountingPublisher<P> {
    metrics: Metrics,
    next: P,
    instruments: RwLock<HashMap<InstrumentId, Arc<Instrument>>>,
    is_live: AtomicBool,
}

impl<P> CountingPublisher<P> {
    /// Counts changes of these instruments before `next` has them, once [`Self::go_live`] was
    /// called.
    pub fn new(metrics: Metrics, next: P, instruments: &[Arc<Instrument>]) -> Self {
        let by_id = instruments
            .iter()
            .map(|instrument| (instrument.id, Arc::clone(instrument)));
        Self {
            metrics,
            next,
            instruments: RwLock::new(by_id.collect()),
            is_live: AtomicBool::new(false),
        }
    }

    /// Counts the changes of one more instrument.
    pub fn include(&self, instrument: &Arc<Instrument>) {
        let mut instruments = self.instruments.write();
        instruments.insert(instrument.id, Arc::clone(instrument));
    }

    /// From now on, changes are new and no longer those of a replayed journal.
    pub fn go_live(&self) {
        self.is_live.store(true, Ordering::Release);
    }
}

impl<P: Publisher> Publisher for CountingPublisher<P> {
    fn begin_after(&self, instrument: InstrumentId, newest: ChangeId) {
        self.next.begin_after(instrument, newest);
    }

    fn publish(&self, instrument: InstrumentId, changes: Durable<Vec<Change>>) {
        let matched = if self.is_live.load(Ordering::Acquire) {
            first_fills(&changes)
        } else {
            0
        };
        if matched > 0 {
            let known = self.instruments.read().get(&instrument).cloned();
            if let Some(known) = known {
                self.metrics.of(&known.symbol).matched.add(matched);
            }
        }
        self.next.publish(instrument, changes);
    }
}

/// How many orders have all of their trades among these changes' of one record: a record's
/// trades come before the orders it touched.
fn first_fills(changes: &[Change]) -> u64 {
    let mut count = 0;
    let mut record = Sequence::ZERO;
    let mut trades = HashMap::<OrderRef, u64>::new();
    for change in changes {
        if change.id.sequence != record {
            record = change.id.sequence;
            trades.clear();
        }
        match &change.kind {
            ChangeKind::Trade(trade) => {
                for party in [&trade.buy, &trade.sell] {
                    *trades.entry(party.placed).or_default() += 1;
                }
            }
            ChangeKind::Order(order) => {
                let here = trades.get(&order.placed).copied().unwrap_or_default();
                count += u64::from(here > 0 && here == order.trade_count);
            }
            ChangeKind::Delta(_) => {}
        }
    }
    count
}

//! Counting what the engine does.

use std::time::Duration;

use shardbook_engine::command::Command;
use shardbook_engine::event::{Event, Maker};
use shardbook_engine::id::OrderRef;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Durable;
use shardbook_engine::market_data::{Change, ChangeKind};
use shardbook_engine::observer::Observer;
use shardbook_engine::record::Record;

use crate::metrics::{InstrumentMetrics, Metrics};

impl Observer for Metrics {
    fn journal_flushed(&self, elapsed: Duration, records: usize) {
        self.0.flush.record(elapsed.as_secs_f64());
        self.0
            .batch
            .record(u64::try_from(records).unwrap_or(u64::MAX));
    }

    fn shard_restarted(&self, instrument: &Instrument) {
        self.at(instrument, |metrics| metrics.restarts.add(1));
    }

    fn released(&self, instrument: &Instrument, record: Durable<&Record>) {
        let record = record.into_inner();
        self.at(instrument, |metrics| metrics.released(record));
    }
}

impl InstrumentMetrics {
    /// Counts the orders that traded for the first time. The mirror's are not among the changes;
    /// their records are counted instead.
    pub(crate) fn changed(&self, changes: Durable<&Vec<Change>>) {
        let matched = first_fills(changes.into_inner());
        if matched > 0 {
            self.matched.add(matched);
        }
    }

    fn released(&self, record: &Record) {
        if matches!(record.command, Command::Place(_) | Command::Tape(_)) {
            self.received.add(1);
        }
        let mut trades = 0;
        for event in &record.events {
            match event {
                Event::Traded { .. } => trades += 1,
                Event::Rejected(rejection) => {
                    let counter = self.rejected.iter().find(|(known, _)| known == rejection);
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
            self.trades.add(trades);
            let mirrored = first_fills_of_the_mirror(&record.events);
            if mirrored > 0 {
                self.matched.add(mirrored);
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

/// How many orders have all of their trades among these changes' of one record: a record's
/// trades come before the orders it touched.
fn first_fills(changes: &[Change]) -> u64 {
    let mut count = 0;
    let mut parties = Vec::<OrderRef>::new();
    for record in changes.chunk_by(|one, next| one.id.sequence == next.id.sequence) {
        parties.clear();
        for change in record {
            if let ChangeKind::Trade(trade) = &change.kind {
                parties.extend([trade.buy.placed, trade.sell.placed]);
            }
        }
        if parties.is_empty() {
            continue;
        }
        parties.sort_unstable();
        for change in record {
            if let ChangeKind::Order(order) = &change.kind {
                let begin = parties.partition_point(|party| *party < order.placed);
                let end = parties.partition_point(|party| *party <= order.placed);
                let here = u64::try_from(end - begin).unwrap_or(u64::MAX);
                count += u64::from(here > 0 && here == order.trade_count);
            }
        }
    }
    count
}

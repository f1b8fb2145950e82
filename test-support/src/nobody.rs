//! For an exchange that nobody watches.

use std::time::Duration;

use shardbook_engine::id::InstrumentId;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::Durable;
use shardbook_engine::market_data::{Change, ChangeId};
use shardbook_engine::observer::Observer;
use shardbook_engine::publisher::Publisher;
use shardbook_engine::record::Record;

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn journal_flushed(&self, _elapsed: Duration, _records: usize) {}

    fn released(&self, _instrument: &Instrument, _record: Durable<&Record>) {}

    fn shard_restarted(&self, _instrument: &Instrument) {}
}

/// Carries nothing anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPublisher;

impl Publisher for NoPublisher {
    fn begin_after(&self, _instrument: InstrumentId, _newest: ChangeId) {}

    fn publish(&self, _instrument: InstrumentId, _changes: Durable<Vec<Change>>) {}
}

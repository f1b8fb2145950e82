//! Who watches the engine at work, for metrics.

use std::time::Duration;

use crate::instrument::Instrument;
use crate::journal::Durable;
use crate::record::Record;

/// Told of what happens, on the hot path: must be quick and must not block.
pub trait Observer: Send + Sync {
    /// A group of `records` was written and flushed in `elapsed`.
    fn journal_flushed(&self, elapsed: Duration, records: usize);

    /// A record became durable and visible.
    fn released(&self, instrument: &Instrument, record: Durable<&Record>);

    /// An instrument's shard panicked and has been rebuilt.
    fn shard_restarted(&self, instrument: &Instrument);
}

//! Who carries changes out to those who watch.

use std::sync::Arc;

use crate::id::InstrumentId;
use crate::journal::Durable;
use crate::market_data::{Change, ChangeId};

/// Told of every change, instrument by instrument in the order of their records, after reads
/// show it and before its caller is answered. Must be quick and must not block.
pub trait Publisher: Send + Sync {
    /// An instrument comes back as a checkpoint kept it: its changes up to `newest` happened, and
    /// are not told again. Comes before the instrument's first changes, if at all.
    fn begin_after(&self, instrument: InstrumentId, newest: ChangeId);

    /// Takes the changes of one or more consecutive records of an instrument.
    fn publish(&self, instrument: InstrumentId, changes: Durable<Vec<Change>>);
}

impl<P: Publisher + ?Sized> Publisher for Arc<P> {
    fn begin_after(&self, instrument: InstrumentId, newest: ChangeId) {
        (**self).begin_after(instrument, newest);
    }

    fn publish(&self, instrument: InstrumentId, changes: Durable<Vec<Change>>) {
        (**self).publish(instrument, changes);
    }
}

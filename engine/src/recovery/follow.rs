//! The records after a checkpoint, taken in on two threads.
//!
//! One reads them and brings the shards to where they lead; the other does the same for what
//! readers see, the directory and the streams. Both see every record in the journal's order, and
//! neither looks at what the other has, so that all comes out as if one had done it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::{panic, thread};

use super::{Recovered, RecoveryError, for_each_payload, replay};
use crate::directory::Directory;
use crate::id::InstrumentId;
use crate::journal::{Durable, JournalSource, Position};
use crate::market_data::{Applied, MarketData};
use crate::publisher::Publisher;
use crate::record::Record;
use crate::shard::{Replayer, Shard};

/// How many payloads, of a megabyte at most as a rule, the readers' thread may lag behind.
const PAYLOADS_BEHIND_MAX: usize = 4;

/// Records of one payload, shared by both threads.
type Payload = Arc<Durable<Vec<Record>>>;

/// Brings instruments to where the journal ends, and tells how many records that took.
pub(super) fn follow(
    source: &dyn JournalSource,
    after: Option<Position>,
    recovered: HashMap<InstrumentId, Recovered>,
    directory: &Directory,
    publisher: &dyn Publisher,
) -> Result<(HashMap<InstrumentId, Recovered>, u64), RecoveryError> {
    let (mut shards, mut market_data) = (HashMap::new(), HashMap::new());
    for (instrument, recovered) in recovered {
        shards.insert(instrument, recovered.shard);
        market_data.insert(instrument, recovered.market_data);
    }
    let mut shards = Shards {
        waiting: shards,
        replaying: HashMap::new(),
    };
    let (after, until) = (after.unwrap_or_default(), source.range().newest);
    let mut count = 0;
    let seen = thread::scope(|scope| {
        let (sender, payloads) = sync_channel(PAYLOADS_BEHIND_MAX);
        let readers = scope.spawn(move || see(&payloads, market_data, directory, publisher));
        let read = for_each_payload(source, after, until, |records| {
            for record in records.iter() {
                shards.take(records.position(), record)?;
                count += 1;
            }
            // Should the other have panicked, that is met below.
            let _ = sender.send(Arc::new(records));
            Ok(())
        });
        drop(sender);
        let seen = readers.join();
        let seen = seen.unwrap_or_else(|payload| panic::resume_unwind(payload));
        read.map(|_| seen)
    })?;
    Ok((shards.beside(seen), count))
}

/// The shards of a partition, of which those have begun to follow that have records.
struct Shards {
    waiting: HashMap<InstrumentId, Shard>,
    replaying: HashMap<InstrumentId, Replayer>,
}

impl Shards {
    fn take(&mut self, position: Position, record: &Record) -> Result<(), RecoveryError> {
        let instrument = record.instrument;
        let replayer = match self.replaying.entry(instrument) {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => {
                let shard = self.waiting.remove(&instrument);
                let shard = shard.ok_or(RecoveryError::UnknownInstrument {
                    instrument,
                    position,
                })?;
                vacant.insert(Replayer::new(shard))
            }
        };
        replay(replayer, position, record)
    }

    /// Each with what readers see of it.
    fn beside(
        self,
        mut seen: HashMap<InstrumentId, MarketData>,
    ) -> HashMap<InstrumentId, Recovered> {
        let replayed = self.replaying.into_iter();
        let shards = replayed.map(|(instrument, replayer)| (instrument, replayer.finish()));
        let shards = shards.chain(self.waiting);
        let beside = shards.filter_map(|(instrument, shard)| {
            let market_data = seen.remove(&instrument)?;
            Some((instrument, Recovered { shard, market_data }))
        });
        beside.collect()
    }
}

/// Shows the records, which shards have taken in, to readers.
fn see(
    payloads: &Receiver<Payload>,
    mut market_data: HashMap<InstrumentId, MarketData>,
    directory: &Directory,
    publisher: &dyn Publisher,
) -> HashMap<InstrumentId, MarketData> {
    let mut applied = Applied::default();
    for records in payloads {
        for record in records.iter() {
            let instrument = record.instrument;
            let Some(of) = market_data.get_mut(&instrument) else {
                unreachable!("what has a shard is seen");
            };
            let record = Durable::at(records.position(), record);
            of.replay(record.clone(), &mut applied);
            directory.follow(instrument, &mut applied);
            let changes = std::mem::take(&mut applied.changes);
            publisher.publish(instrument, record.map(|_| changes));
        }
    }
    market_data
}

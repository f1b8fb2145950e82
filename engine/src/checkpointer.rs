//! Makes a partition's checkpoints behind the shards' backs.
//!
//! No shard is asked: the records since the last checkpoint are read back from the journal and
//! folded onto it, as a start would. It costs the memory of those instruments that had any such
//! records, once more while it runs, and one instrument's bytes; partitions take turns, so that
//! this is one partition's at a time. Shards give way to it only as to any thread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::checkpoint::{self, Checkpoints, Manifest, ManifestEntry, Projected};
use crate::exchange::ExchangeLimits;
use crate::id::InstrumentId;
use crate::journal::{JournalSource, Position};
use crate::partition::{PartitionId, Upkeep};
use crate::recovery::{Recovered, RecoveryError, Replaying, fold, from_newest_good};
use crate::shards::PartitionInstruments;

/// How often the database is asked how far it has come: what it takes in after a checkpoint lets
/// segments go without waiting for the next.
const TRIM_INTERVAL: Duration = Duration::from_secs(10);

/// Requests that may wait for one partition's checkpoints; the next waits to be one.
const REQUESTS_MAX: usize = 1;

/// Has checkpoints made out of turn: before a copy of the data is taken, say.
#[derive(Clone, Default)]
pub struct CheckpointRequests(Vec<mpsc::Sender<oneshot::Sender<()>>>);

impl CheckpointRequests {
    /// Makes a checkpoint of every partition that holds all that was durable before the call, and
    /// returns once they stand. Where none could be made, the log says why. No shard waits for it.
    pub async fn make(&self) {
        for partition in &self.0 {
            let (made, done) = oneshot::channel();
            // One that has stopped has made its last.
            if partition.send(made).await.is_ok() {
                let _ = done.await;
            }
        }
    }

    /// Includes one more partition, and returns where its checkpointer hears of requests.
    pub(crate) fn include(&mut self) -> mpsc::Receiver<oneshot::Sender<()>> {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        self.0.push(sender);
        requests
    }
}

/// One partition's.
pub(crate) struct Checkpointer {
    pub(crate) partition: PartitionId,
    pub(crate) source: Arc<dyn JournalSource>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) instruments: PartitionInstruments,
    pub(crate) limits: ExchangeLimits,
    /// The newest checkpoint that can be used.
    pub(crate) newest: Option<Position>,
    pub(crate) projected: Arc<OnceLock<Arc<dyn Projected>>>,
    /// Where the writer finds what it may trim below.
    pub(crate) needed_from: Arc<AtomicU64>,
}

impl Checkpointer {
    /// The writer's part in it. `records` stand in the journal after the newest checkpoint.
    pub(crate) fn upkeep(&self, records: u64) -> (Upkeep, watch::Receiver<u64>) {
        let every = self.limits.checkpoint_records.max(1);
        let (laps, due) = watch::channel(records / every);
        let upkeep = Upkeep {
            records: records % every,
            every,
            laps,
            needed_from: Arc::clone(&self.needed_from),
            trimmed_below: 0,
        };
        (upkeep, due)
    }

    /// Makes a checkpoint whenever one is due or asked for, and a last one when the writer has
    /// ended.
    pub(crate) async fn run(
        mut self,
        mut due: watch::Receiver<u64>,
        mut requests: mpsc::Receiver<oneshot::Sender<()>>,
        one_at_a_time: Arc<Semaphore>,
    ) {
        let mut interval = tokio::time::interval(TRIM_INTERVAL);
        if *due.borrow_and_update() > 0 {
            due.mark_changed();
        }
        loop {
            let mut asked = None;
            let has_ended = tokio::select! {
                changed = due.changed() => changed.is_err(),
                Some(request) = requests.recv() => {
                    asked = Some(request);
                    false
                }
                _ = interval.tick() => {
                    self = self.blocking(Self::trim).await;
                    continue;
                }
            };
            let turn = one_at_a_time.acquire().await;
            self = self.blocking(Self::make_and_tell).await;
            drop(turn);
            if let Some(asked) = asked {
                // Who does not wait any more need not be told.
                let _ = asked.send(());
            }
            if has_ended {
                return;
            }
        }
    }

    #[expect(clippy::panic, reason = "what panicked there goes on panicking here")]
    async fn blocking(mut self, work: impl FnOnce(&mut Self) + Send + 'static) -> Self {
        let done = tokio::task::spawn_blocking(move || {
            work(&mut self);
            self
        });
        match done.await {
            Ok(this) => this,
            Err(error) => panic!("a checkpoint: {error}"),
        }
    }

    fn make_and_tell(&mut self) {
        let started = Instant::now();
        let partition = self.partition.get();
        match self.make() {
            Ok(Made::Nothing) => {}
            Ok(Made::Checkpoint { changed }) => {
                let position = self.newest.unwrap_or_default();
                let elapsed = started.elapsed();
                tracing::info!(partition, %position, changed, ?elapsed, "made a checkpoint");
            }
            // The journal holds everything; a start takes longer.
            Err(error) => tracing::error!(partition, %error, "no checkpoint could be made"),
        }
        self.trim();
    }

    /// Folds what the journal holds after the newest checkpoint onto it, and makes that the
    /// newest.
    fn make(&mut self) -> Result<Made, RecoveryError> {
        let newest = self.source.range().newest;
        if newest == self.newest.unwrap_or_default() {
            return Ok(Made::Nothing);
        }
        let store = Arc::clone(&self.checkpoints.store);
        let (base, (position, replaying)) =
            from_newest_good(&*self.source, Some(&*store), |base| {
                fold(&*self.source, base, newest, |instrument| {
                    self.load(base, instrument)
                })
            })?;
        let begun_at = base.as_ref().map(|base| base.position);
        if begun_at.unwrap_or_default() == position {
            self.newest = begun_at;
            return Ok(Made::Nothing);
        }
        let entries = base.as_ref().map(|base| base.entries.iter());
        let mut entries: HashMap<InstrumentId, ManifestEntry> = entries
            .into_iter()
            .flatten()
            .map(|entry| (entry.instrument, entry.clone()))
            .collect();
        let changed = replaying.len();
        for (instrument, one) in replaying {
            entries.insert(instrument, self.save(instrument, one, position)?);
        }
        let mut entries: Vec<ManifestEntry> = entries.into_values().collect();
        entries.sort_unstable_by_key(|entry| entry.instrument);
        let manifest = Manifest { position, entries };
        let in_use = self.checkpoints.in_use.lock();
        store.commit(&manifest, base.as_ref())?;
        drop(in_use);
        self.newest = Some(position);
        Ok(Made::Checkpoint { changed })
    }

    fn load(
        &self,
        base: Option<&Manifest>,
        instrument: InstrumentId,
    ) -> Result<Option<Recovered>, RecoveryError> {
        let known = self.instruments.lock();
        let instrument = known.iter().find(|known| known.id == instrument).cloned();
        drop(known);
        let Some(instrument) = instrument else {
            return Ok(None);
        };
        let instrument = &instrument;
        Ok(Some(match base {
            Some(base) => {
                Recovered::load(&*self.checkpoints.store, base, instrument, &self.limits)?
            }
            None => Recovered::new(instrument, &self.limits),
        }))
    }

    fn save(
        &self,
        instrument: InstrumentId,
        one: Replaying,
        position: Position,
    ) -> Result<ManifestEntry, RecoveryError> {
        let Recovered { shard, market_data } = one.finish();
        let bytes = checkpoint::encode(&shard, &market_data);
        let sequence = shard.sequence();
        drop((shard, market_data));
        let saved = self.checkpoints.store.save(instrument, position, &bytes)?;
        Ok(ManifestEntry {
            instrument,
            sequence,
            saved,
        })
    }

    /// Tells the writer what neither a start nor the database needs any more.
    fn trim(&mut self) {
        let Some(projected) = self.projected.get() else {
            return;
        };
        let manifests = match self.checkpoints.store.manifests() {
            Ok(manifests) => manifests,
            Err(error) => {
                tracing::warn!(partition = self.partition.get(), %error, "nothing is trimmed");
                return;
            }
        };
        let flushed = |wanted| projected.flushed(self.partition, wanted);
        if let Some(needed) = needed_from(&manifests, flushed) {
            self.needed_from.store(needed.get(), Ordering::Relaxed);
        }
    }
}

/// What came of making a checkpoint.
enum Made {
    /// The newest holds everything.
    Nothing,
    /// A new one.
    Checkpoint {
        /// Instruments with records since the last.
        changed: usize,
    },
}

/// The oldest frame that is still needed: by the older of two checkpoints, should the newer turn
/// out bad, or by the database, which is asked only then. `None` while there are not two, or it is
/// not known how far the database has come.
fn needed_from(
    manifests: &[Manifest],
    flushed: impl FnOnce(Position) -> Option<Position>,
) -> Option<Position> {
    match manifests {
        [] | [_] => None,
        [_, rest @ ..] => {
            let older = rest.iter().map(|manifest| manifest.position).min()?;
            Some(older.min(flushed(older)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::checkpoint::{CheckpointError, CheckpointStore, Saved};
    use crate::command::Command;
    use crate::id::{Sequence, Symbol, TradeNumber};
    use crate::instrument::{Increment, Instrument};
    use crate::journal::{JournalError, JournalReader, Part, PositionRange, ReadFrame};
    use crate::market_data::MarketDataLimits;
    use crate::quantity::Quantity;
    use crate::record::{Record, begin_payload};
    use crate::shard::ShardLimits;
    use crate::time::Timestamp;

    /// Frames as they stand while a writer goes on.
    #[derive(Default)]
    struct Frames(Mutex<Vec<ReadFrame>>);

    impl Frames {
        /// Flushes one more frame.
        fn flush(&self, part: Part, payload: &[u8]) {
            let mut frames = self.0.lock();
            let position = Position::new(u64::try_from(frames.len()).unwrap() + 1);
            frames.push(ReadFrame {
                position,
                part,
                payload: payload.to_vec(),
            });
        }
    }

    impl JournalSource for Frames {
        fn range(&self) -> PositionRange {
            PositionRange {
                oldest: Position::new(1),
                newest: Position::new(u64::try_from(self.0.lock().len()).unwrap()),
            }
        }

        fn read_from(&self, position: Position) -> Result<Box<dyn JournalReader>, JournalError> {
            let mut frames = self.0.lock().clone();
            frames.retain(|frame| frame.position >= position);
            Ok(Box::new(Reading(frames.into_iter())))
        }
    }

    struct Reading(std::vec::IntoIter<ReadFrame>);

    impl JournalReader for Reading {
        fn read(&mut self) -> Result<Option<ReadFrame>, JournalError> {
            Ok(self.0.next())
        }
    }

    /// Keeps the newest manifest, and every state.
    #[derive(Default)]
    struct Kept {
        manifest: Mutex<Option<Manifest>>,
        states: Mutex<HashMap<Position, Vec<u8>>>,
    }

    impl CheckpointStore for Kept {
        fn manifests(&self) -> Result<Vec<Manifest>, CheckpointError> {
            Ok(self.manifest.lock().iter().cloned().collect())
        }

        fn save(
            &self,
            _instrument: InstrumentId,
            position: Position,
            bytes: &[u8],
        ) -> Result<Saved, CheckpointError> {
            self.states.lock().insert(position, bytes.to_vec());
            Ok(Saved {
                position,
                bytes: u64::try_from(bytes.len()).unwrap(),
                checksum: 0,
            })
        }

        fn load(&self, entry: &ManifestEntry) -> Result<Vec<u8>, CheckpointError> {
            Ok(self.states.lock()[&entry.saved.position].clone())
        }

        fn commit(
            &self,
            manifest: &Manifest,
            _before: Option<&Manifest>,
        ) -> Result<(), CheckpointError> {
            *self.manifest.lock() = Some(manifest.clone());
            Ok(())
        }
    }

    fn checkpointer(source: &Arc<Frames>, store: &Arc<Kept>) -> Checkpointer {
        let instrument = Instrument {
            id: InstrumentId::new(0),
            symbol: Symbol::new("BTC-USD").unwrap(),
            tick: Increment::new("0.01".parse().unwrap()).unwrap(),
            lot: Increment::new("0.01".parse().unwrap()).unwrap(),
            min_quantity: Quantity::new(1).unwrap(),
            max_quantity: Quantity::new(1).unwrap(),
            min_notional: None,
            price_band: None,
            binance_symbol: None,
            listed_at: crate::time::Timestamp::default(),
        };
        Checkpointer {
            partition: PartitionId::new(0),
            source: Arc::<Frames>::clone(source),
            checkpoints: Arc::new(Checkpoints {
                store: Arc::<Kept>::clone(store),
                in_use: Mutex::new(()),
            }),
            instruments: Arc::new(Mutex::new(vec![Arc::new(instrument)])),
            limits: ExchangeLimits {
                queue_length: 1,
                shard: ShardLimits::default(),
                market_data: MarketDataLimits::default(),
                checkpoint_records: 1,
            },
            newest: None,
            projected: Arc::default(),
            needed_from: Arc::default(),
        }
    }

    /// A payload of one record that changes nothing.
    fn payload(sequence: u64) -> Vec<u8> {
        let record = Record {
            instrument: InstrumentId::new(0),
            sequence: Sequence::new(sequence),
            timestamp: Timestamp::from_microseconds(sequence),
            first_trade: TradeNumber::new(1),
            command: Command::Resume,
            events: Vec::new(),
        };
        let mut payload = Vec::new();
        begin_payload(&mut payload);
        record.parts().encode(&mut payload);
        payload
    }

    #[test]
    fn a_checkpoint_stands_where_a_payload_ends_however_far_the_writer_is_with_the_next() {
        let (source, store) = (Arc::<Frames>::default(), Arc::<Kept>::default());
        let mut checkpointer = checkpointer(&source, &store);
        let position = |checkpointer: &mut Checkpointer| {
            checkpointer.make().unwrap();
            let manifest = store.manifest.lock().clone();
            manifest.map(|manifest| manifest.position.get())
        };
        // The first of two frames is flushed, the second is still being written.
        let (first, second) = (payload(1), payload(2));
        source.flush(Part::MoreFollows, &first[..3]);
        assert_eq!(position(&mut checkpointer), None);
        source.flush(Part::Last, &first[3..]);
        assert_eq!(position(&mut checkpointer), Some(2));
        source.flush(Part::MoreFollows, &second[..3]);
        assert_eq!(position(&mut checkpointer), Some(2));
        source.flush(Part::Last, &second[3..]);
        assert_eq!(position(&mut checkpointer), Some(4));
    }

    fn manifest(position: u64) -> Manifest {
        Manifest {
            position: Position::new(position),
            entries: Vec::new(),
        }
    }

    #[test]
    fn nothing_goes_that_the_older_checkpoint_or_the_database_needs() {
        let cases = [
            (vec![], Some(9), None),
            (vec![8], Some(9), None),
            (vec![8, 5], None, None),
            (vec![8, 5], Some(9), Some(5)),
            (vec![8, 5], Some(3), Some(3)),
            (vec![8, 5], Some(0), Some(0)),
            (vec![8, 5, 2], Some(9), Some(2)),
        ];
        for (manifests, flushed, needed) in cases {
            let kept: Vec<_> = manifests.iter().copied().map(manifest).collect();
            assert_eq!(
                needed_from(&kept, |_| flushed.map(Position::new)),
                needed.map(Position::new),
                "{manifests:?} {flushed:?}"
            );
        }
    }
}

//! Payloads that are written together: how many, and their way from the journal into the database.

use std::collections::HashMap;
use std::sync::Arc;

use shardbook_engine::id::InstrumentId;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::journal::{Durable, Position};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::record::Record;

use super::error::ProjectorError;
use super::fold::{Fold, needed};
use super::setup::ProjectorLimits;
use super::status::Instruments;
use super::store::{Needed, Step};
use super::{Projector, Session};

/// How many records are written together. A batch that takes too long is rolled back: of the same
/// size, it would be for ever, where the database or this thread has too little of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchSize {
    records: usize,
    most: usize,
}

impl BatchSize {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            records: most,
            most,
        }
    }

    /// The last one did not end in time.
    pub(super) fn shrink(&mut self) {
        self.records = (self.records / 2).max(1);
    }

    /// The last one did.
    fn grow(&mut self) {
        self.records = self.records.saturating_mul(2).min(self.most);
    }
}

/// Payloads that are written together.
struct Batch {
    payloads: Vec<Durable<Vec<Record>>>,
    to: Position,
    batched: Batched,
}

/// How much a batch took of what a journal held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Batched {
    /// There was nothing.
    Nothing,
    /// All that there was when its end was read.
    All,
    /// As much as a batch takes; there may be more.
    Part,
}

impl Batch {
    fn records(&self) -> impl Iterator<Item = &Record> {
        self.payloads.iter().flat_map(|payload| payload.iter())
    }
}

impl Projector {
    /// Projects the next batch of one partition; says how much of what there was.
    pub(super) async fn project_batch(&mut self, index: usize) -> Result<Batched, ProjectorError> {
        let (Some(log), Some(session)) = (self.logs.get(index), self.session.as_mut()) else {
            return Ok(Batched::Nothing);
        };
        let id = log.id;
        let limits = ProjectorLimits {
            batch_records: self.batch_size.records,
            ..self.limits
        };
        let Some(batch) = session.read(id, limits)? else {
            return Ok(Batched::Nothing);
        };
        if let Some(oldest) = batch.records().map(|record| record.timestamp).next() {
            self.status
                .send_if_modified(|status| status.oldest_waiting.replace(oldest) != Some(oldest));
        }
        learn(&mut self.known, &*self.instruments, &batch)?;
        let step = Step {
            partition: id,
            from: session.positions.get(&id).copied().unwrap_or_default(),
            to: batch.to,
        };
        let needed = Needed::take(needed(batch.records()), &mut session.cache, &self.known)?;
        let (known, progress) = (&self.known, &session.progress);
        let outcome = self
            .store
            .commit(step, needed, |orders| {
                let mut fold = Fold::new(orders);
                for record in batch.records() {
                    let id = record.instrument;
                    let instrument = known
                        .get(&id)
                        .ok_or(ProjectorError::UnknownInstrument(id))?;
                    fold.apply(instrument, progress.get(&id).copied(), record)?;
                }
                fold.finish()
            })
            .await?;
        self.batch_size.grow();
        session.positions.insert(id, batch.to);
        session.progress.extend(outcome.progress.iter().copied());
        for (key, order) in outcome.open {
            session.cache.put(key, order);
        }
        self.status.send_modify(|status| {
            status.positions.insert(id, batch.to);
            let sequences = outcome.progress.iter();
            status
                .projected
                .extend(sequences.map(|(id, progress)| (*id, progress.sequence)));
        });
        Ok(batch.batched)
    }
}

impl Session {
    /// The next payloads of a partition, up to a batch.
    fn read(
        &mut self,
        id: PartitionId,
        limits: ProjectorLimits,
    ) -> Result<Option<Batch>, ProjectorError> {
        let Some(reader) = self.readers.get_mut(&id) else {
            return Ok(None);
        };
        let mut payloads: Vec<Durable<Vec<Record>>> = Vec::new();
        let (mut records, mut events) = (0, 0);
        let mut batched = Batched::Part;
        while records < limits.batch_records && events < limits.batch_events {
            let Some(payload) = reader.read()? else {
                batched = Batched::All;
                break;
            };
            records += payload.len();
            events += payload
                .iter()
                .map(|record| record.events.len())
                .sum::<usize>();
            payloads.push(payload);
        }
        let to = payloads.last().map(Durable::position);
        Ok(to.map(|to| Batch {
            payloads,
            to,
            batched,
        }))
    }
}

/// Makes sure that every instrument of the batch is known.
fn learn(
    known: &mut HashMap<InstrumentId, Arc<Instrument>>,
    instruments: &dyn Instruments,
    batch: &Batch,
) -> Result<(), ProjectorError> {
    let unknown = |known: &HashMap<_, _>| {
        batch
            .records()
            .map(|record| record.instrument)
            .find(|id| !known.contains_key(id))
    };
    if unknown(known).is_some() {
        let heads = instruments.heads();
        known.extend(
            heads
                .into_iter()
                .map(|(instrument, _)| (instrument.id, instrument)),
        );
    }
    unknown(known).map_or(Ok(()), |id| Err(ProjectorError::UnknownInstrument(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_until_one_ends_in_time_and_grow_back_to_the_most() {
        let mut size = BatchSize::new(5);
        for records in [2, 1, 1] {
            size.shrink();
            assert_eq!(size.records, records);
        }
        for records in [2, 4, 5, 5] {
            size.grow();
            assert_eq!(size.records, records);
        }
    }
}

//! A journal in memory, which a projector reads as it would read files.

use std::sync::{Arc, Mutex, PoisonError};

use shardbook_engine::exchange::PartitionLog;
use shardbook_engine::journal::{
    JournalError, JournalReader, JournalSource, Part, Position, PositionRange, ReadFrame,
};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::record::{Record, begin_payload};
use tokio::sync::watch;

/// Frames in memory.
pub struct MemoryJournal {
    frames: Arc<Mutex<Frames>>,
    head: watch::Sender<Position>,
}

struct Frames {
    oldest: Position,
    held: Vec<ReadFrame>,
    read: usize,
}

impl MemoryJournal {
    /// A journal that holds nothing.
    pub fn new() -> Self {
        Self {
            frames: Arc::new(Mutex::new(Frames {
                oldest: Position::ZERO.next(),
                held: Vec::new(),
                read: 0,
            })),
            head: watch::Sender::new(Position::ZERO),
        }
    }

    /// Appends one payload, as a run of `frames` frames.
    pub fn append(&self, records: &[Record], frames: usize) {
        let mut payload = Vec::new();
        begin_payload(&mut payload);
        for record in records {
            record.parts().encode(&mut payload);
        }
        let mut held = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let parts: Vec<_> = payload.chunks(payload.len().div_ceil(frames)).collect();
        for (index, part) in parts.iter().enumerate() {
            let position = Position::new(held.oldest.get() + held.held.len() as u64);
            held.held.push(ReadFrame {
                position,
                part: if index + 1 == parts.len() {
                    Part::Last
                } else {
                    Part::MoreFollows
                },
                payload: part.to_vec(),
            });
            self.head.send_replace(position);
        }
    }

    /// How many frames it holds.
    pub fn frames(&self) -> usize {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames.held.len()
    }

    /// How many frames have been read from it, those read again included.
    pub fn frames_read(&self) -> usize {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames.read
    }

    /// Lets go of the `count` oldest frames.
    pub fn trim(&self, count: usize) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames.held.drain(..count);
        frames.oldest = Position::new(frames.oldest.get() + count as u64);
    }

    /// What the projector is given of it.
    pub fn log(&self, id: u32) -> PartitionLog {
        PartitionLog {
            id: PartitionId::new(id),
            source: Arc::new(MemorySource(Arc::clone(&self.frames))),
            head: self.head.subscribe(),
        }
    }
}

struct MemorySource(Arc<Mutex<Frames>>);

impl JournalSource for MemorySource {
    fn range(&self) -> PositionRange {
        let frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        PositionRange {
            oldest: frames.oldest,
            newest: Position::new(frames.oldest.get() + frames.held.len() as u64 - 1),
        }
    }

    fn read_from(&self, position: Position) -> Result<Box<dyn JournalReader>, JournalError> {
        let range = self.range();
        if position < range.oldest || position > range.newest.next() {
            return Err(JournalError::OutOfRange {
                wanted: position,
                oldest: range.oldest,
                newest: range.newest,
            });
        }
        Ok(Box::new(MemoryReader {
            frames: Arc::clone(&self.0),
            next: position,
        }))
    }
}

struct MemoryReader {
    frames: Arc<Mutex<Frames>>,
    next: Position,
}

impl JournalReader for MemoryReader {
    fn read(&mut self) -> Result<Option<ReadFrame>, JournalError> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.next.get() - frames.oldest.get();
        let frame = frames.held.get(index as usize).cloned();
        if frame.is_some() {
            frames.read += 1;
            self.next = self.next.next();
        }
        Ok(frame)
    }
}

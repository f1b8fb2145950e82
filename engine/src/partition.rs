//! A partition: one journal, and the one thread that writes it for all the shards it carries.
//!
//! Whatever every shard has waiting goes out as one payload with one flush; while that flush is
//! under way the shards decide the next batches, so that groups form by themselves from what is
//! waiting and no timer stands in an order's way.

pub mod reader;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::journal::{
    Durable, FRAME_BYTES_MAX, Journal, JournalError, JournalSource, Part, Position,
};
use crate::observer::Observer;
use crate::record::begin_payload;
use crate::supervisor::Panicked;

/// Submissions that may wait for the writer: a shard has one under way at most, so this is met
/// only with more busy instruments than that on one partition, whose shards then wait.
const SUBMISSIONS_WAITING_MAX: usize = 4_096;

/// Bytes of payload after which the writer takes no further submission into the same flush. One
/// frame's worth: a larger payload would be several frames, each with a flush of its own.
const PAYLOAD_BYTES_TARGET: usize = FRAME_BYTES_MAX;

/// How long to wait before room that was missing is asked for again.
const ROOM_RETRY: Duration = Duration::from_secs(1);

/// Whether a journal has room for what is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Secured,
    /// Nothing more is let in until there is.
    Missing,
}

/// Which partition of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(u32);

impl PartitionId {
    /// The partition with this number, from 0.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Encoded records that go into the journal together, and what is to be done once they are
/// there.
pub(crate) struct Submission<T> {
    /// Whole records, one after another.
    pub(crate) records: Vec<u8>,
    /// How many they are.
    pub(crate) record_count: usize,
    /// What travels with them and comes back durable.
    pub(crate) carried: T,
    /// Where it comes back. Has room for what its shard has under way.
    pub(crate) flushed: mpsc::Sender<Durable<T>>,
}

/// The way to a partition's writer.
pub(crate) struct PartitionSender<T>(mpsc::Sender<Submission<T>>);

impl<T> Clone for PartitionSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PartitionSender<T> {
    /// Hands records to the writer. Should the writer be gone, the process is about to end and
    /// nothing comes back.
    pub(crate) async fn submit(&self, submission: Submission<T>) {
        if self.0.send(submission).await.is_err() {
            tracing::error!("the journal's writer is gone");
        }
    }
}

/// Ends the process: for a journal that failed, of which nobody knows what it left behind, so
/// that nothing may be decided after it; and for what [`supervisor`](crate::supervisor) can't
/// mend.
pub type OnFatal = Arc<dyn Fn(&dyn std::error::Error) + Send + Sync>;

/// What a writer does beside writing: it counts towards the next checkpoint, and lets the journal
/// go of what is no longer needed.
pub(crate) struct Upkeep {
    /// Records since the newest checkpoint, or since the last lap.
    pub(crate) records: u64,
    /// Records from one lap to the next.
    pub(crate) every: u64,
    /// Grows with every lap: a checkpoint is due.
    pub(crate) laps: watch::Sender<u64>,
    /// The position below which nothing is needed, as far as is known.
    pub(crate) needed_from: Arc<AtomicU64>,
    /// The position that was trimmed below last.
    pub(crate) trimmed_below: u64,
}

impl Upkeep {
    fn count(&mut self, records: usize) {
        self.records += u64::try_from(records).unwrap_or(u64::MAX);
        if self.records >= self.every {
            self.records = 0;
            self.laps.send_modify(|laps| *laps += 1);
        }
    }

    fn trim(&mut self, journal: &mut dyn Journal) -> Result<(), JournalError> {
        let needed_from = self.needed_from.load(Ordering::Relaxed);
        if needed_from > self.trimmed_below {
            journal.trim_below(Position::new(needed_from))?;
            self.trimmed_below = needed_from;
        }
        Ok(())
    }
}

/// A running partition.
pub(crate) struct Partition<T> {
    pub(crate) sender: PartitionSender<T>,
    pub(crate) source: Arc<dyn JournalSource>,
    pub(crate) head: watch::Receiver<Position>,
    pub(crate) room: watch::Receiver<Room>,
    writer: JoinHandle<()>,
}

impl<T: Send + 'static> Partition<T> {
    /// Starts the writer's thread. Call it within a runtime.
    ///
    /// # Errors
    /// When the machine has no thread to give.
    pub(crate) fn start(
        id: PartitionId,
        journal: Box<dyn Journal>,
        upkeep: Option<Upkeep>,
        observer: Arc<dyn Observer>,
        on_fatal: OnFatal,
    ) -> std::io::Result<Self> {
        let (sender, submissions) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
        let source = journal.source();
        let (head_sender, head) = watch::channel(source.range().newest);
        let (room_sender, room) = watch::channel(Room::Secured);
        let mut writer = Writer {
            journal,
            submissions,
            head: head_sender,
            room: room_sender,
            timer: Handle::current(),
            upkeep,
            observer,
            group: Vec::new(),
            payload: Vec::new(),
        };
        let writer = std::thread::Builder::new()
            .name(format!("journal-{}", id.get()))
            .spawn(
                move || match catch_unwind(AssertUnwindSafe(|| writer.run())) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => on_fatal(&error),
                    Err(payload) => on_fatal(&Panicked::new("the journal's writer", &*payload)),
                },
            )?;
        Ok(Self {
            sender: PartitionSender(sender),
            source,
            head,
            room,
            writer,
        })
    }

    /// Waits until everything submitted is written. Every other sender must be gone.
    pub(crate) fn join(self) {
        let Self { sender, writer, .. } = self;
        drop(sender);
        if writer.join().is_err() {
            tracing::error!("the journal's writer panicked");
        }
    }
}

struct Writer<T> {
    journal: Box<dyn Journal>,
    submissions: mpsc::Receiver<Submission<T>>,
    head: watch::Sender<Position>,
    room: watch::Sender<Room>,
    /// For waiting with a limit of time.
    timer: Handle,
    upkeep: Option<Upkeep>,
    observer: Arc<dyn Observer>,
    /// What the flush under way carries. Outlives a failed one, so that nobody hears anything
    /// before the process ends.
    group: Vec<Submission<T>>,
    /// Reused from flush to flush.
    payload: Vec<u8>,
}

impl<T> Writer<T> {
    fn run(&mut self) -> Result<(), JournalError> {
        self.secure_room()?;
        while let Some(first) = self.next()? {
            self.gather(first);
            let started = Instant::now();
            let position = self.write()?;
            let records = self
                .group
                .iter()
                .map(|submission| submission.record_count)
                .sum();
            self.observer.journal_flushed(started.elapsed(), records);
            self.secure_room()?;
            self.head.send_replace(position);
            for Submission {
                carried, flushed, ..
            } in self.group.drain(..)
            {
                // A shard's channel has room for the one submission it has under way; only a
                // shard that is gone does not take it back, and then nobody waits for it.
                let _ = flushed.try_send(Durable::at(position, carried));
            }
            if let Some(upkeep) = &mut self.upkeep {
                upkeep.count(records);
                upkeep.trim(&mut *self.journal)?;
            }
        }
        Ok(())
    }

    /// Waits for a submission, and meanwhile for room where it is missing; `None` once every
    /// shard is gone.
    fn next(&mut self) -> Result<Option<Submission<T>>, JournalError> {
        while *self.room.borrow() == Room::Missing {
            let waiting = async { tokio::time::timeout(ROOM_RETRY, self.submissions.recv()).await };
            if let Ok(next) = self.timer.block_on(waiting) {
                return Ok(next);
            }
            self.secure_room()?;
        }
        Ok(self.submissions.blocking_recv())
    }

    /// Says whether more may be let in.
    fn secure_room(&mut self) -> Result<(), JournalError> {
        match self.journal.secure_room() {
            Ok(()) => self.tell(Room::Secured, || {
                tracing::info!("the journal has room again: commands are taken");
            }),
            Err(error @ JournalError::NoRoom { .. }) => self.tell(Room::Missing, || {
                tracing::error!(%error, "commands are refused until there is room");
            }),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Makes `room` known, and logs it, if it has changed.
    fn tell(&self, room: Room, log: impl FnOnce()) {
        let is_new = self.room.send_if_modified(|known| {
            let is_new = *known != room;
            *known = room;
            is_new
        });
        if is_new {
            log();
        }
    }

    /// Appends one frame. Without room for it nothing was written: what was let in before room
    /// was found missing waits for some, with its callers.
    fn append(&mut self, part: Part, frame: &[u8]) -> Result<Position, JournalError> {
        loop {
            match self.journal.append(part, frame) {
                Err(error @ JournalError::NoRoom { .. }) => {
                    self.tell(Room::Missing, || {
                        tracing::error!(%error, "commands are refused until there is room");
                    });
                    std::thread::sleep(ROOM_RETRY);
                }
                done => return done,
            }
        }
    }

    /// Makes one payload of `first` and of what else is waiting.
    fn gather(&mut self, first: Submission<T>) {
        self.payload.clear();
        begin_payload(&mut self.payload);
        self.payload.extend_from_slice(&first.records);
        self.group.push(first);
        while self.payload.len() < PAYLOAD_BYTES_TARGET {
            let Ok(next) = self.submissions.try_recv() else {
                break;
            };
            self.payload.extend_from_slice(&next.records);
            self.group.push(next);
        }
    }

    /// Appends the payload as one frame, or as a run of frames if it is too large for one.
    fn write(&mut self) -> Result<Position, JournalError> {
        let payload = std::mem::take(&mut self.payload);
        let written = self.write_frames(&payload);
        self.payload = payload;
        written
    }

    fn write_frames(&mut self, payload: &[u8]) -> Result<Position, JournalError> {
        let mut rest = payload;
        while let Some((frame, after)) = rest.split_at_checked(FRAME_BYTES_MAX)
            && !after.is_empty()
        {
            self.append(Part::MoreFollows, frame)?;
            rest = after;
        }
        self.append(Part::Last, rest)
    }
}

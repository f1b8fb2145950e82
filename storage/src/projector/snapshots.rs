//! Snapshots on their way to the database: each waits until the projector has passed it.

use tokio::sync::{mpsc, oneshot};

use super::ProjectorHandle;
use super::status::DatabaseState;
use crate::snapshot::{PreparedSnapshot, SnapshotError, SnapshotHead};

/// One may wait for the projector beside the one that it has; who has more waits with it.
const WAITING_MAX: usize = 1;

/// A snapshot, and who waits for it to be written.
pub(super) struct Waiting {
    pub(super) snapshot: PreparedSnapshot,
    written: oneshot::Sender<()>,
}

/// The projector's end.
pub(super) struct Inbox {
    arriving: mpsc::Receiver<Waiting>,
    /// The one that the database has yet to come past.
    next: Option<Waiting>,
}

/// The others' end.
pub(super) type Outbox = mpsc::Sender<Waiting>;

pub(super) fn channel() -> (Outbox, Inbox) {
    let (outbox, arriving) = mpsc::channel(WAITING_MAX);
    let next = None;
    (outbox, Inbox { arriving, next })
}

impl Inbox {
    /// Waits until there is one.
    pub(super) async fn wait(&mut self) {
        if self.next.is_none() {
            self.next = self.arriving.recv().await;
        }
        if self.next.is_none() {
            // Nobody is left to send any.
            std::future::pending::<()>().await;
        }
    }

    /// The next one that someone still waits for.
    pub(super) fn next(&mut self) -> Option<&Waiting> {
        let is_wanted = |waiting: &Waiting| !waiting.written.is_closed();
        if !self.next.as_ref().is_some_and(is_wanted) {
            self.next = None;
            while let Ok(waiting) = self.arriving.try_recv() {
                if is_wanted(&waiting) {
                    self.next = Some(waiting);
                    break;
                }
            }
        }
        self.next.as_ref()
    }

    /// The next one is in the database.
    pub(super) fn written(&mut self) {
        if let Some(waiting) = self.next.take() {
            // Who no longer waits finds it in the list.
            let _ = waiting.written.send(());
        }
    }

    /// None of those waiting will be written: whoever sent them may try again.
    pub(super) fn give_up(&mut self) {
        self.next = None;
        while self.arriving.try_recv().is_ok() {}
    }
}

impl ProjectorHandle {
    /// Has a snapshot written once the database is past its sequence, and returns when it is.
    ///
    /// # Errors
    /// When the database goes away before.
    pub async fn keep(&self, snapshot: PreparedSnapshot) -> Result<SnapshotHead, SnapshotError> {
        let head = snapshot.head.clone();
        let (written, is_written) = oneshot::channel();
        let sent = self.snapshots.send(Waiting { snapshot, written }).await;
        if sent.is_ok() && is_written.await.is_ok() {
            return Ok(head);
        }
        Err(SnapshotError::Down(match self.database() {
            DatabaseState::Up => "the projector has ended, or began anew".to_owned(),
            DatabaseState::Down { reason } => reason,
        }))
    }
}

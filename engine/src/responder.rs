//! Where an answer goes. Whoever waits always hears something, whatever becomes of the shard.

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::answer::{Answer, Refusal};

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The shard decided against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The shard's queue is full; nothing was done.
    #[error("too much is waiting for this instrument")]
    Overloaded,
    /// The journal has no room for more, and is asking for it; nothing was done.
    #[error("the journal has no room for more")]
    JournalUnavailable,
    /// The shard is being rebuilt, or went away before it answered. The command may or may not
    /// have been carried out: asking again with the same idempotency key is safe.
    #[error("the instrument's shard is restarting")]
    ShardRestarting,
    /// The command crashed the instrument's shard before, and is not looked at again until the
    /// process ends.
    #[error("the command crashed the instrument's shard before")]
    CommandRefused,
}

/// What became of a command.
pub type Outcome = Result<Answer, CallError>;

/// The outcome of one of many commands that share a way back.
#[derive(Debug)]
pub struct Tagged {
    /// The sender's own number for the command.
    pub tag: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// Takes one command's outcome back to whoever sent it. Dropped without one, it says that the
/// shard is restarting.
#[derive(Debug)]
pub struct Responder(Option<WayBack>);

#[derive(Debug)]
enum WayBack {
    Single(oneshot::Sender<Outcome>),
    /// The permit holds room for the answer, so that a shard never waits for a slow reader.
    Tagged(u64, mpsc::OwnedPermit<Tagged>),
}

impl Responder {
    /// One command, one waiter.
    #[must_use]
    pub fn single() -> (Self, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(WayBack::Single(sender))), receiver)
    }

    /// One of many commands whose outcomes come back over one channel, in which `permit` has
    /// room for this one.
    #[must_use]
    pub const fn tagged(tag: u64, permit: mpsc::OwnedPermit<Tagged>) -> Self {
        Self(Some(WayBack::Tagged(tag, permit)))
    }

    /// Hands the outcome over. Nobody may be waiting any more; the command stands all the same.
    pub fn answer(mut self, outcome: Outcome) {
        self.send(outcome);
    }

    /// For what nobody waits for.
    pub(crate) const fn nobody() -> Self {
        Self(None)
    }

    /// Says nothing, now or later: the command never got on its way and its sender knows.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }

    fn send(&mut self, outcome: Outcome) {
        match self.0.take() {
            Some(WayBack::Single(sender)) => {
                let _nobody_waits = sender.send(outcome);
            }
            Some(WayBack::Tagged(tag, permit)) => {
                permit.send(Tagged { tag, outcome });
            }
            None => {}
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.send(Err(CallError::ShardRestarting));
    }
}

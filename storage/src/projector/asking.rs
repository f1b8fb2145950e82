//! Since when the database owes an answer: one that hangs is told of long before it is given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Any batch has its answer in a fraction of this. Who takes longer is not well, though it may
/// still answer.
const UNANSWERED_AFTER: Duration = Duration::from_secs(3);

/// A question that the database has not answered for longer than it should take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// What was being done, as in `writing a batch`.
    pub doing: &'static str,
    /// For how long there has been no answer.
    pub waited: Duration,
}

/// What the database is being asked. Clones look at the same question.
#[derive(Clone, Debug, Default)]
pub(super) struct Asking(Arc<Mutex<Option<(&'static str, Instant)>>>);

/// A question; over when dropped, answered or not.
pub(super) struct Question<'a>(&'a Asking);

impl Asking {
    pub(super) fn begin(&self, doing: &'static str) -> Question<'_> {
        *self.0.lock() = Some((doing, Instant::now()));
        Question(self)
    }

    pub(super) fn unanswered(&self) -> Option<Unanswered> {
        let (doing, since) = (*self.0.lock())?;
        let waited = since.elapsed();
        (waited >= UNANSWERED_AFTER).then_some(Unanswered { doing, waited })
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

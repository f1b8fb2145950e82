//! Has every instrument close its days once they are over.
//!
//! A day is closed by a record of the instrument's own, in order, beginning with the day on which
//! it was listed: none is left out, however long the exchange was down. At a start this comes
//! before any order is taken, wherever the journal has room; after that, right after midnight by
//! the clock handed in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::command::Command;
use crate::responder::Responder;
use crate::router::{InstrumentHandle, Router};
use crate::time::{Clock, Day};

/// How often the clock is looked at: how late after midnight, or after the journal has room
/// again, a day may be closed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Instruments that close their days at once: each waits for a flush a day, which they share.
const AT_ONCE: usize = 64;

/// Closes days. Clones do the same.
#[derive(Clone)]
pub struct DayCloser {
    router: Arc<Router>,
    clock: Arc<dyn Clock>,
}

/// What came of closing all days that are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Every instrument has closed the days up to this one, with it.
    Through(Day),
    /// Some instrument could not: its journal has no room, or its shard is restarting.
    NotYet,
}

impl DayCloser {
    /// Closes the days of the instruments that `router` knows, by `clock`.
    #[must_use]
    pub fn new(router: Arc<Router>, clock: Arc<dyn Clock>) -> Self {
        Self { router, clock }
    }

    /// Closes every day that is over, on every instrument whose journal has room.
    pub async fn close_days(&self) -> Closed {
        let today = self.clock.now().day().days_since_epoch();
        let yesterday = Day::from_days_since_epoch(today.saturating_sub(1));
        let mut left = self.router.instruments().into_iter();
        let mut closing = JoinSet::new();
        let mut closed = Closed::Through(yesterday);
        loop {
            while closing.len() < AT_ONCE
                && let Some(handle) = left.next()
            {
                let router = Arc::clone(&self.router);
                closing.spawn(async move { close_through(&router, &handle, yesterday).await });
            }
            match closing.join_next().await {
                Some(Ok(Closed::Through(_))) => {}
                Some(Ok(Closed::NotYet) | Err(_)) => closed = Closed::NotYet,
                None => return closed,
            }
        }
    }

    /// Closes each day after its end, until `stopped` says so or is gone; tells `closed` how far
    /// it has come.
    pub async fn run(self, closed: watch::Sender<Option<Day>>, mut stopped: watch::Receiver<bool>) {
        let mut last = *closed.borrow();
        loop {
            if last.map(Day::next) < Some(self.clock.now().day()) {
                match self.close_days().await {
                    Closed::Through(day) => {
                        last = Some(day);
                        closed.send_replace(last);
                    }
                    Closed::NotYet => {}
                }
            }
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }
}

/// Closes an instrument's days, oldest first.
async fn close_through(router: &Router, handle: &InstrumentHandle, last: Day) -> Closed {
    let instrument = handle.instrument();
    loop {
        let closed = handle.market_data().read().last_closed_day();
        let next = closed.map_or_else(|| instrument.listed_at.day(), Day::next);
        if next > last {
            return Closed::Through(last);
        }
        if !handle.has_room() {
            return Closed::NotYet;
        }
        let (responder, outcome) = Responder::single();
        let command = Command::CloseDay(next);
        router.deliver(handle, command, responder).await;
        match outcome.await {
            Ok(Ok(Answer::Applied)) => {}
            // It would read the same again.
            Ok(Ok(_)) | Err(_) => return Closed::NotYet,
            Ok(Err(error)) => {
                tracing::warn!(instrument = %instrument.symbol, %error, "a day is not closed yet");
                return Closed::NotYet;
            }
        }
    }
}

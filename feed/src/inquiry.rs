//! What is asked of Binance's REST API: depth snapshots, for as long as it takes, and trades that
//! were missed, once and again.
//!
//! Two tasks, so that trades need not wait behind a snapshot. Each keeps to its share of the
//! weight that Binance allows an address (6,000 a minute), and both leave the server alone for as
//! long as it asks for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::hole::{Fill, FillRequest, Hole, Print};
use crate::message::Message;
use crate::quiet::Quiet;
use crate::rest::{AggregatesFrom, RestClient, RestError, TRADES_MAX, with_sources};
use crate::retry::Retry;
use crate::source::Signal;

/// Most requests that wait for their turn.
const WAITING_MAX: usize = 1_024;

/// What snapshots may weigh a minute: 20 of them. Some of the 6,000 are left for whoever else
/// asks from this address.
const SNAPSHOTS_BUDGET: u32 = 5_000;
const SNAPSHOT_WEIGHT: u32 = 250;

/// What missed trades may weigh a minute.
const TRADES_BUDGET: u32 = 600;
const NEWEST_WEIGHT: u32 = 25;
const AGGREGATES_WEIGHT: u32 = 4;

/// Time between two snapshots, so that one that came too early is not asked for again at once.
const SNAPSHOT_INTERVAL_MIN: Duration = Duration::from_millis(300);

/// Most requests for the aggregates of one hole, 50,000 of them.
const PAGES_MAX: usize = 50;

/// How often missed trades are asked for before they are given up, and the longest wait in
/// between: what came after them waits.
const FILL_ATTEMPTS: usize = 3;
const FILL_WAIT_MAX: Duration = Duration::from_secs(5);

/// First and longest wait between two tries for a snapshot.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// How often a lasting trouble is told.
const LOG_INTERVAL: Duration = Duration::from_secs(600);

const MINUTE: Duration = Duration::from_secs(60);

/// The way to ask.
#[derive(Clone, Debug)]
pub(crate) struct Inquiries {
    pub(crate) snapshots: mpsc::Sender<String>,
    pub(crate) fills: mpsc::Sender<(String, FillRequest)>,
}

impl Inquiries {
    /// Answers what is asked, until no one asks or listens any more.
    pub(crate) fn answer(client: RestClient, signals: mpsc::Sender<Signal>) -> Self {
        let (snapshots, snapshot_requests) = mpsc::channel(WAITING_MAX);
        let (fills, fill_requests) = mpsc::channel(WAITING_MAX);
        let left_alone = LeftAlone::default();
        let desk = |budget| Desk {
            client: client.clone(),
            signals: signals.clone(),
            budget: Budget::new(budget),
            left_alone: left_alone.clone(),
            quiet: Quiet::new(LOG_INTERVAL),
        };
        tokio::spawn(desk(SNAPSHOTS_BUDGET).serve_snapshots(snapshot_requests));
        tokio::spawn(desk(TRADES_BUDGET).serve_fills(fill_requests));
        Self { snapshots, fills }
    }
}

/// Until when the server wants to be left alone.
#[derive(Clone, Debug, Default)]
struct LeftAlone {
    until: Arc<Mutex<Option<Instant>>>,
}

impl LeftAlone {
    fn note(&self, error: &RestError) {
        if let Some(wait) = error.retry_after() {
            let until = Instant::now() + wait;
            let mut known = self.until.lock();
            *known = Some(known.map_or(until, |known| known.max(until)));
        }
    }

    /// How much longer.
    fn remaining(&self) -> Duration {
        let until = *self.until.lock();
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }
}

/// What a task that asks needs.
struct Desk {
    client: RestClient,
    signals: mpsc::Sender<Signal>,
    budget: Budget,
    left_alone: LeftAlone,
    quiet: Quiet,
}

impl Desk {
    async fn serve_snapshots(mut self, mut requests: mpsc::Receiver<String>) {
        let mut retry = Retry::new(RETRY_FIRST, RETRY_LONGEST);
        let mut last = None;
        while let Some(symbol) = requests.recv().await {
            let snapshot = loop {
                if let Some(last) = last {
                    tokio::time::sleep_until(last + SNAPSHOT_INTERVAL_MIN).await;
                }
                tokio::time::sleep(self.left_alone.remaining()).await;
                self.budget.spend(SNAPSHOT_WEIGHT).await;
                last = Some(Instant::now());
                let error = match self.client.depth(&symbol).await {
                    Ok(snapshot) => break snapshot,
                    Err(error) => error,
                };
                if self.signals.is_closed() {
                    return;
                }
                self.tell(&symbol, &error, "no depth snapshot yet; trying on");
                tokio::time::sleep(retry.next_wait()).await;
            };
            retry.reset();
            let message = Message::DepthSnapshot(snapshot);
            if self.signals.send(Signal::Message(message)).await.is_err() {
                return;
            }
        }
    }

    async fn serve_fills(mut self, mut requests: mpsc::Receiver<(String, FillRequest)>) {
        while let Some((symbol, request)) = requests.recv().await {
            let found = self.find(&symbol, &request).await;
            let fill = Fill {
                hole: request.hole(),
                found,
            };
            if self
                .signals
                .send(Signal::Fill { symbol, fill })
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// What can be had of what is asked for.
    async fn find(&mut self, symbol: &str, request: &FillRequest) -> Vec<Print> {
        let mut found = Vec::new();
        let mut retry = Retry::new(RETRY_FIRST, FILL_WAIT_MAX);
        for attempt in 1..=FILL_ATTEMPTS {
            if self.left_alone.remaining() > FILL_WAIT_MAX || self.signals.is_closed() {
                break;
            }
            tokio::time::sleep(self.left_alone.remaining()).await;
            let asked = match *request {
                FillRequest::Newest { .. } => self.newest(symbol, &mut found).await,
                FillRequest::Aggregates { hole, from, until } => {
                    let begin = AggregatesFrom::Time { from, until };
                    self.aggregates(symbol, hole, begin, &mut found).await
                }
            };
            let Err(error) = asked else {
                break;
            };
            self.tell(symbol, &error, "missed trades can't be had yet");
            if attempt < FILL_ATTEMPTS {
                tokio::time::sleep(retry.next_wait()).await;
            }
        }
        found
    }

    async fn newest(&mut self, symbol: &str, found: &mut Vec<Print>) -> Result<(), RestError> {
        self.budget.spend(NEWEST_WEIGHT).await;
        let trades = self.client.trades(symbol).await?;
        found.extend(trades.iter().map(Print::from));
        Ok(())
    }

    /// Page after page, until the hole's end.
    async fn aggregates(
        &mut self,
        symbol: &str,
        hole: Hole,
        begin: AggregatesFrom,
        found: &mut Vec<Print>,
    ) -> Result<(), RestError> {
        let mut begin = begin;
        for _ in 0..PAGES_MAX {
            self.budget.spend(AGGREGATES_WEIGHT).await;
            let page = self.client.aggregates(symbol, begin).await?;
            found.extend(page.iter().map(Print::from));
            let full = page.len() >= TRADES_MAX;
            match page.last() {
                Some(last) if full && last.last_trade_id < hole.last => {
                    begin = AggregatesFrom::Id(last.id + 1);
                }
                Some(_) | None => break,
            }
        }
        Ok(())
    }

    fn tell(&mut self, symbol: &str, error: &RestError, what: &str) {
        self.left_alone.note(error);
        let reason = with_sources(error);
        if let Some(held_back) = self.quiet.speak(Instant::now().into_std()) {
            tracing::warn!(symbol, reason, held_back, "{what}");
        } else {
            tracing::debug!(symbol, reason, "{what}");
        }
    }
}

/// Spends no more than so much a minute.
#[derive(Debug)]
struct Budget {
    per_minute: u32,
    spent: VecDeque<(Instant, u32)>,
}

impl Budget {
    const fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            spent: VecDeque::new(),
        }
    }

    /// Waits until there is so much to spend.
    async fn spend(&mut self, weight: u32) {
        loop {
            let minute_ago = Instant::now().checked_sub(MINUTE);
            while let Some((at, _)) = self.spent.front()
                && minute_ago.is_some_and(|minute_ago| *at <= minute_ago)
            {
                self.spent.pop_front();
            }
            let spent: u32 = self.spent.iter().map(|(_, weight)| weight).sum();
            match self.spent.front() {
                Some((oldest, _)) if spent + weight > self.per_minute => {
                    tokio::time::sleep_until(*oldest + MINUTE).await;
                }
                Some(_) | None => break,
            }
        }
        self.spent.push_back((Instant::now(), weight));
    }
}

#[cfg(test)]
mod tests;

//! Those who only watch while orders are sent: every event must come to each of them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::run::Target;
use crate::websocket::{self, Socket};

/// Once nothing has come for so long after the load, nothing will.
const QUIET: Duration = Duration::from_secs(2);

/// How many messages that have come are counted at once.
const MESSAGES_AT_ONCE: usize = 256;

/// Subscriptions to trades and deltas, each on a connection of its own.
#[derive(Debug)]
pub(crate) struct Subscribers {
    watching: JoinSet<Result<Seen>>,
    load_is_over: watch::Sender<bool>,
}

/// What one subscriber was sent, or the least and the most that one of them was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Seen {
    /// Trades.
    pub(crate) trades: u64,
    /// Changes of books.
    pub(crate) deltas: u64,
    /// Messages that something was left out.
    pub(crate) gaps: u64,
}

/// What all of them were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AllSeen {
    count: usize,
    least: Seen,
    most: Seen,
}

impl Subscribers {
    /// Connects and subscribes so many times; when it returns nothing that happens is missed.
    ///
    /// # Errors
    /// When the exchange can't be reached or refuses one.
    pub(crate) async fn subscribe(
        target: &Target,
        instruments: &BTreeSet<String>,
        count: u32,
    ) -> Result<Self> {
        let (load_is_over, told) = watch::channel(false);
        let mut watching = JoinSet::new();
        for _ in 0..count {
            let socket = subscribed(target, instruments).await?;
            watching.spawn(watch(socket, told.clone()));
        }
        Ok(Self {
            watching,
            load_is_over,
        })
    }

    /// What they were sent, once nothing more comes; `None` if there are none.
    ///
    /// # Errors
    /// When a connection ended.
    pub(crate) async fn seen(mut self) -> Result<Option<AllSeen>> {
        self.load_is_over.send_replace(true);
        let mut all = Vec::new();
        while let Some(seen) = self.watching.join_next().await {
            all.push(seen??);
        }
        Ok(AllSeen::of(&all))
    }
}

impl AllSeen {
    fn of(all: &[Seen]) -> Option<Self> {
        let extreme = |choose: fn(u64, u64) -> u64| {
            all.iter().copied().reduce(|one, other| Seen {
                trades: choose(one.trades, other.trades),
                deltas: choose(one.deltas, other.deltas),
                gaps: choose(one.gaps, other.gaps),
            })
        };
        Some(Self {
            count: all.len(),
            least: extreme(Ord::min)?,
            most: extreme(Ord::max)?,
        })
    }

    /// Whether everything came to everyone.
    pub(crate) fn all_well(&self) -> bool {
        self.least == self.most && self.most.gaps == 0
    }
}

impl std::fmt::Display for AllSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, least, most } = self;
        write!(
            f,
            "{count} subscribers: each was sent {} to {} trades, {} to {} deltas, and {} to {} gaps",
            least.trades, most.trades, least.deltas, most.deltas, least.gaps, most.gaps
        )
    }
}

async fn subscribed(target: &Target, instruments: &BTreeSet<String>) -> Result<Socket> {
    let mut socket = websocket::connect(target).await?;
    let subscription = json!({
        "op": "subscribe", "id": 1,
        "channels": ["trades", "orderbook_deltas"], "instruments": instruments,
    });
    socket.send(Message::text(subscription.to_string())).await?;
    let Some(answer) = socket.next().await else {
        bail!("the connection ended before the subscription was answered");
    };
    let answer = answer?.into_text()?;
    ensure!(answer.starts_with("{\"type\":\"result\""), "{answer}");
    Ok(socket)
}

async fn watch(socket: Socket, mut load_is_over: watch::Receiver<bool>) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut messages = socket.ready_chunks(MESSAGES_AT_ONCE);
    loop {
        let over = *load_is_over.borrow_and_update();
        let chunk = if over {
            match timeout(QUIET, messages.next()).await {
                Ok(chunk) => chunk,
                Err(_) => return Ok(seen),
            }
        } else {
            tokio::select! {
                chunk = messages.next() => chunk,
                _ = load_is_over.changed() => continue,
            }
        };
        let Some(chunk) = chunk else {
            bail!("a subscriber's connection ended");
        };
        for message in chunk {
            seen.count(&message?.into_text()?);
        }
    }
}

impl Seen {
    /// By how a message begins; the rest is not looked at, since there are many.
    fn count(&mut self, message: &str) {
        if message.starts_with("{\"type\":\"trade\"") {
            self.trades += 1;
        } else if message.starts_with("{\"type\":\"orderbook_delta\"") {
            self.deltas += 1;
        } else if message.starts_with("{\"type\":\"gap\"") {
            self.gaps += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_well_where_each_was_sent_the_same_and_nothing_was_left_out() {
        let mut seen = Seen::default();
        for message in [
            r#"{"type":"orderbook_snapshot","instrument":"BTC-USD"}"#,
            r#"{"type":"orderbook_delta","instrument":"BTC-USD"}"#,
            r#"{"type":"trade","trade":{}}"#,
            r#"{"type":"trade","trade":{}}"#,
        ] {
            seen.count(message);
        }
        let expected = Seen {
            trades: 2,
            deltas: 1,
            gaps: 0,
        };
        assert_eq!(seen, expected);
        assert!(AllSeen::of(&[seen, seen]).unwrap().all_well());
        let less = Seen { trades: 1, ..seen };
        assert!(!AllSeen::of(&[seen, less]).unwrap().all_well());
        let mut gap = seen;
        gap.count(r#"{"type":"gap","channel":"trades"}"#);
        assert!(!AllSeen::of(&[gap, gap]).unwrap().all_well());
        assert_eq!(AllSeen::of(&[]), None);
    }
}

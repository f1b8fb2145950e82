//! The orders that one connection placed and that wait for their outcomes.
//!
//! They are by far the most frequent of what is under way, so they take a short way: the shard
//! sends each outcome, with a number on it, into one channel of the connection, which finds here
//! what it belongs to. There is no task, no future and no channel for each of them.

use std::time::Instant;

use futures::FutureExt;
use slab::Slab;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::responder::{Responder, Tagged};

use crate::access::Trader;
use crate::problem::{Code, Problem};
use crate::request::OrderText;
use crate::stream::websocket::Shared;
use crate::stream::websocket::operation::Begun;
use crate::stream::websocket::reply::{self, OperationId};
use crate::trading::{Placed, Placement, Placing, Trading};

/// Placements that wait, each with its number.
pub(super) struct Placements {
    waiting: Slab<Waiting>,
    way_back: mpsc::Sender<Tagged>,
    outcomes: mpsc::Receiver<Tagged>,
}

struct Waiting {
    id: OperationId,
    read: Instant,
    placing: Placing,
}

impl Placements {
    /// None yet, and room for so many.
    pub(super) fn new(most: usize) -> Self {
        let (way_back, outcomes) = mpsc::channel(most);
        Self {
            waiting: Slab::new(),
            way_back,
            outcomes,
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Sends an order on its way.
    pub(super) fn place(
        &mut self,
        trading: &Trading,
        by: &Trader,
        order: OrderText<'_>,
        id: &OperationId,
        read: Instant,
    ) -> Result<(), Problem> {
        let permit = self.way_back.clone().try_reserve_owned().map_err(|_| {
            let detail = "too many orders of this connection wait for their outcomes";
            Problem::new(Code::Overloaded, detail)
        })?;
        let entry = self.waiting.vacant_entry();
        let tag = u64::try_from(entry.key()).unwrap_or(u64::MAX);
        let responder = || Responder::tagged(tag, permit);
        entry.insert(Waiting {
            placing: trading.begin_placing(by, order, None, responder)?,
            id: id.clone(),
            read,
        });
        Ok(())
    }

    /// Waits for the next outcome.
    pub(super) async fn next(&mut self) -> Option<Tagged> {
        self.outcomes.recv().await
    }

    /// The next outcome that is there already.
    pub(super) fn try_next(&mut self) -> Option<Tagged> {
        self.outcomes.try_recv().ok()
    }

    /// What an outcome makes of the placement that it belongs to.
    pub(super) fn conclude(&mut self, outcome: Tagged, shared: &Shared) -> Option<Begun> {
        let Tagged { tag, outcome } = outcome;
        let Waiting { id, read, placing } = self.waiting.try_remove(usize::try_from(tag).ok()?)?;
        Some(match shared.trading.placed(placing, outcome) {
            Placed::Now(placed) => Begun::Done(answer(&id, read, shared, placed)),
            Placed::Before(looked_up) => {
                let shared = shared.clone();
                let answer = looked_up.map(move |placed| answer(&id, read, &shared, placed));
                Begun::UnderWay(answer.boxed())
            }
        })
    }
}

fn answer(
    id: &OperationId,
    read: Instant,
    shared: &Shared,
    placed: Result<Placement, Problem>,
) -> Utf8Bytes {
    match placed {
        Ok(placement) => {
            let elapsed = read.elapsed();
            shared
                .metrics
                .order_answered(&placement.instrument, elapsed);
            reply::placed(id, placement)
        }
        Err(mut problem) => {
            shared.refused("place", &mut problem);
            reply::failed(id, &problem)
        }
    }
}

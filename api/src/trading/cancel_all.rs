//! Taking all of a client's orders off the books.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use shardbook_engine::answer::Answer;
use shardbook_engine::command::{Command, MassCancel};
use shardbook_engine::id::OrderId;
use shardbook_engine::order::CancelReason;
use shardbook_engine::responder::CallError;
use shardbook_engine::router::InstrumentHandle;

use crate::access::Trader;
use crate::problem::Problem;
use crate::request::CancelAll;
use crate::schema::List;
use crate::schema::order::{CANCELLED_IDS_SHOWN_MAX, CancelAllView};
use crate::schema::text::{Count, OrderIdText, SymbolText};
use crate::trading::Trading;

/// Instruments that a mass cancel asks at once.
const MASS_CANCELS_AT_ONCE: usize = 64;

impl Trading {
    /// Takes all of a client's orders off the books, in commands of a bounded size.
    ///
    /// # Errors
    /// [`RateLimited`](crate::problem::Code::RateLimited).
    pub async fn cancel_all(
        &self,
        by: &Trader,
        request: CancelAll<Arc<InstrumentHandle>>,
    ) -> Result<CancelAllView, Problem> {
        let CancelAll { client, on, side } = request;
        by.meter().charge_client(&client)?;
        let instruments = on.map_or_else(|| self.router.instruments(), |on| vec![on]);
        let mut waiting = instruments.into_iter();
        let mut running = FuturesUnordered::new();
        let start = |on| {
            let command = MassCancel {
                client: client.clone(),
                side,
                reason: CancelReason::MassCancel,
            };
            self.cancel_all_on(on, command)
        };
        running.extend(waiting.by_ref().take(MASS_CANCELS_AT_ONCE).map(start));
        let mut cancelled = 0;
        let mut order_ids = Vec::new();
        let mut failed = Vec::new();
        while let Some((on, ids, outcome)) = running.next().await {
            cancelled += ids.len();
            let room = CANCELLED_IDS_SHOWN_MAX - order_ids.len();
            order_ids.extend(ids.into_iter().take(room).map(OrderIdText));
            if outcome.is_err() {
                failed.push(SymbolText(on.instrument().symbol.clone()));
            }
            running.extend(waiting.next().map(start));
        }
        Ok(CancelAllView {
            cancelled: Count::from(cancelled),
            order_ids: List(order_ids),
            failed,
        })
    }

    async fn cancel_all_on(
        &self,
        on: Arc<InstrumentHandle>,
        command: MassCancel,
    ) -> (Arc<InstrumentHandle>, Vec<OrderId>, Result<(), CallError>) {
        let mut taken = Vec::new();
        loop {
            let command = Command::MassCancel(command.clone());
            match self.router.call(&on, command).await {
                Ok(Answer::MassCancelled(ids)) => taken.extend(ids),
                Ok(_) => return (on, taken, Ok(())),
                Err(error) => return (on, taken, Err(error)),
            }
        }
    }
}

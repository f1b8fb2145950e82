//! What the sender of a record is told: the orders as the record left them.

use std::sync::Arc;

use super::Fold;
use crate::answer::Answer;
use crate::command::Command;
use crate::market_data::change::{Change, ChangeKind};
use crate::market_data::slab::Slot;
use crate::order::{Order, OrderWithTrades, TRADES_SHOWN_MAX, Trade};

impl Fold<'_> {
    /// What the sender is told. The first order touched, told of in the change at `first_order`,
    /// is the one that was placed, cancelled or amended.
    pub(super) fn answer(&self, touched: &[Slot], first_order: usize) -> Answer {
        let order = || match self
            .applied
            .changes
            .get(first_order)
            .map(|change| &change.kind)
        {
            Some(ChangeKind::Order(order)) => Arc::clone(order),
            Some(ChangeKind::Trade(_) | ChangeKind::Delta(_)) | None => {
                unreachable!("the command touches its order")
            }
        };
        // All trades of the record are those of the order that came in by it.
        let with_trades = || OrderWithTrades {
            order: Order::clone(&order()),
            trades: self.newest_told(first_order),
        };
        match &self.record.command {
            Command::Place(_) => Answer::Placed(with_trades()),
            Command::Cancel(_) => Answer::Cancelled(order()),
            Command::Amend(_) => Answer::Amended(with_trades()),
            Command::MassCancel(_) => Answer::MassCancelled(
                touched
                    .iter()
                    .map(|slot| self.market.orders.get(*slot).id.clone())
                    .collect(),
            ),
            Command::Tape(_)
            | Command::Mirror(_)
            | Command::WithdrawMirror
            | Command::Halt
            | Command::Resume
            | Command::CloseDay(_) => Answer::Applied,
        }
    }

    /// The newest [`TRADES_SHOWN_MAX`] trades of the record, oldest first; the changes up to
    /// `end` tell of them last.
    fn newest_told(&self, end: usize) -> Vec<Arc<Trade>> {
        let own = |change: &Change| match &change.kind {
            ChangeKind::Trade(trade) if change.id.sequence == self.record.sequence => {
                Some(Arc::clone(trade))
            }
            ChangeKind::Trade(_) | ChangeKind::Order(_) | ChangeKind::Delta(_) => None,
        };
        let told = self.applied.changes.get(..end).unwrap_or_default();
        let newest = told.iter().rev().map_while(own).take(TRADES_SHOWN_MAX);
        let mut trades: Vec<_> = newest.collect();
        trades.reverse();
        trades
    }
}

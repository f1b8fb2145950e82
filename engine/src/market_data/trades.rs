//! The newest trades, and an order's own.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::id::TradeNumber;
use crate::order::{Order, TRADES_SHOWN_MAX, Trade};
use crate::quantity::{Notional, Quantity};

/// Whether memory alone can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It holds all that was asked for.
    Whole,
    /// There are more, older ones, which memory has let go of.
    Short,
}

/// Trades as memory holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradesPage {
    /// Newest first, without a gap.
    pub trades: Vec<Arc<Trade>>,
    /// Whether these are all that was asked for.
    pub reach: Reach,
}

/// An instrument's newest trades, oldest first and numbered without a gap.
#[derive(Debug)]
pub(super) struct RecentTrades {
    trades: VecDeque<Arc<Trade>>,
    kept_max: usize,
    newest: Option<Arc<Trade>>,
}

impl RecentTrades {
    pub(super) const fn new(kept_max: usize) -> Self {
        Self {
            trades: VecDeque::new(),
            kept_max,
            newest: None,
        }
    }

    pub(super) fn push(&mut self, trade: Arc<Trade>) {
        let newest = self.newest.as_ref().map(|newest| newest.number);
        assert_eq!(
            trade.number,
            newest.unwrap_or_default().next(),
            "trades are numbered without a gap"
        );
        self.newest = Some(Arc::clone(&trade));
        push_bounded(&mut self.trades, trade, self.kept_max);
    }

    pub(super) const fn newest(&self) -> Option<&Arc<Trade>> {
        self.newest.as_ref()
    }

    /// Those that memory holds, oldest first.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Trade>> {
        self.trades.iter()
    }

    /// Takes trades held before, oldest first; the last of them is the newest.
    pub(super) fn restore(&mut self, trades: &[Arc<Trade>], newest: Option<Arc<Trade>>) {
        self.newest = newest;
        for trade in trades {
            push_bounded(&mut self.trades, Arc::clone(trade), self.kept_max);
        }
    }

    /// At most `limit` trades numbered below `before`, newest first.
    pub(super) fn page(&self, before: Option<TradeNumber>, limit: usize) -> TradesPage {
        let below = self
            .trades
            .partition_point(|trade| before.is_none_or(|before| trade.number < before));
        let trades: Vec<_> = self
            .trades
            .range(..below)
            .rev()
            .take(limit)
            .cloned()
            .collect();
        // The number of the trade that memory would have to hold next to show more.
        let oldest_shown = match (trades.last(), before, self.newest()) {
            (Some(oldest), _, _) => oldest.number.get(),
            (None, Some(before), Some(newest)) => before.get().min(newest.number.next().get()),
            (None, None, Some(newest)) => newest.number.next().get(),
            (None, _, None) => 1,
        };
        let is_whole = trades.len() == limit || oldest_shown <= 1;
        TradesPage {
            trades,
            reach: if is_whole { Reach::Whole } else { Reach::Short },
        }
    }

    /// The `count` trades numbered on from `first`, oldest first, or `None` unless all are here.
    pub(super) fn numbered(&self, first: TradeNumber, count: usize) -> Option<Vec<Arc<Trade>>> {
        numbered(&self.trades, first, count)
    }

    /// An order's newest [`TRADES_SHOWN_MAX`], oldest first, or `None` unless all are here. Looks
    /// at what traded between its placement and its last change, from the newest back.
    pub(super) fn of(&self, order: &Order) -> Option<Vec<Arc<Trade>>> {
        let count = usize::try_from(order.trade_count).unwrap_or(usize::MAX);
        let shown = count.min(TRADES_SHOWN_MAX);
        let up_to = |sequence| {
            self.trades
                .partition_point(|trade| trade.sequence <= sequence)
        };
        let mut trades: Vec<_> = self
            .trades
            .range(..up_to(order.updated))
            .rev()
            .take_while(|trade| trade.sequence >= order.placed.sequence)
            .filter(|trade| [trade.buy.placed, trade.sell.placed].contains(&order.placed))
            .take(shown)
            .cloned()
            .collect();
        trades.reverse();
        (trades.len() == shown).then_some(trades)
    }
}

/// What has traded of one order, and while it is open its newest trades.
#[derive(Clone, Debug, Default)]
pub(super) struct Fills {
    pub(super) quantity: Quantity,
    pub(super) notional: Notional,
    pub(super) count: u64,
    newest: VecDeque<Arc<Trade>>,
}

impl Fills {
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn add(&mut self, trade: &Arc<Trade>) {
        let lots = self.quantity.lots() + trade.quantity.lots();
        self.quantity = Quantity::new(lots).expect("an order trades no more than its quantity");
        self.notional += trade.price * trade.quantity;
        self.count += 1;
        push_bounded(&mut self.newest, Arc::clone(trade), TRADES_SHOWN_MAX);
    }

    /// What had traded before, with its newest trades, oldest first.
    pub(super) fn restore(
        quantity: Quantity,
        notional: Notional,
        count: u64,
        newest: Vec<Arc<Trade>>,
    ) -> Self {
        Self {
            quantity,
            notional,
            count,
            newest: newest.into(),
        }
    }

    /// An open order's newest [`TRADES_SHOWN_MAX`], oldest first; none of a closed one's.
    pub(super) fn newest(&self) -> Vec<Arc<Trade>> {
        self.newest.iter().cloned().collect()
    }

    /// Forgets the trades, but not what they came to: the order closed.
    pub(super) fn let_go(&mut self) {
        self.newest = VecDeque::new();
    }

    /// The `count` trades numbered on from `first`, or `None` unless all are here.
    pub(super) fn numbered(&self, first: TradeNumber, count: usize) -> Option<Vec<Arc<Trade>>> {
        numbered(&self.newest, first, count)
    }
}

/// Finds trades in a queue whose numbers rise, if all `count` on from `first` are in it.
fn numbered(
    trades: &VecDeque<Arc<Trade>>,
    first: TradeNumber,
    count: usize,
) -> Option<Vec<Arc<Trade>>> {
    let from = trades.partition_point(|trade| trade.number < first);
    let mut number = first;
    let mut found = Vec::with_capacity(count.min(trades.len()));
    for trade in trades.range(from..).take(count) {
        if trade.number != number {
            return None;
        }
        number = number.next();
        found.push(Arc::clone(trade));
    }
    (found.len() == count).then_some(found)
}

fn push_bounded(trades: &mut VecDeque<Arc<Trade>>, trade: Arc<Trade>, kept_max: usize) {
    if kept_max == 0 {
        return;
    }
    if trades.len() >= kept_max {
        trades.pop_front();
    }
    trades.push_back(trade);
}

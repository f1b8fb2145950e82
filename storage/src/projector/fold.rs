//! Folds records into what they change in the database. Pure: rows in, rows out.
//!
//! A client's maker or cancelled order that the records did not place themselves must be at
//! hand; [`needed`] says which. Mirror orders appear only once they trade: a maker's row comes
//! with its trade, and a change to one that is not at hand is a change to one that never traded.

mod step;
mod sums;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use shardbook_engine::command::Command;
use shardbook_engine::event::{Event, Maker};
use shardbook_engine::id::{InstrumentId, Sequence};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::Order;
use shardbook_engine::record::Record;

use super::bulk::{OrderState, TradeOf};
use super::cache::OrderKey;
use super::error::ProjectorError;
use crate::entity::convert::{TradingStatus, instrument_row};
use crate::entity::instrument;

pub(crate) use self::sums::{InstrumentSums, Sums};

use self::step::{Gathered, Step, unknown};

/// How far an instrument's history stands in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) sequence: Sequence,
    pub(crate) status: TradingStatus,
}

/// Everything a batch of records is folded into.
#[derive(Debug)]
pub(crate) struct Fold {
    /// Orders at hand, as they stand.
    orders: HashMap<OrderKey, Order>,
    /// Each order as it stood after each record that changed it.
    events: Vec<OrderState>,
    trades: Vec<TradeOf>,
    sums: Sums,
    progress: BTreeMap<InstrumentId, Folded>,
}

/// What an instrument has come to.
#[derive(Debug)]
struct Folded {
    instrument: Arc<Instrument>,
    /// What its first record follows.
    from: Sequence,
    now: Progress,
}

/// The rows that a batch changes or adds, in the order in which they are best written.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Orders that no row can be there of.
    pub(crate) new_orders: Vec<OrderState>,
    /// Orders that there may be rows of, and mostly are.
    pub(crate) changed_orders: Vec<OrderState>,
    pub(crate) events: Vec<OrderState>,
    pub(crate) trades: Vec<TradeOf>,
    pub(crate) instruments: Vec<instrument::Model>,
}

/// What is to be remembered of a batch once its rows are written.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Where each instrument of the batch stands after it.
    pub(crate) progress: Vec<(InstrumentId, Progress)>,
    /// Orders that still rest.
    pub(crate) open: Vec<(OrderKey, Order)>,
}

/// Orders placed before `records` began that they speak of, each once.
pub(crate) fn needed<'a>(records: impl Iterator<Item = &'a Record>) -> HashSet<OrderKey> {
    let mut first: HashMap<InstrumentId, Sequence> = HashMap::new();
    let mut needed = HashSet::new();
    for record in records {
        let first = *first.entry(record.instrument).or_insert(record.sequence);
        for event in &record.events {
            let order = match event {
                Event::Traded {
                    maker: Maker::Client(order),
                    ..
                }
                | Event::Cancelled { order, .. }
                | Event::Amended { order, .. }
                | Event::MirrorReduced { order, .. } => *order,
                Event::Traded {
                    maker: Maker::Mirror(_),
                    ..
                }
                | Event::Rejected(_)
                | Event::MirrorAdded { .. } => continue,
            };
            if order.sequence < first {
                needed.insert((record.instrument, order));
            }
        }
    }
    needed
}

impl Fold {
    /// A fold with those orders at hand that were [`needed`] and exist.
    pub(crate) fn new(orders: HashMap<OrderKey, Order>) -> Self {
        Self {
            orders,
            events: Vec::new(),
            trades: Vec::new(),
            sums: Sums::default(),
            progress: BTreeMap::new(),
        }
    }

    /// Folds in one record of `instrument`, which stood at `before` when the fold began; `None`
    /// for one that the database does not know yet.
    ///
    /// # Errors
    /// When the record does not follow, speaks of an unknown order, or fits no row.
    pub(crate) fn apply(
        &mut self,
        instrument: &Arc<Instrument>,
        before: Option<Progress>,
        record: &Record,
    ) -> Result<(), ProjectorError> {
        let progress = self.advance(instrument, before, record)?;
        let sums = self.sums.of(instrument);
        if let Command::CloseDay(day) = record.command {
            sums.closed.insert(day);
        }
        let gathered = Gathered {
            orders: &mut self.orders,
            trades: &mut self.trades,
            sums,
        };
        let mut step = Step::new(instrument, record, gathered);
        step.take_all()?;
        for placed in step.touched() {
            let key = (record.instrument, placed);
            let order = self
                .orders
                .get(&key)
                .ok_or_else(|| unknown(instrument, placed))?;
            self.events.push(OrderState {
                instrument: Arc::clone(instrument),
                order: order.clone(),
            });
        }
        let folded = self.progress.entry(record.instrument);
        let folded = folded.or_insert_with(|| Folded {
            instrument: Arc::clone(instrument),
            from: before.map_or(Sequence::ZERO, |before| before.sequence),
            now: progress,
        });
        folded.now = progress;
        Ok(())
    }

    fn advance(
        &self,
        instrument: &Arc<Instrument>,
        before: Option<Progress>,
        record: &Record,
    ) -> Result<Progress, ProjectorError> {
        let known = self.progress.get(&record.instrument);
        let before = known.map(|folded| folded.now).or(before);
        if let Some(before) = before
            && record.sequence != before.sequence.next()
        {
            return Err(ProjectorError::Gap {
                symbol: instrument.symbol.clone(),
                projected: before.sequence,
                found: record.sequence,
            });
        }
        let status = match record.command {
            Command::Halt => TradingStatus::Halted,
            Command::Resume => TradingStatus::Trading,
            Command::Place(_)
            | Command::Cancel(_)
            | Command::Amend(_)
            | Command::MassCancel(_)
            | Command::Tape(_)
            | Command::Mirror(_)
            | Command::WithdrawMirror
            | Command::CloseDay(_) => before.map_or(TradingStatus::Trading, |before| before.status),
        };
        Ok(Progress {
            sequence: record.sequence,
            status,
        })
    }

    /// What came of it.
    ///
    /// # Errors
    /// When an instrument fits no row.
    pub(crate) fn finish(self) -> Result<(Rows, Sums, Outcome), ProjectorError> {
        let mut instruments = Vec::with_capacity(self.progress.len());
        let mut progress = Vec::with_capacity(self.progress.len());
        let mut rows = Rows::default();
        // The newest state of each order that changed, by key so that rows are written in order.
        let mut changed: Vec<&OrderState> = self.events.iter().collect();
        changed.sort_by_key(|state| (state.instrument.id, state.order.placed, state.order.updated));
        for (index, state) in changed.iter().enumerate() {
            let key = |state: &OrderState| (state.instrument.id, state.order.placed);
            let next = changed.get(index + 1);
            if next.is_some_and(|next| key(next) == key(state)) {
                continue;
            }
            let from = self.progress.get(&state.instrument.id);
            let is_new = from.is_some_and(|folded| state.order.placed.sequence > folded.from);
            if is_new {
                rows.new_orders.push((*state).clone());
            } else {
                rows.changed_orders.push((*state).clone());
            }
        }
        for (id, folded) in self.progress {
            let Folded {
                instrument, now, ..
            } = folded;
            instruments.push(instrument_row(&instrument, now.status, now.sequence)?);
            progress.push((id, now));
        }
        rows.events = self.events;
        rows.trades = self.trades;
        rows.instruments = instruments;
        let orders = self.orders.into_iter();
        let open = orders.filter(|(_, order)| order.is_open()).collect();
        Ok((rows, self.sums, Outcome { progress, open }))
    }
}

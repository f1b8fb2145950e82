//! What a batch's trades add to the candles and the day's positions, and the days it closes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shardbook_engine::candle::Candle;
use shardbook_engine::id::{ClientId, InstrumentId};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::Trade;
use shardbook_engine::position::{ClientPosition, parts_of};
use shardbook_engine::time::{Day, Minutes, Timestamp};

/// Sums over the trades of a batch, by instrument.
#[derive(Debug, Default)]
pub(crate) struct Sums(pub(crate) BTreeMap<InstrumentId, InstrumentSums>);

/// Sums over one instrument's trades.
#[derive(Debug)]
pub(crate) struct InstrumentSums {
    pub(crate) instrument: Arc<Instrument>,
    /// By the minute's beginning. Only the first can have begun before the batch.
    pub(crate) candles: BTreeMap<Timestamp, Candle>,
    pub(crate) positions: BTreeMap<Day, BTreeMap<ClientId, ClientPosition>>,
    /// Days that are over.
    pub(crate) closed: BTreeSet<Day>,
}

impl Sums {
    /// An instrument's, to be added to.
    pub(super) fn of(&mut self, instrument: &Arc<Instrument>) -> &mut InstrumentSums {
        self.0
            .entry(instrument.id)
            .or_insert_with(|| InstrumentSums::new(Arc::clone(instrument)))
    }
}

impl InstrumentSums {
    pub(crate) const fn new(instrument: Arc<Instrument>) -> Self {
        Self {
            instrument,
            candles: BTreeMap::new(),
            positions: BTreeMap::new(),
            closed: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, trade: &Trade) {
        let open_time = trade.timestamp.floor(Minutes::ONE);
        self.candles
            .entry(open_time)
            .and_modify(|candle| candle.add(trade.price, trade.quantity))
            .or_insert_with(|| Candle::begin(open_time, trade.price, trade.quantity));
        let clients = self.positions.entry(trade.timestamp.day()).or_default();
        parts_of(trade, |client, part| {
            if let Some(position) = clients.get_mut(client) {
                position.append(&part);
            } else {
                clients.insert(client.clone(), part);
            }
        });
    }
}

//! The newest candles of one minute, and who bought and sold today.

use std::collections::{BTreeMap, HashMap, VecDeque};

use foldhash::fast::RandomState;

use crate::candle::Candle;
use crate::id::{ClientId, Sequence};
use crate::order::Trade;
use crate::position::{ClientPosition, parts_of};
use crate::time::{Day, Minutes, Timestamp};

/// How long a candle stays after it began, counted to the newest one: the longest window is 24
/// hours, which begins with a minute, and readers' clocks may be a little behind.
const KEPT: Minutes = Minutes::hours(25);

/// Days whose positions are kept: the running one, and the one before until it is closed.
const DAYS_KEPT: usize = 2;

/// One minute's candle, and the command of its last trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptCandle {
    /// The candle.
    pub candle: Candle,
    /// Which command traded last.
    pub updated: Sequence,
}

/// The newest candle that memory has let go of: of this minute and those before it, only the
/// database knows, once it is past the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandlesLetGo {
    /// Where it began.
    pub open_time: Timestamp,
    /// The command of its last trade.
    pub updated: Sequence,
}

/// The candles of the last 25 hours.
#[derive(Debug, Default)]
pub(super) struct RecentCandles {
    /// Oldest first; minutes without trades are left out.
    candles: VecDeque<KeptCandle>,
    let_go: Option<CandlesLetGo>,
}

impl RecentCandles {
    pub(super) fn add(&mut self, trade: &Trade) {
        let open_time = trade.timestamp.floor(Minutes::ONE);
        let updated = trade.sequence;
        match self.candles.back_mut() {
            Some(last) if last.candle.open_time == open_time => {
                last.candle.add(trade.price, trade.quantity);
                last.updated = updated;
                return;
            }
            Some(_) | None => {}
        }
        let candle = Candle::begin(open_time, trade.price, trade.quantity);
        self.candles.push_back(KeptCandle { candle, updated });
        let kept_from = open_time.before(KEPT);
        while let Some(oldest) = self.candles.front()
            && oldest.candle.open_time < kept_from
        {
            self.let_go = Some(CandlesLetGo {
                open_time: oldest.candle.open_time,
                updated: oldest.updated,
            });
            self.candles.pop_front();
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &KeptCandle> {
        self.candles.iter()
    }

    pub(super) fn between(&self, from: Timestamp, to: Timestamp) -> Vec<Candle> {
        let place = |time| {
            self.candles
                .partition_point(|kept| kept.candle.open_time < time)
        };
        let (first, end) = (place(from), place(to));
        if first >= end {
            return Vec::new();
        }
        let kept = self.candles.range(first..end);
        kept.map(|kept| kept.candle).collect()
    }

    pub(super) const fn let_go(&self) -> Option<CandlesLetGo> {
        self.let_go
    }

    pub(super) fn restore(candles: Vec<KeptCandle>, let_go: Option<CandlesLetGo>) -> Self {
        Self {
            candles: candles.into(),
            let_go,
        }
    }
}

/// What each client bought and sold in the days that are not closed.
#[derive(Debug, Default)]
pub(super) struct OpenDays(BTreeMap<Day, HashMap<ClientId, ClientPosition, RandomState>>);

impl OpenDays {
    pub(super) fn add(&mut self, trade: &Trade) {
        let clients = self.0.entry(trade.timestamp.day()).or_default();
        parts_of(trade, |client, part| {
            if let Some(position) = clients.get_mut(client) {
                position.append(&part);
            } else {
                clients.insert(client.clone(), part);
            }
        });
        while self.0.len() > DAYS_KEPT {
            self.0.pop_first();
        }
    }

    pub(super) fn close(&mut self, day: Day) {
        self.0 = self.0.split_off(&day.next());
    }

    pub(super) fn of(&self, client: &ClientId, day: Day) -> Option<ClientPosition> {
        self.0.get(&day)?.get(client).copied()
    }

    /// Every day's clients in the order of their names.
    pub(super) fn sorted(&self) -> Vec<(Day, Vec<(ClientId, ClientPosition)>)> {
        let days = self.0.iter().map(|(day, clients)| {
            let mut clients: Vec<_> = clients
                .iter()
                .map(|(client, position)| (client.clone(), *position))
                .collect();
            clients.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            (*day, clients)
        });
        days.collect()
    }

    pub(super) fn restore(days: Vec<(Day, Vec<(ClientId, ClientPosition)>)>) -> Self {
        let days = days.into_iter();
        Self(
            days.map(|(day, clients)| (day, clients.into_iter().collect()))
                .collect(),
        )
    }
}

//! Which instruments an order id is to be looked for on.
//!
//! It only routes: the shard decides, and the market data answers. An id is held once by each
//! placement on its way and once by each row in memory, so that a cancel right behind its order
//! finds its way, and the directory is no larger than what is queued and readable.
//!
//! Ids are held by their hashes, whose secret differs from process to process: that two ids held
//! at once share all 64 bits happens once in some 10^13 orders placed with a million held. One of
//! them may then be said to be on the other's instrument as well, and whoever asks is told to name
//! the instrument.

use std::array;
use std::hash::BuildHasher;
use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::fast::RandomState;

use crate::id::{InstrumentId, OrderId};
use crate::market_data::Applied;

/// How many parts the map has, each with a lock of its own, and moved by itself when it grows. One
/// part of a million ids fits the cache of a core.
const PARTS: usize = 64;

/// How often an id is held, by instrument. Nearly always one instrument, once or twice.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holders {
    One(InstrumentId, u32),
    #[expect(
        clippy::box_collection,
        reason = "it is rare, and the others stay small"
    )]
    Several(Box<Vec<(InstrumentId, u32)>>),
}

/// Order ids and the instruments that hold them.
#[derive(Debug)]
pub struct Directory {
    /// By the ids' hashes.
    holders: DashMap<u64, Holders, RandomState>,
    hasher: RandomState,
}

impl Default for Directory {
    fn default() -> Self {
        let hasher = RandomState::default();
        Self {
            holders: DashMap::with_hasher_and_shard_amount(hasher.clone(), PARTS),
            hasher,
        }
    }
}

/// Keeps an id in the directory while its placement is on its way.
#[derive(Debug)]
pub struct Claim {
    directory: Arc<Directory>,
    /// The id's hash; `None` once a row holds it instead.
    hash: Option<u64>,
    instrument: InstrumentId,
}

impl Claim {
    /// Leaves the id held for its row, as if that had begun to hold it and the claim had let go.
    pub fn leave_to_row(mut self) {
        self.hash = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(hash) = self.hash {
            self.directory.release_hash(hash, self.instrument);
        }
    }
}

impl Directory {
    /// Holds `id` until the claim is dropped.
    #[must_use]
    pub fn claim(self: &Arc<Self>, id: &OrderId, instrument: InstrumentId) -> Claim {
        let hash = self.hash(id);
        self.hold_hash(hash, instrument);
        Claim {
            directory: Arc::clone(self),
            hash: Some(hash),
            instrument,
        }
    }

    /// Holds `id` once more on `instrument`.
    pub fn hold(&self, id: &OrderId, instrument: InstrumentId) {
        self.hold_hash(self.hash(id), instrument);
    }

    fn hold_hash(&self, hash: u64, instrument: InstrumentId) {
        match self.holders.entry(hash) {
            Entry::Vacant(vacant) => {
                vacant.insert(Holders::One(instrument, 1));
            }
            Entry::Occupied(mut occupied) => occupied.get_mut().hold(instrument),
        }
    }

    /// Holds each of these once more on `instrument`, part by part: as [`Directory::hold`] of
    /// each, in a fraction of the time where they are many.
    pub fn hold_all<'a>(&self, ids: impl Iterator<Item = &'a OrderId>, instrument: InstrumentId) {
        let mut hashes: [Vec<u64>; PARTS] = array::from_fn(|_| Vec::new());
        for id in ids {
            let hash = self.hash(id);
            if let Some(part) = hashes.get_mut(self.holders.determine_map(&hash)) {
                part.push(hash);
            }
        }
        for hash in hashes.into_iter().flatten() {
            self.hold_hash(hash, instrument);
        }
    }

    /// Lets go of all that `instrument` holds, however often.
    pub fn release_all(&self, instrument: InstrumentId) {
        self.holders.retain(|_, holders| {
            holders.release_all(instrument);
            !holders.is_empty()
        });
    }

    /// Lets go of `id` once on `instrument`.
    pub fn release(&self, id: &OrderId, instrument: InstrumentId) {
        self.release_hash(self.hash(id), instrument);
    }

    fn release_hash(&self, hash: u64, instrument: InstrumentId) {
        if let Entry::Occupied(mut occupied) = self.holders.entry(hash) {
            occupied.get_mut().release(instrument);
            if occupied.get().is_empty() {
                occupied.remove();
            }
        }
    }

    /// Holds the rows that appeared on `instrument` and lets go of those that memory let go of.
    pub fn follow(&self, instrument: InstrumentId, applied: &mut Applied) {
        for id in applied.appeared.drain(..) {
            self.hold(&id, instrument);
        }
        for id in applied.let_go.drain(..) {
            self.release(&id, instrument);
        }
    }

    /// The instruments that hold `id`.
    #[must_use]
    pub fn instruments(&self, id: &OrderId) -> Vec<InstrumentId> {
        match self.holders.get(&self.hash(id)).as_deref() {
            None => Vec::new(),
            Some(Holders::One(instrument, _)) => vec![*instrument],
            Some(Holders::Several(several)) => several.iter().map(|held| held.0).collect(),
        }
    }

    fn hash(&self, id: &OrderId) -> u64 {
        self.hasher.hash_one(id.as_bytes())
    }

    /// How many ids are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether no id is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }
}

impl Holders {
    fn hold(&mut self, instrument: InstrumentId) {
        match self {
            Self::One(held, times) if *held == instrument => *times += 1,
            Self::One(held, times) => {
                *self = Self::Several(Box::new(vec![(*held, *times), (instrument, 1)]));
            }
            Self::Several(several) => match several.iter_mut().find(|held| held.0 == instrument) {
                Some(held) => held.1 += 1,
                None => several.push((instrument, 1)),
            },
        }
    }

    fn release(&mut self, instrument: InstrumentId) {
        match self {
            Self::One(held, times) if *held == instrument => *times = times.saturating_sub(1),
            Self::One(..) => {}
            Self::Several(several) => {
                if let Some(held) = several.iter_mut().find(|held| held.0 == instrument) {
                    held.1 = held.1.saturating_sub(1);
                }
                self.settle();
            }
        }
    }

    fn release_all(&mut self, instrument: InstrumentId) {
        match self {
            Self::One(held, times) if *held == instrument => *times = 0,
            Self::One(..) => {}
            Self::Several(several) => {
                several.retain(|held| held.0 != instrument);
                self.settle();
            }
        }
    }

    /// Forgets those that hold it no more, of several.
    fn settle(&mut self) {
        if let Self::Several(several) = self {
            several.retain(|held| held.1 > 0);
            if let [(held, times)] = several.as_slice()[..] {
                *self = Self::One(held, times);
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::One(_, times) => *times == 0,
            Self::Several(several) => several.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> OrderId {
        OrderId::new(text).unwrap()
    }

    const BTC: InstrumentId = InstrumentId::new(0);
    const ETH: InstrumentId = InstrumentId::new(1);

    #[test]
    fn an_id_is_found_from_its_claim_until_its_row_goes() {
        let directory = Arc::new(Directory::default());
        let claim = directory.claim(&id("a"), BTC);
        assert_eq!(directory.instruments(&id("a")), [BTC]);
        directory.hold(&id("a"), BTC);
        drop(claim);
        assert_eq!(directory.instruments(&id("a")), [BTC]);
        directory.release(&id("a"), BTC);
        assert!(directory.is_empty());
    }

    #[test]
    fn a_claim_that_is_left_to_its_row_holds_until_the_row_goes() {
        let directory = Arc::new(Directory::default());
        directory.claim(&id("a"), BTC).leave_to_row();
        assert_eq!(directory.instruments(&id("a")), [BTC]);
        directory.release(&id("a"), BTC);
        assert!(directory.is_empty());
    }

    #[test]
    fn a_refused_duplicate_does_not_hide_the_order_that_has_the_id() {
        let directory = Arc::new(Directory::default());
        directory.hold(&id("a"), BTC);
        drop(directory.claim(&id("a"), BTC));
        assert_eq!(directory.instruments(&id("a")), [BTC]);
    }

    #[test]
    fn an_id_on_two_instruments_is_found_on_both_and_then_on_the_one_that_is_left() {
        let directory = Arc::new(Directory::default());
        directory.hold(&id("a"), BTC);
        directory.hold(&id("a"), ETH);
        assert_eq!(directory.instruments(&id("a")), [BTC, ETH]);
        directory.release(&id("a"), BTC);
        assert_eq!(directory.instruments(&id("a")), [ETH]);
        directory.release(&id("a"), BTC);
        directory.release(&id("a"), ETH);
        assert!(directory.is_empty());
    }

    #[test]
    fn many_ids_held_at_once_are_held_as_if_one_by_one_and_let_go_of_by_instrument() {
        let directory = Directory::default();
        directory.hold(&id("1"), BTC);
        let ids: Vec<OrderId> = (0..1_000).map(|number| id(&number.to_string())).collect();
        for instrument in [BTC, ETH] {
            directory.hold_all(ids.iter().take(900), instrument);
        }
        assert_eq!(directory.len(), 900);
        assert_eq!(directory.instruments(&id("899")), [BTC, ETH]);
        assert!(directory.instruments(&id("900")).is_empty());
        directory.release_all(BTC);
        assert_eq!(directory.instruments(&id("1")), [ETH]);
        directory.release_all(ETH);
        assert!(directory.is_empty());
    }
}

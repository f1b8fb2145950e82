//! Another exchange's depth as resting orders.
//!
//! Each mirrored level has a target: what the source shows there. Between updates no more of the
//! mirror's rests at a level than its target; less where trades took some, or where an addition
//! could not be made whole. Such a level is *short*, and the next update, whatever it names,
//! brings it up again.
//!
//! An update goes through the levels it names and the short ones, bids before asks and best
//! first: first all reductions, the newest of a level's orders first, then all additions, each
//! behind what is queued. So the mirror makes room for its own other side, and a client's order
//! never loses its place. An addition that reaches clients' orders takes them, and what it took
//! counts against it: the level is short until the next update. An addition whose price reaches
//! any of the mirror's own orders is left out, and its level stays short.
//!
//! Known limit: an update costs its levels and the short ones, each a look-up in a hash map.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::Book;
use super::matching::Taker;
use super::rank::{LevelKey, Rank};
use super::types::{BookEvent, ClientNumber, Handle, Incoming};
use crate::command::{MirrorLevel, MirrorScope};
use crate::order::SelfTradePrevention;
use crate::quantity::Quantity;

/// What the book knows of its mirror, besides the orders.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// The levels with a target. The map's order is never looked at.
    levels: HashMap<LevelKey, Mirrored, FixedState>,
    /// The short levels, in no order, and perhaps some that are not: those whose `listed` is
    /// set.
    short: Vec<LevelKey>,
    /// The levels an update goes through; kept between updates for its memory alone.
    work: Vec<LevelKey>,
}

/// One mirrored level.
#[derive(Clone, Copy, Debug, Default)]
struct Mirrored {
    target: Quantity,
    /// What rests of the mirror's orders here.
    resting: Quantity,
    /// How many of them there are.
    orders: usize,
    /// The last of them in the queue. Each knows the one before it; as trades take the oldest
    /// and reductions the newest, a count is enough to know where the chain ends.
    newest: Option<Handle>,
    /// Whether it stands in the list of short levels.
    listed: bool,
}

impl Mirrored {
    const fn shortfall(&self) -> Quantity {
        self.target.saturating_sub(self.resting)
    }
}

impl Mirror {
    /// Takes note that a trade took some of the oldest mirror order of a level.
    pub(super) fn filled(&mut self, key: LevelKey, quantity: Quantity, remaining: Quantity) {
        let level = self.level_mut(key);
        level.resting -= quantity;
        if remaining.is_zero() {
            level.orders -= 1;
        }
        if !level.listed {
            level.listed = true;
            self.short.push(key);
        }
    }

    /// Takes note that an order came to rest, and tells which was the newest before it.
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn rested(
        &mut self,
        key: LevelKey,
        handle: Handle,
        quantity: Quantity,
    ) -> Option<Handle> {
        let level = self.levels.entry(key).or_default();
        level.resting = level
            .resting
            .checked_add(quantity)
            .expect("no more rests than the target");
        level.orders += 1;
        level.newest.replace(handle)
    }

    /// Takes note that the newest order of a level goes, and which is the newest from now on.
    pub(super) fn removed(
        &mut self,
        key: LevelKey,
        handle: Handle,
        remaining: Quantity,
        older: Option<Handle>,
    ) {
        let level = self.level_mut(key);
        assert_eq!(level.newest, Some(handle), "the newest goes first");
        level.resting -= remaining;
        level.orders -= 1;
        level.newest = older;
    }

    /// Takes note that an order of a level was made smaller.
    pub(super) fn lowered(&mut self, key: LevelKey, by: Quantity) {
        self.level_mut(key).resting -= by;
    }

    /// Sets the targets, and lists the levels that must be looked at: those named, those that a
    /// whole update leaves out, and the short ones.
    fn set_targets(&mut self, scope: MirrorScope, named: &[MirrorLevel]) -> Vec<LevelKey> {
        let mut work = std::mem::take(&mut self.work);
        work.append(&mut self.short);
        match scope {
            MirrorScope::Changes => {}
            MirrorScope::Whole => {
                for (key, level) in &mut self.levels {
                    level.target = Quantity::ZERO;
                    work.push(*key);
                }
            }
        }
        for level in named {
            let key = LevelKey::new(level.side, level.price);
            self.levels.entry(key).or_default().target = level.quantity;
            work.push(key);
        }
        // Nothing depends on the map's order any more.
        work.sort_unstable();
        work.dedup();
        work
    }

    /// Forgets the levels without a target and lists those that are short. Gives the update's
    /// list back.
    fn list_short(&mut self, mut work: Vec<LevelKey>) {
        for key in work.drain(..) {
            let level = self.level_mut(key);
            assert!(level.resting <= level.target, "more rests than the target");
            level.listed = !level.shortfall().is_zero();
            if level.listed {
                self.short.push(key);
            } else if level.target.is_zero() {
                self.levels.remove(&key);
            }
        }
        self.work = work;
    }

    fn shortfall(&self, key: LevelKey) -> Quantity {
        self.levels
            .get(&key)
            .map_or(Quantity::ZERO, Mirrored::shortfall)
    }

    fn target(&self, key: LevelKey) -> Quantity {
        self.levels
            .get(&key)
            .map_or(Quantity::ZERO, |level| level.target)
    }

    fn rests_at(&self, key: LevelKey) -> bool {
        self.levels.get(&key).is_some_and(|level| level.orders > 0)
    }

    /// Whether an update would set any target to another.
    fn targets_would_change(&self, scope: MirrorScope, named: &[MirrorLevel]) -> bool {
        match scope {
            MirrorScope::Changes => named.iter().enumerate().any(|(index, level)| {
                let key = LevelKey::new(level.side, level.price);
                // Of a level named twice, the last mention counts.
                self.target(key) != level.quantity
                    && !named
                        .iter()
                        .skip(index + 1)
                        .any(|later| LevelKey::new(later.side, later.price) == key)
            }),
            MirrorScope::Whole => {
                let mut targets: HashMap<LevelKey, Quantity, FixedState> = named
                    .iter()
                    .map(|level| (LevelKey::new(level.side, level.price), level.quantity))
                    .collect();
                targets.retain(|_, target| !target.is_zero());
                targets.len() != self.levels.len()
                    || targets
                        .iter()
                        .any(|(key, target)| self.target(*key) != *target)
            }
        }
    }

    /// What the mirror believes to rest at a level: how much, in how many orders, and the newest.
    pub(super) fn at(&self, key: LevelKey) -> (Quantity, usize, Option<Handle>) {
        self.levels
            .get(&key)
            .map_or((Quantity::ZERO, 0, None), |level| {
                (level.resting, level.orders, level.newest)
            })
    }

    /// The levels that are short, bids before asks, best first.
    #[cfg(test)]
    pub(super) fn short_levels(&self) -> Vec<(crate::side::Side, crate::price::Price)> {
        let levels = self.levels.iter();
        let mut short: Vec<LevelKey> = levels
            .filter(|(_, level)| !level.shortfall().is_zero())
            .map(|(key, _)| *key)
            .collect();
        short.sort_unstable();
        short.iter().map(|key| (key.side(), key.price())).collect()
    }

    /// How many orders it believes to have.
    pub(super) fn orders(&self) -> usize {
        self.levels.values().map(|level| level.orders).sum()
    }

    /// What must hold of targets and lists between commands.
    pub(super) fn assert_invariants(&self) {
        assert!(
            self.work.is_empty(),
            "an update's list was not gone through"
        );
        for (key, level) in &self.levels {
            assert!(!level.target.is_zero(), "{key:?} has no target");
            assert!(level.resting <= level.target, "too much rests at {key:?}");
            let listed = self.short.iter().filter(|short| *short == key).count();
            assert_eq!(listed, usize::from(level.listed), "the listing of {key:?}");
            assert!(
                level.listed || level.shortfall().is_zero(),
                "{key:?} is short"
            );
        }
        assert!(self.short.iter().all(|key| self.levels.contains_key(key)));
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn level_mut(&mut self, key: LevelKey) -> &mut Mirrored {
        self.levels.get_mut(&key).expect("the level is mirrored")
    }
}

impl Book {
    /// Brings the mirror to an update: sets the targets, reduces, then adds, on the levels named
    /// and on the short ones. Of a level named twice, the last mention counts.
    pub fn mirror(
        &mut self,
        scope: MirrorScope,
        levels: &[MirrorLevel],
        events: &mut Vec<BookEvent>,
    ) {
        let work = self.mirror.set_targets(scope, levels);
        for key in &work {
            self.reduce_mirrored(*key, events);
        }
        for key in &work {
            self.add_mirrored(*key, events);
        }
        self.mirror.list_short(work);
    }

    /// Whether [`Book::mirror`] would change anything: an order or a target.
    #[must_use]
    pub fn mirror_would_change(&self, scope: MirrorScope, levels: &[MirrorLevel]) -> bool {
        // With the targets as they are there is nothing to reduce, and as long as no addition
        // is made, none makes way for another.
        self.mirror.targets_would_change(scope, levels)
            || self.mirror.short.iter().any(|key| {
                !self.mirror.shortfall(*key).is_zero() && !self.would_reach_mirrored(*key)
            })
    }

    /// Takes away everything mirrored and forgets the targets.
    pub fn withdraw_mirror(&mut self, events: &mut Vec<BookEvent>) {
        self.mirror(MirrorScope::Whole, &[], events);
    }

    /// The mirrored levels with their targets, bids before asks, best first.
    pub fn mirror_targets(&self) -> impl Iterator<Item = MirrorLevel> + '_ {
        let mut keys: Vec<LevelKey> = self.mirror.levels.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| MirrorLevel {
            side: key.side(),
            price: key.price(),
            quantity: self.mirror.target(key),
        })
    }

    /// Sets the mirror's targets alone. Called after the events of the same command have been
    /// restored; `(MirrorScope::Whole, &[])` is what a withdrawal leaves.
    ///
    /// # Panics
    /// If more rests at a level than its target: the events are not the command's.
    pub fn restore_mirror(&mut self, scope: MirrorScope, levels: &[MirrorLevel]) {
        let work = self.mirror.set_targets(scope, levels);
        self.mirror.list_short(work);
    }

    /// Takes the newest of a level's orders away, and makes one smaller, until no more rests
    /// than its target.
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn reduce_mirrored(&mut self, key: LevelKey, events: &mut Vec<BookEvent>) {
        loop {
            let level = self.mirror.level_mut(key);
            let excess = level.resting.saturating_sub(level.target);
            if excess.is_zero() {
                return;
            }
            let handle = level.newest.expect("what rests rests in an order");
            let remaining = self.slab.order(handle).remaining;
            if remaining <= excess {
                self.remove(handle);
                events.push(BookEvent::MirrorRemoved { handle });
            } else {
                self.lower_to(handle, remaining - excess);
                events.push(BookEvent::MirrorReduced { handle, by: excess });
            }
        }
    }

    /// Brings in what a level is short of, unless it would trade with the mirror itself.
    fn add_mirrored(&mut self, key: LevelKey, events: &mut Vec<BookEvent>) {
        let shortfall = self.mirror.shortfall(key);
        if shortfall.is_zero() || self.would_reach_mirrored(key) {
            return;
        }
        events.push(BookEvent::MirrorAdded {
            side: key.side(),
            price: key.price(),
            quantity: shortfall,
        });
        let incoming = Incoming {
            client: ClientNumber::MIRROR,
            side: key.side(),
            quantity: shortfall,
            self_trade_prevention: SelfTradePrevention::None,
        };
        let mut taker = Taker::new(incoming, Some(key.price()));
        self.trade(&mut taker, events);
        if !taker.remaining.is_zero() {
            let handle = self.rest(ClientNumber::MIRROR, key, taker.remaining);
            events.push(BookEvent::MirrorRested { handle });
        }
    }

    /// Whether any of the mirror's own orders rests within reach of one at this level.
    fn would_reach_mirrored(&self, key: LevelKey) -> bool {
        let makers = key.side().opposite();
        let limit = Rank::of(makers, key.price());
        self.sides
            .of(makers)
            .iter()
            .take_while(|(rank, _)| *rank <= limit)
            .any(|(rank, _)| {
                self.mirror
                    .rests_at(LevelKey::new(makers, rank.price(makers)))
            })
    }
}

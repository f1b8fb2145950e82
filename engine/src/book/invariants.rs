//! What must hold of a book between commands.

use super::Book;
use super::level::Level;
use super::rank::{LevelKey, Rank};
use super::types::{ClientNumber, Handle};
use crate::quantity::{Quantity, Volume};
use crate::side::Side;

impl Book {
    /// Checks the whole book, at the cost of looking at every order. For tests, after every
    /// command.
    ///
    /// # Panics
    /// If anything is not as it must be, and says what.
    pub fn assert_invariants(&self) {
        let mut resting = 0;
        for side in [Side::Buy, Side::Sell] {
            self.sides.of(side).assert_invariants();
            for (rank, level) in self.sides.of(side).iter() {
                resting += self.assert_level(side, rank, level);
            }
        }
        if let (Some((bid, _)), Some((ask, _))) = (self.best(Side::Buy), self.best(Side::Sell)) {
            assert!(bid < ask, "the book is crossed: {bid:?} bid, {ask:?} asked");
        }
        self.assert_slab(resting);
        self.mirror.assert_invariants();
    }

    /// Returns how many orders rest at the level.
    fn assert_level(&self, side: Side, rank: Rank, level: &Level) -> usize {
        let key = LevelKey::new(side, rank.price(side));
        let queue: Vec<Handle> = level.queue(&self.slab).collect();
        assert!(!queue.is_empty(), "no one rests at {key:?}");
        assert_eq!(
            level.orders(),
            u32::try_from(queue.len()).unwrap_or(u32::MAX)
        );
        assert_eq!(
            level.last(),
            queue.last().copied(),
            "the last of {key:?} is another"
        );
        let mut volume = Volume::ZERO;
        let mut previous = None;
        for handle in &queue {
            let slot = self.slab.order(*handle);
            assert_eq!(slot.key, key, "an order of another level");
            assert_eq!(slot.previous, previous, "a broken link at {key:?}");
            assert!(
                !slot.remaining.is_zero(),
                "an order without remainder rests"
            );
            volume += slot.remaining;
            previous = Some(*handle);
        }
        assert_eq!(level.volume(), volume, "the total of {key:?}");
        self.assert_mirrored(key, &queue);
        queue.len()
    }

    /// The mirror knows its orders of a level, their number, their sum and their chain.
    fn assert_mirrored(&self, key: LevelKey, queue: &[Handle]) {
        let newest_first: Vec<Handle> = queue
            .iter()
            .copied()
            .rev()
            .filter(|handle| self.slab.order(*handle).client == ClientNumber::MIRROR)
            .collect();
        let sum = newest_first
            .iter()
            .map(|handle| Volume::from(self.slab.order(*handle).remaining))
            .sum();
        let (resting, orders, newest) = self.mirror.at(key);
        assert_eq!(Volume::from(resting), sum, "the mirror's sum at {key:?}");
        let chain: Vec<Handle> =
            std::iter::successors(newest, |handle| self.slab.order(*handle).older)
                .take(orders)
                .collect();
        assert_eq!(chain, newest_first, "the mirror's chain at {key:?}");
    }

    fn assert_slab(&self, resting: usize) {
        let slots = self.slab.slots();
        let free: Vec<Handle> = self.slab.free_list().take(slots.len() + 1).collect();
        assert_eq!(
            free.len() + resting,
            slots.len(),
            "slots are lost or listed twice"
        );
        for handle in free {
            assert_eq!(
                self.slab.order(handle).remaining,
                Quantity::ZERO,
                "a resting order is free"
            );
        }
        let mirrored = slots
            .iter()
            .filter(|slot| slot.client == ClientNumber::MIRROR && !slot.remaining.is_zero());
        assert_eq!(
            mirrored.count(),
            self.mirror.orders(),
            "the mirror's number of orders"
        );
    }
}

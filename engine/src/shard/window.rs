//! Values held first in, first out, and found by a key that each of them has.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use crate::hash_index::HashIndex;

/// What a [`Window`] can hold.
pub(super) trait Keyed {
    /// What it is found by.
    type Key<'a>: Hash + Eq
    where
        Self: 'a;

    fn key(&self) -> Self::Key<'_>;
}

/// The newest of many values. Of two with the same key, the newer is found; that happens after
/// the window was made larger and the records of a smaller one are applied again.
#[derive(Debug)]
pub(super) struct Window<T> {
    /// Oldest first.
    values: VecDeque<T>,
    /// The number of the oldest value held; numbers count on from it.
    oldest: u64,
    /// The number of the next value.
    next: u64,
    /// The values' numbers, by the hashes of their keys: keys are kept once.
    numbers: HashIndex<u64>,
    hasher: RandomState,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            values: VecDeque::new(),
            oldest: 0,
            next: 0,
            numbers: HashIndex::default(),
            hasher: RandomState::default(),
        }
    }
}

impl<T: Keyed> Window<T> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.values.front()
    }

    pub(super) fn find<'a>(&'a self, key: T::Key<'a>) -> Option<&'a T> {
        let number = self.numbers.find(self.hasher.hash_one(&key), |number| {
            at(&self.values, self.oldest, number).key() == key
        });
        number.map(|number| at(&self.values, self.oldest, number))
    }

    pub(super) fn push(&mut self, value: T) {
        let (values, oldest, number) = (&self.values, self.oldest, self.next);
        self.numbers
            .insert(self.hasher.hash_one(value.key()), number, |number| {
                at(values, oldest, number).key() == value.key()
            });
        self.values.push_back(value);
        self.next += 1;
    }

    pub(super) fn pop(&mut self) {
        let Some(value) = self.values.pop_front() else {
            return;
        };
        let number = self.oldest;
        self.oldest += 1;
        // By number: a newer value may have the same key.
        self.numbers
            .remove(self.hasher.hash_one(value.key()), number);
    }
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn at<T>(values: &VecDeque<T>, oldest: u64, number: u64) -> &T {
    let index = number
        .checked_sub(oldest)
        .and_then(|index| usize::try_from(index).ok());
    index
        .and_then(|index| values.get(index))
        .expect("a value is held as long as its number")
}

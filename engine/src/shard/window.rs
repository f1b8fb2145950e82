//! Values held first in, first out, and found by a key that each of them has.

use std::collections::VecDeque;

use crate::hash_index::HashIndex;

use super::hashed::Hashed;

/// What a [`Window`] can hold.
pub(super) trait Keyed {
    /// What it is found by.
    type Key<'a>: Eq
    where
        Self: 'a;

    fn key(&self) -> Self::Key<'_>;
}

/// The newest of many values. Of two with the same key, the newer is found; that happens after
/// the window was made larger and the records of a smaller one are applied again.
#[derive(Debug)]
pub(super) struct Window<T> {
    /// Oldest first.
    values: VecDeque<Hashed<T>>,
    /// The number of the oldest value held; numbers count on from it.
    oldest: u64,
    /// The number of the next value.
    next: u64,
    /// The values' numbers, by the hashes of their keys: keys are kept once.
    numbers: HashIndex<u64>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            values: VecDeque::new(),
            oldest: 0,
            next: 0,
            numbers: HashIndex::default(),
        }
    }
}

impl<T: Keyed> Window<T> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter().map(|hashed| &hashed.value)
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.values.front().map(|hashed| &hashed.value)
    }

    /// The newest value of a key, given with the key's hash.
    pub(super) fn find<'a>(&'a self, hash: u64, key: &T::Key<'a>) -> Option<&'a T> {
        let number = self.numbers.find(hash, |number| {
            at(&self.values, self.oldest, number).key() == *key
        });
        number.map(|number| at(&self.values, self.oldest, number))
    }

    pub(super) fn push(&mut self, hashed: Hashed<T>) {
        let (values, oldest, number) = (&self.values, self.oldest, self.next);
        self.numbers.insert(hashed.hash, number, |number| {
            at(values, oldest, number).key() == hashed.value.key()
        });
        self.values.push_back(hashed);
        self.next += 1;
    }

    pub(super) fn pop(&mut self) {
        let Some(hashed) = self.values.pop_front() else {
            return;
        };
        let number = self.oldest;
        self.oldest += 1;
        // By number: a newer value may have the same key.
        self.numbers.remove(hashed.hash, number);
    }
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn at<T>(values: &VecDeque<Hashed<T>>, oldest: u64, number: u64) -> &T {
    let index = number
        .checked_sub(oldest)
        .and_then(|index| usize::try_from(index).ok());
    index
        .and_then(|index| values.get(index))
        .map(|hashed| &hashed.value)
        .expect("a value is held as long as its number")
}

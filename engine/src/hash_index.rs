//! Values found by the hashes of keys that stand elsewhere, growing in steps that nobody notices.
//!
//! One hash table that doubles moves all it holds while everyone waits, and to move an entry it
//! hashes the key again, which lies somewhere in memory: some tenths of a second for a million ids.
//! Here the hashes are kept, and many small tables share the entries, each doubling by itself.

use std::array;

use hashbrown::HashTable;

/// A table of a million entries in so many parts doubles in some hundred microseconds.
const PARTS: usize = 64;

/// Where a hash's part is told: above the bits that place an entry in its table, below those
/// that the table compares.
const PART_SHIFT: u32 = 40;

/// Values by hash. What two keys with the same hash have to do with each other is up to the
/// caller, who can tell keys apart by their values.
#[derive(Debug)]
pub(crate) struct HashIndex<V> {
    parts: Box<[HashTable<Entry<V>>; PARTS]>,
}

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    hash: u64,
    value: V,
}

impl<V> Default for HashIndex<V> {
    fn default() -> Self {
        Self {
            parts: Box::new(array::from_fn(|_| HashTable::new())),
        }
    }
}

impl<V: Copy + PartialEq> HashIndex<V> {
    /// The value under a hash whose key `is` the one looked for.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(V) -> bool) -> Option<V> {
        let found = self
            .part(hash)
            .find(hash, |entry| entry.hash == hash && is(entry.value));
        found.map(|entry| entry.value)
    }

    /// Puts a value in; one whose key `is` the same makes way for it.
    pub(crate) fn insert(&mut self, hash: u64, value: V, is: impl Fn(V) -> bool) {
        let same = |entry: &Entry<V>| entry.hash == hash && is(entry.value);
        self.part_mut(hash)
            .entry(hash, same, |entry| entry.hash)
            .insert(Entry { hash, value });
    }

    /// Takes this very value out, and tells whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, value: V) -> bool {
        let found = self
            .part_mut(hash)
            .find_entry(hash, |entry| entry.value == value);
        found.map(|entry| entry.remove()).is_ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    /// Every value, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = V> {
        self.parts.iter().flatten().map(|entry| entry.value)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a part's number is below their count"
    )]
    fn part(&self, hash: u64) -> &HashTable<Entry<V>> {
        &self.parts[part_of(hash)]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a part's number is below their count"
    )]
    fn part_mut(&mut self, hash: u64) -> &mut HashTable<Entry<V>> {
        &mut self.parts[part_of(hash)]
    }
}

#[expect(
    clippy::as_conversions,
    reason = "the upper bits do not matter to the remainder"
)]
const fn part_of(hash: u64) -> usize {
    (hash >> PART_SHIFT) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Few enough hashes that keys share them, in every part.
    fn hash_of(key: u32) -> u64 {
        u64::from(key % 100) << PART_SHIFT
    }

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(steps in prop::collection::vec((any::<bool>(), 0..300_u32), 0..600)) {
            // A value is its key and a number that tells it from the key's others.
            let mut index = HashIndex::default();
            let mut map = BTreeMap::new();
            for (number, (put, key)) in steps.into_iter().enumerate() {
                if put {
                    index.insert(hash_of(key), (key, number), |(other, _)| other == key);
                    map.insert(key, (key, number));
                } else {
                    let value = map.remove(&key).unwrap_or((key, number));
                    prop_assert_eq!(index.remove(hash_of(key), value), value.1 != number);
                }
                for key in 0..300 {
                    let found = index.find(hash_of(key), |(other, _)| other == key);
                    prop_assert_eq!(found, map.get(&key).copied());
                }
            }
            prop_assert_eq!(index.len(), map.len());
            let mut values: Vec<_> = index.iter().collect();
            values.sort_unstable();
            prop_assert_eq!(values, map.into_values().collect::<Vec<_>>());
        }
    }
}

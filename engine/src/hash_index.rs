//! Values found by the hashes of keys that stand elsewhere, growing in steps that nobody notices.
//!
//! One hash table that doubles moves all it holds while everyone waits: some tenths of a second for
//! a million ids. Here many small tables share the entries, each growing by itself.
//!
//! An entry is the lower half of its key's hash and a value of four bytes, and stands where that
//! half says, or right behind: eight bytes in all, so that finding it, putting it in and taking it
//! out again touch one line of the cache, most often, where a table with bytes of control beside
//! its entries touches two. Those of a run stand in the order of their places, each as near to its
//! own as that allows ("Robin Hood"), so that what is not there is soon known not to be.

use std::array;

/// A table of a million entries in so many parts grows in some tens of microseconds.
const PARTS: usize = 64;

/// Where a hash's part is told: above the half that entries keep.
const PART_SHIFT: u32 = 40;

/// Places in a part that holds anything.
const PLACES_MIN: usize = 8;

/// Values by hash. What two keys with the same hash have to do with each other is up to the
/// caller, who can tell keys apart by their values; keys whose hashes share a half ask for that
/// too. A value is best one that has an `Option` of its own size, of four bytes.
#[derive(Debug)]
pub(crate) struct HashIndex<V> {
    parts: Box<[Part<V>; PARTS]>,
}

#[derive(Debug)]
struct Part<V> {
    places: Box<[Option<Entry<V>>]>,
    held: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    half: u32,
    value: V,
}

/// Values that are to be put in together, with the hashes of their keys.
#[derive(Debug)]
pub(crate) struct Gathered<V> {
    parts: [Vec<Entry<V>>; PARTS],
}

impl<V> Default for Gathered<V> {
    fn default() -> Self {
        Self {
            parts: array::from_fn(|_| Vec::new()),
        }
    }
}

impl<V> Gathered<V> {
    pub(crate) fn push(&mut self, hash: u64, value: V) {
        let half = half_of(hash);
        if let Some(part) = self.parts.get_mut(part_of(hash)) {
            part.push(Entry { half, value });
        }
    }
}

impl<V> Default for HashIndex<V> {
    fn default() -> Self {
        let empty = |_| Part {
            places: Box::default(),
            held: 0,
        };
        Self {
            parts: Box::new(array::from_fn(empty)),
        }
    }
}

impl<V: Copy + PartialEq> HashIndex<V> {
    /// The value under a hash whose key `is` the one looked for.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(V) -> bool) -> Option<V> {
        let part = self.part(hash);
        let at = part.find(half_of(hash), is)?;
        part.at(at).map(|entry| entry.value)
    }

    /// A value under a hash, most likely the only one.
    pub(crate) fn likely(&self, hash: u64) -> Option<V> {
        self.find(hash, |_| true)
    }

    /// Puts a value in; one whose key `is` the same makes way for it.
    pub(crate) fn insert(&mut self, hash: u64, value: V, is: impl Fn(V) -> bool) {
        let entry = Entry {
            half: half_of(hash),
            value,
        };
        let part = self.part_mut(hash);
        match part.find(entry.half, is) {
            Some(at) => part.put(at, Some(entry)),
            None => part.insert(entry),
        }
    }

    /// Puts a value in whose key is known to have none.
    pub(crate) fn insert_new(&mut self, hash: u64, value: V) {
        let half = half_of(hash);
        self.part_mut(hash).insert(Entry { half, value });
    }

    /// Puts in all of these, one after another; one whose key is the `same` makes way for the
    /// later. It goes part by part, each of which fits the cache of a core.
    pub(crate) fn insert_all(&mut self, entries: Gathered<V>, same: impl Fn(V, V) -> bool) {
        for (part, entries) in self.parts.iter_mut().zip(entries.parts) {
            for entry in entries {
                match part.find(entry.half, |other| same(other, entry.value)) {
                    Some(at) => part.put(at, Some(entry)),
                    None => part.insert(entry),
                }
            }
        }
    }

    /// Takes this very value out, and tells whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, value: V) -> bool {
        let part = self.part_mut(hash);
        let found = part.find(half_of(hash), |found| found == value);
        if let Some(at) = found {
            part.remove(at);
        }
        found.is_some()
    }

    /// Has the machine fetch what a hash will be looked for in, without waiting for it.
    pub(crate) fn touch(&self, hash: u64) {
        let part = self.part(hash);
        std::hint::black_box(part.at(part.place_of(half_of(hash))).is_some());
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.held).sum()
    }

    /// Every value, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = V> {
        let places = self.parts.iter().flat_map(|part| &part.places);
        places.filter_map(|place| place.as_ref().map(|entry| entry.value))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a part's number is below their count"
    )]
    fn part(&self, hash: u64) -> &Part<V> {
        &self.parts[part_of(hash)]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a part's number is below their count"
    )]
    fn part_mut(&mut self, hash: u64) -> &mut Part<V> {
        &mut self.parts[part_of(hash)]
    }
}

impl<V: Copy> Part<V> {
    /// Where the entry of a half stands whose value `is` the one looked for.
    fn find(&self, half: u32, is: impl Fn(V) -> bool) -> Option<usize> {
        if self.held == 0 {
            return None;
        }
        let mut at = self.place_of(half);
        let mut away = 0;
        while let Some(entry) = self.at(at) {
            if entry.half == half && is(entry.value) {
                return Some(at);
            }
            // Whoever is nearer to its own place stands behind all that belong here.
            if self.away(at, entry) < away {
                return None;
            }
            away += 1;
            at = self.behind(at);
        }
        None
    }

    fn insert(&mut self, entry: Entry<V>) {
        // At most seven of eight places are taken.
        if (self.held + 1) * 8 > self.places.len() * 7 {
            self.grow();
        }
        self.settle(entry);
    }

    /// Puts an entry where it belongs, and moves on those that it comes before.
    fn settle(&mut self, entry: Entry<V>) {
        let (mut at, mut moving, mut away) = (self.place_of(entry.half), entry, 0);
        while let Some(standing) = self.at(at).copied() {
            let its = self.away(at, &standing);
            if its < away {
                self.put(at, Some(moving));
                (moving, away) = (standing, its);
            }
            at = self.behind(at);
            away += 1;
        }
        self.put(at, Some(moving));
        self.held += 1;
    }

    /// Takes an entry out, and moves up those behind it that are away from their own places.
    fn remove(&mut self, at: usize) {
        let mut free = at;
        loop {
            let next = self.behind(free);
            match self.at(next).copied() {
                Some(entry) if self.away(next, &entry) > 0 => self.put(free, Some(entry)),
                Some(_) | None => break,
            }
            free = next;
        }
        self.put(free, None);
        self.held -= 1;
    }

    /// Half as many places again: what holds a million then has room for few more.
    #[cold]
    fn grow(&mut self) {
        let places = (self.places.len() / 2 * 3).max(PLACES_MIN);
        let places = vec![None; places].into_boxed_slice();
        let before = std::mem::replace(&mut self.places, places);
        self.held = 0;
        for entry in before.into_iter().flatten() {
            self.settle(entry);
        }
    }

    /// Its own place, which rises with the half: a part that grows is read and written in order.
    #[expect(
        clippy::as_conversions,
        reason = "a usize holds a u32, and the product's upper half is below the count of places"
    )]
    const fn place_of(&self, half: u32) -> usize {
        ((half as u64 * self.places.len() as u64) >> 32) as usize
    }

    const fn behind(&self, at: usize) -> usize {
        if at + 1 < self.places.len() {
            at + 1
        } else {
            0
        }
    }

    /// How far behind its own place an entry stands.
    const fn away(&self, at: usize, entry: &Entry<V>) -> usize {
        let own = self.place_of(entry.half);
        if at >= own {
            at - own
        } else {
            at + self.places.len() - own
        }
    }

    fn at(&self, at: usize) -> Option<&Entry<V>> {
        self.places.get(at)?.as_ref()
    }

    #[expect(clippy::indexing_slicing, reason = "a bug stops its shard")]
    fn put(&mut self, at: usize, entry: Option<Entry<V>>) {
        self.places[at] = entry;
    }
}

#[expect(
    clippy::as_conversions,
    reason = "the upper bits do not matter to the remainder"
)]
const fn part_of(hash: u64) -> usize {
    (hash >> PART_SHIFT) as usize % PARTS
}

#[expect(clippy::as_conversions, reason = "the lower half is meant")]
const fn half_of(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Few enough hashes that keys share them, in few enough parts that these grow; at places of
    /// which the last run over into the first.
    fn hash_of(key: u32) -> u64 {
        let half = match key % 5 {
            0 => 0,
            1 => 1,
            2 => 1 << 31,
            3 => u32::MAX - 1,
            _ => u32::MAX,
        };
        let half = u64::from(half ^ (key % 11) << 24);
        u64::from(key % 3) << PART_SHIFT | half
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

        #[test]
        fn what_is_put_in_together_is_found_as_if_one_after_another(
            keys in prop::collection::vec(0..300_u32, 0..600),
        ) {
            let (mut one_by_one, mut together) = (HashIndex::default(), HashIndex::default());
            let mut gathered = Gathered::default();
            for (number, key) in keys.into_iter().enumerate() {
                one_by_one.insert(hash_of(key), (key, number), |(other, _)| other == key);
                gathered.push(hash_of(key), (key, number));
            }
            together.insert_all(gathered, |(one, _), (other, _)| one == other);
            for key in 0..300 {
                prop_assert_eq!(
                    together.find(hash_of(key), |(other, _)| other == key),
                    one_by_one.find(hash_of(key), |(other, _)| other == key)
                );
            }
            prop_assert_eq!(together.len(), one_by_one.len());
        }
    }

    #[test]
    fn a_handle_costs_eight_bytes() {
        assert_eq!(size_of::<Option<Entry<std::num::NonZeroU32>>>(), 8);
    }
}

//! Values held first in, first out, and found by a key that each of them has.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use crate::hash_index::HashIndex;

/// Values made room for at once.
const CHUNK: usize = 512;

/// The newest of many values. Of two with the same key, the newer is found; that happens after
/// the window was made larger and the records of a smaller one are applied again.
///
/// It holds fewer than 2^31 values: more than memory does.
#[derive(Debug)]
pub(super) struct Window<T> {
    values: Queue<T>,
    /// The oldest value's number; they count on from it.
    oldest: Number,
    /// The values' numbers, by the hashes of their keys: keys are kept once.
    numbers: HashIndex<Number>,
}

/// A value's number, which begins again after 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(NonZeroU32);

impl Number {
    /// What makes a number out of a count, zero too.
    const MARK: NonZeroU32 = match NonZeroU32::new(1 << 31) {
        Some(mark) => mark,
        None => NonZeroU32::MIN,
    };

    const FIRST: Self = Self(Self::MARK);

    /// So many behind this one.
    fn behind(self, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Self(Self::MARK | self.0.get().wrapping_add(count))
    }

    /// How far it is behind another one.
    fn since(self, other: Self) -> usize {
        let count = self.0.get().wrapping_sub(other.0.get()) & !Self::MARK.get();
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            values: Queue::default(),
            oldest: Number::FIRST,
            numbers: HashIndex::default(),
        }
    }
}

impl<T> Window<T> {
    pub(super) const fn len(&self) -> usize {
        self.values.length
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.values.length).filter_map(|place| self.values.get(place))
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.values.get(0)
    }

    /// The newest value under a key's hash whose key `is` the one looked for.
    pub(super) fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<&T> {
        let number = self.numbers.find(hash, |number| is(self.at(number)));
        number.map(|number| self.at(number))
    }

    /// Has the machine fetch what [`Window::find`] looks at first.
    pub(super) fn touch(&self, hash: u64) {
        self.numbers.touch(hash);
    }

    /// Takes in a value under its key's hash; `is` tells values with the same key.
    pub(super) fn push(&mut self, hash: u64, value: T, is: impl Fn(&T, &T) -> bool) {
        let number = self.oldest.behind(self.values.length);
        let (values, oldest) = (&self.values, self.oldest);
        self.numbers.insert(hash, number, |number| {
            is(at(values, oldest, number), &value)
        });
        self.values.push(value);
    }

    /// Lets go of the oldest value; `hash` gives the hash of a value's key.
    pub(super) fn pop(&mut self, hash: impl Fn(&T) -> u64) {
        let Some(oldest) = self.values.get(0) else {
            return;
        };
        // By number: a newer value may have the same key.
        self.numbers.remove(hash(oldest), self.oldest);
        self.values.pop();
        self.oldest = self.oldest.behind(1);
    }

    /// Has the machine fetch what letting go of so many takes, without waiting for it.
    pub(super) fn touch_oldest(&self, count: usize, hash: impl Fn(&T) -> u64) {
        let oldest = self.iter().take(count);
        oldest.for_each(|value| self.numbers.touch(hash(value)));
    }

    fn at(&self, number: Number) -> &T {
        at(&self.values, self.oldest, number)
    }
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn at<T>(values: &Queue<T>, oldest: Number, number: Number) -> &T {
    values
        .get(number.since(oldest))
        .expect("a value is held as long as its number")
}

/// A queue that never moves what it holds: it grows by a chunk at a time, and uses each again.
#[derive(Debug)]
struct Queue<T> {
    /// All full but the last.
    chunks: VecDeque<Vec<T>>,
    /// How many of the first chunk's values are gone. They are dropped with their chunk.
    gone: usize,
    length: usize,
    /// A chunk that has no values.
    spare: Vec<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            gone: 0,
            length: 0,
            spare: Vec::new(),
        }
    }
}

impl<T> Queue<T> {
    /// The value so many places behind the first.
    fn get(&self, place: usize) -> Option<&T> {
        let place = self.gone + place;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    fn push(&mut self, value: T) {
        self.length += 1;
        match self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(value),
            None => {
                let mut chunk = std::mem::take(&mut self.spare);
                // A quiet instrument's first chunk grows with what it holds.
                if !self.chunks.is_empty() {
                    chunk.reserve_exact(CHUNK);
                }
                chunk.push(value);
                self.chunks.push_back(chunk);
            }
        }
    }

    /// Lets go of the first value, which there is.
    fn pop(&mut self) {
        self.length -= 1;
        self.gone += 1;
        if self.gone < CHUNK {
            return;
        }
        self.gone = 0;
        if let Some(mut chunk) = self.chunks.pop_front() {
            chunk.clear();
            self.spare = chunk;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Keys of which some share their hash; each is a value's tenth part.
    const fn hash(value: &u64) -> u64 {
        *value / 10 % 97
    }

    const fn same_key(one: &u64, other: &u64) -> bool {
        *one / 10 == *other / 10
    }

    #[test]
    fn the_newest_values_are_found_by_their_keys_and_the_others_are_not() {
        let mut window = Window {
            // The numbers begin again on the way.
            oldest: Number(NonZeroU32::MAX).behind(0),
            ..Window::default()
        };
        let mut held = VecDeque::new();
        let lengths = [3, 40, 2_000, 0, 700];
        for (round, length) in (0..).zip(lengths) {
            for step in 0..4_000_u64 {
                let value = round * 100_000 + step * 3;
                window.push(hash(&value), value, same_key);
                held.push_back(value);
                while window.len() > length {
                    window.pop(hash);
                    held.pop_front();
                }
                assert_eq!(window.front(), held.front());
                for looked_for in [value, value.saturating_sub(60), value + 1_000] {
                    let found = window.find(hash(&looked_for), |held| same_key(held, &looked_for));
                    let newest = held.iter().rev().take(100);
                    let newest = newest.into_iter().find(|held| same_key(held, &looked_for));
                    assert_eq!(found, newest);
                }
            }
            assert!(window.iter().eq(&held));
        }
    }
}

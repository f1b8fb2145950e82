//! Which of a window's slots hold a level: 64 words of 64 bits under a word of summary, so that
//! the next one is found in two steps however far apart they are.

/// How many bits it has.
pub(super) const BITS: usize = 64 * 64;

/// A set of slots, to be gone through from any word on, around the end.
#[derive(Clone, Debug)]
pub(super) struct Bitmap {
    /// Bit `w` is set as long as `words[w]` has any.
    summary: u64,
    words: [u64; 64],
}

impl Bitmap {
    /// The empty set.
    pub(super) const fn new() -> Self {
        Self {
            summary: 0,
            words: [0; 64],
        }
    }

    /// Adds a slot; it may be there already.
    pub(super) const fn set(&mut self, slot: usize) {
        *self.word_mut(slot / 64) |= 1 << (slot % 64);
        self.summary |= 1 << (slot / 64 % 64);
    }

    /// Takes a slot out.
    pub(super) const fn clear(&mut self, slot: usize) {
        let word = self.word_mut(slot / 64);
        *word &= !(1 << (slot % 64));
        if *word == 0 {
            self.summary &= !(1 << (slot / 64 % 64));
        }
    }

    /// Whether a slot is in it.
    pub(super) const fn contains(&self, slot: usize) -> bool {
        self.word(slot / 64) & (1 << (slot % 64)) != 0
    }

    /// Whether the summary tells the truth.
    pub(super) fn summary_is_right(&self) -> bool {
        (0..64).all(|word| (self.word(word) != 0) == (self.summary & (1 << word) != 0))
    }

    /// How far behind the first slot of `word` the first slot is that is in the set, around the
    /// end.
    pub(super) const fn first_from(&self, word: u32) -> Option<u32> {
        if self.summary == 0 {
            return None;
        }
        let skipped = self.summary.rotate_right(word).trailing_zeros();
        #[expect(clippy::as_conversions, reason = "below 64 after the remainder")]
        let found = ((word + skipped) % 64) as usize;
        Some(skipped * 64 + self.word(found).trailing_zeros())
    }

    /// The slots of one word that are in the set, counted within the word, in ascending order.
    pub(super) fn in_word(&self, word: usize) -> impl Iterator<Item = u32> + use<> {
        let first = Some(self.word(word)).filter(|bits| *bits != 0);
        // Taking the lowest bit away leaves the next.
        std::iter::successors(first, |bits| {
            Some(bits & (bits - 1)).filter(|rest| *rest != 0)
        })
        .map(u64::trailing_zeros)
    }

    #[expect(clippy::indexing_slicing, reason = "within bounds after the remainder")]
    const fn word(&self, word: usize) -> u64 {
        self.words[word % 64]
    }

    #[expect(clippy::indexing_slicing, reason = "within bounds after the remainder")]
    const fn word_mut(&mut self, word: usize) -> &mut u64 {
        &mut self.words[word % 64]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_slot_is_found_from_every_word_around_the_end() {
        for slot in [0, 1, 63, 64, 65, 2_047, 2_048, 4_032, 4_095] {
            let mut bitmap = Bitmap::new();
            bitmap.set(slot);
            assert!(bitmap.contains(slot));
            for word in 0..64 {
                let skipped = bitmap.first_from(word).unwrap();
                assert_eq!(
                    (word + skipped / 64) % 64,
                    u32::try_from(slot / 64).unwrap()
                );
                assert_eq!(skipped % 64, u32::try_from(slot % 64).unwrap());
            }
            bitmap.clear(slot);
            assert_eq!(bitmap.first_from(0), None);
        }
    }

    #[test]
    fn of_several_slots_the_nearest_is_found() {
        let mut bitmap = Bitmap::new();
        for slot in [3, 70, 71, 4_095] {
            bitmap.set(slot);
        }
        assert_eq!(bitmap.first_from(0), Some(3));
        assert_eq!(bitmap.first_from(1), Some(70 - 64));
        assert_eq!(bitmap.first_from(2), Some(4_095 - 128));
        assert_eq!(bitmap.in_word(1).collect::<Vec<_>>(), [6, 7]);
        bitmap.clear(70);
        assert_eq!(bitmap.first_from(1), Some(71 - 64));
        assert!(bitmap.summary_is_right());
    }
}

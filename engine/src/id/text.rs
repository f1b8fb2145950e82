//! Short text that is copied, not shared.
//!
//! Ids go from the edge through the core to everyone who reads of them, are kept in several places
//! and are looked at mostly to be compared. As shared text each costs an allocation, and, when it
//! is let go of, a look at memory that has long left the cache; each copy counts references that
//! two cores then pull at. A UUID's 36 characters take no more room here than a shared text and
//! two references to it.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Most bytes that are copied: with length and tag a text takes 40.
const COPIED_MAX: usize = 38;

/// Text of at most [`COPIED_MAX`] bytes, or a shared longer one.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// Behind the text there are zeros, so that equal texts have equal bytes.
    Copied { length: u8, bytes: [u8; COPIED_MAX] },
    /// Longer than what is copied.
    Shared(Arc<str>),
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        let mut bytes = [0; COPIED_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Copied { length, bytes }
            }
            _ => Self::Shared(Arc::from(text)),
        }
    }

    #[expect(clippy::expect_used, reason = "the bytes were a text's")]
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Copied { .. } => str::from_utf8(self.as_bytes()).expect("copied from a text"),
            Self::Shared(text) => text,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Copied { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Shared(text) => text.as_bytes(),
        }
    }
}

/// As texts are, whose order is that of their bytes.
impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As a `str` is, by which maps of ids are asked.
impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn a_text_of_any_length_comes_back_and_compares_and_hashes_as_it_does() {
        let hasher = RandomState::new();
        let texts = (0..=100).map(|length| "x".repeat(length));
        let texts: Vec<String> = texts.chain(["a".into(), "ä".into(), "y".into()]).collect();
        for one in &texts {
            let text = Text::new(one);
            assert_eq!(text.as_str(), one);
            assert_eq!(hasher.hash_one(&text), hasher.hash_one(one.as_str()));
            for other in &texts {
                assert_eq!(text.cmp(&Text::new(other)), one.cmp(other));
                assert_eq!(text == Text::new(other), one == other);
            }
        }
    }

    #[test]
    fn a_uuid_is_copied_and_a_text_takes_forty_bytes() {
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        assert!(matches!(Text::new(uuid), Text::Copied { .. }));
        assert_eq!(size_of::<Text>(), 40);
        assert_eq!(size_of::<Option<Text>>(), 40);
    }
}

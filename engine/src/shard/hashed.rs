//! Order ids with their hashes, made once a command.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::id::OrderId;

/// An id with its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashed<'a> {
    pub(super) hash: u64,
    pub(super) id: &'a OrderId,
}

/// Hashes order ids, the same way wherever one shard looks for them.
#[derive(Debug, Default)]
pub(super) struct IdHasher(RandomState);

impl IdHasher {
    pub(super) fn hash(&self, id: &OrderId) -> u64 {
        self.0.hash_one(id.as_bytes())
    }

    /// The id with its hash.
    pub(super) fn hashed<'a>(&self, id: &'a OrderId) -> Hashed<'a> {
        let hash = self.hash(id);
        Hashed { hash, id }
    }
}

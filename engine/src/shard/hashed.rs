//! Values that carry their key's hash, so that it is made once: the text of an id held for long
//! lies far away in memory by the time it is looked at again.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::id::OrderId;

/// A value with the hash of its key.
#[derive(Clone, Debug)]
pub(super) struct Hashed<T> {
    pub(super) hash: u64,
    pub(super) value: T,
}

/// Hashes order ids, the same way wherever one shard looks for them.
#[derive(Debug, Default)]
pub(super) struct IdHasher(RandomState);

impl IdHasher {
    /// The id with its hash.
    pub(super) fn hashed(&self, id: &OrderId) -> Hashed<OrderId> {
        Hashed {
            hash: self.0.hash_one(id.as_str()),
            value: id.clone(),
        }
    }
}

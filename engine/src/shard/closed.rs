//! The ids of the last closed orders, which can't be used again yet.

use crate::id::OrderId;

use super::hashed::{Hashed, IdHasher};
use super::window::Window;

/// A window over closed orders' ids, of a bounded number.
#[derive(Debug)]
pub(super) struct ClosedIds {
    ids: Window<OrderId>,
    limit: usize,
}

impl ClosedIds {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            ids: Window::default(),
            limit,
        }
    }

    pub(super) fn contains(&self, of: Hashed<'_>) -> bool {
        self.ids.find(of.hash, |id| id == of.id).is_some()
    }

    /// Has the machine fetch what [`ClosedIds::contains`] looks at first.
    pub(super) fn touch(&self, hash: u64) {
        self.ids.touch(hash);
    }

    /// Has the machine fetch what letting go of ids takes, should so many come in.
    pub(super) fn prepare(&self, coming: usize, hasher: &IdHasher) {
        let too_many = (self.ids.len() + coming).saturating_sub(self.limit);
        self.ids.touch_oldest(too_many, |id| hasher.hash(id));
    }

    /// Takes in an id, of this hash among the hasher's.
    pub(super) fn push(&mut self, id: OrderId, hash: u64, hasher: &IdHasher) {
        self.ids.push(hash, id, |one, other| one == other);
        while self.ids.len() > self.limit {
            self.ids.pop(|id| hasher.hash(id));
        }
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &OrderId> {
        self.ids.iter()
    }
}

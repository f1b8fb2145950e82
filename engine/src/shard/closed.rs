//! The ids of the last closed orders, which can't be used again yet.

use crate::id::OrderId;

use super::hashed::Hashed;
use super::window::{Keyed, Window};

/// A window over closed orders' ids, of a bounded number.
#[derive(Debug)]
pub(super) struct ClosedIds {
    ids: Window<OrderId>,
    limit: usize,
}

impl Keyed for OrderId {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        self.as_str()
    }
}

impl ClosedIds {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            ids: Window::default(),
            limit,
        }
    }

    pub(super) fn contains(&self, id: &Hashed<OrderId>) -> bool {
        self.ids.find(id.hash, &id.value.as_str()).is_some()
    }

    pub(super) fn push(&mut self, id: Hashed<OrderId>) {
        self.ids.push(id);
        while self.ids.len() > self.limit {
            self.ids.pop();
        }
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &OrderId> {
        self.ids.iter()
    }
}

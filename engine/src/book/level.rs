//! One price level: a queue, first in first out, and its totals.

use super::slab::Slab;
use super::types::Handle;
use crate::quantity::{Quantity, Volume};

/// The orders at one price of one side, linked through the slab. Two levels to a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
pub(super) struct Level {
    volume: Volume,
    orders: u32,
    first: Option<Handle>,
    last: Option<Handle>,
}

impl Level {
    /// What rests here.
    pub(super) const fn volume(&self) -> Volume {
        self.volume
    }

    /// How many orders rest here.
    pub(super) const fn orders(&self) -> u32 {
        self.orders
    }

    /// Who trades next.
    pub(super) const fn first(&self) -> Option<Handle> {
        self.first
    }

    /// Who trades last.
    pub(super) const fn last(&self) -> Option<Handle> {
        self.last
    }

    /// Whether no one rests here.
    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Those who rest here, in the order they trade in.
    pub(super) fn queue<'a>(&self, slab: &'a Slab) -> impl Iterator<Item = Handle> + use<'a> {
        std::iter::successors(self.first, |handle| slab.order(*handle).next)
    }

    /// Lets an order queue behind all others.
    pub(super) fn append(&mut self, slab: &mut Slab, handle: Handle) {
        let slot = slab.order_mut(handle);
        slot.previous = self.last;
        slot.next = None;
        self.volume += slot.remaining;
        self.orders += 1;
        match self.last {
            Some(last) => slab.order_mut(last).next = Some(handle),
            None => self.first = Some(handle),
        }
        self.last = Some(handle);
    }

    /// Takes an order out of the queue, wherever it stands. What remained of it leaves the
    /// total.
    pub(super) fn unlink(&mut self, slab: &mut Slab, handle: Handle) {
        let slot = *slab.order(handle);
        match slot.previous {
            Some(previous) => slab.order_mut(previous).next = slot.next,
            None => self.first = slot.next,
        }
        match slot.next {
            Some(next) => slab.order_mut(next).previous = slot.previous,
            None => self.last = slot.previous,
        }
        self.volume -= slot.remaining;
        self.orders -= 1;
    }

    /// Makes one of its orders smaller where it stands.
    pub(super) fn lower(&mut self, slab: &mut Slab, handle: Handle, by: Quantity) {
        slab.order_mut(handle).remaining -= by;
        self.volume -= by;
    }
}

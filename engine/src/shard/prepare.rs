//! Commands that will be carried out soon, made ready.
//!
//! A command looks at a handful of places: its key, its id, its order, the order's level. With
//! many orders and ids held, each lies in memory alone, and the command waits for one after the
//! other. Here they are fetched for several commands at once. What is found is thrown away: the
//! commands find it again, as things stand by then.

use crate::book::Handle;
use crate::command::Command;
use crate::id::OrderId;

use super::Shard;

/// How many commands it pays to prepare at once: as many fetches as a core has under way.
pub const PREPARED_AT_ONCE: usize = 16;

impl Shard {
    /// Has the machine fetch what the next commands will look at: some [`PREPARED_AT_ONCE`] that
    /// will be applied next. It changes nothing, and commands need not be prepared.
    pub fn prepare<'a>(&mut self, commands: impl IntoIterator<Item = &'a Command>) {
        let mut handles = std::mem::take(&mut self.prepared);
        let mut hashes = [0; PREPARED_AT_ONCE];
        let mut free = hashes.iter_mut();
        let (mut placed, mut cancelled) = (0, 0);
        for command in commands {
            match command {
                Command::Place(order) => {
                    self.hashes(order);
                    placed += 1;
                }
                Command::Cancel(cancel) => {
                    self.prepare_id(&cancel.order_id, free.next());
                    cancelled += 1;
                }
                Command::Amend(amend) => self.prepare_id(&amend.order_id, free.next()),
                Command::MassCancel(_)
                | Command::Tape(_)
                | Command::Mirror(_)
                | Command::WithdrawMirror
                | Command::Halt
                | Command::Resume
                | Command::CloseDay(_) => {}
            }
        }
        // As many close as are cancelled, and some of those that come in at once.
        self.closed_ids.prepare(cancelled, &self.id_hasher);
        self.keys.prepare(placed);
        let unused = free.len();
        for hash in hashes.iter().take(PREPARED_AT_ONCE - unused) {
            if let Some(handle) = self.orders.likely(*hash) {
                self.orders.touch_order(handle);
                self.book.touch(handle);
                handles.push(handle);
            }
        }
        for handle in handles.drain(..) {
            self.book.touch_neighbours(handle);
        }
        self.prepared = handles;
    }

    fn prepare_id(&self, id: &OrderId, place: Option<&mut u64>) {
        let hash = self.id_hasher.hash(id);
        self.orders.touch(hash);
        self.closed_ids.touch(hash);
        if let Some(place) = place {
            *place = hash;
        }
    }
}

/// Empty between calls; kept for its room.
pub(super) type Prepared = Vec<Handle>;

//! Faults that tests inject into a running shard.
//!
//! They come by the queue that commands come by and never reach the journal.

use crate::command::Command;
use crate::id::OrderId;

/// What is to go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The shard panics at once, by no command of anyone's.
    Now,
    /// The shard panics right after it has applied a placement of this id, from now on until
    /// another fault takes this one's place: as a bug that one order brings to light.
    OnOrder(OrderId),
}

impl Fault {
    /// Whether it strikes a shard that has applied this.
    pub(crate) fn strikes(&self, command: &Command) -> bool {
        match (self, command) {
            (Self::OnOrder(id), Command::Place(order)) => order.id.id() == id,
            (Self::OnOrder(_) | Self::Now, _) => false,
        }
    }
}

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
    /// The shard panics right before it decides on the commands among which a placement of this
    /// id is, see [`Shard::prepare`](crate::shard::Shard::prepare), from now on until another
    /// fault takes this one's place.
    BeforeOrder(OrderId),
}

impl Fault {
    /// Whether it strikes a shard that does this with a command.
    pub(crate) fn strikes(&self, step: Step, command: &Command) -> bool {
        let Command::Place(order) = command else {
            return false;
        };
        match (self, step) {
            (Self::OnOrder(id), Step::Applied) | (Self::BeforeOrder(id), Step::Preparing) => {
                order.id.id() == id
            }
            (Self::Now | Self::OnOrder(_) | Self::BeforeOrder(_), _) => false,
        }
    }
}

/// What a shard does with a command when a fault may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Preparing,
    Applied,
}

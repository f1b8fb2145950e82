//! Where the feed's commands go.

use std::future::Future;

use shardbook_engine::answer::{Answer, Refusal};
use shardbook_engine::command::Command;
use shardbook_engine::id::InstrumentId;
use thiserror::Error;
use tokio::sync::oneshot;

/// Why a delivered command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// The shard is being rebuilt, or the journal has no room. Nothing changed, and the same
    /// command may be delivered again.
    #[error("the exchange can't take commands for now")]
    Unavailable,
    /// The shard refuses the command for good.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The shard will not take this very command again: it crashed on it before.
    #[error("the command crashed its shard before")]
    CommandRefused,
    /// The exchange is stopping, or has no such instrument.
    #[error("the exchange is gone")]
    Gone,
}

/// Brings the answer to a delivered command once that is durable. An answer that never comes
/// (the sender was dropped) counts as [`DeliveryError::Unavailable`].
pub type Receipt = oneshot::Receiver<Result<Answer, DeliveryError>>;

/// The exchange as the feed sees it.
pub trait Sink: Send + Sync + 'static {
    /// Puts a command into the instrument's queue, waiting for room there. Once this returns,
    /// the command's place is decided: what is delivered first is applied first. The answer comes
    /// by the receipt, so that many commands can share a flush.
    ///
    /// # Errors
    /// When the command was not queued.
    fn deliver(
        &self,
        to: InstrumentId,
        command: Command,
    ) -> impl Future<Output = Result<Receipt, DeliveryError>> + Send;
}

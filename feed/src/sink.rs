//! Where the feed's commands go.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use shardbook_engine::command::Command;
use shardbook_engine::id::InstrumentId;
use shardbook_engine::responder::{CallError, Outcome, Responder};
use shardbook_engine::router::{InstrumentHandle, Router};
use tokio::sync::oneshot;

/// Brings what became of a command once that is durable. A sender that is dropped means that the
/// shard is being rebuilt.
pub type Receipt = oneshot::Receiver<Outcome>;

/// The exchange as the feed sees it.
pub trait Sink: Send + Sync + 'static {
    /// Puts a command into the instrument's queue, waiting for room there. Once this returns,
    /// the command's place is decided: what is delivered first is applied first. The answer comes
    /// by the receipt, so that many commands can share a flush.
    fn deliver(&self, to: InstrumentId, command: Command) -> impl Future<Output = Receipt> + Send;
}

/// The router's shards. The instruments are those that the router has when this is made.
pub struct RouterSink {
    router: Arc<Router>,
    handles: HashMap<InstrumentId, Arc<InstrumentHandle>>,
}

impl RouterSink {
    /// Delivers to the router's instruments.
    #[must_use]
    pub fn new(router: Arc<Router>) -> Self {
        let handles = router
            .instruments()
            .into_iter()
            .map(|handle| (handle.instrument().id, handle))
            .collect();
        Self { router, handles }
    }
}

impl Sink for RouterSink {
    async fn deliver(&self, to: InstrumentId, command: Command) -> Receipt {
        let (responder, receipt) = Responder::single();
        match self.handles.get(&to) {
            Some(handle) => self.router.deliver(handle, command, responder).await,
            None => responder.answer(Err(CallError::ShardRestarting)),
        }
        receipt
    }
}

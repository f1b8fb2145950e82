//! Where the feed's commands go.

use std::future::Future;
use std::sync::Arc;

use shardbook_engine::command::Command;
use shardbook_engine::id::InstrumentId;
use shardbook_engine::responder::{CallError, Outcome, Responder};
use shardbook_engine::router::Router;
use shardbook_engine::shard::FeedAtStart;
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

    /// What the exchange had of the feed's on an instrument when it started.
    fn feed_at_start(&self, of: InstrumentId) -> FeedAtStart;
}

/// The router's shards.
pub struct RouterSink {
    router: Arc<Router>,
}

impl RouterSink {
    /// Delivers to the router's instruments, those added later too.
    #[must_use]
    pub const fn new(router: Arc<Router>) -> Self {
        Self { router }
    }
}

impl Sink for RouterSink {
    async fn deliver(&self, to: InstrumentId, command: Command) -> Receipt {
        let (responder, receipt) = Responder::single();
        match self.router.instrument_by_id(to) {
            Some(handle) => self.router.deliver(&handle, command, responder).await,
            None => responder.answer(Err(CallError::ShardRestarting)),
        }
        receipt
    }

    fn feed_at_start(&self, of: InstrumentId) -> FeedAtStart {
        let handle = self.router.instrument_by_id(of);
        handle.map_or_else(FeedAtStart::default, |handle| *handle.feed_at_start())
    }
}

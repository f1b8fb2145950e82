//! Cancelling a client's orders when a connection ends.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use shardbook_engine::answer::Answer;
use shardbook_engine::command::{Command, MassCancel};
use shardbook_engine::id::ClientId;
use shardbook_engine::order::CancelReason;
use shardbook_engine::router::InstrumentHandle;

use crate::stream::websocket::Shared;

/// How long to wait before a shard that had no room or was restarting is asked again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The clients whose orders the end of one connection cancels.
#[derive(Debug, Default)]
pub(super) struct CancelOnDisconnect {
    clients: BTreeSet<ClientId>,
}

impl CancelOnDisconnect {
    pub(super) fn enable(&mut self, client: ClientId) {
        self.clients.insert(client);
    }

    pub(super) fn disable(&mut self, client: &ClientId) {
        self.clients.remove(client);
    }

    /// The connection has ended. Every open order of these clients is cancelled, however it was
    /// placed; what the connection had sent before is ahead of this in the shards' queues.
    pub(super) async fn carry_out(self, shared: &Shared) {
        let instruments = shared.trading.router().instruments();
        for client in &self.clients {
            let cancelling = instruments.iter().map(|on| cancel_all(shared, on, client));
            futures::future::join_all(cancelling).await;
        }
    }
}

/// Goes on until nothing of the client's is open, or the server stops: its own stop is no
/// disconnect.
async fn cancel_all(shared: &Shared, on: &InstrumentHandle, client: &ClientId) {
    while !*shared.stop.borrow() {
        let command = Command::MassCancel(MassCancel {
            client: client.clone(),
            side: None,
            reason: CancelReason::Disconnected,
        });
        match shared.trading.router().call(on, command).await {
            Ok(Answer::MassCancelled(_)) => {}
            Ok(_) => return,
            Err(error) => {
                let symbol = &on.instrument().symbol;
                tracing::warn!(%client, %symbol, %error, "cancelling on disconnect is tried again");
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

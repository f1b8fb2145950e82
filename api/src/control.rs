//! The control log of a running exchange: written to by one at a time, and durable before anyone
//! is told.

use std::sync::Arc;

use parking_lot::Mutex;

use shardbook_engine::journal::JournalError;
use shardbook_engine::partition::OnFatal;
use shardbook_storage::control_log::{ControlLog, ControlLogError};

/// The open control log. Clones share it.
#[derive(Clone)]
pub struct Control {
    log: Arc<Mutex<ControlLog>>,
    on_fatal: OnFatal,
}

impl Control {
    /// Shares `log`; a write that fails for good is told to `on_fatal`, which ends the process.
    #[must_use]
    pub fn new(log: ControlLog, on_fatal: OnFatal) -> Self {
        Self {
            log: Arc::new(Mutex::new(log)),
            on_fatal,
        }
    }

    /// Does something with the log where it may block, and returns once that is durable. It is
    /// done to the end even when whoever asked goes away.
    ///
    /// # Errors
    /// Those of `work`; [`JournalError::Io`] when the process is about to end.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut ControlLog) -> Result<T, ControlLogError> + Send + 'static,
    ) -> Result<T, ControlLogError> {
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let done = work(&mut this.log.lock());
            if let Err(ControlLogError::Journal(error)) = &done
                && !matches!(error, JournalError::NoRoom { .. })
            {
                (this.on_fatal)(error);
            }
            done
        });
        written.await.unwrap_or_else(|error| {
            let source = std::io::Error::other(error);
            Err(ControlLogError::Journal(JournalError::Io {
                doing: "writing",
                place: "the control log".to_owned(),
                source,
            }))
        })
    }
}

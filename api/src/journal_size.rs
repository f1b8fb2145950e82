//! How much of the disk the journal takes, and whether that is more than it should.
//!
//! While the database is away nothing is trimmed, so that the journal grows with every order:
//! that is to be known long before the disk is full.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shardbook_storage::data_dir::journal_bytes;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// How often the files are looked at; the fastest traffic measured fills a file in no less.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks at the journal's files. Clones share what was found.
#[derive(Clone, Debug)]
pub struct JournalSize {
    bytes: watch::Receiver<u64>,
    bytes_max: u64,
}

impl JournalSize {
    /// Looks at the files in the data directory at `root` for as long as anyone asks, and warns
    /// when there are more than `bytes_max` bytes.
    #[must_use]
    pub fn watch(root: &Path, bytes_max: u64) -> Self {
        let (sender, bytes) = watch::channel(0);
        tokio::spawn(look(root.to_owned(), bytes_max, sender));
        Self { bytes, bytes_max }
    }

    /// How many bytes there are; 0 before the first look.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        *self.bytes.borrow()
    }

    /// What is wrong with it, if there are too many.
    #[must_use]
    pub fn excess(&self) -> Option<String> {
        let (bytes, bytes_max) = (self.bytes(), self.bytes_max);
        (bytes > bytes_max).then(|| {
            format!("{bytes} bytes of files, more than journal_bytes_max, which is {bytes_max}")
        })
    }
}

async fn look(root: PathBuf, bytes_max: u64, found: watch::Sender<u64>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Told again whenever it has doubled since.
    let mut told_at = bytes_max;
    while !found.is_closed() {
        interval.tick().await;
        let root = root.clone();
        let counted = tokio::task::spawn_blocking(move || journal_bytes(&root));
        let bytes = match counted.await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the journal's files could not be counted");
                continue;
            }
            Err(_) => return,
        };
        found.send_replace(bytes);
        if bytes > told_at {
            told_at = bytes.saturating_mul(2);
            tracing::warn!(
                bytes,
                journal_bytes_max = bytes_max,
                "the journal takes more of the disk than it should; it is trimmed once the \
                 database has taken it in"
            );
        } else if bytes <= bytes_max && told_at > bytes_max {
            told_at = bytes_max;
            tracing::info!(bytes, "the journal is as small again as it should be");
        }
    }
}

//! A thread that gives way to those that orders wait for.

use std::future::Future;
use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task;

/// How far the thread and those it starts (SQLite's among them) stand back where there is more to
/// do than the machine can: next to one that does not, they get a tenth of its share. So orders
/// come first, and the database lags until there is time for it.
const NICENESS: i32 = 10;

/// A thread for what computes for whole milliseconds and nobody waits for.
pub struct Background {
    runtime: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the machine has none to give.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                give_way();
                // Dropped without a word, it stops as well.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            runtime: handle,
            stop,
            thread,
        })
    }

    /// Has the thread do something beside what it does already.
    pub fn spawn<F>(&self, future: F) -> task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Ends the thread, whatever it is doing, and waits for that: blocks.
    ///
    /// # Errors
    /// When the thread panicked.
    pub fn stop(self) -> std::thread::Result<()> {
        // A thread that is gone needs no telling.
        let _ = self.stop.send(());
        self.thread.join()
    }
}

/// Lets other threads go first. On Linux, niceness is a thread's own.
fn give_way() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::info!(%error, "the database's thread has the same priority as orders");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The niceness of the thread that asks, as Linux tells it.
    fn own_niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        after_name
            .split_whitespace()
            .nth(16)
            .unwrap()
            .parse()
            .unwrap()
    }

    #[tokio::test]
    async fn what_it_does_and_what_that_starts_gives_way_to_everyone_else() {
        let before = own_niceness();
        let background = Background::start("test").unwrap();
        let nice = background.spawn(async {
            let child = std::thread::spawn(own_niceness);
            (own_niceness(), child.join().unwrap())
        });
        let expected = (before + NICENESS).min(19);
        assert_eq!(nice.await.unwrap(), (expected, expected));
        assert_eq!(own_niceness(), before);
        background.stop().unwrap();
    }
}

//! The listening socket and the server on it.
//!
//! The loop is our own, around hyper's connections and poem's endpoints, because poem's server
//! bounds neither how long a client may take nor how many there are.

mod connection;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::edge::Edge;
use crate::json::to_json;
use crate::problem::{CONTENT_TYPE, Code, Problem};

use self::connection::{Guarded, serve_connection};

/// How long to wait after an accept failed, as it does while there are no more file descriptors;
/// without it the server would spin.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// How long requests under way may take to end once the server stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// Connections that are being told that there are too many; any more are closed without a word,
/// since whoever opens so many at once reads none.
const REFUSALS_MAX: usize = 64;

/// How long such a client has to take its answer.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(1);

/// Open files that are not for connections: the journal's, the database's, the feed's.
const FILES_RESERVED: usize = 256;

/// What clients may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once. An idle one costs some 20 KiB, and a file.
    pub connections_max: usize,
    /// How long a request's head may take to come, from the connection's beginning or the answer
    /// before; and then its body. A connection that is idle for so long is closed.
    pub request_time_max: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            request_time_max: Duration::from_secs(60),
        }
    }
}

/// A socket that listens.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    limits: ServerLimits,
}

impl Listener {
    /// Listens at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address can't be had.
    pub async fn bind(address: SocketAddr, limits: ServerLimits) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let connections_max = connections_max(limits.connections_max, files_max());
        if connections_max < limits.connections_max {
            tracing::info!(
                connections_max,
                "fewer connections than set: the process may open no more files (ulimit -n)"
            );
        }
        Ok(Self {
            listener,
            address,
            limits: ServerLimits {
                connections_max,
                ..limits
            },
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` says so; then finishes what is under way and takes no more.
    ///
    /// # Errors
    /// When the server can't run.
    pub async fn serve(self, edge: Edge, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let edge = Arc::new(edge.with_body_time(self.limits.request_time_max));
        let permits = Arc::new(Semaphore::new(self.limits.connections_max));
        let refusal = Bytes::from(refusal());
        let mut connections = JoinSet::new();
        let mut refusals = JoinSet::new();
        let stopped = stop.clone();
        loop {
            tokio::select! {
                biased;
                () = told_to_stop(&mut stop) => break,
                Some(_) = connections.join_next() => {}
                Some(_) = refusals.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, remote)) => match Arc::clone(&permits).try_acquire_owned() {
                        Ok(permit) => {
                            prompt(&stream);
                            connections.spawn(serve_connection(
                                Guarded::new(stream, permit),
                                (self.address, remote),
                                Arc::clone(&edge),
                                self.limits.request_time_max,
                                stopped.clone(),
                            ));
                        }
                        Err(_) if refusals.len() < REFUSALS_MAX => {
                            refusals.spawn(refuse(stream, refusal.clone()));
                        }
                        Err(_) => drop(stream),
                    },
                    Err(error) => {
                        tracing::warn!(%error, "no connection can be accepted");
                        sleep(ACCEPT_BACK_OFF).await;
                    }
                }
            }
        }
        drop((self.listener, stopped));
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(STOP_TIME_MAX, ended).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
        Ok(())
    }
}

/// Waits for the word, or for whoever could say it to be gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Small answers go out at once: a reply must not wait for the acknowledgement of the one before.
fn prompt(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
    }
}

/// What a connection too many is told.
fn refusal() -> Vec<u8> {
    let problem = Problem::new(Code::Overloaded, "too many connections are open");
    let body = String::from_utf8(to_json(&problem.view())).unwrap_or_default();
    let length = body.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {CONTENT_TYPE}\r\n\
         content-length: {length}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn refuse(mut stream: TcpStream, refusal: Bytes) {
    let telling = async {
        stream.write_all(&refusal).await?;
        stream.shutdown().await?;
        // Closed with something unread, the connection would be reset, and the answer lost.
        let mut unwanted = [0; 1_024];
        while stream.read(&mut unwanted).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Who does not take it has nothing to be told.
    let _ = timeout(REFUSAL_TIME_MAX, telling).await;
}

/// How many connections there may be with so many files.
fn connections_max(wanted: usize, files: Option<usize>) -> usize {
    let room = files.map(|files| files.saturating_sub(FILES_RESERVED).max(files / 4));
    room.map_or(wanted, |room| wanted.min(room))
}

/// How many files the process may have open, where that can be read.
fn files_max() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::connections_max;

    #[test]
    fn connections_leave_files_to_the_journal_and_the_database() {
        assert_eq!(connections_max(20_000, None), 20_000);
        assert_eq!(connections_max(20_000, Some(1_000_000)), 20_000);
        assert_eq!(connections_max(20_000, Some(1_024)), 768);
        assert_eq!(connections_max(20_000, Some(256)), 64);
    }
}

//! The listening socket and the server on it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use poem::http::uri::Scheme;
use poem::listener::{Acceptor, TcpAcceptor};
use poem::web::{LocalAddr, RemoteAddr};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::edge::Edge;

/// How long to wait after an accept failed, as it does while there are no more file descriptors;
/// without it the server would spin.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// How long requests under way may take to end once the server stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// A socket that listens.
pub struct Listener {
    acceptor: PromptAcceptor,
    address: SocketAddr,
}

impl Listener {
    /// Listens at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address can't be had.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            acceptor: PromptAcceptor(TcpAcceptor::from_tokio(listener)?),
            address,
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
        let stopped = async move {
            // A sender that is gone can't ask for anything else.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        poem::Server::new_with_acceptor(self.acceptor)
            .name("shardbook")
            .run_with_graceful_shutdown(edge, stopped, Some(STOP_TIME_MAX))
            .await
    }
}

/// Accepts connections that send small answers at once: a reply must not wait for the
/// acknowledgement of the one before.
struct PromptAcceptor(TcpAcceptor);

impl Acceptor for PromptAcceptor {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, LocalAddr, RemoteAddr, Scheme)> {
        match self.0.accept().await {
            Ok(accepted) => {
                if let Err(error) = accepted.0.set_nodelay(true) {
                    tracing::debug!(%error, "a connection was gone before it was served");
                }
                Ok(accepted)
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                sleep(ACCEPT_BACK_OFF).await;
                Err(error)
            }
        }
    }
}

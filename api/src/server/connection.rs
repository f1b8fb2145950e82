//! One connection: HTTP/1.1 or HTTP/2, within bounds of time and size.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Sleep, sleep};

use crate::edge::Edge;

/// Bytes of a request's head, and of its body read ahead: bounds what a connection costs. A
/// longer head is answered 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Headers of a request; more are answered 431.
const HEADERS_MAX: usize = 100;

/// Bytes of a request's headers over HTTP/2, where they come packed.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// Requests at once over one HTTP/2 connection, as the standard recommends at least.
const STREAMS_MAX: u32 = 100;

/// How long a client may take to accept what is sent to it.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);

/// A connection that counts as one while it lives, also once a WebSocket has taken it over, and
/// that breaks when its client takes nothing for [`WRITE_TIME_MAX`].
pub(super) struct Guarded {
    stream: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Guarded {
    pub(super) const fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            stalled: None,
            _permit: permit,
        }
    }

    /// Passes on what became of writing, unless that has stalled for too long.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(WRITE_TIME_MAX)));
        ready!(stalled.as_mut().poll(context));
        let error = "the client takes nothing";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, error)))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watched(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watched(context, polled)
    }
}

/// Serves a connection until it ends, or until what was under way when `stop` came has ended.
pub(super) async fn serve_connection(
    io: Guarded,
    (local, remote): (SocketAddr, SocketAddr),
    edge: Arc<Edge>,
    request_time_max: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let heard = AtomicBool::new(false);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        heard.store(true, Ordering::Relaxed);
        let local = LocalAddr(Addr::from(local));
        let remote = RemoteAddr(Addr::from(remote));
        let request = poem::Request::from((request, local, remote, Scheme::HTTP));
        let edge = Arc::clone(&edge);
        async move {
            let response = edge.get_response(request).await;
            Ok::<hyper::Response<_>, Infallible>(response.into())
        }
    });
    let server = builder(request_time_max);
    let mut connection = pin!(server.serve_connection_with_upgrades(TokioIo::new(io), service));
    // Until the first request hyper does not know which protocol it is, and waits for ever.
    let mut first_request = pin!(sleep(request_time_max));
    let (mut waits, mut stopping) = (true, false);
    loop {
        tokio::select! {
            biased;
            // Whatever it ended with, there is nobody left to be told.
            _ = connection.as_mut() => return,
            () = first_request.as_mut(), if waits => {
                waits = false;
                if !heard.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = super::told_to_stop(&mut stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(request_time_max: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(request_time_max)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        // Who does not answer within the time is gone.
        .keep_alive_interval(request_time_max)
        .keep_alive_timeout(request_time_max)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX);
    builder
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_connection_whose_client_takes_nothing_breaks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
        let mut guarded = Guarded::new(server.unwrap().0, permit);
        // Time passes by itself whenever there is nothing else to do.
        tokio::time::pause();
        let bytes = vec![0; 64 * 1024];
        let error = loop {
            if let Err(error) = guarded.write_all(&bytes).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(guarded);
        assert_eq!(permits.available_permits(), 1);
        drop(client);
    }
}

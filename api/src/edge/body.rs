//! Reading bodies, within bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use poem::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use poem::{Body, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::payload::BATCH_BYTES_MAX;
use crate::problem::{Code, Problem};

/// Most bytes of a body that are read only to be thrown away, so that a client that sends first
/// and reads then finds its answer instead of a reset connection.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// For how long.
const DISCARDING_TIME_MAX: Duration = Duration::from_secs(2);

/// Bytes of a body that need no leave: an order's, so that orders are let in however many large
/// bodies are being read.
const SMALL_BYTES_MAX: usize = 8 * 1024;

/// Bytes of all larger bodies at once: 256 of the largest. Many thousand connections that send
/// them slowly would else fill the memory.
const LARGE_BYTES_MAX: usize = 256 * BATCH_BYTES_MAX;

/// Bytes that one permit stands for.
const BYTES_PER_PERMIT: usize = 1_024;

/// What bodies may take up.
#[derive(Clone, Debug)]
pub(super) struct BodyLimits {
    pub(super) time_max: Duration,
    large: Arc<Semaphore>,
}

/// Room for a body that has been read; held until its request is answered.
#[derive(Debug, Default)]
pub(super) struct Room {
    permits: Option<OwnedSemaphorePermit>,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            time_max: Duration::from_secs(60),
            large: Arc::new(Semaphore::new(LARGE_BYTES_MAX / BYTES_PER_PERMIT)),
        }
    }
}

impl BodyLimits {
    /// Reads the request's body into memory. No call takes more than [`BATCH_BYTES_MAX`] bytes;
    /// what a call's own limit is, it checks itself.
    pub(super) async fn read_whole(&self, request: &mut Request) -> Result<Room, Problem> {
        let headers = request.headers();
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Ok(Room::default());
        }
        let mut chunks = Box::pin(request.take_body().into_bytes_stream());
        let reading = timeout(self.time_max, self.read(&mut chunks)).await;
        match reading {
            Ok(Ok((body, room))) => {
                request.set_body(body);
                Ok(room)
            }
            Ok(Err(problem)) => {
                discard_chunks(chunks).await;
                Err(problem)
            }
            Err(_) => {
                let seconds = self.time_max.as_secs();
                let detail = format!("the body did not come within {seconds} seconds");
                Err(Problem::new(Code::MalformedJson, detail))
            }
        }
    }

    async fn read<E: std::fmt::Display>(
        &self,
        chunks: &mut (impl StreamExt<Item = Result<Bytes, E>> + Unpin),
    ) -> Result<(Bytes, Room), Problem> {
        let mut read = BytesMut::new();
        let mut room = Room::default();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| {
                let detail = format!("the body could not be read: {error}");
                Problem::new(Code::MalformedJson, detail)
            })?;
            let bytes = read.len() + chunk.len();
            if bytes > BATCH_BYTES_MAX {
                let detail = format!("no body may have more than {BATCH_BYTES_MAX} bytes");
                return Err(Problem::new(Code::PayloadTooLarge, detail));
            }
            room.grow(bytes, &self.large)?;
            read.extend_from_slice(&chunk);
        }
        Ok((read.freeze(), room))
    }
}

impl Room {
    /// Takes up room for so many bytes.
    fn grow(&mut self, bytes: usize, large: &Arc<Semaphore>) -> Result<(), Problem> {
        if bytes <= SMALL_BYTES_MAX {
            return Ok(());
        }
        let held = self
            .permits
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(BYTES_PER_PERMIT).saturating_sub(held);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = Arc::clone(large).try_acquire_many_owned(missing);
        let more = more.map_err(|_| {
            let detail = "too many large bodies are being sent";
            Problem::new(Code::Overloaded, detail)
        })?;
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            None => self.permits = Some(more),
        }
        Ok(())
    }
}

/// Reads a body that nobody wants.
pub(super) async fn discard(body: Body) {
    discard_chunks(Box::pin(body.into_bytes_stream())).await;
}

async fn discard_chunks<E>(mut chunks: impl StreamExt<Item = Result<Bytes, E>> + Unpin) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            read += chunk.len();
            if read > DISCARDED_BYTES_MAX {
                break;
            }
        }
    };
    // Beyond either bound the connection is closed with the answer.
    let _ = timeout(DISCARDING_TIME_MAX, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_a_bounded_room_and_orders_need_none() {
        let large = Arc::new(Semaphore::new(100));
        let mut first = Room::default();
        for bytes in [SMALL_BYTES_MAX, 20_000, 60_000, 60_001] {
            first.grow(bytes, &large).unwrap();
        }
        assert_eq!(large.available_permits(), 100 - 59);
        let mut second = Room::default();
        assert!(second.grow(60_000, &large).is_err());
        second.grow(SMALL_BYTES_MAX, &large).unwrap();
        drop(first);
        second.grow(60_000, &large).unwrap();
    }
}

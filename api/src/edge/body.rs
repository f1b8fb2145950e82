//! Reading bodies, within bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use poem::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use poem::{Body, Request};

use crate::payload::BATCH_BYTES_MAX;
use crate::problem::{Code, Problem};

/// Most bytes of a body that are read only to be thrown away, so that a client that sends first
/// and reads then finds its answer instead of a reset connection.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// For how long.
const DISCARDING_TIME_MAX: Duration = Duration::from_secs(2);

/// Reads the request's body into memory. No call takes more than [`BATCH_BYTES_MAX`] bytes; what
/// a call's own limit is, it checks itself.
pub(super) async fn read_whole(request: &mut Request) -> Result<(), Problem> {
    let headers = request.headers();
    if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(());
    }
    let mut chunks = Box::pin(request.take_body().into_bytes_stream());
    let mut read = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk: Bytes = chunk.map_err(|error| {
            Problem::new(
                Code::MalformedJson,
                format!("the body could not be read: {error}"),
            )
        })?;
        if read.len() + chunk.len() > BATCH_BYTES_MAX {
            discard_chunks(chunks).await;
            let detail = format!("no body may have more than {BATCH_BYTES_MAX} bytes");
            return Err(Problem::new(Code::PayloadTooLarge, detail));
        }
        read.extend_from_slice(&chunk);
    }
    request.set_body(read.freeze());
    Ok(())
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
    let _ = tokio::time::timeout(DISCARDING_TIME_MAX, reading).await;
}

//! Requests over HTTP: one in flight on each connection.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::pace::{Turn, Wanted};
use crate::run::{ANSWER_WAIT, Run, Target};
use crate::workload::Action;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Kept open from request to request, and opened again after it failed.
#[derive(Debug)]
pub(crate) struct Client {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What an answer of `POST /orders/batch` says of each order.
#[derive(Deserialize)]
struct BatchAnswer {
    results: Vec<BatchResult>,
}

#[derive(Deserialize)]
struct BatchResult {
    status: u16,
}

/// Sends one request at a time, until the run is over.
///
/// # Errors
/// When the exchange can't be counted on to be one; what fails on the way is counted.
pub(crate) async fn send_singles(mut client: Client, run: &Run) -> Result<()> {
    while let Some(turn) = run.pace.take(Wanted { least: 1, most: 1 }).await {
        for (number, due) in turn.requests() {
            match client.send_single(run, number).await {
                Ok(status) => run.tally.lock().answered(due, now(), status.as_u16())?,
                Err(error) => run.tally.lock().failed(1, &error),
            }
        }
    }
    Ok(())
}

/// Sends batches of so many orders, until the run is over.
///
/// # Errors
/// When the exchange can't be counted on to be one; what fails on the way is counted.
pub(crate) async fn send_batches(mut client: Client, run: &Run, orders: u32) -> Result<()> {
    let wanted = Wanted {
        least: orders,
        most: orders,
    };
    while let Some(turn) = run.pace.take(wanted).await {
        match client.send_batch(run, &turn).await {
            Ok(statuses) => {
                let now = now();
                let mut tally = run.tally.lock();
                for ((_, due), status) in turn.requests().zip(statuses) {
                    tally.answered(due, now, status)?;
                }
            }
            Err(error) => run.tally.lock().failed(turn.count(), &error),
        }
    }
    Ok(())
}

fn now() -> std::time::Instant {
    std::time::Instant::now()
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn connect(target: Target) -> Result<Self> {
        let sender = open(&target).await?;
        Ok(Self {
            target,
            sender: Some(sender),
        })
    }

    async fn send_single(&mut self, run: &Run, number: u64) -> Result<StatusCode> {
        let mut text = String::new();
        let request = match run.workload.action(number) {
            Action::Place => {
                run.workload.write_order(number, &mut text);
                self.request(Uri::from_static("/orders"), text)?
            }
            Action::Cancel(target) => {
                text.push_str("/orders/");
                run.workload.write_order_id(target, &mut text);
                text.push_str("/cancel");
                self.request(Uri::try_from(text)?, String::new())?
            }
        };
        let (status, _) = self.send(request).await?;
        Ok(status)
    }

    /// Each order's status, as many as were sent.
    async fn send_batch(&mut self, run: &Run, turn: &Turn) -> Result<Vec<u16>> {
        let mut text = "{\"orders\":[".to_owned();
        for (position, (number, _)) in turn.requests().enumerate() {
            if position > 0 {
                text.push(',');
            }
            run.workload.write_order(number, &mut text);
        }
        text.push_str("]}");
        let request = self.request(Uri::from_static("/orders/batch"), text)?;
        let (status, body) = self.send(request).await?;
        let count = usize::try_from(turn.count())?;
        if status != StatusCode::OK {
            return Ok(vec![status.as_u16(); count]);
        }
        let answer: BatchAnswer = serde_json::from_slice(&body)?;
        ensure!(answer.results.len() == count, "a result is missing");
        let statuses = answer.results.iter().map(|result| result.status);
        Ok(statuses.collect())
    }

    fn request(&self, uri: Uri, body: String) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&self.target.address)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.target.key {
            headers.insert(API_KEY, HeaderValue::from_str(key)?);
        }
        Ok(request)
    }

    /// Reads the whole answer. A connection that failed is not used again.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => open(&self.target).await?,
        };
        let answered = async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, body))
        };
        let answer = tokio::time::timeout(ANSWER_WAIT, answered)
            .await
            .context("no answer came")??;
        self.sender = Some(sender);
        Ok(answer)
    }
}

async fn open(target: &Target) -> Result<SendRequest<Full<Bytes>>> {
    let stream = target.connect().await?;
    let (sender, driver) = http1::handshake(TokioIo::<TcpStream>::new(stream)).await?;
    // What goes wrong on the connection comes back from the request under way.
    tokio::spawn(driver);
    Ok(sender)
}

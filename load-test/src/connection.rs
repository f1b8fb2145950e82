//! One HTTP connection with one request in flight.

use std::convert::Infallible;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Where the exchange listens, as `host:port`.
#[derive(Clone, Debug)]
pub(crate) struct Target(String);

impl FromStr for Target {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// Kept open from order to order.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(&target.0)
            .await
            .with_context(|| format!("connecting to {}", target.0))?;
        // A small request must not wait for the answer to the one before.
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // What goes wrong on the connection comes back from the request under way.
        tokio::spawn(driver);
        Ok(Self {
            sender,
            host: HeaderValue::from_str(&target.0)?,
        })
    }

    /// Places an order and reads the whole answer.
    pub(crate) async fn place(&mut self, order: Bytes) -> Result<StatusCode> {
        let mut request = Request::new(Full::new(order));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/orders");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }
}

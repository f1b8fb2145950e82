//! The outermost endpoint: what holds for every request, whatever it asks for.
//!
//! In this order: a request of a foreign page is turned away; who asks is found out, and whether it
//! may and has not done too much; the body is read whole, within bounds; the call is made; and
//! whatever comes of that, a refusal of the framework or a panic included, leaves as an answer that
//! the contract knows.

mod body;
mod methods;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use poem::endpoint::BoxEndpoint;
use poem::http::header::{self, HeaderName};
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode};
use poem::{Endpoint, IntoResponse, Request, Response};

pub use methods::Methods;

use self::body::BodyLimits;

use crate::access::{Access, Visit};
use crate::activity::ActivityLog;
use crate::guard::{Guard, Visitor};
use crate::problem::{Code, Problem, of_poem_error};

/// Request headers that pages of allowed origins may send.
const CORS_REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "content-type, idempotency-key, last-event-id, authorization, x-api-key",
);

/// Answer headers that such pages may read.
const CORS_ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "location, idempotency-replayed, retry-after, ratelimit, ratelimit-policy, www-authenticate",
);

/// For how many seconds a browser may remember a preflight's answer.
const CORS_MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Everything a request goes through on its way to its call and back.
pub struct Edge {
    guard: Guard,
    access: Arc<Access>,
    methods: Methods,
    calls: BoxEndpoint<'static>,
    bodies: BodyLimits,
    log: Option<ActivityLog>,
}

impl Edge {
    /// Puts the edge around the calls; `methods` says which there are.
    #[must_use]
    pub fn new(
        guard: Guard,
        access: Arc<Access>,
        methods: Methods,
        calls: BoxEndpoint<'static>,
    ) -> Self {
        Self {
            guard,
            access,
            methods,
            calls,
            bodies: BodyLimits::default(),
            log: None,
        }
    }

    /// Tells `log` of requests that fail.
    #[must_use]
    pub fn with_log(self, log: ActivityLog) -> Self {
        Self {
            log: Some(log),
            ..self
        }
    }

    /// Gives bodies so long to come.
    #[must_use]
    pub fn with_body_time(mut self, time_max: Duration) -> Self {
        self.bodies.time_max = time_max;
        self
    }

    async fn answer(&self, mut request: Request) -> Response {
        let admitted = self
            .guard
            .check(request.uri(), request.version(), request.headers());
        let visitor = match admitted {
            Ok(visitor) => visitor,
            Err(problem) => {
                body::discard(request.take_body()).await;
                return problem.into_response();
            }
        };
        let mut response = if request.method() == Method::OPTIONS {
            self.options(&request, &visitor)
        } else {
            self.answer_visitor(request).await
        };
        if let Visitor::Allowed(origin) = visitor {
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, CORS_ANSWER_HEADERS);
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        response
    }

    async fn answer_visitor(&self, mut request: Request) -> Response {
        let (uri, from) = (request.uri(), request.remote_addr());
        let needs = self.methods.needs(uri.path(), request.method());
        let visit = self.access.admit(needs, uri, request.headers(), from);
        let caller = match visit {
            Ok(Visit::Caller(caller)) => Some(caller),
            Ok(Visit::Stranger) => None,
            Err(refused) => {
                body::discard(request.take_body()).await;
                return refused.into_response();
            }
        };
        let _room = match self.bodies.read_whole(&mut request).await {
            Ok(room) => room,
            Err(problem) => return problem.into_response(),
        };
        let Some(caller) = caller else {
            return self.call(request).await;
        };
        request.extensions_mut().insert(caller.clone());
        let mut response = self.call(request).await;
        caller.meter().tell(response.headers_mut());
        response
    }

    async fn call(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        // A panic is a bug of ours; the connection and its other requests outlive it.
        let result = AssertUnwindSafe(self.calls.call(request))
            .catch_unwind()
            .await;
        match result {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.status() == StatusCode::METHOD_NOT_ALLOWED => {
                let allow = self.methods.of(&path).unwrap_or_default();
                Problem::method_not_allowed(allow.to_owned()).into_response()
            }
            Ok(Err(error)) => of_poem_error(error),
            Err(_) => {
                tracing::error!(path, "a call panicked");
                Problem::new(Code::Internal, "the call broke down").into_response()
            }
        }
    }

    fn options(&self, request: &Request, visitor: &Visitor) -> Response {
        let Some(allow) = self.methods.of(request.uri().path()) else {
            return Problem::new(Code::NotFound, "no call has this path").into_response();
        };
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        let allow = HeaderValue::from_str(allow).ok();
        set(headers, header::ALLOW, allow.clone());
        if matches!(visitor, Visitor::Allowed(_))
            && request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, allow);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_REQUEST_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, CORS_MAX_AGE);
        }
        response
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

impl Endpoint for Edge {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let Some(log) = &self.log else {
            return Ok(self.answer(request).await);
        };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = self.answer(request).await;
        log.answered(&method, &uri, &response);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use poem::endpoint::make_sync;
    use shardbook_engine::time::SystemClock;

    use super::*;
    use crate::access::Auth;

    #[tokio::test]
    async fn a_call_that_panics_is_answered_all_the_same() {
        let calls = make_sync(|_| -> Response { panic!("a bug of a call") });
        let calls = poem::EndpointExt::boxed(calls);
        let (access, _directory) = crate::access::tests::access(Auth::Off, SystemClock);
        let edge = Edge::new(Guard::default(), access, Methods::default(), calls);
        let request = Request::builder().header("host", "localhost").finish();
        let response = Endpoint::call(&edge, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = response.into_body().into_string().await.unwrap();
        assert!(body.contains("internal_error"), "{body}");
    }
}

//! Every way a request can fail, and the one place where that becomes HTTP.

mod about;
mod code;
mod example;
mod from_engine;
mod from_poem;

use std::time::Duration;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};

use shardbook_engine::id::Symbol;
use shardbook_engine::instrument::Instrument;

pub use about::{About, Told};
pub use code::Code;
pub use from_engine::invalid_field;
pub use from_poem::of_poem_error;

use crate::access::limits::{Level, whole_seconds};
use crate::json::to_json;
use crate::schema::order::OrderView;
use crate::schema::problem::{FieldErrorView, ProblemView};
use crate::schema::text::Count;

/// The content type of every failure.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// When to come back to a queue that was full, or a database that is behind: either takes
/// milliseconds, and a header can't say less.
const RETRY_OVERLOADED: Duration = Duration::from_secs(1);

/// Why a request was not carried out.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    order: Option<Box<OrderView>>,
    allow: Option<String>,
    /// How the bucket stands that it was too much for.
    level: Option<Box<Level>>,
    /// Which instrument it is about, for the metrics.
    instrument: Option<Box<Symbol>>,
    /// Which order it is about, for the log.
    about: Option<Box<About>>,
    /// Set once the log has it.
    told: Option<Told>,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// A problem of this kind, and what was wrong this time.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            order: None,
            allow: None,
            level: None,
            instrument: None,
            about: None,
            told: None,
        }
    }

    /// A request whose fields are not what they should be; at least one is.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let details: Vec<_> = errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect();
        Self {
            errors,
            ..Self::new(Code::InvalidOrder, details.join("; "))
        }
    }

    /// A query parameter, path or header that is not what it should be.
    #[must_use]
    pub fn parameter(name: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            detail: format!("{name}: {message}"),
            errors: vec![FieldError {
                field: name,
                message,
            }],
            ..Self::new(Code::InvalidParameter, "")
        }
    }

    /// An order that is no longer open, as it stands.
    #[must_use]
    pub fn order_not_open(order: OrderView) -> Self {
        Self {
            order: Some(Box::new(order)),
            ..Self::new(
                Code::OrderNotOpen,
                "the order is in a final state and can't be changed",
            )
        }
    }

    /// A method that the path does not have, and those it has.
    #[must_use]
    pub fn method_not_allowed(allow: String) -> Self {
        Self {
            detail: format!("this path has the methods {allow}"),
            allow: Some(allow),
            ..Self::new(Code::MethodNotAllowed, "")
        }
    }

    /// More units a second than there are, and how the bucket stands.
    #[must_use]
    pub(crate) fn rate_limited(level: Level) -> Self {
        let detail = format!("more than {} requests a second", level.rate);
        Self {
            level: Some(Box::new(level)),
            ..Self::new(Code::RateLimited, detail)
        }
    }

    /// The same, about an instrument.
    #[must_use]
    pub fn on(self, instrument: Option<&Instrument>) -> Self {
        Self {
            instrument: instrument.map(|instrument| Box::new(instrument.symbol.clone())),
            ..self
        }
    }

    /// Which instrument it is about, if that is known.
    #[must_use]
    pub fn instrument(&self) -> Option<&Symbol> {
        self.instrument.as_deref()
    }

    /// Which order it is about, if that is known.
    #[must_use]
    pub fn about(&self) -> Option<&About> {
        self.about.as_deref()
    }

    fn with_about(self, about: About) -> Self {
        Self {
            about: Some(Box::new(about)),
            ..self
        }
    }

    /// Says that the log has it.
    pub(crate) const fn mark_told(&mut self) {
        self.told = Some(Told);
    }

    /// What kind of problem it is.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The answer's HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What was wrong this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The problem as it is shown, also within the answer to a batch or on a WebSocket.
    #[must_use]
    pub fn view(&self) -> ProblemView {
        let errors = self.errors.iter().map(|error| FieldErrorView {
            field: error.field.into(),
            message: error.message.as_str().into(),
        });
        ProblemView {
            r#type: format!("urn:shardbook:problem:{}", self.code.word()).into(),
            title: self.code.title().into(),
            status: Count(u64::from(self.status().as_u16())),
            detail: self.detail.as_str().into(),
            code: self.code.word().into(),
            errors: errors.collect(),
            order: self.order.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = to_json(&self.view());
        let mut response = Response::builder()
            .status(self.status())
            .content_type(CONTENT_TYPE)
            .body(body);
        response.extensions_mut().insert(self.code);
        if let Some(told) = self.told {
            response.extensions_mut().insert(told);
        }
        let headers = response.headers_mut();
        let retry_after = match &self.level {
            Some(level) => level.wait,
            None => matches!(self.code, Code::Overloaded | Code::DatabaseUnavailable)
                .then_some(RETRY_OVERLOADED),
        };
        if let Some(wait) = retry_after {
            headers.insert(header::RETRY_AFTER, whole_seconds(wait).into());
        }
        if let Some(level) = self.level {
            level.tell(headers);
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(allow) = self
            .allow
            .and_then(|allow| HeaderValue::from_str(&allow).ok())
        {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        let (code, told) = (problem.code, problem.told);
        // An error's response has the error's own extensions, not those it came with.
        let mut error = Self::from_response(problem.into_response());
        error.set_data(code);
        if let Some(told) = told {
            error.set_data(told);
        }
        error
    }
}

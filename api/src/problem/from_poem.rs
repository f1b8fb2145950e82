//! What poem and poem-openapi refuse by themselves.

use poem::error::{self, MethodNotAllowedError, NotFoundError, ReadBodyError};
use poem::http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::error::{ParseParamError, ParsePathError};

use crate::problem::{Code, Problem};

/// An error that reached the outermost endpoint, as a response: the one it carries if it was a
/// [`Problem`], else the problem that says the same.
#[must_use]
pub fn of_poem_error(error: poem::Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    if let Some(parameter) = error.downcast_ref::<ParseParamError>() {
        return Problem::parameter(parameter.name, reason(&parameter.reason)).into_response();
    }
    let problem = if error.is::<NotFoundError>() || error.is::<error::ParsePathError>() {
        Problem::new(Code::NotFound, "no call has this path")
    } else if let Some(path) = error.downcast_ref::<ParsePathError>() {
        not_in_path(path)
    } else if error.is::<MethodNotAllowedError>() {
        Problem::new(Code::MethodNotAllowed, "the path does not have this method")
    } else if error.is::<ReadBodyError>() {
        Problem::new(Code::MalformedJson, "the body could not be read")
    } else {
        by_status(&error)
    };
    problem.into_response()
}

/// What a parser of ours said, without the names of our types that stand around it.
fn reason(text: &str) -> &str {
    let text = text.split_once("\": ").map_or(text, |(_, reason)| reason);
    let around = text.rfind(" (occurred while parsing \"");
    let text = around.and_then(|at| text.get(..at)).unwrap_or(text);
    if text.ends_with("expects an input value.") {
        "is required"
    } else {
        text
    }
}

/// What can't be a name has nothing of that name; what is no day is a bad parameter.
fn not_in_path(path: &ParsePathError) -> Problem {
    if path.reason.contains("DateInput") {
        // Its own word for it would be the number of its place.
        return Problem::parameter("date", reason(&path.reason));
    }
    let code = if path.reason.contains("OrderId") {
        Code::OrderNotFound
    } else if path.reason.contains("Symbol") {
        Code::InstrumentNotFound
    } else {
        Code::NotFound
    };
    Problem::new(code, code.title())
}

fn by_status(error: &poem::Error) -> Problem {
    let detail = error.to_string();
    match error.status() {
        StatusCode::NOT_FOUND => Problem::new(Code::NotFound, detail),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(Code::MethodNotAllowed, detail),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge, detail),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(Code::UnsupportedMediaType, detail),
        StatusCode::FORBIDDEN => Problem::new(Code::Forbidden, detail),
        status if status.is_client_error() => Problem::new(Code::InvalidParameter, detail),
        _ => {
            tracing::error!(error = %detail, "a request failed in a way that has no answer");
            Problem::new(Code::Internal, "the request could not be carried out")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_reason_names_no_type_of_ours() {
        let rows = [
            (
                "failed to parse \"Limit\": must be a whole number from 1 to 5 \
                 (occurred while parsing \"optional_Limit\")",
                "must be a whole number from 1 to 5",
            ),
            ("failed to parse \"Date\": must be a day", "must be a day"),
            ("Type \"Date\" expects an input value.", "is required"),
            ("is nothing of the kind", "is nothing of the kind"),
        ];
        for (text, expected) in rows {
            assert_eq!(reason(text), expected);
        }
    }
}

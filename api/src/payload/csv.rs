//! Rows as CSV or as JSON, whichever the client accepts.

use bytes::Bytes;
use poem::http::{HeaderMap, HeaderValue, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use serde::Serialize;

use super::{JSON, JsonResponse};
use crate::json::ToJson;
use crate::problem::{Code, Problem};
use crate::schema::List;

const CSV: &str = "text/csv";

/// A form that an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON, unless the client prefers the other.
    Json,
    /// CSV, with a line of column names.
    Csv,
}

/// A row of a CSV file.
pub trait CsvRow: Serialize {
    /// The columns, as the fields are serialized.
    const COLUMNS: &'static [&'static str];
}

impl Form {
    /// What the `Accept` header prefers; JSON where it does not mind.
    ///
    /// # Errors
    /// [`Code::NotAcceptable`] where it admits neither.
    pub fn accepted(headers: &HeaderMap) -> Result<Self, Problem> {
        let (mut json, mut csv) = (Wish::NONE, Wish::NONE);
        let mut minds = false;
        let texts = headers.get_all(header::ACCEPT).iter();
        for range in texts.flat_map(|text| text.to_str().unwrap_or_default().split(',')) {
            minds = true;
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(weight).unwrap_or(1_000);
            let wish = |specificity| Wish {
                specificity,
                weight,
            };
            match name.as_str() {
                JSON => json = json.max(wish(3)),
                CSV => csv = csv.max(wish(3)),
                "application/*" => json = json.max(wish(2)),
                "text/*" => csv = csv.max(wish(2)),
                "*/*" => (json, csv) = (json.max(wish(1)), csv.max(wish(1))),
                _ => {}
            }
        }
        if minds && json.weight == 0 && csv.weight == 0 {
            let detail = format!("the answer can be {JSON} or {CSV}");
            return Err(Problem::new(Code::NotAcceptable, detail));
        }
        Ok(if csv.weight > json.weight {
            Self::Csv
        } else {
            Self::Json
        })
    }
}

/// How much a form is wanted, in thousandths; what names it more closely rules.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    specificity: u8,
    weight: u32,
}

impl Wish {
    const NONE: Self = Self {
        specificity: 0,
        weight: 0,
    };
}

fn weight(parameter: &str) -> Option<u32> {
    let text = parameter
        .strip_prefix("q=")
        .or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let thousandths: u32 = format!("{digits:0<3}").get(..3)?.parse().ok()?;
    Some((whole.parse::<u32>().ok()?.min(1) * 1_000 + thousandths).min(1_000))
}

/// An answer as JSON, or its rows as CSV.
#[derive(Clone, Debug)]
pub enum JsonOrCsv<T> {
    /// JSON.
    Json(T),
    /// Bytes of CSV.
    Csv(Bytes),
}

impl<T> JsonOrCsv<T> {
    /// Rows as CSV.
    ///
    /// # Errors
    /// [`Code::Internal`] when they can't be written: a bug.
    pub fn csv<R: CsvRow>(rows: &[R]) -> Result<Self, Problem> {
        let broken = |error: &dyn std::error::Error| {
            tracing::error!(%error, "an answer could not be written as CSV");
            Problem::new(Code::Internal, "the answer could not be written")
        };
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(Vec::new());
        writer
            .write_record(R::COLUMNS)
            .map_err(|error| broken(&error))?;
        for row in rows {
            writer.serialize(row).map_err(|error| broken(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| broken(error.error()))?;
        Ok(Self::Csv(bytes.into()))
    }
}

impl<R: CsvRow, const MAX: usize> JsonOrCsv<List<R, MAX>> {
    /// A list in the form asked for.
    ///
    /// # Errors
    /// As [`Self::csv`].
    pub fn in_form(form: Form, rows: Vec<R>) -> Result<Self, Problem> {
        match form {
            Form::Json => Ok(Self::Json(List(rows))),
            Form::Csv => Self::csv(&rows),
        }
    }
}

impl<T: ToJson + Send> IntoResponse for JsonOrCsv<T> {
    fn into_response(self) -> Response {
        let mut response = match self {
            Self::Json(answer) => JsonResponse(answer).into_response(),
            Self::Csv(bytes) => Response::builder()
                .content_type("text/csv; charset=utf-8")
                .body(bytes),
        };
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        response
    }
}

impl<T: Type + ToJson> ApiResponse for JsonOrCsv<T> {
    fn meta() -> MetaResponses {
        let csv = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content = |content_type, schema| MetaMediaType {
            content_type,
            schema,
        };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "JSON, or with `Accept: text/csv` CSV with a line of column names.",
                status: Some(200),
                status_range: None,
                content: vec![content(JSON, T::schema_ref()), content(CSV, csv)],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_decides() {
        let rows = [
            (None, Some(Form::Json)),
            (Some("*/*"), Some(Form::Json)),
            (Some("text/csv"), Some(Form::Csv)),
            (Some("TEXT/CSV; charset=utf-8"), Some(Form::Csv)),
            (Some("text/*"), Some(Form::Csv)),
            (Some("text/csv, application/json"), Some(Form::Json)),
            (Some("text/csv, */*;q=0.1"), Some(Form::Csv)),
            (
                Some("application/json;q=0.5, text/csv;q=0.51"),
                Some(Form::Csv),
            ),
            (Some("text/csv;q=0, */*"), Some(Form::Json)),
            (Some("text/html"), None),
            (Some("text/csv;q=0"), None),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(Form::accepted(&headers).ok(), expected, "{accept:?}");
        }
    }
}

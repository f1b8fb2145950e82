//! JSON bodies, straight from and to bytes.
//!
//! poem-openapi's own payload builds a tree of JSON values and reads without a limit. These are
//! documented the same way. A body that comes in stays text here; [`crate::request`] takes it
//! apart, so that everything wrong with it can be told at once.

mod csv;

use std::marker::PhantomData;

use bytes::Bytes;
use poem::http::header;
use poem::{FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{
    MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};

pub use self::csv::{CsvRow, Form, JsonOrCsv};

use crate::json::{ToJson, to_json};
use crate::problem::{Code, Problem};

const JSON: &str = "application/json";

/// Most characters of a header that an error shows.
const SHOWN_MAX: usize = 80;

/// Most bytes of a body that holds one thing: some ten times the largest order.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of a batch: some 2 KiB for each of its orders.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// A JSON body that came in, at most `MAX` bytes of it, and the shape it should have.
#[derive(Clone, Debug)]
pub struct JsonRequest<T, const MAX: usize = BODY_BYTES_MAX> {
    bytes: Bytes,
    shape: PhantomData<fn() -> T>,
}

impl<T, const MAX: usize> JsonRequest<T, MAX> {
    /// The body's text.
    ///
    /// # Errors
    /// When it is not UTF-8, and so no JSON.
    pub fn text(&self) -> Result<&str, Problem> {
        std::str::from_utf8(&self.bytes).map_err(|error| {
            let at = error.valid_up_to();
            Problem::new(Code::MalformedJson, format!("not UTF-8 from byte {at} on"))
        })
    }
}

impl<T: Type, const MAX: usize> Payload for JsonRequest<T, MAX> {
    const CONTENT_TYPE: &'static str = JSON;

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<'a, T: Type, const MAX: usize> ApiExtractor<'a> for JsonRequest<T, MAX> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: JSON,
                schema: T::schema_ref(),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        check_content_type(request)?;
        check_content_encoding(request)?;
        let bytes = <Bytes as FromRequest>::from_request(request, body).await?;
        if bytes.len() > MAX {
            let detail = format!("the body has {} bytes, at most {MAX} are read", bytes.len());
            return Err(Problem::new(Code::PayloadTooLarge, detail).into());
        }
        Ok(Self {
            bytes,
            shape: PhantomData,
        })
    }
}

/// A JSON body of which everything may be left out, itself included: no body is `{}`.
#[derive(Clone, Debug)]
pub struct OptionalJsonRequest<T>(JsonRequest<T>);

impl<T> OptionalJsonRequest<T> {
    /// The body's text.
    ///
    /// # Errors
    /// When it is not UTF-8, and so no JSON.
    pub fn text(&self) -> Result<&str, Problem> {
        self.0.text()
    }
}

impl<'a, T: Type> ApiExtractor<'a> for OptionalJsonRequest<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let whole = <JsonRequest<T> as ApiExtractor<'a>>::request_meta()?;
        Some(MetaRequest {
            required: false,
            ..whole
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let bytes = <Bytes as FromRequest>::from_request(request, body).await?;
        if bytes.is_empty() {
            if request.headers().contains_key(header::CONTENT_TYPE) {
                check_content_type(request)?;
            }
            return Ok(Self(JsonRequest {
                bytes: Bytes::from_static(b"{}"),
                shape: PhantomData,
            }));
        }
        let body = &mut RequestBody::new(bytes.into());
        let whole = <JsonRequest<T> as ApiExtractor<'a>>::from_request(request, body, options);
        Ok(Self(whole.await?))
    }
}

/// Only a body that says it is JSON is read as such: a web page can't send that type to another
/// origin without being asked first.
fn check_content_type(request: &Request) -> Result<(), Problem> {
    let unsupported = |detail: String| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
        return unsupported(format!("the request has no Content-Type; send {JSON}"));
    };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(JSON) {
        return Ok(());
    }
    unsupported(format!(
        "the Content-Type is {:?}; send {JSON}",
        shown(essence)
    ))
}

/// A body that was compressed is not unpacked, and is no JSON as it stands.
fn check_content_encoding(request: &Request) -> Result<(), Problem> {
    let Some(value) = request.headers().get(header::CONTENT_ENCODING) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    let detail = format!(
        "the Content-Encoding is {:?}; send the JSON as it is",
        shown(text)
    );
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// The beginning of what a client sent, for its eyes.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

/// A JSON body that goes out.
#[derive(Clone, Debug)]
pub struct JsonResponse<T>(pub T);

impl<T: Type> Payload for JsonResponse<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ToJson + Send> IntoResponse for JsonResponse<T> {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(JSON)
            .body(to_json(&self.0))
    }
}

impl<T: Type + ToJson> ApiResponse for JsonResponse<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: JSON,
                    schema: T::schema_ref(),
                }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

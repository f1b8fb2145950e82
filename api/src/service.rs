//! The HTTP service: the calls, their document, and the edge around them.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::Either;
use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::Method;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response, RouteMethod};
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService};

use crate::access::{Access, Needs};
use crate::asyncapi::asyncapi_yaml;
use crate::calls::analytics::AnalyticsCalls;
use crate::calls::halts::Halts;
use crate::calls::instruments::InstrumentCalls;
use crate::calls::keys::KeyCalls;
use crate::calls::market_data::MarketDataCalls;
use crate::calls::operations::Operations;
use crate::calls::orders::Orders;
use crate::calls::settlements::SettlementCalls;
use crate::calls::snapshots::SnapshotCalls;
use crate::document::Document;
use crate::edge::{Edge, Methods};
use crate::guard::Guard;
use crate::stream::sse::EventCalls;

/// The documented calls.
pub type Calls = (
    Orders,
    MarketDataCalls,
    AnalyticsCalls,
    SettlementCalls,
    EventCalls,
    InstrumentCalls,
    Halts,
    SnapshotCalls,
    KeyCalls,
    Operations,
);

const DESCRIPTION: &str = include_str!("document/description.txt");

/// The calls as they are documented, without the exchange behind them.
struct Described<Api>(PhantomData<Api>);

impl<Api: OpenApi> OpenApi for Described<Api> {
    fn meta() -> Vec<MetaApi> {
        Api::meta()
    }

    fn register(registry: &mut Registry) {
        Api::register(registry);
    }

    fn add_routes(self, _routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

fn describe<Api: OpenApi>(api: Api) -> OpenApiService<Api, ()> {
    OpenApiService::new(api, "Shardbook", env!("CARGO_PKG_VERSION")).description(DESCRIPTION)
}

fn document<Api: OpenApi>() -> Document {
    Document::complete(&describe(Described(PhantomData::<Api>)).spec_yaml())
}

/// Swagger UI with the completed document in place of the one that poem-openapi puts into it.
fn swagger_ui<Api: OpenApi>(document: &Document) -> String {
    let service = describe(Described(PhantomData::<Api>));
    let page = service.swagger_ui_html();
    page.replacen(&service.spec(), &document.json(), 1)
        .replacen("<title>Swagger UI</title>", "<title>Shardbook</title>", 1)
}

/// The OpenAPI document as JSON.
#[must_use]
pub fn openapi_json() -> String {
    document::<Calls>().json()
}

/// The OpenAPI document as YAML.
#[must_use]
pub fn openapi_yaml() -> String {
    document::<Calls>().yaml()
}

/// A path outside the document that can be read.
pub struct Extra {
    /// The path, as `/events`.
    pub path: &'static str,
    /// What it asks of who comes.
    pub needs: Needs,
    /// What answers a GET.
    pub endpoint: BoxEndpoint<'static>,
}

/// The whole service: [`Calls`], perhaps with more.
#[must_use]
pub fn service<Api: OpenApi + 'static>(
    calls: Api,
    extras: Vec<Extra>,
    guard: Guard,
    access: Arc<Access>,
) -> Edge {
    let described = document::<Api>();
    let documents = [
        Extra {
            path: "/docs",
            needs: Needs::Nothing,
            endpoint: html(swagger_ui::<Api>(&described)),
        },
        Extra {
            path: "/openapi.json",
            needs: Needs::Nothing,
            endpoint: text("application/json", described.json()),
        },
        Extra {
            path: "/openapi.yaml",
            needs: Needs::Nothing,
            endpoint: text("application/yaml", described.yaml()),
        },
        Extra {
            path: "/asyncapi.yaml",
            needs: Needs::Nothing,
            endpoint: text("application/yaml", asyncapi_yaml()),
        },
    ];
    let read_only: Vec<_> = documents.into_iter().chain(extras).collect();
    let paths = read_only.iter().map(|extra| (extra.path, extra.needs));
    let paths: Vec<_> = paths.collect();
    let methods = Methods::new::<Api>(&paths);
    let routed = Routed {
        beside: read_only
            .into_iter()
            .map(|Extra { path, endpoint, .. }| (path, RouteMethod::new().get(endpoint)))
            .collect(),
        calls: describe(calls).into_endpoint(),
    };
    Edge::new(guard, access, methods, routed.boxed())
}

/// What answers which path. A tree of routes around the calls' own would box, match and copy for
/// each call once more.
struct Routed {
    beside: HashMap<&'static str, RouteMethod>,
    calls: BoxEndpoint<'static>,
}

impl Endpoint for Routed {
    type Output = Response;

    fn call(&self, request: Request) -> impl Future<Output = poem::Result<Response>> + Send {
        match self.beside.get(request.uri().path()) {
            Some(endpoint) => Either::Left(endpoint.call(request)),
            None => Either::Right(self.calls.call(request)),
        }
    }
}

fn html(page: String) -> BoxEndpoint<'static> {
    text("text/html; charset=utf-8", page)
}

fn text(content_type: &'static str, text: String) -> BoxEndpoint<'static> {
    let bytes = bytes::Bytes::from(text);
    make_sync(move |_| {
        Response::builder()
            .content_type(content_type)
            .body(bytes.clone())
    })
    .map_to_response()
    .boxed()
}

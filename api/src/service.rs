//! The HTTP service: the calls, their document, and the edge around them.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::Method;
use poem::{EndpointExt, Response, Route, RouteMethod};
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService};

use crate::access::{Access, Needs};
use crate::calls::analytics::AnalyticsCalls;
use crate::calls::halts::Halts;
use crate::calls::instruments::InstrumentCalls;
use crate::calls::keys::KeyCalls;
use crate::calls::market_data::MarketDataCalls;
use crate::calls::operations::Operations;
use crate::calls::orders::Orders;
use crate::calls::settlements::SettlementCalls;
use crate::calls::snapshots::SnapshotCalls;
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
    Halts,
    SnapshotCalls,
    KeyCalls,
    InstrumentCalls,
    Operations,
);

const DESCRIPTION: &str = "\
A multi-instrument exchange: orders are matched in price-time priority by the one owner of their \
instrument's book, and each is durable before it is acknowledged.

Decimals come in as JSON strings or numbers, read exactly from their text, and go out as strings. \
Times are RFC 3339, UTC, with microseconds. Fields that a call does not know are ignored. Every \
failure is `application/problem+json` (RFC 9457) with a `code` for programs and, where single \
fields are wrong, their names and what is wrong with each.

Where the exchange asks for keys (`--auth on`), a request shows one as `X-API-Key` or as \
`Authorization: Bearer`. A reader's key reads what is public and the metrics; a trader's also \
places, reads and changes its own client's orders, and no other's; an admin's does everything, \
`/admin` included. `/healthz` and this document need none. Without keys everyone may do everything.

Requests are limited by key, or without keys by client: each order of a batch and each operation \
on the WebSocket is one unit, any other call one. Answers tell in `RateLimit` what is left.

Beside these calls there are two streams: `GET /events`, Server-Sent Events of one instrument, \
and the WebSocket `/stream`, which takes orders too.";

/// The calls as they are documented, without the exchange behind them.
struct Document<Api>(PhantomData<Api>);

impl<Api: OpenApi> OpenApi for Document<Api> {
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

fn document<Api: OpenApi>() -> OpenApiService<Document<Api>, ()> {
    describe(Document(PhantomData))
}

/// The OpenAPI document as JSON.
#[must_use]
pub fn openapi_json() -> String {
    document::<Calls>().spec()
}

/// The OpenAPI document as YAML.
#[must_use]
pub fn openapi_yaml() -> String {
    document::<Calls>().spec_yaml()
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
    let documents = [
        Extra {
            path: "/docs",
            needs: Needs::Nothing,
            endpoint: html(document::<Api>().swagger_ui_html()),
        },
        Extra {
            path: "/openapi.json",
            needs: Needs::Nothing,
            endpoint: text("application/json", document::<Api>().spec()),
        },
        Extra {
            path: "/openapi.yaml",
            needs: Needs::Nothing,
            endpoint: text("application/yaml", document::<Api>().spec_yaml()),
        },
    ];
    let read_only: Vec<_> = documents.into_iter().chain(extras).collect();
    let paths = read_only.iter().map(|extra| (extra.path, extra.needs));
    let paths: Vec<_> = paths.collect();
    let methods = Methods::new::<Api>(&paths);
    let mut route = Route::new();
    for Extra { path, endpoint, .. } in read_only {
        route = route.at(path, RouteMethod::new().get(endpoint));
    }
    let route = route.nest_no_strip("/", describe(calls));
    Edge::new(guard, access, methods, route.map_to_response().boxed())
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

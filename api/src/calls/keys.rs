//! Keys, and tickets for those who can't send them.

use std::num::NonZeroU32;
use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::value::RawValue;

use shardbook_engine::access::{Holder, KeyId, Role};
use shardbook_engine::id::ClientId;

use crate::access::limits::RATE_MAX;
use crate::access::{Access, Admin, Reader};
use crate::calls::Tag;
use crate::documented::Failure;
use crate::payload::{JsonRequest, JsonResponse};
use crate::problem::{Code, Problem};
use crate::request::{Fields, not_the_feeds_client, read_object};
use crate::schema::key::{KeyRequest, KeyView, NewKeyView, TicketView};

failures! {
    CreateKeyFailures: MalformedJson, PayloadTooLarge, UnsupportedMediaType, InvalidOrder,
        Overloaded, JournalUnavailable;
    RevokeKeyFailures: NotFound, JournalUnavailable;
    ReadKeysFailures: Forbidden;
}

/// The calls about keys.
#[derive(Clone)]
pub struct KeyCalls {
    access: Arc<Access>,
}

#[derive(ApiResponse)]
enum Created {
    /// The key, once it is durable. It is shown this once.
    #[oai(status = 201)]
    Key(JsonResponse<NewKeyView>),
}

#[derive(ApiResponse)]
enum All {
    /// All that are not revoked, oldest first.
    #[oai(status = 200)]
    Keys(JsonResponse<Vec<KeyView>>),
}

#[derive(ApiResponse)]
enum Revoked {
    /// It is no longer a key, and what its holder had open is closed.
    #[oai(status = 204)]
    Gone,
}

#[derive(ApiResponse)]
enum Issued {
    /// The ticket.
    #[oai(status = 201)]
    Ticket(JsonResponse<TicketView>),
}

impl KeyCalls {
    /// Calls about the keys that `access` knows.
    #[must_use]
    pub const fn new(access: Arc<Access>) -> Self {
        Self { access }
    }
}

#[OpenApi(tag = "Tag::Access")]
impl KeyCalls {
    /// Make a key
    ///
    /// Keys are kept whether or not the exchange asks for them (`--auth on`). The first one is made
    /// by `shardbook keys create --role admin`.
    #[oai(path = "/admin/keys", method = "post", operation_id = "create_key")]
    async fn create(
        &self,
        _by: Admin,
        body: JsonRequest<KeyRequest<'static>>,
    ) -> Result<Created, Failure<CreateKeyFailures>> {
        let (holder, requests_per_second) = body.text().and_then(read_key)?;
        let keys = self.access.keys();
        let (text, held) = keys.create(holder, requests_per_second).await?;
        let view = NewKeyView::new(held.key(), &text);
        Ok(Created::Key(JsonResponse(view)))
    }

    /// Read all keys
    ///
    /// Without their secrets, which nobody has but their holders.
    #[oai(path = "/admin/keys", method = "get", operation_id = "get_keys")]
    async fn all(&self, _by: Admin) -> Result<All, Failure<ReadKeysFailures>> {
        let keys = self.access.keys().all();
        let views = keys.iter().map(|held| KeyView::new(held.key()));
        Ok(All::Keys(JsonResponse(views.collect())))
    }

    /// Revoke a key
    ///
    /// It stops working at once, and the streams and connections that its holder has open are
    /// closed.
    #[oai(
        path = "/admin/keys/:key_id",
        method = "delete",
        operation_id = "revoke_key"
    )]
    async fn revoke(
        &self,
        _by: Admin,
        /// Its name.
        key_id: Path<String>,
    ) -> Result<Revoked, Failure<RevokeKeyFailures>> {
        let id: KeyId = key_id.0.parse().map_err(|error| {
            let detail = format!("a key's name {error}");
            Problem::new(Code::NotFound, detail)
        })?;
        self.access.keys().revoke(id).await?;
        Ok(Revoked::Gone)
    }

    /// Take a ticket for a stream
    ///
    /// A browser's EventSource can't send a key. Its page asks for a ticket with its key, and opens
    /// `/events?ticket=…` within a minute. What the key may watch the ticket may.
    #[oai(
        path = "/stream-tickets",
        method = "post",
        operation_id = "create_stream_ticket"
    )]
    async fn ticket(&self, by: Reader) -> Result<Issued, Failure<ReadKeysFailures>> {
        let ticket = self.access.ticket(by.caller());
        Ok(Issued::Ticket(JsonResponse(TicketView::new(ticket))))
    }
}

fn read_key(text: &str) -> Result<(Holder, Option<NonZeroU32>), Problem> {
    let request: KeyRequest<'_> = read_object(text)?;
    let mut fields = Fields::default();
    let client = fields.text("client_id", request.client_id, ClientId::new);
    not_the_feeds_client(client.as_ref())?;
    fields.required("role", request.role);
    let role = fields.word::<Role>("role", request.role);
    let requests_per_second = read_rate(&mut fields, request.requests_per_second);
    let holder = match (role, client) {
        (Some(Role::Admin), client) => Some(Holder::Admin(client)),
        (Some(Role::Trader), Some(client)) => Some(Holder::Trader(client)),
        (Some(Role::Reader), Some(client)) => Some(Holder::Reader(client)),
        (Some(Role::Trader | Role::Reader), None) => {
            if request.client_id.is_none() {
                fields.wrong("client_id", "is required for this role");
            }
            None
        }
        (None, _) => None,
    };
    holder
        .filter(|_| fields.is_empty())
        .map(|holder| (holder, requests_per_second))
        .ok_or_else(|| fields.into_problem())
}

fn read_rate(fields: &mut Fields, value: Option<&RawValue>) -> Option<NonZeroU32> {
    let rate = value?.get().parse().ok();
    let rate = rate.filter(|rate: &NonZeroU32| *rate <= RATE_MAX);
    if rate.is_none() {
        let message = format!("must be a whole number from 1 to {RATE_MAX}");
        fields.wrong("requests_per_second", message);
    }
    rate
}

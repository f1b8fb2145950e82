//! Keys and tickets.

use std::num::NonZeroU32;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};

use shardbook_engine::access::{AccessKey, Role};

use crate::access::limits::RATE_MAX;
use crate::access::{KeyText, Ticket};
use crate::decimal::TimestampText;
use crate::schema::Nullable;
use crate::schema::text::{ClientIdText, Count, Words};
use crate::schema::word::Word;

/// Units a second. Documentation only.
#[derive(Clone, Copy, Debug)]
pub struct RateInput;

impl_type!(
    RateInput, "RateInput",
    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
        minimum: Some(1.0),
        maximum: Some(f64::from(RATE_MAX.get())),
        ..MetaSchema::new("integer")
    })),
    register: |_registry| ()
);

request! {
    /// A key to be made.
    pub struct KeyRequest {
        /// Whom it acts for. An administrator's key acts for everyone: for this client where a
        /// request names none, and may be made without one.
        optional client_id: ClientIdText,
        /// How much it may do: a reader reads what is public, a trader has its own client's orders
        /// too, an admin everything.
        required role: Word<Role>,
        /// How many requests and orders a second; as many as the exchange lets everyone if left
        /// out.
        optional requests_per_second: RateInput,
    }
    example {"client_id": "client-A", "role": "trader", "requests_per_second": 100}
}

object! {
    /// A key, without its secret.
    pub struct KeyView {
        /// Its name, by which it is revoked.
        pub key_id: Words,
        /// Whom it acts for; null for an administrator's without one.
        pub client_id: Nullable<ClientIdText>,
        /// How much it may do.
        pub role: Word<Role>,
        /// How many requests and orders a second; null if it has no number of its own.
        pub requests_per_second: Nullable<Count>,
        /// When it was made.
        pub created_at: TimestampText,
    }
    example {
        "key_id": "8f14e45fceea167a", "client_id": "client-A", "role": "trader",
        "requests_per_second": 100, "created_at": "2026-01-31T12:00:00.000001Z"
    }
}

object! {
    /// A key that was just made.
    pub struct NewKeyView {
        /// Its name, by which it is revoked.
        pub key_id: Words,
        /// What its holder sends as `X-API-Key`. Shown this once: only its hash is kept.
        pub key: Words,
        /// Whom it acts for; null for an administrator's without one.
        pub client_id: Nullable<ClientIdText>,
        /// How much it may do.
        pub role: Word<Role>,
        /// How many requests and orders a second; null if it has no number of its own.
        pub requests_per_second: Nullable<Count>,
        /// When it was made.
        pub created_at: TimestampText,
    }
    example {
        "key_id": "8f14e45fceea167a", "key": "sbk_8f14e45fceea167a_…", "client_id": "client-A",
        "role": "trader", "requests_per_second": 100, "created_at": "2026-01-31T12:00:00.000001Z"
    }
}

object! {
    /// What a browser's EventSource shows instead of a key.
    pub struct TicketView {
        /// Goes into the address, as `/events?ticket=…`.
        pub ticket: Words,
        /// A minute from now. Until then it opens streams, again after a broken connection too; a
        /// stream that is open stays open.
        pub expires_at: TimestampText,
    }
    example {"ticket": "8f14e45fceea167a.…", "expires_at": "2026-01-31T12:01:00.000001Z"}
}

fn count(requests: Option<NonZeroU32>) -> Nullable<Count> {
    Nullable(requests.map(|requests| Count(requests.get().into())))
}

impl KeyView {
    /// The key as it is shown.
    #[must_use]
    pub fn new(key: &AccessKey) -> Self {
        Self {
            key_id: key.id.to_string().into(),
            client_id: Nullable(key.holder.client().cloned().map(ClientIdText)),
            role: Word(key.holder.role()),
            requests_per_second: count(key.requests_per_second),
            created_at: TimestampText(key.created_at),
        }
    }
}

impl NewKeyView {
    /// The key with its secret.
    #[must_use]
    pub fn new(key: &AccessKey, text: &KeyText) -> Self {
        let KeyView {
            key_id,
            client_id,
            role,
            requests_per_second,
            created_at,
        } = KeyView::new(key);
        Self {
            key_id,
            key: text.reveal().into(),
            client_id,
            role,
            requests_per_second,
            created_at,
        }
    }
}

impl TicketView {
    /// The ticket as it is shown.
    #[must_use]
    pub fn new(ticket: Ticket) -> Self {
        Self {
            ticket: ticket.text.into(),
            expires_at: TimestampText(ticket.expires_at),
        }
    }
}

//! Whoever made a request, and what that lets them do.

use std::sync::Arc;

use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use shardbook_engine::access::{Holder, Role};
use shardbook_engine::command::Requester;
use shardbook_engine::id::ClientId;

use crate::access::keys::HeldKey;
use crate::access::limits::Meter;
use crate::problem::{Code, Problem};
use crate::schema::word::Worded;

/// Whoever made a request. Made by [`Access`](crate::access::Access) alone; clones are the same
/// caller, and are charged together.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    standing: Standing,
    meter: Meter,
}

#[derive(Debug)]
enum Standing {
    /// Keys are off.
    Everyone,
    /// The holder of a key.
    Holder(Arc<HeldKey>),
}

/// Whom a caller acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActsFor {
    /// Any client; this one where none is named.
    Any(Option<ClientId>),
    /// This client alone.
    Only(ClientId),
}

/// A caller who may read what is public.
#[derive(Clone, Debug)]
pub struct Reader(Caller);

/// A caller who may place, read and change orders.
#[derive(Clone, Debug)]
pub struct Trader {
    caller: Caller,
    acts_for: ActsFor,
}

/// A caller who may do everything.
#[derive(Clone, Debug)]
pub struct Admin(Caller);

impl Caller {
    pub(super) fn everyone(meter: Meter) -> Self {
        let standing = Standing::Everyone;
        Self(Arc::new(Inner { standing, meter }))
    }

    pub(super) fn with_key(key: Arc<HeldKey>, meter: Meter) -> Self {
        let standing = Standing::Holder(key);
        Self(Arc::new(Inner { standing, meter }))
    }

    /// Whoever calls while keys are off.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        use crate::access::limits::{Account, Limits};
        use crate::metrics::Metrics;

        let metrics = Metrics::new(0).expect("metrics can be made");
        let limits = Arc::new(Limits::new(None, &metrics));
        Self::everyone(Meter::new(limits, Account::Nobody))
    }

    /// The caller's key; `None` while keys are off.
    #[must_use]
    pub fn key(&self) -> Option<&Arc<HeldKey>> {
        match &self.0.standing {
            Standing::Everyone => None,
            Standing::Holder(key) => Some(key),
        }
    }

    /// What counts how much the caller does.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Whoever may call at all may read.
    #[must_use]
    pub const fn reader(self) -> Reader {
        Reader(self)
    }

    /// The caller as one who trades.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for a reader.
    pub fn trader(self) -> Result<Trader, Problem> {
        let acts_for = match &self.0.standing {
            Standing::Everyone => ActsFor::Any(None),
            Standing::Holder(key) => match key.holder() {
                Holder::Reader(_) => return Err(self.too_little(Role::Trader)),
                Holder::Trader(client) => ActsFor::Only(client.clone()),
                Holder::Admin(client) => ActsFor::Any(client.clone()),
            },
        };
        Ok(Trader {
            caller: self,
            acts_for,
        })
    }

    /// The caller as an administrator.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for everyone else.
    pub fn admin(self) -> Result<Admin, Problem> {
        match &self.0.standing {
            Standing::Everyone => Ok(Admin(self)),
            Standing::Holder(key) => match key.holder() {
                Holder::Reader(_) | Holder::Trader(_) => Err(self.too_little(Role::Admin)),
                Holder::Admin(_) => Ok(Admin(self)),
            },
        }
    }

    fn too_little(&self, needed: Role) -> Problem {
        let role = self.key().map_or(Role::Admin, |key| key.holder().role());
        let detail = format!(
            "a key with the role {} can't do this, which needs the role {}",
            role.word(),
            needed.word()
        );
        Problem::new(Code::Forbidden, detail)
    }

    /// Waits until the caller's key is revoked; with keys off, for ever.
    pub async fn revoked(&self) {
        match &self.0.standing {
            Standing::Everyone => std::future::pending().await,
            Standing::Holder(key) => key.revoked().await,
        }
    }
}

impl Reader {
    /// Who it is.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.0
    }
}

impl Trader {
    /// Who it is.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What counts how much it does.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        self.caller.meter()
    }

    /// Whom it acts for.
    #[must_use]
    pub const fn acts_for(&self) -> &ActsFor {
        &self.acts_for
    }

    /// The same for the shards, which know others' orders from its own.
    #[must_use]
    pub fn requester(&self) -> Requester {
        match &self.acts_for {
            ActsFor::Any(_) => Requester::Anyone,
            ActsFor::Only(client) => Requester::Client(client.clone()),
        }
    }

    /// Whether what is this client's exists for it.
    #[must_use]
    pub fn sees(&self, client: &ClientId) -> bool {
        match &self.acts_for {
            ActsFor::Any(_) => true,
            ActsFor::Only(own) => own == client,
        }
    }

    /// The client that a path or query names, if it may see it; what it is to see where none is
    /// named: its own client's, or `None` for everyone's.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for another's.
    pub fn client_or_own(&self, named: Option<ClientId>) -> Result<Option<ClientId>, Problem> {
        match (&self.acts_for, named) {
            (ActsFor::Any(_), named) => Ok(named),
            (ActsFor::Only(own), None) => Ok(Some(own.clone())),
            (ActsFor::Only(own), Some(named)) => {
                not_anothers(own, &named)?;
                Ok(Some(named))
            }
        }
    }
}

impl Admin {
    /// Who it is.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.0
    }
}

impl ActsFor {
    /// Checks that a request may be made for the client it names.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for another's.
    pub fn check(&self, named: &ClientId) -> Result<(), Problem> {
        match self {
            Self::Any(_) => Ok(()),
            Self::Only(own) => not_anothers(own, named),
        }
    }

    /// Who is meant where no client is named.
    #[must_use]
    pub const fn unnamed(&self) -> Option<&ClientId> {
        match self {
            Self::Any(client) => client.as_ref(),
            Self::Only(client) => Some(client),
        }
    }
}

fn not_anothers(own: &ClientId, named: &ClientId) -> Result<(), Problem> {
    if own == named {
        return Ok(());
    }
    let detail = format!("the key is {own}'s, and acts for no other client");
    Err(Problem::new(Code::Forbidden, detail))
}

/// The names of the ways to show a key, as the document has them.
const SCHEMES: [&str; 2] = ["ApiKey", "Bearer"];

fn register_schemes(registry: &mut Registry) {
    let scheme = |description| MetaSecurityScheme {
        ty: "apiKey",
        description: Some(description),
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    registry.create_security_scheme(
        "ApiKey",
        MetaSecurityScheme {
            name: Some("X-API-Key"),
            key_in: Some("header"),
            ..scheme("A key of the exchange. Needed where the exchange asks for keys.")
        },
    );
    registry.create_security_scheme(
        "Bearer",
        MetaSecurityScheme {
            ty: "http",
            scheme: Some("bearer"),
            ..scheme("The same key, as Authorization: Bearer.")
        },
    );
}

/// Lets calls take the type as an argument, and shows in their document that they need a key. A
/// key is optional there, for it is where keys are off.
macro_rules! extractor {
    ($type:ty, $of:expr) => {
        impl<'a> ApiExtractor<'a> for $type {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                register_schemes(registry);
            }

            fn security_schemes() -> Vec<&'static str> {
                SCHEMES.to_vec()
            }

            fn has_security_fallback() -> bool {
                true
            }

            async fn from_request(
                request: &'a Request,
                _body: &mut RequestBody,
                _options: ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                let of: fn(Caller) -> Result<Self, Problem> = $of;
                Ok(of(caller_of(request)?)?)
            }
        }
    };
}

extractor!(Reader, |caller| Ok(caller.reader()));
extractor!(Trader, Caller::trader);
extractor!(Admin, Caller::admin);

fn caller_of(request: &Request) -> Result<Caller, Problem> {
    // The edge puts it there, for whatever asks for a key.
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| {
            tracing::error!(
                path = request.uri().path(),
                "a call that takes a key was not guarded"
            );
            Problem::new(Code::Internal, "nobody knows who asks")
        })
}

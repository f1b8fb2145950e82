//! Who may do what, and how much of it.
//!
//! Every request passes [`Access`] on its way in, once, at the edge: it finds out who asks and
//! makes a [`Caller`], which nothing else can make. With keys off the caller may do everything;
//! with keys on, what the key's role allows, for the key's own client.
//!
//! **How a call says who may make it.** It takes one of the three as its first argument:
//!
//! - a [`Reader`] is anyone with a key; for what is public, and the metrics;
//! - a [`Trader`] is a trader or an administrator; for everything about a client's orders. What the
//!   call does for a client goes through [`Trader::acts_for`], [`Trader::requester`],
//!   [`Trader::sees`] and [`Trader::client_or_own`], so that it is the right client's;
//! - an [`Admin`] is an administrator.
//!
//! The call's document then shows that it takes a key. A call that takes none of them is open to
//! administrators alone: the edge sees in the call's document that nothing was declared, and
//! checks. What trades takes a [`Trader`] as an argument, so that forgetting it does not compile.
//! The few paths that are open to everyone stand in [`OPEN_PATHS`].
//!
//! **How much.** The edge charges every request one unit, and an order more for each order of a
//! batch after the first; see [`limits`].

mod caller;
mod credentials;
pub mod keys;
pub mod limits;
mod secret;
mod ticket;

use std::sync::Arc;

use poem::http::{HeaderMap, Uri};
use poem::web::RemoteAddr;
use shardbook_engine::time::Clock;

pub use caller::{ActsFor, Admin, Caller, Reader, Trader};
pub use secret::KeyText;
pub use ticket::Ticket;

use crate::access::keys::KeyRing;
use crate::access::limits::{Account, Limits, Meter};
use crate::access::ticket::Tickets;
use crate::problem::{Code, Problem};

/// Documented calls that need no key.
pub const OPEN_PATHS: &[&str] = &["/healthz"];

/// The one call that takes a ticket: a browser's EventSource can't send headers.
const TICKET_PATH: &str = "/events";

/// What a path and a method ask of who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A key; the call itself says which.
    Key,
    /// An administrator's key: the call says nothing.
    Admin,
    /// A key, now or over the connection that begins here.
    KeyNowOrLater,
}

/// Whether keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// They are not: everyone may do everything.
    Off,
    /// They are.
    On,
}

/// Finds out who asks, and counts how much.
pub struct Access {
    auth: Auth,
    keys: Arc<KeyRing>,
    limits: Arc<Limits>,
    tickets: Tickets,
}

/// Who came, as far as it is known.
#[derive(Clone, Debug)]
pub enum Visit {
    /// Someone who may go on.
    Caller(Caller),
    /// Someone who asks for nothing that needs a key, or who has yet to show one.
    Stranger,
}

impl Access {
    /// Asks for keys or does not, and lets no one do more than `limits` says.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub fn new(
        auth: Auth,
        keys: Arc<KeyRing>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            auth,
            keys,
            limits: Arc::new(limits),
            tickets: Tickets::new(clock)?,
        })
    }

    /// Lets a request in, or not, by its head, and charges it one unit.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] without the key that `needs` asks for, [`Code::Forbidden`] with
    /// another role's, [`Code::RateLimited`] beyond the limit.
    pub fn admit(
        &self,
        needs: Needs,
        uri: &Uri,
        headers: &HeaderMap,
        from: &RemoteAddr,
    ) -> Result<Visit, Problem> {
        let from = Account::of_address(from);
        if self.auth == Auth::Off {
            return self.let_in(Caller::everyone(self.meter(from)));
        }
        if needs == Needs::Nothing {
            return self.let_pass(from);
        }
        let found = match credentials::key(headers) {
            Ok(Some(secret)) => self.keys.find(secret),
            Ok(None) => match credentials::ticket(uri).filter(|_| uri.path() == TICKET_PATH) {
                Some(ticket) => self.tickets.open(ticket, &self.keys),
                None if needs == Needs::KeyNowOrLater => return self.let_pass(from),
                None => Err(no_key()),
            },
            Err(problem) => Err(problem),
        };
        match found {
            Ok(key) => {
                let meter = self.meter(Account::Key(Arc::clone(&key)));
                let visit = self.let_in(Caller::with_key(key, meter))?;
                if needs == Needs::Admin
                    && let Visit::Caller(caller) = &visit
                {
                    caller.clone().admin()?;
                }
                Ok(visit)
            }
            // Who guesses is counted by address, and slowed down like everyone.
            Err(problem) => self.let_pass(from).and(Err(problem)),
        }
    }

    /// Knows a key that came over a connection. The connection's own operations are charged.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for what is no key.
    pub fn authenticate(&self, secret: &str) -> Result<Caller, Problem> {
        match self.auth {
            Auth::Off => Ok(Caller::everyone(self.meter(Account::Nobody))),
            Auth::On => {
                let key = self.keys.find(secret)?;
                let meter = self.meter(Account::Key(Arc::clone(&key)));
                Ok(Caller::with_key(key, meter))
            }
        }
    }

    /// The keys there are.
    #[must_use]
    pub const fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// A ticket with which the caller may open streams for a minute.
    #[must_use]
    pub fn ticket(&self, caller: &Caller) -> Ticket {
        self.tickets.issue(caller.key().map(|key| key.id()))
    }

    fn meter(&self, account: Account) -> Meter {
        Meter::new(Arc::clone(&self.limits), account)
    }

    fn let_in(&self, caller: Caller) -> Result<Visit, Problem> {
        caller.meter().charge_call()?;
        Ok(Visit::Caller(caller))
    }

    fn let_pass(&self, from: Account) -> Result<Visit, Problem> {
        self.meter(from).charge_call()?;
        Ok(Visit::Stranger)
    }
}

/// No key was given where one is needed.
pub(crate) fn no_key() -> Problem {
    let detail = "this needs a key: send it as X-API-Key, or as Authorization: Bearer";
    Problem::new(Code::Unauthenticated, detail)
}

#[cfg(test)]
pub(crate) mod tests;

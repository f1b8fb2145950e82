//! How much anyone may do.
//!
//! What is limited are units: each order of a batch and each operation on a WebSocket is one, any
//! other call one. They run out in buckets, which fill up again all the time (GCRA), and hold two
//! seconds' worth: each key has its own; without keys each client has one, and each address one of
//! ten times the size, because many clients may come from there. The machine itself is not limited
//! by address. Whoever comes over IPv6 has a whole network (/64), which counts as one address.
//!
//! A call is charged when it comes in, and its first order has been paid for by that. Without keys
//! an order is charged to its client too, once it is known to be an order.
//!
//! Nothing grows with the number of clients that ever came: a bucket that is full again is like
//! one that never was, and is let go of. What is held are the clients of the last two seconds and
//! those since the last sweep.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};
use opentelemetry::metrics::Counter;
use parking_lot::Mutex;
use poem::Addr;
use poem::http::{HeaderMap, HeaderName, HeaderValue};
use poem::web::RemoteAddr;

use shardbook_engine::id::ClientId;

use crate::access::keys::HeldKey;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// How many times a client's units an address has that several clients share.
const UNITS_PER_ADDRESS: u32 = 10;

/// How many seconds' worth of units a bucket holds.
const BURST_SECONDS: u32 = 2;

/// Most units a second: beyond it, one comes back faster than a clock can tell.
pub const RATE_MAX: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

/// Buckets are swept out each time so many units were charged. A sweep looks at what is held,
/// which is not much more than this; so it costs each unit about as much as looking at one bucket.
const UNITS_PER_SWEEP: u32 = 16_384;

/// The two header fields of the IETF's draft (httpapi-ratelimit-headers-10).
const POLICY_FIELD: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEVEL_FIELD: HeaderName = HeaderName::from_static("ratelimit");

/// One bucket of units.
#[derive(Debug)]
pub struct Bucket<C: Clock = DefaultClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>,
    clock: C,
    rate: NonZeroU32,
}

/// A bucket for each of those who came lately.
struct Buckets<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    limiter: RateLimiter<K, DashMapStateStore<K>, C, StateInformationMiddleware>,
    clock: C,
    rate: NonZeroU32,
    charged: AtomicU32,
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Units a second.
    pub(crate) rate: NonZeroU32,
    /// How many are left.
    left: u32,
    /// How long until there is one again, where there is none.
    pub(crate) wait: Option<Duration>,
}

/// The limits for everyone.
pub struct Limits {
    /// None if nothing is limited.
    buckets: Option<SharedBuckets>,
    refused: Counter<u64>,
}

struct SharedBuckets {
    clients: Buckets<ClientId>,
    addresses: Buckets<IpAddr>,
}

/// Who pays for a request.
#[derive(Clone, Debug)]
pub enum Account {
    /// The holder of a key.
    Key(Arc<HeldKey>),
    /// Whoever comes from there.
    Address(IpAddr),
    /// Nobody: it comes from this machine.
    Nobody,
}

/// Charges what one request, or one connection, does.
pub struct Meter {
    limits: Arc<Limits>,
    account: Account,
    /// Whether the next order has been paid for with its call.
    is_prepaid: AtomicBool,
    /// The last bucket that was charged.
    last: Mutex<Option<Level>>,
}

impl Limits {
    /// So many units a second for each client, [`RATE_MAX`] at most; `None` for as many as they like.
    #[must_use]
    pub fn new(requests_per_second: Option<NonZeroU32>, metrics: &Metrics) -> Self {
        let buckets = requests_per_second.map(|rate| {
            let rate = rate.min(RATE_MAX);
            let units = NonZeroU32::new(UNITS_PER_ADDRESS).unwrap_or(NonZeroU32::MIN);
            let clock = DefaultClock::default();
            SharedBuckets {
                clients: Buckets::new(rate, clock.clone()),
                addresses: Buckets::new(rate.saturating_mul(units), clock),
            }
        });
        let refused = metrics
            .meter()
            .u64_counter("rate_limited_total")
            .with_description("Requests, orders and operations beyond someone's limit.")
            .build();
        refused.add(0, &[]);
        Self { buckets, refused }
    }
}

impl Account {
    /// Who pays for what comes from there.
    #[must_use]
    pub fn of_address(from: &RemoteAddr) -> Self {
        let Addr::SocketAddr(address) = &from.0 else {
            return Self::Nobody;
        };
        match address.ip().to_canonical() {
            address if address.is_loopback() => Self::Nobody,
            IpAddr::V4(address) => Self::Address(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                Self::Address(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }
}

impl Meter {
    /// Charges `account` by these limits.
    #[must_use]
    pub const fn new(limits: Arc<Limits>, account: Account) -> Self {
        Self {
            limits,
            account,
            is_prepaid: AtomicBool::new(false),
            last: Mutex::new(None),
        }
    }

    /// Charges a call or an operation, and with it its first order.
    ///
    /// # Errors
    /// [`RateLimited`](crate::problem::Code::RateLimited).
    pub fn charge_call(&self) -> Result<(), Problem> {
        self.charge_account()?;
        self.is_prepaid.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Charges an order, unless it is the first of its call.
    ///
    /// # Errors
    /// [`RateLimited`](crate::problem::Code::RateLimited).
    pub fn charge_order(&self) -> Result<(), Problem> {
        if self.is_prepaid.swap(false, Ordering::Relaxed) {
            Ok(())
        } else {
            self.charge_account()
        }
    }

    /// Charges the client that something is done for. With keys on it is the key that pays, and
    /// has paid.
    ///
    /// # Errors
    /// [`RateLimited`](crate::problem::Code::RateLimited).
    pub fn charge_client(&self, client: &ClientId) -> Result<(), Problem> {
        match (&self.account, &self.limits.buckets) {
            (Account::Key(_), _) | (_, None) => Ok(()),
            (Account::Address(_) | Account::Nobody, Some(buckets)) => {
                self.settle(buckets.clients.charge(client))
            }
        }
    }

    fn charge_account(&self) -> Result<(), Problem> {
        match (&self.account, &self.limits.buckets) {
            (Account::Key(key), _) => match key.bucket() {
                Some(bucket) => self.settle(bucket.charge()),
                None => Ok(()),
            },
            (Account::Address(address), Some(buckets)) => {
                self.settle(buckets.addresses.charge(address))
            }
            (Account::Address(_), None) | (Account::Nobody, _) => Ok(()),
        }
    }

    fn settle(&self, level: Level) -> Result<(), Problem> {
        *self.last.lock() = Some(level);
        match level.wait {
            None => Ok(()),
            Some(_) => {
                self.limits.refused.add(1, &[]);
                Err(Problem::rate_limited(level))
            }
        }
    }

    /// Tells in an answer's headers how the bucket stands that was charged last.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if let Some(level) = *self.last.lock() {
            level.tell(headers);
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Bucket {
    /// A bucket of so many units a second, [`RATE_MAX`] at most.
    #[must_use]
    pub fn new(rate: NonZeroU32) -> Self {
        Self::with_clock(rate.min(RATE_MAX), DefaultClock::default())
    }
}

impl<C: Clock + Clone> Bucket<C> {
    fn with_clock(rate: NonZeroU32, clock: C) -> Self {
        let state = InMemoryState::default();
        Self {
            limiter: RateLimiter::new(quota(rate), state, clock.clone()),
            clock,
            rate,
        }
    }

    fn charge(&self) -> Level {
        Level::of(self.limiter.check(), self.rate, &self.clock)
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Buckets<K, C> {
    fn new(rate: NonZeroU32, clock: C) -> Self {
        let state = DashMapStateStore::default();
        Self {
            limiter: RateLimiter::new(quota(rate), state, clock.clone()),
            clock,
            rate,
            charged: AtomicU32::new(0),
        }
    }

    fn charge(&self, key: &K) -> Level {
        let before = self.charged.fetch_add(1, Ordering::Relaxed);
        if before % UNITS_PER_SWEEP == UNITS_PER_SWEEP - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        Level::of(self.limiter.check_key(key), self.rate, &self.clock)
    }
}

fn quota(rate: NonZeroU32) -> Quota {
    let seconds = NonZeroU32::new(BURST_SECONDS).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(rate).allow_burst(rate.saturating_mul(seconds))
}

impl Level {
    fn of<C: Clock>(
        checked: Result<StateSnapshot, NotUntil<C::Instant>>,
        rate: NonZeroU32,
        clock: &C,
    ) -> Self {
        match checked {
            Ok(state) => Self {
                rate,
                left: state.remaining_burst_capacity(),
                wait: None,
            },
            Err(until) => Self {
                rate,
                left: 0,
                wait: Some(until.wait_time_from(clock.now())),
            },
        }
    }

    /// Puts it into an answer's headers.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let fields = [(POLICY_FIELD, self.policy()), (LEVEL_FIELD, self.text())];
        for (name, text) in fields {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }

    /// As `"orders";q=5000;w=1`: 5,000 units in a window of a second.
    fn policy(self) -> String {
        format!("\"orders\";q={};w=1", self.rate)
    }

    /// As `"orders";r=4999;t=1`: what is left of a second's units, or of those that are left
    /// longer than that; and in how many seconds there will be more.
    fn text(self) -> String {
        let left = self.left.min(self.rate.get());
        format!(
            "\"orders\";r={left};t={}",
            whole_seconds(self.wait.unwrap_or_default())
        )
    }
}

/// Seconds as headers tell them: whole ones, and one at least.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

#[cfg(test)]
mod tests;

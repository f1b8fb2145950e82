//! The keys there are.
//!
//! A key is made durable in the control log before anyone is told of it, and is gone from there
//! before its holder is turned away; both are carried out to the end even when whoever asked does
//! not wait for it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use shardbook_engine::access::{AccessKey, Holder, KeyId, Role};
use shardbook_engine::time::Clock;
use shardbook_storage::control_log::ControlLogError;

use crate::access::limits::Bucket;
use crate::access::secret::KeyText;
use crate::control::Control;
use crate::problem::{Code, Problem};

/// Most keys at once: some hundred bytes each, and a start reads all that there ever were.
const KEYS_MAX: usize = 100_000;

/// A key that someone holds.
#[derive(Debug)]
pub struct HeldKey {
    key: AccessKey,
    /// How much it may do; `None` for as much as it likes.
    bucket: Option<Bucket>,
    revoked: watch::Sender<bool>,
}

/// All keys that are not revoked.
pub struct KeyRing {
    held: RwLock<HashMap<KeyId, Arc<HeldKey>>>,
    control: Control,
    clock: Arc<dyn Clock>,
    /// Units a second for keys that have no number of their own.
    requests_per_second: Option<NonZeroU32>,
}

impl HeldKey {
    fn new(key: AccessKey, requests_per_second: Option<NonZeroU32>) -> Arc<Self> {
        let bucket = key.requests_per_second.or(requests_per_second);
        Arc::new(Self {
            bucket: bucket.map(Bucket::new),
            key,
            revoked: watch::Sender::new(false),
        })
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.key.id
    }

    /// Who holds it.
    #[must_use]
    pub const fn holder(&self) -> &Holder {
        &self.key.holder
    }

    /// The key itself, without its secret.
    #[must_use]
    pub const fn key(&self) -> &AccessKey {
        &self.key
    }

    pub(super) const fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    /// Waits until it is revoked.
    pub async fn revoked(&self) {
        // Who holds the key holds the sender.
        let _ = self.revoked.subscribe().wait_for(|revoked| *revoked).await;
    }
}

impl KeyRing {
    /// The keys that the control log has.
    #[must_use]
    pub fn new(
        keys: &[AccessKey],
        control: Control,
        clock: Arc<dyn Clock>,
        requests_per_second: Option<NonZeroU32>,
    ) -> Arc<Self> {
        let held = keys
            .iter()
            .map(|key| (key.id, HeldKey::new(key.clone(), requests_per_second)));
        Arc::new(Self {
            held: RwLock::new(held.collect()),
            control,
            clock,
            requests_per_second,
        })
    }

    /// The key that this is the text of.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for what is no key or no longer one; which of these is not told.
    pub fn find(&self, text: &str) -> Result<Arc<HeldKey>, Problem> {
        let found = KeyText::parse(text).and_then(|text| {
            let key = self.get(text.id())?;
            text.fits(&key.key.secret_hash).then_some(key)
        });
        found.ok_or_else(|| Problem::new(Code::Unauthenticated, "this is no key of the exchange"))
    }

    /// The key of this name.
    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<Arc<HeldKey>> {
        self.held.read().get(&id).cloned()
    }

    /// All keys, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<HeldKey>> {
        let mut all: Vec<_> = self.held.read().values().cloned().collect();
        all.sort_unstable_by_key(|held| (held.key.created_at, held.key.id));
        all
    }

    /// Whether anyone holds an administrator's key.
    #[must_use]
    pub fn has_admin(&self) -> bool {
        let held = self.held.read();
        held.values()
            .any(|held| held.holder().role() == Role::Admin)
    }

    /// Makes a key; its text is known to whoever asked alone.
    ///
    /// # Errors
    /// [`Code::JournalUnavailable`] when it can't be made durable, [`Code::Overloaded`] where
    /// there are too many.
    pub async fn create(
        self: &Arc<Self>,
        holder: Holder,
        requests_per_second: Option<NonZeroU32>,
    ) -> Result<(KeyText, Arc<HeldKey>), Problem> {
        if self.held.read().len() >= KEYS_MAX {
            let detail = format!("there are {KEYS_MAX} keys; revoke some");
            return Err(Problem::new(Code::Overloaded, detail));
        }
        let text = KeyText::random().map_err(|error| {
            tracing::error!(%error, "there are no random numbers");
            Problem::new(Code::Internal, "there are no random numbers")
        })?;
        let key = AccessKey {
            id: text.id(),
            secret_hash: text.hash(),
            holder,
            requests_per_second,
            created_at: self.clock.now(),
        };
        let this = Arc::clone(self);
        let created = self.control.write(move |log| {
            log.create_key(key.clone())?;
            let held = HeldKey::new(key, this.requests_per_second);
            this.held.write().insert(held.id(), Arc::clone(&held));
            Ok(held)
        });
        let held = created.await.map_err(|error| not_written(&error))?;
        tracing::info!(key_id = %held.id(), role = ?held.holder().role(), "a key was made");
        Ok((text, held))
    }

    /// Revokes a key, and ends whatever its holder has open.
    ///
    /// # Errors
    /// [`Code::NotFound`] if there is none, [`Code::JournalUnavailable`] when it can't be made
    /// durable.
    pub async fn revoke(self: &Arc<Self>, id: KeyId) -> Result<(), Problem> {
        let this = Arc::clone(self);
        let now = self.clock.now();
        let revoked = self.control.write(move |log| {
            let revoked = log.revoke_key(id, now)?;
            if let Some(held) = this.held.write().remove(&id) {
                held.revoked.send_replace(true);
            }
            Ok(revoked)
        });
        match revoked.await.map_err(|error| not_written(&error))? {
            Some(_) => {
                tracing::info!(key_id = %id, "a key was revoked");
                Ok(())
            }
            None => Err(Problem::new(
                Code::NotFound,
                format!("there is no key {id}"),
            )),
        }
    }
}

fn not_written(error: &ControlLogError) -> Problem {
    tracing::error!(%error, "the control log could not be written");
    Problem::new(Code::JournalUnavailable, "the control log can't be written")
}

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use poem::Addr;
use poem::http::HeaderValue;
use shardbook_engine::access::Holder;
use shardbook_engine::id::ClientId;
use shardbook_engine::time::Timestamp;
use shardbook_storage::control_log::ControlLog;
use shardbook_storage::journal::{FileJournal, JournalOptions};
use tempfile::TempDir;

use super::*;
use crate::control::Control;
use crate::metrics::Metrics;

/// A clock that a test turns.
#[derive(Clone, Default)]
struct TestClock(Arc<AtomicU64>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microseconds(self.0.load(Ordering::Relaxed))
    }
}

/// An access without limits, and the directory that its keys are kept in.
pub(crate) fn access(auth: Auth, clock: impl Clock + 'static) -> (Arc<Access>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let options = JournalOptions {
        segment_bytes: JournalOptions::SEGMENT_BYTES_MIN,
    };
    let (journal, _) = FileJournal::open(directory.path(), options).unwrap();
    let log = ControlLog::open(Box::new(journal), Timestamp::from_microseconds(1)).unwrap();
    let control = Control::new(log, Arc::new(|error| panic!("{error}")));
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let keys = KeyRing::new(&[], control, Arc::clone(&clock), None);
    let limits = Limits::new(None, &Metrics::new(0).unwrap());
    let access = Access::new(auth, keys, limits, clock).unwrap();
    (Arc::new(access), directory)
}

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

fn admit(access: &Access, needs: Needs, uri: &str, key: Option<&str>) -> Result<Visit, Code> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        headers.insert("x-api-key", HeaderValue::from_str(key).unwrap());
    }
    let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    let from = RemoteAddr(Addr::SocketAddr(from));
    let uri: Uri = uri.parse().unwrap();
    let visit = access.admit(needs, &uri, &headers, &from);
    visit.map_err(|problem| problem.code())
}

/// Whom a visit lets in, as what.
fn let_in(visit: Result<Visit, Code>) -> Result<String, Code> {
    visit.map(|visit| match visit {
        Visit::Stranger => "stranger".to_owned(),
        Visit::Caller(caller) => {
            let holder = caller.key().map(|key| key.holder().clone());
            holder.map_or("everyone".to_owned(), |holder| format!("{holder:?}"))
        }
    })
}

#[tokio::test]
async fn what_is_asked_for_decides_who_is_let_in() {
    let (access, _directory) = access(Auth::On, TestClock::default());
    let keys = access.keys();
    let holders = [
        Holder::Reader(client("eve")),
        Holder::Trader(client("alice")),
        Holder::Admin(None),
    ];
    let mut texts = Vec::new();
    for holder in &holders {
        let (text, _) = keys.create(holder.clone(), None).await.unwrap();
        texts.push(text.reveal());
    }
    let names = holders.map(|holder| format!("{holder:?}"));
    let stranger = || Ok("stranger".to_owned());
    for (needs, without, allowed) in [
        (Needs::Nothing, stranger(), None),
        (
            Needs::Key,
            Err(Code::Unauthenticated),
            Some([true, true, true]),
        ),
        (
            Needs::Admin,
            Err(Code::Unauthenticated),
            Some([false, false, true]),
        ),
        (Needs::KeyNowOrLater, stranger(), Some([true, true, true])),
    ] {
        assert_eq!(
            let_in(admit(&access, needs, "/x", None)),
            without,
            "{needs:?}"
        );
        for (at, text) in texts.iter().enumerate() {
            let expected = match allowed.map(|allowed| allowed[at]) {
                None => stranger(),
                Some(true) => Ok(names[at].clone()),
                Some(false) => Err(Code::Forbidden),
            };
            let visit = let_in(admit(&access, needs, "/x", Some(text)));
            assert_eq!(visit, expected, "{needs:?} {}", names[at]);
        }
        if needs != Needs::Nothing {
            let visit = let_in(admit(&access, needs, "/x", Some("sbk_1_2")));
            assert_eq!(visit, Err(Code::Unauthenticated), "{needs:?}");
        }
    }
}

#[tokio::test]
async fn with_keys_off_everyone_is_let_in_whatever_they_show() {
    let (access, _directory) = access(Auth::Off, TestClock::default());
    for needs in [
        Needs::Nothing,
        Needs::Key,
        Needs::Admin,
        Needs::KeyNowOrLater,
    ] {
        for key in [None, Some("nonsense")] {
            let visit = admit(&access, needs, "/x", key);
            assert_eq!(let_in(visit), Ok("everyone".to_owned()), "{needs:?}");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_is_none() {
    let (access, _directory) = access(Auth::On, TestClock::default());
    let holder = Holder::Trader(client("alice"));
    let (text, held) = access.keys().create(holder, None).await.unwrap();
    let key = text.reveal();
    admit(&access, Needs::Key, "/x", Some(&key)).unwrap();
    access.keys().revoke(held.id()).await.unwrap();
    held.revoked().await;
    let refused = admit(&access, Needs::Key, "/x", Some(&key)).unwrap_err();
    assert_eq!(refused, Code::Unauthenticated);
    let again = access.keys().revoke(held.id()).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
}

#[tokio::test]
async fn a_ticket_opens_streams_for_a_minute_as_often_as_needed() {
    let clock = TestClock::default();
    let (access, _directory) = access(Auth::On, clock.clone());
    let holder = Holder::Trader(client("alice"));
    let (text, held) = access.keys().create(holder, None).await.unwrap();
    let caller = access.authenticate(&text.reveal()).unwrap();
    let ticket = access.ticket(&caller);
    let events = format!("/events?instrument=BTC-USD&ticket={}", ticket.text);
    for microseconds in [0, 1, 59_999_999] {
        clock.0.store(microseconds, Ordering::Relaxed);
        let visit = let_in(admit(&access, Needs::Key, &events, None)).unwrap();
        assert_eq!(visit, format!("{:?}", held.holder()));
    }
    assert_eq!(ticket.expires_at.microseconds(), 60_000_000);
    let other = format!("/orders?ticket={}", ticket.text);
    let refused = [
        admit(&access, Needs::Key, &other, None),
        admit(&access, Needs::Key, "/events?ticket=", None),
        admit(&access, Needs::Key, &events.replace(".0", ".1"), None),
        admit(&access, Needs::Key, &format!("{events}0"), None),
    ];
    for visit in refused {
        assert_eq!(visit.unwrap_err(), Code::Unauthenticated);
    }
    clock.0.store(60_000_000, Ordering::Relaxed);
    assert!(admit(&access, Needs::Key, &events, None).is_err());
    clock.0.store(1, Ordering::Relaxed);
    access.keys().revoke(held.id()).await.unwrap();
    assert!(admit(&access, Needs::Key, &events, None).is_err());
}

#[tokio::test]
async fn a_trader_acts_for_its_own_client_alone() {
    let (access, _directory) = access(Auth::On, TestClock::default());
    let [alice, bob] = ["alice", "bob"].map(client);
    let rows = [
        (Holder::Trader(alice.clone()), Some(&alice), false),
        (Holder::Admin(Some(alice.clone())), None, true),
        (Holder::Admin(None), None, true),
    ];
    for (holder, shown, acts_for_bob) in rows {
        let (text, _) = access.keys().create(holder.clone(), None).await.unwrap();
        let caller = access.authenticate(&text.reveal()).unwrap();
        let trader = caller.trader().unwrap();
        assert_eq!(trader.acts_for().unnamed(), holder.client());
        assert!(trader.sees(&alice) && trader.sees(&bob) == acts_for_bob);
        assert_eq!(trader.acts_for().check(&bob).is_ok(), acts_for_bob);
        assert_eq!(trader.client_or_own(None).unwrap().as_ref(), shown);
        let named = trader.client_or_own(Some(bob.clone()));
        assert_eq!(named.is_ok(), acts_for_bob);
    }
    let holder = Holder::Reader(alice);
    let (text, _) = access.keys().create(holder, None).await.unwrap();
    let reader = access.authenticate(&text.reveal()).unwrap();
    assert_eq!(reader.clone().trader().unwrap_err().code(), Code::Forbidden);
    assert_eq!(reader.admin().unwrap_err().code(), Code::Forbidden);
}

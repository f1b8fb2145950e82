use std::net::{Ipv4Addr, SocketAddr};

use governor::clock::FakeRelativeClock;
use poem::web::RemoteAddr;

use super::*;
use crate::problem::Code;

const RATE: NonZeroU32 = NonZeroU32::new(5).unwrap();

fn meter(account: Account, rate: Option<NonZeroU32>) -> Meter {
    let metrics = Metrics::new(0).unwrap();
    Meter::new(Arc::new(Limits::new(rate, &metrics)), account)
}

fn address(text: &str) -> Account {
    let ip: IpAddr = text.parse().unwrap();
    Account::of_address(&RemoteAddr(Addr::SocketAddr(SocketAddr::new(ip, 1))))
}

fn ip_of(account: &Account) -> Option<IpAddr> {
    match account {
        Account::Address(ip) => Some(*ip),
        Account::Key(_) | Account::Nobody => None,
    }
}

#[test]
fn a_bucket_holds_two_seconds_and_fills_up_again() {
    let clock = FakeRelativeClock::default();
    let bucket = Bucket::with_clock(RATE, clock.clone());
    for left in (0..10).rev() {
        let level = bucket.charge();
        assert_eq!((level.left, level.wait), (left, None));
    }
    let level = bucket.charge();
    assert_eq!(level.wait, Some(Duration::from_millis(200)));
    clock.advance(Duration::from_millis(200));
    assert_eq!(bucket.charge().wait, None);
    assert!(bucket.charge().wait.is_some());
    clock.advance(Duration::from_secs(2));
    assert_eq!(bucket.charge().left, 9);
}

#[test]
fn everyone_has_a_bucket_of_their_own() {
    let buckets = Buckets::new(RATE, FakeRelativeClock::default());
    for _ in 0..10 {
        assert_eq!(buckets.charge(&"alice").wait, None);
    }
    assert!(buckets.charge(&"alice").wait.is_some());
    assert_eq!(buckets.charge(&"bob").left, 9);
}

/// A million clients, each coming once, a few at a time.
#[test]
fn nothing_grows_with_the_number_of_clients_that_ever_came() {
    let clock = FakeRelativeClock::default();
    let buckets = Buckets::new(RATE, clock.clone());
    let mut most = 0;
    for client in 0..1_000_000_u32 {
        buckets.charge(&client);
        if client % 1_000 == 0 {
            clock.advance(Duration::from_millis(100));
            most = most.max(buckets.limiter.len());
        }
    }
    // One unit is back after 200 ms, in which 2,000 came.
    let bound = usize::try_from(UNITS_PER_SWEEP).unwrap() + 4_000;
    assert!(most <= bound, "{most} clients were held at once");
    assert!(
        most > 10_000,
        "{most}: they were not even held while it mattered"
    );
}

#[test]
fn a_client_that_has_used_its_units_up_is_not_forgotten() {
    let clock = FakeRelativeClock::default();
    let buckets = Buckets::new(RATE, clock.clone());
    for _ in 0..11 {
        buckets.charge(&0);
    }
    for client in 1..=UNITS_PER_SWEEP {
        buckets.charge(&client);
    }
    assert!(buckets.charge(&0).wait.is_some());
}

#[test]
fn the_first_order_is_paid_for_with_its_call() {
    let from = Account::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let one = NonZeroU32::MIN;
    let meter = meter(from, Some(one));
    meter.charge_call().unwrap();
    // An address has twenty units, one of which is used.
    for _ in 0..20 {
        meter.charge_order().unwrap();
    }
    let problem = meter.charge_order().unwrap_err();
    assert_eq!(problem.code(), Code::RateLimited);
    assert!(meter.charge_call().is_err());
}

#[test]
fn this_machine_is_limited_by_client_alone() {
    let meter = meter(address("127.0.0.1"), Some(NonZeroU32::MIN));
    let [alice, bob] = ["alice", "bob"].map(|name| ClientId::new(name).unwrap());
    for _ in 0..100 {
        meter.charge_call().unwrap();
        meter.charge_order().unwrap();
    }
    meter.charge_client(&alice).unwrap();
    meter.charge_client(&alice).unwrap();
    assert!(meter.charge_client(&alice).is_err());
    meter.charge_client(&bob).unwrap();
}

#[test]
fn without_limits_nothing_is_refused_and_nothing_told() {
    let meter = meter(address("192.0.2.1"), None);
    for _ in 0..100 {
        meter.charge_call().unwrap();
        meter
            .charge_client(&ClientId::new("alice").unwrap())
            .unwrap();
    }
    let mut headers = HeaderMap::new();
    meter.tell(&mut headers);
    assert!(headers.is_empty());
}

#[test]
fn a_network_of_ipv6_counts_as_one_address() {
    for (one, other) in [
        ("2001:db8::1", "2001:db8::ffff:2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ] {
        let (one, other) = (address(one), address(other));
        assert!(ip_of(&one).is_some());
        assert_eq!(ip_of(&one), ip_of(&other));
    }
    assert_ne!(
        ip_of(&address("2001:db8::1")),
        ip_of(&address("2001:db8:0:1::1"))
    );
    for loopback in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert!(matches!(address(loopback), Account::Nobody), "{loopback}");
    }
}

#[test]
fn the_fields_tell_the_policy_and_what_is_left() {
    let level = |left, wait| Level {
        rate: NonZeroU32::new(5_000).unwrap(),
        left,
        wait,
    };
    assert_eq!(level(0, None).policy(), "\"orders\";q=5000;w=1");
    let rows = [
        (level(9_999, None), "\"orders\";r=5000;t=1"),
        (level(17, None), "\"orders\";r=17;t=1"),
        (
            level(0, Some(Duration::from_micros(200))),
            "\"orders\";r=0;t=1",
        ),
        (
            level(0, Some(Duration::from_millis(1_001))),
            "\"orders\";r=0;t=2",
        ),
    ];
    for (level, expected) in rows {
        assert_eq!(level.text(), expected);
    }
}

use rust_decimal::Decimal;
use shardbook_engine::access::{Holder, SecretHash};
use shardbook_engine::id::{ClientId, Symbol};
use shardbook_engine::instrument::{Increment, InstrumentSpecification};
use shardbook_engine::journal::{Journal, JournalSource};
use shardbook_engine::quantity::Quantity;
use shardbook_engine::time::Timestamp;
use shardbook_test_support::journal::MemoryJournal;

use super::*;

const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

fn open(journal: &MemoryJournal) -> ControlLog {
    ControlLog::open(Box::new(journal.clone()), NOW).unwrap()
}

/// A journal of the same frames but for one.
fn without(index: usize, journal: &MemoryJournal) -> MemoryJournal {
    let mut less = MemoryJournal::default();
    for (place, frame) in journal.frames().iter().enumerate() {
        if place != index {
            less.append(frame.part, &frame.payload).unwrap();
        }
    }
    less
}

fn specification(symbol: &str, tick: &str) -> InstrumentSpecification {
    InstrumentSpecification {
        symbol: Symbol::new(symbol).unwrap(),
        tick: Increment::new(tick.parse::<Decimal>().unwrap()).unwrap(),
        lot: Increment::new("0.001".parse::<Decimal>().unwrap()).unwrap(),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(1_000).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: None,
    }
}

#[test]
fn the_exchange_and_its_instruments_are_the_same_after_opening_again() {
    let journal = MemoryJournal::default();
    let mut log = open(&journal);
    let exchange = log.exchange();
    let listed = ["BTC-USD", "ETH-USD", "SOL-USD"]
        .map(|symbol| log.list(specification(symbol, "0.01"), 2, NOW).unwrap());
    let numbers = listed.each_ref().map(|listing| listing.instrument.id.get());
    assert_eq!(numbers, [0, 1, 2]);
    let partitions = listed.each_ref().map(|listing| listing.partition.get());
    assert_eq!(partitions, [0, 1, 0], "in turn");

    let again = open(&journal);
    assert_eq!(again.exchange(), exchange);
    assert_eq!(again.listings(), listed);
}

#[test]
fn listing_again_writes_nothing_and_takes_on_the_rules_that_may_change() {
    let journal = MemoryJournal::default();
    let mut log = open(&journal);
    log.list(specification("BTC-USD", "0.01"), 2, NOW).unwrap();
    let first = log.list(specification("ETH-USD", "0.01"), 2, NOW).unwrap();
    let written = journal.range();
    let mut changed = specification("ETH-USD", "0.01");
    changed.binance_symbol = Some("ETHUSDT".to_owned());
    let second = log.list(changed, 1, NOW).unwrap();
    assert_eq!(journal.range(), written);
    assert_eq!(second.instrument.binance_symbol.as_deref(), Some("ETHUSDT"));
    assert_eq!(second.instrument.id, first.instrument.id);
    assert_eq!(second.partition.get(), 1, "it stays where its records are");
}

#[test]
fn a_tick_or_a_lot_never_changes() {
    let mut log = open(&MemoryJournal::default());
    log.list(specification("BTC-USD", "0.01"), 1, NOW).unwrap();
    let tick = specification("BTC-USD", "0.10");
    let mut lot = specification("BTC-USD", "0.01");
    lot.lot = Increment::new("0.01".parse().unwrap()).unwrap();
    for (field, specification) in [("tick_size", tick), ("lot_size", lot)] {
        let error = log.list(specification, 1, NOW).unwrap_err().to_string();
        assert!(
            error.contains("BTC-USD") && error.contains(field),
            "{error}"
        );
    }
}

#[test]
fn a_log_that_does_not_begin_with_its_exchange_is_refused() {
    let journal = MemoryJournal::default();
    open(&journal)
        .list(specification("BTC-USD", "0.01"), 1, NOW)
        .unwrap();
    let journal = without(0, &journal);
    let error = ControlLog::open(Box::new(journal), NOW)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("before there is an exchange"), "{error}");
}

fn key(id: u64, client: &str) -> AccessKey {
    AccessKey {
        id: KeyId::new(id),
        secret_hash: SecretHash::new([7; 32]),
        holder: Holder::Trader(ClientId::new(client).unwrap()),
        requests_per_second: None,
        created_at: NOW,
    }
}

#[test]
fn keys_last_until_they_are_revoked() {
    let journal = MemoryJournal::default();
    let mut log = open(&journal);
    for (id, client) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        log.create_key(key(id, client)).unwrap();
    }
    let error = log.create_key(key(2, "dave")).unwrap_err();
    assert!(matches!(error, ControlLogError::KeyExists { .. }));
    let revoked = log.revoke_key(KeyId::new(2), NOW).unwrap();
    assert_eq!(revoked, Some(key(2, "bob")));
    let written = journal.range();
    assert_eq!(log.revoke_key(KeyId::new(2), NOW).unwrap(), None);
    assert_eq!(journal.range(), written);
    let left = [key(1, "alice"), key(3, "carol")];
    assert_eq!(log.keys(), left);
    assert_eq!(open(&journal).keys(), left);
}

#[test]
fn a_key_that_was_never_made_can_not_have_been_revoked() {
    let journal = MemoryJournal::default();
    let mut log = open(&journal);
    log.create_key(key(1, "alice")).unwrap();
    log.revoke_key(KeyId::new(1), NOW).unwrap();
    let journal = without(1, &journal);
    let error = ControlLog::open(Box::new(journal), NOW).err().unwrap();
    assert!(error.to_string().contains("never made"), "{error}");
}

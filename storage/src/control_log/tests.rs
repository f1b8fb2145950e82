use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rust_decimal::Decimal;
use shardbook_engine::access::{Holder, SecretHash};
use shardbook_engine::id::{ClientId, Symbol};
use shardbook_engine::instrument::{Increment, InstrumentSpecification};
use shardbook_engine::journal::{
    Journal, JournalError, JournalReader, JournalSource, Part, Position, PositionRange, ReadFrame,
};
use shardbook_engine::quantity::Quantity;
use shardbook_engine::time::Timestamp;

use super::*;

/// Frames in memory, which outlive whoever wrote them.
#[derive(Clone, Default)]
struct Frames(Arc<Mutex<Vec<ReadFrame>>>);

struct Reader(VecDeque<ReadFrame>);

impl Journal for Frames {
    fn append(&mut self, part: Part, payload: &[u8]) -> Result<Position, JournalError> {
        let mut frames = self.0.lock().unwrap();
        let position = Position::new(u64::try_from(frames.len()).unwrap() + 1);
        frames.push(ReadFrame {
            position,
            part,
            payload: payload.to_vec(),
        });
        Ok(position)
    }

    fn secure_room(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn source(&self) -> Arc<dyn JournalSource> {
        Arc::new(self.clone())
    }

    fn trim_below(&mut self, _position: Position) -> Result<(), JournalError> {
        Ok(())
    }
}

impl JournalSource for Frames {
    fn range(&self) -> PositionRange {
        let newest = Position::new(u64::try_from(self.0.lock().unwrap().len()).unwrap());
        PositionRange {
            oldest: Position::new(1),
            newest,
        }
    }

    fn read_from(&self, _position: Position) -> Result<Box<dyn JournalReader>, JournalError> {
        Ok(Box::new(Reader(self.0.lock().unwrap().clone().into())))
    }
}

impl JournalReader for Reader {
    fn read(&mut self) -> Result<Option<ReadFrame>, JournalError> {
        Ok(self.0.pop_front())
    }
}

const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

fn open(frames: &Frames) -> ControlLog {
    ControlLog::open(Box::new(frames.clone()), NOW).unwrap()
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
    let frames = Frames::default();
    let mut log = open(&frames);
    let exchange = log.exchange();
    let listed = ["BTC-USD", "ETH-USD", "SOL-USD"]
        .map(|symbol| log.list(specification(symbol, "0.01"), 2, NOW).unwrap());
    let numbers = listed.each_ref().map(|listing| listing.instrument.id.get());
    assert_eq!(numbers, [0, 1, 2]);
    let partitions = listed.each_ref().map(|listing| listing.partition.get());
    assert_eq!(partitions, [0, 1, 0], "in turn");

    let again = open(&frames);
    assert_eq!(again.exchange(), exchange);
    assert_eq!(again.listings(), listed);
}

#[test]
fn listing_again_writes_nothing_and_takes_on_the_rules_that_may_change() {
    let frames = Frames::default();
    let mut log = open(&frames);
    log.list(specification("BTC-USD", "0.01"), 2, NOW).unwrap();
    let first = log.list(specification("ETH-USD", "0.01"), 2, NOW).unwrap();
    let written = frames.range();
    let mut changed = specification("ETH-USD", "0.01");
    changed.binance_symbol = Some("ETHUSDT".to_owned());
    let second = log.list(changed, 1, NOW).unwrap();
    assert_eq!(frames.range(), written);
    assert_eq!(second.instrument.binance_symbol.as_deref(), Some("ETHUSDT"));
    assert_eq!(second.instrument.id, first.instrument.id);
    assert_eq!(second.partition.get(), 1, "it stays where its records are");
}

#[test]
fn a_tick_or_a_lot_never_changes() {
    let mut log = open(&Frames::default());
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
    let frames = Frames::default();
    open(&frames)
        .list(specification("BTC-USD", "0.01"), 1, NOW)
        .unwrap();
    frames.0.lock().unwrap().remove(0);
    let error = ControlLog::open(Box::new(frames), NOW)
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
    let frames = Frames::default();
    let mut log = open(&frames);
    for (id, client) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        log.create_key(key(id, client)).unwrap();
    }
    let error = log.create_key(key(2, "dave")).unwrap_err();
    assert!(matches!(error, ControlLogError::KeyExists { .. }));
    let revoked = log.revoke_key(KeyId::new(2), NOW).unwrap();
    assert_eq!(revoked, Some(key(2, "bob")));
    let written = frames.range();
    assert_eq!(log.revoke_key(KeyId::new(2), NOW).unwrap(), None);
    assert_eq!(frames.range(), written);
    let left = [key(1, "alice"), key(3, "carol")];
    assert_eq!(log.keys(), left);
    assert_eq!(open(&frames).keys(), left);
}

#[test]
fn a_key_that_was_never_made_can_not_have_been_revoked() {
    let frames = Frames::default();
    let mut log = open(&frames);
    log.create_key(key(1, "alice")).unwrap();
    log.revoke_key(KeyId::new(1), NOW).unwrap();
    frames.0.lock().unwrap().remove(1);
    let error = ControlLog::open(Box::new(frames), NOW).err().unwrap();
    assert!(error.to_string().contains("never made"), "{error}");
}

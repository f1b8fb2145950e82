use super::*;
use crate::quantity::LOTS_MAX;

fn payload_of(records: &[ControlRecord]) -> Vec<u8> {
    let mut payload = Vec::new();
    begin_payload(&mut payload);
    for record in records {
        record.encode(&mut payload);
    }
    payload
}

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

fn key(id: u64, holder: Holder, requests_per_second: Option<NonZeroU32>) -> ControlRecord {
    ControlRecord::KeyCreated(AccessKey {
        id: KeyId::new(id),
        secret_hash: SecretHash::new([u8::try_from(id % 251).unwrap(); 32]),
        holder,
        requests_per_second,
        created_at: Timestamp::from_microseconds(4),
    })
}

fn records() -> Vec<ControlRecord> {
    let plain = Instrument {
        id: InstrumentId::new(1),
        symbol: Symbol::new("BTC-USD").unwrap(),
        tick: Increment::new(Decimal::new(1, 2)).unwrap(),
        lot: Increment::new(Decimal::new(1, 5)).unwrap(),
        min_quantity: Quantity::new(1).unwrap(),
        max_quantity: Quantity::new(LOTS_MAX).unwrap(),
        min_notional: None,
        price_band: None,
        binance_symbol: None,
        listed_at: Timestamp::from_microseconds(3),
    };
    let full = Instrument {
        id: InstrumentId::new(u32::MAX),
        tick: Increment::new(Decimal::new(25, 18)).unwrap(),
        min_notional: Some(Notional::new(u128::MAX)),
        price_band: PriceBand::from_basis_points(1_000),
        binance_symbol: Some("BTCUSDT".to_owned()),
        ..plain.clone()
    };
    let listed = |instrument, partition| ControlRecord::InstrumentListed {
        instrument,
        partition,
    };
    vec![
        ControlRecord::ExchangeCreated {
            exchange: Uuid::from_u128(0x0123_4567_89ab_cdef),
            created_at: Timestamp::from_microseconds(2),
        },
        listed(plain, 0),
        listed(full, 7),
        key(1, Holder::Admin(None), None),
        key(2, Holder::Admin(Some(client("root"))), None),
        key(3, Holder::Reader(client("eve")), NonZeroU32::new(7)),
        key(
            u64::MAX,
            Holder::Trader(client("alice")),
            Some(NonZeroU32::MAX),
        ),
        ControlRecord::KeyRevoked {
            key: KeyId::new(1),
            revoked_at: Timestamp::from_microseconds(5),
        },
    ]
}

#[test]
fn control_records_come_back_as_they_went() {
    assert_eq!(decode_payload(&payload_of(&records())), Ok(records()));
}

#[test]
fn a_cut_payload_is_an_error_or_its_first_records() {
    let payload = payload_of(&records());
    for cut in 0..payload.len() {
        if let Ok(read) = decode_payload(&payload[..cut]) {
            assert_eq!(read, records()[..read.len()]);
            assert!(read.len() < records().len());
        }
    }
}

#[test]
fn a_changed_byte_never_panics() {
    let payload = payload_of(&records());
    for at in 0..payload.len() {
        for byte in 0..=u8::MAX {
            let mut changed = payload.clone();
            changed[at] = byte;
            let _ = decode_payload(&changed);
        }
    }
}

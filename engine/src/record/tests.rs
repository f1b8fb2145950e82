use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::record;
use super::*;
use crate::command::{Cancel, Requester};
use crate::event::Maker;
use crate::id::{OrderId, OrderRef};
use crate::order::Rejection;
use crate::price::{Price, TICKS_MAX};
use crate::quantity::{LOTS_MAX, Quantity};

fn payload_of(records: &[Record]) -> Vec<u8> {
    let mut payload = Vec::new();
    begin_payload(&mut payload);
    for record in records {
        record.parts().encode(&mut payload);
    }
    payload
}

fn small_record() -> Record {
    Record {
        instrument: InstrumentId::new(7),
        sequence: Sequence::new(300),
        timestamp: Timestamp::from_microseconds(1_000_000),
        first_trade: TradeNumber::new(5),
        command: Command::Cancel(Cancel {
            order_id: OrderId::new("order-1").unwrap(),
            requester: Requester::Anyone,
        }),
        events: vec![Event::Rejected(Rejection::NoLiquidity)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_records_come_back_as_they_went(records in vec(record(), 0..4)) {
        prop_assert_eq!(decode_payload(&payload_of(&records)), Ok(records));
    }

    #[test]
    fn a_cut_payload_is_an_error_or_its_first_records(records in vec(record(), 1..3), cut in any::<prop::sample::Index>()) {
        let payload = payload_of(&records);
        let cut = &payload[..cut.index(payload.len())];
        if let Ok(read) = decode_payload(cut) {
            prop_assert!(read.len() < records.len());
            prop_assert_eq!(&read[..], &records[..read.len()]);
        }
    }

    #[test]
    fn a_changed_byte_never_panics(records in vec(record(), 1..3), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut payload = payload_of(&records);
        let at = at.index(payload.len());
        payload[at] = byte;
        let _ = decode_payload(&payload);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), length in 0u32..200) {
        let _ = decode_payload(&bytes);
        let mut payload = vec![1];
        payload.extend(length.to_le_bytes());
        payload.extend(bytes);
        let _ = decode_payload(&payload);
    }
}

#[test]
fn a_fill_costs_at_most_24_bytes() {
    let mut record = small_record();
    record.sequence = Sequence::new(u64::MAX);
    let without = payload_of(std::slice::from_ref(&record)).len();
    record.events.push(Event::Traded {
        maker: Maker::Client(OrderRef::single(Sequence::new(1))),
        price: Price::new(TICKS_MAX).unwrap(),
        quantity: Quantity::new(LOTS_MAX).unwrap(),
    });
    assert_eq!(payload_of(&[record]).len() - without, 24);
}

#[test]
fn what_is_no_record_is_told_apart() {
    let whole = payload_of(&[small_record()]);
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut payload = whole.clone();
        change(&mut payload);
        decode_payload(&payload).unwrap_err().to_string()
    };
    let table = [
        changed(Vec::clear),
        changed(|payload| payload[0] = 9),
        changed(|payload| payload.truncate(3)),
        changed(|payload| payload.truncate(20)),
        changed(|payload| {
            payload.push(0);
            payload[1] += 1;
        }),
        changed(|payload| *payload.last_mut().unwrap() = 200),
        // The first byte of the order's id.
        changed(|payload| payload[15] = b' '),
        // The sequence, as a zero of two bytes.
        changed(|payload| payload[6..8].copy_from_slice(&[0x80, 0])),
    ];
    expect_test::expect![[r#"
        the payload ends within a record
        format version 9 is unknown; this program reads version 1
        the payload ends within a record
        the payload ends within a record
        a record is 1 bytes longer than what it holds
        the bytes are no record: Hit the end of buffer, expected more data
        order_id: may hold only letters, digits and . _ : -
        sequence is out of range"#]]
    .assert_eq(&table.join("\n"));
}

/// The bytes of version 1, for good: what a journal holds today must be read by every program
/// to come.
#[test]
fn version_1_stays_as_it_is() {
    let payload = payload_of(&[small_record()]);
    let hex: Vec<String> = payload.iter().map(|byte| format!("{byte:02x}")).collect();
    expect_test::expect![
        "01 14 00 00 00 07 ac 02 c0 84 3d 05 01 07 6f 72 64 65 72 2d 31 00 01 00 05"
    ]
    .assert_eq(&hex.join(" "));
}

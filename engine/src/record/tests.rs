use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::record;
use super::*;
use crate::command::{
    Amend, Cancel, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate, OrderChange,
    Requester, Tape,
};
use crate::event::{Maker, MirrorMaker, Priority};
use crate::id::{ClientId, IdempotencyKey, OrderId, OrderRef};
use crate::order::{
    CancelReason, ChosenId, NewOrder, OrderKind, Rejection, SelfTradePrevention, TimeInForce,
};
use crate::price::{Price, TICKS_MAX};
use crate::quantity::{LOTS_MAX, Notional, Quantity};
use crate::side::Side;
use crate::time::Day;

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
/// to come. One of each command and of each event, and of each word that stands for a number.
#[test]
fn version_1_stays_as_it_is() {
    let mut lines = String::new();
    for record in one_of_each() {
        let payload = payload_of(std::slice::from_ref(&record));
        assert_eq!(decode_payload(&payload), Ok(vec![record]));
        for byte in payload {
            write!(lines, "{byte:02x}").unwrap();
        }
        lines.push('\n');
    }
    expect_test::expect![[r#"
        012700000007ac02c0843d050000076f726465722d3105616c69636501056b65792f310000ac4d00ac020000
        012700000007ac02c0843d050000076f726465722d3105616c69636501056b65792f310000ac4d01ac020100
        012700000007ac02c0843d050000076f726465722d3105616c69636501056b65792f310000ac4d02ac020200
        012700000007ac02c0843d050000076f726465722d3105616c69636501056b65792f310000ac4d03ac020300
        012400000007ac02c0843d050001076f726465722d3105616c69636501056b65792f310001ac020000
        011800000007ac02c0843d0501076f726465722d310105616c69636500
        011500000007ac02c0843d0502076f726465722d310000ac4d00
        011500000007ac02c0843d0502076f726465722d310001ac0200
        011d00000007ac02c0843d0502076f726465722d310105616c69636502ac4dac0200
        011100000007ac02c0843d050305616c696365000000
        011200000007ac02c0843d050305616c69636501010100
        011900000007ac02c0843d0504000742544355534454f403f50301ac0200
        011900000007ac02c0843d050500e807d00f000200ac4dac0201ac4d0000
        011900000007ac02c0843d050501e807d00f010200ac4dac0201ac4d0000
        010900000007ac02c0843d050600
        010900000007ac02c0843d050700
        010900000007ac02c0843d050800
        010c00000007ac02c0843d0509e69f0100
        016600000007ac02c0843d0507130000000100020003000400050301020003010201030102020301020303010204030102050301020601ab0200ac4dac02020102ac4dac02ac02c801e0ec7804e807040102ac4dac0200040102ac4dac0201050101ac4dac02060102ac02
    "#]].assert_eq(&lines);
}

fn one_of_each() -> Vec<Record> {
    let commands = placements().into_iter().chain(other_commands());
    let commands = commands.map(|command| Record {
        command,
        events: Vec::new(),
        ..small_record()
    });
    let events = Record {
        command: Command::Halt,
        events: events(),
        ..small_record()
    };
    commands.chain([events]).collect()
}

fn alice() -> ClientId {
    ClientId::new("alice").unwrap()
}

fn order_1() -> OrderId {
    OrderId::new("order-1").unwrap()
}

fn price_and_quantity() -> (Price, Quantity) {
    (Price::new(9_900).unwrap(), Quantity::new(300).unwrap())
}

fn placements() -> Vec<Command> {
    let (price, quantity) = price_and_quantity();
    let order = |id, kind, self_trade_prevention| {
        Command::Place(NewOrder {
            id,
            client: alice(),
            idempotency_key: Some(IdempotencyKey::new("key/1").unwrap()),
            side: Side::Buy,
            kind,
            quantity,
            self_trade_prevention,
        })
    };
    let limit = |time_in_force| OrderKind::Limit {
        price,
        time_in_force,
    };
    let by_client = || ChosenId::Client(order_1());
    vec![
        order(
            by_client(),
            limit(TimeInForce::Gtc),
            SelfTradePrevention::None,
        ),
        order(
            by_client(),
            limit(TimeInForce::Ioc),
            SelfTradePrevention::CancelTaker,
        ),
        order(
            by_client(),
            limit(TimeInForce::Fok),
            SelfTradePrevention::CancelMaker,
        ),
        order(
            by_client(),
            limit(TimeInForce::PostOnly),
            SelfTradePrevention::CancelBoth,
        ),
        order(
            ChosenId::Exchange(order_1()),
            OrderKind::Market,
            SelfTradePrevention::None,
        ),
    ]
}

fn other_commands() -> Vec<Command> {
    let (price, quantity) = price_and_quantity();
    let amend = |requester, change| {
        Command::Amend(Amend {
            order_id: order_1(),
            requester,
            change,
        })
    };
    let mass_cancel = |side, reason| {
        Command::MassCancel(MassCancel {
            client: alice(),
            side,
            reason,
        })
    };
    let mirror = |source, scope| {
        let level = |side, quantity| MirrorLevel {
            side,
            price,
            quantity,
        };
        Command::Mirror(MirrorUpdate {
            source,
            snapshot_id: 1_000,
            update_id: 2_000,
            scope,
            levels: vec![
                level(Side::Buy, quantity),
                level(Side::Sell, Quantity::ZERO),
            ],
        })
    };
    vec![
        Command::Cancel(Cancel {
            order_id: order_1(),
            requester: Requester::Client(alice()),
        }),
        amend(Requester::Anyone, OrderChange::Price(price)),
        amend(Requester::Anyone, OrderChange::Quantity(quantity)),
        amend(
            Requester::Client(alice()),
            OrderChange::PriceAndQuantity(price, quantity),
        ),
        mass_cancel(None, CancelReason::MassCancel),
        mass_cancel(Some(Side::Sell), CancelReason::Disconnected),
        Command::Tape(Tape {
            source: FeedSource::Binance,
            symbol: "BTCUSDT".to_owned(),
            first_trade_id: 500,
            last_trade_id: 501,
            side: Side::Sell,
            quantity,
        }),
        mirror(FeedSource::Binance, MirrorScope::Changes),
        mirror(FeedSource::Simulated, MirrorScope::Whole),
        Command::WithdrawMirror,
        Command::Halt,
        Command::Resume,
        Command::CloseDay(Day::from_days_since_epoch(20_454)),
    ]
}

fn events() -> Vec<Event> {
    let (price, quantity) = price_and_quantity();
    let order = OrderRef {
        sequence: Sequence::new(299),
        index: 2,
    };
    let rejections = [
        Rejection::InstrumentHalted,
        Rejection::TooManyOpenOrders,
        Rejection::PriceOutsideBand,
        Rejection::PostOnlyWouldCross,
        Rejection::FokNotFillable,
        Rejection::NoLiquidity,
    ];
    let reasons = [
        CancelReason::Requested,
        CancelReason::BookExhausted,
        CancelReason::IocRemainder,
        CancelReason::SelfTrade,
        CancelReason::MassCancel,
        CancelReason::Disconnected,
        CancelReason::Mirror,
    ];
    let makers = [
        Maker::Client(OrderRef::single(Sequence::new(1))),
        Maker::Mirror(MirrorMaker {
            order,
            quantity,
            filled_quantity: Quantity::new(200).unwrap(),
            filled_notional: Notional::new(1_980_000),
            trade_count: 4,
            created_at: Timestamp::from_microseconds(999_000),
        }),
    ];
    let mut events = Vec::from(rejections.map(Event::Rejected));
    events.extend(reasons.map(|reason| Event::Cancelled { order, reason }));
    events.extend(makers.map(|maker| Event::Traded {
        maker,
        price,
        quantity,
    }));
    events.extend(
        [Priority::Kept, Priority::Lost].map(|priority| Event::Amended {
            order,
            price,
            quantity,
            priority,
        }),
    );
    events.push(Event::MirrorAdded {
        index: 1,
        side: Side::Sell,
        price,
        quantity,
    });
    events.push(Event::MirrorReduced { order, quantity });
    events
}

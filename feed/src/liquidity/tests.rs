use std::collections::BTreeMap;

use proptest::prelude::*;
use shardbook_engine::time::Timestamp;

use super::*;
use crate::local_book::{DiffOutcome, LocalBook, SnapshotOutcome};
use crate::message::DepthSnapshot;
use crate::test_support::instrument;

/// A book with a tick of 1 and a lot of 1, and what is mirrored of it.
struct Mirrored {
    book: LocalBook,
    liquidity: Liquidity,
    counts: Counts,
    folded: BTreeMap<(Side, u64), u64>,
}

type Text<'a> = &'a [(&'a str, &'a str)];

impl Mirrored {
    fn new(levels_max: usize, bids: Text<'_>, asks: Text<'_>) -> (Self, MirrorUpdate) {
        let mut book = LocalBook::new();
        let begun = book.take_snapshot(&DepthSnapshot {
            symbol: None,
            last_update_id: 1,
            bids: levels(bids),
            asks: levels(asks),
        });
        assert!(matches!(begun, SnapshotOutcome::Begun { .. }));
        let mut mirrored = Self {
            liquidity: Liquidity::new(instrument("1", "1"), FeedSource::Binance, levels_max),
            book,
            counts: Counts::default(),
            folded: BTreeMap::new(),
        };
        let update = mirrored
            .liquidity
            .restate(mirrored.book.depth().unwrap(), &mut mirrored.counts);
        mirrored.fold(&update);
        (mirrored, update)
    }

    fn diff(&mut self, bids: Text<'_>, asks: Text<'_>) -> MirrorUpdate {
        self.diff_levels(levels(bids), levels(asks))
    }

    fn diff_levels(&mut self, bids: Vec<Level>, asks: Vec<Level>) -> MirrorUpdate {
        let id = self.book.depth().unwrap().update_id() + 1;
        let diff = DepthDiff {
            symbol: String::from("BTCUSDT"),
            first_update_id: id,
            last_update_id: id,
            bids,
            asks,
            sent_at: Timestamp::from_microseconds(1),
        };
        assert_eq!(self.book.take_diff(&diff), DiffOutcome::Applied);
        let depth = self.book.depth().unwrap();
        let update = self.liquidity.follow(depth, &diff, &mut self.counts);
        self.fold(&update);
        update
    }

    /// What someone knows who has only the updates.
    fn fold(&mut self, update: &MirrorUpdate) {
        if update.scope == MirrorScope::Whole {
            self.folded.clear();
        }
        let mut named = std::collections::BTreeSet::new();
        for level in &update.levels {
            let key = (level.side, level.price.ticks());
            assert!(named.insert(key), "{key:?} is named twice");
            if level.quantity.is_zero() {
                let gone = self.folded.remove(&key);
                assert!(gone.is_some(), "{key:?} goes and was not there");
            } else {
                let old = self.folded.insert(key, level.quantity.lots());
                assert_ne!(old, Some(level.quantity.lots()), "{key:?} did not change");
            }
        }
    }

    /// The best levels of the book, worked out anew and naively.
    fn expected(&self, levels_max: usize) -> BTreeMap<(Side, u64), u64> {
        let depth = self.book.depth().unwrap();
        [Side::Buy, Side::Sell]
            .into_iter()
            .flat_map(|side| {
                depth
                    .levels(side)
                    .filter(|level| level.price.fract().is_zero())
                    .filter(|level| level.quantity >= Decimal::ONE)
                    .take(levels_max)
                    .map(move |level| {
                        let whole = |value: Decimal| u64::try_from(value.trunc()).unwrap();
                        ((side, whole(level.price)), whole(level.quantity))
                    })
            })
            .collect()
    }
}

fn levels(text: Text<'_>) -> Vec<Level> {
    text.iter()
        .map(|(price, quantity)| Level {
            price: price.parse().unwrap(),
            quantity: quantity.parse().unwrap(),
        })
        .collect()
}

fn shown(update: &MirrorUpdate) -> String {
    let levels: Vec<String> = update
        .levels
        .iter()
        .map(|level| {
            let side = match level.side {
                Side::Buy => "bid",
                Side::Sell => "ask",
            };
            format!("{side} {}x{}", level.price.ticks(), level.quantity.lots())
        })
        .collect();
    format!(
        "{:?} {}: {}",
        update.scope,
        update.update_id,
        levels.join(", ")
    )
}

#[test]
fn a_snapshot_states_the_whole_best_first() {
    let (_, update) = Mirrored::new(
        2,
        &[("98", "1"), ("100", "3"), ("99", "2")],
        &[("103", "6"), ("101", "4"), ("102", "5")],
    );
    assert_eq!(
        shown(&update),
        "Whole 1: bid 100x3, bid 99x2, ask 101x4, ask 102x5"
    );
    assert_eq!((update.snapshot_id, update.update_id), (1, 1));
}

#[test]
fn a_diff_names_what_changed_among_the_best_and_nothing_else() {
    let (mut mirrored, _) = Mirrored::new(
        2,
        &[("100", "3"), ("99", "2"), ("98", "1")],
        &[("101", "4"), ("102", "5"), ("103", "6")],
    );
    for (bids, asks, expected) in [
        (&[("100", "7")][..], &[][..], "Changes 2: bid 100x7"),
        // Beyond the best two, and as it was: nothing to say, and said all the same.
        (&[("98", "9")], &[("101", "4")], "Changes 3: "),
        // One goes and the next comes in.
        (&[("100", "0")], &[], "Changes 4: bid 100x0, bid 98x9"),
        // A better one comes and the worst leaves.
        (&[], &[("100", "1")], "Changes 5: ask 100x1, ask 102x0"),
        // Both at once, with one that is in and out again.
        (
            &[("99", "0"), ("97", "1"), ("100", "1"), ("100", "0")],
            &[("100", "0"), ("103", "2")],
            "Changes 6: bid 99x0, bid 97x1, ask 100x0, ask 102x5",
        ),
        // Fewer are left than there could be.
        (
            &[("98", "0")],
            &[("101", "0"), ("102", "0")],
            "Changes 7: bid 98x0, ask 101x0, ask 102x0, ask 103x2",
        ),
    ] {
        assert_eq!(shown(&mirrored.diff(bids, asks)), expected);
    }
    assert_eq!(mirrored.counts, Counts::default());
}

#[test]
fn what_the_instrument_can_not_show_is_counted_and_takes_no_place() {
    let (mut mirrored, update) = Mirrored::new(
        2,
        &[("100.5", "3"), ("100", "0.9"), ("99", "2.9"), ("98", "1")],
        &[("101", "5000000000000")],
    );
    assert_eq!(shown(&update), "Whole 1: bid 99x2, bid 98x1");
    assert_eq!(mirrored.counts.skipped(SkipReason::PriceOffTick), 1);
    assert_eq!(mirrored.counts.skipped(SkipReason::QuantityBelowLot), 1);
    assert_eq!(mirrored.counts.skipped(SkipReason::OutOfRange), 1);
    // A level that shrinks below a lot goes; one that only loses a part of a lot stays.
    let update = mirrored.diff(&[("99", "0.5"), ("98", "1.7"), ("100.5", "0")], &[]);
    assert_eq!(shown(&update), "Changes 2: bid 99x0");
    assert_eq!(mirrored.counts.skipped(SkipReason::PriceOffTick), 1);
    assert_eq!(mirrored.counts.skipped(SkipReason::QuantityBelowLot), 2);
}

#[test]
fn restating_names_every_level_again() {
    let (mut mirrored, first) = Mirrored::new(5, &[("100", "3")], &[("101", "4")]);
    let again = mirrored
        .liquidity
        .restate(mirrored.book.depth().unwrap(), &mut mirrored.counts);
    assert_eq!(first, again);
}

/// Changed levels near each other, some between two ticks, some below a lot, some gone.
fn changes() -> impl Strategy<Value = Vec<Level>> {
    let level = (0..3_u32, 40..60_i64, 0..6_i64).prop_map(|(kind, price, quantity)| Level {
        price: if kind == 0 {
            Decimal::new(price * 10 + 5, 1)
        } else {
            Decimal::from(price)
        },
        quantity: if kind == 1 {
            Decimal::new(quantity * 10 + 4, 1)
        } else {
            Decimal::from(quantity)
        },
    });
    prop::collection::vec(level, 0..8)
}

proptest! {
    /// Bids and asks may overlap here: each side is mirrored for itself.
    #[test]
    fn updates_folded_onto_an_empty_book_are_always_its_best_levels(
        levels_max in 1..12_usize,
        bids in changes(),
        asks in changes(),
        diffs in prop::collection::vec((changes(), changes()), 0..30),
    ) {
        let (mut mirrored, _) = Mirrored::new(levels_max, &[], &[]);
        let mut all = vec![(bids, asks)];
        all.extend(diffs);
        for (bids, asks) in all {
            mirrored.diff_levels(bids, asks);
            prop_assert_eq!(&mirrored.folded, &mirrored.expected(levels_max));
        }
    }
}

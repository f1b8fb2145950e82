use rust_decimal::Decimal;
use shardbook_engine::time::Timestamp;

use super::*;

/// Plays a transcript: lines at the margin are what comes in, indented lines what the book says
/// to it. `diff U-u` and `snapshot id` are followed by levels as `b100x5` or `a101x0`.
fn transcript(text: &str) {
    let mut book = LocalBook::new();
    let mut answer = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line = line.strip_prefix("        ").expect("a margin");
        if let Some(expected) = line.strip_prefix("    ") {
            let said = answer.take().expect("something came in before");
            assert_eq!(expected, said, "in {text}");
            continue;
        }
        assert_eq!(answer.take(), None, "an answer is missing before {line:?}");
        answer = Some(play(&mut book, line));
    }
    assert_eq!(answer, None, "the last answer is missing");
}

fn play(book: &mut LocalBook, line: &str) -> String {
    let mut words = line.split_whitespace();
    let outcome = match words.next().expect("a word") {
        "diff" => {
            let (first, last) = words.next().unwrap().split_once('-').unwrap();
            let (bids, asks) = levels(words);
            let diff = DepthDiff {
                symbol: String::from("BTCUSDT"),
                first_update_id: first.parse().unwrap(),
                last_update_id: last.parse().unwrap(),
                bids,
                asks,
                sent_at: Timestamp::from_microseconds(1),
            };
            match book.take_diff(&diff) {
                DiffOutcome::Applied => String::from("applied"),
                DiffOutcome::Ignored => String::from("ignored"),
                DiffOutcome::Buffered => String::from("buffered"),
                DiffOutcome::Gap => String::from("gap"),
            }
        }
        "snapshot" => {
            let last_update_id = words.next().unwrap().parse().unwrap();
            let (bids, asks) = levels(words);
            let snapshot = DepthSnapshot {
                symbol: None,
                last_update_id,
                bids,
                asks,
            };
            match book.take_snapshot(&snapshot) {
                SnapshotOutcome::Begun { dropped, applied } => {
                    format!("begun, {dropped} dropped, {applied} applied")
                }
                SnapshotOutcome::TooOld => String::from("too old"),
                SnapshotOutcome::NotNeeded => String::from("not needed"),
            }
        }
        "reconnect" => {
            book.start_over();
            String::from("start over")
        }
        other => panic!("{other:?} is no line of a transcript"),
    };
    format!("{outcome}: {}", shown(book))
}

fn levels<'a>(words: impl Iterator<Item = &'a str>) -> (Vec<Level>, Vec<Level>) {
    let mut bids = Vec::new();
    let mut asks = Vec::new();
    for word in words {
        let (price, quantity) = word[1..].split_once('x').unwrap();
        let level = Level {
            price: price.parse().unwrap(),
            quantity: quantity.parse().unwrap(),
        };
        match &word[..1] {
            "b" => bids.push(level),
            "a" => asks.push(level),
            other => panic!("{other:?} is no side"),
        }
    }
    (bids, asks)
}

fn shown(book: &LocalBook) -> String {
    let Some(depth) = book.depth() else {
        return String::from("no book");
    };
    let side = |side| {
        depth
            .levels(side)
            .map(|level| format!("{}x{}", level.price, level.quantity))
            .collect::<Vec<_>>()
            .join(" ")
    };
    format!(
        "{} | {} at {}",
        side(Side::Buy),
        side(Side::Sell),
        depth.update_id()
    )
}

#[test]
fn a_book_begins_with_a_snapshot_and_what_was_buffered_after_it() {
    transcript(
        "
        diff 5-7 b99x1
            buffered: no book
        diff 8-9 b98x1
            buffered: no book
        diff 10-12 b100x5 a101x0
            buffered: no book
        diff 13-13 a102x7
            buffered: no book
        snapshot 10 b100x1 b99x2 a101x3
            begun, 2 dropped, 2 applied: 100x5 99x2 | 102x7 at 13
        diff 14-20 b99x0
            applied: 100x5 | 102x7 at 20
        ",
    );
}

#[test]
fn a_snapshot_older_than_the_first_buffered_diff_is_of_no_use() {
    transcript(
        "
        diff 5-7 b99x1
            buffered: no book
        snapshot 4 b100x1 a101x3
            too old: no book
        snapshot 5 b100x1 a101x3
            begun, 0 dropped, 1 applied: 100x1 99x1 | 101x3 at 7
        ",
    );
}

#[test]
fn a_snapshot_may_come_before_any_diff() {
    transcript(
        "
        snapshot 10 b100x1 a101x3
            begun, 0 dropped, 0 applied: 100x1 | 101x3 at 10
        diff 9-10 b100x9
            ignored: 100x1 | 101x3 at 10
        diff 10-11 b100x2
            applied: 100x2 | 101x3 at 11
        snapshot 30 b50x1 a60x1
            not needed: 100x2 | 101x3 at 11
        ",
    );
}

#[test]
fn a_diff_that_begins_too_late_gives_the_book_up_and_is_the_first_of_the_next() {
    transcript(
        "
        snapshot 10 b100x1 a101x3
            begun, 0 dropped, 0 applied: 100x1 | 101x3 at 10
        diff 11-12 b100x2
            applied: 100x2 | 101x3 at 12
        diff 14-15 b100x3
            gap: no book
        snapshot 13 b100x1 a101x1
            too old: no book
        diff 16-16 b99x1
            buffered: no book
        snapshot 15 b100x3 a101x1
            begun, 1 dropped, 1 applied: 100x3 99x1 | 101x1 at 16
        ",
    );
}

#[test]
fn a_hole_in_what_was_buffered_needs_a_snapshot_from_behind_it() {
    transcript(
        "
        diff 5-7 b99x1
            buffered: no book
        diff 9-9 b98x1
            buffered: no book
        snapshot 6 b100x1 a101x3
            too old: no book
        diff 10-11 b97x1
            buffered: no book
        snapshot 8 b100x1 a101x3
            too old: no book
        snapshot 9 b100x1 a101x3
            begun, 1 dropped, 1 applied: 100x1 97x1 | 101x3 at 11
        ",
    );
}

#[test]
fn duplicates_are_ignored_and_levels_that_are_not_there_may_go() {
    transcript(
        "
        snapshot 10 b100x1 a101x3
            begun, 0 dropped, 0 applied: 100x1 | 101x3 at 10
        diff 11-12 b100x2 b77x0 a500x0
            applied: 100x2 | 101x3 at 12
        diff 11-12 b100x8
            ignored: 100x2 | 101x3 at 12
        diff 10-11 b100x8
            ignored: 100x2 | 101x3 at 12
        diff 12-13 b100x4
            applied: 100x4 | 101x3 at 13
        ",
    );
}

#[test]
fn a_lost_connection_begins_anew() {
    transcript(
        "
        snapshot 10 b100x1 a101x3
            begun, 0 dropped, 0 applied: 100x1 | 101x3 at 10
        reconnect
            start over: no book
        diff 30-31 b100x2
            buffered: no book
        snapshot 31 b100x2 a101x1
            begun, 1 dropped, 0 applied: 100x2 | 101x1 at 31
        ",
    );
}

#[test]
fn the_buffer_is_bounded_and_keeps_the_newest() {
    let mut book = LocalBook::new();
    let count = u64::try_from(DIFFS_BUFFERED_MAX).unwrap() + 5;
    for id in 1..=count {
        play(&mut book, &format!("diff {id}-{id} b{id}x1"));
    }
    assert_eq!(play(&mut book, "snapshot 5 b1x1"), "too old: no book");
    let said = play(&mut book, "snapshot 6 b1x1");
    assert!(said.starts_with("begun, 1 dropped, 999 applied"), "{said}");
}

#[test]
fn levels_beyond_a_price_leave_it_out() {
    let mut book = LocalBook::new();
    play(&mut book, "snapshot 1 b3x1 b2x1 b1x1 a4x1 a5x1 a6x1");
    let depth = book.depth().unwrap();
    let beyond = |side, price: i64| -> Vec<Decimal> {
        depth
            .levels_beyond(side, Decimal::from(price))
            .map(|level| level.price)
            .collect()
    };
    assert_eq!(beyond(Side::Buy, 3), [2, 1].map(Decimal::from));
    assert_eq!(beyond(Side::Buy, 1), []);
    assert_eq!(beyond(Side::Sell, 4), [5, 6].map(Decimal::from));
    assert_eq!(beyond(Side::Sell, 6), []);
    assert_eq!(depth.best(Side::Buy).unwrap().price, Decimal::from(3));
    assert_eq!(depth.best(Side::Sell).unwrap().price, Decimal::from(4));
}

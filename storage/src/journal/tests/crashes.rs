//! Operations that fail, power that fails, disks that are full.

use std::io::ErrorKind;

use proptest::prelude::*;

use super::machine::Fault;
use super::*;

/// What a client of the journal knows, over all its lives.
#[derive(Default)]
struct Ledger {
    /// Every frame whose append returned; those of trimmed positions too.
    acknowledged: Vec<Written>,
    /// The frame whose append did not return, or returned an error that is final.
    in_flight: Option<Written>,
    /// The highest position that trimming was asked for.
    trimmed_below: u64,
    /// Whether a start is on that cuts many frames.
    is_cutting: bool,
}

impl Ledger {
    fn append(&mut self, journal: &mut FileJournal, part: Part) -> Result<(), JournalError> {
        let position = bytes(self.acknowledged.len()) + 1;
        let frame = written(position, part);
        self.in_flight = Some(frame.clone());
        match append(journal, &frame) {
            Ok(at) => {
                assert_eq!(at, Position::new(position));
                self.acknowledged.extend(self.in_flight.take());
                Ok(())
            }
            Err(JournalError::NoRoom { place, source }) => {
                // Nothing was written, so nothing may come back.
                self.in_flight = None;
                Err(JournalError::NoRoom { place, source })
            }
            Err(error) => {
                for _ in 0..2 {
                    let again = append(journal, &frame).unwrap_err();
                    assert!(again.to_string().contains("failed before"), "{again}");
                }
                Err(error)
            }
        }
    }

    /// What is found has to be what was acknowledged up to its last whole payload; the frame in
    /// flight may have made it too. What was found is what is known from then on.
    fn judge(&mut self, journal: &FileJournal) -> Result<(), JournalError> {
        let range = journal.source().range();
        assert!(range.oldest.get() <= self.trimmed_below.max(1));
        let mut with_in_flight = self.acknowledged.clone();
        with_in_flight.extend(self.in_flight.clone());
        let may_be = [
            whole_payloads(&self.acknowledged),
            whole_payloads(&with_in_flight),
        ];
        let newest = usize::try_from(range.newest.get()).unwrap();
        let Some(found) = may_be.iter().find(|frames| frames.len() == newest) else {
            panic!(
                "{newest} frames found of {} acknowledged",
                self.acknowledged.len()
            );
        };
        let first = usize::try_from(range.oldest.get() - 1).unwrap();
        let read = try_read_all(journal)?;
        assert_eq!(read, expected(range.oldest.get(), &found[first..]));
        self.acknowledged = found.clone();
        self.in_flight = None;
        Ok(())
    }
}

fn whole_payloads(frames: &[Written]) -> Vec<Written> {
    let whole = frames.iter().rposition(|frame| frame.part == Part::Last);
    frames[..whole.map_or(0, |last| last + 1)].to_vec()
}

/// A life with everything in it: a start, payloads of one frame and of many, new segments,
/// trimming, and a start in the middle.
fn live(machine: &Machine, ledger: &mut Ledger) -> Result<(), JournalError> {
    let (mut journal, _) = open(machine)?;
    for frame in 0..8 {
        let part = if frame % 4 == 1 {
            Part::MoreFollows
        } else {
            Part::Last
        };
        ledger.append(&mut journal, part)?;
    }
    drop(journal);
    let (mut journal, _) = open(machine)?;
    for _ in 0..3 {
        ledger.append(&mut journal, Part::MoreFollows)?;
    }
    ledger.append(&mut journal, Part::Last)?;
    ledger.trimmed_below = 7;
    journal.trim_below(Position::new(7))?;
    for _ in 0..3 {
        ledger.append(&mut journal, Part::Last)?;
    }
    // Left unfinished, for the next start to cut.
    for _ in 0..6 {
        ledger.append(&mut journal, Part::MoreFollows)?;
    }
    drop(journal);
    ledger.is_cutting = true;
    let (journal, report) = open(machine)?;
    assert_eq!(report.torn_tail.map(|torn| torn.frames), Some(6));
    ledger.judge(&journal)
}

/// Dice that can be thrown again.
fn dice(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Seeds 0 and 1 are the extremes: nothing survives, and everything.
        match seed {
            0 => false,
            1 => true,
            _ => state >> 40 & 1 == 0,
        }
    }
}

/// Lets each operation of a life fail in turn; after it the power fails, or first the process
/// ends and another one tells readers what it found. Returns how many operations there were.
fn fail_each_operation(fault: Fault) -> u64 {
    let throws = (0..3).flat_map(|seed| [(seed, false), (seed, true)]);
    for operation in 0.. {
        for (seed, first_told) in throws.clone() {
            let machine = Machine::default();
            let mut ledger = Ledger::default();
            machine.fail_at(operation, fault);
            let result = live(&machine, &mut ledger);
            if !machine.has_failed() {
                result.unwrap();
                return operation;
            }
            // Known limit, and on the safe side: zeros whose flush failed look like zeros to the
            // next start, and when power fails after that, the frames behind them are back and
            // the journal is refused.
            if first_told && (fault == Fault::PowerFails || !ledger.is_cutting) {
                let (journal, _) = open(&machine).unwrap();
                ledger.judge(&journal).unwrap();
            }
            machine.crash(dice(seed));
            let (mut journal, _) = open(&machine).unwrap();
            ledger.judge(&journal).unwrap();
            ledger.append(&mut journal, Part::Last).unwrap();
            drop(journal);
            let (journal, report) = open(&machine).unwrap();
            assert_eq!(report.torn_tail, None);
            ledger.judge(&journal).unwrap();
        }
    }
    unreachable!("a life ends")
}

#[test]
fn nothing_acknowledged_is_lost_whichever_operation_is_refused() {
    assert!(fail_each_operation(Fault::Refuses(ErrorKind::Other)) > 100);
}

#[test]
fn nothing_acknowledged_is_lost_whichever_operation_breaks_off() {
    assert!(fail_each_operation(Fault::BreaksOff(ErrorKind::Other)) > 100);
}

#[test]
fn nothing_acknowledged_is_lost_whenever_the_disk_says_that_it_is_full() {
    assert!(fail_each_operation(Fault::Refuses(ErrorKind::StorageFull)) > 100);
    assert!(fail_each_operation(Fault::BreaksOff(ErrorKind::StorageFull)) > 100);
}

#[test]
fn nothing_acknowledged_is_lost_whenever_the_power_fails() {
    assert!(fail_each_operation(Fault::PowerFails) > 100);
}

#[test]
fn a_cut_that_power_interrupts_is_taken_up_again() {
    // The last three frames of one segment.
    let story = (4..)
        .map(|whole| {
            let frames = (1..=whole).map(|position| written(position, Part::Last));
            let run = (whole + 1..=whole + 3).map(|at| written(at, Part::MoreFollows));
            Story::with(frames.chain(run))
        })
        .find(|story| {
            let mut run = story.places.iter().rev().take(3);
            run.all(|place| place.path == story.last().path)
        })
        .unwrap();
    let whole = story.frames.len() - 3;
    for operation in 0.. {
        let mut is_over = false;
        for seed in 0..40 {
            let machine = story.copy();
            machine.fail_at(operation, Fault::PowerFails);
            let opened = open(&machine).map(|_| ());
            is_over = !machine.has_failed();
            assert!(opened.is_ok() || !is_over);
            machine.crash(dice(seed));
            story.holds(&machine, whole);
        }
        if is_over {
            break;
        }
    }
}

#[test]
fn a_failed_flush_is_final() {
    let machine = Machine::default();
    let (mut journal, _) = open(&machine).unwrap();
    journal.append(Part::Last, b"one").unwrap();
    // A write, then its flush.
    machine.fail_at(1, Fault::Refuses(ErrorKind::Other));
    let error = journal.append(Part::Last, b"two").unwrap_err();
    assert!(
        matches!(
            error,
            JournalError::Io {
                doing: "flushing",
                ..
            }
        ),
        "{error}"
    );
    assert!(machine.has_failed());
    for _ in 0..3 {
        let error = journal.append(Part::Last, b"two").unwrap_err();
        assert!(matches!(error, JournalError::Io { .. }), "{error}");
        assert!(journal.trim_below(Position::new(1)).is_err());
    }
    assert_eq!(journal.source().range().newest, Position::new(1));
}

#[test]
fn without_room_for_a_segment_nothing_is_written_and_room_helps() {
    let machine = Machine::default();
    let (mut journal, _) = open(&machine).unwrap();
    machine.limit_room(Some(machine.bytes_used() + SEGMENT_BYTES / 2));
    let mut ledger = Ledger::default();
    let error = loop {
        match ledger.append(&mut journal, Part::Last) {
            Ok(()) => assert!(ledger.acknowledged.len() < 100),
            Err(error) => break error,
        }
    };
    // The spare made ahead was used, so more than one segment is full.
    assert!(ledger.acknowledged.len() > 5);
    for _ in 0..3 {
        assert!(matches!(error, JournalError::NoRoom { .. }), "{error}");
        let names = machine.names();
        let again = ledger.append(&mut journal, Part::Last).unwrap_err();
        assert!(matches!(again, JournalError::NoRoom { .. }), "{again}");
        assert_eq!(machine.names(), names, "what could not be used is gone");
    }
    ledger.judge(&journal).unwrap();
    machine.limit_room(None);
    for _ in 0..10 {
        ledger.append(&mut journal, Part::Last).unwrap();
    }
    drop(journal);
    machine.crash(|| false);
    let (journal, _) = open(&machine).unwrap();
    ledger.judge(&journal).unwrap();
    assert!(ledger.acknowledged.len() > 15);
}

#[test]
fn missing_room_is_told_while_a_whole_segment_is_left_and_until_there_is_room() {
    let machine = Machine::default();
    let (mut journal, _) = open(&machine).unwrap();
    journal.secure_room().unwrap();
    machine.limit_room(Some(machine.bytes_used() + SEGMENT_BYTES / 2));
    let mut ledger = Ledger::default();
    let error = loop {
        ledger.append(&mut journal, Part::Last).unwrap();
        if let Err(error) = journal.secure_room() {
            break error;
        }
    };
    assert!(matches!(error, JournalError::NoRoom { .. }), "{error}");
    let left = journal.last.bytes - journal.last.end;
    assert!(left > SEGMENT_BYTES / 2, "{left} bytes are left");
    ledger.append(&mut journal, Part::Last).unwrap();
    journal.secure_room().unwrap_err();
    machine.limit_room(None);
    // One look begins to make the room, the next finds it.
    journal.secure_room().unwrap_err();
    journal.secure_room().unwrap();
    for _ in 0..20 {
        ledger.append(&mut journal, Part::Last).unwrap();
        journal.secure_room().unwrap();
    }
    ledger.judge(&journal).unwrap();
}

#[test]
fn room_that_was_short_while_a_segment_was_made_ahead_is_asked_for_again() {
    let machine = Machine::default();
    machine.limit_room(Some(SEGMENT_BYTES));
    let (mut journal, _) = open(&machine).unwrap();
    machine.limit_room(None);
    let mut ledger = Ledger::default();
    for _ in 0..20 {
        ledger.append(&mut journal, Part::Last).unwrap();
    }
    ledger.judge(&journal).unwrap();
}

#[test]
fn a_new_journal_without_room_says_so() {
    let machine = Machine::default();
    machine.limit_room(Some(SEGMENT_BYTES - 1));
    let error = open(&machine).map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::NoRoom { .. }), "{error}");
    machine.limit_room(None);
    open(&machine).unwrap();
}

/// One start, some frames, and the end of it.
#[derive(Clone, Debug)]
struct Life {
    parts: Vec<Part>,
    trim: u64,
    fault: Fault,
    fault_at: u64,
    seed: u64,
}

fn any_life() -> impl Strategy<Value = Life> {
    let part = prop_oneof![3 => Just(Part::Last), 2 => Just(Part::MoreFollows)];
    let fault = prop_oneof![
        4 => Just(Fault::PowerFails),
        1 => Just(Fault::Refuses(ErrorKind::Other)),
        1 => Just(Fault::BreaksOff(ErrorKind::Other)),
        1 => Just(Fault::Refuses(ErrorKind::StorageFull)),
    ];
    let parts = prop::collection::vec(part, 0..24);
    (parts, 0..40_u64, fault, 0..260_u64, any::<u64>()).prop_map(
        |(parts, trim, fault, fault_at, seed)| Life {
            parts,
            trim,
            fault,
            fault_at,
            seed,
        },
    )
}

fn live_once(machine: &Machine, ledger: &mut Ledger, life: &Life) -> Result<(), JournalError> {
    let (mut journal, _) = open(machine)?;
    ledger.judge(&journal)?;
    for (index, part) in life.parts.iter().enumerate() {
        ledger.append(&mut journal, *part)?;
        if index == 8 {
            let whole = bytes(whole_payloads(&ledger.acknowledged).len());
            ledger.trimmed_below = ledger.trimmed_below.max(life.trim.min(whole));
            journal.trim_below(Position::new(life.trim.min(whole)))?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_number_of_lives_that_end_badly_lose_nothing(
        lives in prop::collection::vec(any_life(), 1..8),
    ) {
        let machine = Machine::default();
        let mut ledger = Ledger::default();
        for life in &lives {
            machine.fail_at(life.fault_at, life.fault);
            let result = live_once(&machine, &mut ledger, life);
            assert!(machine.has_failed() || result.is_ok());
            machine.crash(dice(life.seed));
        }
        let (journal, _) = open(&machine).unwrap();
        ledger.judge(&journal).unwrap();
    }
}

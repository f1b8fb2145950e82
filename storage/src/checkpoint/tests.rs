use std::io::ErrorKind;

use proptest::prelude::*;

use super::*;
use crate::journal::tests::machine::{Fault, Machine};
use shardbook_engine::id::Sequence;

const DIRECTORY: &str = "/data/checkpoints-0";
const EXCHANGE: Uuid = Uuid::from_u128(7);

fn open(machine: &Machine) -> Result<FileCheckpoints, CheckpointError> {
    FileCheckpoints::open_on(Arc::new(machine.clone()), Path::new(DIRECTORY), EXCHANGE)
}

/// What the instrument's state is at a position.
fn state(instrument: u32, position: u64) -> Vec<u8> {
    format!("instrument {instrument} as the frame at {position} left it").into_bytes()
}

/// Makes the checkpoint at a position: instruments 0 and 1 change every time, 2 every other.
fn checkpoint(store: &FileCheckpoints, position: u64) -> Result<(), CheckpointError> {
    let before = usable(store)?;
    let at = Position::new(position);
    let mut entries = Vec::new();
    for number in 0..3 {
        let instrument = InstrumentId::new(number);
        let kept = before.as_ref().and_then(|before| before.entry(instrument));
        let entry = match kept {
            Some(kept) if number == 2 && position.is_multiple_of(2) => kept.clone(),
            Some(_) | None => ManifestEntry {
                instrument,
                sequence: Sequence::new(position),
                saved: store.save(instrument, at, &state(number, position))?,
            },
        };
        entries.push(entry);
    }
    let manifest = Manifest {
        position: at,
        entries,
    };
    store.commit(&manifest, before.as_ref())
}

/// The newest checkpoint of which everything can be read, as a start would find it.
fn usable(store: &FileCheckpoints) -> Result<Option<Manifest>, CheckpointError> {
    for manifest in store.manifests()? {
        let mut is_whole = true;
        for entry in &manifest.entries {
            match store.load(entry) {
                Ok(bytes) => {
                    let number = entry.instrument.get();
                    assert_eq!(bytes, state(number, entry.saved.position.get()));
                }
                Err(error @ CheckpointError::Io { .. }) => return Err(error),
                Err(_) => is_whole = false,
            }
        }
        if is_whole {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

fn position(store: &FileCheckpoints) -> u64 {
    let usable = usable(store).unwrap();
    usable.map_or(0, |manifest| manifest.position.get())
}

fn positions(store: &FileCheckpoints) -> Vec<u64> {
    let manifests = store.manifests().unwrap();
    let positions = manifests.iter().map(|manifest| manifest.position.get());
    positions.collect()
}

fn made(count: u64) -> Machine {
    let machine = Machine::default();
    let store = open(&machine).unwrap();
    for position in 1..=count {
        checkpoint(&store, position).unwrap();
    }
    machine
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

#[test]
fn two_are_kept_with_the_files_they_name_and_nothing_else() {
    let machine = made(4);
    let store = open(&machine).unwrap();
    assert_eq!(positions(&store), [4, 3]);
    let names = [
        "0-3.state",
        "0-4.state",
        "00000000000000000003.manifest",
        "00000000000000000004.manifest",
        "1-3.state",
        "1-4.state",
        // It did not change.
        "2-3.state",
    ];
    assert_eq!(machine.names(), names.map(path));
}

#[test]
fn a_new_store_has_none() {
    let store = open(&Machine::default()).unwrap();
    assert_eq!(positions(&store), [0_u64; 0]);
}

#[test]
fn whatever_is_changed_in_the_newest_the_one_before_it_is_used() {
    let names = [
        "00000000000000000003.manifest",
        "0-3.state",
        "1-3.state",
        "2-3.state",
    ];
    for name in names.map(path) {
        let whole = made(3);
        let bytes = whole.content(&name);
        let damages = (0..bytes.len()).flat_map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            [flipped, bytes[..at].to_vec()]
        });
        let longer = [bytes.as_slice(), b"x"].concat();
        for damaged in damages.chain([longer]) {
            let machine = whole.copy();
            machine.set_content(&name, damaged);
            let store = open(&machine).unwrap();
            assert_eq!(position(&store), 2, "{}", name.display());
        }
        let machine = whole.copy();
        machine.delete(&name);
        let store = open(&machine).unwrap();
        assert_eq!(position(&store), 2);
        // The next one takes its place, even at the same position.
        checkpoint(&store, 3).unwrap();
        assert_eq!(position(&store), 3);
        assert_eq!(positions(&store), [3, 2]);
    }
}

#[test]
fn a_foreign_version_and_another_exchange_are_passed_over_and_named() {
    let machine = made(2);
    let newest = path("00000000000000000002.manifest");
    let mut bytes = machine.content(&newest);
    bytes[8] = 9;
    machine.set_content(&newest, bytes);
    let store = open(&machine).unwrap();
    let error = store.read_manifest("00000000000000000002.manifest");
    let error = error.unwrap_err().to_string();
    assert!(error.contains("format version 9 is unknown"), "{error}");
    assert_eq!(position(&store), 1);
    let other = FileCheckpoints::open_on(
        Arc::new(machine.clone()),
        Path::new(DIRECTORY),
        Uuid::from_u128(8),
    );
    assert_eq!(positions(&other.unwrap()), [0_u64; 0]);
}

/// Dice that can be thrown again: nothing survives, everything, or some of it.
fn dice(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        match seed {
            0 => false,
            1 => true,
            _ => state >> 40 & 1 == 0,
        }
    }
}

/// Lets each operation of making the third checkpoint fail in turn, with and without a crash
/// after it, and says how many there were.
fn fail_each_operation(fault: Fault) -> u64 {
    let whole = made(2);
    for operation in 0.. {
        for (seed, crashes) in (0..4).flat_map(|seed| [(seed, true), (seed, false)]) {
            let machine = whole.copy();
            let store = open(&machine).unwrap();
            machine.fail_at(operation, fault);
            let result = checkpoint(&store, 3);
            if !machine.has_failed() {
                result.unwrap();
                return operation;
            }
            if crashes {
                machine.crash(dice(seed));
            }
            let store = open(&machine).unwrap();
            let found = position(&store);
            assert!(found == 2 || found == 3, "{found}");
            // What was committed is there, whatever failed while old ones were removed.
            assert!(result.is_err() || found == 3, "operation {operation}");
            // A journal that was trimmed below the older of the two goes on from either.
            assert!(positions(&store).iter().all(|position| *position >= 1));
            checkpoint(&store, 4).unwrap();
            assert_eq!(positions(&store), [4, found]);
            machine.crash(|| false);
            assert_eq!(position(&open(&machine).unwrap()), 4);
        }
    }
    unreachable!("a checkpoint ends")
}

#[test]
fn whichever_operation_fails_a_start_has_a_checkpoint_and_the_next_one_is_made() {
    let kinds = [ErrorKind::Other, ErrorKind::StorageFull];
    for kind in kinds {
        assert!(fail_each_operation(Fault::Refuses(kind)) > 20);
        assert!(fail_each_operation(Fault::BreaksOff(kind)) > 20);
    }
}

#[test]
fn whenever_the_power_fails_a_start_has_a_checkpoint_and_the_next_one_is_made() {
    assert!(fail_each_operation(Fault::PowerFails) > 20);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_number_of_crashes_loses_the_newest_that_was_committed(
        lives in prop::collection::vec((0..120_u64, any::<u64>()), 1..8),
    ) {
        let machine = Machine::default();
        let (mut committed, mut next) = (0, 1);
        for (fault_at, seed) in lives {
            let store = open(&machine).unwrap();
            machine.fail_at(fault_at, Fault::PowerFails);
            for _ in 0..4 {
                if checkpoint(&store, next).is_err() {
                    break;
                }
                committed = next;
                next += 1;
            }
            machine.crash(dice(seed));
            let found = position(&open(&machine).unwrap());
            prop_assert!(found >= committed, "{found} found, {committed} committed");
            committed = found;
            next = next.max(found) + 1;
        }
    }
}

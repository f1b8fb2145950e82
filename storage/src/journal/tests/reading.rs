//! Readers beside the writer.

use std::io::ErrorKind;
use std::thread;

use super::machine::Fault;
use super::*;

#[test]
fn a_reader_can_begin_at_every_position_held_and_at_the_next() {
    let story = Story::of(20);
    let (journal, _) = open(&story.machine).unwrap();
    let source = journal.source();
    for position in 1..=21 {
        let mut reader = source.read_from(Position::new(position)).unwrap();
        let from = usize::try_from(position - 1).unwrap();
        assert_eq!(
            read_to_end(reader.as_mut()).unwrap(),
            expected(position, &story.frames[from..])
        );
    }
}

#[test]
fn positions_outside_of_the_journal_are_refused() {
    let story = Story::of(20);
    let (mut journal, _) = open(&story.machine).unwrap();
    journal.trim_below(Position::new(12)).unwrap();
    let source = journal.source();
    let oldest = source.range().oldest.get();
    assert!(oldest > 1);
    for position in [0, 1, oldest - 1, 22, u64::MAX] {
        match source.read_from(Position::new(position)).map(|_| ()) {
            Err(JournalError::OutOfRange { wanted, newest, .. }) => {
                assert_eq!((wanted.get(), newest.get()), (position, 20));
            }
            other => panic!("position {position}: {other:?}"),
        }
    }
}

#[test]
fn a_reader_at_the_end_sees_each_frame_once_it_is_there() {
    let machine = Machine::default();
    let (mut journal, _) = open(&machine).unwrap();
    let mut reader = journal.source().read_from(Position::new(1)).unwrap();
    for position in 1..=30 {
        assert_eq!(reader.read().unwrap(), None);
        let frame = written(position, Part::Last);
        append(&mut journal, &frame).unwrap();
        let read = reader.read().unwrap();
        assert_eq!(read, expected(position, &[frame]).pop());
    }
}

#[test]
fn a_reader_sees_nothing_that_is_not_flushed() {
    let machine = Machine::default();
    let (mut journal, _) = open(&machine).unwrap();
    let source = journal.source();
    append(&mut journal, &written(1, Part::Last)).unwrap();
    let mut waiting = source.read_from(Position::new(2)).unwrap();
    let mut behind = source.read_from(Position::new(1)).unwrap();
    machine.fail_at(1, Fault::Refuses(ErrorKind::Other));
    append(&mut journal, &written(2, Part::Last)).unwrap_err();
    assert!(machine.has_failed());
    assert_eq!(source.range().newest, Position::new(1));
    assert_eq!(waiting.read().unwrap(), None);
    assert_eq!(read_to_end(behind.as_mut()).unwrap().len(), 1);
    assert!(source.read_from(Position::new(3)).is_err());
}

#[test]
fn a_reader_whose_place_was_trimmed_is_told() {
    let story = Story::of(20);
    let (mut journal, _) = open(&story.machine).unwrap();
    let mut reader = journal.source().read_from(Position::new(1)).unwrap();
    reader.read().unwrap();
    journal.trim_below(Position::new(20)).unwrap();
    let error = read_to_end(reader.as_mut()).unwrap_err();
    assert!(matches!(error, JournalError::OutOfRange { .. }), "{error}");
}

#[test]
fn damage_done_after_the_start_is_seen_by_readers() {
    let story = Story::of(20);
    let (journal, _) = open(&story.machine).unwrap();
    for place in &story.places {
        let whole = story.machine.content(&place.path);
        let mut content = whole.clone();
        content[usize::try_from(place.from).unwrap() + 20] ^= 4;
        story.machine.set_content(&place.path, content);
        let mut reader = journal.source().read_from(Position::new(1)).unwrap();
        let error = read_to_end(reader.as_mut()).unwrap_err();
        let JournalError::Damaged {
            place: file,
            offset,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(
            (Path::new(&file), offset),
            (place.path.as_path(), place.from)
        );
        story.machine.set_content(&place.path, whole);
    }
}

#[test]
fn readers_keep_up_with_a_writer_on_real_files() {
    const FRAMES: u64 = 400;
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("journal");
    let files = Arc::new(LocalFiles);
    let (mut journal, _) = FileJournal::open_on(files, &directory, 2048, Filling::Ahead).unwrap();
    let frames: Vec<Written> = (1..=FRAMES).map(|at| written(at, Part::Last)).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            let source = journal.source();
            let frames = &frames;
            scope.spawn(move || {
                let mut reader = source.read_from(Position::new(1)).unwrap();
                for frame in expected(1, frames) {
                    let read = std::iter::repeat_with(|| reader.read().unwrap())
                        .inspect(|read| {
                            if read.is_none() {
                                thread::yield_now();
                            }
                        })
                        .find_map(|read| read);
                    assert_eq!(read, Some(frame));
                }
                assert_eq!(reader.read().unwrap(), None);
            });
        }
        for frame in &frames {
            append(&mut journal, frame).unwrap();
        }
    });
}

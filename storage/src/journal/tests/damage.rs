//! Bytes that are cut, flipped, missing or another's.

use super::*;

/// What opening says that refuses.
fn refusal(machine: &Machine) -> (PathBuf, u64, String) {
    let names = machine.names();
    match open(machine).map(|(_, report)| report) {
        Err(JournalError::Damaged {
            place,
            offset,
            what,
        }) => {
            let kept = |path: &&PathBuf| path.extension().unwrap() == "segment";
            assert!(
                machine
                    .names()
                    .iter()
                    .filter(kept)
                    .eq(names.iter().filter(kept))
            );
            (PathBuf::from(place), offset, what)
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn files_of(story: &Story) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = story
        .places
        .iter()
        .map(|place| place.path.clone())
        .collect();
    paths.dedup();
    paths
}

fn with_three_frames_in_its_last_segment() -> Story {
    let is_such = |story: &Story| {
        let in_last = |place: &&Place| place.path == story.last().path;
        story.places.iter().filter(in_last).count() == 3
    };
    (6..).map(Story::of).find(is_such).unwrap()
}

#[test]
fn a_journal_cut_at_any_byte_of_its_last_segment_holds_exactly_the_frames_before() {
    let story = with_three_frames_in_its_last_segment();
    let path = &story.last().path;
    let whole = story.machine.content(path);
    for cut in segment::HEADER_BYTES..=whole.len() {
        let is_whole = |place: &Place| place.path != *path || place.until <= bytes(cut);
        let frames = story.places.iter().filter(|place| is_whole(place)).count();
        let end = match story.places[frames - 1].path == *path {
            true => story.places[frames - 1].until,
            false => FRAMES_BEGIN,
        };
        for fill in [0, whole.len() - cut] {
            let machine = story.copy();
            let mut content = whole[..cut].to_vec();
            content.resize(cut + fill, 0);
            machine.set_content(path, content);
            let report = story.holds(&machine, frames);
            assert_eq!(machine.content(path).len(), whole.len());
            let torn = report
                .torn_tail
                .map(|torn| (torn.file, torn.offset, torn.frames));
            // Where the rest happens to be zeros, there is nothing to be seen of it.
            let is_clean = whole[usize::try_from(end).unwrap()..cut]
                .iter()
                .all(|b| *b == 0);
            assert_eq!(
                torn,
                (!is_clean).then(|| (path.clone(), end, 0)),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn a_last_segment_cut_within_its_header_is_refused() {
    let story = with_three_frames_in_its_last_segment();
    let path = &story.last().path;
    for cut in 0..segment::HEADER_BYTES {
        let machine = story.copy();
        machine.set_content(path, story.machine.content(path)[..cut].to_vec());
        let (place, offset, _) = refusal(&machine);
        assert_eq!((&place, offset), (path, 0));
    }
}

#[test]
fn an_earlier_segment_that_lost_frames_is_refused() {
    let story = with_three_frames_in_its_last_segment();
    let place = &story.places[1];
    let whole = story.machine.content(&place.path);
    for cut in 0..usize::try_from(place.until).unwrap() {
        for fill in [0, whole.len() - cut] {
            let machine = story.copy();
            let mut content = whole[..cut].to_vec();
            content.resize(cut + fill, 0);
            machine.set_content(&place.path, content);
            assert_eq!(refusal(&machine).0, place.path, "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_byte_is_refused_and_in_the_last_frame_takes_that_frame_alone() {
    let story = with_three_frames_in_its_last_segment();
    for path in files_of(&story) {
        let whole = story.machine.content(&path);
        for (at, flip) in (0..whole.len()).flat_map(|at| [0x01, 0x80, 0xff].map(|flip| (at, flip)))
        {
            let machine = story.copy();
            let mut content = whole.clone();
            content[at] ^= flip;
            machine.set_content(&path, content);
            judge_flip(&story, &machine, &path, bytes(at));
        }
    }
}

fn judge_flip(story: &Story, machine: &Machine, path: &Path, at: u64) {
    let is_hit = |place: &Place| place.path == path && (place.from..place.until).contains(&at);
    let is_last_file = path == story.last().path;
    if is_hit(story.last()) {
        let report = story.holds(machine, story.frames.len() - 1);
        let torn = report.torn_tail.unwrap();
        assert_eq!(
            (torn.file.as_path(), torn.offset),
            (path, story.last().from)
        );
        assert_eq!(torn.bytes, story.last().until - story.last().from);
    } else if at < FRAMES_BEGIN || story.places.iter().any(is_hit) {
        let (place, offset, what) = refusal(machine);
        assert_eq!(place, path);
        assert!(offset <= at, "byte {at} flipped: {what}");
        assert!(what.contains("nothing was changed"), "{what}");
        assert!(!what.contains("missing"), "{what}");
    } else if is_last_file {
        let report = story.holds(machine, story.frames.len());
        let torn = report.torn_tail.unwrap();
        assert_eq!(
            (torn.offset, torn.bytes),
            (story.last().until, at + 1 - story.last().until)
        );
    } else {
        // Unused bytes of a closed segment: where they are looked at they are refused.
        match open(machine) {
            Ok((journal, _)) => assert_eq!(read_all(&journal), expected(1, &story.frames)),
            Err(error) => assert!(matches!(error, JournalError::Damaged { .. }), "{error}"),
        }
    }
}

#[test]
fn the_last_frame_of_a_closed_segment_is_never_taken_for_torn() {
    let mut story = Story::of(1);
    while story
        .places
        .iter()
        .all(|place| place.path == story.last().path)
    {
        story = Story::of(bytes(story.frames.len()) + 1);
    }
    // The last segment is there and empty, as a crash right after rotation leaves it.
    let closed = story.places[story.places.len() - 2].clone();
    let mut last = story.machine.content(&story.last().path);
    last[segment::HEADER_BYTES..].fill(0);
    story.machine.set_content(&story.last().path, last);
    story.holds(&story.copy(), story.frames.len() - 1);

    let mut content = story.machine.content(&closed.path);
    content[usize::try_from(closed.until).unwrap() - 1] ^= 1;
    story.machine.set_content(&closed.path, content);
    let (place, offset, _) = refusal(&story.machine);
    assert_eq!((place, offset), (closed.path, closed.from));
}

#[test]
fn a_run_without_its_last_part_is_cut_whole() {
    // Runs of every length, so that some begin and end at a segment's edge.
    for (before, run) in (0..6).flat_map(|before| (1..12).map(move |run| (before, run))) {
        let whole = (1..=before).map(|position| written(position, Part::Last));
        let parts = (before + 1..=before + run).map(|at| written(at, Part::MoreFollows));
        let story = Story::with(whole.chain(parts));
        let begins = story.places[usize::try_from(before).unwrap()].clone();
        let report = story.holds(&story.copy(), usize::try_from(before).unwrap());
        let torn = report.torn_tail.unwrap();
        assert_eq!(torn.frames, run);
        assert_eq!((torn.file, torn.offset), (begins.path, begins.from));
    }
}

#[test]
fn a_run_with_a_torn_part_behind_it_is_cut_with_it() {
    let whole = (1..=3).map(|position| written(position, Part::Last));
    let story = Story::with(whole.chain((4..=11).map(|at| written(at, Part::MoreFollows))));
    let last = story.last();
    let mut content = story.machine.content(&last.path);
    content[usize::try_from(last.until).unwrap() - 1] ^= 1;
    story.machine.set_content(&last.path, content);
    let torn = story.holds(&story.machine, 3).torn_tail.unwrap();
    assert_eq!(torn.frames, 7);
}

#[test]
fn a_missing_segment_is_named() {
    let story = Story::of(20);
    let paths = files_of(&story);
    for missing in 1..paths.len() - 1 {
        let machine = story.copy();
        machine.delete(&paths[missing]);
        let (place, _, what) = refusal(&machine);
        assert_eq!(place, paths[missing - 1]);
        assert!(what.contains("are missing"), "{what}");
        assert!(
            what.contains(&paths[missing + 1].display().to_string()),
            "{what}"
        );
    }
}

#[test]
fn a_segment_of_another_journal_is_told_from_this_ones() {
    let story = Story::of(20);
    let other = Story::of(20);
    for path in &files_of(&story)[1..] {
        let machine = story.copy();
        machine.set_content(path, other.machine.content(path));
        let (place, offset, what) = refusal(&machine);
        assert_eq!((&place, offset), (path, 0));
        assert!(what.contains("of another journal"), "{what}");
    }
}

#[test]
fn a_segment_of_the_same_journals_other_history_is_refused() {
    // One journal, restored from a copy and written on.
    let story = Story::of(5);
    let go_on = |machine: &Machine, begins_with: u8| {
        let (mut journal, _) = open(machine).unwrap();
        for _ in 0..15 {
            journal.append(Part::Last, &[begins_with; 20]).unwrap();
        }
        journal.last.path.clone()
    };
    let (one, other) = (story.copy(), story.copy());
    let path = go_on(&one, 1);
    assert_eq!(go_on(&other, 2), path);
    one.set_content(&path, other.content(&path));
    let (place, offset, what) = refusal(&one);
    assert_eq!((place, offset), (path, 0));
    assert!(what.contains("does not go on"), "{what}");
}

#[test]
fn a_segment_in_anothers_place_is_refused() {
    let story = Story::of(20);
    let paths = files_of(&story);
    let machine = story.copy();
    machine.set_content(&paths[1], story.machine.content(&paths[2]));
    let (place, _, what) = refusal(&machine);
    assert_eq!(place, paths[1]);
    assert!(what.contains("name"), "{what}");
}

#[test]
fn foreign_files_and_versions_have_their_own_words() {
    let story = Story::of(3);
    let path = story.last().path.clone();
    let whole = story.machine.content(&path);
    for (bytes, words) in [
        (b"SQLite format 3\0".to_vec(), "not a segment"),
        (
            [&whole[..8], &[2, 0, 0, 0], &whole[12..]].concat(),
            "format version 2",
        ),
        (Vec::new(), "too short"),
        (
            [whole.clone(), vec![0]].concat(),
            "goes on where it should have ended",
        ),
    ] {
        let machine = story.copy();
        machine.set_content(&path, bytes);
        let (place, _, what) = refusal(&machine);
        assert_eq!(place, path);
        assert!(what.contains(words), "{what}");
    }
}

#[test]
fn what_is_no_segment_is_left_alone_and_spares_go() {
    let story = Story::of(3);
    let machine = story.copy();
    let notes = directory().join("notes.txt");
    let spare = directory().join("spare-77.tmp");
    for path in [&notes, &spare] {
        machine.create(path).unwrap();
    }
    story.holds(&machine, 3);
    assert!(machine.names().contains(&notes));
    assert!(!machine.names().contains(&spare));
}

#[test]
fn a_payload_that_holds_another_journals_frames_is_torn_like_any_other() {
    let other = Story::of(3);
    let payload = other.machine.content(&other.last().path)[..150].to_vec();
    let smuggled = Written {
        part: Part::Last,
        payload,
    };
    let story = Story::with([written(1, Part::Last), smuggled]);
    let last = story.last().clone();
    let mut content = story.machine.content(&last.path);
    content[usize::try_from(last.from).unwrap()] ^= 1;
    story.machine.set_content(&last.path, content);
    story.holds(&story.machine, story.frames.len() - 1);
}

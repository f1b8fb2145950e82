//! The journal's proof: what is acknowledged is found again, whatever fails, and what is found
//! was written.

mod crashes;
mod damage;
mod golden;
pub(crate) mod machine;
mod reading;

use super::*;
use machine::Machine;
use shardbook_engine::journal::{JournalReader, ReadFrame};

/// Holds four frames or so, so that a short story has several segments.
const SEGMENT_BYTES: u64 = 256;

fn directory() -> &'static Path {
    Path::new("/data/journal")
}

fn open(machine: &Machine) -> Result<(FileJournal, OpenReport), JournalError> {
    let files = Arc::new(machine.clone());
    FileJournal::open_on(files, directory(), SEGMENT_BYTES, Filling::InPlace)
}

/// What a frame was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    part: Part,
    payload: Vec<u8>,
}

/// The frame that belongs at a position: sizes vary, and none looks like another.
fn written(position: u64, part: Part) -> Written {
    let length = usize::try_from(5 + position * 7 % 31).unwrap();
    let payload = position.to_le_bytes().into_iter().cycle();
    Written {
        part,
        payload: payload.map(|byte| byte ^ 0xa5).take(length).collect(),
    }
}

fn append(journal: &mut FileJournal, frame: &Written) -> Result<Position, JournalError> {
    journal.append(frame.part, &frame.payload)
}

/// All that a journal gives to a reader.
fn read_all(journal: &FileJournal) -> Vec<ReadFrame> {
    try_read_all(journal).unwrap()
}

fn try_read_all(journal: &FileJournal) -> Result<Vec<ReadFrame>, JournalError> {
    let source = journal.source();
    let mut reader = source.read_from(source.range().oldest)?;
    read_to_end(reader.as_mut())
}

fn read_to_end(reader: &mut dyn JournalReader) -> Result<Vec<ReadFrame>, JournalError> {
    std::iter::from_fn(|| reader.read().transpose()).collect()
}

/// Frames as they must be read when the first has position `oldest`.
fn expected(oldest: u64, frames: &[Written]) -> Vec<ReadFrame> {
    frames
        .iter()
        .zip(oldest..)
        .map(|(frame, position)| ReadFrame {
            position: Position::new(position),
            part: frame.part,
            payload: frame.payload.clone(),
        })
        .collect()
}

/// Where a frame of a journal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    from: u64,
    until: u64,
}

/// A small journal, and where everything in it is.
struct Story {
    machine: Machine,
    frames: Vec<Written>,
    places: Vec<Place>,
}

impl Story {
    /// A journal of so many frames, each a payload of its own.
    fn of(frames: u64) -> Self {
        Self::with((1..=frames).map(|position| written(position, Part::Last)))
    }

    fn with(frames: impl IntoIterator<Item = Written>) -> Self {
        let machine = Machine::default();
        let (mut journal, _) = open(&machine).unwrap();
        let mut story = Self {
            machine,
            frames: Vec::new(),
            places: Vec::new(),
        };
        for frame in frames {
            append(&mut journal, &frame).unwrap();
            let frame_bytes = bytes(frame::HEADER_BYTES + frame.payload.len());
            story.frames.push(frame);
            story.places.push(Place {
                path: journal.last.path.clone(),
                from: journal.last.end - frame_bytes,
                until: journal.last.end,
            });
        }
        story
    }

    fn last(&self) -> &Place {
        self.places.last().unwrap()
    }

    /// The same machine once more, to be changed.
    fn copy(&self) -> Machine {
        self.machine.copy()
    }

    /// Opens `machine`, whose journal has to hold the first `frames` frames, to take more, and to
    /// be found whole after that.
    fn holds(&self, machine: &Machine, frames: usize) -> OpenReport {
        let (mut journal, report) = open(machine).unwrap();
        assert_eq!(read_all(&journal), expected(1, &self.frames[..frames]));
        let mut all = self.frames[..frames].to_vec();
        for position in 0..3 {
            let more = written(100 + position, Part::Last);
            append(&mut journal, &more).unwrap();
            all.push(more);
        }
        drop(journal);
        let (journal, again) = open(machine).unwrap();
        assert_eq!(read_all(&journal), expected(1, &all));
        assert_eq!(again.torn_tail, None);
        assert_eq!(again.range.newest, Position::new(bytes(all.len())));
        report
    }
}

#[test]
fn frames_come_back_as_they_were_appended_over_many_segments() {
    let story = Story::of(40);
    assert!(story.machine.names().len() > 5);
    let report = story.holds(&story.machine, 40);
    assert_eq!(report.torn_tail, None);
    assert_eq!(report.range.oldest, Position::new(1));
    assert_eq!(report.range.newest, Position::new(40));
}

#[test]
fn a_new_journal_is_empty_and_stays_so() {
    let machine = Machine::default();
    for _ in 0..3 {
        let (journal, report) = open(&machine).unwrap();
        assert_eq!(report.range.oldest, Position::new(1));
        assert_eq!(report.range.newest, Position::ZERO);
        assert_eq!(read_all(&journal), []);
    }
}

#[test]
fn payloads_of_many_frames_keep_their_parts_across_segments() {
    let parts = [1, 7, 3, 1, 12];
    let mut position = 0;
    let frames = parts.into_iter().flat_map(|length| {
        let first = position + 1;
        position += length;
        (first..=position).map(move |at| {
            let is_last = at + 1 == first + length;
            written(
                at,
                if is_last {
                    Part::Last
                } else {
                    Part::MoreFollows
                },
            )
        })
    });
    let story = Story::with(frames);
    story.holds(&story.copy(), 24);
}

#[test]
fn empty_and_largest_payloads_are_frames_like_others() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("journal");
    let options = JournalOptions { segment_bytes: 0 };
    let frames = [0, FRAME_BYTES_MAX, 1, FRAME_BYTES_MAX, FRAME_BYTES_MAX].map(|length| Written {
        part: Part::Last,
        payload: vec![0x5a; length],
    });
    let (mut journal, _) = FileJournal::open(&directory, options).unwrap();
    for frame in &frames {
        append(&mut journal, frame).unwrap();
    }
    assert_eq!(read_all(&journal), expected(1, &frames));
    drop(journal);
    let (journal, report) = FileJournal::open(&directory, options).unwrap();
    assert_eq!(report.torn_tail, None);
    assert_eq!(read_all(&journal), expected(1, &frames));
    drop(journal);
    assert_eq!(verify(&directory).unwrap(), report);
}

#[test]
fn the_size_of_segments_may_change_between_starts() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("journal");
    let mut frames = Vec::new();
    for segment_bytes in [200, 1000, 300, 250] {
        let files = Arc::new(LocalFiles);
        let (mut journal, _) =
            FileJournal::open_on(files, &directory, segment_bytes, Filling::Ahead).unwrap();
        for _ in 0..15 {
            let frame = written(bytes(frames.len()) + 1, Part::Last);
            append(&mut journal, &frame).unwrap();
            frames.push(frame);
        }
        assert_eq!(read_all(&journal), expected(1, &frames));
    }
}

#[test]
fn trimming_gives_up_whole_segments_below_and_for_good() {
    let story = Story::of(30);
    let (mut journal, _) = open(&story.machine).unwrap();
    let before = story.machine.names().len();
    let mut oldest = 1;
    for position in [0, 1, 9, 17, 9, 30, 31, 99] {
        journal.trim_below(Position::new(position)).unwrap();
        let range = journal.source().range();
        assert!((oldest..=oldest.max(position)).contains(&range.oldest.get()));
        oldest = range.oldest.get();
        assert_eq!(range.newest, Position::new(30));
    }
    assert!(story.machine.names().len() < before);
    let oldest = journal.source().range().oldest;
    let last_segment = story
        .places
        .iter()
        .position(|place| place.path == story.last().path);
    assert_eq!(oldest.get(), bytes(last_segment.unwrap()) + 1);
    drop(journal);
    story.machine.crash(|| false);
    let (journal, report) = open(&story.machine).unwrap();
    assert_eq!(report.range.oldest, oldest);
    let kept = &story.frames[last_segment.unwrap()..];
    assert_eq!(read_all(&journal), expected(oldest.get(), kept));
}

#[test]
fn a_journal_closed_while_a_spare_is_made_opens_at_once() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("journal");
    for _ in 0..5 {
        let options = JournalOptions {
            segment_bytes: 16 * 1024 * 1024,
        };
        let (mut journal, _) = FileJournal::open(&directory, options).unwrap();
        journal.append(Part::Last, b"payload").unwrap();
    }
    assert_eq!(verify(&directory).unwrap().range.newest, Position::new(5));
}

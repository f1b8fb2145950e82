//! The golden data directory in `fixtures/golden/v1`: what version 1 of every format looks like.
//!
//! Its journal and its control log are frozen: they were written once, and every later program
//! must read them and come to the same state. `SHARDBOOK_GOLDEN=write` makes what is missing, so
//! that what is there is never overwritten, and makes the checkpoint anew, which follows from the
//! journal. `fixtures/golden/README.md` says the rest.

mod kinds;
mod story;

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use shardbook_engine::checkpoint::{self, CheckpointStore, Manifest, ManifestEntry};
use shardbook_engine::control;
use shardbook_engine::market_data::{Applied, MarketData, MarketDataLimits};
use shardbook_engine::partition::reader::RecordReader;
use shardbook_engine::record::{Record, begin_payload, decode_payload};
use shardbook_engine::shard::{Replayer, Shard, ShardLimits};
use uuid::Uuid;

use super::*;
use crate::checkpoint::FileCheckpoints;
use crate::control_log::Contents;

/// Small, so that the story has several segments.
const SEGMENT_BYTES: u64 = 4096;

/// Bytes of payload in a frame of the golden journal, so that a short story has long runs.
const FRAME_BYTES: usize = 200;

const EXCHANGE: Uuid = Uuid::from_bytes(*b"golden exchange!");

/// Where it stands; written before anyone reads it, if that is asked for.
fn golden() -> &'static Path {
    static GOLDEN: LazyLock<PathBuf> = LazyLock::new(|| {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/v1");
        if std::env::var("SHARDBOOK_GOLDEN").is_ok_and(|word| word == "write") {
            write(&golden);
        }
        golden
    });
    &GOLDEN
}

/// Makes the logs where there are none, and the checkpoint anew.
fn write(golden: &Path) {
    let (control, journal) = (golden.join("control"), golden.join("partition-0"));
    if !control.exists() {
        write_control_log(&control);
    }
    if !journal.exists() {
        write_journal(&journal);
    }
    let checkpoints = golden.join("checkpoints-0");
    let _ = fs::remove_dir_all(&checkpoints);
    write_checkpoints(&checkpoints, &*read_only(&journal).unwrap().source);
    for directory in [control, journal] {
        for name in all_names(&directory) {
            if name.ends_with(".tmp") {
                fs::remove_file(directory.join(name)).unwrap();
            }
        }
    }
}

fn all_names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// A new journal that is no other's, with a number that is always the same.
fn begin(directory: &Path, id: [u8; 16]) -> FileJournal {
    fs::create_dir_all(directory).unwrap();
    let journal = JournalId::golden(id);
    let header = SegmentHeader {
        journal,
        first: Position::new(1),
        segment_bytes: SEGMENT_BYTES,
        chain: journal.first_chain(),
    };
    let mut bytes = header.encode();
    bytes.resize(usize::try_from(SEGMENT_BYTES).unwrap(), 0);
    fs::write(segment::path(directory, header.first), bytes).unwrap();
    let files = Arc::new(LocalFiles);
    let opened = FileJournal::open_on(files, directory, SEGMENT_BYTES, Filling::InPlace);
    opened.unwrap().0
}

fn append_payload(journal: &mut FileJournal, payload: &[u8]) {
    let mut frames = payload.chunks(FRAME_BYTES).peekable();
    while let Some(frame) = frames.next() {
        let part = match frames.peek() {
            Some(_) => Part::MoreFollows,
            None => Part::Last,
        };
        journal.append(part, frame).unwrap();
    }
}

fn write_control_log(directory: &Path) {
    let mut journal = begin(directory, *b"golden control 1");
    for record in story::control_records(EXCHANGE) {
        let mut payload = Vec::new();
        control::begin_payload(&mut payload);
        record.encode(&mut payload);
        append_payload(&mut journal, &payload);
    }
}

/// Writes the story: a payload of one record, then one of two, of three, and again.
fn write_journal(directory: &Path) {
    let mut journal = begin(directory, *b"golden journal 1");
    let records = story::records();
    let mut rest = &records[..];
    for count in [1, 2, 3].into_iter().cycle() {
        if rest.is_empty() {
            return;
        }
        let (payload, after) = rest.split_at(count.min(rest.len()));
        append_payload(&mut journal, &encoded(payload));
        rest = after;
    }
}

fn encoded(records: &[Record]) -> Vec<u8> {
    let mut payload = Vec::new();
    begin_payload(&mut payload);
    for record in records {
        record.parts().encode(&mut payload);
    }
    payload
}

/// Folds the golden journal and keeps what it comes to, beside what it came to half-way.
fn write_checkpoints(directory: &Path, source: &dyn JournalSource) {
    let store = FileCheckpoints::open(directory, EXCHANGE).unwrap();
    let payloads = payloads(source);
    let mut before: Option<Manifest> = None;
    let mut fold = Fold::new();
    for (number, payload) in (1..).zip(&payloads) {
        fold.take(std::slice::from_ref(payload));
        if number != payloads.len() / 2 && number != payloads.len() {
            continue;
        }
        let position = payload.position();
        let entries = fold.states().into_iter().map(|(instrument, state)| {
            let sequence = fold.0[&instrument].1.sequence();
            let saved = store.save(instrument, position, &state).unwrap();
            ManifestEntry {
                instrument,
                sequence,
                saved,
            }
        });
        let entries = entries.collect();
        let manifest = Manifest { position, entries };
        store.commit(&manifest, before.as_ref()).unwrap();
        before = Some(manifest);
    }
}

type Payload = shardbook_engine::journal::Durable<Vec<Record>>;
type Number = shardbook_engine::id::InstrumentId;

fn payloads(source: &dyn JournalSource) -> Vec<Payload> {
    let mut reader = RecordReader::from(source, Position::new(1)).unwrap();
    std::iter::from_fn(|| reader.read().unwrap()).collect()
}

/// All instruments, as records make them.
struct Fold(BTreeMap<Number, (Replayer, MarketData)>);

impl Fold {
    fn new() -> Self {
        let instruments = story::instruments().into_iter().map(|instrument| {
            let shard = Shard::new(Arc::clone(&instrument), ShardLimits::default());
            let market_data = MarketData::new(instrument, MarketDataLimits::default());
            (shard, market_data)
        });
        Self::of(instruments)
    }

    fn of(instruments: impl Iterator<Item = (Shard, MarketData)>) -> Self {
        let instruments = instruments.map(|(shard, market_data)| {
            let id = shard.instrument().id;
            (id, (Replayer::new(shard), market_data))
        });
        Self(instruments.collect())
    }

    /// As the bytes that [`Self::states`] gave.
    fn from_states(states: &BTreeMap<Number, Vec<u8>>) -> Self {
        let instruments = story::instruments().into_iter().map(|instrument| {
            let (shard, market_data) = (ShardLimits::default(), MarketDataLimits::default());
            let state = &states[&instrument.id];
            checkpoint::decode(state, &instrument, shard, market_data).unwrap()
        });
        Self::of(instruments)
    }

    fn take(&mut self, payloads: &[Payload]) {
        let mut applied = Applied::default();
        for payload in payloads {
            for record in payload.iter() {
                let (shard, market_data) = self.0.get_mut(&record.instrument).unwrap();
                shard.apply(record);
                market_data.apply(payload.as_ref().map(|_| record), &mut applied);
                applied.clear();
            }
        }
    }

    fn states(&self) -> BTreeMap<Number, Vec<u8>> {
        let states = self.0.iter().map(|(id, (shard, market_data))| {
            (*id, checkpoint::encode(shard.shard(), market_data))
        });
        states.collect()
    }
}

/// The files of a directory, but for what a start would remove.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = all_names(directory).into_iter();
    let kept = names.filter(|name| !name.ends_with(".tmp"));
    kept.map(|name| {
        let bytes = fs::read(directory.join(&name)).unwrap();
        (name, bytes)
    })
    .collect()
}

/// As long as shards decide as they did when it was written. When one day they don't, the story
/// goes; what it has written stays.
#[test]
fn the_golden_logs_are_what_their_story_makes() {
    let made = tempfile::tempdir().unwrap();
    write_control_log(&made.path().join("control"));
    write_journal(&made.path().join("partition-0"));
    for name in ["control", "partition-0"] {
        let made = files(&made.path().join(name));
        assert!(
            files(&golden().join(name)) == made,
            "{name} is not what its story makes; what has been released is never made anew: see \
             fixtures/golden/README.md"
        );
    }
}

/// The checkpoint follows from the journal, and is made of it.
#[test]
fn the_golden_checkpoint_is_what_the_golden_journal_comes_to() {
    let made = tempfile::tempdir().unwrap();
    let directory = made.path().join("checkpoints-0");
    let journal = read_only(&golden().join("partition-0")).unwrap();
    write_checkpoints(&directory, &*journal.source);
    let golden = golden().join("checkpoints-0");
    assert!(
        files(&golden) == files(&directory),
        "the checkpoint's format or what it keeps has changed: see fixtures/golden/README.md"
    );
    let store = FileCheckpoints::open(&golden, EXCHANGE).unwrap();
    let manifests = store.manifests().unwrap();
    assert_eq!(manifests[0].position, journal.report.range.newest);
    assert_eq!(manifests.len(), 2);
    for entry in manifests.iter().flat_map(|manifest| &manifest.entries) {
        store.load(entry).unwrap();
    }
}

#[test]
fn the_golden_journal_holds_every_kind_of_record() {
    let journal = read_only(&golden().join("partition-0")).unwrap();
    assert_eq!(journal.report.torn_tail, None);
    let mut found = kinds::Kinds::new();
    for payload in payloads(&*journal.source) {
        for record in payload.iter() {
            kinds::of_record(record, &mut found);
        }
    }
    assert_eq!(found.len(), kinds::COUNT, "{found:#?}");
    let control = read_only(&golden().join("control")).unwrap();
    let records = Contents::read(&*control.source).unwrap().records;
    let found = records.iter().map(|(_, record)| kinds::of_control(record));
    let found: kinds::Kinds = found.collect();
    assert_eq!(found.len(), kinds::CONTROL_COUNT, "{found:#?}");

    let frames = read_to_end(&mut *journal.source.read_from(Position::new(1)).unwrap()).unwrap();
    let parts = frames.iter().map(|frame| frame.part);
    assert!(parts.filter(|part| *part == Part::MoreFollows).count() > 2);
    assert!(files(&golden().join("partition-0")).len() > 2, "segments");
}

/// What is written today is what was written then, byte for byte.
#[test]
fn golden_records_are_written_again_as_they_were() {
    let journal = read_only(&golden().join("partition-0")).unwrap();
    let frames = read_to_end(&mut *journal.source.read_from(Position::new(1)).unwrap()).unwrap();
    let mut payload = Vec::new();
    let mut payloads = 0;
    for frame in frames {
        payload.extend(frame.payload);
        if frame.part == Part::Last {
            let records = decode_payload(&payload).unwrap();
            assert_eq!(encoded(&records), payload, "up to {}", frame.position);
            payload.clear();
            payloads += 1;
        }
    }
    assert!(payloads > 50);
    let control = read_only(&golden().join("control")).unwrap();
    let mut frames = control.source.read_from(Position::new(1)).unwrap();
    while let Some(frame) = frames.read().unwrap() {
        let mut again = Vec::new();
        control::begin_payload(&mut again);
        for record in control::decode_payload(&frame.payload).unwrap() {
            record.encode(&mut again);
        }
        assert_eq!(again, frame.payload, "control log at {}", frame.position);
    }
}

#[test]
fn the_golden_journal_comes_to_the_same_from_each_of_its_positions() {
    let journal = read_only(&golden().join("partition-0")).unwrap();
    let payloads = payloads(&*journal.source);
    let mut whole = Fold::new();
    whole.take(&payloads);
    let whole = whole.states();
    let mut until_here = Fold::new();
    for (at, payload) in (0..).zip(&payloads) {
        let kept = until_here.states();
        let mut from_here = Fold::from_states(&kept);
        assert_eq!(from_here.states(), kept);
        from_here.take(&payloads[at..]);
        assert!(from_here.states() == whole, "from payload {at}");
        until_here.take(std::slice::from_ref(payload));
    }
    assert!(until_here.states() == whole);
}

/// The journal of a program to come, whose records this one can't read.
#[test]
fn records_of_a_higher_version_are_refused_with_their_place() {
    let place = tempfile::tempdir().unwrap();
    for (name, bytes) in files(&golden().join("partition-0")) {
        fs::write(place.path().join(name), bytes).unwrap();
    }
    let (mut journal, _) =
        FileJournal::open(place.path(), JournalOptions { segment_bytes: 0 }).unwrap();
    let newest = journal.source().range().newest;
    journal.append(Part::Last, &[2]).unwrap();
    let mut reader = RecordReader::from(&*journal.source(), newest.next()).unwrap();
    let told = reader.read().unwrap_err().to_string();
    assert_eq!(
        told,
        format!(
            "the records that end at position {} can't be read: format version 2 is unknown; this \
             program reads version 1",
            newest.next()
        )
    );
}

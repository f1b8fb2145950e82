//! How fast the journal is beside what it is made of: the same bytes written and flushed into a
//! file that was filled with zeros, in the same run, in turns.
//!
//! ```text
//! cargo run --release -p shardbook-storage --example journal_speed [DIRECTORY]
//! ```
//!
//! The directory says which disk; by default the current one. What is made there is removed.

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shardbook_engine::journal::{Journal, Part};
use shardbook_storage::journal::{FileJournal, JournalOptions};

const RECORD_BYTES: usize = 200;
const BATCHES: [u32; 3] = [1, 128, 1024];
/// Turns of each side; short, so that what else the disk does meets both.
const TURNS: u32 = 100;
const TURN: Duration = Duration::from_millis(30);
/// The bare file is written over and over, so that its blocks are always there.
const BARE_FILE_BYTES: u64 = 64 * 1024 * 1024;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let above = std::env::args()
        .nth(1)
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    let directory = above.join(format!("journal-speed-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let measured = measure_all(&directory);
    fs::remove_dir_all(&directory)?;
    measured
}

fn measure_all(directory: &Path) -> Result<(), Failure> {
    println!("{RECORD_BYTES}-byte records, one flush a batch");
    println!("batch |      journal/s    p50    p99  p99.9 |         bare/s    p50    p99 | ratio");
    for batch in BATCHES {
        let payload = vec![0x5a; RECORD_BYTES * usize::try_from(batch)?];
        let (mut journal, _) = FileJournal::open(
            &directory.join(format!("batch-{batch}")),
            JournalOptions::default(),
        )?;
        let mut bare = BareFile::create(&directory.join(format!("bare-{batch}")))?;
        let mut of_journal = Latencies::default();
        let mut of_bare = Latencies::default();
        for _ in 0..TURNS {
            of_journal.take_turn(|| Ok(journal.append(Part::Last, &payload).map(|_| ())?))?;
            of_bare.take_turn(|| bare.append(&payload))?;
        }
        print_row(batch, &mut of_journal, &mut of_bare);
    }
    Ok(())
}

fn print_row(batch: u32, of_journal: &mut Latencies, of_bare: &mut Latencies) {
    let journal = of_journal.per_second() * f64::from(batch);
    let bare = of_bare.per_second() * f64::from(batch);
    println!(
        "{batch:>5} | {journal:>14.0} {:>6.2} {:>6.2} {:>6.2} | {bare:>14.0} {:>6.2} {:>6.2} | {:>5.2}",
        of_journal.milliseconds(500),
        of_journal.milliseconds(990),
        of_journal.milliseconds(999),
        of_bare.milliseconds(500),
        of_bare.milliseconds(990),
        journal / bare,
    );
}

struct BareFile {
    file: File,
    at: u64,
}

impl BareFile {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create_new(path)?;
        file.write_all_at(&vec![0; usize::try_from(BARE_FILE_BYTES)?], 0)?;
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let length = u64::try_from(bytes.len())?;
        if self.at + length > BARE_FILE_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.file.sync_data()?;
        self.at += length;
        Ok(())
    }
}

#[derive(Default)]
struct Latencies(Vec<Duration>);

impl Latencies {
    fn take_turn(
        &mut self,
        mut append: impl FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        while begun.elapsed() < TURN {
            let before = Instant::now();
            append()?;
            self.0.push(before.elapsed());
        }
        Ok(())
    }

    fn per_second(&self) -> f64 {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        f64::from(count) / self.0.iter().sum::<Duration>().as_secs_f64()
    }

    /// The latency that so many of a thousand did not exceed.
    fn milliseconds(&mut self, of_1000: usize) -> f64 {
        self.0.sort_unstable();
        let index = self.0.len() * of_1000 / 1000;
        let latency = self.0.get(index).or(self.0.last()).copied();
        latency.unwrap_or_default().as_secs_f64() * 1000.0
    }
}

//! The data directory: who may use it, and where in it everything stands.
//!
//! ```text
//! <root>/lock            held while a process uses the directory; its content means nothing
//! <root>/control/        the control log
//! <root>/partition-<n>/  a partition's journal
//! <root>/checkpoints-<n>/  what a start begins with, so that it need not replay all of that
//! <root>/shardbook.db    the default database
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use shardbook_engine::journal::JournalError;
use shardbook_engine::partition::PartitionId;

/// A data directory, held against every other process until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// The operating system gives the lock back when the file is closed, however the process
    /// ends; so a crash leaves nothing to clean up. None for a copy that came without the file:
    /// nothing has served from it.
    _lock: Option<File>,
}

impl DataDir {
    /// Takes the directory at `root`, making it first where there is none.
    ///
    /// # Errors
    /// [`JournalError::InUse`] while another process holds it; [`JournalError::Io`] when the
    /// machine refuses.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let root = root.into();
        create_durably(&root).map_err(|source| failed("creating", &root, source))?;
        let path = root.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| failed("opening", &path, source))?;
        hold(&lock, &root, &path)?;
        Ok(Self {
            root,
            _lock: Some(lock),
        })
    }

    /// Takes the directory at `root` to read what it holds, and makes nothing in it.
    ///
    /// # Errors
    /// [`JournalError::InUse`] while another process holds it; [`JournalError::Io`] when there
    /// is no such directory or the machine refuses.
    pub fn open_to_read(root: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let root = root.into();
        fs::read_dir(&root).map_err(|source| failed("opening", &root, source))?;
        let path = root.join("lock");
        let lock = match File::open(&path) {
            Ok(lock) => {
                hold(&lock, &root, &path)?;
                Some(lock)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(failed("opening", &path, source)),
        };
        Ok(Self { root, _lock: lock })
    }

    /// The partitions that have a journal here, in the order of their numbers.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn partitions(&self) -> Result<Vec<PartitionId>, JournalError> {
        let listed = |source| failed("listing", &self.root, source);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(listed)? {
            let name = entry.map_err(listed)?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix("partition-"))
                .and_then(|number| number.parse::<u32>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(PartitionId::new).collect())
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the journal of the partition with this number stands.
    #[must_use]
    pub fn partition(&self, partition: PartitionId) -> PathBuf {
        self.root.join(format!("partition-{}", partition.get()))
    }

    /// Where the checkpoints of the partition with this number stand.
    #[must_use]
    pub fn checkpoints(&self, partition: PartitionId) -> PathBuf {
        self.root.join(format!("checkpoints-{}", partition.get()))
    }

    /// Where the control log stands.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.root.join("control")
    }

    /// The file of the default database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("shardbook.db")
    }
}

/// Bytes of all logs' files in the data directory at `root`, files made ahead included.
///
/// # Errors
/// When the machine refuses.
pub fn journal_bytes(root: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_log = name == "control" || name.to_string_lossy().starts_with("partition-");
        if !is_log {
            continue;
        }
        for file in fs::read_dir(entry.path())? {
            match file?.metadata() {
                Ok(metadata) => bytes += metadata.len(),
                // Trimmed meanwhile, or given its name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}

/// Takes the lock of the directory at `root`, a file at `path`.
fn hold(lock: &File, root: &Path, path: &Path) -> Result<(), JournalError> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse {
            place: root.display().to_string(),
        }),
        Err(TryLockError::Error(source)) => Err(failed("locking", path, source)),
    }
}

/// Makes the directory and those above it that are missing. Each new name is flushed in the
/// directory that holds it, so that a journal acknowledged within can't vanish with its
/// directory.
fn create_durably(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    create_durably(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    File::open(parent)?.sync_all()
}

fn failed(doing: &'static str, place: &Path, source: io::Error) -> JournalError {
    JournalError::Io {
        doing,
        place: place.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_made_with_those_above_it() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("a/b/data");
        let directory = DataDir::open(&root).unwrap();
        assert!(root.is_dir());
        assert_eq!(
            directory.partition(PartitionId::new(3)),
            root.join("partition-3")
        );
        assert_eq!(directory.control(), root.join("control"));
        assert_eq!(directory.database(), root.join("shardbook.db"));
    }

    #[test]
    fn a_directory_belongs_to_one_holder_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let first = DataDir::open(root.path()).unwrap();
        assert!(matches!(
            DataDir::open(root.path()),
            Err(JournalError::InUse { .. })
        ));
        drop(first);
        DataDir::open(root.path()).unwrap();
    }

    #[test]
    fn a_directory_opened_to_read_stays_as_it_is() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("data");
        assert!(matches!(
            DataDir::open_to_read(&root),
            Err(JournalError::Io { .. })
        ));
        assert!(!root.exists());
        fs::create_dir(&root).unwrap();
        for name in ["partition-10", "partition-2", "partition-x", "control"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let directory = DataDir::open_to_read(&root).unwrap();
        let partitions = directory.partitions().unwrap();
        assert_eq!(partitions, [2, 10].map(PartitionId::new));
        assert!(!root.join("lock").exists());

        let holder = DataDir::open(&root).unwrap();
        assert!(matches!(
            DataDir::open_to_read(&root),
            Err(JournalError::InUse { .. })
        ));
        drop(holder);
        let reader = DataDir::open_to_read(&root).unwrap();
        assert!(matches!(
            DataDir::open(&root),
            Err(JournalError::InUse { .. })
        ));
        drop(reader);
    }

    #[test]
    fn the_logs_files_are_counted_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        for (place, bytes) in [("control", 1), ("partition-0", 10), ("checkpoints-0", 100)] {
            fs::create_dir(root.path().join(place)).unwrap();
            fs::write(root.path().join(place).join("file"), vec![0; bytes]).unwrap();
        }
        fs::write(root.path().join("shardbook.db"), [0; 1000]).unwrap();
        assert_eq!(journal_bytes(root.path()).unwrap(), 11);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("data");
        fs::write(&root, "not a directory").unwrap();
        let error = DataDir::open(&root).unwrap_err().to_string();
        assert!(error.contains(&root.display().to_string()), "{error}");
    }
}

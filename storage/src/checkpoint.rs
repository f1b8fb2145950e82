//! Checkpoints on local files: one directory for each partition.
//!
//! ```text
//! <position>.manifest               which instruments' files make the checkpoint at the position
//! <instrument>-<position>.state     one instrument's bytes, saved for the manifest at the position
//! <name>.new                        one of these being written
//! ```
//!
//! What each step of a checkpoint leaves behind should the machine stop after it:
//!
//! 1. A state file is written under its `.new` name, flushed, and given its name: nobody knows it.
//! 2. Once all are there the directory is flushed. Still nobody knows them.
//! 3. The manifest is written under its `.new` name, flushed, given its name, and the directory
//!    flushed: from somewhere in between on it is the newest, and whole.
//! 4. What neither it nor the one that it was made from names is removed, manifests first. What a
//!    crash leaves of that, the next checkpoint removes.
//!
//! A manifest holds its own CRC-32C and that of each file it names, so that neither damage nor a
//! file from elsewhere is taken for what was saved; and it holds the exchange it belongs to.

mod manifest;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardbook_engine::checkpoint::{
    CheckpointError, CheckpointStore, Manifest, ManifestEntry, Saved,
};
use shardbook_engine::id::InstrumentId;
use shardbook_engine::journal::Position;
use uuid::Uuid;

use crate::journal::file_system::{Access, FileSystem, LocalFiles};

/// One partition's checkpoints in files.
pub struct FileCheckpoints {
    files: Arc<dyn FileSystem>,
    directory: PathBuf,
    exchange: Uuid,
}

impl FileCheckpoints {
    /// The checkpoints of a partition of `exchange` in `directory`, which is made where there is
    /// none; the directory above must exist.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn open(directory: &Path, exchange: Uuid) -> Result<Self, CheckpointError> {
        Self::open_on(Arc::new(LocalFiles), directory, exchange)
    }

    fn open_on(
        files: Arc<dyn FileSystem>,
        directory: &Path,
        exchange: Uuid,
    ) -> Result<Self, CheckpointError> {
        files
            .create_dir(directory)
            .map_err(|source| failed("creating", directory, source))?;
        let above = match directory.parent() {
            Some(above) if above != Path::new("") => above,
            Some(_) | None => Path::new("."),
        };
        files
            .sync_dir(above)
            .map_err(|source| failed("flushing", above, source))?;
        Ok(Self {
            files,
            directory: directory.to_owned(),
            exchange,
        })
    }

    fn names(&self) -> Result<Vec<String>, CheckpointError> {
        let names = self.files.list(&self.directory);
        names.map_err(|source| failed("listing", &self.directory, source))
    }

    /// The manifests' files, newest first.
    fn manifest_names(&self) -> Result<Vec<String>, CheckpointError> {
        let mut names = self.names()?;
        names.retain(|name| name.ends_with(MANIFEST));
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(names)
    }

    /// Reads a whole file of at most `bytes_max` bytes.
    fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, CheckpointError> {
        let path = self.directory.join(name);
        let reading = |source| failed("reading", &path, source);
        let file = match self.files.open(&path, Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged(&path, "it is missing"));
            }
            Err(error) => return Err(failed("opening", &path, error)),
        };
        let length = file.length().map_err(reading)?;
        if length > bytes_max {
            return Err(damaged(&path, "it is longer than what was saved"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let read = file.read_at(&mut bytes, 0).map_err(reading)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Writes a whole file under another name, flushes it and gives it its own. The name is
    /// flushed with the directory.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        let path = self.directory.join(name);
        let new = self.directory.join(format!("{name}.new"));
        // Left by a crash, or by a checkpoint that was passed over: nobody needs them.
        for left in self.names()? {
            let left = self.directory.join(left);
            if left == path || left == new {
                self.remove(&left)?;
            }
        }
        let written = self.files.create(&new).and_then(|file| {
            file.write_at(bytes, 0)?;
            file.sync_data()?;
            self.files.rename(&new, &path)
        });
        written.map_err(|source| {
            // Gives back the room it took. If that fails too, the next checkpoint removes it.
            let _ = self.files.remove(&new);
            failed("writing", &path, source)
        })
    }

    fn remove(&self, path: &Path) -> Result<(), CheckpointError> {
        let removed = self.files.remove(path);
        removed.map_err(|source| failed("removing", path, source))
    }

    fn flush_names(&self) -> Result<(), CheckpointError> {
        let flushed = self.files.sync_dir(&self.directory);
        flushed.map_err(|source| failed("flushing", &self.directory, source))
    }

    fn read_manifest(&self, name: &str) -> Result<Manifest, CheckpointError> {
        let bytes = self.read(name, manifest::BYTES_MAX)?;
        let path = self.directory.join(name);
        let found = manifest::decode(&bytes, self.exchange).map_err(|what| damaged(&path, what))?;
        if manifest_name(found.position) != name {
            return Err(damaged(&path, "it is another's"));
        }
        Ok(found)
    }

    /// Removes everything that is not named by `kept`.
    fn prune(&self, kept: &[&Manifest]) -> Result<(), CheckpointError> {
        let manifests: BTreeSet<String> = kept
            .iter()
            .map(|manifest| manifest_name(manifest.position))
            .collect();
        let states: BTreeSet<String> = kept
            .iter()
            .flat_map(|manifest| &manifest.entries)
            .map(|entry| state_name(entry.instrument, entry.saved.position))
            .collect();
        let names = self.names()?;
        let (old, files): (Vec<_>, Vec<_>) = names
            .iter()
            .filter(|name| is_ours(name))
            .filter(|name| !manifests.contains(*name) && !states.contains(*name))
            .partition(|name| name.ends_with(MANIFEST));
        for name in &old {
            self.remove(&self.directory.join(name))?;
        }
        if !old.is_empty() {
            // No manifest may come back whose files are gone.
            self.flush_names()?;
        }
        for name in files {
            self.remove(&self.directory.join(name))?;
        }
        Ok(())
    }
}

/// A manifest that was looked at, and whether a start could use it.
#[derive(Debug)]
pub struct Looked {
    /// The manifest's file.
    pub file: PathBuf,
    /// What stands in it, if it can be used with every file that it names; else why not.
    pub found: Result<Manifest, CheckpointError>,
}

/// Reads every checkpoint of a partition of `exchange` in `directory`, newest first, and changes
/// nothing; `check` says whether the bytes kept for an entry can be used. A directory that is not
/// there holds none.
///
/// # Errors
/// When the machine refuses.
pub fn look(
    directory: &Path,
    exchange: Uuid,
    check: impl Fn(&ManifestEntry, &[u8]) -> Result<(), CheckpointError>,
) -> Result<Vec<Looked>, CheckpointError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let store = FileCheckpoints {
        files: Arc::new(LocalFiles),
        directory: directory.to_owned(),
        exchange,
    };
    let looked = store.manifest_names()?.into_iter().map(|name| {
        let found = store.read_manifest(&name).and_then(|manifest| {
            for entry in &manifest.entries {
                check(entry, &store.load(entry)?)?;
            }
            Ok(manifest)
        });
        match found {
            Err(error @ CheckpointError::Io { .. }) => Err(error),
            found => Ok(Looked {
                file: directory.join(name),
                found,
            }),
        }
    });
    looked.collect()
}

impl CheckpointStore for FileCheckpoints {
    fn manifests(&self) -> Result<Vec<Manifest>, CheckpointError> {
        let names = self.manifest_names()?;
        let mut manifests = Vec::with_capacity(names.len());
        for name in names {
            match self.read_manifest(&name) {
                Ok(manifest) => manifests.push(manifest),
                Err(error @ CheckpointError::Io { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint is passed over for the one before");
                }
            }
        }
        Ok(manifests)
    }

    fn save(
        &self,
        instrument: InstrumentId,
        position: Position,
        bytes: &[u8],
    ) -> Result<Saved, CheckpointError> {
        self.write(&state_name(instrument, position), bytes)?;
        Ok(Saved {
            position,
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            checksum: crc32c::crc32c(bytes),
        })
    }

    fn load(&self, entry: &ManifestEntry) -> Result<Vec<u8>, CheckpointError> {
        let name = state_name(entry.instrument, entry.saved.position);
        let bytes = self.read(&name, entry.saved.bytes)?;
        let path = self.directory.join(name);
        if u64::try_from(bytes.len()) != Ok(entry.saved.bytes) {
            return Err(damaged(&path, "it is shorter than what was saved"));
        }
        if crc32c::crc32c(&bytes) != entry.saved.checksum {
            return Err(damaged(&path, "its checksum does not hold"));
        }
        Ok(bytes)
    }

    fn commit(
        &self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), CheckpointError> {
        self.flush_names()?;
        let bytes = manifest::encode(manifest, self.exchange);
        self.write(&manifest_name(manifest.position), &bytes)?;
        self.flush_names()?;
        let kept: Vec<&Manifest> = before.into_iter().chain([manifest]).collect();
        if let Err(error) = self.prune(&kept) {
            // The checkpoint stands; the next one tries again.
            tracing::warn!(%error, "old checkpoints could not be removed");
        }
        Ok(())
    }
}

const MANIFEST: &str = ".manifest";
const STATE: &str = ".state";

/// Sorts as the positions do.
fn manifest_name(position: Position) -> String {
    format!("{:020}{MANIFEST}", position.get())
}

fn state_name(instrument: InstrumentId, position: Position) -> String {
    format!("{}-{}{STATE}", instrument.get(), position.get())
}

fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix(".new").unwrap_or(name);
    name.ends_with(MANIFEST) || name.ends_with(STATE)
}

fn failed(doing: &'static str, place: &Path, source: io::Error) -> CheckpointError {
    CheckpointError::Io {
        doing,
        place: place.display().to_string(),
        source,
    }
}

fn damaged(place: &Path, what: impl Into<String>) -> CheckpointError {
    CheckpointError::Damaged {
        place: place.display().to_string(),
        what: what.into(),
    }
}

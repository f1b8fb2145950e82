//! A machine in memory that fails on demand and loses power.
//!
//! Every file and every name exists twice: as programs see it, and as the disk has it. A flush
//! makes them the same; losing power keeps what the disk has, and of what was not flushed
//! whatever the caller's dice say, in pieces of [`SECTOR_BYTES`]. Names survive in the order in
//! which they were changed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::file_system::{Access, FileHandle, FileSystem};

/// Smaller than any disk's, so that writes tear in more ways.
const SECTOR_BYTES: usize = 8;

/// What happens at the operation at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails without effect, once.
    Refuses(io::ErrorKind),
    /// It fails when it is half done: a write has written its first half, all else is done.
    BreaksOff(io::ErrorKind),
    /// It and all that follow fail without effect.
    PowerFails,
}

#[derive(Clone, Default)]
pub(crate) struct Machine(Arc<Mutex<Inner>>);

#[derive(Clone, Default)]
struct Inner {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    names_on_disk: BTreeMap<PathBuf, u64>,
    unflushed_names: Vec<NameChange>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    /// Bytes that all files together may have.
    room: Option<u64>,
}

#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    on_disk: Vec<u8>,
    unflushed: Vec<Write>,
    /// Bytes written before a flush that failed: no later flush brings them to the disk, unless
    /// they are written again.
    given_up: BTreeMap<usize, u8>,
}

#[derive(Clone)]
struct Write {
    offset: usize,
    bytes: Vec<u8>,
}

#[derive(Clone)]
enum NameChange {
    Put(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Machine {
    /// A second machine with the same disk, without faults.
    pub(crate) fn copy(&self) -> Self {
        let inner = self.0.lock().clone();
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Lets the operation with this number, counted from now and from 0, fail.
    pub(crate) fn fail_at(&self, operation: u64, fault: Fault) {
        let mut inner = self.0.lock();
        inner.operations = 0;
        inner.fault = Some((operation, fault));
    }

    /// Whether the operation that was to fail has come; clears the fault.
    pub(crate) fn has_failed(&self) -> bool {
        let mut inner = self.0.lock();
        let fault = inner.fault.take();
        fault.is_some_and(|(operation, _)| inner.operations > operation)
    }

    pub(crate) fn limit_room(&self, bytes: Option<u64>) {
        self.0.lock().room = bytes;
    }

    pub(crate) fn bytes_used(&self) -> u64 {
        self.0.lock().bytes_used()
    }

    /// Loses power and comes back; `survives` is asked for every piece that was not flushed.
    pub(crate) fn crash(&self, mut survives: impl FnMut() -> bool) {
        let mut inner = self.0.lock();
        inner.fault = None;
        for content in inner.files.values_mut() {
            let unflushed = std::mem::take(&mut content.unflushed);
            let given_up = std::mem::take(&mut content.given_up);
            let given_up = given_up.into_iter().map(|(offset, byte)| Write {
                offset,
                bytes: vec![byte],
            });
            for write in given_up.chain(unflushed) {
                write.tear(&mut content.on_disk, &mut survives);
            }
            content.seen = content.on_disk.clone();
        }
        let mut names = std::mem::take(&mut inner.names_on_disk);
        let changes = std::mem::take(&mut inner.unflushed_names);
        for change in changes.into_iter().take_while(|_| survives()) {
            change.apply(&mut names);
        }
        inner.names_on_disk = names.clone();
        inner.names = names;
    }

    pub(crate) fn names(&self) -> Vec<PathBuf> {
        self.0.lock().names.keys().cloned().collect()
    }

    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        let inner = self.0.lock();
        inner.files[&inner.names[path]].seen.clone()
    }

    /// Changes a file behind the journal's back, on the disk too.
    pub(crate) fn set_content(&self, path: &Path, bytes: Vec<u8>) {
        let mut inner = self.0.lock();
        let number = inner.names[path];
        inner.files.insert(number, Content::flushed(bytes));
    }

    pub(crate) fn delete(&self, path: &Path) {
        let mut inner = self.0.lock();
        inner.names.remove(path);
        inner.names_on_disk.remove(path);
    }

    /// Counts an operation; says whether it is to fail, and how.
    fn count(&self) -> Result<Option<io::Error>, io::Error> {
        let mut inner = self.0.lock();
        let operation = inner.operations;
        inner.operations += 1;
        match inner.fault {
            Some((at, Fault::Refuses(kind))) if at == operation => Err(kind.into()),
            Some((at, Fault::BreaksOff(kind))) if at == operation => Ok(Some(kind.into())),
            Some((at, Fault::PowerFails)) if at <= operation => Err(io::Error::other("no power")),
            Some(_) | None => Ok(None),
        }
    }

    /// Does an operation of which only the whole can be done.
    fn operate<T>(&self, act: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let breaks_off = self.count()?;
        let done = act(&mut self.0.lock())?;
        breaks_off.map_or(Ok(done), Err)
    }

    fn handle(&self, number: u64) -> Arc<dyn FileHandle> {
        Arc::new(Handle {
            machine: self.clone(),
            number,
        })
    }
}

impl Inner {
    fn bytes_used(&self) -> u64 {
        let named = self.names.values();
        let lengths = named.map(|number| self.files[number].seen.len());
        u64::try_from(lengths.sum::<usize>()).unwrap()
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unflushed_names.push(change);
    }

    fn number(&self, path: &Path) -> io::Result<u64> {
        let number = self.names.get(path).copied();
        number.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Put(path, number) => {
                names.insert(path.clone(), *number);
            }
            Self::Rename(from, to) => {
                let number = names.remove(from).unwrap();
                let replaced = names.insert(to.clone(), number);
                assert_eq!(replaced, None, "{} was overwritten", to.display());
            }
            Self::Remove(path) => {
                names.remove(path).unwrap();
            }
        }
    }
}

impl Content {
    fn flushed(bytes: Vec<u8>) -> Self {
        Self {
            seen: bytes.clone(),
            on_disk: bytes,
            ..Self::default()
        }
    }
}

impl Write {
    fn apply(&self, to: &mut Vec<u8>) {
        let until = self.offset + self.bytes.len();
        if to.len() < until {
            to.resize(until, 0);
        }
        to[self.offset..until].copy_from_slice(&self.bytes);
    }

    fn covers(&self, offset: usize) -> bool {
        (self.offset..self.offset + self.bytes.len()).contains(&offset)
    }

    /// Applies the pieces that survive.
    fn tear(&self, to: &mut Vec<u8>, survives: &mut impl FnMut() -> bool) {
        let mut from = 0;
        while from < self.bytes.len() {
            let sector = (self.offset + from) / SECTOR_BYTES;
            let until = ((sector + 1) * SECTOR_BYTES - self.offset).min(self.bytes.len());
            if survives() {
                let piece = Self {
                    offset: self.offset + from,
                    bytes: self.bytes[from..until].to_vec(),
                };
                piece.apply(to);
            }
            from = until;
        }
    }
}

impl FileSystem for Machine {
    fn create_dir(&self, _directory: &Path) -> io::Result<()> {
        self.operate(|_| Ok(()))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.operate(|inner| {
            let paths = inner.names.keys();
            let inside = paths.filter(|path| path.parent() == Some(directory));
            Ok(inside
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect())
        })
    }

    fn create(&self, file: &Path) -> io::Result<Arc<dyn FileHandle>> {
        let number = self.operate(|inner| {
            if inner.names.contains_key(file) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let number = u64::try_from(inner.files.len()).unwrap();
            inner.files.insert(number, Content::default());
            inner.change_name(NameChange::Put(file.to_owned(), number));
            Ok(number)
        })?;
        Ok(self.handle(number))
    }

    fn open(&self, file: &Path, _access: Access) -> io::Result<Arc<dyn FileHandle>> {
        let number = self.operate(|inner| inner.number(file))?;
        Ok(self.handle(number))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|inner| {
            inner.number(from)?;
            inner.change_name(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.operate(|inner| {
            inner.number(file)?;
            inner.change_name(NameChange::Remove(file.to_owned()));
            Ok(())
        })
    }

    fn sync_dir(&self, _directory: &Path) -> io::Result<()> {
        self.operate(|inner| {
            inner.unflushed_names.clear();
            inner.names_on_disk = inner.names.clone();
            Ok(())
        })
    }
}

struct Handle {
    machine: Machine,
    number: u64,
}

impl Handle {
    fn operate<T>(&self, act: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        self.machine
            .operate(|inner| Ok(act(inner.files.get_mut(&self.number).unwrap())))
    }
}

impl FileHandle for Handle {
    fn length(&self) -> io::Result<u64> {
        self.operate(|content| u64::try_from(content.seen.len()).unwrap())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.operate(|content| {
            let from = usize::try_from(offset).unwrap().min(content.seen.len());
            let held = &content.seen[from..];
            let length = held.len().min(into.len());
            into[..length].copy_from_slice(&held[..length]);
            length
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let breaks_off = self.machine.count()?;
        let mut inner = self.machine.0.lock();
        let used = inner.bytes_used();
        let room = inner.room;
        let content = inner.files.get_mut(&self.number).unwrap();
        let offset = usize::try_from(offset).unwrap();
        let more = (offset + bytes.len()).saturating_sub(content.seen.len());
        if room.is_some_and(|room| used + u64::try_from(more).unwrap() > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = match breaks_off {
            Some(_) => bytes.len() / 2,
            None => bytes.len(),
        };
        let write = Write {
            offset,
            bytes: bytes[..length].to_vec(),
        };
        write.apply(&mut content.seen);
        content.unflushed.push(write);
        breaks_off.map_or(Ok(()), Err)
    }

    fn sync_data(&self) -> io::Result<()> {
        let refused = self.machine.count();
        let mut inner = self.machine.0.lock();
        let is_power_off = matches!(inner.fault, Some((_, Fault::PowerFails)));
        let content = inner.files.get_mut(&self.number).unwrap();
        match refused {
            Ok(breaks_off) => {
                for write in content.unflushed.drain(..) {
                    write.apply(&mut content.on_disk);
                    content.given_up.retain(|offset, _| !write.covers(*offset));
                }
                breaks_off.map_or(Ok(()), Err)
            }
            Err(error) => {
                if !is_power_off {
                    for write in content.unflushed.drain(..) {
                        content.given_up.extend((write.offset..).zip(write.bytes));
                    }
                }
                Err(error)
            }
        }
    }
}

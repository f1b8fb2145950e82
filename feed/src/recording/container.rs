//! What a recording's bytes are wrapped in: nothing, gzip, or a zip file with one entry of
//! interest. Which it is shows in the first bytes, whatever the file is called.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

use crate::status::Progress;

/// The first bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of every zip file that holds anything.
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";

/// A file's content, unwrapped while it is read.
pub(super) struct Content {
    pub(super) lines: Box<dyn BufRead + Send>,
    /// What the content is called inside of a zip file.
    pub(super) inner_name: Option<String>,
    bytes_read: Arc<AtomicU64>,
    bytes_total: u64,
}

impl Content {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        if magic.starts_with(&ZIP_MAGIC) {
            return Self::of_zip(file);
        }
        let bytes_total = file.metadata()?.len();
        let (counted, bytes_read) = Counted::new(file);
        let lines: Box<dyn BufRead + Send> = if magic.starts_with(&GZIP_MAGIC) {
            Box::new(BufReader::new(MultiGzDecoder::new(counted)))
        } else {
            Box::new(counted)
        };
        Ok(Self {
            lines,
            inner_name: None,
            bytes_read,
            bytes_total,
        })
    }

    /// The first CSV file in an archive, or its first file.
    fn of_zip(file: File) -> io::Result<Self> {
        let mut archive = ZipArchive::new(BufReader::new(file))?;
        let entry = (0..archive.len())
            .filter_map(|index| {
                let entry = archive.by_index_raw(index).ok()?;
                let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
                let is_csv = name.to_ascii_lowercase().ends_with(".csv");
                entry.is_file().then_some((!is_csv, index, name))
            })
            .min();
        let Some((_, index, name)) = entry else {
            return Err(invalid("the zip file holds no file"));
        };
        let entry = archive.by_index_raw(index)?;
        let (method, bytes_total) = (entry.compression(), entry.compressed_size());
        if entry.encrypted() {
            return Err(invalid("the zip file is encrypted"));
        }
        let Some(start) = entry.data_start() else {
            return Err(invalid(
                "the zip file does not say where its content begins",
            ));
        };
        drop(entry);
        let mut file = archive.into_inner().into_inner();
        file.seek(SeekFrom::Start(start))?;
        let (counted, bytes_read) = Counted::new(file.take(bytes_total));
        let lines: Box<dyn BufRead + Send> = if method == CompressionMethod::STORE {
            Box::new(counted)
        } else if method == CompressionMethod::DEFLATE {
            Box::new(BufReader::new(DeflateDecoder::new(counted)))
        } else {
            let said = format!("the zip file is compressed by {method}, which is not read");
            return Err(invalid(&said));
        };
        Ok(Self {
            lines,
            inner_name: Some(name),
            bytes_read,
            bytes_total,
        })
    }

    /// How far into the file this is, as it lies on disk.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_total: self.bytes_total,
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Counts what is read of a file.
struct Counted<R> {
    inner: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Counted<R> {
    fn new(inner: R) -> (BufReader<Self>, Arc<AtomicU64>) {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let counted = Self {
            inner,
            bytes_read: Arc::clone(&bytes_read),
        };
        (BufReader::new(counted), bytes_read)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.bytes_read
            .fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        Ok(length)
    }
}

//! One file of a journal: its name and its header.
//!
//! | byte | what | |
//! | --- | --- | --- |
//! | 0 | magic | 8 bytes |
//! | 8 | format version | u32 |
//! | 12 | zeros | 4 bytes |
//! | 16 | the journal's id | 16 random bytes, the same in all its files |
//! | 32 | position of the first frame | u64 |
//! | 40 | length of the file | u64 |
//! | 48 | the chain before the first frame | u32 |
//! | 52 | zeros | 8 bytes |
//! | 60 | CRC of bytes 0–60 | u32 |
//! | 64 | frames, then zeros | |

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardbook_engine::journal::{JournalError, Position};
use uuid::Uuid;

use super::file_system::FileHandle;
use super::frame::{Chain, Salt};

/// Bytes before the first frame.
pub(super) const HEADER_BYTES: usize = 64;

/// [`HEADER_BYTES`] as an offset.
pub(super) const FRAMES_BEGIN: u64 = 64;

/// The layout of segments and frames that this code writes. Older ones stay readable.
const FORMAT_VERSION: u32 = 1;

/// Like PNG's, it shows a transfer that took the file for text.
const MAGIC: [u8; 8] = *b"\x8bSBlog\r\n";

const SUFFIX: &str = ".segment";

/// What a damaged file's message ends with.
pub(super) const REMEDY: &str = "nothing was changed; put the file back from a copy, or move the \
     journal's directory away to begin anew without it";

/// What stands at a segment's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) journal: JournalId,
    pub(super) first: Position,
    pub(super) segment_bytes: u64,
    pub(super) chain: Chain,
}

/// The segment that is being written.
pub(super) struct LastSegment {
    pub(super) file: Arc<dyn FileHandle>,
    pub(super) path: PathBuf,
    /// Behind its last frame.
    pub(super) end: u64,
    /// The length of the file.
    pub(super) bytes: u64,
}

/// A journal's own random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalId([u8; 16]);

impl JournalId {
    pub(super) fn random() -> Self {
        Self(*Uuid::new_v4().as_bytes())
    }

    /// One that is always the same, for files that tests keep.
    #[cfg(test)]
    pub(super) const fn golden(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(super) fn salt(self) -> Salt {
        Salt(crc32c::crc32c(&self.0))
    }

    /// The chain before the journal's very first frame.
    pub(super) fn first_chain(self) -> Chain {
        Chain(crc32c::crc32c_append(self.salt().0, &self.0))
    }
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.journal.0);
        out.extend_from_slice(&self.first.get().to_le_bytes());
        out.extend_from_slice(&self.segment_bytes.to_le_bytes());
        out.extend_from_slice(&self.chain.0.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Reads a header.
    ///
    /// # Errors
    /// What is wrong, as text that goes on from "at byte 0: ". The version is looked at before
    /// the CRC, as another version may have another layout.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let short = || "the file is too short to be a segment".to_owned();
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
        if *magic != MAGIC {
            return Err("the file is not a segment of a journal".to_owned());
        }
        let (version, _) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let version = u32::from_le_bytes(*version);
        if version != FORMAT_VERSION {
            return Err(format!(
                "the segment has format version {version}, and this program reads {FORMAT_VERSION} \
                 alone: use the version of the program that wrote it"
            ));
        }
        Self::decode_version_1(bytes).ok_or_else(|| "the segment's header is damaged".to_owned())
    }

    fn decode_version_1(bytes: &[u8]) -> Option<Self> {
        let (checked, rest) = bytes.split_first_chunk::<60>()?;
        let (crc, _frames) = rest.split_first_chunk::<4>()?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (journal, rest) = checked.get(16..)?.split_first_chunk::<16>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (segment_bytes, rest) = rest.split_first_chunk::<8>()?;
        let (chain, _zeros) = rest.split_first_chunk::<4>()?;
        Some(Self {
            journal: JournalId(*journal),
            first: Position::new(u64::from_le_bytes(*first)),
            segment_bytes: u64::from_le_bytes(*segment_bytes),
            chain: Chain(u32::from_le_bytes(*chain)),
        })
    }
}

/// The file of the segment that begins with `first`. Names sort as positions do.
pub(super) fn path(directory: &Path, first: Position) -> PathBuf {
    directory.join(format!("{:020}{SUFFIX}", first.get()))
}

/// The position a segment's name tells, `None` for a name that is no segment's.
pub(super) fn first_in_name(name: &str) -> Option<Position> {
    let number = name.strip_suffix(SUFFIX)?;
    let all_digits = number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits {
        return None;
    }
    number.parse().ok().map(Position::new)
}

/// An error of the machine.
pub(super) fn failed(doing: &'static str, place: &Path, source: io::Error) -> JournalError {
    JournalError::Io {
        doing,
        place: place.display().to_string(),
        source,
    }
}

/// An error of the machine while more room was being made.
pub(super) fn no_room_or_failed(
    doing: &'static str,
    place: &Path,
    source: io::Error,
) -> JournalError {
    if is_full(&source) {
        return JournalError::NoRoom {
            place: place.parent().unwrap_or(place).display().to_string(),
            source,
        };
    }
    failed(doing, place, source)
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// What is there is not what was written.
pub(super) fn damaged(place: &Path, offset: u64, what: impl AsRef<str>) -> JournalError {
    JournalError::Damaged {
        place: place.display().to_string(),
        offset,
        what: format!("{}; {REMEDY}", what.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            journal: JournalId(*b"0123456789abcdef"),
            first: Position::new(9),
            segment_bytes: 4096,
            chain: Chain(0xdead_beef),
        }
    }

    #[test]
    fn a_header_reads_as_it_was_written() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
    }

    #[test]
    fn the_layout_of_format_version_1_stays() {
        let hex: String = header()
            .encode()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "8b53426c6f670d0a010000000000000030313233343536373839616263646566\
             09000000000000000010000000000000efbeadde0000000000000000e7cfec51"
        );
    }

    #[test]
    fn no_bit_of_a_header_can_change_unseen() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn each_foreign_beginning_has_its_own_words() {
        let told = |bytes: &[u8]| SegmentHeader::decode(bytes).unwrap_err();
        assert!(told(b"").contains("too short"));
        assert!(told(&header().encode()[..30]).contains("damaged"));
        assert!(told(b"SQLite format 3\0").contains("not a segment"));
        let mut newer = header().encode();
        newer[8] = 2;
        assert!(told(&newer).contains("format version 2"));
    }

    #[test]
    fn names_tell_their_position_and_nothing_else_does() {
        let path = path(Path::new("journal"), Position::new(12));
        assert_eq!(path, Path::new("journal/00000000000000000012.segment"));
        assert_eq!(
            first_in_name("00000000000000000012.segment"),
            Some(Position::new(12))
        );
        for other in [
            "12.segment",
            "+0000000000000000012.segment",
            "spare-0.tmp",
            "",
        ] {
            assert_eq!(first_in_name(other), None, "{other}");
        }
    }
}

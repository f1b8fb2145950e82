//! A manifest's bytes, all numbers little-endian:
//!
//! ```text
//! magic      8   "SHBKCKPT"
//! version    4   1
//! exchange  16   its UUID
//! position   8
//! entries    4   how many follow, 32 bytes each:
//!                instrument 4 · sequence 8 · saved: position 8, bytes 8, CRC-32C 4
//! CRC-32C    4   of everything before
//! ```

use shardbook_engine::checkpoint::{Manifest, ManifestEntry, Saved};
use shardbook_engine::id::{InstrumentId, Sequence};
use shardbook_engine::journal::Position;
use uuid::Uuid;

const MAGIC: [u8; 8] = *b"SHBKCKPT";
const VERSION: u32 = 1;

/// Bytes that no manifest reaches: 30 million instruments.
pub(super) const BYTES_MAX: u64 = 1 << 30;

pub(super) fn encode(manifest: &Manifest, exchange: Uuid) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(exchange.as_bytes());
    bytes.extend(manifest.position.get().to_le_bytes());
    let count = u32::try_from(manifest.entries.len()).unwrap_or(u32::MAX);
    bytes.extend(count.to_le_bytes());
    for entry in &manifest.entries {
        bytes.extend(entry.instrument.get().to_le_bytes());
        bytes.extend(entry.sequence.get().to_le_bytes());
        bytes.extend(entry.saved.position.get().to_le_bytes());
        bytes.extend(entry.saved.bytes.to_le_bytes());
        bytes.extend(entry.saved.checksum.to_le_bytes());
    }
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// Reads a manifest of `exchange`, or says what is wrong with it.
pub(super) fn decode(bytes: &[u8], exchange: Uuid) -> Result<Manifest, String> {
    let mut fields = Fields(bytes);
    if fields.take()? != MAGIC {
        return Err("it is no manifest".to_owned());
    }
    // Before the checksum, which another version may make otherwise.
    let version = fields.u32()?;
    if version != VERSION {
        return Err(format!(
            "format version {version} is unknown; this program reads version {VERSION}"
        ));
    }
    let (held, checksum) = bytes.split_last_chunk::<4>().ok_or_else(short)?;
    if crc32c::crc32c(held) != u32::from_le_bytes(*checksum) {
        return Err("its checksum does not hold".to_owned());
    }
    let found = Uuid::from_bytes(fields.take()?);
    if found != exchange {
        return Err(format!("it is of exchange {found}, and this is {exchange}"));
    }
    let position = Position::new(fields.u64()?);
    let count = fields.u32()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(ManifestEntry {
            instrument: InstrumentId::new(fields.u32()?),
            sequence: Sequence::new(fields.u64()?),
            saved: Saved {
                position: Position::new(fields.u64()?),
                bytes: fields.u64()?,
                checksum: fields.u32()?,
            },
        });
    }
    Ok(Manifest { position, entries })
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or_else(short)?;
        self.0 = rest;
        Ok(*field)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.take().map(u64::from_le_bytes)
    }
}

fn short() -> String {
    "it ends too soon".to_owned()
}

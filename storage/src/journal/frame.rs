//! One frame as bytes.
//!
//! | byte | what | |
//! | --- | --- | --- |
//! | 0 | magic | 4 bytes |
//! | 4 | payload length | u32, at most [`FRAME_BYTES_MAX`] |
//! | 8 | position | u64 |
//! | 16 | part | 1: more follows, 2: last; then 3 zeros |
//! | 20 | CRC of bytes 0–20 | begun with the journal's [`Salt`] |
//! | 24 | CRC of bytes 0–24 and the payload | begun with the frame before's: the [`Chain`] |
//! | 28 | payload | |
//!
//! Numbers are little-endian, CRCs are CRC32C. The header has a CRC of its own, so that recovery
//! can look for headers anywhere; the salt keeps what looks like a header inside a payload, put
//! there by whoever chose the payload, from passing for one.

use shardbook_engine::journal::{FRAME_BYTES_MAX, Part, Position};

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 28;

/// No text has its first byte, and no file of zeros any of them.
const MAGIC: [u8; 4] = [0xf5, b'S', b'b', 0x9c];

/// What header CRCs begin with: different in every journal, and unknown to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt(pub(super) u32);

/// The CRC of the newest frame, over it and all before it; what the next one's begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain(pub(super) u32);

/// A frame's header whose own CRC was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) position: Position,
    pub(super) part: Part,
    /// At most [`FRAME_BYTES_MAX`].
    pub(super) payload_bytes: usize,
    /// What the chain must be after this frame.
    chain: Chain,
}

/// Puts a frame into `out`, in place of what was there, and returns the chain after it.
///
/// # Panics
/// When the payload is longer than [`FRAME_BYTES_MAX`]: whoever made it had to split it.
pub(super) fn encode(
    salt: Salt,
    chain: Chain,
    position: Position,
    part: Part,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Chain {
    assert!(payload.len() <= FRAME_BYTES_MAX, "a frame this long");
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.clear();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&position.get().to_le_bytes());
    out.extend_from_slice(&[encode_part(part), 0, 0, 0]);
    let header_crc = crc32c::crc32c_append(salt.0, out);
    out.extend_from_slice(&header_crc.to_le_bytes());
    let after = Chain(crc32c::crc32c_append(
        crc32c::crc32c_append(chain.0, out),
        payload,
    ));
    out.extend_from_slice(&after.0.to_le_bytes());
    out.extend_from_slice(payload);
    after
}

/// The header that `bytes` begin with, if its own CRC is right and it says nothing impossible.
pub(super) fn decode_header(salt: Salt, bytes: &[u8]) -> Option<FrameHeader> {
    let (checked, rest) = bytes.split_first_chunk::<20>()?;
    let (magic, fields) = checked.split_first_chunk::<4>()?;
    if *magic != MAGIC {
        return None;
    }
    let (header_crc, rest) = take_u32(rest)?;
    if crc32c::crc32c_append(salt.0, checked) != header_crc {
        return None;
    }
    let (length, fields) = take_u32(fields)?;
    let (position, fields) = fields.split_first_chunk::<8>()?;
    let part = decode_part(fields)?;
    let (chain, _payload) = take_u32(rest)?;
    let payload_bytes = usize::try_from(length).ok()?;
    (payload_bytes <= FRAME_BYTES_MAX).then_some(FrameHeader {
        position: Position::new(u64::from_le_bytes(*position)),
        part,
        payload_bytes,
        chain: Chain(chain),
    })
}

impl FrameHeader {
    /// The chain after this frame, if `frame`, whole, is what was written behind `before`.
    pub(super) fn verify(&self, before: Chain, frame: &[u8]) -> Option<Chain> {
        let (checked, rest) = frame.split_at_checked(HEADER_BYTES - 4)?;
        let payload = rest.get(4..)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c_append(before.0, checked), payload);
        (Chain(crc) == self.chain).then_some(self.chain)
    }
}

fn encode_part(part: Part) -> u8 {
    match part {
        Part::MoreFollows => 1,
        Part::Last => 2,
    }
}

fn decode_part(bytes: &[u8]) -> Option<Part> {
    match bytes {
        [1, 0, 0, 0] => Some(Part::MoreFollows),
        [2, 0, 0, 0] => Some(Part::Last),
        _ => None,
    }
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt(0x1234_5678);
    const CHAIN: Chain = Chain(0x9abc_def0);

    fn frame(part: Part, payload: &[u8]) -> (Vec<u8>, Chain) {
        let mut bytes = b"what was there before".to_vec();
        let after = encode(SALT, CHAIN, Position::new(7), part, payload, &mut bytes);
        (bytes, after)
    }

    #[test]
    fn a_frame_reads_as_it_was_written() {
        for part in [Part::MoreFollows, Part::Last] {
            let (bytes, after) = frame(part, b"payload");
            let header = decode_header(SALT, &bytes).unwrap();
            assert_eq!(header.position, Position::new(7));
            assert_eq!(header.part, part);
            assert_eq!(header.payload_bytes, 7);
            assert_eq!(header.verify(CHAIN, &bytes), Some(after));
        }
    }

    #[test]
    fn the_layout_of_format_version_1_stays() {
        let (bytes, _) = frame(Part::Last, b"abc");
        assert_eq!(
            hex(&bytes),
            "f553629c 03000000 07000000 00000000 02000000 515d0912 0575cfad 616263"
        );
    }

    fn hex(bytes: &[u8]) -> String {
        let words: Vec<String> = bytes
            .chunks(4)
            .map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        words.join(" ")
    }

    #[test]
    fn no_bit_can_change_unseen() {
        let (bytes, _) = frame(Part::Last, b"payload");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let whole =
                decode_header(SALT, &changed).and_then(|header| header.verify(CHAIN, &changed));
            assert_eq!(whole, None, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_holds_only_in_its_own_journal_and_behind_its_own_predecessor() {
        let (bytes, _) = frame(Part::Last, b"payload");
        assert_eq!(decode_header(Salt(1), &bytes), None);
        let header = decode_header(SALT, &bytes).unwrap();
        assert_eq!(header.verify(Chain(1), &bytes), None);
    }

    #[test]
    fn a_header_cut_short_is_none() {
        let (bytes, _) = frame(Part::Last, b"");
        for length in 0..HEADER_BYTES {
            assert_eq!(decode_header(SALT, &bytes[..length]), None);
        }
    }

    #[test]
    fn a_length_beyond_the_most_is_none_although_its_crc_is_right() {
        let (mut bytes, _) = frame(Part::Last, b"");
        let length = u32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c_append(SALT.0, &bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(decode_header(SALT, &bytes), None);
    }
}

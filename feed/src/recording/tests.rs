use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"1","q":"1","T":1,"m":true}}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

/// What a file comes to, a word a line.
fn read(bytes: &[u8]) -> Vec<String> {
    let file = file(bytes);
    let mut recording = Recording::open(file.path(), None).unwrap();
    let mut said = Vec::new();
    loop {
        match recording.read() {
            Ok(Some(Ok(recorded))) => {
                said.push(format!("message at {} ns", recorded.received_at.as_nanos()));
            }
            Ok(Some(Err(error))) => said.push(error.reason().to_string()),
            Ok(None) => {
                said.push(String::from("end"));
                let progress = recording.progress();
                assert_eq!(progress.bytes_read, progress.bytes_total);
                return said;
            }
            Err(error) => {
                said.push(format!("{:?}", error.kind()));
                return said;
            }
        }
    }
}

#[test]
fn lines_are_read_gzipped_or_not() {
    let lines = format!("5 {TRADE}\n1723161254087896568 {TRADE}");
    let expected = [
        "message at 5 ns",
        "message at 1723161254087896568 ns",
        "end",
    ];
    assert_eq!(read(lines.as_bytes()), expected);
    assert_eq!(read(&gzip(lines.as_bytes())), expected);
    let in_two_members = [
        gzip(format!("5 {TRADE}\n").as_bytes()),
        gzip(format!("1723161254087896568 {TRADE}\n").as_bytes()),
    ]
    .concat();
    assert_eq!(read(&in_two_members), expected);
    assert_eq!(read(b""), ["end"]);
}

#[test]
fn bad_lines_are_told_apart_and_the_rest_is_read() {
    let mut bytes = Vec::new();
    for line in [
        &b"5"[..],
        b"",
        b"   ",
        b"five {}",
        b"-5 {}",
        b"99999999999999999999999 {}",
        b"5 \xff\xfe",
        b"5 {\"e\":",
        b"5 null",
        b"5 {}\r",
    ] {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    assert_eq!(
        read(&bytes),
        [
            "bad_line",
            "bad_line",
            "bad_line",
            "bad_line",
            "bad_line",
            "bad_message",
            "bad_message",
            "message at 5 ns",
            "end"
        ]
    );
}

#[test]
fn a_line_too_long_is_skipped_as_a_whole() {
    let length = usize::try_from(LINE_BYTES_MAX).unwrap();
    for over in [0, 1, 100_000] {
        let mut bytes = vec![b'x'; length + over];
        bytes.extend_from_slice(format!("\n5 {TRADE}\n").as_bytes());
        assert_eq!(read(&bytes), ["bad_line", "message at 5 ns", "end"]);
    }
    assert_eq!(read(&vec![b'x'; length + 1]), ["bad_line", "end"]);
}

#[test]
fn a_file_that_breaks_off_gives_what_it_holds() {
    let lines: String = (0..2_000).map(|n| format!("{n} {TRADE}\n")).collect();
    let whole = gzip(lines.as_bytes());
    let said = read(&whole[..whole.len() / 2]);
    assert!(said.len() > 100);
    assert_eq!(said.last().unwrap(), "UnexpectedEof");
    assert_eq!(
        symbols(file(&whole[..whole.len() / 2]).path(), None).unwrap(),
        BTreeSet::from([String::from("BTCUSDT")])
    );
}

#[test]
fn a_file_tells_its_symbols() {
    let lines = format!(
        "1 {TRADE}\n2 {{\"lastUpdateId\":1,\"bids\":[],\"asks\":[]}}\nbad\n3 {{\"stream\":\"ethusdt@bookTicker\",\"data\":{{}}}}\n"
    );
    let expected: BTreeSet<String> = ["BTCUSDT", "ETHUSDT"].map(String::from).into();
    assert_eq!(
        symbols(file(lines.as_bytes()).path(), None).unwrap(),
        expected
    );
    assert_eq!(symbols(file(b"").path(), None).unwrap(), BTreeSet::new());
    assert!(symbols(Path::new("/no such file"), None).is_err());
    assert!(symbols(file(b"\x1f\x8bno gzip").path(), None).is_err());
}

const DUMPED: &str = "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match
7,1,1,1,1735689600000123,True,True
broken
8,1,1,1,1735689600000124,True,True
";

/// A zip file of one entry, by the format's description: a local header, the bytes, the central
/// directory, its end.
fn zip(name: &str, bytes: &[u8], method: u16, compressed: &[u8]) -> Vec<u8> {
    let mut checksum = flate2::Crc::new();
    checksum.update(bytes);
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut shared = Vec::new();
    shared.extend([20, 0, 0, 0]);
    shared.extend(method.to_le_bytes());
    shared.extend([0, 0, 0x21, 0]);
    shared.extend(checksum.sum().to_le_bytes());
    shared.extend(length(compressed));
    shared.extend(length(bytes));
    shared.extend(name_length);
    shared.extend([0, 0]);
    let local = [b"PK\x03\x04", &shared[..], name.as_bytes(), compressed].concat();
    let mut central = b"PK\x01\x02\x14\x00".to_vec();
    central.extend(&shared);
    central.extend([0; 14]);
    central.extend(name.as_bytes());
    let mut end = b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00".to_vec();
    end.extend(length(&central));
    end.extend(length(&local));
    end.extend([0, 0]);
    [local, central, end].concat()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_dump_is_read_plain_gzipped_and_zipped_and_its_name_says_its_symbol() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = DUMPED.as_bytes();
    let cases = [
        ("BTCUSDT-trades-2025-01-01.csv", bytes.to_vec()),
        ("btcusdt-trades.csv.gz", gzip(bytes)),
        (
            "BTCUSDT-trades-2025-01.zip",
            zip("BTCUSDT-trades-2025-01.csv", bytes, 8, &deflated(bytes)),
        ),
        ("BTCUSDT-stored.zip", zip("a.csv", bytes, 0, bytes)),
        // Told by its first line alone.
        ("BTCUSDT-trades", bytes.to_vec()),
    ];
    for (name, content) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        assert_eq!(
            symbols(&path, None).unwrap(),
            BTreeSet::from([String::from("BTCUSDT")]),
            "{name}"
        );
        assert_eq!(
            symbols(&path, Some("ethusdt")).unwrap(),
            BTreeSet::from([String::from("ETHUSDT")]),
            "{name}"
        );
        let mut recording = Recording::open(&path, None).unwrap();
        let mut read = Vec::new();
        while let Some(line) = recording.read().unwrap() {
            read.push(match line {
                Ok(Recorded {
                    received_at,
                    message: Message::Trade(trade),
                }) => format!(
                    "{} {} at {} ns",
                    trade.symbol,
                    trade.id,
                    received_at.as_nanos()
                ),
                Ok(other) => panic!("{other:?}"),
                Err(error) => error.reason().to_string(),
            });
        }
        assert_eq!(
            read,
            [
                "BTCUSDT 7 at 1735689600000123000 ns",
                "bad_line",
                "BTCUSDT 8 at 1735689600000124000 ns"
            ],
            "{name}"
        );
        let progress = recording.progress();
        assert_eq!(progress.bytes_read, progress.bytes_total, "{name}");
    }
}

#[test]
fn a_dump_without_a_symbol_and_archives_of_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        symbols(&path, None).unwrap_err().to_string()
    };
    let bytes = DUMPED.as_bytes();
    assert!(refused("trades.csv", bytes).contains("--feed-symbol"));
    assert!(refused("a b-c.csv", bytes).contains("--feed-symbol"));
    assert!(refused("BTCUSDT-x.zip", b"PK\x03\x04 and no more").contains("can't be read"));
    let unknown = zip("a.csv", bytes, 12, bytes);
    assert!(refused("BTCUSDT-y.zip", &unknown).contains("is not read"));
}

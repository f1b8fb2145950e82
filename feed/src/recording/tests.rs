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
    let mut recording = Recording::open(file.path()).unwrap();
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
        symbols(file(&whole[..whole.len() / 2]).path()).unwrap(),
        BTreeSet::from([String::from("BTCUSDT")])
    );
}

#[test]
fn a_file_tells_its_symbols() {
    let lines = format!(
        "1 {TRADE}\n2 {{\"lastUpdateId\":1,\"bids\":[],\"asks\":[]}}\nbad\n3 {{\"stream\":\"ethusdt@bookTicker\",\"data\":{{}}}}\n"
    );
    let expected: BTreeSet<String> = ["BTCUSDT", "ETHUSDT"].map(String::from).into();
    assert_eq!(symbols(file(lines.as_bytes()).path()).unwrap(), expected);
    assert_eq!(symbols(file(b"").path()).unwrap(), BTreeSet::new());
    assert!(symbols(Path::new("/no such file")).is_err());
    assert!(symbols(file(b"\x1f\x8bno gzip").path()).is_err());
}

//! Bytes of an input → what they are, unpacked.
//!
//! Two looks at first bytes, one below and one above decompression; nothing is ever read twice or
//! sought, so that pipes work. Nothing is allocated by a size that the input declares.

use std::fmt::Write;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::utf16::{ByteOrder, Utf16};

/// An input after decompression and recognition.
pub(in crate::traffic) enum Source {
    /// A capture, from its first byte.
    Capture(Box<dyn Read + Send>),
    /// JSON that may be a flow log, from its first byte.
    FlowLog {
        bytes: Box<dyn Read + Send>,
        /// Its beginning speaks of log records; other JSON does not.
        speaks_of_records: bool,
    },
    /// Anything else.
    Unrecognised { detail: String },
}

/// Bytes taken from an input, counted below decompression.
#[derive(Clone, Default)]
pub(in crate::traffic) struct ByteCount(Arc<AtomicU64>);

impl Source {
    /// Recognises an input by its first bytes.
    pub(in crate::traffic) fn open(input: Box<dyn Read + Send>) -> (Self, ByteCount) {
        let count = ByteCount::default();
        let counted = Counted { input, count: count.clone() };
        let source = unpack(counted).and_then(recognise).unwrap_or_else(|error| {
            Self::Unrecognised { detail: format!("its first bytes cannot be read: {error}") }
        });
        (source, count)
    }
}

/// Opens an input as text, unpacked and in UTF-8, whatever the text is.
pub(in crate::traffic) fn open_text(
    input: Box<dyn Read + Send>,
) -> (io::Result<Box<dyn Read + Send>>, ByteCount) {
    let count = ByteCount::default();
    let counted = Counted { input, count: count.clone() };
    (unpack(counted).and_then(decode_text), count)
}

fn decode_text(mut content: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let head = first_bytes(&mut content, 2)?;
    let order = ByteOrder::of_mark(&head);
    let content = chained(head, content);
    Ok(match order {
        None => Box::new(content),
        Some(order) => Box::new(Utf16::new(content, order)),
    })
}

impl ByteCount {
    /// Returns the bytes taken so far.
    pub(in crate::traffic) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream whose first bytes were looked at.
type Peeked<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// Takes off one layer of compression. What is inside may be compressed once more; that is not
/// taken off, and not recognised.
fn unpack(mut input: Counted) -> io::Result<Box<dyn Read + Send>> {
    const BUFFER_BYTES: usize = 64 << 10;
    let head = first_bytes(&mut input, 4)?;
    let compression = Compression::of(&head);
    let count = input.count.clone();
    let input = Cursor::new(head).chain(input);
    Ok(match compression {
        None => Box::new(input),
        Some(Compression::Gzip) => {
            let buffered = BufReader::with_capacity(BUFFER_BYTES, input);
            Box::new(Expansion::of(MultiGzDecoder::new(buffered), count))
        }
        Some(Compression::Zstandard) => {
            let buffered = BufReader::with_capacity(BUFFER_BYTES, input);
            Box::new(Expansion::of(zstd::stream::read::Decoder::with_buffer(buffered)?, count))
        }
    })
}

fn recognise(mut content: Box<dyn Read + Send>) -> io::Result<Source> {
    let mut head = first_bytes(&mut content, 4)?;
    if head.starts_with(PCAPNG_SECTION) {
        head.extend(first_bytes(&mut content, 8)?);
    }
    if is_capture(&head) {
        return Ok(Source::Capture(Box::new(chained(head, content))));
    }
    match ByteOrder::of_mark(&head) {
        None => recognise_text(head, content),
        Some(order) => {
            let text = Utf16::new(chained(head, content), order);
            recognise_text(Vec::new(), Box::new(text))
        }
    }
}

fn recognise_text(mut head: Vec<u8>, mut content: Box<dyn Read + Send>) -> io::Result<Source> {
    while is_blank(&head) && head.len() < BLANK_BYTES_MAX {
        let more = first_bytes(&mut content, 64)?;
        if more.is_empty() {
            break;
        }
        head.extend(more);
    }
    if !matches!(text_of(&head).first(), Some(b'{' | b'[' | b',')) {
        return Ok(Source::Unrecognised { detail: describe(&head) });
    }
    // What cannot be read here is damage to a log, and is met again where records are counted.
    let failure = first_bytes_before_failure(&mut content, &mut head, RECORD_HEAD_BYTES).err();
    Ok(Source::FlowLog {
        speaks_of_records: speaks_of_records(&head),
        bytes: match failure {
            None => Box::new(chained(head, content)),
            Some(error) => Box::new(Cursor::new(head).chain(Failed(Some(error)))),
        },
    })
}

/// Adds the bytes that follow, up to a number of them, to those that were read; keeps them where
/// reading fails.
fn first_bytes_before_failure(
    content: &mut dyn Read,
    head: &mut Vec<u8>,
    bytes_max: u64,
) -> io::Result<()> {
    content.take(bytes_max).read_to_end(head).map(drop)
}

/// A stream that fails once, and then is at its end.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Every log record names its category or its flows near its beginning, and most stand in a list of
/// records.
fn speaks_of_records(head: &[u8]) -> bool {
    let head = head.to_ascii_lowercase();
    [&b"\"records\""[..], b"\"category\"", b"\"flowrecords\"", b"\"flowtuples\""]
        .iter()
        .any(|word| memchr::memmem::find(&head, word).is_some())
}

/// How much of a text is looked at to tell a log from other JSON.
const RECORD_HEAD_BYTES: u64 = 4 << 10;

/// How much white space may stand before the first bracket of a flow log.
const BLANK_BYTES_MAX: usize = 64 << 10;

/// Source: draft-ietf-opsawg-pcapng, § Section Header Block (read 2026-11-20).
const PCAPNG_SECTION: &[u8] = b"\x0A\x0D\x0D\x0A";
const PCAPNG_BYTE_ORDERS: [[u8; 4]; 2] = [[0x1A, 0x2B, 0x3C, 0x4D], [0x4D, 0x3C, 0x2B, 0x1A]];

/// Microseconds, nanoseconds, and the modified format with its longer record header.
///
/// Source: draft-ietf-opsawg-pcap, § File Header; libpcap, `sf-pcap.c` (read 2026-11-20).
const PCAP_MAGICS: [u32; 3] = [0xA1B2_C3D4, 0xA1B2_3C4D, 0xA1B2_CD34];

fn is_capture(head: &[u8]) -> bool {
    if head.starts_with(PCAPNG_SECTION) {
        // The block type alone is also four blanks before a text. A file cut inside its first
        // block is still a capture.
        let order = head.get(8..).unwrap_or_default();
        let is_blank = is_blank(head);
        return !is_blank && PCAPNG_BYTE_ORDERS.iter().any(|known| known.starts_with(order));
    }
    head.first_chunk().is_some_and(|magic| {
        PCAP_MAGICS.contains(&u32::from_le_bytes(*magic))
            || PCAP_MAGICS.contains(&u32::from_be_bytes(*magic))
    })
}

/// A compression that is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstandard,
}

impl Compression {
    /// Source: RFC 1952 §2.3.1; RFC 8878 §3.1.1 (frames) and §3.1.2 (skippable frames).
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => {
                Some(Self::Zstandard)
            }
            _ => None,
        }
    }
}

/// Says what was seen instead.
fn describe(head: &[u8]) -> String {
    if head.is_empty() {
        return "the file is empty".into();
    }
    if is_blank(head) {
        return "nothing but white space".into();
    }
    if Compression::of(head).is_some() {
        return "compressed twice".into();
    }
    let mut text = "neither a capture nor JSON: it starts with".to_owned();
    for byte in head.iter().take(8) {
        write!(text, " {byte:02x}").expect("a string takes any text");
    }
    text
}

/// Returns what follows a byte order mark and white space.
fn text_of(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start()
}

fn is_blank(head: &[u8]) -> bool {
    text_of(head).is_empty()
}

/// Reads `length` bytes, or fewer where the stream ends.
fn first_bytes(stream: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.by_ref().take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn chained<R: Read>(head: Vec<u8>, rest: R) -> Peeked<R> {
    Cursor::new(head).chain(rest)
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read + Send>,
    count: ByteCount,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.count.0.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Ends a stream that unpacks to more than any recorded traffic would.
///
/// Memory is flat whatever comes; this bounds the time that a few bytes can cost. Gzip cannot reach
/// the ratio (its own limit is 1,032), Zstandard can.
struct Expansion<R> {
    unpacked: R,
    length: u64,
    packed: ByteCount,
}

impl<R> Expansion<R> {
    const RATIO_MAX: u64 = 1_100;
    const ALWAYS_ALLOWED_BYTES: u64 = 1 << 20;

    fn of(unpacked: R, packed: ByteCount) -> Self {
        Self { unpacked, length: 0, packed }
    }
}

impl<R: Read> Read for Expansion<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.unpacked.read(buffer)?;
        self.length += length as u64;
        let allowed = self.packed.get().saturating_mul(Self::RATIO_MAX);
        if self.length > allowed.max(Self::ALWAYS_ALLOWED_BYTES) {
            let message = format!("unpacks to more than {} times its size", Self::RATIO_MAX);
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that come one at a time, then perhaps an error.
    struct Slowly(Vec<u8>, usize, Option<ErrorKind>);

    impl Read for Slowly {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match (self.0.get(self.1), self.2) {
                (None, Some(kind)) => Err(io::Error::new(kind, "gone")),
                (None, None) => Ok(0),
                (Some(byte), _) => {
                    buffer[0] = *byte;
                    self.1 += 1;
                    Ok(1)
                }
            }
        }
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Found {
        Capture(Vec<u8>),
        FlowLog(Vec<u8>),
        Unrecognised(String),
    }

    fn open(bytes: &[u8]) -> (Found, u64) {
        let (source, count) = Source::open(Box::new(Slowly(bytes.to_vec(), 0, None)));
        let all = |mut bytes: Box<dyn Read + Send>| {
            let mut all = Vec::new();
            bytes.read_to_end(&mut all).unwrap();
            all
        };
        let found = match source {
            Source::Capture(bytes) => Found::Capture(all(bytes)),
            Source::FlowLog { bytes, .. } => Found::FlowLog(all(bytes)),
            Source::Unrecognised { detail } => Found::Unrecognised(detail),
        };
        (found, count.get())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let level = flate2::Compression::fast();
        flate2::bufread::GzEncoder::new(bytes, level).read_to_end(&mut packed).unwrap();
        packed
    }

    fn zstandard(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    const LOG: &[u8] = b"\xEF\xBB\xBF \r\n\t{\"records\":[]}";

    #[test]
    fn captures_are_told_by_their_magic_in_both_byte_orders() {
        for magic in PCAP_MAGICS {
            for magic in [magic.to_le_bytes(), magic.to_be_bytes()] {
                for bytes in [magic.to_vec(), [&magic, &b"rest"[..]].concat()] {
                    assert_eq!(open(&bytes), (Found::Capture(bytes.clone()), bytes.len() as u64));
                }
            }
        }
        for order in PCAPNG_BYTE_ORDERS {
            let head = [PCAPNG_SECTION, &[28, 0, 0, 0], &order].concat();
            for length in [5, 8, 9, 12] {
                let bytes = &head[..length];
                assert_eq!(open(bytes).0, Found::Capture(bytes.to_vec()), "{bytes:?}");
            }
        }
    }

    #[test]
    fn json_is_told_by_its_first_bracket_or_comma() {
        let blank = [&b" ".repeat(5000), &b"["[..]].concat();
        let like_a_capture = b"\n\r\r\n  {\"records\":[]}".to_vec();
        for bytes in [LOG, b"[", b",{\"a\":1}]}", b"{", &blank, &like_a_capture] {
            assert_eq!(open(bytes), (Found::FlowLog(bytes.to_vec()), bytes.len() as u64));
        }
    }

    #[test]
    fn utf_16_with_its_mark_is_read_as_utf_8() {
        let text = std::str::from_utf8(&LOG[3..]).unwrap();
        let units: Vec<u16> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in [little.clone(), big] {
            assert_eq!(open(&bytes), (Found::FlowLog(LOG.to_vec()), bytes.len() as u64));
        }
        assert_eq!(open(&gzip(&little)).0, Found::FlowLog(LOG.to_vec()));
        let detail = "nothing but white space".to_owned();
        assert_eq!(open(&little[..2]).0, Found::Unrecognised(detail));
    }

    #[test]
    fn whatever_else_is_described() {
        let long_blank = b" ".repeat(BLANK_BYTES_MAX + 64);
        let png = "neither a capture nor JSON: it starts with 89 50 4e 47";
        let section = "neither a capture nor JSON: it starts with 0a 0d 0d 0a 1c 00 00 00";
        let cases: [(&[u8], &str); 8] = [
            (b"", "the file is empty"),
            (b"\n", "nothing but white space"),
            (b"\xEF\xBB\xBF", "nothing but white space"),
            (&long_blank, "nothing but white space"),
            (b"\x89PNG", png),
            (b"\x0A\x0D\x0D\x0A\x1C\0\0\0abcd", section),
            (&gzip(b""), "the file is empty"),
            (&gzip(&zstandard(LOG)), "compressed twice"),
        ];
        for (bytes, detail) in cases {
            assert_eq!(open(bytes).0, Found::Unrecognised(detail.into()));
        }
    }

    #[test]
    fn compressed_inputs_are_unpacked_member_after_member() {
        let (head, tail) = LOG.split_at(9);
        let skippable = [&[0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0], &b"abc"[..]].concat();
        for packed in [
            gzip(LOG),
            [gzip(head), gzip(tail)].concat(),
            [gzip(b""), gzip(LOG)].concat(),
            zstandard(LOG),
            [zstandard(head), zstandard(tail)].concat(),
            [skippable.clone(), zstandard(head), skippable, zstandard(tail)].concat(),
        ] {
            assert_eq!(open(&packed), (Found::FlowLog(LOG.to_vec()), packed.len() as u64));
        }
    }

    #[test]
    fn an_error_at_the_head_is_told_and_a_later_one_is_left_to_the_reader() {
        for (bytes, text) in [(&b"{"[..], "gone"), (&gzip(LOG)[..3], "gone")] {
            let slow = Slowly(bytes.to_vec(), 0, Some(ErrorKind::Other));
            match Source::open(Box::new(slow)).0 {
                Source::Unrecognised { detail } => {
                    assert_eq!(detail, format!("its first bytes cannot be read: {text}"));
                }
                _ => panic!("recognised {bytes:?}"),
            }
        }
        let several_blocks: String = (0..60_000).map(|number| format!("[{number}")).collect();
        let several_blocks = several_blocks.as_bytes();
        for packed in [gzip(several_blocks), zstandard(several_blocks)] {
            let cut = packed[..packed.len() - 5].to_vec();
            let Source::FlowLog { mut bytes, .. } = Source::open(Box::new(Cursor::new(cut))).0
            else {
                panic!("not recognised");
            };
            let error = bytes.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        }
    }

    #[test]
    fn a_bomb_ends_in_an_error_and_a_dense_log_does_not() {
        let length = 8 << 20;
        for (packed, is_bomb) in
            [(zstandard(&vec![b' '; length]), true), (gzip(&vec![b' '; length]), false)]
        {
            let log = [zstandard(b"["), packed.clone()].concat();
            let log = if is_bomb { log } else { [gzip(b"["), packed].concat() };
            let Source::FlowLog { mut bytes, .. } = Source::open(Box::new(Cursor::new(log))).0
            else {
                panic!("not recognised");
            };
            let outcome = bytes.read_to_end(&mut Vec::new());
            assert_eq!(outcome.is_err(), is_bomb, "{outcome:?}");
        }
    }
}

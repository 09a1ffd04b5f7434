//! Tuples as Azure writes them, read in one step: version 4, IPv4 or IPv6, at most 128 bytes.
//!
//! The separators of a tuple are found 16 bytes at a time, and every number is the eight bytes before
//! its separator: nothing depends on how long the number is, so that nothing is guessed wrong.
//!
//! ```text
//! 1733975962447,10.1.0.4,40.119.6.228,123,443,6,O,C,NX,4,360,5,528"
//!              ╰ 18 commas and dots, 12 commas for IPv6            ╰ the end
//! ```
//!
//! Whatever is not of that form (and whatever is wrong) is left to [`super::tuple`], whose answer for
//! the tuples that are read here is the same; a test holds that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::kernel::{self, BEFORE, DOT_BIT, TUPLE_BYTES, WINDOW_BYTES, Window};
use super::tuple::{self, Tuple};
use crate::net::protocol;
use crate::traffic::{Counters, FlowDirection, FlowState, FlowStatus};

/// A tuple whose encryption is not yet known to be a word.
pub(super) struct UsualTuple<'r> {
    /// All but the encryption.
    pub(super) tuple: Tuple<'static>,
    pub(super) encryption: &'r [u8],
    /// Where the quote stands in the record that ends the tuple.
    pub(super) end: usize,
}

/// Reads the tuple whose first byte stands at `at` in a record, behind a quote, or leaves it to the
/// general decoder.
#[inline(always)]
pub(super) fn decode(record: &[u8], at: usize) -> Option<UsualTuple<'_>> {
    let mut padded = [0; WINDOW_BYTES];
    let window = window(record, at, &mut padded)?;
    let (separators, quotes) = kernel::marks(window.last_chunk().expect("the window is longer"));
    let end = quotes.trailing_zeros();
    if end >= TUPLE_BYTES as u32 {
        return None;
    }
    let separators = separators & ((1_u128 << end) - 1);
    let places = Places { window, end: BEFORE + end as usize };
    let fields = match separators.count_ones() {
        SEPARATORS_V4 => places.read_v4(separators),
        SEPARATORS_V6 => places.read_v6(separators),
        _ => None,
    }?;
    let (start, stop) = fields.encryption;
    let encryption = &record[at - BEFORE + start..at - BEFORE + stop];
    let tuple = tuple_of(
        fields.time_ns,
        (fields.source, fields.destination),
        fields.ports,
        fields.protocol,
        fields.words,
        fields.counters,
    );
    Some(UsualTuple { tuple, encryption, end: at + end as usize })
}

/// As [`decode`], for the IPv4 tuples without an empty counter or one of more than eight digits.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn decode_v4(kernel: kernel::Avx2, record: &[u8], at: usize) -> Option<UsualTuple<'_>> {
    let mut padded = [0; WINDOW_BYTES];
    let numbers = kernel.read_v4(window(record, at, &mut padded)?)?;
    let letters = &record[at + numbers.direction_at..];
    let words = Words::of(*letters.first()?, *letters.get(2)?)?;
    let (source, destination) =
        (Ipv4Addr::from(numbers.source), Ipv4Addr::from(numbers.destination));
    if matches!(numbers.protocol, protocol::ICMP | protocol::ICMPV6) {
        return None;
    }
    let [packets_sent, bytes_sent, packets_received, bytes_received] = numbers.counters.map(Some);
    let counters = Counters { packets_sent, bytes_sent, packets_received, bytes_received };
    let tuple = tuple_of(
        tuple::time_ns_of(numbers.time),
        (source.into(), destination.into()),
        (numbers.source_port, numbers.destination_port),
        numbers.protocol,
        words,
        counters,
    );
    let encryption = &record[at + numbers.direction_at + 4..at + numbers.encryption_end];
    Some(UsualTuple { tuple, encryption, end: at + numbers.end })
}

/// Returns a word of capitals, digits and underscores; all that Azure has used so far are.
pub(super) fn word(bytes: &[u8]) -> Option<&str> {
    let is_usual = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let is_word = !bytes.is_empty() && bytes.iter().all(is_usual);
    is_word.then(|| std::str::from_utf8(bytes).ok())?
}

#[inline(always)]
fn window<'w>(
    record: &'w [u8],
    at: usize,
    padded: &'w mut [u8; WINDOW_BYTES],
) -> Option<&'w Window> {
    let from = record.get(at.checked_sub(BEFORE)?..)?;
    if let Some(window) = from.first_chunk() {
        return Some(window);
    }
    padded[..from.len()].copy_from_slice(from);
    Some(padded)
}

#[inline(always)]
fn tuple_of(
    time_ns: i64,
    (source, destination): (IpAddr, IpAddr),
    ports: (u16, u16),
    protocol: u8,
    words: Words,
    counters: Counters,
) -> Tuple<'static> {
    Tuple {
        time_ns,
        source,
        destination,
        ports: Some(ports),
        protocol,
        direction: words.direction,
        state: Some(words.state),
        status: words.status,
        encryption: None,
        counters: if words.has_counters { counters } else { Counters::default() },
    }
}

/// What the letters of a tuple say.
#[derive(Clone, Copy)]
struct Words {
    direction: FlowDirection,
    state: FlowState,
    status: FlowStatus,
    has_counters: bool,
}

impl Words {
    #[inline(always)]
    fn of(direction: u8, state: u8) -> Option<Self> {
        let direction = match direction {
            b'I' => FlowDirection::Inbound,
            b'O' => FlowDirection::Outbound,
            _ => return None,
        };
        let (state, status, has_counters) = match state {
            b'B' => (FlowState::Begin, FlowStatus::Allowed, false),
            b'C' => (FlowState::Continue, FlowStatus::Allowed, true),
            b'E' => (FlowState::End, FlowStatus::Allowed, true),
            b'D' => (FlowState::Deny, FlowStatus::Denied, false),
            _ => return None,
        };
        Some(Self { direction, state, status, has_counters })
    }
}

const SEPARATORS_V4: u32 = 18;
const SEPARATORS_V6: u32 = 12;

/// A tuple in its window.
struct Places<'w> {
    window: &'w Window,
    /// Where its last field ends.
    end: usize,
}

struct Fields {
    time_ns: i64,
    source: IpAddr,
    destination: IpAddr,
    ports: (u16, u16),
    protocol: u8,
    words: Words,
    /// Where the word begins and ends in the window.
    encryption: (usize, usize),
    counters: Counters,
}

impl Places<'_> {
    #[inline(always)]
    fn read_v4(&self, separators: u128) -> Option<Fields> {
        let at = positions::<{ SEPARATORS_V4 as usize }>(separators);
        let [time, a, b, c, source, d, e, f, destination, rest @ ..] = at;
        let byte = |at: usize| self.window[at];
        let dots = byte(a) & byte(b) & byte(c) & byte(d) & byte(e) & byte(f);
        let commas = rest
            .iter()
            .fold(byte(time) | byte(source) | byte(destination), |all, &at| all | byte(at));
        if dots & DOT_BIT == 0 || commas & DOT_BIT != 0 {
            return None;
        }
        let from = self.address_v4(time, [a, b, c, source])?;
        let to = self.address_v4(source, [d, e, f, destination])?;
        self.read(time, from.into(), to.into(), at.last_chunk().expect("there are more separators"))
    }

    fn read_v6(&self, separators: u128) -> Option<Fields> {
        let at = positions::<{ SEPARATORS_V6 as usize }>(separators);
        if at.iter().any(|&at| self.window[at] != b',') {
            return None;
        }
        let source = self.address_v6(at[0], at[1])?;
        let destination = self.address_v6(at[1], at[2])?;
        let rest = at.last_chunk().expect("there are more separators");
        self.read(at[0], source.into(), destination.into(), rest)
    }

    /// Reads what both families have, between the commas that begin with the one behind the
    /// destination.
    #[inline(always)]
    fn read(
        &self,
        time_end: usize,
        source: IpAddr,
        destination: IpAddr,
        commas: &[usize; 10],
    ) -> Option<Fields> {
        let &[a, b, c, d, e, f, g, h, i, j] = commas;
        let protocol = u8::try_from(self.number(c, d)?).ok()?;
        let ports = match protocol {
            protocol::ICMP | protocol::ICMPV6 => return None,
            _ => (u16::try_from(self.number(a, b)?).ok()?, u16::try_from(self.number(b, c)?).ok()?),
        };
        // A letter stands between two commas.
        if e - d != 2 || f - e != 2 {
            return None;
        }
        let words = Words::of(self.window[d + 1], self.window[e + 1])?;
        let counters = Counters {
            packets_sent: self.counter(g, h)?,
            bytes_sent: self.counter(h, i)?,
            packets_received: self.counter(i, j)?,
            bytes_received: self.counter(j, self.end)?,
        };
        Some(Fields {
            time_ns: tuple::time_ns_of(self.long_number(BEFORE - 1, time_end)?),
            source,
            destination,
            ports,
            protocol,
            words,
            encryption: (f + 1, g),
            counters,
        })
    }

    #[inline(always)]
    fn counter(&self, before: usize, end: usize) -> Option<Option<u64>> {
        if end - before == 1 { Some(None) } else { self.long_number(before, end).map(Some) }
    }

    /// Reads one to sixteen digits between a separator and the next.
    #[inline(always)]
    fn long_number(&self, before: usize, end: usize) -> Option<u64> {
        let length = end - before - 1;
        if length <= 8 {
            return self.number(before, end);
        }
        if length > 16 {
            return None;
        }
        let high = self.number(before, end - 8)?;
        let low = self.number(end - 9, end)?;
        Some(high * 100_000_000 + low)
    }

    /// Reads one to eight digits between a separator and the next.
    #[inline(always)]
    fn number(&self, before: usize, end: usize) -> Option<u64> {
        let length = end - before - 1;
        if length.wrapping_sub(1) >= 8 {
            return None;
        }
        let bytes = self.window[end - 8..end].try_into().expect("8 bytes are 8 bytes");
        let digits = (u64::from_le_bytes(bytes) ^ ZEROS) & (!0 << (64 - 8 * length));
        // More than 9 reaches the highest bit with this added, or has it already.
        let beyond = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
        if beyond != 0 {
            return None;
        }
        // Neighbours are brought together: digits to pairs, to fours, to eight.
        let pairs = digits.wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
        let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
        Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
    }

    #[inline(always)]
    fn address_v4(&self, before: usize, ends: [usize; 4]) -> Option<Ipv4Addr> {
        let [a, b, c, d] = ends;
        let octets =
            [self.octet(before, a)?, self.octet(a, b)?, self.octet(b, c)?, self.octet(c, d)?];
        Some(Ipv4Addr::from(octets))
    }

    /// Reads a number up to 255, without a zero before it: that would be octal to some.
    #[inline(always)]
    fn octet(&self, before: usize, end: usize) -> Option<u8> {
        let length = end - before - 1;
        if length.wrapping_sub(1) >= 3 || length > 1 && self.window[before + 1] == b'0' {
            return None;
        }
        let bytes = self.window[end - 4..end].try_into().expect("4 bytes are 4 bytes");
        let digits = (u32::from_le_bytes(bytes) ^ ZEROS as u32) & (!0 << (32 - 8 * length));
        let beyond = (digits.wrapping_add(0x7676_7676) | digits) & 0x8080_8080;
        let value = (digits >> 8 & 0xFF) * 100 + (digits >> 16 & 0xFF) * 10 + (digits >> 24);
        (beyond == 0 && value <= 255).then_some(value as u8)
    }

    fn address_v6(&self, before: usize, end: usize) -> Option<Ipv6Addr> {
        std::str::from_utf8(&self.window[before + 1..end]).ok()?.parse().ok()
    }
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Returns the places of the separators in the window, in their order.
#[inline(always)]
fn positions<const N: usize>(mut separators: u128) -> [usize; N] {
    let mut at = [0; N];
    for place in &mut at {
        *place = BEFORE + separators.trailing_zeros() as usize;
        separators &= separators.wrapping_sub(1);
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tuple::Tuple;
    use super::*;
    use crate::traffic::SourceFormat;

    const USUAL: [&str; 6] = [
        "1733975962447,10.1.0.4,40.119.6.228,123,443,6,O,C,NX_LOCAL_DST,4,360,5,528",
        "1733975962447,255.255.255.255,0.0.0.0,0,65535,17,I,B,X,0,0,0,0",
        "1493763938,192.0.2.95,10.1.0.4,51529,5358,0,I,D,,,,,",
        "1733975962447,2001:db8::1,fd00:10:0:11::28,64562,443,6,O,E,NX,1,2,3,4",
        "1733975962447,10.1.0.4,10.1.0.5,1,2,6,O,E,X,12345678,123456789,1234567890123456,9",
        "0,1.2.3.4,5.6.7.8,1,2,255,O,C,NX_HW_NOT_SUPPORTED,00000007,07,,1",
    ];

    /// A record that holds nothing but one tuple.
    fn record(tuple: &str) -> Vec<u8> {
        format!(r#"{{"flowTuples":["{tuple}"]}}"#).into_bytes()
    }

    const AT: usize = r#"{"flowTuples":[""#.len();

    /// Reads the tuple of a record in every way there is, none of which may differ from another.
    fn decode_all(record: &[u8]) -> Option<(Tuple<'_>, usize)> {
        let whole = |usual: UsualTuple<'_>| {
            let end = usual.end;
            let encryption = match usual.encryption {
                b"" => None,
                bytes => Some(word(&record[bytes_at(record, bytes)..][..bytes.len()])?),
            };
            Some((Tuple { encryption, ..usual.tuple }, end))
        };
        let decoded = decode(record, AT).and_then(whole);
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = kernel::Avx2::of_machine()
            && let Some(by_kernel) = decode_v4(kernel, record, AT).and_then(whole)
        {
            assert_eq!(Some(by_kernel), decoded);
        }
        decoded
    }

    fn bytes_at(record: &[u8], part: &[u8]) -> usize {
        part.as_ptr().addr() - record.as_ptr().addr()
    }

    fn decode_text(tuple: &str) -> Option<String> {
        let record = record(tuple);
        let (decoded, end) = decode_all(&record)?;
        assert_eq!(&record[AT..end], tuple.as_bytes());
        Some(format!("{decoded:?}"))
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_kernel_reads_nearly_all_tuples_that_azure_writes() {
        let Some(kernel) = kernel::Avx2::of_machine() else { return };
        for (tuple, is_read) in [
            ("1733975962447,10.1.0.4,40.119.6.228,123,443,6,O,C,NX_LOCAL_DST,4,360,5,528", true),
            ("1733975962447,255.255.255.255,0.0.0.0,0,65535,17,I,B,X,0,0,0,0", true),
            ("173397596,1.2.3.4,99.100.9.10,0,1,255,I,E,,12345678,1,10,87654321", true),
            ("173397596,1.2.3.4,99.100.9.10,0,1,255,I,E,,123456789,1,10,7654321", false),
            ("17339759,1.2.3.4,99.100.9.10,0,1,255,I,E,X,1,1,10,7654321", false),
            ("1493763938,192.0.2.95,10.1.0.4,51529,5358,0,I,D,,,,,", false),
            ("1733975962447,2001:db8::1,fd00:10:0:11::28,64562,443,6,O,E,NX,1,2,3,4", false),
        ] {
            assert_eq!(decode_v4(kernel, &record(tuple), AT).is_some(), is_read, "{tuple}");
        }
    }

    #[test]
    fn usual_tuples_are_read_and_equal_the_general_decoder() {
        for tuple in USUAL {
            let want = Tuple::decode(tuple, SourceFormat::VnetV4).unwrap();
            assert_eq!(decode_text(tuple), Some(format!("{want:?}")), "{tuple}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_general_decoder() {
        let usual = USUAL[0];
        for (field, value) in [
            (0, "17339759624470001"),
            (1, "10.1.0.04"),
            (1, "10.1.0.256"),
            (1, "10.1,0.4"),
            (3, "65536"),
            (5, "1"),
            (5, "T"),
            (5, "256"),
            (7, "Q"),
            (8, "nx"),
            (8, "N\\u0058"),
            (9, "12345678901234567"),
            (12, "1 "),
        ] {
            let mut fields: Vec<&str> = usual.split(',').collect();
            fields[field] = value;
            assert_eq!(decode_text(&fields.join(",")), None, "{field} {value}");
        }
        assert_eq!(decode_text(&format!("{usual},")), None);
        assert_eq!(decode_text(""), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn whatever_is_read_is_what_the_general_decoder_reads(
            tuple in prop::sample::select(&USUAL[..]),
            changes in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(&b"0123456789,.:IOBCEDNX_\"\\ T\x7f"[..])),
                0..3,
            ),
        ) {
            let mut bytes = tuple.as_bytes().to_vec();
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            let record = record(std::str::from_utf8(&bytes).unwrap());
            if let Some((decoded, end)) = decode_all(&record) {
                let text = std::str::from_utf8(&record[AT..end]).unwrap();
                prop_assert!(!text.contains(['"', '\\']));
                prop_assert_eq!(Ok(decoded), Tuple::decode(text, SourceFormat::VnetV4));
            }
        }
    }
}

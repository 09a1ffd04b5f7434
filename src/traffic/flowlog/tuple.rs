//! One flow tuple, the comma-separated text of a log → its fields.
//!
//! | # | version 4 (VNet) | versions 1, 2 (NSG) |
//! |---|---|---|
//! | 0 | time in milliseconds | time in seconds |
//! | 1-4 | source, destination, source port, destination port | the same |
//! | 5 | protocol number | `T`, `U` |
//! | 6 | direction `I`, `O` | the same |
//! | 7 | state `B`, `C`, `E`, `D` | decision `A`, `D`; version 1 ends here |
//! | 8 | encryption | state `B`, `C`, `E` |
//! | 9-12 | packets and bytes sent, packets and bytes received | the same |
//!
//! Two of them have 13 fields, so the format is told from outside, never guessed from their number.
//! Begin and denied tuples carry no counters: Azure writes nothing, or zeros that were not counted,
//! and both are `None`.
//!
//! Source: "VNet flow logs" and "NSG flow logs overview", § Log format, Azure Network Watcher
//! documentation (read 2026-11-20).

use std::fmt;
use std::net::IpAddr;

use crate::net::protocol;
use crate::traffic::{Counters, FlowDirection, FlowState, FlowStatus, SourceFormat};

/// The longest tuple that is decoded; real ones have up to about 170 bytes.
pub(super) const MAX_TUPLE_BYTES: usize = 512;

/// The fields of one tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuple<'t> {
    pub(super) time_ns: i64,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// `None` for ICMP, which has none.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    pub(super) direction: FlowDirection,
    /// `None` in version 1.
    pub(super) state: Option<FlowState>,
    pub(super) status: FlowStatus,
    /// The word as it stands; `None` where the field is empty, and in NSG logs.
    pub(super) encryption: Option<&'t str>,
    pub(super) counters: Counters,
}

/// How a text breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TupleFault<'t> {
    /// Longer than [`MAX_TUPLE_BYTES`].
    TooLong { length: usize },
    /// More or fewer fields than the format has.
    FieldCount { expected: usize, found: usize },
    /// A field that cannot be read.
    Field { field: &'static str, value: &'t str },
}

impl<'t> Tuple<'t> {
    /// Decodes one tuple of a flow log. Allocates nothing.
    pub(super) fn decode(text: &'t str, format: SourceFormat) -> Result<Self, TupleFault<'t>> {
        if text.len() > MAX_TUPLE_BYTES {
            return Err(TupleFault::TooLong { length: text.len() });
        }
        let mut fields = [""; MAX_FIELDS];
        let found = split(text, &mut fields);
        let expected = field_count(format);
        if found != expected {
            return Err(TupleFault::FieldCount { expected, found });
        }
        Self::from_fields(&fields, format)
    }

    fn from_fields(
        fields: &[&'t str; MAX_FIELDS],
        format: SourceFormat,
    ) -> Result<Self, TupleFault<'t>> {
        let protocol = read("protocol", fields[5], protocol_number)?;
        let ports = match protocol {
            protocol::ICMP | protocol::ICMPV6 => None,
            _ => Some((
                read("source port", fields[3], number)?,
                read("destination port", fields[4], number)?,
            )),
        };
        let outcome = Outcome::of(fields, format)?;
        Ok(Self {
            time_ns: read("time", fields[0], time_ns)?,
            source: read("source address", fields[1], address)?,
            destination: read("destination address", fields[2], address)?,
            ports,
            protocol,
            direction: read("direction", fields[6], direction)?,
            state: outcome.state,
            status: outcome.status,
            encryption: outcome.encryption,
            counters: outcome.counters(fields)?,
        })
    }
}

/// Returns how many fields a text has.
pub(super) fn count_fields(text: &str) -> usize {
    1 + memchr::memchr_iter(b',', text.as_bytes()).count()
}

/// Returns how many fields a tuple of a format has.
fn field_count(format: SourceFormat) -> usize {
    match format {
        SourceFormat::NsgV1 => 8,
        _ => MAX_FIELDS,
    }
}

const MAX_FIELDS: usize = 13;

/// What became of the flow, and what was said beside it.
struct Outcome<'t> {
    state: Option<FlowState>,
    status: FlowStatus,
    encryption: Option<&'t str>,
}

impl<'t> Outcome<'t> {
    fn of(fields: &[&'t str; MAX_FIELDS], format: SourceFormat) -> Result<Self, TupleFault<'t>> {
        match format {
            SourceFormat::NsgV1 => {
                let status = read("decision", fields[7], decision)?;
                Ok(Self { state: None, status, encryption: None })
            }
            SourceFormat::NsgV2 => {
                let status = read("decision", fields[7], decision)?;
                let state = read("state", fields[8], |field| {
                    state(field).filter(|state| *state != FlowState::Deny)
                })?;
                Ok(Self { state: Some(state), status, encryption: None })
            }
            _ => {
                let state = read("state", fields[7], state)?;
                let status = match state {
                    FlowState::Deny => FlowStatus::Denied,
                    _ => FlowStatus::Allowed,
                };
                let encryption = read("encryption", fields[8], encryption)?;
                Ok(Self { state: Some(state), status, encryption })
            }
        }
    }

    /// Reads the counters, so that a broken one is noticed, and drops those that count nothing.
    fn counters(&self, fields: &[&'t str; MAX_FIELDS]) -> Result<Counters, TupleFault<'t>> {
        let counters = Counters {
            packets_sent: read("packets sent", fields[9], counter)?,
            bytes_sent: read("bytes sent", fields[10], counter)?,
            packets_received: read("packets received", fields[11], counter)?,
            bytes_received: read("bytes received", fields[12], counter)?,
        };
        let counts = self.status == FlowStatus::Allowed && self.state != Some(FlowState::Begin);
        Ok(if counts { counters } else { Counters::default() })
    }
}

impl fmt::Display for TupleFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length } => write!(f, "{length} bytes, of at most {MAX_TUPLE_BYTES}"),
            Self::FieldCount { expected, found } => {
                write!(f, "{found} fields instead of {expected}")
            }
            Self::Field { field, value } => write!(f, "{field} {value:?}"),
        }
    }
}

/// Splits at commas. Returns the number of fields, of which only the first ones are kept.
fn split<'t>(text: &'t str, fields: &mut [&'t str; MAX_FIELDS]) -> usize {
    let mut found = 0;
    let mut start = 0;
    let ends = memchr::memchr_iter(b',', text.as_bytes()).chain([text.len()]);
    for end in ends {
        if let Some(field) = fields.get_mut(found) {
            *field = &text[start..end];
        }
        found += 1;
        start = end + 1;
    }
    found
}

fn read<'t, T>(
    field: &'static str,
    value: &'t str,
    parse: impl FnOnce(&'t str) -> Option<T>,
) -> Result<T, TupleFault<'t>> {
    parse(value).ok_or(TupleFault::Field { field, value })
}

/// Milliseconds in version 4 and seconds in NSG logs; but Microsoft's own example of version 4 has
/// seconds. Whatever is below 10^11 is seconds: as milliseconds it would be before 1973-03-04, and
/// the seconds last until the year 5138. A time past the year 2262 becomes the last one.
pub(super) fn time_ns_of(time: u64) -> i64 {
    const FIRST_MILLISECONDS: u64 = 100_000_000_000;
    let scale = if time < FIRST_MILLISECONDS { 1_000_000_000 } else { 1_000_000 };
    i64::try_from(time.saturating_mul(scale)).unwrap_or(i64::MAX)
}

fn time_ns(field: &str) -> Option<i64> {
    digits(field).map(time_ns_of)
}

fn address(field: &str) -> Option<IpAddr> {
    field.parse().ok()
}

fn protocol_number(field: &str) -> Option<u8> {
    match field {
        "T" => Some(protocol::TCP),
        "U" => Some(protocol::UDP),
        _ => number(field),
    }
}

fn direction(field: &str) -> Option<FlowDirection> {
    match field {
        "I" => Some(FlowDirection::Inbound),
        "O" => Some(FlowDirection::Outbound),
        _ => None,
    }
}

fn state(field: &str) -> Option<FlowState> {
    match field {
        "B" => Some(FlowState::Begin),
        "C" => Some(FlowState::Continue),
        "E" => Some(FlowState::End),
        "D" => Some(FlowState::Deny),
        _ => None,
    }
}

fn decision(field: &str) -> Option<FlowStatus> {
    match field {
        "A" => Some(FlowStatus::Allowed),
        "D" => Some(FlowStatus::Denied),
        _ => None,
    }
}

/// Any word: Azure has added some before.
#[expect(clippy::option_option, reason = "outside: readable; inside: the log's absent value")]
fn encryption(field: &str) -> Option<Option<&str>> {
    let is_word = field.bytes().all(|byte| byte.is_ascii_graphic());
    is_word.then_some((!field.is_empty()).then_some(field))
}

#[expect(clippy::option_option, reason = "outside: readable; inside: the log's absent value")]
fn counter(field: &str) -> Option<Option<u64>> {
    if field.is_empty() { Some(None) } else { digits(field).map(Some) }
}

fn number<T: TryFrom<u64>>(field: &str) -> Option<T> {
    digits(field).and_then(|value| T::try_from(value).ok())
}

/// Decimal digits only: no sign, no space, at least one.
fn digits(field: &str) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.bytes().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: SourceFormat = SourceFormat::VnetV4;
    const NAMES: [&str; 13] = [
        "time",
        "source address",
        "destination address",
        "source port",
        "destination port",
        "protocol",
        "direction",
        "state",
        "encryption",
        "packets sent",
        "bytes sent",
        "packets received",
        "bytes received",
    ];
    const FIELDS: [&str; 13] = [
        "1733975962447",
        "10.1.0.4",
        "40.119.6.228",
        "123",
        "443",
        "6",
        "O",
        "C",
        "NX_LOCAL_DST",
        "4",
        "360",
        "5",
        "528",
    ];

    fn expected() -> Tuple<'static> {
        Tuple {
            time_ns: 1_733_975_962_447_000_000,
            source: "10.1.0.4".parse().unwrap(),
            destination: "40.119.6.228".parse().unwrap(),
            ports: Some((123, 443)),
            protocol: 6,
            direction: FlowDirection::Outbound,
            state: Some(FlowState::Continue),
            status: FlowStatus::Allowed,
            encryption: Some("NX_LOCAL_DST"),
            counters: Counters {
                packets_sent: Some(4),
                bytes_sent: Some(360),
                packets_received: Some(5),
                bytes_received: Some(528),
            },
        }
    }

    /// The sound tuple with one field put in place of another.
    fn with(field: usize, value: &str) -> String {
        let mut fields = FIELDS;
        fields[field] = value;
        fields.join(",")
    }

    fn is_counter(field: usize) -> bool {
        field >= 9
    }

    #[test]
    fn a_sound_tuple_is_read() {
        assert_eq!(Tuple::decode(&FIELDS.join(","), V4), Ok(expected()));
    }

    #[test]
    fn thirteen_fields_with_one_missing_or_one_extra_are_refused() {
        for (field, value) in FIELDS.iter().enumerate() {
            let mut fields = FIELDS.to_vec();
            fields.remove(field);
            let fault = TupleFault::FieldCount { expected: 13, found: 12 };
            assert_eq!(Tuple::decode(&fields.join(","), V4), Err(fault), "without {field}");
            let mut fields = FIELDS.to_vec();
            fields.insert(field, value);
            let fault = TupleFault::FieldCount { expected: 13, found: 14 };
            assert_eq!(Tuple::decode(&fields.join(","), V4), Err(fault), "twice {field}");
        }
    }

    #[test]
    fn only_the_encryption_and_each_counter_may_be_empty() {
        for (field, name) in NAMES.into_iter().enumerate() {
            let text = with(field, "");
            let mut want = expected();
            match field {
                8 => want.encryption = None,
                9 => want.counters.packets_sent = None,
                10 => want.counters.bytes_sent = None,
                11 => want.counters.packets_received = None,
                12 => want.counters.bytes_received = None,
                _ => {
                    let fault = TupleFault::Field { field: name, value: "" };
                    assert_eq!(Tuple::decode(&text, V4), Err(fault));
                    continue;
                }
            }
            assert_eq!(Tuple::decode(&text, V4), Ok(want), "{text}");
        }
    }

    #[test]
    fn only_the_encryption_may_be_any_word() {
        for (field, name) in NAMES.into_iter().enumerate() {
            for value in ["abc", "-1", "+1", "1.0", "0x1", " 1", "1 ", "1e3", "é", "\0"] {
                let text = with(field, value);
                let is_word = value.bytes().all(|byte| byte.is_ascii_graphic());
                let want = if field == 8 && is_word {
                    Ok(Tuple { encryption: Some(value), ..expected() })
                } else {
                    Err(TupleFault::Field { field: name, value })
                };
                assert_eq!(Tuple::decode(&text, V4), want, "{text:?}");
            }
        }
    }

    #[test]
    fn a_field_out_of_its_range_is_refused_and_the_last_one_in_it_is_not() {
        const PAST_U64: &str = "18446744073709551616";
        let long = "N".repeat(MAX_TUPLE_BYTES);
        for (field, name) in NAMES.into_iter().enumerate() {
            let past = match field {
                0 | 9.. => PAST_U64,
                1 | 2 => "10.1.0.256",
                3 | 4 => "65536",
                5 => "256",
                6 => "IO",
                7 => "CC",
                _ => &long,
            };
            let text = with(field, past);
            let fault = match field {
                8 => TupleFault::TooLong { length: text.len() },
                _ => TupleFault::Field { field: name, value: past },
            };
            assert_eq!(Tuple::decode(&text, V4), Err(fault), "{text}");
            let last = match field {
                0 => "18446744073709551615",
                1 | 2 => "255.255.255.255",
                3 | 4 => "65535",
                5 => "255",
                6 => "I",
                7 => "E",
                8 => &long[..MAX_TUPLE_BYTES - (FIELDS.join(",").len() - FIELDS[8].len())],
                _ => "18446744073709551615",
            };
            let text = with(field, last);
            assert!(Tuple::decode(&text, V4).is_ok(), "{text}");
            assert!(!is_counter(field) || text.contains("18446744073709551615"));
        }
    }

    #[test]
    fn times_are_seconds_below_ten_to_the_eleventh() {
        let cases = [
            ("0", 0),
            ("1", 1_000_000_000),
            ("1493763938", 1_493_763_938_000_000_000),
            ("9223372036", 9_223_372_036_000_000_000),
            ("9223372037", i64::MAX),
            ("99999999999", i64::MAX),
            ("100000000000", 100_000_000_000_000_000),
            ("9223372036854", 9_223_372_036_854_000_000),
            ("9223372036855", i64::MAX),
            ("18446744073709551615", i64::MAX),
        ];
        for (field, want) in cases {
            let text = with(0, field);
            assert_eq!(Tuple::decode(&text, V4).map(|tuple| tuple.time_ns), Ok(want), "{field}");
        }
    }

    #[test]
    fn version_4_is_denied_in_state_d_only_and_counts_neither_there_nor_at_the_beginning() {
        let counts = expected().counters;
        let cases = [
            ("B", FlowState::Begin, FlowStatus::Allowed, Counters::default()),
            ("C", FlowState::Continue, FlowStatus::Allowed, counts),
            ("E", FlowState::End, FlowStatus::Allowed, counts),
            ("D", FlowState::Deny, FlowStatus::Denied, Counters::default()),
        ];
        for (field, state, status, counters) in cases {
            let want = Tuple { state: Some(state), status, counters, ..expected() };
            assert_eq!(Tuple::decode(&with(7, field), V4), Ok(want), "{field}");
        }
        for field in ["Q", "b", "A", "BB", ""] {
            let fault = TupleFault::Field { field: "state", value: field };
            assert_eq!(Tuple::decode(&with(7, field), V4), Err(fault));
        }
        let broken = with(7, "B").replace("360", "36O");
        let fault = TupleFault::Field { field: "bytes sent", value: "36O" };
        assert_eq!(
            Tuple::decode(&broken, V4),
            Err(fault),
            "dropped counters are read all the same"
        );
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        let text = with(1, "2001:db8::1");
        let tuple = Tuple::decode(&text, V4).unwrap();
        assert_eq!(tuple.source, "2001:db8::1".parse::<IpAddr>().unwrap());
        for field in ["fe80::1%eth0", "2001:db8::1/64", "::g", "10.1.0.04", "10.1.4", "[::1]"] {
            let fault = TupleFault::Field { field: "destination address", value: field };
            assert_eq!(Tuple::decode(&with(2, field), V4), Err(fault));
        }
    }

    #[test]
    fn protocols_are_numbers_or_letters_and_icmp_has_no_ports() {
        for (field, protocol) in [("T", 6), ("U", 17), ("6", 6), ("17", 17), ("0", 0), ("50", 50)] {
            let want = Tuple { protocol, ..expected() };
            assert_eq!(Tuple::decode(&with(5, field), V4), Ok(want), "{field}");
        }
        for (field, protocol) in [("1", 1), ("58", 58)] {
            let want = Tuple { protocol, ports: None, ..expected() };
            assert_eq!(Tuple::decode(&with(5, field), V4), Ok(want), "{field}");
        }
    }

    #[test]
    fn version_1_has_a_decision_and_no_state() {
        let text = "1487282421,192.0.2.95,10.1.0.4,51529,5358,T,I,D";
        let tuple = Tuple::decode(text, SourceFormat::NsgV1).unwrap();
        assert_eq!(tuple.time_ns, 1_487_282_421_000_000_000);
        assert_eq!(tuple.ports, Some((51529, 5358)));
        assert_eq!((tuple.state, tuple.status), (None, FlowStatus::Denied));
        assert_eq!((tuple.encryption, tuple.counters), (None, Counters::default()));
        let allowed = text.replace(",D", ",A");
        let tuple = Tuple::decode(&allowed, SourceFormat::NsgV1).unwrap();
        assert_eq!((tuple.state, tuple.status), (None, FlowStatus::Allowed));
        assert_eq!(tuple.counters, Counters::default());
        for text in [FIELDS.join(","), "1487282421,192.0.2.95,10.1.0.4,51529,5358,T,I".into()] {
            let fault = Tuple::decode(&text, SourceFormat::NsgV1).unwrap_err();
            assert!(matches!(fault, TupleFault::FieldCount { expected: 8, .. }), "{fault}");
        }
    }

    #[test]
    fn version_2_has_a_decision_and_a_state() {
        let counts = expected().counters;
        let none = Counters::default();
        let cases = [
            ("D,B,,,,", FlowState::Begin, FlowStatus::Denied, none),
            ("D,B,0,0,0,0", FlowState::Begin, FlowStatus::Denied, none),
            ("D,E,4,360,5,528", FlowState::End, FlowStatus::Denied, none),
            ("A,B,4,360,5,528", FlowState::Begin, FlowStatus::Allowed, none),
            ("A,C,4,360,5,528", FlowState::Continue, FlowStatus::Allowed, counts),
            ("A,E,4,360,5,528", FlowState::End, FlowStatus::Allowed, counts),
        ];
        for (rest, state, status, counters) in cases {
            let text = format!("1733975962,10.1.0.4,40.119.6.228,123,443,T,O,{rest}");
            let want = Tuple {
                time_ns: 1_733_975_962_000_000_000,
                state: Some(state),
                status,
                counters,
                encryption: None,
                ..expected()
            };
            assert_eq!(Tuple::decode(&text, SourceFormat::NsgV2), Ok(want), "{rest}");
        }
        for (rest, field, value) in [
            ("A,D,4,360,5,528", "state", "D"),
            ("B,C,4,360,5,528", "decision", "B"),
            ("C,NX,4,360,5,528", "decision", "C"),
        ] {
            let text = format!("1733975962,10.1.0.4,40.119.6.228,123,443,T,O,{rest}");
            let fault = TupleFault::Field { field, value };
            assert_eq!(Tuple::decode(&text, SourceFormat::NsgV2), Err(fault));
        }
    }

    #[test]
    fn messages_show_the_field_and_its_value() {
        let fault = TupleFault::Field { field: "destination port", value: "65\u{1b}536" };
        assert_eq!(fault.to_string(), r#"destination port "65\u{1b}536""#);
        let fault = TupleFault::FieldCount { expected: 13, found: 1 };
        assert_eq!(fault.to_string(), "1 fields instead of 13");
    }
}

//! One value of one row, and its plain text.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::{Column, TimeUnit};
use crate::classify::{LabelColumns, OutputRow, ReplayColumns};
use crate::net::{AddressPrefix, MacAddress, protocol};
use crate::routing::RouteTableBasis;
use crate::traffic::SourceFormat;

/// The value of one column in one row.
///
/// What column holds what is said here once, for every format.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Null,
    /// A word of ours or of a closed list.
    Word(&'static str),
    /// Text from outside.
    Text(&'a str),
    Number(u64),
    /// A number in a column of words.
    Digits(u8),
    /// Nanoseconds since 1970.
    Time(i64),
    Bool(bool),
    Address(IpAddr),
    /// At least one.
    Addresses(&'a [IpAddr]),
    Prefix(AddressPrefix),
    Mac(MacAddress),
}

impl<'a> Cell<'a> {
    /// Returns the value of `column`.
    pub(super) fn of(column: Column, row: &OutputRow<'a>) -> Self {
        match column {
            Column::RecordKind => Self::Word(row.kind.as_str()),
            Column::FlowTime | Column::FlowStartTime => Self::Time(row.start_time_ns),
            Column::FlowEndTime => Self::Time(row.end_time_ns),
            Column::SrcIp => Self::Address(row.source),
            Column::DestIp => Self::Address(row.destination),
            Column::SrcPort => number(row.ports.map(|(source, _)| source)),
            Column::DestPort => number(row.ports.map(|(_, destination)| destination)),
            Column::ProtocolNumber => Self::Number(row.protocol.into()),
            Column::L4Protocol => {
                protocol::name(row.protocol).map_or(Self::Digits(row.protocol), Self::Word)
            }
            Column::FlowDirection => word(row.direction.map(|direction| direction.as_str())),
            Column::FlowState => word(row.state.map(|state| state.as_str())),
            Column::FlowStatus => word(row.status.map(|status| status.as_str())),
            Column::FlowEncryption => text(row.encryption),
            Column::PacketsSrcToDest => number(row.counters.packets_sent),
            Column::BytesSrcToDest => number(row.counters.bytes_sent),
            Column::PacketsDestToSrc => number(row.counters.packets_received),
            Column::BytesDestToSrc => number(row.counters.bytes_received),
            Column::CounterBasis => word(row.counter_basis.map(|basis| basis.as_str())),
            Column::MacAddress => row.mac.map_or(Self::Null, Self::Mac),
            Column::AclGroup => text(row.acl_group),
            Column::AclRule => text(row.acl_rule),
            Column::TargetResourceId => text(row.target_resource_id),
            Column::FlowLogResourceId => text(row.flow_log_resource_id),
            Column::SourceFormat => Self::Word(SourceFormat::as_str(row.source_format)),
            Column::SourceFile => Self::Text(row.source_file),
            Column::SourceRecord => Self::Number(row.source_record),
            Column::Partial => Self::Bool(row.is_partial),
            Column::RouteTableId
            | Column::RouteTableBasis
            | Column::LookupIp
            | Column::MatchedPrefix
            | Column::RouteSource
            | Column::NextHopType
            | Column::NextHopIp
            | Column::NextHopName
            | Column::NextHopClass
            | Column::PeerNextHopClass => Self::of_label(column, &row.label),
            Column::Required => text(row.coverage.and_then(|coverage| coverage.required)),
            Column::Coverage => word(row.coverage.map(|coverage| coverage.verdict)),
            Column::CoverageReason => text(row.coverage.map(|coverage| coverage.reason)),
            Column::Evidence => text(row.coverage.and_then(|coverage| coverage.evidence)),
            Column::DupOf => text(row.coverage.and_then(|coverage| coverage.dup_of)),
            _ => row.replay.as_ref().map_or(Self::Null, |replay| Self::of_replay(column, replay)),
        }
    }

    /// Returns the value of a column that a label fills.
    fn of_label(column: Column, label: &LabelColumns<'a>) -> Self {
        match column {
            Column::RouteTableId => text(label.route_table_id),
            Column::RouteTableBasis => {
                Self::Word(label.route_table_basis.map_or("none", |basis| match basis {
                    RouteTableBasis::Exported => "exported",
                    RouteTableBasis::Computed => "computed",
                }))
            }
            Column::LookupIp => word(label.lookup.map(|side| side.as_str())),
            Column::MatchedPrefix => label.matched_prefix.map_or(Self::Null, Self::Prefix),
            Column::RouteSource => text(label.route_source),
            Column::NextHopType => text(label.next_hop_type),
            Column::NextHopIp => label
                .next_hop_ips
                .filter(|ips| !ips.is_empty())
                .map_or(Self::Null, |ips| Self::Addresses(ips)),
            Column::NextHopName => text(label.next_hop_name),
            Column::NextHopClass => Self::Word(label.next_hop_class.as_str()),
            Column::PeerNextHopClass => word(label.peer_next_hop_class.map(|class| class.as_str())),
            _ => unreachable!("{column} is filled by no label"),
        }
    }

    /// Returns the value of a column that a replay fills.
    fn of_replay(column: Column, replay: &ReplayColumns<'a>) -> Self {
        let of_label = |column| Self::of_label(column, &replay.label);
        match column {
            Column::AfterDestIp => Self::Address(replay.destination),
            Column::AfterRouteTableId => of_label(Column::RouteTableId),
            Column::AfterRouteTableBasis => of_label(Column::RouteTableBasis),
            Column::AfterLookupIp => of_label(Column::LookupIp),
            Column::AfterMatchedPrefix => of_label(Column::MatchedPrefix),
            Column::AfterRouteSource => of_label(Column::RouteSource),
            Column::AfterNextHopType => of_label(Column::NextHopType),
            Column::AfterNextHopIp => of_label(Column::NextHopIp),
            Column::AfterNextHopName => of_label(Column::NextHopName),
            Column::AfterNextHopClass => of_label(Column::NextHopClass),
            Column::AfterPeerNextHopClass => of_label(Column::PeerNextHopClass),
            Column::ChangeReason => Self::Text(replay.reason),
            _ => unreachable!("{column} is filled by no replay"),
        }
    }

    /// Appends the value as plain text, without quotes or escapes; null is nothing.
    pub(super) fn write_plain(self, out: &mut Vec<u8>, times: &mut TimeText) {
        match self {
            Self::Null => {}
            Self::Word(word) => out.extend_from_slice(word.as_bytes()),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Number(value) => write_decimal(out, value),
            Self::Digits(value) => write_decimal(out, value.into()),
            Self::Time(time_ns) => times.write(out, time_ns),
            Self::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            Self::Address(address) => write_address(out, address),
            Self::Addresses(addresses) => write_addresses(out, addresses),
            Self::Prefix(prefix) => {
                write_address(out, prefix.address());
                out.push(b'/');
                write_decimal(out, prefix.length().into());
            }
            Self::Mac(mac) => write_mac(out, mac),
        }
    }
}

/// Writes times as RFC 3339 in UTC, and remembers the last second: neighbours mostly share it, and
/// a row holds its time up to three times.
#[derive(Clone, Debug)]
pub(super) struct TimeText {
    unit: TimeUnit,
    second: i64,
    text: String,
}

impl TimeText {
    pub(super) fn new(unit: TimeUnit) -> Self {
        let mut times = Self { unit, second: 0, text: String::new() };
        times.remember(0);
        times
    }

    fn write(&mut self, out: &mut Vec<u8>, time_ns: i64) {
        // Rounds towards the past, so that the fraction counts forward before 1970 too.
        let second = time_ns.div_euclid(1_000_000_000);
        let nanosecond = time_ns.rem_euclid(1_000_000_000).unsigned_abs();
        if second != self.second {
            self.remember(second);
        }
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'.');
        match self.unit {
            TimeUnit::Microseconds => write_padded(out, nanosecond / 1000, 6),
            TimeUnit::Nanoseconds => write_padded(out, nanosecond, 9),
        }
        out.push(b'Z');
    }

    /// Keeps a second as `2025-01-20T18:18:11`.
    fn remember(&mut self, second: i64) {
        let time = Timestamp::from_second(second);
        let time = time.expect("64 bits of nanoseconds span 1677 to 2262");
        self.second = second;
        self.text.clear();
        write!(self.text, "{time}").expect("a string takes any text");
        self.text.pop();
    }
}

fn number(value: Option<impl Into<u64>>) -> Cell<'static> {
    value.map_or(Cell::Null, |value| Cell::Number(value.into()))
}

fn word(value: Option<&'static str>) -> Cell<'static> {
    value.map_or(Cell::Null, Cell::Word)
}

fn text(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Null, Cell::Text)
}

fn write_addresses(out: &mut Vec<u8>, addresses: &[IpAddr]) {
    for (index, address) in addresses.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        write_address(out, *address);
    }
}

fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => write_ipv4(out, address),
        // The standard library follows RFC 5952.
        IpAddr::V6(address) => write!(out, "{address}").expect("memory takes any text"),
    }
}

fn write_ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        write_decimal(out, octet.into());
    }
}

/// As [`MacAddress`] shows itself, without the formatter.
fn write_mac(out: &mut Vec<u8>, mac: MacAddress) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in mac.bytes() {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

fn write_decimal(out: &mut Vec<u8>, value: u64) {
    let digits = value.checked_ilog10().unwrap_or(0) + 1;
    write_padded(out, value, digits);
}

/// Appends the lowest `digits` decimal digits, with leading zeros.
fn write_padded(out: &mut Vec<u8>, mut value: u64, digits: u32) {
    let start = out.len();
    out.resize(start + digits as usize, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit += (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(cell: Cell<'_>, unit: TimeUnit) -> String {
        let mut out = Vec::new();
        cell.write_plain(&mut out, &mut TimeText::new(unit));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_at_their_edges() {
        for (time_ns, micros, nanos) in [
            (0, "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999999Z"),
            (999, "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000999Z"),
            (
                1_737_397_091_925_475_000,
                "2025-01-20T18:18:11.925475Z",
                "2025-01-20T18:18:11.925475000Z",
            ),
            // 2024 has a leap day; 19,782 days after 1970-01-01.
            (
                19_782 * 86_400_000_000_000,
                "2024-02-29T00:00:00.000000Z",
                "2024-02-29T00:00:00.000000000Z",
            ),
            (i64::MIN, "1677-09-21T00:12:43.145224Z", "1677-09-21T00:12:43.145224192Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775Z", "2262-04-11T23:47:16.854775807Z"),
        ] {
            assert_eq!(plain(Cell::Time(time_ns), TimeUnit::Microseconds), micros);
            assert_eq!(plain(Cell::Time(time_ns), TimeUnit::Nanoseconds), nanos);
        }
    }

    #[test]
    fn the_remembered_second_does_not_stick() {
        let mut times = TimeText::new(TimeUnit::Microseconds);
        let mut out = Vec::new();
        for time_ns in [0, 1_000_000_000, 1_500_000_000, -1, 0] {
            times.write(&mut out, time_ns);
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "1970-01-01T00:00:00.000000Z1970-01-01T00:00:01.000000Z1970-01-01T00:00:01.500000Z\
             1969-12-31T23:59:59.999999Z1970-01-01T00:00:00.000000Z"
        );
    }

    #[test]
    fn numbers_at_every_number_of_digits() {
        for value in [0, 9, 10, 99, 100, 65_535, u64::MAX - 1, u64::MAX] {
            assert_eq!(plain(Cell::Number(value), TimeUnit::Microseconds), value.to_string());
        }
        for power in 0..20 {
            let value = 10u64.pow(power);
            assert_eq!(plain(Cell::Number(value), TimeUnit::Microseconds), value.to_string());
            assert_eq!(
                plain(Cell::Number(value - 1), TimeUnit::Microseconds),
                (value - 1).to_string()
            );
        }
    }

    #[test]
    fn mac_addresses_as_in_flow_logs() {
        for bytes in [[0; 6], [0xFF; 6], [0x00, 0x0D, 0x3A, 0xF8, 0x78, 0x56]] {
            let mac = MacAddress::new(bytes);
            assert_eq!(plain(Cell::Mac(mac), TimeUnit::default()), mac.to_string());
        }
    }

    #[test]
    fn addresses_by_rfc_5952() {
        for text in ["0.0.0.0", "255.255.255.255", "10.0.1.4", "::", "2001:db8::1", "fe80::1:0:0:1"]
        {
            assert_eq!(plain(Cell::Address(text.parse().unwrap()), TimeUnit::default()), text);
        }
        for text in ["0.0.0.0/0", "10.0.1.0/24", "::/0", "fd00::/8"] {
            assert_eq!(plain(Cell::Prefix(text.parse().unwrap()), TimeUnit::default()), text);
        }
        let set = ["10.13.76.4".parse().unwrap(), "10.13.76.5".parse().unwrap()];
        assert_eq!(plain(Cell::Addresses(&set), TimeUnit::default()), "10.13.76.4 10.13.76.5");
    }
}

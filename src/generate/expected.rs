//! What a run over generated traffic must say.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::router::Hop;
use super::{NaiveRouter, Verdict};
use crate::routing::NextHopClass;

/// The columns of the expected rows of a flow log.
pub const TUPLE_COLUMNS: &str = "FlowTime,SrcIp,SrcPort,DestIp,DestPort,ProtocolNumber,\
FlowDirection,FlowState,FlowEncryption,PacketsSrcToDest,BytesSrcToDest,PacketsDestToSrc,\
BytesDestToSrc,MacAddress,AclRule,RouteTableId,LookupIp,MatchedPrefix,RouteSource,NextHopType,\
NextHopIp,NextHopName,NextHopClass,PeerNextHopClass";

/// The columns of the expected rows of a capture.
pub const FLOW_COLUMNS: &str = "FlowStartTime,FlowEndTime,SrcIp,SrcPort,DestIp,DestPort,\
ProtocolNumber,PacketsSrcToDest,BytesSrcToDest,PacketsDestToSrc,BytesDestToSrc,SourceRecord,\
RouteTableId,LookupIp,MatchedPrefix,RouteSource,NextHopType,NextHopIp,NextHopName,NextHopClass,\
PeerNextHopClass";

/// The sums that `nexthop classify --format json` must print, as far as they do not depend on where
/// the files are.
///
/// Serialises with the keys of that output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    records_read: u64,
    classified: u64,
    unknown: BTreeMap<&'static str, u64>,
    not_applicable: BTreeMap<&'static str, u64>,
    damaged: BTreeMap<&'static str, u64>,
    by_class: BTreeMap<&'static str, Sums>,
    by_next_hop: Vec<HopSums>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Sums {
    flows: u64,
    packets: u64,
    bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct HopSums {
    next_hop_type: Option<String>,
    next_hop_ips: Vec<String>,
    next_hop_name: Option<String>,
    class: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

/// Sums on their way.
#[derive(Debug)]
pub(super) struct Counting {
    classified: u64,
    unknown: BTreeMap<&'static str, u64>,
    not_ip: u64,
    by_hop: Vec<Sums>,
    without_hop: [Sums; NextHopClass::ALL.len()],
}

impl Expected {
    /// Writes the object, indented.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

impl Expected {
    /// Returns what `nexthop classify --format json` printed otherwise than expected: the first
    /// such key, with what was printed and what was expected.
    pub fn difference(&self, printed: &[u8]) -> Option<String> {
        let printed: Value = match serde_json::from_slice(printed) {
            Ok(printed) => printed,
            Err(error) => return Some(error.to_string()),
        };
        let expected = serde_json::to_value(self).expect("texts and numbers");
        let keys = expected.as_object().expect("an object");
        let (key, want) = keys.iter().find(|(key, want)| printed[*key] != **want)?;
        Some(format!("{key} is {} and not {want}", printed[key]))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("texts and numbers"))
    }
}

impl Counting {
    pub(super) fn new(router: &NaiveRouter) -> Self {
        Self {
            classified: 0,
            unknown: BTreeMap::new(),
            not_ip: 0,
            by_hop: vec![Sums::default(); router.hops().len()],
            without_hop: [Sums::default(); NextHopClass::ALL.len()],
        }
    }

    /// Counts a row that stands for so many records.
    pub(super) fn add(&mut self, verdict: &Verdict, records: u64, packets: u64, bytes: u64) {
        match verdict.unknown {
            Some(reason) => *self.unknown.entry(reason.as_str()).or_default() += records,
            None => self.classified += records,
        }
        let sums = match verdict.hop() {
            Some(hop) => &mut self.by_hop[hop],
            None => &mut self.without_hop[verdict.class as usize],
        };
        sums.add(Sums { flows: 1, packets, bytes });
    }

    /// Counts a packet that is no IP.
    pub(super) fn add_not_ip(&mut self) {
        self.not_ip += 1;
    }

    pub(super) fn finish(self, router: &NaiveRouter) -> Expected {
        let classes = NextHopClass::ALL.map(Hop::without_route);
        let hops = router.hops().iter().zip(self.by_hop);
        let mut hops: Vec<(&Hop, Sums)> = hops
            .chain(classes.iter().zip(self.without_hop))
            .filter(|(_, sums)| sums.flows > 0)
            .collect();
        hops.sort_by(|(hop_a, a), (hop_b, b)| {
            (b.bytes, b.flows).cmp(&(a.bytes, a.flows)).then_with(|| hop_a.cmp(hop_b))
        });
        let mut by_class: BTreeMap<&'static str, Sums> = BTreeMap::new();
        for (hop, sums) in &hops {
            by_class.entry(hop.class.as_str()).or_default().add(*sums);
        }
        let some =
            |count: u64, reason| (count > 0).then_some((reason, count)).into_iter().collect();
        Expected {
            records_read: self.classified + self.unknown.values().sum::<u64>() + self.not_ip,
            classified: self.classified,
            unknown: self.unknown,
            not_applicable: some(self.not_ip, "not_ip"),
            damaged: BTreeMap::new(),
            by_class,
            by_next_hop: hops.into_iter().map(|(hop, sums)| HopSums::new(hop, sums)).collect(),
        }
    }
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.flows += other.flows;
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl HopSums {
    fn new(hop: &Hop, sums: Sums) -> Self {
        Self {
            next_hop_type: hop.next_hop_type.clone(),
            next_hop_ips: hop.ips.iter().map(ToString::to_string).collect(),
            next_hop_name: hop.name.clone(),
            class: hop.class.as_str(),
            sums,
        }
    }
}

/// Writes nanoseconds since 1970 as `2025-01-20T18:18:11.925475Z`.
pub(super) fn time_text(time_ns: u64) -> String {
    let time = i64::try_from(time_ns / 1000).map(jiff::Timestamp::from_microsecond);
    let time = time.ok().and_then(Result::ok).expect("generated times are of this century");
    format!("{time:.6}")
}

//! Everything that the corpus holds through a whole run: the books balance, and a packet that was
//! cut short never gets the label of another one.
//!
//! The corpus is outside the repository: `NEXTHOP_CORPUS` names its folder. `NEXTHOP_EXHAUSTIVE=1`
//! cuts every packet; without it a share of them, for time.

#![forbid(unsafe_code)]

mod support;

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::net::IpAddr;

use nexthop::classify::{OutputRow, RecordKind, RowBuffer, RowSink, Summary};
use nexthop::fib::Fib;
use nexthop::net::AddressPrefix;
use nexthop::routing::NextHopClass;
use nexthop::traffic::capture::Tunnel;
use nexthop::traffic::{Damage, DecodeOptions, NotApplicable};
use support::capture::{Packet, pcap};
use support::corpus;
use support::oracle::{read_by_pcap_file, unpacked};
use support::run::{Input, Run, SIMPLE_TABLE, fib};

/// Longer packets are left to those whose headers are as long.
const PACKET_BYTES_MAX: usize = 400;

/// Without `NEXTHOP_EXHAUSTIVE`, one in so many packets is cut.
const CUT_EVERY: usize = 40;

#[test]
fn the_books_of_every_file_balance() {
    let fib = fib(SIMPLE_TABLE);
    let mut records = 0;
    for folder in ["captures", "flowlogs", "firewall", "routes"] {
        let Some(folder) = corpus::folder(folder, "the_books_of_every_file_balance") else {
            return;
        };
        for path in corpus::files_below(&folder) {
            let inputs = corpus::inputs(&[path]);
            for per in [None, Some(RecordKind::Flow), Some(RecordKind::Packet)] {
                let (summary, rows) =
                    Run { per, ..Run::default() }.classify(&fib, &inputs, Rows::default());
                assert_balanced(&summary, &rows, &inputs[0]);
                records += summary.total.records_read;
            }
        }
    }
    assert!(records > 100_000, "only {records} records were read");
}

fn assert_balanced(summary: &Summary, rows: &Rows, input: &Input) {
    let name = &input.name;
    for tally in [&summary.total, &summary.inputs[0].tally] {
        let parts = [
            tally.classified,
            tally.unknown_total(),
            tally.not_applicable_total(),
            tally.damaged_total(),
        ];
        assert_eq!(tally.records_read, parts.iter().sum::<u64>(), "{name}");
        // What was not read is damage, and said so.
        assert!(tally.bytes_read <= input.bytes.len() as u64, "{name}");
        let is_whole = tally.bytes_read == input.bytes.len() as u64;
        assert!(is_whole || tally.damaged_total() > 0, "{name}: {tally:?}");
    }
    let flows: u64 = summary.by_class.iter().map(|(_, totals)| totals.flows).sum();
    assert_eq!(flows, rows.0.len() as u64, "{name}");
    let by_next_hop: u64 = summary.by_next_hop.iter().map(|(_, totals)| totals.bytes).sum();
    let by_class: u64 = summary.by_class.iter().map(|(_, totals)| totals.bytes).sum();
    assert_eq!(by_next_hop, by_class, "{name}");
}

#[test]
fn no_cut_turns_one_label_into_another() {
    let Some(packets) = unique_packets() else { return };
    assert!(packets.len() > 20_000, "only {} packets", packets.len());
    let is_exhaustive = std::env::var_os("NEXTHOP_EXHAUSTIVE").is_some();
    let step = if is_exhaustive { 1 } else { CUT_EVERY };
    let fib = fib(SIMPLE_TABLE);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
    pool.install(|| {
        for packet in packets.iter().step_by(step) {
            assert_cuts(&fib, packet);
        }
    });
}

/// A cut packet is damaged (truncated), or what the whole one is. Of a tunnel that is entered, cuts
/// before the ports show the outer packet, whose ports are not known.
fn assert_cuts(fib: &Fib, packet: &Packet) {
    let outer = Outcome::of_whole(fib, packet, &[]);
    let mut allowed = Outcome::truncated();
    allowed.extend(outer.clone());
    let cuts = Outcome::of_cuts(fib, packet, &[]);
    assert!(cuts.is_subset(&allowed), "{packet:?}: {outer:?} became {cuts:?}");

    let inner = Outcome::of_whole(fib, packet, &Tunnel::DEFAULT);
    let mut allowed = Outcome::truncated();
    allowed.extend(inner.clone());
    allowed.extend(outer.into_iter().filter(|outcome| !outcome.has_ports()));
    let cuts = Outcome::of_cuts(fib, packet, &Tunnel::DEFAULT);
    assert!(cuts.is_subset(&allowed), "{packet:?}: {inner:?} became {cuts:?}");
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Label { label: Label, has_ports: bool },
    NotApplicable(NotApplicable),
    Damaged(Damage),
}

impl Outcome {
    fn truncated() -> BTreeSet<Self> {
        BTreeSet::from([Self::Damaged(Damage::Truncated)])
    }

    fn has_ports(&self) -> bool {
        matches!(self, Self::Label { has_ports: true, .. })
    }

    /// What a whole packet may be seen as: with its ports, and without them.
    fn of_whole(fib: &Fib, packet: &Packet, tunnels: &[Tunnel]) -> BTreeSet<Self> {
        let mut outcomes = Self::of(fib, packet.link_type, std::slice::from_ref(packet), tunnels);
        assert_eq!(outcomes.len(), 1, "{packet:?}");
        for outcome in outcomes.clone() {
            if let Self::Label { label, has_ports: true } = outcome {
                outcomes.insert(Self::Label { label, has_ports: false });
            }
        }
        outcomes
    }

    fn of_cuts(fib: &Fib, packet: &Packet, tunnels: &[Tunnel]) -> BTreeSet<Self> {
        let cuts: Vec<Packet> = (0..packet.bytes.len())
            .map(|length| Packet { bytes: packet.bytes[..length].to_vec(), ..*packet })
            .collect();
        Self::of(fib, packet.link_type, &cuts, tunnels)
    }

    fn of(fib: &Fib, link_type: u16, packets: &[Packet], tunnels: &[Tunnel]) -> BTreeSet<Self> {
        let decode = DecodeOptions { decapsulate: tunnels.to_vec() };
        let run = Run { per: Some(RecordKind::Packet), decode, ..Run::default() };
        let input = Input { name: "cuts".into(), bytes: pcap(link_type, packets) };
        let (summary, rows) = run.classify_here(fib, &[input], Rows::default());
        assert_eq!(summary.total.records_read, packets.len() as u64);
        let tally = &summary.total;
        let not_applicable = NotApplicable::ALL
            .into_iter()
            .filter(|reason| tally.not_applicable(*reason) > 0)
            .map(Self::NotApplicable);
        let damaged =
            Damage::ALL.into_iter().filter(|reason| tally.damaged(*reason) > 0).map(Self::Damaged);
        rows.0.into_iter().chain(not_applicable).chain(damaged).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Label {
    source: IpAddr,
    destination: IpAddr,
    class: NextHopClass,
    matched_prefix: Option<AddressPrefix>,
}

/// A sink that keeps the labels.
#[derive(Default)]
struct Rows(Vec<Outcome>);

impl RowSink for Rows {
    type Buffer = Self;

    fn buffer(&self) -> Self {
        Self::default()
    }

    fn append(&mut self, buffer: &mut Self) -> io::Result<()> {
        self.0.append(&mut buffer.0);
        Ok(())
    }
}

impl RowBuffer for Rows {
    fn push(&mut self, row: &OutputRow<'_>) {
        let label = Label {
            source: row.source,
            destination: row.destination,
            class: row.label.next_hop_class,
            matched_prefix: row.label.matched_prefix,
        };
        self.0.push(Outcome::Label { label, has_ports: row.ports.is_some() });
    }
}

/// The short packets of the corpus, each once.
fn unique_packets() -> Option<Vec<Packet>> {
    let captures = corpus::folder("captures", "no_cut_turns_one_label_into_another")?;
    let mut seen = HashSet::new();
    let mut packets = Vec::new();
    for path in corpus::files_below(&captures) {
        for packet in read_by_pcap_file(&unpacked(&path)).unwrap_or_default() {
            if packet.bytes.len() <= PACKET_BYTES_MAX && seen.insert(packet.clone()) {
                packets.push(packet);
            }
        }
    }
    Some(packets)
}

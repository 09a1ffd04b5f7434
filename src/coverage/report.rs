//! What a verification found, ready for any format.

use std::net::IpAddr;

use super::{FindingCode, PoolMember, Rule, Verdict};
use crate::classify::InputSummary;
use crate::net::AddressPrefix;
use crate::routing::NextHopClass;
use crate::traffic::Tally;

/// The result of a verification.
#[derive(Clone, Debug, Default)]
pub struct CoverageReport {
    /// Sums by verdict, in the order of [`Verdict::ALL`], those without a flow left out.
    pub totals: Vec<(Verdict, CoverageTotals)>,
    /// Those of `covered` that a firewall showed: covered by a rule that asks for a firewall, not
    /// by one that asks for a path of which no firewall could tell.
    pub seen: CoverageTotals,
    /// Sums by rule, in the order of the policy.
    pub by_rule: Vec<RuleTotals>,
    /// Sums by who sent, by what kind of hop, to what kind of place: for a diagram.
    pub by_way: Vec<(Way, CoverageTotals)>,
    /// Flows that rules ask something of, in steps of time: start in nanoseconds, verdict, sums.
    pub timeline: Vec<(i64, Verdict, CoverageTotals)>,
    /// The width of a step of the timeline in nanoseconds.
    pub timeline_step_ns: i64,
    /// What is wrong, worst first: by bytes, then code, source and destination.
    pub findings: Vec<Finding>,
    /// What the user should know of some flows, and is no finding.
    pub notes: Vec<FlowNote>,
    /// What the user should know and is no finding.
    pub warnings: Vec<String>,
    /// The members of application gateways' pools, each with its flows.
    pub pools: Vec<PoolMember>,
    /// What can never be recorded, a line a place.
    pub unobservable: Vec<Unobservable>,
    /// Where evidence came from.
    pub evidence_sources: Vec<EvidenceSource>,
    /// The books of each input.
    pub inputs: Vec<InputSummary>,
    /// The books of all inputs.
    pub total: Tally,
    /// Every file that was read, as shown, with the SHA-256 of its content in hexadecimal.
    pub hashes: Vec<(String, String)>,
    /// False where more than one record in a thousand was damaged: then no percentage is shown.
    pub shows_percentages: bool,
}

/// What became of the flows of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTotals {
    /// The rule's name.
    pub rule: String,
    /// It asks for a firewall, so that what it covers was seen there.
    pub asks_firewall: bool,
    /// Sums by verdict, in the order of [`Verdict::ALL`], those without a flow left out.
    pub totals: Vec<(Verdict, CoverageTotals)>,
}

/// Sums over logical flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoverageTotals {
    /// Logical flows: both ends' records, and the legs before and after a firewall, are one.
    pub flows: u64,
    /// The recorded tuples or capture flows that they were made of.
    pub tuples: u64,
    /// Packets of both directions.
    pub packets: u64,
    /// Bytes of both directions.
    pub bytes: u64,
}

/// A way that flows took.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Way {
    /// The sender's route table, or `Internet`, or `unknown`.
    pub source_group: String,
    /// The first next hop.
    pub next_hop_class: NextHopClass,
    /// Its name or addresses, where there are.
    pub next_hop_name: Option<String>,
    /// The destination's route table, or the kind of place it is.
    pub destination_group: String,
    /// True for flows whose verdict fails the run; a way of both kinds of flows stands twice.
    pub is_finding: bool,
}

/// One thing that is wrong: a rule, a code, a source and a destination, with all their flows.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The verdict on its flows.
    pub verdict: Verdict,
    /// The rule's name.
    pub rule: String,
    /// What it is.
    pub code: FindingCode,
    /// A sentence that names the route that causes it and the change that would mend it.
    pub message: String,
    /// Sender of the flows.
    pub source: IpAddr,
    /// Receiver of the flows.
    pub destination: IpAddr,
    /// The table that decided.
    pub route_table_id: Option<String>,
    /// The route that decided.
    pub matched_prefix: Option<AddressPrefix>,
    /// What it leads to.
    pub next_hop_class: NextHopClass,
    /// Where the flows were seen: inputs and firewall logs, as shown.
    pub evidence: Vec<String>,
    /// The sums of its flows.
    pub totals: CoverageTotals,
    /// The first flows, for looking them up in the inputs.
    pub examples: Vec<FlowExample>,
}

/// What a reader should know of flows to one destination that pass firewalls, and is no finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowNote {
    /// A stable code: `private_endpoint_without_snat`.
    pub code: &'static str,
    /// Receiver of the flows.
    pub destination: IpAddr,
    /// The firewalls that they pass, by name or address, with spaces between.
    pub firewall: String,
    /// What is to be known, in a sentence.
    pub message: String,
    /// The sums of the flows.
    pub totals: CoverageTotals,
}

/// A flow as an example of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowExample {
    /// First time, nanoseconds since 1970.
    pub start_time_ns: i64,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// IANA protocol number.
    pub protocol: u8,
    /// The input, as shown.
    pub source_file: String,
    /// The record's number in it, 1-based.
    pub source_record: u64,
}

/// Traffic that no log ever shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unobservable {
    /// A stable code, such as `app_service_integration`.
    pub code: &'static str,
    /// Where.
    pub place: String,
    /// Why, in a sentence.
    pub message: String,
}

/// A source of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceSource {
    /// As shown.
    pub path: String,
    /// The firewall that it tells of; `None` where the log does not name one.
    pub firewall: Option<String>,
    /// The log categories that it covers.
    pub categories: Vec<String>,
    /// The window that it covers, nanoseconds since 1970.
    pub from_ns: i64,
    /// Its end.
    pub to_ns: i64,
    /// How many records it has.
    pub records: u64,
}

impl RuleTotals {
    /// Prepares for the flows of a rule.
    pub(super) fn of(rule: &Rule) -> Self {
        Self {
            rule: rule.name.clone(),
            asks_firewall: rule.via.asks_firewall(),
            totals: Vec::new(),
        }
    }
}

impl CoverageTotals {
    /// Adds another sum; saturates at `u64::MAX`.
    pub fn add(&mut self, other: Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.tuples = self.tuples.saturating_add(other.tuples);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl CoverageReport {
    /// Returns true when nothing fails the run.
    pub fn passes(&self) -> bool {
        self.findings.is_empty()
    }

    /// Returns the flows that percentages count.
    pub fn denominator(&self) -> CoverageTotals {
        let mut sum = CoverageTotals::default();
        for (_, totals) in self.totals.iter().filter(|(verdict, _)| verdict.counts_in_percentages())
        {
            sum.add(*totals);
        }
        sum
    }
}

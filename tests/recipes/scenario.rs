//! A scenario as a folder: an exported snapshot, a flow log, and what must come out of both, all
//! stated once and written as files.
//!
//! A decision is a line of text, so that a recipe reads as the table that it is:
//!
//! ```text
//! from 10.2.1.4 to 10.2.0.10 | vnet/gateways | 10.2.0.0/24 User VirtualAppliance 10.0.1.4 | fw
//!     | firewall peering delivered | firewall vnet delivered
//! ```
//!
//! that is: the packet; the table that decides; the route that wins (prefix, source, type, hops) or
//! nothing; who owns the hop; the classes along the path and its outcome; those of the way back, or
//! why it is not known.

use std::fmt::Write as _;

use super::azure::{SUBSCRIPTION, id};

/// Everything about one scenario.
#[derive(Default)]
pub struct Scenario {
    /// The folder below `captures/`.
    pub folder: &'static str,
    /// The files below `snapshot/`.
    pub snapshot: Vec<(String, Vec<u8>)>,
    /// Tables that are compared row for row: name, and rows as `SOURCE STATE PREFIX TYPE [HOP…]`.
    pub tables: Vec<(&'static str, String)>,
    /// Packets that a flow log recorded.
    pub recorded: Vec<Recorded>,
    /// Packets that are only asked about.
    pub asked: &'static str,
    /// Every finding: `SEVERITY CODE TABLE PREFIX RESOURCE`, with `-` for none.
    pub findings: &'static str,
    /// What `routes --compare` prints.
    pub comparison: Option<&'static str>,
    /// What `verify` is asked.
    pub policy: Option<&'static str>,
    /// Which recorded flows the firewall logged, by their number in the flow log from 1.
    pub logged: &'static [usize],
    /// What `verify` says of each recorded flow: `from A to B | REQUIRED | VERDICT | REASON`.
    pub verdicts: &'static str,
}

/// What one NIC recorded.
pub struct Recorded {
    /// The NIC.
    pub mac: &'static str,
    /// The resource that the log is enabled on.
    pub target: String,
    /// Decisions, one a line.
    pub decisions: &'static str,
}

/// The columns of the expected labels.
const LABEL_COLUMNS: &str = "SrcIp,DestIp,RouteTableId,LookupIp,MatchedPrefix,RouteSource,\
NextHopType,NextHopIp,NextHopName,NextHopClass,PeerNextHopClass";

/// The columns of the expected verdicts.
const VERDICT_COLUMNS: &str = "SrcIp,DestIp,Required,Coverage,CoverageReason";

/// 2025-03-03, 09:00 UTC: flow N of a scenario starts N seconds later, from port 49,000 + N.
const START_MS: u64 = 1_740_992_400_000;

/// One decision, taken apart.
struct Decision {
    from: String,
    to: String,
    table: String,
    route: [String; 4],
    name: String,
    path: String,
    back: String,
}

impl Scenario {
    /// Returns the files of the scenario's folder.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = self
            .snapshot
            .iter()
            .map(|(name, content)| (format!("snapshot/{name}"), content.clone()))
            .collect();
        let mut add = |name: &str, text: String| files.push((name.to_owned(), text.into()));
        add("expected-explain.csv", self.explanations());
        add("expected-lint.csv", self.lints());
        if !self.tables.is_empty() {
            add("expected-tables.csv", self.rows());
        }
        if !self.recorded.is_empty() {
            add("traffic/vnet-flow-log/PT1H.json", self.flow_log());
            add("expected-flow-log.csv", self.labels());
        }
        if let Some(comparison) = self.comparison {
            add("expected-comparison.txt", comparison.to_owned());
        }
        if let Some(policy) = self.policy {
            add("policy.toml", policy.to_owned());
            add("expected-verdicts.csv", self.verdicts());
        }
        if !self.logged.is_empty() {
            add("evidence/azfw.jsonl", self.firewall_log());
        }
        files
    }

    fn explanations(&self) -> String {
        let mut text = "From,Destination,RouteTableId,MatchedPrefix,RouteSource,NextHopType,\
                        NextHopIp,NextHopName,Path,Return\n"
            .to_owned();
        let recorded = self.recorded.iter().flat_map(|recorded| decisions(recorded.decisions));
        for decision in recorded.chain(decisions(self.asked)) {
            let Decision { from, to, table, route, name, path, back } = decision;
            let route = route.join(",");
            writeln!(text, "{from},{to},{table},{route},{name},{path},{back}").expect("a text");
        }
        text
    }

    fn labels(&self) -> String {
        let mut text = format!("{LABEL_COLUMNS}\n");
        for decision in self.recorded.iter().flat_map(|recorded| decisions(recorded.decisions)) {
            let Decision { from, to, table, route, name, path, back } = decision;
            let class = path.split(' ').next().expect("a path has a hop");
            // A reason for an unknown way back is one word, and a path is two at least.
            let peer = back.split_once(' ').map_or("", |(class, _)| class);
            let route = route.join(",");
            writeln!(text, "{from},{to},{table},dest,{route},{name},{class},{peer}")
                .expect("a text");
        }
        text
    }

    fn rows(&self) -> String {
        let mut text = "RouteTableId,Source,State,AddressPrefix,NextHopType,NextHopIp\n".to_owned();
        for (table, rows) in &self.tables {
            for row in rows.lines() {
                let words: Vec<&str> = row.split_whitespace().collect();
                let (fields, hops) = words.split_at(4);
                writeln!(text, "{table},{},{}", fields.join(","), hops.join(" ")).expect("a text");
            }
        }
        text
    }

    fn lints(&self) -> String {
        let mut text = "Severity,Code,RouteTableId,AddressPrefix,Resource\n".to_owned();
        for line in self.findings.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words.len(), 5, "{line}");
            let fields = words.iter().map(|word| if *word == "-" { "" } else { word });
            writeln!(text, "{}", fields.collect::<Vec<_>>().join(",")).expect("a text");
        }
        text
    }

    fn verdicts(&self) -> String {
        let mut text = format!("{VERDICT_COLUMNS}\n");
        for line in self.verdicts.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            let [packet, required, verdict, reason] = parts[..] else {
                panic!("a verdict has four parts: {line}")
            };
            let (from, to) = ends_of(packet);
            writeln!(text, "{from},{to},{required},{verdict},{reason}").expect("a text");
        }
        text
    }

    /// The firewall's log as its storage account keeps it: a record a line, of its network rules.
    fn firewall_log(&self) -> String {
        let recorded = self.recorded.iter().flat_map(|recorded| decisions(recorded.decisions));
        let recorded: Vec<Decision> = recorded.collect();
        let mut text = String::new();
        for number in self.logged {
            let Decision { from, to, .. } = &recorded[number - 1];
            writeln!(
                text,
                "{{\"time\":\"2025-03-03T09:00:{number:02}.0310000Z\",\
                 \"category\":\"AZFWNetworkRule\",\"resourceId\":\"{}\",\
                 \"properties\":{{\"Protocol\":\"TCP\",\"SourceIp\":\"{from}\",\"SourcePort\":{},\
                 \"DestinationIp\":\"{to}\",\"DestinationPort\":443,\"Action\":\"Allow\"}}}}",
                id("azureFirewalls", "azfw-hub").to_uppercase(),
                49_000 + number,
            )
            .expect("a text");
        }
        text
    }

    fn flow_log(&self) -> String {
        let mut second = 0;
        let records: Vec<String> =
            self.recorded.iter().map(|recorded| recorded.record(&mut second)).collect();
        format!("{{\"records\":[{}]}}", records.join(","))
    }
}

impl Recorded {
    /// One record of the log, with a tuple for each decision, a second apart.
    fn record(&self, second: &mut u64) -> String {
        let tuples: Vec<String> = decisions(self.decisions)
            .map(|decision| {
                *second += 1;
                let time = START_MS + *second * 1000;
                let port = 49_000 + *second;
                format!(
                    "\"{time},{},{},{port},443,6,O,E,NX,8,1200,6,5300\"",
                    decision.from, decision.to
                )
            })
            .collect();
        format!(
            "{{\"time\":\"2025-03-03T09:10:00.1234567Z\",\"flowLogVersion\":4,\
             \"flowLogGUID\":\"6f5a1c1e-0000-4000-8000-000000000005\",\"macAddress\":\"{}\",\
             \"category\":\"FlowLogFlowEvent\",\
             \"flowLogResourceID\":\"/SUBSCRIPTIONS/{}/RESOURCEGROUPS/NETWORKWATCHERRG/PROVIDERS/\
             MICROSOFT.NETWORK/NETWORKWATCHERS/NETWORKWATCHER_WESTEUROPE/FLOWLOGS/ESTATE-FLOWLOG\",\
             \"targetResourceID\":\"{}\",\"operationName\":\"FlowLogFlowEvent\",\
             \"flowRecords\":{{\"flows\":[{{\"aclID\":\"{}\",\
             \"flowGroups\":[{{\"rule\":\"UserRule_allow\",\"flowTuples\":[{}]}}]}}]}}}}",
            self.mac,
            SUBSCRIPTION.to_uppercase(),
            self.target,
            id("networkSecurityGroups", "nsg"),
            tuples.join(",")
        )
    }
}

fn decisions(text: &'static str) -> impl Iterator<Item = Decision> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Decision::of)
}

impl Decision {
    fn of(line: &str) -> Self {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [packet, table, route, name, path, back] = parts[..] else {
            panic!("a decision has six parts: {line}")
        };
        let (from, to) = ends_of(packet);
        let words: Vec<&str> = route.split_whitespace().collect();
        let route = match words.as_slice() {
            [] => Default::default(),
            [prefix, source, next_hop_type, hops @ ..] => {
                [*prefix, *source, *next_hop_type, &hops.join(" ")].map(str::to_owned)
            }
            _ => panic!("prefix, source, type, hops: {line}"),
        };
        let [from, to, table, name, path, back] =
            [from, to, table, name, path, back].map(str::to_owned);
        Self { from, to, table, route, name, path, back }
    }
}

fn ends_of(packet: &str) -> (&str, &str) {
    let ends = packet.strip_prefix("from ").and_then(|packet| packet.split_once(" to "));
    ends.unwrap_or_else(|| panic!("from A to B: {packet}"))
}

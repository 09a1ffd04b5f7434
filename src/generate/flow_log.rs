//! Generated VNet flow logs.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::conversation::{Conversation, Conversations, End, Kind};
use super::expected::{Counting, time_text};
use super::snapshot::NICS_PER_VNET;
use super::{Expected, NaiveRouter, Random, Snapshot, TUPLE_COLUMNS, Verdict};
use crate::net::MacAddress;
use crate::net::special::is_internet;
use crate::traffic::FlowDirection;

/// What a flow log is like.
///
/// Blobs are written as Azure does: one for each MAC address and hour, one line of compact JSON, a
/// record for each minute, tuples grouped by rule. A flow between two NICs is in the logs of both.
/// Some flows began in an earlier hour or still run in the next. Some observers have no export:
/// instances of scale sets, and a NIC of a VNet that the snapshot does not know.
///
/// # Examples
///
/// ```
/// use nexthop::generate::{FlowLogShape, NaiveRouter, SnapshotShape};
///
/// let snapshot = SnapshotShape { nics: 2, routes_per_table: 60 }.generate(1);
/// let shape = FlowLogShape { tuples: 100, ..FlowLogShape::default() };
/// let mut router = NaiveRouter::new(&snapshot);
/// let mut names = Vec::new();
/// let mut blob = |name: &str, json: &[u8]| {
///     assert!(json.starts_with(b"{\"records\":[{\"time\":\"2025-01-20T00:"));
///     names.push(name.to_owned());
///     Ok(())
/// };
/// shape.write(1, &snapshot, &mut router, &mut blob, None)?;
/// assert!(names[0].ends_with("/y=2025/m=01/d=20/h=00/m=00/macAddress=000D3A000001/PT1H.json"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: Microsoft, "VNet flow logs", sections "Log format" and "Sample log record", and
/// published blobs (read 2026-11-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLogShape {
    /// Tuples in all blobs together.
    pub tuples: u64,
    /// How many of a hundred flows are IPv6.
    pub ipv6_percent: u8,
}

impl Default for FlowLogShape {
    /// A thousand tuples, one flow in twenty IPv6.
    fn default() -> Self {
        Self { tuples: 1000, ipv6_percent: 5 }
    }
}

impl FlowLogShape {
    /// Writes a flow log and returns what must be found in it: each blob is given to `blob` with
    /// its name below the container, in the order of the names; `rows` takes the expected rows.
    ///
    /// Cost: about 1 µs a tuple; the memory of one hour, half a million tuples at most.
    ///
    /// # Errors
    ///
    /// What `blob` returns, and when `rows` cannot be written.
    pub fn write(
        &self,
        seed: u64,
        snapshot: &Snapshot,
        router: &mut NaiveRouter,
        blob: &mut dyn FnMut(&str, &[u8]) -> io::Result<()>,
        mut rows: Option<&mut dyn Write>,
    ) -> io::Result<Expected> {
        let random = &mut Random::new(seed, "flow-log");
        let conversations = Conversations::new(snapshot, self.ipv6_percent);
        let mut counting = Counting::new(router);
        if let Some(rows) = &mut rows {
            writeln!(rows, "{TUPLE_COLUMNS}")?;
        }
        let mut json = String::new();
        let mut left = self.tuples;
        for hour in 0.. {
            if left == 0 {
                break;
            }
            let tuples = hour_of_tuples(random, snapshot, &conversations, hour, left);
            left -= tuples.len() as u64;
            for of_one_mac in tuples.chunk_by(|a, b| a.mac == b.mac) {
                json.clear();
                write_blob(&mut json, snapshot, of_one_mac);
                blob(&blob_name(hour, of_one_mac[0].mac), json.as_bytes())?;
                for tuple in of_one_mac {
                    let verdict = tuple.verdict(router);
                    let [sent, received] = tuple.counted().unwrap_or_default();
                    counting.add(&verdict, 1, sent.0 + received.0, sent.1 + received.1);
                    if let Some(rows) = &mut rows {
                        tuple.write_row(router, &verdict, rows)?;
                    }
                }
            }
        }
        Ok(counting.finish(router))
    }
}

/// One tuple, and whose log it is in.
#[derive(Clone, Copy, Debug)]
struct Tuple {
    mac: MacAddress,
    observer: End,
    conversation: Conversation,
    direction: FlowDirection,
    rule: Rule,
    time_ms: u64,
    state: State,
    encryption: &'static str,
    /// Packets and bytes, sent and received.
    counters: [(u64, u64); 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    Continue,
    End,
    Deny,
}

/// A rule; the order is that of the groups in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    Platform,
    AllowVnetOut,
    AllowInternetOut,
    AllowVnetIn,
    AllowWebIn,
    DenyAllIn,
}

/// An hour has so many tuples, so that memory has a bound whatever the whole log has.
const TUPLES_PER_HOUR: u64 = 1 << 19;

/// 2025-01-20T00:00:00Z.
const START_MS: u64 = 1_737_331_200_000;
const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

/// Draws flows until an hour is full, and orders their tuples as the blobs do.
fn hour_of_tuples(
    random: &mut Random,
    snapshot: &Snapshot,
    conversations: &Conversations<'_>,
    hour: u64,
    left: u64,
) -> Vec<Tuple> {
    let wanted = left.min(TUPLES_PER_HOUR) as usize;
    let mut tuples = Vec::with_capacity(wanted + 16);
    while tuples.len() < wanted {
        push_flow(random, snapshot, conversations, hour, &mut tuples);
    }
    // The last flow goes on after the log ends.
    tuples.truncate(wanted);
    // Stable: tuples of one millisecond stay in the order in which they were drawn.
    tuples.sort_by_key(|tuple| (tuple.mac, tuple.time_ms / MINUTE_MS, tuple.rule, tuple.time_ms));
    tuples
}

fn push_flow(
    random: &mut Random,
    snapshot: &Snapshot,
    conversations: &Conversations<'_>,
    hour: u64,
    tuples: &mut Vec<Tuple>,
) {
    let conversation = conversations.draw(random);
    let start_ms = START_MS + hour * HOUR_MS + random.below(HOUR_MS);
    let end_ms = START_MS + (hour + 1) * HOUR_MS;
    let encryption = *random.pick(&["NX", "NX", "NX", "NX", "NX", "NX", "X", "NX_LOCAL_DST"]);
    let mut time_ms = start_ms;
    for &state in states(random, conversation.kind) {
        let counters = counters(random);
        let ends = [
            (conversation.from, FlowDirection::Outbound),
            (conversation.to, FlowDirection::Inbound),
        ];
        for (end, direction) in ends {
            let Some(observer) = end else { continue };
            tuples.push(Tuple {
                mac: mac_of(snapshot, observer),
                observer,
                conversation,
                direction,
                rule: rule(&conversation, direction),
                time_ms,
                state,
                encryption,
                counters,
            });
        }
        time_ms = (time_ms + 1 + random.below(MINUTE_MS)).min(end_ms - 1);
    }
}

/// The states that an hour sees of a flow.
fn states(random: &mut Random, kind: Kind) -> &'static [State] {
    use State::{Begin, Continue, Deny, End};
    match kind {
        Kind::Denied => &[Deny],
        Kind::Infrastructure => &[End],
        Kind::Allowed => match random.below(20) {
            0..12 => &[Begin, End],
            12..14 => &[Begin],
            14 => &[End],
            15 => &[Continue, Continue, Continue],
            16 | 17 => &[Begin, Continue, End],
            _ => &[Begin, Continue, Continue, Continue, End],
        },
    }
}

fn counters(random: &mut Random) -> [(u64, u64); 2] {
    let packets_max = *random.pick(&[4, 16, 64, 1000, 100_000]);
    let sent = 1 + random.below(packets_max);
    // Some are never answered.
    let received = if random.one_in(16) { 0 } else { 1 + random.below(packets_max) };
    [sent, received].map(|packets| (packets, packets * (54 + random.below(1447))))
}

fn rule(conversation: &Conversation, direction: FlowDirection) -> Rule {
    match (conversation.kind, direction) {
        (Kind::Infrastructure, _) => Rule::Platform,
        (Kind::Denied, _) => Rule::DenyAllIn,
        (Kind::Allowed, FlowDirection::Outbound) if is_internet(conversation.destination.0) => {
            Rule::AllowInternetOut
        }
        (Kind::Allowed, FlowDirection::Outbound) => Rule::AllowVnetOut,
        (Kind::Allowed, FlowDirection::Inbound) if is_internet(conversation.source.0) => {
            Rule::AllowWebIn
        }
        (Kind::Allowed, FlowDirection::Inbound) => Rule::AllowVnetIn,
    }
}

fn mac_of(snapshot: &Snapshot, observer: End) -> MacAddress {
    match observer {
        End::Place(place) => snapshot.places[place].mac,
        End::Instance(place) => {
            let [.., high, low] = place.to_be_bytes();
            MacAddress::new([0x00, 0x0D, 0x3A, 0xF0, high, low])
        }
        End::Stranger => MacAddress::new([0x00, 0x0D, 0x3A, 0xFF, 0xFF, 0xFF]),
    }
}

const SUBSCRIPTION: &str = "00000000-0000-0000-0000-0000000a2025";

fn blob_name(hour: u64, mac: MacAddress) -> String {
    let time = time_text((START_MS + hour * HOUR_MS) * 1_000_000);
    let (year, month, day, hour) = (&time[..4], &time[5..7], &time[8..10], &time[11..13]);
    format!(
        "flowLogResourceID=/{}_NETWORKWATCHERRG/NETWORKWATCHER_WESTEUROPE_HUB-FLOWLOG/\
         y={year}/m={month}/d={day}/h={hour}/m=00/macAddress={mac}/PT1H.json",
        SUBSCRIPTION.to_uppercase()
    )
}

/// Writes the tuples of one MAC address and hour.
fn write_blob(json: &mut String, snapshot: &Snapshot, tuples: &[Tuple]) {
    json.push_str("{\"records\":[");
    for (index, record) in tuples.chunk_by(is_same_minute).enumerate() {
        json.push_str(if index == 0 { "" } else { "," });
        write_record(json, snapshot, record);
    }
    json.push_str("]}");
}

fn is_same_minute(a: &Tuple, b: &Tuple) -> bool {
    a.time_ms / MINUTE_MS == b.time_ms / MINUTE_MS
}

/// Writes the tuples of one minute. Rules of one access list stand apart, as Azure has them.
fn write_record(json: &mut String, snapshot: &Snapshot, tuples: &[Tuple]) {
    let Tuple { mac, observer, time_ms, .. } = tuples[0];
    // A minute is logged when it is over, with seven decimals.
    let logged_ms = (time_ms / MINUTE_MS + 1) * MINUTE_MS;
    let time = time_text((logged_ms + u64::from(mac.bytes()[5])) * 1_000_000);
    let time = time.trim_end_matches('Z');
    let resources = Resources::of(snapshot, observer);
    write!(
        json,
        "{{\"time\":\"{time}0Z\",\"flowLogGUID\":\"6f5a1c1e-0000-4000-8000-000000000004\",\
         \"macAddress\":\"{mac}\",\"category\":\"FlowLogFlowEvent\",\
         \"flowLogResourceID\":\"/SUBSCRIPTIONS/{}/RESOURCEGROUPS/NETWORKWATCHERRG/PROVIDERS/\
         MICROSOFT.NETWORK/NETWORKWATCHERS/NETWORKWATCHER_WESTEUROPE/FLOWLOGS/HUB-FLOWLOG\",\
         \"targetResourceID\":\"{}\",\"flowLogVersion\":4,\"operationName\":\"FlowLogFlowEvent\",\
         \"flowRecords\":{{\"flows\":[",
        SUBSCRIPTION.to_uppercase(),
        resources.target,
    )
    .expect("a string takes any text");
    for (index, group) in tuples.chunk_by(|a, b| a.rule == b.rule).enumerate() {
        json.push_str(if index == 0 { "" } else { "," });
        let rule = group[0].rule;
        let acl = if rule == Rule::Platform { PLATFORM_ACL } else { &resources.acl };
        write!(
            json,
            "{{\"aclID\":\"{acl}\",\"flowGroups\":[{{\"rule\":\"{}\",\"flowTuples\":[",
            rule.as_str()
        )
        .expect("a string takes any text");
        for (index, tuple) in group.iter().enumerate() {
            json.push_str(if index == 0 { "" } else { "," });
            tuple.write_json(json);
        }
        json.push_str("]}]}");
    }
    json.push_str("]}}");
}

const PLATFORM_ACL: &str = "00000000-0000-0000-0000-000000000000";

/// The resources that a record names.
struct Resources {
    /// What the log is enabled on: for some a NIC, for most the VNet.
    target: String,
    acl: String,
}

impl Resources {
    fn of(snapshot: &Snapshot, observer: End) -> Self {
        let vnet = match observer {
            End::Place(0) => "hub".to_owned(),
            End::Place(place) | End::Instance(place) => {
                format!("spoke{:04}", (place as u32 - 1) / NICS_PER_VNET)
            }
            End::Stranger => "legacy".to_owned(),
        };
        let network = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/network/providers/Microsoft.Network"
        );
        let target = match observer {
            End::Place(place) if place % 4 == 1 => {
                format!("{network}/networkInterfaces/{}", snapshot.places[place].name)
            }
            _ => format!("{network}/virtualNetworks/{vnet}"),
        };
        Self { target, acl: format!("{network}/networkSecurityGroups/{vnet}-nsg") }
    }
}

impl Tuple {
    /// Packets and bytes where the row has counters: those of `B` and `D` count nothing.
    fn counted(&self) -> Option<[(u64, u64); 2]> {
        matches!(self.state, State::Continue | State::End).then_some(self.counters)
    }

    fn verdict(&self, router: &mut NaiveRouter) -> Verdict {
        let Conversation { kind, source, destination, .. } = self.conversation;
        let is_platform_rule = kind == Kind::Infrastructure;
        router.tuple(self.mac, is_platform_rule, self.direction, source.0, destination.0)
    }

    fn write_json(&self, json: &mut String) {
        let Conversation { source, destination, protocol, .. } = self.conversation;
        let direction = match self.direction {
            FlowDirection::Inbound => 'I',
            FlowDirection::Outbound => 'O',
        };
        let Self { time_ms, encryption, .. } = self;
        let state = self.state.letter();
        write!(
            json,
            "\"{time_ms},{},{},{},{},{protocol},{direction},{state},{encryption},",
            source.0, destination.0, source.1, destination.1
        )
        .expect("a string takes any text");
        // Older logs have nothing where newer ones have zeros that were not counted.
        let is_old = self.mac.bytes()[5] % 4 == 3;
        match self.counted() {
            Some([sent, received]) => {
                write!(json, "{},{},{},{}\"", sent.0, sent.1, received.0, received.1)
                    .expect("a string takes any text");
            }
            None if is_old => json.push_str(",,,\""),
            None => json.push_str("0,0,0,0\""),
        }
    }

    fn write_row(
        &self,
        router: &NaiveRouter,
        verdict: &Verdict,
        rows: &mut dyn Write,
    ) -> io::Result<()> {
        let Conversation { source, destination, protocol, .. } = self.conversation;
        let counters = self.counted().map_or_else(
            || ",,,".to_owned(),
            |[sent, received]| format!("{},{},{},{}", sent.0, sent.1, received.0, received.1),
        );
        writeln!(
            rows,
            "{},{},{},{},{},{protocol},{},{},{},{counters},{},{},{}",
            time_text(self.time_ms * 1_000_000),
            source.0,
            source.1,
            destination.0,
            destination.1,
            self.direction.as_str(),
            self.state.as_str(),
            self.encryption,
            self.mac,
            self.rule.as_str(),
            router.columns(verdict).join(","),
        )
    }
}

impl State {
    fn letter(self) -> char {
        match self {
            Self::Begin => 'B',
            Self::Continue => 'C',
            Self::End => 'E',
            Self::Deny => 'D',
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "Begin",
            Self::Continue => "Continue",
            Self::End => "End",
            Self::Deny => "Deny",
        }
    }
}

impl Rule {
    fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "PlatformRule",
            Self::AllowVnetOut => "DefaultRule_AllowVnetOutBound",
            Self::AllowInternetOut => "DefaultRule_AllowInternetOutBound",
            Self::AllowVnetIn => "DefaultRule_AllowVnetInBound",
            Self::AllowWebIn => "UserRule_allow-web",
            Self::DenyAllIn => "DefaultRule_DenyAllInBound",
        }
    }
}

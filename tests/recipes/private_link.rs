//! Private endpoints behind a firewall, and the two ways around it.
//!
//! A hub VNet (10.13.76.0/24) with an active/active VPN gateway (.4, .5) and a firewall (front end
//! .68, instances .69 and .70) is peered, across regions, with a spoke (10.13.77.0/24) that holds
//! the private endpoints .4, .5 and .6. Network policies for route tables are on in the endpoints'
//! subnet. Three route tables tell three stories:
//!
//! * `hubvmVMNic` has the user-defined route 10.13.77.0/24 → firewall: as long as the peering's
//!   prefix, so the endpoints' /32 routes are invalid and its traffic passes the firewall;
//! * `gwproxyVMNic` has the route table of the GatewaySubnet, with 10.0.0.0/8 → firewall: shorter
//!   than the peering's /24, so the /32 routes are back and all of on-premises (192.168.0.0/24)
//!   goes straight to the endpoints;
//! * `spoke1vmVMNic` lives beside the endpoints and has only 0.0.0.0/0 → firewall: it too goes
//!   straight to them.
//!
//! Source: the addresses and the first two tables are those of "Private Link reality bite #2: your
//! routes might be lying" (blog.cloudtrooper.net, 2025-01-22); the sizes of the flows are made up.

use std::fmt::Write as _;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};

use super::{ACK, FIN_ACK, Files, Packet, SYN, SYN_ACK, TCP, UDP, time_of_day};

/// The columns of the expected rows.
pub const COLUMNS: &str = "FlowTime,SrcIp,SrcPort,DestIp,DestPort,L4Protocol,FlowDirection,FlowState,\
BytesSrcToDest,BytesDestToSrc,MacAddress,RouteTableId,LookupIp,MatchedPrefix,RouteSource,\
NextHopType,NextHopIp,NextHopName,NextHopClass,PeerNextHopClass";

pub fn files() -> Files {
    vec![
        ("snapshot/nexthop.toml", SETTINGS.into()),
        ("snapshot/hubvmVMNic.txt", HUB_VM.into()),
        ("snapshot/gwproxyVMNic.json", gateway_proxy().into()),
        ("snapshot/spoke1vmVMNic.csv", SPOKE_VM.into()),
        ("traffic/hubvm.pcap", capture()),
        ("traffic/vnet-flow-log/PT1H.json", flow_log().into()),
        ("policy.toml", POLICY.into()),
        ("evidence/azfw-hub.jsonl", firewall_log().into()),
        ("expected-flow-log.csv", expected_flow_log().into()),
        ("expected-capture.csv", expected_capture().into()),
    ]
}

const SETTINGS: &str = r#"# What no export can say about this snapshot.

[[firewall]]
name = "azfw-hub"
addresses = ["10.13.76.68"]
subnets = ["10.13.76.64/26"]

# Azure shows no effective routes of a gateway. A VM in the hub with the same route table stands in
# for it, and on-premises enters by the gateway.
[[table]]
file = "gwproxyVMNic.json"
name = "hub/GatewaySubnet"
sources = ["192.168.0.0/24", "10.13.76.0/27", "mac:002248A7C004"]

[[table]]
file = "hubvmVMNic.txt"
sources = ["10.13.76.128/26", "mac:000D3A5B1101"]

[[table]]
file = "spoke1vmVMNic.csv"
sources = ["10.13.77.64/26", "mac:000D3A5B2202"]
"#;

const POLICY: &str = r#"# What the firewall is there for.

[[require]]
name = "private endpoints only through the firewall"
from = ["any"]
to = ["class:private_endpoint"]
via = "firewall"
"#;

/// What `nexthop verify` must find with the policy and the firewall's log: logical flows and the
/// tuples (capture flows count one) by verdict.
///
/// Of 25 flows in the log two are recorded at both ends; the capture has five more. Nine flows come
/// from on-premises and one from the spoke, straight to the endpoints. The hub VM's four pass the
/// firewall by their routes; the firewall's log shows three of them, and covers the time of the
/// fourth. Of the stranger nothing is known. The rest is nobody's concern.
pub const VERDICTS: [(&str, u64, u64); 6] = [
    ("platform", 1, 2),
    ("not_required", 12, 25),
    ("unknown", 1, 2),
    ("bypass", 10, 20),
    ("missing", 1, 1),
    ("covered", 3, 5),
];

/// The firewall's log as its storage account keeps it: a record a line.
fn firewall_log() -> String {
    let network = |time: &str, port: u16, destination: &str, destination_port: u16| {
        format!(
            "{{\"time\":\"2025-01-20T{time}Z\",\"category\":\"AZFWNetworkRule\",\"resourceId\":\"{FIREWALL_ID}\",\
             \"properties\":{{\"Protocol\":\"TCP\",\"SourceIp\":\"10.13.76.132\",\"SourcePort\":{port},\
             \"DestinationIp\":\"{destination}\",\"DestinationPort\":{destination_port},\"Action\":\"Allow\",\
             \"Policy\":\"hub\",\"RuleCollectionGroup\":\"net\",\"RuleCollection\":\"endpoints\",\
             \"Rule\":\"to endpoints\",\"ActionReason\":\"\"}}}}"
        )
    };
    let application = |time: &str, port: u16| {
        format!(
            "{{\"time\":\"2025-01-20T{time}Z\",\"category\":\"AZFWApplicationRule\",\"resourceId\":\"{FIREWALL_ID}\",\
             \"properties\":{{\"Protocol\":\"HTTPS\",\"SourceIp\":\"10.13.77.70\",\"SourcePort\":{port},\
             \"DestinationPort\":443,\"Fqdn\":\"updates.example.com\",\"IsTlsInspected\":false,\"Action\":\"Allow\",\
             \"Policy\":\"hub\",\"RuleCollectionGroup\":\"app\",\"RuleCollection\":\"updates\",\
             \"Rule\":\"updates\",\"ActionReason\":\"\"}}}}"
        )
    };
    let lines = [
        application("18:00:02.1180000", 51_000),
        network("18:30:05.3312841", 49_810, "10.13.77.6", 1433),
        network("18:31:17.0412000", 49_822, "10.13.77.4", 443),
        network("19:00:10.1190230", 49_901, "10.13.77.6", 1433),
        application("19:05:44.9000000", 51_044),
    ];
    lines.map(|line| line + "\n").concat()
}

const FIREWALL_ID: &str = "/SUBSCRIPTIONS/00000000-0000-0000-0000-0000000A2025/RESOURCEGROUPS/PLINK-AZURE\
/PROVIDERS/MICROSOFT.NETWORK/AZUREFIREWALLS/AZFW-HUB";

const HUB_VM: &str = "\
Source                 State    Address Prefix  Next Hop Type          Next Hop IP
---------------------  -------  --------------  ---------------------  -----------
Default                Active   10.13.76.0/24   VnetLocal
VirtualNetworkGateway  Active   192.168.0.0/24  VirtualNetworkGateway  10.13.76.4
VirtualNetworkGateway  Active   192.168.0.0/24  VirtualNetworkGateway  10.13.76.5
Default                Active   0.0.0.0/0       Internet
Default                Active   10.0.0.0/8      None
Default                Active   100.64.0.0/10   None
Default                Active   172.16.0.0/12   None
Default                Active   192.168.0.0/16  None
User                   Active   10.13.77.0/24   VirtualAppliance       10.13.76.68
Default                Invalid  10.13.77.0/24   VNetGlobalPeering
Default                Invalid  10.13.77.4/32   InterfaceEndpoint
Default                Invalid  10.13.77.5/32   InterfaceEndpoint
Default                Invalid  10.13.77.6/32   InterfaceEndpoint
";

const SPOKE_VM: &str = "\
Source,State,Address Prefixes,Next Hop Type,Next Hop IP Address,User Defined Route Name
Default,Active,10.13.77.0/24,Virtual network,,
Default,Active,10.13.76.0/24,VNet global peering,,
Virtual network gateway,Invalid,192.168.0.0/24,Virtual network gateway,\"10.13.76.4,10.13.76.5\",
Default,Invalid,0.0.0.0/0,Internet,,
Default,Active,10.13.77.4/32,InterfaceEndpoint,,
Default,Active,10.13.77.5/32,InterfaceEndpoint,,
Default,Active,10.13.77.6/32,InterfaceEndpoint,,
User,Active,0.0.0.0/0,Virtual appliance,10.13.76.68,default-to-firewall
User,Active,192.168.0.0/24,Virtual appliance,10.13.76.68,onprem-to-firewall
";

fn gateway_proxy() -> String {
    let rows = [
        ("Default", "10.13.76.0/24", "VnetLocal", "", "null"),
        ("VirtualNetworkGateway", "192.168.0.0/24", "VirtualNetworkGateway", "10.13.76.4", "null"),
        ("VirtualNetworkGateway", "192.168.0.0/24", "VirtualNetworkGateway", "10.13.76.5", "null"),
        ("Default", "0.0.0.0/0", "Internet", "", "null"),
        ("Default", "100.64.0.0/10", "None", "", "null"),
        ("Default", "172.16.0.0/12", "None", "", "null"),
        ("Default", "192.168.0.0/16", "None", "", "null"),
        ("User", "10.0.0.0/8", "VirtualAppliance", "10.13.76.68", "\"endpoint-vnet\""),
        ("Default", "10.13.77.0/24", "VNetGlobalPeering", "", "null"),
        ("Default", "10.13.77.4/32", "InterfaceEndpoint", "", "null"),
        ("Default", "10.13.77.5/32", "InterfaceEndpoint", "", "null"),
        ("Default", "10.13.77.6/32", "InterfaceEndpoint", "", "null"),
    ];
    let rows: Vec<String> = rows
        .iter()
        .map(|(source, prefix, next_hop_type, ip, name)| {
            let ips = if ip.is_empty() { "[]".to_owned() } else { format!("[\"{ip}\"]") };
            format!(
                "    {{\n      \"addressPrefix\": [\"{prefix}\"],\n      \
                 \"disableBgpRoutePropagation\": false,\n      \"name\": {name},\n      \
                 \"nextHopIpAddress\": {ips},\n      \"nextHopType\": \"{next_hop_type}\",\n      \
                 \"source\": \"{source}\",\n      \"state\": \"Active\"\n    }}"
            )
        })
        .collect();
    format!("{{\n  \"nextLink\": null,\n  \"value\": [\n{}\n  ]\n}}\n", rows.join(",\n"))
}

/// Who recorded a tuple.
#[derive(Clone, Copy, PartialEq)]
enum Observer {
    Gateway,
    HubVm,
    SpokeVm,
    /// A NIC that the snapshot knows nothing of.
    Stranger,
}

impl Observer {
    fn mac(self) -> &'static str {
        match self {
            Self::Gateway => "002248A7C004",
            Self::HubVm => "000D3A5B1101",
            Self::SpokeVm => "000D3A5B2202",
            Self::Stranger => "000D3AFFFFFF",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::Gateway | Self::HubVm => "hub",
            Self::SpokeVm => "spoke1",
            Self::Stranger => "legacy",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Gateway => "hub/GatewaySubnet",
            Self::HubVm => "hubvmVMNic",
            Self::SpokeVm => "spoke1vmVMNic",
            Self::Stranger => "",
        }
    }
}

/// One flow of the log: a Begin at `second` of the day, and an End `seconds` later with its bytes.
struct Flow {
    observer: Observer,
    second: u64,
    seconds: u64,
    source: (&'static str, u16),
    destination: (&'static str, u16),
    protocol: u8,
    direction: char,
    bytes: [u64; 2],
    expected: Expected,
}

/// The label by the rules, and that of the other end.
struct Expected {
    route: &'static str,
    class: &'static str,
    peer: &'static str,
}

const fn expect(route: &'static str, class: &'static str, peer: &'static str) -> Expected {
    Expected { route, class, peer }
}

// MatchedPrefix,RouteSource,NextHopType,NextHopIp,NextHopName of each route that is used.
const ENDPOINT_4: &str = "10.13.77.4/32,Default,InterfaceEndpoint,,";
const ENDPOINT_5: &str = "10.13.77.5/32,Default,InterfaceEndpoint,,";
const ENDPOINT_6: &str = "10.13.77.6/32,Default,InterfaceEndpoint,,";
const GLOBAL_PEERING: &str = "10.13.77.0/24,Default,VNetGlobalPeering,,";
const HUB_PEERING: &str = "10.13.76.0/24,Default,VNetGlobalPeering,,";
const HUB_LOCAL: &str = "10.13.76.0/24,Default,VnetLocal,,";
const FIREWALL_8: &str = "10.0.0.0/8,User,VirtualAppliance,10.13.76.68,azfw-hub";
const FIREWALL_24: &str = "10.13.77.0/24,User,VirtualAppliance,10.13.76.68,azfw-hub";
const FIREWALL_0: &str = "0.0.0.0/0,User,VirtualAppliance,10.13.76.68,azfw-hub";
const FIREWALL_ONPREM: &str = "192.168.0.0/24,User,VirtualAppliance,10.13.76.68,azfw-hub";
const GATEWAY: &str =
    "192.168.0.0/24,VirtualNetworkGateway,VirtualNetworkGateway,10.13.76.4 10.13.76.5,";
const INTERNET: &str = "0.0.0.0/0,Default,Internet,,";
const NONE_10: &str = "10.0.0.0/8,Default,None,,";
const NOTHING: &str = ",,,,";

fn flows() -> Vec<Flow> {
    use Observer::{Gateway, HubVm, SpokeVm, Stranger};
    let flow =
        |observer, second, seconds, source, destination, protocol, direction, bytes, expected| {
            Flow {
                observer,
                second,
                seconds,
                source,
                destination,
                protocol,
                direction,
                bytes,
                expected,
            }
        };
    let sql = ("10.13.77.6", 1433);
    let at = |hour: u64, minute: u64, second: u64| hour * 3600 + minute * 60 + second;
    vec![
        // On-premises to the endpoints: straight past the firewall.
        flow(
            Gateway,
            at(18, 18, 11),
            94,
            ("192.168.0.4", 50112),
            sql,
            TCP,
            'O',
            [48_211, 9_120_334],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 20, 37),
            12,
            ("192.168.0.4", 50118),
            sql,
            TCP,
            'O',
            [12_904, 1_830_112],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 20, 59),
            31,
            ("192.168.0.4", 50121),
            sql,
            TCP,
            'O',
            [20_480, 4_410_008],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 20, 59),
            7,
            ("192.168.0.4", 50122),
            sql,
            TCP,
            'O',
            [3_122, 88_190],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 21, 0),
            5,
            ("192.168.0.4", 50123),
            sql,
            TCP,
            'O',
            [3_122, 90_404],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 21, 1),
            5,
            ("192.168.0.4", 50124),
            sql,
            TCP,
            'O',
            [3_122, 89_911],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 21, 2),
            5,
            ("192.168.0.4", 50125),
            sql,
            TCP,
            'O',
            [3_122, 91_032],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 24, 40),
            240,
            ("192.168.0.7", 61200),
            ("10.13.77.4", 443),
            TCP,
            'O',
            [2_118_400, 402_117],
            expect(ENDPOINT_4, "private_endpoint", ""),
        ),
        flow(
            Gateway,
            at(18, 25, 2),
            18,
            ("192.168.0.7", 61209),
            ("10.13.77.5", 443),
            TCP,
            'O',
            [8_020, 61_774],
            expect(ENDPOINT_5, "private_endpoint", ""),
        ),
        // The /24 of the peering is longer than the user's /8 for the rest of the spoke, too.
        flow(
            Gateway,
            at(18, 26, 30),
            60,
            ("192.168.0.9", 40010),
            ("10.13.77.70", 8080),
            TCP,
            'O',
            [15_600, 230_400],
            expect(GLOBAL_PEERING, "peering", "firewall"),
        ),
        // What no longer prefix holds does pass the firewall.
        flow(
            Gateway,
            at(18, 27, 0),
            9,
            ("192.168.0.9", 40044),
            ("10.50.0.10", 445),
            TCP,
            'O',
            [1_480, 960],
            expect(FIREWALL_8, "firewall", ""),
        ),
        flow(
            Gateway,
            at(18, 28, 11),
            300,
            ("192.168.0.4", 50260),
            ("10.13.76.132", 22),
            TCP,
            'O',
            [40_110, 122_008],
            expect(HUB_LOCAL, "vnet", "gateway"),
        ),
        // The hub VM has the right /24: its endpoint traffic passes the firewall.
        flow(
            HubVm,
            at(18, 30, 5),
            20,
            ("10.13.76.132", 49810),
            sql,
            TCP,
            'O',
            [22_410, 3_120_660],
            expect(FIREWALL_24, "firewall", ""),
        ),
        flow(
            HubVm,
            at(18, 31, 17),
            44,
            ("10.13.76.132", 49822),
            ("10.13.77.4", 443),
            TCP,
            'O',
            [610_220, 90_114],
            expect(FIREWALL_24, "firewall", ""),
        ),
        flow(
            HubVm,
            at(18, 33, 0),
            11,
            ("10.13.76.132", 49830),
            ("192.168.0.4", 443),
            TCP,
            'O',
            [4_120, 18_022],
            expect(GATEWAY, "gateway", "vnet"),
        ),
        flow(
            HubVm,
            at(18, 28, 11),
            300,
            ("192.168.0.4", 50260),
            ("10.13.76.132", 22),
            TCP,
            'I',
            [40_110, 122_008],
            expect(GATEWAY, "gateway", "vnet"),
        ),
        flow(
            HubVm,
            at(18, 34, 2),
            1,
            ("10.13.76.132", 49840),
            ("10.99.1.1", 443),
            TCP,
            'O',
            [132, 0],
            expect(NONE_10, "dropped", ""),
        ),
        flow(
            HubVm,
            at(18, 35, 40),
            3,
            ("10.13.76.132", 49850),
            ("198.51.100.20", 443),
            TCP,
            'O',
            [2_044, 8_190],
            expect(INTERNET, "internet", ""),
        ),
        flow(
            HubVm,
            at(18, 36, 1),
            1,
            ("10.13.76.132", 53001),
            ("168.63.129.16", 53),
            UDP,
            'O',
            [142, 310],
            expect(NOTHING, "platform", ""),
        ),
        // The spoke's VM sits beside the endpoints: a default route never covers them.
        flow(
            SpokeVm,
            at(18, 40, 3),
            25,
            ("10.13.77.70", 51000),
            sql,
            TCP,
            'O',
            [30_120, 2_204_118],
            expect(ENDPOINT_6, "private_endpoint", ""),
        ),
        flow(
            SpokeVm,
            at(18, 41, 9),
            8,
            ("10.13.77.70", 51007),
            ("203.0.113.80", 443),
            TCP,
            'O',
            [5_410, 48_220],
            expect(FIREWALL_0, "firewall", ""),
        ),
        flow(
            SpokeVm,
            at(18, 42, 30),
            6,
            ("10.13.77.70", 51012),
            ("192.168.0.4", 443),
            TCP,
            'O',
            [2_330, 9_114],
            expect(FIREWALL_ONPREM, "firewall", "peering"),
        ),
        flow(
            SpokeVm,
            at(18, 43, 12),
            5,
            ("10.13.77.70", 51020),
            ("10.13.76.132", 8443),
            TCP,
            'O',
            [1_980, 6_140],
            expect(HUB_PEERING, "peering", "firewall"),
        ),
        flow(
            SpokeVm,
            at(18, 26, 30),
            60,
            ("192.168.0.9", 40010),
            ("10.13.77.70", 8080),
            TCP,
            'I',
            [15_600, 230_400],
            expect(FIREWALL_ONPREM, "firewall", "peering"),
        ),
        // Nothing is known about this NIC, and nothing is guessed.
        flow(
            Stranger,
            at(18, 50, 0),
            2,
            ("10.20.0.9", 40000),
            ("10.13.77.6", 1433),
            TCP,
            'O',
            [900, 1_100],
            expect(NOTHING, "unknown", ""),
        ),
    ]
}

/// 2025-01-20T00:00:00Z.
const DAY_MS: u64 = 1_737_331_200_000;

/// The rows of one NIC follow each other, as each NIC has its own records.
fn records() -> Vec<(Observer, Vec<Flow>)> {
    let mut records: Vec<(Observer, Vec<Flow>)> = Vec::new();
    for flow in flows() {
        match records.iter_mut().find(|(observer, _)| *observer == flow.observer) {
            Some((_, flows)) => flows.push(flow),
            None => records.push((flow.observer, vec![flow])),
        }
    }
    records
}

fn flow_log() -> String {
    let records: Vec<String> =
        records().iter().map(|(observer, flows)| record(*observer, flows)).collect();
    format!("{{\"records\":[{}]}}", records.join(","))
}

fn record(observer: Observer, flows: &[Flow]) -> String {
    let subscription = "00000000-0000-0000-0000-0000000a2025";
    let tuples: Vec<String> = flows.iter().flat_map(tuples).collect();
    format!(
        "{{\"time\":\"2025-01-20T18:55:00.1234567Z\",\"flowLogVersion\":4,\
         \"flowLogGUID\":\"6f5a1c1e-0000-4000-8000-000000000004\",\"macAddress\":\"{}\",\
         \"category\":\"FlowLogFlowEvent\",\
         \"flowLogResourceID\":\"/SUBSCRIPTIONS/{}/RESOURCEGROUPS/NETWORKWATCHERRG/PROVIDERS/\
         MICROSOFT.NETWORK/NETWORKWATCHERS/NETWORKWATCHER_AUSTRALIAEAST/FLOWLOGS/{}-FLOWLOG\",\
         \"targetResourceID\":\"/subscriptions/{subscription}/resourceGroups/plink-azure/providers/\
         Microsoft.Network/virtualNetworks/{}\",\"operationName\":\"FlowLogFlowEvent\",\
         \"flowRecords\":{{\"flows\":[{{\"aclID\":\"/subscriptions/{subscription}/resourceGroups/\
         plink-azure/providers/Microsoft.Network/networkSecurityGroups/{}-nsg\",\
         \"flowGroups\":[{{\"rule\":\"DefaultRule_AllowVnetOutBound\",\"flowTuples\":[{}]}}]}}]}}}}",
        observer.mac(),
        subscription.to_uppercase(),
        observer.target().to_uppercase(),
        observer.target(),
        observer.target(),
        tuples.join(",")
    )
}

fn tuples(flow: &Flow) -> [String; 2] {
    let tuple = |second: u64, rest: &str| {
        format!(
            "\"{},{},{},{},{},{},{},{rest}\"",
            DAY_MS + second * 1000,
            flow.source.0,
            flow.destination.0,
            flow.source.1,
            flow.destination.1,
            flow.protocol,
            flow.direction
        )
    };
    let [sent, received] = flow.bytes;
    // One packet for each kilobyte begun.
    let end = format!("E,NX,{},{sent},{},{received}", sent.div_ceil(1024), received.div_ceil(1024));
    [tuple(flow.second, "B,NX,0,0,0,0"), tuple(flow.second + flow.seconds, &end)]
}

fn expected_flow_log() -> String {
    let mut text = format!("{COLUMNS}\n");
    for flow in records().iter().flat_map(|(_, flows)| flows) {
        let protocol = if flow.protocol == TCP { 'T' } else { 'U' };
        let direction = if flow.direction == 'I' { "Inbound" } else { "Outbound" };
        let is_looked_up = !matches!(flow.expected.class, "platform" | "unknown");
        let table = if is_looked_up { flow.observer.table() } else { "" };
        let lookup = match (is_looked_up, flow.direction) {
            (false, _) => "",
            (true, 'I') => "src",
            (true, _) => "dest",
        };
        let [sent, received] = flow.bytes;
        for (second, state, bytes) in [
            (flow.second, "Begin", ",".to_owned()),
            (flow.second + flow.seconds, "End", format!("{sent},{received}")),
        ] {
            let Expected { route, class, peer } = flow.expected;
            writeln!(
                text,
                "2025-01-20T{}Z,{},{},{},{},{protocol},{direction},{state},{bytes},{},{table},\
                 {lookup},{route},{class},{peer}",
                time_of_day(second * 1_000_000),
                flow.source.0,
                flow.source.1,
                flow.destination.0,
                flow.destination.1,
                flow.observer.mac(),
            )
            .expect("writing to a string");
        }
    }
    text
}

/// A connection that the hub VM recorded: who opened it, how much it carried, and its label.
struct Connection {
    start_us: u64,
    client: (&'static str, u16),
    server: (&'static str, u16),
    request_count: u64,
    expected: Expected,
    lookup: &'static str,
}

fn connections() -> Vec<Connection> {
    let connection = |start_us, client, server, request_count, expected, lookup| Connection {
        start_us,
        client,
        server,
        request_count,
        expected,
        lookup,
    };
    let hub_vm = |port| ("10.13.76.132", port);
    let second = 1_000_000;
    vec![
        connection(
            10 * second,
            hub_vm(49_901),
            ("10.13.77.6", 1433),
            12,
            expect(FIREWALL_24, "firewall", ""),
            "dest",
        ),
        connection(
            11 * second,
            hub_vm(49_902),
            ("10.13.77.5", 443),
            4,
            expect(FIREWALL_24, "firewall", ""),
            "dest",
        ),
        connection(
            12 * second,
            hub_vm(49_903),
            ("192.168.0.4", 443),
            3,
            expect(GATEWAY, "gateway", "vnet"),
            "dest",
        ),
        connection(
            13 * second,
            hub_vm(49_904),
            ("198.51.100.20", 443),
            2,
            expect(INTERNET, "internet", ""),
            "dest",
        ),
        // The Internet has no route table: such a flow is labelled by its way back.
        connection(
            14 * second,
            ("203.0.113.99", 33_000),
            hub_vm(22),
            1,
            expect(INTERNET, "internet", ""),
            "src",
        ),
    ]
}

/// Seconds since midnight of the capture's first second, 19:00.
const CAPTURE_START_US: u64 = 19 * 3600 * 1_000_000;

fn packets(connection: &Connection) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut send = |is_request: bool, tcp_flags: u8, payload_length: u16| {
        let (source, destination) = if is_request {
            (connection.client, connection.server)
        } else {
            (connection.server, connection.client)
        };
        let time_us = connection.start_us + 700 * packets.len() as u64;
        packets.push(Packet {
            time_us,
            source,
            destination,
            protocol: TCP,
            tcp_flags,
            payload_length,
        });
    };
    send(true, SYN, 0);
    send(false, SYN_ACK, 0);
    send(true, ACK, 0);
    for _ in 0..connection.request_count {
        send(true, ACK, 210);
        send(false, ACK, 1400);
    }
    send(true, FIN_ACK, 0);
    send(false, FIN_ACK, 0);
    packets
}

fn capture() -> Vec<u8> {
    let mut all: Vec<(u64, Vec<u8>)> = connections()
        .iter()
        .flat_map(packets)
        .map(|packet| (packet.time_us, packet.frame()))
        .collect();
    // An ARP request, which is no IP flow.
    let mut arp = vec![0xFF; 6];
    arp.extend([0x00, 0x0D, 0x3A, 0x5B, 0x11, 0x01, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.resize(42, 0);
    all.push((9_000_000, arp));
    all.sort();
    let mut writer =
        PcapWriter::with_header(Vec::new(), PcapHeader::default()).expect("writing to memory");
    for (time_us, frame) in all {
        let since_epoch =
            std::time::Duration::from_micros(DAY_MS * 1000 + CAPTURE_START_US + time_us);
        let length = u32::try_from(frame.len()).expect("a small frame");
        writer
            .write_packet(&PcapPacket::new_owned(since_epoch, length, frame))
            .expect("writing to memory");
    }
    writer.into_writer()
}

fn expected_capture() -> String {
    let mut text = format!("{COLUMNS}\n");
    for connection in connections() {
        let packets = packets(&connection);
        let bytes_from = |end: (&str, u16)| -> u64 {
            packets.iter().filter(|packet| packet.source == end).map(Packet::bytes).sum()
        };
        let Expected { route, class, peer } = connection.expected;
        writeln!(
            text,
            "2025-01-20T{}Z,{},{},{},{},T,,,{},{},,hubvmVMNic,{},{route},{class},{peer}",
            time_of_day(CAPTURE_START_US + connection.start_us),
            connection.client.0,
            connection.client.1,
            connection.server.0,
            connection.server.1,
            bytes_from(connection.client),
            bytes_from(connection.server),
            connection.lookup,
        )
        .expect("writing to a string");
    }
    text
}

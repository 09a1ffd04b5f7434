//! A verification with everything in it, for the tests of its reports.

use crate::classify::InputSummary;
use crate::coverage::{
    CoverageReport, CoverageTotals, EvidenceSource, Finding, FindingCode, FlowExample, FlowNote,
    PoolMember, PoolProblem, RuleTotals, Unobservable, Verdict, Way,
};
use crate::routing::NextHopClass;
use crate::traffic::{Damage, InputName, NotApplicable, SourceFormat, Tally, Unknown};

/// 2025-01-20T18:00:00Z.
const HOUR_NS: i64 = 1_737_396_000_000_000_000;

pub(super) fn totals(flows: u64, packets: u64, bytes: u64) -> CoverageTotals {
    CoverageTotals { flows, tuples: flows * 2, packets, bytes }
}

/// A finding of one flow with so many bytes.
pub(super) fn finding(
    code: FindingCode,
    rule: &str,
    table: &str,
    prefix: &str,
    bytes: u64,
) -> Finding {
    let (verdict, next_hop_class) = match code {
        FindingCode::OneWay => (Verdict::OneWay, NextHopClass::Dropped),
        FindingCode::MissingEvidence => (Verdict::Missing, NextHopClass::Firewall),
        FindingCode::AsymmetricReturn => (Verdict::Asymmetric, NextHopClass::Vnet),
        FindingCode::PrivateEndpointBypass => (Verdict::Bypass, NextHopClass::PrivateEndpoint),
        _ => (Verdict::Bypass, NextHopClass::Peering),
    };
    Finding {
        verdict,
        rule: rule.to_owned(),
        code,
        message: "a message".to_owned(),
        source: "192.168.0.4".parse().unwrap(),
        destination: "10.13.77.6".parse().unwrap(),
        route_table_id: Some(table.to_owned()),
        matched_prefix: Some(prefix.parse().unwrap()),
        next_hop_class,
        evidence: vec!["logs/PT1H.json".to_owned()],
        totals: totals(1, 10, bytes),
        examples: Vec::new(),
    }
}

/// The report with `text` applied to every text that comes from outside.
///
/// Every structure is spelled out, so that a new field has to be given a text here.
pub(super) fn sample(mut text: impl FnMut(&str) -> String) -> CoverageReport {
    let text: &mut dyn FnMut(&str) -> String = &mut text;
    let covered = (Verdict::Covered, totals(7, 70, 7_000_000));
    let unconfirmed = (Verdict::CoveredUnconfirmed, totals(3, 30, 3000));
    let bypass = (Verdict::Bypass, totals(2, 20, 2_000_000));
    let one_way = (Verdict::OneWay, totals(1, 10, 1000));
    let missing = (Verdict::Missing, totals(1, 1, 100));
    let tally = sample_tally(text);
    CoverageReport {
        totals: vec![
            (Verdict::Platform, totals(5, 5, 500)),
            (Verdict::NotRequired, totals(4, 4, 400)),
            (Verdict::Unknown, totals(2, 2, 200)),
            one_way,
            bypass,
            missing,
            covered,
            unconfirmed,
        ],
        seen: totals(7, 70, 7_000_000),
        by_rule: vec![
            RuleTotals {
                rule: text("on-premises to private endpoints"),
                asks_firewall: true,
                totals: vec![one_way, bypass, missing, covered],
            },
            RuleTotals {
                rule: text("spoke to spoke"),
                asks_firewall: true,
                totals: vec![unconfirmed],
            },
            RuleTotals { rule: text("internet egress"), asks_firewall: false, totals: Vec::new() },
        ],
        by_way: vec![
            (
                Way {
                    source_group: text("hub/GatewaySubnet"),
                    next_hop_class: NextHopClass::Firewall,
                    next_hop_name: Some(text("hub-firewall")),
                    destination_group: text("private_endpoint"),
                    is_finding: false,
                },
                totals(10, 100, 7_003_000),
            ),
            (
                Way {
                    source_group: text("hub/GatewaySubnet"),
                    next_hop_class: NextHopClass::PrivateEndpoint,
                    next_hop_name: None,
                    destination_group: text("private_endpoint"),
                    is_finding: true,
                },
                totals(2, 20, 2_000_000),
            ),
        ],
        timeline: vec![
            (HOUR_NS, Verdict::Covered, totals(7, 70, 7_000_000)),
            (HOUR_NS, Verdict::Bypass, totals(1, 10, 1_000_000)),
            (HOUR_NS + 120_000_000_000, Verdict::Bypass, totals(1, 10, 1_000_000)),
        ],
        timeline_step_ns: 60_000_000_000,
        findings: sample_findings(text),
        warnings: vec![text("7 flows were seen at hub-firewall, though no route leads there")],
        notes: vec![FlowNote {
            code: "private_endpoint_without_snat",
            destination: "10.13.77.6".parse().unwrap(),
            firewall: text("hub-firewall"),
            message: text("its answers may go elsewhere"),
            totals: totals(7, 70, 7_000_000),
        }],
        pools: vec![PoolMember {
            pool: text("appgw/claims"),
            member: text("claims.example.net"),
            address: None,
            health: Some(text("Unhealthy")),
            next_hop_class: None,
            problem: Some(PoolProblem::UnresolvedName),
            totals: CoverageTotals::default(),
        }],
        unobservable: vec![Unobservable {
            code: "app_service_integration",
            place: text("spoke/app-integration"),
            message: text("flow logs never record the App Service instances of this subnet"),
        }],
        evidence_sources: vec![EvidenceSource {
            path: text("logs/firewall.json"),
            firewall: Some(text("hub-firewall")),
            categories: vec![text("AZFWNetworkRule"), text("AZFWApplicationRule")],
            from_ns: HOUR_NS,
            to_ns: HOUR_NS + 3_600_000_000_000,
            records: 7,
        }],
        inputs: vec![InputSummary {
            name: InputName::new(text("logs/PT1H.json")),
            format: Some(SourceFormat::VnetV4),
            is_recognised: true,
            tally: tally.clone(),
        }],
        total: tally,
        hashes: vec![
            (text("logs/PT1H.json"), "ab".repeat(32)),
            (text("policy.toml"), "cd".repeat(32)),
        ],
        shows_percentages: true,
    }
}

fn sample_findings(text: &mut dyn FnMut(&str) -> String) -> Vec<Finding> {
    vec![
        Finding {
            verdict: Verdict::Bypass,
            rule: text("on-premises to private endpoints"),
            code: FindingCode::PrivateEndpointBypass,
            message: text(
                "10.13.77.6/32 InterfaceEndpoint in hub/GatewaySubnet is longer than every \
                 route to hub-firewall; set the endpoint network policy of spoke/endpoints and \
                 route 10.13.77.0/24 to 10.13.76.68",
            ),
            source: "192.168.0.4".parse().unwrap(),
            destination: "10.13.77.6".parse().unwrap(),
            route_table_id: Some(text("hub/GatewaySubnet")),
            matched_prefix: Some("10.13.77.6/32".parse().unwrap()),
            next_hop_class: NextHopClass::PrivateEndpoint,
            evidence: vec![text("logs/PT1H.json"), text("logs/firewall.json")],
            totals: totals(2, 20, 2_000_000),
            examples: vec![FlowExample {
                start_time_ns: HOUR_NS + 1_091_925_475_000,
                ports: Some((50_123, 1433)),
                protocol: 6,
                source_file: text("logs/PT1H.json"),
                source_record: 7,
            }],
        },
        Finding {
            verdict: Verdict::OneWay,
            rule: text("on-premises to private endpoints"),
            code: FindingCode::OneWay,
            message: text("the way back has no route"),
            source: "fd00::4".parse().unwrap(),
            destination: "fd01::6".parse().unwrap(),
            route_table_id: None,
            matched_prefix: None,
            next_hop_class: NextHopClass::NoRoute,
            evidence: Vec::new(),
            totals: totals(1, 10, 1000),
            examples: vec![FlowExample {
                start_time_ns: 0,
                ports: None,
                protocol: 1,
                source_file: text("capture.pcap"),
                source_record: 1,
            }],
        },
        Finding {
            verdict: Verdict::Missing,
            rule: text("on-premises to private endpoints"),
            code: FindingCode::MissingEvidence,
            message: text("logs/firewall.json covers the time and does not show the flow"),
            source: "192.168.0.5".parse().unwrap(),
            destination: "10.13.77.5".parse().unwrap(),
            route_table_id: Some(text("hub/GatewaySubnet")),
            matched_prefix: Some("10.13.77.0/24".parse().unwrap()),
            next_hop_class: NextHopClass::Firewall,
            evidence: vec![text("logs/PT1H.json")],
            totals: totals(1, 1, 100),
            examples: Vec::new(),
        },
    ]
}

/// 2,010 records of which 2 were damaged: under one in a thousand.
fn sample_tally(text: &mut dyn FnMut(&str) -> String) -> Tally {
    let mut tally = Tally::default();
    tally.bytes_read = 300_000;
    tally.records_read = 2010;
    tally.classified = 2000;
    tally.count_unknown(Unknown::NoRouteTable, 5);
    tally.count_not_applicable(NotApplicable::NotIp, 3);
    tally.count_damage(Damage::MalformedTuple, 42, 999, || text("port `x`"));
    tally.count_damage(Damage::Truncated, 43, 1999, || text("cut"));
    tally.assert_balanced();
    tally
}

/// Texts that attack what shows or reads them: markup, handlers, addresses that run, terminals,
/// the order of reading, spreadsheets, XML, templates, and length.
pub(super) fn hostile_texts() -> Vec<String> {
    let fixed = [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "<ScRiPt src=//evil.example/x.js></sCrIpT>",
        "</style><script>alert(1)</script>",
        "</title><script>alert(1)</script>",
        "</svg><script>alert(1)</script>",
        "</textarea><script>alert(1)</script>",
        "</noscript><img src=x onerror=alert(1)>",
        "--><script>alert(1)</script>",
        "]]><script>alert(1)</script>",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<!--",
        "<img src=x onerror=alert(1)>",
        "\"><img src=x onerror=alert(1)>",
        "'><img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)",
        "' onfocus='alert(1)' autofocus='",
        "` onload=`alert(1)",
        " onclick=alert(1) x=",
        "<svg onload=alert(1)>",
        "<svg><a xlink:href=\"javascript:alert(1)\"><text>x</text></a></svg>",
        "<svg><animate onbegin=alert(1) attributeName=x>",
        "<math><mi xlink:href=\"javascript:alert(1)\">",
        "<body onload=alert(1)>",
        "<iframe src=\"javascript:alert(1)\"></iframe>",
        "<iframe srcdoc=\"<script>alert(1)</script>\">",
        "<object data=\"javascript:alert(1)\">",
        "<embed src=\"https://evil.example/\">",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a href=\" &#106;avascript:alert(1)\">x</a>",
        "<base href=\"https://evil.example/\">",
        "<meta http-equiv=\"refresh\" content=\"0;url=https://evil.example/\">",
        "<link rel=stylesheet href=//evil.example/x.css>",
        "<style>*{background:url(//evil.example/)}</style>",
        "<form action=\"https://evil.example/\"><input name=x>",
        "<details open ontoggle=alert(1)>",
        "<template><script>alert(1)</script></template>",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&#60;script&#62;",
        "\u{1b}[2J\u{1b}[31mred",
        "\u{1b}]0;title\u{7}",
        "\u{1b}]8;;https://evil.example/\u{1b}\\link\u{1b}]8;;\u{1b}\\",
        "\u{9b}31m\u{9d}0;x\u{9c}",
        "a\rb\nc\td\u{8}\u{8}",
        "safe\u{202e}txt.exe",
        "\u{2066}a\u{2069}\u{200f}\u{61c}",
        "line\u{2028}separator\u{2029}",
        "=HYPERLINK(\"https://evil.example/\",\"x\")",
        "+1+1",
        "-2+3",
        "@SUM(A1:A9)",
        "\0\u{1}\u{b}\u{c}\u{1f}\u{7f}\u{85}",
        "\u{fffe}\u{ffff}\u{feff}",
        "&xxe;<!ENTITY xxe SYSTEM \"file:///etc/passwd\">",
        "<?xml version=\"1.0\"?><a/>",
        "{0} {{x}} [a](https://evil.example/) \\[b\\]",
        "../../etc/passwd",
        "",
        "   ",
    ];
    let mut texts: Vec<String> = fixed.map(str::to_owned).to_vec();
    texts.push("long-name-".repeat(2000));
    texts.push("ü😀".repeat(500));
    texts
}

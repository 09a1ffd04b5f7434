//! A generated estate to verify: hubs with firewalls, spokes, traffic, the firewalls' logs, and the
//! verdict on every flow.
//!
//! The verdict is known before a flow is drawn, because each spoke is built for one: it sends by its
//! firewall, or it is peered with another spoke directly, holds a private endpoint, has a service
//! endpoint, lacks its route table, or talks to a subnet that answers around the firewall.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Random;
use super::expected::time_text;

/// What an estate is like.
///
/// # Examples
///
/// ```
/// use nexthop::generate::EstateShape;
///
/// let shape = EstateShape { tuples: 400, log_lines_max: None };
/// let mut names = Vec::new();
/// let expected = shape.write(1, &mut |name, _| {
///     names.push(name.to_owned());
///     Ok(())
/// })?;
/// assert!(names.contains(&"policy.toml".to_owned()));
/// assert!(expected.tuples >= 400);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EstateShape {
    /// Tuples in all flow logs together, at least; the last batch of flows is whole.
    pub tuples: u64,
    /// Flows that firewalls log, at most. The flows after the last of them are sent in the next
    /// hour, of which no log was kept, so that nothing confirms what their routes promise.
    pub log_lines_max: Option<u64>,
}

/// What must be found in an estate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedVerdicts {
    /// Tuples in the flow logs.
    pub tuples: u64,
    /// Lines in the firewalls' logs.
    pub lines: u64,
    /// Flows by verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Flows by code, source and destination of findings.
    pub findings: BTreeMap<(&'static str, String, String), u64>,
}

/// Spokes of each purpose; with those that have a subnet for endpoints, and two subnets in each of
/// two hubs, there are 200 subnets.
const SPOKES: u32 = 160;
const MESHED: std::ops::Range<u32> = 0..20;
const WITH_ENDPOINT: std::ops::Range<u32> = 20..56;
const WITH_SERVICE_ENDPOINT: std::ops::Range<u32> = 56..76;
const BARE: std::ops::Range<u32> = 76..96;
const PLAIN: std::ops::Range<u32> = 96..SPOKES;

const HUBS: [char; 2] = ['a', 'b'];
const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-0000000e57a7/resourceGroups/net";

/// 2025-01-20T00:00:00Z.
const START_MS: u64 = 1_737_331_200_000;
const HOUR_MS: u64 = 3_600_000;
const FLOWS_A_BATCH: u64 = 25;
const BATCHES_A_BLOB: u64 = 400;

/// What a batch of flows shows, of a thousand.
const BYPASS_PERMILLE: u64 = 30;
const ASYMMETRIC_PERMILLE: u64 = 10;
/// Of the flows that pass a firewall, one in so many has lost its line.
const LINES_LOST_ONE_IN: u64 = 200;

/// Where a batch of flows goes.
struct Batch {
    source: String,
    sender: u32,
    destination: String,
    /// Who records the other end, if anybody does.
    receiver: Option<u32>,
    port: u16,
    code: Option<(&'static str, &'static str)>,
    firewall: usize,
}

impl EstateShape {
    /// Writes an estate: each file is given to `file` with its name.
    ///
    /// Cost: about 1 µs a tuple; the memory of one file.
    ///
    /// # Errors
    ///
    /// What `file` returns.
    pub fn write(
        &self,
        seed: u64,
        file: &mut dyn FnMut(&str, &[u8]) -> io::Result<()>,
    ) -> io::Result<ExpectedVerdicts> {
        for (name, document) in [
            ("snapshot/networks.json", networks()),
            ("snapshot/edge.json", edge()),
            ("snapshot/ServiceTags_Public.json", service_tags()),
        ] {
            file(name, document.to_string().as_bytes())?;
        }
        file("policy.toml", POLICY.as_bytes())?;
        let mut drawing = Drawing {
            random: Random::new(seed, "estate"),
            log_lines_max: self.log_lines_max.unwrap_or(u64::MAX),
            expected: ExpectedVerdicts::default(),
            flows_of: vec![0; SPOKES as usize],
            records: Vec::new(),
            lines: [String::new(), String::new()],
        };
        drawing.edge_lines();
        let mut blob = 0;
        while drawing.expected.tuples < self.tuples {
            for _ in 0..BATCHES_A_BLOB {
                if drawing.expected.tuples < self.tuples {
                    drawing.batch();
                }
            }
            let records = std::mem::take(&mut drawing.records).join(",");
            let json = format!("{{\"records\":[{records}]}}");
            file(&format!("traffic/blob{blob:05}.json"), json.as_bytes())?;
            let logs = HUBS.iter().zip(&mut drawing.lines);
            for (hub, lines) in logs.filter(|(_, lines)| !lines.is_empty()) {
                file(&format!("evidence/fw-{hub}-{blob:05}.jsonl"), lines.as_bytes())?;
                lines.clear();
            }
            if drawing.is_logged() {
                drawing.edge_lines();
            }
            blob += 1;
        }
        let expected = drawing.expected;
        let mut text = Vec::new();
        expected.write(&mut text)?;
        file("expected.json", &text)?;
        Ok(expected)
    }
}

impl ExpectedVerdicts {
    /// Writes it as JSON.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let verdicts: serde_json::Map<String, Value> = self
            .verdicts
            .iter()
            .map(|(verdict, flows)| ((*verdict).to_owned(), json!(flows)))
            .collect();
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|((code, source, destination), flows)| {
                json!({ "code": code, "source": source, "destination": destination, "flows": flows })
            })
            .collect();
        let document = json!({
            "tuples": self.tuples,
            "lines": self.lines,
            "verdicts": verdicts,
            "findings": findings,
        });
        writeln!(out, "{document}")
    }
}

struct Drawing {
    random: Random,
    log_lines_max: u64,
    expected: ExpectedVerdicts,
    /// Flows that each spoke has sent, which number its source ports.
    flows_of: Vec<u64>,
    records: Vec<String>,
    lines: [String; 2],
}

impl Drawing {
    fn batch(&mut self) {
        let batch = self.draw_batch();
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for _ in 0..FLOWS_A_BATCH {
            let number = self.flows_of[batch.sender as usize];
            self.flows_of[batch.sender as usize] += 1;
            let port = 1024 + number % 60_000;
            let source = format!("{}{}", batch.source, 4 + number / 60_000 % 200);
            let destination = batch.destination.replace('*', &self.random.below(40).to_string());
            let hour_ms = if self.is_logged() { START_MS } else { START_MS + HOUR_MS };
            let start_ms = hour_ms + 60_000 + self.random.below(3_300_000);
            let tuple = |direction: char, after_ms: u64, rest: &str| {
                let time = start_ms + after_ms;
                let to = batch.port;
                format!("\"{time},{source},{destination},{port},{to},6,{direction},{rest}\"")
            };
            sent.push(tuple('O', 0, "B,NX,0,0,0,0"));
            if self.random.below(2) == 0 {
                sent.push(tuple('O', 30_000, "C,NX,12,3400,10,2200"));
            }
            sent.push(tuple('O', 60_000, "E,NX,7,1500,6,900"));
            if batch.receiver.is_some() {
                received.push(tuple('I', 200, "B,NX,0,0,0,0"));
                received.push(tuple('I', 60_300, "E,NX,7,1500,6,900"));
            }
            self.expect(&batch, &source, &destination, port, start_ms);
        }
        self.expected.tuples += (sent.len() + received.len()) as u64;
        self.records.push(record(batch.sender, &sent));
        if let Some(receiver) = batch.receiver {
            self.records.push(record(receiver, &received));
        }
    }

    /// Returns true in the hour that the firewalls' logs cover.
    fn is_logged(&self) -> bool {
        self.expected.lines < self.log_lines_max
    }

    /// Counts a flow and, where it passes a firewall, writes the firewall's line.
    fn expect(&mut self, batch: &Batch, source: &str, destination: &str, port: u64, start_ms: u64) {
        let mut finding = batch.code;
        let mut passed = "covered";
        if finding.is_none() {
            if !self.is_logged() {
                passed = "covered_unconfirmed";
            } else if self.random.one_in(LINES_LOST_ONE_IN) {
                finding = Some(("missing", "missing_evidence"));
            } else {
                let time_ms = start_ms + self.random.below(2000);
                let line = line(batch, source, destination, port, time_ms);
                self.lines[batch.firewall].push_str(&line);
                self.expected.lines += 1;
            }
        }
        let verdict = finding.map_or(passed, |(verdict, _)| verdict);
        *self.expected.verdicts.entry(verdict).or_default() += 1;
        if let Some((_, code)) = finding {
            let key = (code, source.to_owned(), destination.to_owned());
            *self.expected.findings.entry(key).or_default() += 1;
        }
    }

    fn draw_batch(&mut self) -> Batch {
        let drawn = self.random.below(1000);
        if drawn < BYPASS_PERMILLE {
            return self.draw_bypass();
        }
        let sender = self.draw(PLAIN);
        let hub = hub_of(sender);
        let batch = Batch {
            source: host(sender, 0),
            sender,
            destination: String::new(),
            receiver: None,
            port: 443,
            code: None,
            firewall: hub as usize,
        };
        if drawn < BYPASS_PERMILLE + ASYMMETRIC_PERMILLE {
            let destination = format!("10.{hub}.2.1*");
            let code = Some(("asymmetric", "asymmetric_return"));
            return Batch { destination, receiver: Some(SPOKES + hub), code, ..batch };
        }
        if self.random.one_in(4) {
            return Batch { destination: "203.0.113.1*".to_owned(), ..batch };
        }
        // Another spoke of the same hub: hubs take turns.
        let others = (PLAIN.end - PLAIN.start) / 2;
        let step = 2 * (1 + self.random.below(u64::from(others) - 1));
        let place = (u64::from(sender - PLAIN.start) + step) % u64::from(PLAIN.end - PLAIN.start);
        let receiver = PLAIN.start + u32::try_from(place).expect("is below the number of spokes");
        let destination = format!("{}1*", host(receiver, 0));
        Batch { destination, receiver: Some(receiver), port: 1433, ..batch }
    }

    fn draw_bypass(&mut self) -> Batch {
        let of = |sender: u32, destination: String, receiver, code| Batch {
            source: host(sender, 0),
            sender,
            destination,
            receiver,
            port: 443,
            code: Some(("bypass", code)),
            firewall: hub_of(sender) as usize,
        };
        match self.random.below(4) {
            0 => {
                let sender = self.draw(MESHED);
                let peer = sender ^ 1;
                of(sender, format!("{}1*", host(peer, 0)), Some(peer), "peering_bypass")
            }
            1 => {
                let sender = self.draw(WITH_ENDPOINT);
                of(sender, format!("{}4", host(sender, 1)), None, "private_endpoint_bypass")
            }
            2 => {
                let sender = self.draw(WITH_SERVICE_ENDPOINT);
                of(sender, "40.79.154.1*".to_owned(), None, "service_endpoint_bypass")
            }
            _ => {
                let sender = self.draw(BARE);
                of(sender, "203.0.113.1*".to_owned(), None, "internet_bypass")
            }
        }
    }

    fn draw(&mut self, spokes: std::ops::Range<u32>) -> u32 {
        let offset = self.random.below(u64::from(spokes.end - spokes.start));
        spokes.start + u32::try_from(offset).expect("is below the number of spokes")
    }

    /// A line of each category at both ends of the hour, so that the logs are seen to cover it.
    fn edge_lines(&mut self) {
        for firewall in 0..HUBS.len() {
            for second in [1, 3599] {
                for port in [443, 1433] {
                    let batch = Batch {
                        source: String::new(),
                        sender: 0,
                        destination: String::new(),
                        receiver: (port == 1433).then_some(0),
                        port,
                        code: None,
                        firewall,
                    };
                    let time_ms = START_MS + second * 1000;
                    let line = line(&batch, "10.255.0.1", "10.255.0.2", 40_000, time_ms);
                    self.lines[firewall].push_str(&line);
                }
            }
        }
    }
}

/// The line of a rule: an application rule for what leaves to a host of the Internet.
fn line(batch: &Batch, source: &str, destination: &str, port: u64, time_ms: u64) -> String {
    let (category, what) = match batch.receiver {
        Some(_) => {
            ("AZFWNetworkRule", format!("\"Protocol\":\"TCP\",\"DestinationIp\":\"{destination}\""))
        }
        None => {
            ("AZFWApplicationRule", "\"Protocol\":\"HTTPS\",\"Fqdn\":\"example.com\"".to_owned())
        }
    };
    format!(
        "{{\"time\":\"{}\",\"category\":\"{category}\",\"resourceId\":\"{}\",\"properties\":{{\
         \"SourceIp\":\"{source}\",\"SourcePort\":{port},\"DestinationPort\":{},{what},\
         \"Action\":\"Allow\"}}}}\n",
        time_text(time_ms * 1_000_000),
        id("azureFirewalls", &format!("fw-{}", HUBS[batch.firewall])).to_uppercase(),
        batch.port,
    )
}

fn record(observer: u32, tuples: &[String]) -> String {
    format!(
        "{{\"time\":\"2025-01-20T01:00:00.0000000Z\",\"flowLogVersion\":4,\"flowLogGUID\":\
         \"6f5a1c1e-0000-4000-8000-000000000009\",\"macAddress\":\"000D3AE0{observer:04X}\",\
         \"category\":\"FlowLogFlowEvent\",\"flowLogResourceID\":\"{}\",\"targetResourceID\":\"{}\",\
         \"operationName\":\"FlowLogFlowEvent\",\"flowRecords\":{{\"flows\":[{{\"aclID\":\"{}\",\
         \"flowGroups\":[{{\"rule\":\"DefaultRule_AllowVnetOutBound\",\"flowTuples\":[{}]}}]}}]}}}}",
        id("networkWatchers", "nw"),
        id("virtualNetworks", &network_name(observer)),
        id("networkSecurityGroups", "nsg"),
        tuples.join(",")
    )
}

/// The first three octets of a spoke's subnet, with a final full stop.
fn host(spoke: u32, subnet: u32) -> String {
    format!("10.{}.{}.", 16 + spoke / 64, spoke % 64 * 4 + subnet)
}

fn space(spoke: u32) -> String {
    format!("{}0/22", host(spoke, 0))
}

/// Hubs take turns; both spokes of a meshed pair may have different ones.
fn hub_of(spoke: u32) -> u32 {
    spoke % 2
}

fn network_name(observer: u32) -> String {
    match observer.checked_sub(SPOKES) {
        Some(hub) => format!("hub-{}", HUBS[hub as usize]),
        None => format!("spoke{observer:03}"),
    }
}

fn id(kind: &str, name: &str) -> String {
    format!("{SUBSCRIPTION}/providers/Microsoft.Network/{kind}/{name}")
}

const POLICY: &str = r#"[[require]]
name = "between networks"
from = ["10.0.0.0/8"]
to = ["10.0.0.0/8"]
between_vnets = true
via = "firewall"

[[require]]
name = "private endpoints"
to = ["class:private_endpoint"]
via = "firewall"

[[require]]
name = "internet egress"
from = ["10.0.0.0/8"]
to = ["internet"]
via = "firewall"
"#;

fn resource(kind: &str, name: &str, properties: Value) -> Value {
    json!({
        "id": id(kind, name),
        "name": name,
        "type": format!("Microsoft.Network/{kind}"),
        "location": "westeurope",
        "properties": properties,
    })
}

fn subnet(network: &str, name: &str, prefix: &str, more: Value) -> Value {
    let mut properties = json!({ "addressPrefix": prefix });
    if let (Some(properties), Value::Object(more)) = (properties.as_object_mut(), more) {
        properties.extend(more);
    }
    json!({
        "id": format!("{}/subnets/{name}", id("virtualNetworks", network)),
        "name": name,
        "properties": properties,
    })
}

fn peering(network: &str, remote: &str, remote_space: &str) -> Value {
    json!({
        "id": format!("{}/virtualNetworkPeerings/to-{remote}", id("virtualNetworks", network)),
        "name": format!("to-{remote}"),
        "properties": {
            "peeringState": "Connected",
            "peeringSyncLevel": "FullyInSync",
            "remoteVirtualNetwork": { "id": id("virtualNetworks", remote) },
            "remoteAddressSpace": { "addressPrefixes": [remote_space] },
            "remoteVirtualNetworkAddressSpace": { "addressPrefixes": [remote_space] },
            "allowVirtualNetworkAccess": true,
            "allowForwardedTraffic": true,
        },
    })
}

fn network(name: &str, space: &str, subnets: Vec<Value>, peerings: Vec<Value>) -> Value {
    resource(
        "virtualNetworks",
        name,
        json!({
            "addressSpace": { "addressPrefixes": [space] },
            "subnets": subnets,
            "virtualNetworkPeerings": peerings,
        }),
    )
}

fn networks() -> Value {
    let hubs = (0..).zip(HUBS).map(|(index, hub): (u32, char)| {
        let name = format!("hub-{hub}");
        let subnets = vec![
            subnet(&name, "AzureFirewallSubnet", &format!("10.{index}.1.0/26"), json!({})),
            subnet(&name, "shared", &format!("10.{index}.2.0/24"), json!({})),
        ];
        let peerings = (0..SPOKES)
            .filter(|&spoke| hub_of(spoke) == index)
            .map(|spoke| peering(&name, &network_name(spoke), &space(spoke)))
            .collect();
        network(&name, &format!("10.{index}.0.0/16"), subnets, peerings)
    });
    let spokes = (0..SPOKES).map(|spoke| {
        let name = network_name(spoke);
        let hub = hub_of(spoke);
        let mut apps = json!({});
        if !BARE.contains(&spoke) {
            let table = id("routeTables", &format!("rt-{}", HUBS[hub as usize]));
            apps["routeTable"] = json!({ "id": table });
        }
        if WITH_SERVICE_ENDPOINT.contains(&spoke) {
            apps["serviceEndpoints"] =
                json!([{ "service": "Microsoft.Sql", "locations": ["westeurope"] }]);
        }
        let mut subnets = vec![subnet(&name, "apps", &format!("{}0/24", host(spoke, 0)), apps)];
        if WITH_ENDPOINT.contains(&spoke) {
            subnets.push(subnet(&name, "ep", &format!("{}0/24", host(spoke, 1)), json!({})));
        }
        let hub_name = format!("hub-{}", HUBS[hub as usize]);
        let mut peerings = vec![peering(&name, &hub_name, &format!("10.{hub}.0.0/16"))];
        if MESHED.contains(&spoke) {
            let peer = spoke ^ 1;
            peerings.push(peering(&name, &network_name(peer), &space(peer)));
        }
        network(&name, &space(spoke), subnets, peerings)
    });
    json!({ "value": hubs.chain(spokes).collect::<Vec<_>>() })
}

fn edge() -> Value {
    let mut resources = Vec::new();
    for (index, hub) in (0_u32..).zip(HUBS) {
        let address = format!("10.{index}.1.4");
        let firewall_subnet =
            format!("{}/subnets/AzureFirewallSubnet", id("virtualNetworks", &format!("hub-{hub}")));
        resources.push(resource(
            "azureFirewalls",
            &format!("fw-{hub}"),
            json!({
                "sku": { "name": "AZFW_VNet", "tier": "Standard" },
                "ipConfigurations": [{
                    "name": "fw",
                    "properties": {
                        "privateIPAddress": address,
                        "subnet": { "id": firewall_subnet },
                    },
                }],
            }),
        ));
        let route = |name: &str, prefix: &str| {
            json!({
                "name": name,
                "properties": {
                    "addressPrefix": prefix,
                    "nextHopType": "VirtualAppliance",
                    "nextHopIpAddress": address,
                },
            })
        };
        resources.push(resource(
            "routeTables",
            &format!("rt-{hub}"),
            json!({
                "disableBgpRoutePropagation": false,
                "routes": [
                    route("default", "0.0.0.0/0"),
                    route("private", "10.0.0.0/8"),
                    route("shared", &format!("10.{index}.2.0/24")),
                ],
            }),
        ));
    }
    for spoke in WITH_ENDPOINT {
        let name = format!("pe{spoke:03}");
        let nic = id("networkInterfaces", &format!("{name}.nic"));
        let subnet = format!("{}/subnets/ep", id("virtualNetworks", &network_name(spoke)));
        resources.push(resource(
            "privateEndpoints",
            &name,
            json!({
                "subnet": { "id": subnet },
                "networkInterfaces": [{ "id": nic }],
                "privateLinkServiceConnections": [{
                    "name": name,
                    "properties": {
                        "groupIds": ["sqlServer"],
                        "privateLinkServiceConnectionState": { "status": "Approved" },
                    },
                }],
            }),
        ));
        resources.push(resource(
            "networkInterfaces",
            &format!("{name}.nic"),
            json!({
                "privateEndpoint": { "id": id("privateEndpoints", &name) },
                "ipConfigurations": [{
                    "id": format!("{nic}/ipConfigurations/private"),
                    "name": "private",
                    "properties": {
                        "privateIPAddress": format!("{}4", host(spoke, 1)),
                        "subnet": { "id": subnet },
                    },
                }],
            }),
        ));
    }
    json!({ "value": resources })
}

fn service_tags() -> Value {
    json!({
        "changeNumber": 1,
        "cloud": "Public",
        "values": [{
            "name": "Sql.WestEurope",
            "id": "Sql.WestEurope",
            "properties": {
                "region": "westeurope",
                "systemService": "AzureSQL",
                "addressPrefixes": ["40.79.154.0/24"],
            },
        }],
    })
}

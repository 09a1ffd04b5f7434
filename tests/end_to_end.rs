//! Random exports for a dozen NICs and a random flow log, through the command line: every label
//! equals that of a naive router written here, which shares no code with the program.

#![forbid(unsafe_code)]
#![cfg_attr(
    feature = "cli",
    expect(clippy::unwrap_used, reason = "a test ends at the first surprise")
)]
#![cfg(feature = "cli")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

const NIC_COUNT: u64 = 12;
const TUPLE_COUNT: usize = 102_000;
const FIREWALL: &str = "10.0.1.4";
const COLUMNS: [&str; 15] = [
    "SrcIp",
    "SrcPort",
    "DestIp",
    "DestPort",
    "ProtocolNumber",
    "FlowDirection",
    "BytesSrcToDest",
    "RouteTableId",
    "LookupIp",
    "MatchedPrefix",
    "RouteSource",
    "NextHopType",
    "NextHopIp",
    "NextHopClass",
    "SourceRecord",
];

#[test]
fn every_label_of_a_random_flow_log_equals_the_naive_routers_in_every_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut random = Random(20_250_120);
    let tables: Vec<Table> =
        (0..NIC_COUNT).map(|index| Table::random(index, &mut random)).collect();
    write_snapshot(&folder.path().join("snapshot"), &tables);
    let tuples: Vec<Tuple> =
        (0..TUPLE_COUNT).map(|_| Tuple::random(&tables, &mut random)).collect();
    let log = folder.path().join("PT1H.json");
    std::fs::write(&log, flow_log(&tuples)).expect("a flow log");
    let want: Vec<Vec<String>> = (1..)
        .zip(in_file_order(&tuples))
        .map(|(record, tuple)| row(tuple, &tables, record))
        .collect();
    assert_eq!(want.len(), TUPLE_COUNT);
    let classes: BTreeSet<&str> = want.iter().map(|row| row[13].as_str()).collect();
    assert!(classes.len() >= 10, "the generator lost its variety: {classes:?}");

    for format in formats() {
        let output = folder.path().join(format!("rows.{format}"));
        let run = Command::new(env!("CARGO_BIN_EXE_nexthop"))
            .args(["classify", "--columns", &COLUMNS.join(","), "--routes"])
            .arg(folder.path().join("snapshot"))
            .arg("--output")
            .arg(&output)
            .arg(&log)
            .output()
            .expect("the program runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let got = read(format, &output);
        assert_eq!(got.len(), want.len(), "{format}");
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got, want, "{format}");
        }
    }
}

fn formats() -> &'static [&'static str] {
    if cfg!(feature = "parquet") { &["csv", "jsonl", "parquet"] } else { &["csv", "jsonl"] }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

#[derive(Clone)]
struct Row {
    source: &'static str,
    state: &'static str,
    address: IpAddr,
    length: u8,
    next_hop_type: &'static str,
    ip: Option<String>,
}

struct Table {
    name: String,
    mac: String,
    local: IpAddr,
    rows: Vec<Row>,
}

impl Table {
    /// The rows of a spoke, with what makes selection hard: ties, rows of equal cost, invalid
    /// twins, gateway rows inside system prefixes, host routes, both families.
    fn random(index: u64, random: &mut Random) -> Self {
        let space = u32::from(Ipv4Addr::new(10, u8::try_from(index).unwrap() + 1, 0, 0));
        let mut rows = Vec::new();
        let mut add = |source, state, text: &str, next_hop_type, ip: Option<&str>| {
            let (address, length) = text.split_once('/').unwrap();
            rows.push(Row {
                source,
                state,
                address: address.parse().unwrap(),
                length: length.parse().unwrap(),
                next_hop_type,
                ip: ip.map(str::to_owned),
            });
        };
        let space_text = format!("{}/16", Ipv4Addr::from(space));
        add("Default", "Active", &space_text, "VnetLocal", None);
        add("Default", "Active", "10.0.0.0/16", "VNetPeering", None);
        add("Default", "Active", "10.200.0.0/16", "VNetGlobalPeering", None);
        for prefix in ["10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10"] {
            add("Default", "Active", prefix, "None", None);
        }
        add("Default", "Active", "20.60.0.0/16", "VirtualNetworkServiceEndpoint", None);
        add(
            "VirtualNetworkGateway",
            "Active",
            "20.60.7.0/24",
            "VirtualNetworkGateway",
            Some("10.0.0.8"),
        );
        add(
            "VirtualNetworkGateway",
            "Active",
            "10.0.5.0/24",
            "VirtualNetworkGateway",
            Some("10.0.0.8"),
        );
        for ip in ["10.0.0.9", "10.0.0.8"] {
            add(
                "VirtualNetworkGateway",
                "Active",
                "192.168.0.0/16",
                "VirtualNetworkGateway",
                Some(ip),
            );
        }
        for ip in [FIREWALL, "10.0.0.77"] {
            add(
                "VirtualNetworkGateway",
                "Active",
                "172.20.0.0/16",
                "VirtualNetworkGateway",
                Some(ip),
            );
        }
        add("Default", "Active", "fd00:1::/48", "VnetLocal", None);
        if random.below(2) == 0 {
            add("Default", "Active", "0.0.0.0/0", "Internet", None);
            add("Default", "Active", "::/0", "Internet", None);
        } else if random.below(3) > 0 {
            add("Default", "Invalid", "0.0.0.0/0", "Internet", None);
            add("User", "Active", "0.0.0.0/0", "VirtualAppliance", Some(FIREWALL));
        }
        for _ in 0..random.below(6) {
            let host = Ipv4Addr::from(0x0AC8_0000 | u32::try_from(random.below(64)).unwrap());
            add(
                "Default",
                if random.below(3) == 0 { "Invalid" } else { "Active" },
                &format!("{host}/32"),
                "InterfaceEndpoint",
                None,
            );
        }
        for _ in 0..12 {
            let length = *random.pick(&[9_u8, 12, 16, 17, 23, 24, 25, 28, 30, 31, 32]);
            let base = *random.pick(&[
                0x0A00_0000_u32,
                space,
                0x0AC8_0000,
                0xC0A8_0000,
                0x1400_0000,
                0xAC10_0000,
            ]);
            let bits = base | u32::try_from(random.below(1 << 20)).unwrap();
            let bits = bits & (u32::MAX << (32 - u32::from(length)));
            let prefix = format!("{}/{length}", Ipv4Addr::from(bits));
            let (next_hop_type, ip) = *random.pick(&[
                ("VirtualAppliance", Some(FIREWALL)),
                ("VirtualAppliance", Some("10.0.9.9")),
                ("None", None),
                ("Internet", None),
                ("VnetLocal", None),
            ]);
            add(
                "User",
                if random.below(8) == 0 { "Invalid" } else { "Active" },
                &prefix,
                next_hop_type,
                ip,
            );
        }
        for _ in 0..3 {
            let length = *random.pick(&[49_u8, 56, 64, 96, 127, 128]);
            let bits =
                0xfd00_0001_0000_0000_0000_0000_0000_0000_u128 | (u128::from(random.next()) << 16);
            let bits = bits & (u128::MAX << (128 - u32::from(length)));
            add(
                "User",
                "Active",
                &format!("{}/{length}", Ipv6Addr::from(bits)),
                "VirtualAppliance",
                Some("fd00:1::99"),
            );
        }
        rows = without_rival_user_rows(rows);
        Self {
            name: format!("nic{index:02}"),
            mac: format!("000D3A0000{index:02X}"),
            local: IpAddr::V4(Ipv4Addr::from(space + 4)),
            rows,
        }
    }

    /// The naive router: the rules, read aloud.
    fn route(
        &self,
        destination: IpAddr,
    ) -> Option<(Row, BTreeSet<IpAddr>, BTreeSet<&'static str>)> {
        let usable = |row: &&Row| {
            row.state == "Active" && !self.is_set_aside(row) && holds(row, destination)
        };
        let longest = self.rows.iter().filter(usable).map(|row| row.length).max()?;
        let tied: Vec<&Row> =
            self.rows.iter().filter(usable).filter(|row| row.length == longest).collect();
        let is_service_endpoint =
            |row: &&&Row| row.next_hop_type == "VirtualNetworkServiceEndpoint";
        let rank = |row: &Row| match row.source {
            "User" => 0,
            "VirtualNetworkGateway" => 1,
            _ => 2,
        };
        let winners: Vec<&Row> = if tied.iter().any(|row| is_service_endpoint(&row)) {
            tied.iter().filter(is_service_endpoint).copied().collect()
        } else {
            let best = tied.iter().map(|row| rank(row)).min()?;
            tied.into_iter().filter(|row| rank(row) == best).collect()
        };
        let ips = winners
            .iter()
            .filter_map(|row| row.ip.as_ref())
            .map(|ip| ip.parse().unwrap())
            .collect();
        let classes = winners.iter().map(|row| class(row)).collect();
        Some((winners[0].clone(), ips, classes))
    }

    /// VNet, peering and service-endpoint routes win over gateway routes inside them.
    fn is_set_aside(&self, row: &Row) -> bool {
        let system =
            ["VnetLocal", "VNetPeering", "VNetGlobalPeering", "VirtualNetworkServiceEndpoint"];
        row.source == "VirtualNetworkGateway"
            && self.rows.iter().any(|other| {
                other.source == "Default"
                    && system.contains(&other.next_hop_type)
                    && other.length <= row.length
                    && holds(other, row.address)
            })
    }
}

/// Azure has one user-defined route for a prefix.
fn without_rival_user_rows(rows: Vec<Row>) -> Vec<Row> {
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        let is_rival = kept.iter().any(|other| {
            other.source == "User"
                && row.source == "User"
                && (other.address, other.length) == (row.address, row.length)
        });
        if !is_rival {
            kept.push(row);
        }
    }
    kept
}

fn holds(row: &Row, address: IpAddr) -> bool {
    match (row.address, address) {
        (IpAddr::V4(prefix), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(row.length);
            shift == 32 || u32::from(prefix) >> shift == u32::from(address) >> shift
        }
        (IpAddr::V6(prefix), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(row.length);
            shift == 128 || u128::from(prefix) >> shift == u128::from(address) >> shift
        }
        _ => false,
    }
}

fn class(row: &Row) -> &'static str {
    match (row.next_hop_type, row.ip.as_deref()) {
        (_, Some(FIREWALL)) => "firewall",
        ("VnetLocal", _) => "vnet",
        ("VNetPeering" | "VNetGlobalPeering", _) => "peering",
        ("VirtualNetworkGateway", _) => "gateway",
        ("Internet", _) => "internet",
        ("VirtualAppliance", _) => "appliance",
        ("None", _) => "dropped",
        ("VirtualNetworkServiceEndpoint", _) => "service_endpoint",
        ("InterfaceEndpoint", _) => "private_endpoint",
        (other, _) => panic!("{other}"),
    }
}

struct Tuple {
    mac: String,
    source: IpAddr,
    destination: IpAddr,
    source_port: u16,
    destination_port: u16,
    protocol: u8,
    direction: char,
    bytes: Option<u64>,
}

impl Tuple {
    /// The remote end is drawn at the edges of the table's prefixes, where mistakes live.
    fn random(tables: &[Table], random: &mut Random) -> Self {
        let table = random.pick(tables);
        let remote = match random.below(12) {
            0 => "168.63.129.16".parse().unwrap(),
            1 => IpAddr::V4(Ipv4Addr::from(u32::try_from(random.next() >> 32).unwrap())),
            _ => edge(random.pick(&table.rows), random.below(4)),
        };
        let local = if remote.is_ipv6() { "fd00:1::4".parse().unwrap() } else { table.local };
        let direction = *random.pick(&['I', 'O']);
        let (source, destination) =
            if direction == 'O' { (local, remote) } else { (remote, local) };
        // A NIC that no table names: the local address tells the table, or nothing does.
        let mac = if random.below(20) == 0 { "000D3AFFFFFF".to_owned() } else { table.mac.clone() };
        Self {
            mac,
            source,
            destination,
            source_port: u16::try_from(random.below(65_536)).unwrap(),
            destination_port: u16::try_from(random.below(65_536)).unwrap(),
            protocol: *random.pick(&[6, 17]),
            direction,
            bytes: (random.below(3) > 0).then(|| random.below(1 << 40)),
        }
    }
}

fn edge(row: &Row, which: u64) -> IpAddr {
    match row.address {
        IpAddr::V4(first) => {
            let first = u32::from(first);
            let last = first | u32::MAX.checked_shr(u32::from(row.length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    [usize::try_from(which).unwrap()],
            ))
        }
        IpAddr::V6(first) => {
            let first = u128::from(first);
            let last = first | u128::MAX.checked_shr(u32::from(row.length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    [usize::try_from(which).unwrap()],
            ))
        }
    }
}

/// The row that the program must print: the columns of [`COLUMNS`], null as an empty text.
fn row(tuple: &Tuple, tables: &[Table], record: usize) -> Vec<String> {
    let (local, remote, lookup) = match tuple.direction {
        'O' => (tuple.source, tuple.destination, "dest"),
        _ => (tuple.destination, tuple.source, "src"),
    };
    let direction = if tuple.direction == 'O' { "Outbound" } else { "Inbound" };
    let mut row = vec![
        tuple.source.to_string(),
        tuple.source_port.to_string(),
        tuple.destination.to_string(),
        tuple.destination_port.to_string(),
        tuple.protocol.to_string(),
        direction.to_owned(),
        tuple.bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
    ];
    let table = tables
        .iter()
        .find(|table| table.mac == tuple.mac)
        .or_else(|| tables.iter().find(|table| covers(table, local)));
    let label: [String; 7] = match table {
        _ if is_platform(tuple.source) || is_platform(tuple.destination) => last("platform"),
        None => last("unknown"),
        Some(table) => {
            let mut label = last("no_route");
            label[0].clone_from(&table.name);
            label[1] = lookup.to_owned();
            if let Some((winner, ips, classes)) = table.route(remote) {
                label[2] = format!("{}/{}", winner.address, winner.length);
                label[3] = winner.source.to_owned();
                label[4] = winner.next_hop_type.to_owned();
                label[5] = ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                label[6] = match classes.len() {
                    1 => classes.first().unwrap().to_string(),
                    _ => "mixed".to_owned(),
                };
            }
            label
        }
    };
    row.extend(label);
    row.push(record.to_string());
    row
}

fn last(class: &str) -> [String; 7] {
    let mut label: [String; 7] = Default::default();
    label[6] = class.to_owned();
    label
}

fn covers(table: &Table, address: IpAddr) -> bool {
    let space = |address: IpAddr| match address {
        IpAddr::V4(address) => Some(u32::from(address) >> 16),
        IpAddr::V6(_) => None,
    };
    space(address).is_some() && space(table.local) == space(address)
}

fn is_platform(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address == Ipv4Addr::new(168, 63, 129, 16)
                || (a, b) == (169, 254)
                || (224..240).contains(&a)
                || u32::from(address) == u32::MAX
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            first >= 0xff00 || first & 0xffc0 == 0xfe80
        }
    }
}

/// One record for each hundred tuples and MAC address, in the order of first occurrence.
fn blocks(tuples: &[Tuple]) -> Vec<Vec<&Tuple>> {
    let mut blocks = Vec::new();
    for part in tuples.chunks(1000) {
        let macs: BTreeSet<&String> = part.iter().map(|tuple| &tuple.mac).collect();
        for mac in macs {
            blocks.push(part.iter().filter(|tuple| tuple.mac == *mac).collect());
        }
    }
    blocks
}

fn in_file_order(tuples: &[Tuple]) -> impl Iterator<Item = &Tuple> {
    blocks(tuples).into_iter().flatten()
}

fn flow_log(tuples: &[Tuple]) -> String {
    let mut text = String::from("{\"records\":[");
    for (index, block) in blocks(tuples).iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write!(
            text,
            "{{\"time\":\"2025-01-20T18:00:00.0000000Z\",\"flowLogVersion\":4,\"macAddress\":\"{}\",\
             \"category\":\"FlowLogFlowEvent\",\"flowRecords\":{{\"flows\":[{{\"aclID\":\"a\",\
             \"flowGroups\":[{{\"rule\":\"r\",\"flowTuples\":[",
            block[0].mac
        )
        .unwrap();
        for (index, tuple) in block.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let tail = match tuple.bytes {
                Some(bytes) => format!("C,NX,1,{bytes},2,300"),
                None => "B,NX,0,0,0,0".to_owned(),
            };
            write!(
                text,
                "{comma}\"{},{},{},{},{},{},{},{tail}\"",
                1_737_331_200_000_u64 + index as u64,
                tuple.source,
                tuple.destination,
                tuple.source_port,
                tuple.destination_port,
                tuple.protocol,
                tuple.direction
            )
            .unwrap();
        }
        text.push_str("]}]}]}}");
    }
    text.push_str("]}");
    text
}

fn write_snapshot(folder: &Path, tables: &[Table]) {
    std::fs::create_dir_all(folder).unwrap();
    let mut settings = format!("[[firewall]]\nname = \"fw\"\naddresses = [\"{FIREWALL}\"]\n");
    for (index, table) in tables.iter().enumerate() {
        let (extension, text) = match index % 3 {
            0 => ("json", az_json(&table.rows)),
            1 => ("txt", az_table(&table.rows)),
            _ => ("csv", portal_csv(&table.rows)),
        };
        let file = format!("{}.{extension}", table.name);
        std::fs::write(folder.join(&file), text).unwrap();
        let IpAddr::V4(local) = table.local else { unreachable!("tables are of IPv4 spokes") };
        let space = Ipv4Addr::from(u32::from(local) & 0xFFFF_0000);
        writeln!(
            settings,
            "[[table]]\nfile = \"{file}\"\nsources = [\"{space}/16\", \"mac:{}\"]",
            table.mac
        )
        .unwrap();
    }
    std::fs::write(folder.join("nexthop.toml"), settings).unwrap();
}

fn az_json(rows: &[Row]) -> String {
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "addressPrefix": [format!("{}/{}", row.address, row.length)],
                "nextHopIpAddress": row.ip.iter().collect::<Vec<_>>(),
                "nextHopType": row.next_hop_type,
                "source": row.source,
                "state": row.state,
            })
        })
        .collect();
    serde_json::json!({ "nextLink": null, "value": rows }).to_string()
}

fn az_table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:21}  {:7}  {:43}  {:29}  {}\n{}  {}  {}  {}  {}\n",
        "Source",
        "State",
        "Address Prefix",
        "Next Hop Type",
        "Next Hop IP",
        "-".repeat(21),
        "-".repeat(7),
        "-".repeat(43),
        "-".repeat(29),
        "-".repeat(39)
    );
    for row in rows {
        let prefix = format!("{}/{}", row.address, row.length);
        let ip = row.ip.as_deref().unwrap_or("");
        let line = format!(
            "{:21}  {:7}  {prefix:43}  {:29}  {ip}",
            row.source, row.state, row.next_hop_type
        );
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

fn portal_csv(rows: &[Row]) -> String {
    let mut text = String::from(
        "Source,State,Address Prefixes,Next Hop Type,Next Hop IP Address,User Defined Route Name\n",
    );
    for row in rows {
        let ip = row.ip.as_deref().unwrap_or("");
        writeln!(
            text,
            "{},{},{}/{},{},{ip},",
            row.source, row.state, row.address, row.length, row.next_hop_type
        )
        .unwrap();
    }
    text
}

fn read(format: &str, path: &Path) -> Vec<Vec<String>> {
    match format {
        "csv" => {
            let text = std::fs::read_to_string(path).unwrap();
            assert_eq!(text.lines().next(), Some(COLUMNS.join(",").as_str()));
            // No value of these columns holds a comma or a quote.
            text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
        }
        "jsonl" => {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(json_row).collect()
        }
        _ => read_parquet(path),
    }
}

fn json_row(line: &str) -> Vec<String> {
    let object: serde_json::Value = serde_json::from_str(line).unwrap();
    COLUMNS
        .iter()
        .map(|column| match object.get(column).expect(column) {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(feature = "parquet")]
fn read_parquet(path: &Path) -> Vec<Vec<String>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let names: Vec<&str> = row.get_column_iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, COLUMNS);
        row.get_column_iter()
            .map(|(_, field)| match field {
                Field::Null => String::new(),
                Field::Str(text) => text.clone(),
                Field::UByte(number) => number.to_string(),
                Field::UShort(number) => number.to_string(),
                Field::ULong(number) => number.to_string(),
                other => panic!("{other:?}"),
            })
            .collect()
    })
    .collect()
}

#[cfg(not(feature = "parquet"))]
fn read_parquet(_: &Path) -> Vec<Vec<String>> {
    unreachable!("the format is not in the list")
}

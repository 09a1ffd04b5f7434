//! A generated snapshot: the NICs of a hub and its spokes, each with its exported table.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Random;
use super::routes::{Pools, shared_routes, table_routes};
use crate::azure::effective_routes::{ExportFormat, render};
use crate::azure::{EffectiveRoute, SETTINGS_FILE};
use crate::net::{AddressPrefix, MacAddress};

/// How large a snapshot is.
///
/// # Examples
///
/// ```
/// use nexthop::generate::SnapshotShape;
///
/// let snapshot = SnapshotShape { nics: 3, routes_per_table: 100 }.generate(1);
/// // The gateway has a table, too.
/// assert_eq!(snapshot.places.len(), 4);
/// assert!(snapshot.files().any(|(name, _)| name == "nexthop.toml"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotShape {
    /// NICs, each in a subnet of its own, with its own table; from 1 to [`NICS_MAX`](Self::NICS_MAX).
    pub nics: u32,
    /// Prefixes in each table; a few dozen routes stand in every table whatever is asked for.
    pub routes_per_table: u32,
}

/// What was generated.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The gateway first, then the NICs.
    pub places: Vec<Place>,
    pub(super) pools: Pools,
}

/// Somewhere with a route table.
#[derive(Clone, Debug)]
pub struct Place {
    /// `RouteTableId`.
    pub name: String,
    /// The file that the table is exported to, below the snapshot's folder.
    pub file: String,
    /// How it is written.
    pub format: ExportFormat,
    /// The MAC address.
    pub mac: MacAddress,
    /// The addresses behind it: one IPv4 prefix and one IPv6 prefix.
    pub prefixes: [AddressPrefix; 2],
    /// The rows of its table.
    pub routes: Vec<EffectiveRoute>,
}

/// The firewall of every generated snapshot.
pub(super) const FIREWALL: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 4);

impl SnapshotShape {
    /// The most NICs: the subnets of 10.16.0.0 to 10.249.255.255.
    pub const NICS_MAX: u32 = 59_904;

    /// Draws a snapshot.
    ///
    /// Most routes of a table are the hub's and stand in every table; some are its own. The default
    /// route, and with it the way to other spokes, is of one of four kinds.
    ///
    /// Cost: a few hundred bytes a route in memory.
    ///
    /// # Panics
    ///
    /// When `nics` is 0 or above [`NICS_MAX`](Self::NICS_MAX).
    pub fn generate(&self, seed: u64) -> Snapshot {
        assert!((1..=Self::NICS_MAX).contains(&self.nics), "from 1 to {} NICs", Self::NICS_MAX);
        let random = &mut Random::new(seed, "snapshot");
        let mut pools = Pools::default();
        let shared = shared_routes(random, self.routes_per_table, &mut pools);
        let mut places = vec![gateway()];
        places.extend((0..self.nics).map(nic));
        for (index, place) in places.iter_mut().enumerate() {
            place.routes = table_routes(
                random,
                index,
                place.prefixes,
                self.routes_per_table,
                &shared,
                &mut pools,
            );
        }
        Snapshot { places, pools }
    }
}

impl Snapshot {
    /// Returns every file: its name below the snapshot's folder, and its text.
    pub fn files(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let tables = self.places.iter().map(|place| (place.file.clone(), place.export()));
        std::iter::once((SETTINGS_FILE.to_owned(), self.settings())).chain(tables)
    }

    /// Returns the text of `nexthop.toml`.
    pub fn settings(&self) -> String {
        let mut text = format!(
            "[[firewall]]\nname = \"hub-firewall\"\naddresses = [\"{FIREWALL}\"]\n\
             subnets = [\"10.0.1.0/26\"]\n\n\
             [[name]]\nprefix = \"10.0.0.0/27\"\nname = \"hub-gateway\"\n"
        );
        for Place { name, file, mac, prefixes: [v4, v6], .. } in &self.places {
            write!(
                text,
                "\n[[table]]\nfile = \"{file}\"\nname = \"{name}\"\n\
                 sources = [\"{v4}\", \"{v6}\", \"mac:{mac}\"]\n"
            )
            .expect("a string takes any text");
        }
        text
    }
}

impl Place {
    /// Returns the table as its tool prints it.
    pub fn export(&self) -> String {
        match self.format {
            ExportFormat::RestJson => render::rest_json(&self.routes),
            ExportFormat::PowerShellJson => render::power_shell_json(&self.routes),
            ExportFormat::AzTable => render::az_table(&self.routes),
            ExportFormat::Csv => render::csv(&self.routes),
            _ => render::az_cli_json(&self.routes),
        }
    }

    /// Returns an address behind this place.
    pub(super) fn address(&self, random: &mut Random, is_ipv6: bool) -> IpAddr {
        match self.prefixes[usize::from(is_ipv6)].address() {
            // Azure keeps the first four addresses of a subnet; hosts stay clear of its last ones.
            IpAddr::V4(first) => {
                Ipv4Addr::from_bits(first.to_bits() + 4 + random.below(60) as u32).into()
            }
            IpAddr::V6(first) => {
                Ipv6Addr::from_bits(first.to_bits() + 4 + u128::from(random.below(60))).into()
            }
        }
    }
}

fn gateway() -> Place {
    Place {
        name: "hub/GatewaySubnet".into(),
        file: "gateway-proxy.json".into(),
        format: ExportFormat::AzCliJson,
        mac: MacAddress::new([0x00, 0x22, 0x48, 0, 0, 1]),
        prefixes: [prefix("192.168.0.0/16"), prefix("fd00:c0a8::/32")],
        routes: Vec::new(),
    }
}

fn nic(index: u32) -> Place {
    const FORMATS: [(ExportFormat, &str); 5] = [
        (ExportFormat::AzCliJson, "json"),
        (ExportFormat::AzTable, "routes.txt"),
        (ExportFormat::Csv, "csv"),
        (ExportFormat::RestJson, "json"),
        (ExportFormat::PowerShellJson, "json"),
    ];
    let (format, extension) = FORMATS[index as usize % FORMATS.len()];
    let [_, high, middle, low] = (index + 1).to_be_bytes();
    let name = format!("vm{index:05}-nic");
    Place {
        file: format!("spoke{:04}/{name}.{extension}", index / NICS_PER_VNET),
        name,
        format,
        mac: MacAddress::new([0x00, 0x0D, 0x3A, high, middle, low]),
        prefixes: subnets_of(index),
        routes: Vec::new(),
    }
}

/// NICs share a VNet in groups of so many.
pub(super) const NICS_PER_VNET: u32 = 8;

/// The subnets of a NIC: 10.16.0.0/24 and fd00:10::/64 onwards.
fn subnets_of(index: u32) -> [AddressPrefix; 2] {
    let v4 = Ipv4Addr::from_bits(0x0A10_0000 + (index << 8));
    let v6 = Ipv6Addr::from_bits((0xFD00_0010 << 96) | (u128::from(index) << 64));
    let subnet = |address, length| AddressPrefix::new(address, length).expect("a fitting length");
    [subnet(IpAddr::V4(v4), 24), subnet(IpAddr::V6(v6), 64)]
}

pub(super) fn prefix(text: &str) -> AddressPrefix {
    text.parse().expect("is a prefix")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::azure::{RouteState, Settings, effective_routes};

    const SHAPE: SnapshotShape = SnapshotShape { nics: 11, routes_per_table: 200 };

    #[test]
    fn every_export_is_read_back_in_its_format() {
        let snapshot = SHAPE.generate(3);
        let mut formats = BTreeSet::new();
        for place in &snapshot.places {
            let read = effective_routes::parse(place.export().as_bytes()).expect(&place.file);
            assert_eq!(read.format, place.format, "{}", place.file);
            let destinations = |routes: &[EffectiveRoute]| -> Vec<_> {
                routes.iter().flat_map(|route| route.destinations.clone()).collect()
            };
            assert_eq!(destinations(&read.routes), destinations(&place.routes), "{}", place.file);
            formats.insert(read.format);
        }
        assert_eq!(formats.len(), 5);
        let settings = Settings::parse(&snapshot.settings()).unwrap();
        assert_eq!(settings.tables.len(), snapshot.places.len());
    }

    #[test]
    fn tables_are_shaped_as_azures() {
        let snapshot = SHAPE.generate(4);
        for place in &snapshot.places {
            let prefixes: Vec<AddressPrefix> = place.routes.iter().flat_map(prefixes_of).collect();
            assert!((180..=230).contains(&prefixes.len()), "{}", prefixes.len());
            let long = prefixes.iter().filter(|p| p.is_ipv4() && p.length() > 24).count();
            assert!(long * 3 > prefixes.len(), "{long} of {}", prefixes.len());
            assert!(prefixes.iter().any(|p| !p.is_ipv4() && p.length() > 64));
            assert!(place.routes.iter().any(|route| route.state == RouteState::Invalid));
            assert!(place.routes.iter().any(|route| route.next_hop_ips.len() > 1));
        }
        let rows = |place: &Place| -> BTreeSet<String> {
            place.routes.iter().map(|route| format!("{route:?}")).collect()
        };
        let (one, other) = (rows(&snapshot.places[1]), rows(&snapshot.places[2]));
        let shared = one.intersection(&other).count();
        assert!(shared * 4 > one.len() * 3 && shared < one.len(), "{shared} of {}", one.len());
    }

    #[test]
    fn the_last_nic_has_a_place_of_its_own() {
        let [v4, v6] = subnets_of(SnapshotShape::NICS_MAX - 1);
        assert_eq!(
            (v4.to_string(), v6.to_string()),
            ("10.249.255.0/24".into(), "fd00:10:0:e9ff::/64".into())
        );
    }

    fn prefixes_of(route: &EffectiveRoute) -> Vec<AddressPrefix> {
        route
            .destinations
            .iter()
            .map(|destination| destination.to_string().parse().unwrap())
            .collect()
    }
}

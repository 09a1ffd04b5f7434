//! Which table a source of packets uses.

use std::fmt;
use std::net::IpAddr;

use ahash::{AHashMap, AHashSet};

use super::{CompileError, TableId};
use crate::lpm::RangeTable;
use crate::net::{AddressPrefix, MacAddress};

/// Something that uses a route table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The NIC with this MAC address.
    Mac(MacAddress),
    /// A network interface by name, compared without case.
    Nic(String),
    /// A subnet as `VNET/SUBNET`, compared without case.
    Subnet(String),
    /// The addresses of a prefix; the longest one counts.
    Prefix(AddressPrefix),
}

/// Where packets with a source address are routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// By a table.
    Table(TableId),
    /// By one of several: unpeered VNets hold the address.
    Ambiguous,
    /// Past the table that would route them: ExpressRoute FastPath.
    Fastpath,
    /// By none that is known.
    Nowhere,
}

/// What a snapshot's resources tell of sources besides the tables that they use.
#[derive(Clone, Debug, Default)]
pub struct SourceMarks {
    /// Prefixes that several unpeered VNets hold.
    pub ambiguous: Vec<AddressPrefix>,
    /// Prefixes that ExpressRoute FastPath brings in.
    pub fastpath: Vec<AddressPrefix>,
    /// Prefixes of VNets outside every subnet: nothing sends from there.
    pub nowhere: Vec<AddressPrefix>,
    /// The tables of NICs and subnets by their whole identifier.
    pub resource_ids: Vec<(String, usize)>,
    /// The addresses of NICs whose MAC address is known.
    pub nic_addresses: Vec<IpAddr>,
    /// Private endpoints: they have the table of no subnet.
    pub private_endpoints: Vec<IpAddr>,
    /// The table of the one subnet of a VNet, by its identifier, whose instances pass on the packets
    /// of others and have no NIC of their own: the firewall's or the gateway's.
    pub transit: Vec<(String, usize)>,
}

/// The index of all sources.
#[derive(Debug)]
pub struct Sources {
    macs: AHashMap<MacAddress, TableId>,
    nics: AHashMap<String, TableId>,
    subnets: AHashMap<String, TableId>,
    resource_ids: AHashMap<String, TableId>,
    nic_addresses: AHashSet<IpAddr>,
    transit: AHashMap<String, TableId>,
    prefixes: RangeTable,
    forced: Option<TableId>,
}

/// Values beside the numbers of tables.
const AMBIGUOUS: u32 = u32::MAX;
const FASTPATH: u32 = u32::MAX - 1;
const NOWHERE: u32 = u32::MAX - 2;

/// Stands beside the number of the table of its subnet.
const PRIVATE_ENDPOINT: u32 = 1 << 31;

impl Sources {
    pub(super) fn compile(
        ids: &[String],
        sources: &[Vec<Source>],
        marks: &SourceMarks,
    ) -> Result<Self, CompileError> {
        let mut owners: AHashMap<Source, TableId> = AHashMap::new();
        for (index, source) in
            sources.iter().enumerate().flat_map(|(i, all)| all.iter().map(move |one| (i, one)))
        {
            let table = TableId::at(index);
            let first = *owners.entry(source.folded()).or_insert(table);
            if first != table {
                return Err(CompileError::AmbiguousSource {
                    claimed: source.to_string(),
                    first: ids[first.index()].clone(),
                    second: ids[index].clone(),
                });
            }
        }
        let mut compiled = Self {
            macs: AHashMap::new(),
            nics: AHashMap::new(),
            subnets: AHashMap::new(),
            resource_ids: by_id(&marks.resource_ids),
            nic_addresses: marks.nic_addresses.iter().copied().collect(),
            transit: by_id(&marks.transit),
            prefixes: RangeTable::compile(&[]),
            forced: None,
        };
        let marked = |prefixes: &[AddressPrefix], value: u32| {
            prefixes.iter().map(|prefix| (*prefix, value)).collect::<Vec<_>>()
        };
        let mut prefixes = marked(&marks.nowhere, NOWHERE);
        prefixes.extend(marked(&marks.fastpath, FASTPATH));
        prefixes.extend(marked(&marks.ambiguous, AMBIGUOUS));
        for (source, table) in owners {
            match source {
                Source::Mac(mac) => drop(compiled.macs.insert(mac, table)),
                Source::Nic(name) => drop(compiled.nics.insert(name, table)),
                Source::Subnet(name) => drop(compiled.subnets.insert(name, table)),
                Source::Prefix(prefix) => {
                    prefixes.push((prefix, u32::try_from(table.index()).expect("is a u32")));
                }
            }
        }
        compiled.prefixes = RangeTable::compile(&prefixes);
        compiled.mark_private_endpoints(&marks.private_endpoints, prefixes);
        Ok(compiled)
    }

    fn mark_private_endpoints(
        &mut self,
        endpoints: &[IpAddr],
        mut prefixes: Vec<(AddressPrefix, u32)>,
    ) {
        let mut marked: Vec<(AddressPrefix, u32)> = Vec::new();
        for &address in endpoints {
            match self.prefixes.lookup(address) {
                Some(table) if table < PRIVATE_ENDPOINT => {
                    marked.push((AddressPrefix::host(address), table | PRIVATE_ENDPOINT));
                }
                _ => {}
            }
        }
        if !marked.is_empty() {
            let hosts: AHashSet<AddressPrefix> = marked.iter().map(|(host, _)| *host).collect();
            prefixes.retain(|(prefix, _)| !hosts.contains(prefix));
            prefixes.extend(marked);
            self.prefixes = RangeTable::compile(&prefixes);
        }
    }

    pub(super) fn force(&mut self, table: TableId) {
        self.forced = Some(table);
    }

    /// Returns the table that every source uses, where one was forced.
    pub fn forced(&self) -> Option<TableId> {
        self.forced
    }

    /// Returns the table of the NIC with a MAC address.
    pub fn by_mac(&self, mac: MacAddress) -> Option<TableId> {
        self.macs.get(&mac).copied()
    }

    /// Returns the table of a NIC by its name.
    pub fn by_nic(&self, name: &str) -> Option<TableId> {
        self.nics.get(&name.to_lowercase()).copied()
    }

    /// Returns the table of a subnet by `VNET/SUBNET`.
    pub fn by_subnet(&self, name: &str) -> Option<TableId> {
        self.subnets.get(&name.to_lowercase()).copied()
    }

    /// Returns the table of the NIC or subnet that an Azure resource identifier names; `None` for
    /// any other resource, such as a whole VNet.
    pub fn by_resource_id(&self, id: &str) -> Option<TableId> {
        if let Some(&table) = self.resource_ids.get(&folded_id(id)) {
            return Some(table);
        }
        let parts: Vec<&str> = id.split('/').filter(|part| !part.is_empty()).collect();
        let [.., parent_type, parent, kind, name] = parts.as_slice() else { return None };
        if kind.eq_ignore_ascii_case("networkInterfaces") {
            return self.by_nic(name);
        }
        if kind.eq_ignore_ascii_case("subnets")
            && parent_type.eq_ignore_ascii_case("virtualNetworks")
        {
            return self.by_subnet(&format!("{parent}/{name}"));
        }
        None
    }

    /// Returns the table of an address: that of the longest prefix that holds it.
    pub fn by_address(&self, address: IpAddr) -> Option<TableId> {
        match self.place(address) {
            Place::Table(table) => Some(table),
            Place::Ambiguous | Place::Fastpath | Place::Nowhere => None,
        }
    }

    /// Returns where packets from an address are routed.
    pub fn place(&self, address: IpAddr) -> Place {
        match self.prefixes.lookup(address) {
            None | Some(NOWHERE) => Place::Nowhere,
            Some(AMBIGUOUS) => Place::Ambiguous,
            Some(FASTPATH) => Place::Fastpath,
            Some(index) => Place::Table(TableId::at((index & !PRIVATE_ENDPOINT) as usize)),
        }
    }

    /// Returns the table that an address answers by. A private endpoint has none of its own: the
    /// platform steers its answers, and it sends nothing else.
    ///
    /// Source: Microsoft, "What is a private endpoint?" (read 2026-11-20).
    pub fn answering(&self, address: IpAddr) -> Option<TableId> {
        match self.prefixes.lookup(address) {
            Some(index) if index < PRIVATE_ENDPOINT => Some(TableId::at(index as usize)),
            _ => None,
        }
    }

    /// Returns true for a private endpoint that the resources tell of.
    pub fn is_private_endpoint(&self, address: IpAddr) -> bool {
        let found = self.prefixes.lookup(address);
        found.is_some_and(|value| (PRIVATE_ENDPOINT..NOWHERE).contains(&value))
    }

    /// Returns true when a NIC whose MAC address is known has the address: whoever reports it under
    /// another MAC address passes on packets of others.
    pub fn is_nic_address(&self, address: IpAddr) -> bool {
        self.nic_addresses.contains(&address)
    }

    /// Returns the table of the subnet of a VNet whose instances pass on the packets of others,
    /// where there is one such subnet; any resource of the VNet names it.
    pub fn transit_of(&self, resource_id: &str) -> Option<TableId> {
        let folded = folded_id(resource_id);
        let mut id = folded.as_str();
        loop {
            if let Some(&table) = self.transit.get(id) {
                return Some(table);
            }
            id = id.rsplit_once('/')?.0;
        }
    }
}

fn by_id(tables: &[(String, usize)]) -> AHashMap<String, TableId> {
    tables.iter().map(|(id, table)| (folded_id(id), TableId::at(*table))).collect()
}

fn folded_id(id: &str) -> String {
    id.trim_matches('/').to_ascii_lowercase()
}

impl Source {
    /// Returns an address that the source may send from, of one family: of a subnet the first that
    /// Azure gives to a machine.
    ///
    /// Source: Microsoft, "Azure Virtual Network FAQ" (read 2026-11-20): the first four addresses of
    /// a subnet and its last are Azure's own.
    pub fn usable_address(&self, is_ipv4: bool) -> Option<IpAddr> {
        const RESERVED_COUNT: u8 = 4;
        let Self::Prefix(prefix) = self else { return None };
        if prefix.is_ipv4() != is_ipv4 {
            return None;
        }
        let host_bits = AddressPrefix::host(prefix.address()).length() - prefix.length();
        match prefix.address() {
            first if host_bits < 3 => Some(first),
            IpAddr::V4(first) => {
                Some(IpAddr::V4((first.to_bits() + u32::from(RESERVED_COUNT)).into()))
            }
            IpAddr::V6(first) => {
                Some(IpAddr::V6((first.to_bits() + u128::from(RESERVED_COUNT)).into()))
            }
        }
    }

    fn folded(&self) -> Self {
        match self {
            Self::Nic(name) => Self::Nic(name.to_lowercase()),
            Self::Subnet(name) => Self::Subnet(name.to_lowercase()),
            other => other.clone(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "mac:{mac}"),
            Self::Nic(name) => write!(f, "nic:{name}"),
            Self::Subnet(name) => write!(f, "subnet:{name}"),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("table{index}")).collect()
    }

    fn prefix(text: &str) -> Source {
        Source::Prefix(text.parse().unwrap())
    }

    #[test]
    fn the_longest_prefix_names_the_table() {
        let sources = Sources::compile(
            &ids(2),
            &[vec![prefix("10.0.0.0/8")], vec![prefix("10.1.0.0/24")]],
            &SourceMarks::default(),
        )
        .unwrap();
        let table = |text: &str| sources.by_address(text.parse().unwrap()).map(TableId::index);
        assert_eq!(table("10.1.0.255"), Some(1));
        assert_eq!(table("10.1.1.0"), Some(0));
        assert_eq!(table("11.0.0.0"), None);
    }

    #[test]
    fn names_and_resource_identifiers_are_compared_without_case() {
        let sources = Sources::compile(
            &ids(2),
            &[
                vec![Source::Nic("HubVM-Nic".into())],
                vec![Source::Subnet("Hub/GatewaySubnet".into())],
            ],
            &SourceMarks::default(),
        )
        .unwrap();
        let table = |id: &str| sources.by_resource_id(id).map(TableId::index);
        let network = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network";
        assert_eq!(table(&format!("{network}/networkInterfaces/hubvm-nic")), Some(0));
        assert_eq!(table(&format!("{network}/VIRTUALNETWORKS/HUB/SUBNETS/GATEWAYSUBNET")), Some(1));
        assert_eq!(table(&format!("{network}/virtualNetworks/hub")), None);
        assert_eq!(table(""), None);
    }

    #[test]
    fn two_tables_that_claim_one_source_are_an_error_and_one_that_claims_it_twice_is_not() {
        let error = Sources::compile(
            &ids(2),
            &[vec![Source::Nic("a".into())], vec![Source::Nic("A".into())]],
            &SourceMarks::default(),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the source nic:A is claimed by route table `table0` and by `table1`"
        );
        assert!(
            Sources::compile(
                &ids(1),
                &[vec![prefix("10.0.0.0/8"), prefix("10.0.0.0/8")]],
                &SourceMarks::default()
            )
            .is_ok()
        );
    }

    #[test]
    fn a_private_endpoint_is_in_its_subnet_and_answers_by_no_table() {
        let marks = SourceMarks {
            private_endpoints: ["10.1.0.4", "10.1.0.9", "10.9.0.4"]
                .map(|a| a.parse().unwrap())
                .into(),
            ..SourceMarks::default()
        };
        let sources = [vec![prefix("10.1.0.0/24")], vec![prefix("10.1.0.9/32")]];
        let sources = Sources::compile(&ids(2), &sources, &marks).unwrap();
        for (address, table, is_endpoint) in [
            ("10.1.0.3", Some(0), false),
            ("10.1.0.4", Some(0), true),
            ("10.1.0.5", Some(0), false),
            ("10.1.0.9", Some(1), true),
            ("10.9.0.4", None, false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(sources.by_address(address).map(TableId::index), table, "{address}");
            assert_eq!(sources.is_private_endpoint(address), is_endpoint, "{address}");
            let answering = table.filter(|_| !is_endpoint);
            assert_eq!(sources.answering(address).map(TableId::index), answering, "{address}");
        }
    }

    #[test]
    fn marks_stand_among_the_prefixes_by_their_length() {
        let marks = SourceMarks {
            ambiguous: vec!["10.1.2.0/24".parse().unwrap()],
            nowhere: vec!["10.1.0.0/16".parse().unwrap()],
            fastpath: vec!["192.168.0.0/16".parse().unwrap()],
            transit: vec![("/Subscriptions/s/virtualNetworks/Hub".into(), 0)],
            ..SourceMarks::default()
        };
        let sources =
            Sources::compile(&ids(1), &[vec![prefix("10.0.0.0/8"), prefix("10.1.3.0/24")]], &marks)
                .unwrap();
        let table = Place::Table(TableId::at(0));
        for (address, want) in [
            ("10.0.0.1", table),
            ("10.1.0.1", Place::Nowhere),
            ("10.1.2.255", Place::Ambiguous),
            ("10.1.3.0", table),
            ("192.168.0.1", Place::Fastpath),
            ("11.0.0.0", Place::Nowhere),
        ] {
            assert_eq!(sources.place(address.parse().unwrap()), want, "{address}");
        }
        let flow_log = "/subscriptions/S/virtualNetworks/hub/subnets/x";
        assert_eq!(sources.transit_of(flow_log), Some(TableId::at(0)));
        assert_eq!(sources.transit_of("/subscriptions/S/virtualNetworks/hub2"), None);
    }
}

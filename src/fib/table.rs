//! Many route tables, compiled.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;

use super::{Source, SourceMarks, Sources};
use crate::azure::RouteSource;
use crate::lpm::{self, LpmForest, LpmForestBuilder, RangeTable};
use crate::net::AddressPrefix;
use crate::net::special::is_platform;
use crate::routing::{
    Broadcasts, NextHop, NextHopClass, Owners, RouteTable, RouteTableBasis, is_rfc1918,
};

/// The forwarding information base: every route table of a snapshot, compiled and immutable.
///
/// Cost: about the memory of the distinct tables' routes, and of an [`LpmForest`], in which equal
/// parts of tables are stored once; a table equal to another costs its name.
#[derive(Debug)]
pub struct Fib {
    tables: Vec<(RouteTableInfo, Arc<CompiledTable>)>,
    /// The next hops of the distinct tables.
    forest: LpmForest,
    next_hops: NextHops,
    sources: Sources,
    broadcasts: Broadcasts,
    /// Of tables of App Service integration subnets: the public prefixes that are looked up.
    private_only: AHashMap<TableId, RangeTable>,
    beyond_gateways: AHashMap<TableId, BeyondGateway>,
    /// Of any table.
    has_unresolved_service_tags: bool,
}

/// Where packets go on that a table hands to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeyondGateway {
    /// The table that routes them there, by its position in what is compiled.
    pub table: usize,
    /// They go on there by the gateway's own routes, too, and not by user-defined ones alone: the
    /// gateway is the router of a virtual hub.
    pub follows_gateway_routes: bool,
}

/// Name and origin of a compiled table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTableInfo {
    /// `RouteTableId`.
    pub id: String,
    /// `RouteTableBasis`.
    pub basis: RouteTableBasis,
}

/// Index of a table in its [`Fib`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(u32);

/// Index of a next hop in its [`Fib`]; 0 stands for no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopId(u16);

/// The route that an address matched.
#[derive(Clone, Copy, Debug)]
pub struct Match<'f> {
    /// Its prefix.
    pub prefix: AddressPrefix,
    /// Who made it.
    pub source: &'f RouteSource,
}

/// Why route tables cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// More distinct next hops than identifiers.
    #[error(
        "the route tables have more than {max} different next hops; \
         split the snapshot into several runs"
    )]
    TooManyNextHops {
        /// How many there may be.
        max: usize,
    },
    /// More tables than identifiers.
    #[error("there are more than {max} route tables")]
    TooManyTables {
        /// How many there may be.
        max: usize,
    },
    /// A table that the look-up structure cannot hold.
    #[error("route table `{table}` cannot be compiled")]
    Lookup {
        /// `RouteTableId`.
        table: String,
        /// The limit.
        #[source]
        source: lpm::CompileError,
    },
    /// Two tables claim one source.
    #[error("the source {claimed} is claimed by route table `{first}` and by `{second}`")]
    AmbiguousSource {
        /// The source as text.
        claimed: String,
        /// The table that claimed it first.
        first: String,
        /// The other.
        second: String,
    },
}

impl Fib {
    /// Compiles route tables; `sources[i]` are the sources that use `tables[i]`.
    ///
    /// Cost: O(n log n) for n routes.
    ///
    /// # Errors
    ///
    /// [`CompileError`] where a limit is met or two tables claim the same source.
    ///
    /// # Panics
    ///
    /// When `tables` and `sources` differ in length.
    pub fn compile(
        tables: &[RouteTable],
        sources: &[Vec<Source>],
        owners: &Owners,
    ) -> Result<Self, CompileError> {
        Self::compile_marked(tables, sources, owners, &SourceMarks::default())
    }

    /// Compiles route tables with what the snapshot's resources tell of sources besides.
    ///
    /// # Errors
    ///
    /// As [`compile`](Self::compile).
    ///
    /// # Panics
    ///
    /// When `tables` and `sources` differ in length.
    pub fn compile_marked(
        tables: &[RouteTable],
        sources: &[Vec<Source>],
        owners: &Owners,
        marks: &SourceMarks,
    ) -> Result<Self, CompileError> {
        assert_eq!(tables.len(), sources.len(), "one list of sources a table");
        let mut next_hops = NextHops::default();
        let mut distinct: AHashMap<TableContent, Arc<CompiledTable>> = AHashMap::new();
        let mut forest = LpmForestBuilder::default();
        let mut compiled = Vec::with_capacity(tables.len());
        for table in tables {
            let content = TableContent::of(table, owners, &mut next_hops)?;
            let shared = match distinct.get(&content) {
                Some(equal) => Arc::clone(equal),
                None => {
                    let fresh = Arc::new(CompiledTable::compile(&content, &mut forest).map_err(
                        |source| CompileError::Lookup { table: table.id.clone(), source },
                    )?);
                    distinct.insert(content, Arc::clone(&fresh));
                    fresh
                }
            };
            compiled.push((RouteTableInfo { id: table.id.clone(), basis: table.basis }, shared));
        }
        let sources = Sources::compile(&compiled_ids(&compiled)?, sources, marks)?;
        Ok(Self {
            tables: compiled,
            forest: forest.finish(),
            next_hops,
            sources,
            broadcasts: owners.broadcasts().clone(),
            private_only: private_only(tables),
            has_unresolved_service_tags: tables.iter().any(RouteTable::has_unresolved_service_tag),
            beyond_gateways: AHashMap::new(),
        })
    }

    /// Says where packets go on that a table hands to a gateway; without it they leave the snapshot.
    pub fn set_beyond_gateways(&mut self, beyond: &[Option<BeyondGateway>]) {
        self.beyond_gateways = beyond
            .iter()
            .enumerate()
            .filter_map(|(index, beyond)| Some((self.table_id(index)?, (*beyond)?)))
            .collect();
    }

    pub(super) fn beyond_gateway(&self, table: TableId) -> Option<BeyondGateway> {
        self.beyond_gateways.get(&table).copied()
    }

    /// Returns true for an address that the platform answers itself, whatever the routes say.
    pub fn is_platform(&self, address: IpAddr) -> bool {
        is_platform(address) || self.broadcasts.contains(address)
    }

    /// Returns true for an address that the sources of a table never send into the VNet: its subnet
    /// serves App Service sites that do not route all of their traffic.
    pub fn is_outside_vnet(&self, table: TableId, address: IpAddr) -> bool {
        // Hardly any snapshot has such a table.
        !self.private_only.is_empty()
            && self
                .private_only
                .get(&table)
                .is_some_and(|services| !is_rfc1918(address) && services.lookup(address).is_none())
    }

    /// Returns the sources of the tables.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Uses one table for every source from now on.
    pub fn force_table(&mut self, table: TableId) {
        self.sources.force(table);
    }

    /// Returns how many tables there are.
    pub fn table_count(&self) -> usize {
        self.tables.len()
    }

    /// Returns how many different tables are stored.
    pub fn distinct_table_count(&self) -> usize {
        let mut stored: Vec<_> = self.tables.iter().map(|(_, table)| Arc::as_ptr(table)).collect();
        stored.sort_unstable();
        stored.dedup();
        stored.len()
    }

    /// Returns a number that equal tables share.
    pub(super) fn content_of(&self, table: TableId) -> usize {
        Arc::as_ptr(&self.tables[table.index()].1).addr()
    }

    /// Returns a table by its position in what was compiled.
    pub fn table_id(&self, index: usize) -> Option<TableId> {
        (index < self.tables.len()).then(|| TableId::at(index))
    }

    /// Returns a table's name and origin.
    pub fn info(&self, table: TableId) -> &RouteTableInfo {
        &self.tables[table.index()].0
    }

    /// Returns the next hop that a table gives an address; `None` without a matching route.
    ///
    /// Cost: one longest-prefix match.
    pub fn lookup(&self, table: TableId, address: IpAddr) -> Option<NextHopId> {
        NextHopId::of_value(self.forest.lookup(self.compiled(table).forest_number, address))
    }

    /// Returns the route that an address matches. It belongs to the next hop that
    /// [`lookup`](Self::lookup) returns.
    ///
    /// Cost: a binary search over the table's elementary ranges; several times the look-up.
    pub fn matched(&self, table: TableId, address: IpAddr) -> Option<Match<'_>> {
        let compiled = self.compiled(table);
        let index = compiled.route_indices.lookup(address)?;
        let (prefix, source) = &compiled.routes[index as usize];
        Some(Match { prefix: *prefix, source })
    }

    /// Returns the prefixes that a table uses, sorted, each with who made its route.
    pub fn routes(&self, table: TableId) -> &[(AddressPrefix, RouteSource)] {
        &self.compiled(table).routes
    }

    /// Returns a next hop.
    pub fn next_hop(&self, id: NextHopId) -> &NextHop {
        &self.next_hops.all[id.index()].next_hop
    }

    /// Returns true when a service tag whose prefixes are not known may send Internet addresses
    /// elsewhere: those that matched this next hop, or with `None` no route.
    pub fn may_lose_to_service_tag(&self, table: TableId, next_hop: Option<NextHopId>) -> bool {
        match next_hop {
            Some(id) => self.next_hops.all[id.index()].may_lose_to_service_tag,
            None => self.compiled(table).has_unresolved_service_tag,
        }
    }

    /// Returns false when no table has a service tag whose prefixes are not known.
    pub fn has_unresolved_service_tags(&self) -> bool {
        self.has_unresolved_service_tags
    }

    /// Returns the routes of a table to several addresses of firewalls or appliances, each with an
    /// address that it matches; routes that longer ones hide are left out.
    pub(super) fn sets_of_equal_cost(
        &self,
        table: TableId,
    ) -> impl Iterator<Item = (AddressPrefix, IpAddr)> + '_ {
        let is_set = move |prefix: &AddressPrefix| {
            // The hop of the prefix's first address is no set where a longer route begins there.
            [prefix.address(), prefix.last_address()].into_iter().find(|address| {
                self.matched(table, *address).is_some_and(|matched| matched.prefix == *prefix)
                    && self.lookup(table, *address).is_some_and(|id| {
                        let hop = self.next_hop(id);
                        hop.ips.len() > 1
                            && matches!(
                                hop.class,
                                NextHopClass::Firewall
                                    | NextHopClass::Appliance
                                    | NextHopClass::Mixed
                            )
                    })
            })
        };
        let routes = self.compiled(table).routes.iter();
        routes.filter_map(move |(prefix, _)| Some((*prefix, is_set(prefix)?)))
    }

    /// Returns how many next hops there are; identifiers are below it.
    pub fn next_hop_count(&self) -> usize {
        self.next_hops.all.len()
    }

    fn compiled(&self, table: TableId) -> &CompiledTable {
        &self.tables[table.index()].1
    }
}

impl TableId {
    pub(super) fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("the number of tables was checked"))
    }

    /// Returns the position in what was compiled.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl NextHopId {
    /// Returns the position among the next hops, from 0.
    pub fn index(self) -> usize {
        usize::from(self.0) - 1
    }

    /// Returns the next hop at a position, or `None` past the last identifier.
    pub fn at(index: usize) -> Option<Self> {
        u16::try_from(index + 1).ok().map(Self)
    }

    fn of_value(value: u16) -> Option<Self> {
        (value != 0).then_some(Self(value))
    }
}

/// Everything that tells one compiled table from another.
#[derive(PartialEq, Eq, Hash)]
struct TableContent {
    routes: Vec<(AddressPrefix, RouteSource, NextHopId)>,
    has_unresolved_service_tag: bool,
}

#[derive(Debug)]
struct CompiledTable {
    forest_number: u32,
    route_indices: RangeTable,
    routes: Vec<(AddressPrefix, RouteSource)>,
    has_unresolved_service_tag: bool,
}

/// Each different next hop once.
#[derive(Debug, Default)]
struct NextHops {
    all: Vec<InternedNextHop>,
    ids: AHashMap<InternedNextHop, NextHopId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct InternedNextHop {
    next_hop: NextHop,
    may_lose_to_service_tag: bool,
}

impl TableContent {
    fn of(
        table: &RouteTable,
        owners: &Owners,
        next_hops: &mut NextHops,
    ) -> Result<Self, CompileError> {
        // Routes that share a hop share its allocation, so that a table meets each hop once.
        let mut met: AHashMap<(usize, bool), NextHopId> = AHashMap::new();
        let winners = table.winners(owners);
        let routes = winners
            .iter()
            .map(|winner| {
                let hop = (Arc::as_ptr(&winner.next_hop).addr(), winner.may_lose_to_service_tag);
                let id = match met.get(&hop) {
                    Some(id) => *id,
                    None => {
                        let id = next_hops.intern(InternedNextHop {
                            next_hop: NextHop::clone(&winner.next_hop),
                            may_lose_to_service_tag: winner.may_lose_to_service_tag,
                        })?;
                        met.insert(hop, id);
                        id
                    }
                };
                Ok((winner.prefix, winner.source.clone(), id))
            })
            .collect::<Result<_, CompileError>>()?;
        Ok(Self { routes, has_unresolved_service_tag: table.has_unresolved_service_tag() })
    }
}

impl CompiledTable {
    fn compile(
        content: &TableContent,
        forest: &mut LpmForestBuilder,
    ) -> Result<Self, lpm::CompileError> {
        let values: Vec<(AddressPrefix, u16)> =
            content.routes.iter().map(|(prefix, _, id)| (*prefix, id.0)).collect();
        let indices: Vec<(AddressPrefix, u32)> =
            (0u32..).zip(&content.routes).map(|(index, (prefix, _, _))| (*prefix, index)).collect();
        Ok(Self {
            forest_number: forest.push(&values)?,
            route_indices: RangeTable::compile(&indices),
            routes: content
                .routes
                .iter()
                .map(|(prefix, source, _)| (*prefix, source.clone()))
                .collect(),
            has_unresolved_service_tag: content.has_unresolved_service_tag,
        })
    }
}

impl NextHops {
    const MAX: usize = u16::MAX as usize;

    fn intern(&mut self, next_hop: InternedNextHop) -> Result<NextHopId, CompileError> {
        if let Some(&id) = self.ids.get(&next_hop) {
            return Ok(id);
        }
        let id = NextHopId::at(self.all.len())
            .ok_or(CompileError::TooManyNextHops { max: Self::MAX })?;
        self.all.push(next_hop.clone());
        self.ids.insert(next_hop, id);
        Ok(id)
    }
}

fn private_only(tables: &[RouteTable]) -> AHashMap<TableId, RangeTable> {
    let services = |table: &RouteTable| {
        RangeTable::compile(&table.service_prefixes().map(|prefix| (prefix, 0)).collect::<Vec<_>>())
    };
    tables
        .iter()
        .enumerate()
        .filter(|(_, table)| table.is_private_only)
        .map(|(index, table)| (TableId::at(index), services(table)))
        .collect()
}

fn compiled_ids(
    tables: &[(RouteTableInfo, Arc<CompiledTable>)],
) -> Result<Vec<String>, CompileError> {
    // The highest bit of a source's value marks private endpoints.
    let max = (1 << 31) - 1;
    if tables.len() > max {
        return Err(CompileError::TooManyTables { max });
    }
    Ok(tables.iter().map(|(info, _)| info.id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::testing::rows;

    fn fib(texts: &[&str]) -> Fib {
        let tables: Vec<RouteTable> = texts.iter().map(|text| rows(text)).collect();
        Fib::compile(&tables, &vec![Vec::new(); texts.len()], &Owners::default()).unwrap()
    }

    #[test]
    fn the_match_and_the_next_hop_are_of_one_route() {
        let fib = fib(&["Default Active 0.0.0.0/0 Internet
                         User Active 10.0.0.0/8 VirtualAppliance 10.0.0.4
                         Default Active 10.1.0.0/16 VnetLocal"]);
        let table = fib.table_id(0).unwrap();
        for (address, prefix, word) in [
            ("9.255.255.255", "0.0.0.0/0", "Internet"),
            ("10.0.255.255", "10.0.0.0/8", "VirtualAppliance"),
            ("10.1.0.0", "10.1.0.0/16", "VnetLocal"),
        ] {
            let address = address.parse().unwrap();
            let hop = fib.lookup(table, address).unwrap();
            assert_eq!(fib.next_hop(hop).next_hop_type.as_str(), word);
            assert_eq!(fib.matched(table, address).unwrap().prefix.to_string(), prefix);
        }
        assert!(fib.lookup(table, "::1".parse().unwrap()).is_none());
        assert!(fib.matched(table, "::1".parse().unwrap()).is_none());
    }

    #[test]
    fn equal_tables_are_stored_once_whatever_the_order_of_their_rows() {
        let fib = fib(&[
            "Default Active 10.0.0.0/8 VnetLocal\nDefault Active 0.0.0.0/0 Internet",
            "Default Active 0.0.0.0/0 Internet\nDefault Active 10.0.0.0/8 VnetLocal",
            "Default Active 0.0.0.0/0 Internet\nDefault Active 10.0.0.0/9 VnetLocal",
        ]);
        assert_eq!((fib.table_count(), fib.distinct_table_count()), (3, 2));
        assert_eq!(fib.next_hop_count(), 2);
    }

    #[test]
    fn one_next_hop_too_many_is_an_error_and_the_last_is_not() {
        let table = |count: u32| {
            let lines: Vec<String> = (0..count)
                .map(|index| {
                    let address = std::net::Ipv4Addr::from_bits(0x0A00_0000 + index);
                    format!("User Active {address}/32 VirtualAppliance {address}")
                })
                .collect();
            rows(&lines.join("\n"))
        };
        let compile = |count| Fib::compile(&[table(count)], &[Vec::new()], &Owners::default());
        let full = compile(65_535).unwrap();
        let last = "10.0.255.254".parse().unwrap();
        let hop = full.lookup(full.table_id(0).unwrap(), last).unwrap();
        assert_eq!(full.next_hop(hop).ips[0], last);
        assert_eq!(compile(65_536).unwrap_err(), CompileError::TooManyNextHops { max: 65_535 });
    }
}

//! The route tables of a snapshot, each with the sources that use it.

use std::net::IpAddr;

use super::snapshot_sources::{self, Assignment};
use super::{BeyondGateway, CompileError, Fib, Place, Source, SourceMarks, TableId};
use crate::azure::{Snapshot, TableSource};
use crate::routing::{self, BackendPoolMembers, Computed, Finding, Owners, RouteTable, compute};

/// A snapshot as route tables, after selection and before compilation.
#[derive(Clone, Debug, Default)]
pub struct SnapshotTables {
    /// The tables: the exported ones in the order of their files, then the computed ones of subnets,
    /// then those of virtual hubs.
    pub tables: Vec<RouteTable>,
    /// The sources that use each table, in the same order.
    pub sources: Vec<Vec<Source>>,
    /// What else the resources tell of sources.
    pub marks: SourceMarks,
    /// Where packets go on that each table hands to a gateway, in the same order.
    pub beyond_gateways: Vec<Option<BeyondGateway>>,
    /// The exported tables whose subnet has a computed one.
    pub compared: Vec<ComparedTables>,
    /// Who owns the addresses of next hops.
    pub owners: Owners,
    /// The backend pools of application gateways.
    pub pools: Vec<BackendPoolMembers>,
    /// The faults of the snapshot.
    pub findings: Vec<Finding>,
    /// The one table that every source uses, where the snapshot is a single file.
    pub forced: Option<usize>,
}

/// An exported table and the computed one of its subnet, by their places in [`SnapshotTables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComparedTables {
    /// What Azure exported.
    pub exported: usize,
    /// What was computed.
    pub computed: usize,
    /// Rows were left out of the export.
    pub is_elided: bool,
}

/// Why a name is no source or table of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No table has that name or covers that address.
    #[error("no route table is named `{name}` or covers it; there are: {}", known.join(", "))]
    NotFound {
        /// What was asked for.
        name: String,
        /// The tables that there are.
        known: Vec<String>,
    },
    /// Several tables have that name, or several networks that address.
    #[error(
        "`{name}` is ambiguous: {}",
        if candidates.is_empty() {
            "several networks that are not peered hold it".to_owned()
        } else {
            candidates.join(", ")
        }
    )]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The tables that it may mean; none for an address.
        candidates: Vec<String>,
    },
    /// Nothing was asked for, and there are several.
    #[error("the snapshot holds several route tables; name one of: {}", known.join(", "))]
    Several {
        /// The tables that there are.
        known: Vec<String>,
    },
}

impl SnapshotTables {
    /// Selects the routes of every exported table, and computes one for every subnet.
    ///
    /// A NIC or subnet with an exported table uses it; one without uses the computed one.
    ///
    /// Cost: linear in the rows of all tables that are not shared by a whole VNet.
    pub fn of(snapshot: &Snapshot) -> Self {
        let settings = &snapshot.settings;
        let priority = settings.service_endpoint_priority;
        let mut tables: Vec<RouteTable> = snapshot
            .tables
            .iter()
            .map(|table| RouteTable::from_export(table.name.as_str(), &table.routes, priority))
            .collect();
        let exported: Vec<Vec<Source>> = snapshot
            .tables
            .iter()
            .map(|table| {
                let named = Source::Nic(table.name.clone());
                let set = table.sources.iter().map(source_of);
                std::iter::once(named).chain(set).collect()
            })
            .collect();
        let computed = compute(&snapshot.resources, &snapshot.service_tags, settings);
        let assignment = snapshot_sources::assign(&exported, &computed, &snapshot.resources);
        let Computed { tables: subnets, hub_tables, owners, pools, findings, .. } = computed;
        let Assignment { sources, marks, mut compared } = assignment;
        let first = tables.len();
        let first_hub = first + subnets.len();
        let beyond = |beyond: routing::BeyondGateway| match beyond {
            routing::BeyondGateway::Subnet(index) => {
                Some(BeyondGateway { table: first + index, follows_gateway_routes: false })
            }
            routing::BeyondGateway::Hub(hub) => {
                hub_tables.iter().position(|table| table.is_gateways_of(hub)).map(|index| {
                    BeyondGateway { table: first_hub + index, follows_gateway_routes: true }
                })
            }
        };
        let mut beyond_gateways: Vec<Option<BeyondGateway>> = vec![None; first];
        beyond_gateways.extend(subnets.iter().map(|subnet| subnet.beyond_gateway.and_then(beyond)));
        for ComparedTables { exported, computed, is_elided } in &mut compared {
            *is_elided = snapshot.tables[*exported].is_elided;
            beyond_gateways[*exported] = beyond_gateways[*computed];
            let twin = &subnets[*computed - first].table;
            tables[*exported].scope = twin.scope;
            tables[*exported].is_private_only = twin.is_private_only;
        }
        tables.extend(subnets.into_iter().map(|subnet| subnet.table));
        tables.extend(hub_tables.into_iter().map(|hub| hub.table));
        beyond_gateways.resize(tables.len(), None);
        Self {
            forced: (snapshot.is_single_file && tables.len() == 1).then_some(0),
            tables,
            sources,
            marks,
            beyond_gateways,
            compared,
            owners,
            pools,
            findings,
        }
    }

    /// Compiles every table.
    ///
    /// # Errors
    ///
    /// [`CompileError`] where a limit is met or two tables claim the same source.
    pub fn compile(&self) -> Result<Fib, CompileError> {
        let mut fib = Fib::compile_marked(&self.tables, &self.sources, &self.owners, &self.marks)?;
        fib.set_beyond_gateways(&self.beyond_gateways);
        if let Some(table) = self.forced.and_then(|index| fib.table_id(index)) {
            fib.force_table(table);
        }
        Ok(fib)
    }

    /// Finds the table that a name stands for: a table, a NIC, a `VNET/SUBNET` or an address;
    /// `None` is the only table.
    ///
    /// # Errors
    ///
    /// [`FindError`] with the tables that there are.
    pub fn find(&self, fib: &Fib, name: Option<&str>) -> Result<TableId, FindError> {
        let Some(name) = name else {
            return match (fib.sources().forced(), fib.table_id(0), self.tables.len()) {
                (Some(table), _, _) | (None, Some(table), 1) => Ok(table),
                _ => Err(FindError::Several { known: self.some_names() }),
            };
        };
        let by_id = || {
            let index = self.tables.iter().position(|table| table.id.eq_ignore_ascii_case(name));
            index.and_then(|index| fib.table_id(index))
        };
        let sources = fib.sources();
        let by_address = || {
            let address: IpAddr = name.parse().ok()?;
            sources.forced().or_else(|| sources.by_address(address))
        };
        by_id()
            .or_else(|| sources.by_nic(name))
            .or_else(|| sources.by_subnet(name))
            .or_else(|| sources.by_resource_id(name))
            .or_else(by_address)
            .ok_or_else(|| self.not_found(fib, name))
    }

    fn not_found(&self, fib: &Fib, name: &str) -> FindError {
        let address = name.parse::<IpAddr>().ok();
        if address.is_some_and(|address| fib.sources().place(address) == Place::Ambiguous) {
            return FindError::Ambiguous { name: name.to_owned(), candidates: Vec::new() };
        }
        // A longer form of the same name tells several tables apart.
        let end = format!("/{}", name.to_lowercase());
        let candidates: Vec<String> = self
            .tables
            .iter()
            .filter(|table| table.id.to_lowercase().ends_with(&end))
            .map(|table| table.id.clone())
            .collect();
        match candidates.is_empty() {
            true => FindError::NotFound { name: name.to_owned(), known: self.some_names() },
            false => FindError::Ambiguous { name: name.to_owned(), candidates },
        }
    }

    /// The names of the tables, the first of many.
    fn some_names(&self) -> Vec<String> {
        const SHOWN_MAX: usize = 20;
        let mut names: Vec<String> =
            self.tables.iter().take(SHOWN_MAX).map(|table| table.id.clone()).collect();
        if self.tables.len() > SHOWN_MAX {
            names.push(format!("and {} more", self.tables.len() - SHOWN_MAX));
        }
        names
    }
}

fn source_of(source: &TableSource) -> Source {
    match source {
        TableSource::Prefix(prefix) => Source::Prefix(*prefix),
        TableSource::Mac(mac) => Source::Mac(*mac),
        TableSource::Nic(name) => Source::Nic(name.clone()),
        TableSource::Subnet(name) => Source::Subnet(name.clone()),
    }
}

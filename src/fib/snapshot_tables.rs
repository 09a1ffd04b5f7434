//! The route tables of a snapshot, each with the sources that use it.

use std::net::IpAddr;

use super::{CompileError, Fib, Source, TableId};
use crate::azure::{Snapshot, TableSource};
use crate::routing::{Owners, RouteTable};

/// A snapshot as route tables, after selection and before compilation.
#[derive(Clone, Debug, Default)]
pub struct SnapshotTables {
    /// The tables, in the order of their files.
    pub tables: Vec<RouteTable>,
    /// The sources that use each table, in the same order.
    pub sources: Vec<Vec<Source>>,
    /// Who owns the addresses of next hops.
    pub owners: Owners,
    /// The one table that every source uses, where the snapshot is a single file.
    pub forced: Option<usize>,
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
    /// Nothing was asked for, and there are several.
    #[error("the snapshot holds several route tables; name one of: {}", known.join(", "))]
    Several {
        /// The tables that there are.
        known: Vec<String>,
    },
}

impl SnapshotTables {
    /// Selects the routes of every exported table.
    pub fn of(snapshot: &Snapshot) -> Self {
        let priority = snapshot.settings.service_endpoint_priority;
        let tables: Vec<RouteTable> = snapshot
            .tables
            .iter()
            .map(|table| RouteTable::from_export(table.name.as_str(), &table.routes, priority))
            .collect();
        let sources = snapshot
            .tables
            .iter()
            .map(|table| {
                let named = Source::Nic(table.name.clone());
                let set = table.sources.iter().map(source_of);
                std::iter::once(named).chain(set).collect()
            })
            .collect();
        Self {
            forced: (snapshot.is_single_file && tables.len() == 1).then_some(0),
            tables,
            sources,
            owners: Owners::from_settings(&snapshot.settings),
        }
    }

    /// Compiles every table.
    ///
    /// # Errors
    ///
    /// [`CompileError`] where a limit is met or two tables claim the same source.
    pub fn compile(&self) -> Result<Fib, CompileError> {
        let mut fib = Fib::compile(&self.tables, &self.sources, &self.owners)?;
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
        let known = || self.tables.iter().map(|table| table.id.clone()).collect();
        let Some(name) = name else {
            return match (fib.sources().forced(), fib.table_id(0), self.tables.len()) {
                (Some(table), _, _) | (None, Some(table), 1) => Ok(table),
                _ => Err(FindError::Several { known: known() }),
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
            .or_else(by_address)
            .ok_or_else(|| FindError::NotFound { name: name.to_owned(), known: known() })
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

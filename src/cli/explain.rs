//! `nexthop explain`.

use std::net::IpAddr;

use anyhow::Context as _;

use super::args::{ExplainArgs, ExplainFormat};
use super::snapshot::{self, Loaded};
use super::{Console, ExitCode, ExplainDestination};
use crate::azure::resources::{NetworkInterface, ResourceId};
use crate::fib::{Path, Place, TableId};
use crate::net::special::is_internet;
use crate::report::{
    ExplainReport, PoolTarget, SourceAddress, SourceBasis, WayBack, write_explain_json,
    write_explain_text, write_unknown_member_json, write_unknown_member_text,
};
use crate::routing::NextHopClass;

/// Explains one packet to each destination.
///
/// # Errors
///
/// A bad snapshot, or a source that names no table.
pub fn run(args: &ExplainArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let loaded = snapshot::load(&args.routes, None)?;
    loaded.warnings.iter().for_each(|warning| console.warning(warning));
    loaded.notes.iter().for_each(|note| console.note(note));
    let mut out = Vec::new();
    for destination in &args.destinations {
        for answer in answers(&loaded, args.from.as_deref(), destination)? {
            match (answer, args.format) {
                (Answer::Report(report), ExplainFormat::Json) => {
                    write_explain_json(&mut out, &loaded.fib, &report)?;
                }
                (Answer::Report(report), ExplainFormat::Text) => {
                    write_explain_text(&mut out, &loaded.fib, &report, console.is_coloured)?;
                }
                (Answer::NoAddress(target), ExplainFormat::Json) => {
                    write_unknown_member_json(&mut out, target)?;
                }
                (Answer::NoAddress(target), ExplainFormat::Text) => {
                    write_unknown_member_text(&mut out, target)?;
                }
            }
        }
    }
    console.print(&out)?;
    Ok(ExitCode::Success)
}

enum Answer<'l> {
    Report(Box<ExplainReport<'l>>),
    /// A member of a pool whose address nothing tells.
    NoAddress(PoolTarget<'l>),
}

fn answers<'l>(
    loaded: &'l Loaded,
    from: Option<&str>,
    destination: &ExplainDestination,
) -> anyhow::Result<Vec<Answer<'l>>> {
    let name = match destination {
        ExplainDestination::Address(address) => {
            let table = loaded.tables.find(&loaded.fib, from)?;
            let report = report(loaded, from, table, *address);
            return Ok(vec![Answer::Report(Box::new(report))]);
        }
        ExplainDestination::Pool(name) => name,
    };
    let answer = |(table, target): (TableId, PoolTarget<'l>)| match target.member.address {
        Some(address) => {
            let report = report(loaded, from, table, address);
            Answer::Report(Box::new(ExplainReport { target: Some(target), ..report }))
        }
        None => Answer::NoAddress(target),
    };
    Ok(pool_members(loaded, from, name)?.into_iter().map(answer).collect())
}

/// The members of the pools of a name, each with the table that its requests are looked up in.
fn pool_members<'l>(
    loaded: &'l Loaded,
    from: Option<&str>,
    name: &str,
) -> anyhow::Result<Vec<(TableId, PoolTarget<'l>)>> {
    let (tables, fib) = (&loaded.tables, &loaded.fib);
    let pools = tables.pools_named(name);
    if pools.is_empty() {
        let known: Vec<&str> = tables.pools.iter().map(|pool| pool.name.as_str()).collect();
        anyhow::bail!("no backend pool is named `{name}`; there are: {}", known.join(", "));
    }
    let mut members = Vec::new();
    for pool in pools {
        let table = match from {
            Some(_) => tables.find(fib, from)?,
            None => tables.table_of_pool(fib, pool).with_context(|| {
                format!(
                    "the subnet of `{}` is not in the snapshot; name a source by --from",
                    pool.name
                )
            })?,
        };
        let targets = pool.members.iter().map(|member| PoolTarget { pool: &pool.name, member });
        members.extend(targets.map(|target| (table, target)));
    }
    Ok(members)
}

fn report<'l>(
    loaded: &'l Loaded,
    from: Option<&str>,
    table: TableId,
    destination: IpAddr,
) -> ExplainReport<'l> {
    let route_table = &loaded.tables.tables[table.index()];
    let explanation = route_table.explain(&loaded.tables.owners, destination);
    let source_address = source_address(loaded, from, table, destination.is_ipv4());
    ExplainReport {
        source: from.unwrap_or(&route_table.id).to_owned(),
        source_address,
        target: None,
        route_table_id: &route_table.id,
        path: loaded.fib.path(table, destination),
        other_paths: other_paths(loaded, table, destination),
        way_back: way_back(loaded, source_address, destination, explanation.class),
        explanation,
    }
}

/// The paths of a packet besides the one that is shown: hops of equal cost may part.
fn other_paths(loaded: &Loaded, table: TableId, destination: IpAddr) -> Vec<Path> {
    let shown = loaded.fib.path(table, destination);
    let mut paths = loaded.fib.paths(table, destination);
    paths.retain(|path| *path != shown);
    paths
}

/// The address that answers go to: the one that was given, that of the NIC, or one of the table's
/// subnet.
fn source_address(
    loaded: &Loaded,
    from: Option<&str>,
    table: TableId,
    is_ipv4: bool,
) -> Option<SourceAddress> {
    let of = |basis| move |address| SourceAddress { address, basis };
    if let Some(address) = from.and_then(|name| name.parse().ok()) {
        return Some(SourceAddress { address, basis: SourceBasis::Given });
    }
    let is_named = |nic: &&NetworkInterface| {
        from.is_some_and(|name| {
            nic.header.name.eq_ignore_ascii_case(name) || nic.header.id == ResourceId::new(name)
        })
    };
    let nics = loaded.resources.network_interfaces.iter().filter(is_named);
    let of_nic = nics
        .flat_map(|nic| &nic.ip_configurations)
        .filter_map(|configuration| configuration.private_ip_address)
        .find(|address| address.is_ipv4() == is_ipv4);
    let of_subnet = || {
        let sources = &loaded.tables.sources[table.index()];
        sources.iter().find_map(|source| source.usable_address(is_ipv4))
    };
    of_nic.map(of(SourceBasis::Nic)).or_else(|| of_subnet().map(of(SourceBasis::Subnet)))
}

/// The way back needs an address to go back to, and a table that the destination uses.
fn way_back<'l>(
    loaded: &'l Loaded,
    source: Option<SourceAddress>,
    destination: IpAddr,
    class: NextHopClass,
) -> Result<WayBack<'l>, &'static str> {
    let Some(SourceAddress { address: source, .. }) = source else {
        return Err("source_address_not_given");
    };
    if loaded.fib.is_platform(destination) {
        return Err("platform_has_no_route_table");
    }
    let is_endpoint = loaded.fib.sources().is_private_endpoint(destination);
    if is_endpoint || class == NextHopClass::PrivateEndpoint {
        return Err("private_endpoint_has_no_route_table");
    }
    if loaded.fib.sources().forced().is_some() {
        return Err("no_route_table");
    }
    let table = match loaded.fib.sources().place(destination) {
        Place::Table(table) => table,
        Place::Ambiguous => return Err("ambiguous_source"),
        Place::Fastpath => return Err("fastpath"),
        Place::Nowhere if is_internet(destination) => return Err("internet_has_no_route_table"),
        Place::Nowhere => return Err("no_route_table"),
    };
    let route_table = &loaded.tables.tables[table.index()];
    Ok(WayBack {
        route_table_id: &route_table.id,
        explanation: route_table.explain(&loaded.tables.owners, source),
        path: loaded.fib.path(table, source),
        other_paths: other_paths(loaded, table, source),
    })
}

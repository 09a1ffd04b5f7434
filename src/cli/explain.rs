//! `nexthop explain`.

use std::net::IpAddr;

use super::args::{ExplainArgs, ExplainFormat};
use super::snapshot::{self, Loaded};
use super::{Console, ExitCode};
use crate::fib::{Place, TableId};
use crate::net::special::is_internet;
use crate::report::{ExplainReport, WayBack, write_explain_json, write_explain_text};
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
    let table = loaded.tables.find(&loaded.fib, args.from.as_deref())?;
    let mut out = Vec::new();
    for &destination in &args.destinations {
        let report = report(&loaded, args.from.as_deref(), table, destination);
        match args.format {
            ExplainFormat::Json => write_explain_json(&mut out, &loaded.fib, &report)?,
            ExplainFormat::Text => {
                write_explain_text(&mut out, &loaded.fib, &report, console.is_coloured)?;
            }
        }
    }
    console.print(&out)?;
    Ok(ExitCode::Success)
}

fn report<'l>(
    loaded: &'l Loaded,
    from: Option<&str>,
    table: TableId,
    destination: IpAddr,
) -> ExplainReport<'l> {
    let route_table = &loaded.tables.tables[table.index()];
    let explanation = route_table.explain(&loaded.tables.owners, destination);
    ExplainReport {
        source: from.unwrap_or(&route_table.id).to_owned(),
        route_table_id: &route_table.id,
        path: loaded.fib.path(table, destination),
        way_back: way_back(loaded, from, destination, explanation.class),
        explanation,
    }
}

/// The way back needs an address to go back to, and a table that the destination uses.
fn way_back<'l>(
    loaded: &'l Loaded,
    from: Option<&str>,
    destination: IpAddr,
    class: NextHopClass,
) -> Result<WayBack<'l>, &'static str> {
    let Some(source) = from.and_then(|name| name.parse::<IpAddr>().ok()) else {
        return Err("source_address_not_given");
    };
    if loaded.fib.is_platform(destination) {
        return Err("platform_has_no_route_table");
    }
    if class == NextHopClass::PrivateEndpoint {
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
    })
}

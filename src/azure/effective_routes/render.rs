//! Rows → the formats that Azure's tools write, so that what reads theirs reads ours.
//!
//! Every renderer is the inverse of [`parse`](super::parse) as far as its format goes:
//!
//! | | name | flags of BGP | several rows |
//! |---|---|---|---|
//! | [`az_cli_json`] | yes | both | `{"nextLink", "value": […]}` |
//! | [`rest_json`] | yes | propagation | `{"value": […]}` |
//! | [`power_shell_json`] | yes | propagation | a list; one row stands alone |
//! | [`az_table`] | no | no | lines |
//! | [`csv()`] | yes | no | lines |

use std::fmt::Write;

use serde::Serialize;

use super::field::Field;
use crate::azure::EffectiveRoute;

/// One row with the keys of the Azure CLI, in its order; serialises as az prints it.
///
/// Public so that a row can be printed with other keys beside it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AzCliRow<'a> {
    address_prefix: Vec<String>,
    destination_service_tags: [&'a str; 0],
    disable_bgp_route_propagation: bool,
    has_bgp_override: bool,
    name: Option<&'a str>,
    next_hop_ip_address: Vec<String>,
    next_hop_type: &'a str,
    source: &'a str,
    state: &'a str,
    tag_map: TagMap,
}

/// `{}`: az prints the key, and no export that fills it is known.
#[derive(Clone, Debug, Serialize)]
struct TagMap {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_bgp_route_propagation: Option<bool>,
    source: &'a str,
    state: &'a str,
    address_prefix: Vec<String>,
    next_hop_type: &'a str,
    next_hop_ip_address: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PowerShellRow<'a> {
    name: Option<&'a str>,
    disable_bgp_route_propagation: Option<bool>,
    state: &'a str,
    source: &'a str,
    address_prefix: Vec<String>,
    next_hop_type: &'a str,
    next_hop_ip_address: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AzCliEnvelope<'a> {
    next_link: Option<&'a str>,
    value: Vec<AzCliRow<'a>>,
}

#[derive(Serialize)]
struct RestEnvelope<'a> {
    value: Vec<RestRow<'a>>,
}

impl<'a> From<&'a EffectiveRoute> for AzCliRow<'a> {
    fn from(route: &'a EffectiveRoute) -> Self {
        Self {
            address_prefix: prefixes(route),
            destination_service_tags: [],
            disable_bgp_route_propagation: route.disable_bgp_route_propagation.unwrap_or(false),
            has_bgp_override: route.has_bgp_override.unwrap_or(false),
            name: route.name.as_deref(),
            next_hop_ip_address: ips(route),
            next_hop_type: route.next_hop_type.as_str(),
            source: route.source.as_str(),
            state: route.state.as_str(),
            tag_map: TagMap {},
        }
    }
}

/// Returns the rows as `az network nic show-effective-route-table -o json` prints them. Flags that
/// the rows do not tell are `false`, as az writes them.
///
/// # Examples
///
/// ```
/// use nexthop::azure::effective_routes::{self, render};
///
/// let text = b"Source,State,Address Prefixes,Next Hop Type\nUser,Active,10.0.0.0/8,None\n";
/// let rows = effective_routes::parse(text)?.routes;
/// let json = render::az_cli_json(&rows);
/// let again = effective_routes::parse(json.as_bytes())?.routes;
/// assert_eq!(again[0].destinations, rows[0].destinations);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn az_cli_json(routes: &[EffectiveRoute]) -> String {
    json(&AzCliEnvelope { next_link: None, value: routes.iter().map(AzCliRow::from).collect() })
}

/// Returns the rows as the body of the REST API's `effectiveRouteTable`.
pub fn rest_json(routes: &[EffectiveRoute]) -> String {
    json(&RestEnvelope { value: routes.iter().map(RestRow::from).collect() })
}

/// Returns the rows as `Get-AzEffectiveRouteTable … | ConvertTo-Json` prints them: a list, or the
/// row alone if there is one.
pub fn power_shell_json(routes: &[EffectiveRoute]) -> String {
    match routes {
        [one] => json(&PowerShellRow::from(one)),
        _ => json(&routes.iter().map(PowerShellRow::from).collect::<Vec<_>>()),
    }
}

/// Returns the rows as `az network nic show-effective-route-table -o table` prints them: columns
/// two blanks apart and two wider than their names at least, lists joined by one blank, nothing
/// trailing. No rows give no text, as az does.
///
/// Source: Azure CLI, `transform_effective_route_table`; python-tabulate, format `simple` with
/// `MIN_PADDING` 2 (read 2026-11-20).
///
/// # Examples
///
/// ```
/// use nexthop::azure::effective_routes::{self, render};
///
/// let text = b"Source,State,Address Prefixes,Next Hop Type\nUser,Active,10.0.0.0/8,None\n";
/// let rows = effective_routes::parse(text)?.routes;
/// assert_eq!(
///     render::az_table(&rows),
///     "\
/// Source    State    Address Prefix    Next Hop Type    Next Hop IP
/// --------  -------  ----------------  ---------------  -------------
/// User      Active   10.0.0.0/8        None
/// "
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn az_table(routes: &[EffectiveRoute]) -> String {
    if routes.is_empty() {
        return String::new();
    }
    let titles = Field::AZ_TABLE.map(|field| field.title().to_owned());
    let rows: Vec<[String; 5]> = routes.iter().map(table_cells).collect();
    let mut widths = titles.each_ref().map(|title| title.len() + 2);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    let ruler = widths.map(|width| "-".repeat(width));
    for row in [&titles, &ruler].into_iter().chain(&rows) {
        push_line(&mut text, row, &widths);
    }
    text
}

/// Returns the rows as separated values with the portal's names of columns; lists are joined by
/// one blank.
pub fn csv(routes: &[EffectiveRoute]) -> String {
    let titles = [
        "Source",
        "State",
        "Address Prefixes",
        "Next Hop Type",
        "Next Hop IP Address",
        "User Defined Route Name",
    ];
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let mut write = |record: &[&str]| {
        writer
            .write_record(record)
            .expect("every record has six fields, and memory takes them all");
    };
    write(&titles);
    for route in routes {
        let [source, state, prefix, next_hop_type, next_hop_ip] = table_cells(route);
        let name = route.name.as_deref().unwrap_or_default();
        write(&[&source, &state, &prefix, &next_hop_type, &next_hop_ip, name]);
    }
    let bytes = writer.into_inner().expect("memory can be flushed");
    String::from_utf8(bytes).expect("texts and separators are UTF-8")
}

impl<'a> From<&'a EffectiveRoute> for RestRow<'a> {
    fn from(route: &'a EffectiveRoute) -> Self {
        Self {
            name: route.name.as_deref(),
            disable_bgp_route_propagation: route.disable_bgp_route_propagation,
            source: route.source.as_str(),
            state: route.state.as_str(),
            address_prefix: prefixes(route),
            next_hop_type: route.next_hop_type.as_str(),
            next_hop_ip_address: ips(route),
        }
    }
}

impl<'a> From<&'a EffectiveRoute> for PowerShellRow<'a> {
    fn from(route: &'a EffectiveRoute) -> Self {
        Self {
            name: route.name.as_deref(),
            disable_bgp_route_propagation: route.disable_bgp_route_propagation,
            state: route.state.as_str(),
            source: route.source.as_str(),
            address_prefix: prefixes(route),
            next_hop_type: route.next_hop_type.as_str(),
            next_hop_ip_address: ips(route),
        }
    }
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("texts, flags and lists serialise");
    text.push('\n');
    text
}

fn table_cells(route: &EffectiveRoute) -> [String; 5] {
    [
        route.source.as_str().to_owned(),
        route.state.as_str().to_owned(),
        prefixes(route).join(" "),
        route.next_hop_type.as_str().to_owned(),
        ips(route).join(" "),
    ]
}

fn push_line(text: &mut String, cells: &[String; 5], widths: &[usize; 5]) {
    let start = text.len();
    for (cell, width) in cells.iter().zip(widths) {
        write!(text, "{cell:width$}  ").expect("a string takes every write");
    }
    let end = start + text[start..].trim_end().len();
    text.truncate(end);
    text.push('\n');
}

fn prefixes(route: &EffectiveRoute) -> Vec<String> {
    route.destinations.iter().map(ToString::to_string).collect()
}

fn ips(route: &EffectiveRoute) -> Vec<String> {
    route.next_hop_ips.iter().map(ToString::to_string).collect()
}

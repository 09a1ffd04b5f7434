//! Service tags of a snapshot: where their prefixes come from, and which route keeps a prefix that
//! several of them hold.

use std::collections::{BTreeSet, HashMap};

use super::{ExportedTable, SnapshotWarning};
use crate::azure::json::{JsonPath, JsonValue};
use crate::azure::service_tags::rank;
use crate::azure::settings::Settings;
use crate::azure::{EffectiveRoute, RouteDestination, RouteSource, RouteState, ServiceTags};
use crate::net::AddressPrefix;

/// What is wrong with a service tag file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{json_path}: {message}")]
pub struct ServiceTagFileError {
    /// Where: `$.values[3].properties.addressPrefixes[0]`.
    pub json_path: String,
    /// What.
    pub message: String,
}

/// A table whose rows may name service tags still.
pub(super) struct UnresolvedTable {
    pub(super) table: ExportedTable,
    /// What the export itself tells of their prefixes.
    pub(super) own_tags: ServiceTags,
}

/// Microsoft's `ServiceTags_Public_*.json`, or what `az network list-service-tags` prints.
pub(super) struct TagFile {
    pub(super) file: String,
    /// Grows from one edition to the next.
    pub(super) change_number: u64,
    pub(super) tags: ServiceTags,
}

impl TagFile {
    /// Reads a service tag file; none where the JSON is something else.
    ///
    /// Source: Microsoft, "Service tags", §Discover service tags by using downloadable JSON files
    /// (read 2026-11-20).
    pub(super) fn parse(
        file: &str,
        json: &JsonValue<'_>,
    ) -> Option<Result<Self, ServiceTagFileError>> {
        let (key, values) =
            json.pairs().iter().find(|(key, _)| key.eq_ignore_ascii_case("values"))?;
        let values = values.as_array()?;
        let first = values.first()?;
        first.get("name").and_then(JsonValue::as_text)?;
        prefixes_of(first).1?;
        let mut tags = ServiceTags::default();
        let root = JsonPath::Root;
        let list = JsonPath::Key(&root, key);
        for (index, value) in values.iter().enumerate() {
            if let Err(error) = add_tag(&mut tags, value, &JsonPath::Index(&list, index)) {
                return Some(Err(error));
            }
        }
        let change_number = match json.get("changeNumber") {
            Some(JsonValue::Number(number)) => number.as_u64().unwrap_or(0),
            Some(JsonValue::Text(number)) => number.parse().unwrap_or(0),
            _ => 0,
        };
        Some(Ok(Self { file: file.to_owned(), change_number, tags }))
    }
}

fn add_tag(
    tags: &mut ServiceTags,
    value: &JsonValue<'_>,
    path: &JsonPath<'_>,
) -> Result<(), ServiceTagFileError> {
    let error = |path: JsonPath<'_>, message: String| ServiceTagFileError {
        json_path: path.to_string(),
        message,
    };
    let name = value
        .get("name")
        .and_then(JsonValue::as_text)
        .ok_or_else(|| error(JsonPath::Key(path, "name"), "missing".to_owned()))?;
    let (is_flat, prefixes) = prefixes_of(value);
    let list = if is_flat {
        JsonPath::Key(path, "addressPrefixes")
    } else {
        JsonPath::Nested(path, "properties", "addressPrefixes")
    };
    let prefixes = prefixes.ok_or_else(|| error(list, "missing".to_owned()))?;
    let mut found = Vec::with_capacity(prefixes.len());
    for (index, prefix) in prefixes.iter().enumerate() {
        let at = JsonPath::Index(&list, index);
        let text = prefix.as_text().ok_or_else(|| error(at, "not a text".to_owned()))?;
        let prefix =
            text.parse::<AddressPrefix>().map_err(|problem| error(at, problem.to_string()))?;
        found.push(prefix);
    }
    tags.add(name, found);
    Ok(())
}

/// Returns the prefixes of a tag, and whether they stand in the tag itself.
fn prefixes_of<'v, 'j>(tag: &'v JsonValue<'j>) -> (bool, Option<&'v [JsonValue<'j>]>) {
    let list =
        |object: &'v JsonValue<'j>| object.get("addressPrefixes").and_then(JsonValue::as_array);
    match list(tag) {
        Some(prefixes) => (true, Some(prefixes)),
        None => (false, tag.get("properties").and_then(list)),
    }
}

/// Returns the tags of `nexthop.toml`.
pub(super) fn given_tags(settings: &Settings) -> ServiceTags {
    let mut tags = ServiceTags::default();
    for (name, prefixes) in &settings.service_tags {
        tags.add(name, prefixes.iter().copied());
    }
    tags
}

/// Replaces the tags of a table by their prefixes, from the first of `sources` that knows a tag.
///
/// At one exact prefix an explicit route goes before a tag's, and a regional tag's before that of
/// the whole service; among rows of one source and state the others lose the prefix.
pub(super) fn resolve(
    table: &mut ExportedTable,
    sources: [&ServiceTags; 3],
    warnings: &mut Vec<SnapshotWarning>,
) {
    let names = tag_names(&table.routes);
    if names.is_empty() {
        return;
    }
    let mut warn = |message| warnings.push(SnapshotWarning { file: table.file.clone(), message });
    let mut tags: HashMap<String, &BTreeSet<AddressPrefix>> = HashMap::new();
    for name in names {
        match sources.iter().find_map(|source| source.get(&name)) {
            Some(prefixes) => {
                tags.insert(name, prefixes);
            }
            None => warn(format!("the prefixes of service tag `{name}` are not known")),
        }
    }
    let best = best_ranks(&table.routes, &tags);
    table.routes = std::mem::take(&mut table.routes)
        .into_iter()
        .filter_map(|route| {
            let shown = route.destinations.first().map(ToString::to_string).unwrap_or_default();
            let expanded = expanded(route, &tags, &best);
            if expanded.is_none() {
                warn(format!("every prefix of service tag `{shown}` has a more specific route"));
            }
            expanded
        })
        .collect();
}

/// What two rows share that compete for a prefix.
type Contest = (RouteSource, RouteState, AddressPrefix);

/// The rank of an explicit prefix.
const EXPLICIT: u8 = 0;

fn tag_names(routes: &[EffectiveRoute]) -> BTreeSet<String> {
    routes
        .iter()
        .flat_map(|route| &route.destinations)
        .filter_map(|destination| match destination {
            RouteDestination::ServiceTag(tag) => Some(tag.clone()),
            RouteDestination::Prefix(_) => None,
        })
        .collect()
}

/// Finds the best rank at which each prefix stands in the table.
fn best_ranks(
    routes: &[EffectiveRoute],
    tags: &HashMap<String, &BTreeSet<AddressPrefix>>,
) -> HashMap<Contest, u8> {
    let mut best = HashMap::new();
    for route in routes {
        let mut enter = |prefix: AddressPrefix, rank: u8| {
            let contest = (route.source.clone(), route.state.clone(), prefix);
            let known = best.entry(contest).or_insert(rank);
            *known = rank.min(*known);
        };
        for destination in &route.destinations {
            match destination {
                RouteDestination::Prefix(prefix) => enter(*prefix, EXPLICIT),
                RouteDestination::ServiceTag(tag) => {
                    for prefix in tags.get(tag).copied().into_iter().flatten() {
                        enter(*prefix, rank(tag));
                    }
                }
            }
        }
    }
    best
}

/// Replaces the tags of a row; none where nothing is left of it.
fn expanded(
    mut route: EffectiveRoute,
    tags: &HashMap<String, &BTreeSet<AddressPrefix>>,
    best: &HashMap<Contest, u8>,
) -> Option<EffectiveRoute> {
    let mut destinations = Vec::with_capacity(route.destinations.len());
    for destination in std::mem::take(&mut route.destinations) {
        match &destination {
            RouteDestination::ServiceTag(tag) if tags.contains_key(tag) => {
                let keeps = |prefix: &&AddressPrefix| {
                    let contest = (route.source.clone(), route.state.clone(), **prefix);
                    best.get(&contest).is_some_and(|best| *best == rank(tag))
                };
                let kept = tags[tag].iter().filter(keeps).copied();
                destinations.extend(kept.map(RouteDestination::Prefix));
            }
            _ => destinations.push(destination),
        }
    }
    route.destinations = destinations;
    (!route.destinations.is_empty()).then_some(route)
}

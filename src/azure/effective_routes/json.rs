//! JSON exports: the Azure CLI's, the REST API's and PowerShell's.

use memchr::memmem;

use super::error::{RoutePlace, RouteValueError};
use super::field::Field;
use super::row::{self, Rows};
use super::{ExportFormat, ParsedExport, RouteFileError};
use crate::azure::json::{JsonPath, JsonValue};
use crate::azure::{EffectiveRoute, NextHopIps, RouteDestination};

/// Reads a JSON document.
pub(super) fn parse(document: &JsonValue<'_>) -> Result<ParsedExport, RouteFileError> {
    let not_recognised =
        |reason: &str| Err(RouteFileError::NotRecognised { reason: reason.to_owned() });
    with_rows(document, &mut |list, path| {
        match kind_of(list) {
            ListKind::EffectiveRoutes => {}
            ListKind::VirtualHub => return Err(RouteFileError::VirtualHub),
            ListKind::Empty => return not_recognised("an empty JSON list"),
            ListKind::Resources => {
                return not_recognised("a resource export, not an effective route table");
            }
            ListKind::Other => return not_recognised("JSON without rows of effective routes"),
        }
        if let Some(path) = document.repeated_key() {
            let place = RoutePlace::JsonPath(path);
            return Err(RouteFileError::Value { place, problem: RouteValueError::RepeatedKey });
        }
        let mut rows = Rows::default();
        let is_bare = matches!(path, JsonPath::Root);
        match list {
            JsonValue::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    add_row(&mut rows, value, &JsonPath::Index(path, index))?;
                }
            }
            single => add_row(&mut rows, single, path)?,
        }
        rows.finish(format_of(document, list, is_bare))
    })
}

/// Returns true for text that speaks of routes, whether or not it is JSON to its end.
pub(super) fn is_about_routes(text: &str) -> bool {
    let has = |word: &str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    (has("addressPrefix") && has("nextHopType")) || (has("AddressPrefix") && has("NextHopType"))
}

/// Finds the rows below whatever wraps them, and hands them on with their path.
///
/// `value` is ARM's envelope and what `ConvertTo-Json` of Windows PowerShell makes of an array;
/// `properties.output` is that of an asynchronous operation, `data` that of Resource Graph.
fn with_rows<'j, T>(
    document: &JsonValue<'j>,
    then: &mut dyn FnMut(&JsonValue<'j>, &JsonPath<'_>) -> T,
) -> T {
    fn descend<'j, T>(
        value: &JsonValue<'j>,
        path: &JsonPath<'_>,
        then: &mut dyn FnMut(&JsonValue<'j>, &JsonPath<'_>) -> T,
    ) -> T {
        if !(is_row_like(value) || is_resource(value)) {
            for wrapper in ["value", "data", "properties", "output"] {
                let pair = value.pairs().iter().find(|(key, inner)| {
                    key.eq_ignore_ascii_case(wrapper)
                        && matches!(inner, JsonValue::Array(_) | JsonValue::Object(_))
                });
                if let Some((key, inner)) = pair {
                    return descend(inner, &JsonPath::Key(path, key), then);
                }
            }
        }
        then(value, path)
    }
    descend(document, &JsonPath::Root, then)
}

enum ListKind {
    EffectiveRoutes,
    VirtualHub,
    Resources,
    Empty,
    Other,
}

/// Tells what the rows are by the keys of any of them: the first may be the broken one.
fn kind_of(list: &JsonValue<'_>) -> ListKind {
    let rows = match list {
        JsonValue::Array(values) if values.is_empty() => return ListKind::Empty,
        JsonValue::Array(values) => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    if rows.iter().any(is_hub_row) {
        ListKind::VirtualHub
    } else if rows.iter().any(is_resource) {
        ListKind::Resources
    } else if rows.iter().any(is_row_like) {
        ListKind::EffectiveRoutes
    } else {
        ListKind::Other
    }
}

fn is_hub_row(row: &JsonValue<'_>) -> bool {
    row.get("addressPrefixes").is_some()
        && (row.get("nextHops").is_some() || row.get("routeOrigin").is_some())
}

fn is_resource(row: &JsonValue<'_>) -> bool {
    let begins = |key, start: &str| {
        row.get(key)
            .and_then(JsonValue::as_text)
            .and_then(|text| text.get(..start.len()))
            .is_some_and(|text| text.eq_ignore_ascii_case(start))
    };
    begins("type", "microsoft.")
        || begins("id", "/subscriptions/")
        || row.get("provisioningState").is_some()
}

/// Returns true for an object with two of a route's four fields, one of them its prefix or type.
fn is_row_like(row: &JsonValue<'_>) -> bool {
    let fields = fields_of(row);
    let has = |field: Field| field.index().is_some_and(|index| fields.cells[index].is_some());
    let [source, state, prefix, next_hop_type, ..] =
        Field::AZ_TABLE.map(|field| u8::from(has(field)));
    prefix + next_hop_type > 0 && source + state + prefix + next_hop_type >= 2
}

fn format_of(document: &JsonValue<'_>, list: &JsonValue<'_>, is_bare: bool) -> ExportFormat {
    let first = match list {
        JsonValue::Array(rows) => rows.iter().find(|row| is_row_like(row)),
        single => Some(single),
    };
    let has = |wanted: &[&str]| {
        first.is_some_and(|row| {
            row.pairs().iter().any(|(key, _)| wanted.iter().any(|name| key == name))
        })
    };
    if has(&["AddressPrefix", "NextHopType"]) {
        ExportFormat::PowerShellJson
    } else if has(&["properties"]) {
        ExportFormat::RestJson
    } else if is_bare
        || document.pairs().iter().any(|(key, _)| key == "nextLink")
        || has(&["tagMap", "destinationServiceTags", "hasBgpOverride"])
    {
        ExportFormat::AzCliJson
    } else {
        ExportFormat::RestJson
    }
}

/// The fields of a row, each with its key.
#[derive(Default)]
struct RowFields<'r, 'j> {
    cells: [Option<FieldValue<'r, 'j>>; Field::CELL_COUNT],
    service_tags: Option<FieldValue<'r, 'j>>,
    tag_map: Option<FieldValue<'r, 'j>>,
}

#[derive(Clone, Copy)]
struct FieldValue<'r, 'j> {
    key: &'r str,
    value: &'r JsonValue<'j>,
    /// The key above it, where ARM nests a row's fields.
    parent: Option<&'r str>,
}

/// Takes a row's fields from below `properties` and from the row itself, in this order. `null`
/// counts as absent where a list does not stand in its place.
fn fields_of<'r, 'j>(row: &'r JsonValue<'j>) -> RowFields<'r, 'j> {
    let mut fields = RowFields::default();
    let nested = row.pairs().iter().find(|(key, value)| {
        key.eq_ignore_ascii_case("properties") && matches!(value, JsonValue::Object(_))
    });
    if let Some((key, properties)) = nested {
        fields.take(properties, Some(key));
    }
    fields.take(row, None);
    fields
}

impl<'r, 'j> RowFields<'r, 'j> {
    fn take(&mut self, object: &'r JsonValue<'j>, parent: Option<&'r str>) {
        for (key, value) in object.pairs() {
            let slot = match Field::named(key) {
                Some(Field::DestinationServiceTags) => &mut self.service_tags,
                Some(Field::TagMap) => &mut self.tag_map,
                Some(field) => match field.index() {
                    Some(index) => &mut self.cells[index],
                    None => continue,
                },
                None => continue,
            };
            if slot.is_none_or(|earlier| matches!(earlier.value, JsonValue::Null)) {
                *slot = Some(FieldValue { key, value, parent });
            }
        }
    }

    fn get(&self, field: Field) -> Option<FieldValue<'r, 'j>> {
        field.index().and_then(|index| self.cells[index])
    }
}

impl FieldValue<'_, '_> {
    fn with_path<T>(&self, row: &JsonPath<'_>, then: impl FnOnce(&JsonPath<'_>) -> T) -> T {
        match self.parent {
            None => then(&JsonPath::Key(row, self.key)),
            Some(parent) => then(&JsonPath::Key(&JsonPath::Key(row, parent), self.key)),
        }
    }

    fn error(&self, row: &JsonPath<'_>, problem: RouteValueError) -> RouteFileError {
        self.with_path(row, |path| error_at(path, problem))
    }
}

fn add_row(
    rows: &mut Rows,
    value: &JsonValue<'_>,
    path: &JsonPath<'_>,
) -> Result<(), RouteFileError> {
    if !matches!(value, JsonValue::Object(_)) {
        return match value.as_text() {
            Some(text) if row::is_ellipsis(text) => {
                rows.is_elided = true;
                Ok(())
            }
            _ => Err(error_at(path, RouteValueError::Shape { expected: "an object" })),
        };
    }
    let fields = fields_of(value);
    let missing = |key| error_at(&JsonPath::Key(path, key), RouteValueError::Missing);
    let destinations =
        destinations(rows, &fields, path)?.ok_or_else(|| missing("addressPrefix"))?;
    let next_hop_type = fields.get(Field::NextHopType).ok_or_else(|| missing("nextHopType"))?;
    let next_hop_type = read_text(next_hop_type, path, row::next_hop_type)?;
    let text_of = |field| fields.get(field).filter(|found| !matches!(found.value, JsonValue::Null));
    let route = EffectiveRoute {
        source: read_optional(text_of(Field::Source), path, row::source)?,
        state: read_optional(text_of(Field::State), path, |text| rows.state(text))?,
        destinations,
        next_hop_type,
        next_hop_ips: next_hop_ips(rows, fields.get(Field::NextHopIp), path)?,
        name: text_of(Field::Name).and_then(|found| name(found.value)),
        disable_bgp_route_propagation: flag(text_of(Field::DisableBgpRoutePropagation), path)?,
        has_bgp_override: flag(text_of(Field::HasBgpOverride), path)?,
    };
    rows.add(route);
    Ok(())
}

/// Reads the prefixes of a row; none where it has no key for them.
///
/// A row whose route names service tags may hold no prefix; then the tags are its destinations.
/// What `tagMap` tells of their prefixes is kept beside the rows.
fn destinations(
    rows: &mut Rows,
    fields: &RowFields<'_, '_>,
    path: &JsonPath<'_>,
) -> Result<Option<Vec<RouteDestination>>, RouteFileError> {
    if let Some(tag_map) = &fields.tag_map {
        take_tag_map(rows, tag_map, path)?;
    }
    let mut found = Vec::new();
    for list in [fields.get(Field::Prefix), fields.service_tags].into_iter().flatten() {
        if found.is_empty() {
            list.with_path(path, |path| {
                for_each_text(list.value, path, &mut |text| rows.add_destinations(text, &mut found))
            })?;
        }
    }
    let is_named = fields.get(Field::Prefix).is_some() || !found.is_empty();
    Ok(is_named.then_some(found))
}

fn take_tag_map(
    rows: &mut Rows,
    tag_map: &FieldValue<'_, '_>,
    path: &JsonPath<'_>,
) -> Result<(), RouteFileError> {
    for (tag, prefixes) in tag_map.value.pairs() {
        let mut found = Vec::new();
        tag_map.with_path(path, |path| {
            let path = JsonPath::Key(path, tag);
            for_each_text(prefixes, &path, &mut |text| rows.add_destinations(text, &mut found))
        })?;
        let prefixes = found.into_iter().filter_map(|destination| match destination {
            RouteDestination::Prefix(prefix) => Some(prefix),
            RouteDestination::ServiceTag(_) => None,
        });
        rows.service_tags.add(tag, prefixes);
    }
    Ok(())
}

fn next_hop_ips(
    rows: &mut Rows,
    found: Option<FieldValue<'_, '_>>,
    path: &JsonPath<'_>,
) -> Result<NextHopIps, RouteFileError> {
    let mut ips = NextHopIps::new();
    if let Some(found) = found {
        found.with_path(path, |path| {
            for_each_text(found.value, path, &mut |text| rows.add_next_hop_ips(text, &mut ips))
        })?;
    }
    Ok(ips)
}

/// Hands on each text of a list. A bare text stands for a list of one, `null` for an empty one, and
/// Windows PowerShell wraps a list as `{"value": […], "Count": n}`.
fn for_each_text(
    value: &JsonValue<'_>,
    path: &JsonPath<'_>,
    then: &mut dyn FnMut(&str) -> Result<(), RouteValueError>,
) -> Result<(), RouteFileError> {
    match value {
        JsonValue::Null => Ok(()),
        JsonValue::Text(text) => then(text).map_err(|problem| error_at(path, problem)),
        JsonValue::Array(values) => values.iter().enumerate().try_for_each(|(index, value)| {
            for_each_text(value, &JsonPath::Index(path, index), then)
        }),
        JsonValue::Object(pairs) => {
            match pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case("value")) {
                Some((key, inner)) => for_each_text(inner, &JsonPath::Key(path, key), then),
                // An empty list of PowerShell 5 can come out as an empty object.
                None if pairs.is_empty() => Ok(()),
                None => Err(error_at(path, RouteValueError::Shape { expected: "a list of texts" })),
            }
        }
        JsonValue::Bool(_) | JsonValue::Number(_) => {
            Err(error_at(path, RouteValueError::Shape { expected: "a list of texts" }))
        }
    }
}

fn read_text<T>(
    found: FieldValue<'_, '_>,
    path: &JsonPath<'_>,
    read: impl FnOnce(&str) -> Result<T, RouteValueError>,
) -> Result<T, RouteFileError> {
    let result = match found.value {
        JsonValue::Text(text) => read(text.trim()),
        JsonValue::Null => Err(RouteValueError::Missing),
        _ => Err(RouteValueError::Shape { expected: "a text" }),
    };
    result.map_err(|problem| found.error(path, problem))
}

/// Reads a text that may be absent as no text.
fn read_optional<T>(
    found: Option<FieldValue<'_, '_>>,
    path: &JsonPath<'_>,
    read: impl FnOnce(&str) -> Result<T, RouteValueError>,
) -> Result<T, RouteFileError> {
    match found {
        Some(found) => read_text(found, path, read),
        None => read("").map_err(|problem| error_at(path, problem)),
    }
}

/// Reads a route's name; `userDefinedRoute` of old versions holds its resource id instead.
fn name(value: &JsonValue<'_>) -> Option<String> {
    match value {
        JsonValue::Text(text) => row::name(text),
        _ => value.get("id")?.as_text()?.rsplit('/').next().and_then(row::name),
    }
}

fn flag(
    found: Option<FieldValue<'_, '_>>,
    path: &JsonPath<'_>,
) -> Result<Option<bool>, RouteFileError> {
    match found {
        None => Ok(None),
        Some(FieldValue { value: JsonValue::Bool(flag), .. }) => Ok(Some(*flag)),
        Some(found) => read_text(found, path, row::flag),
    }
}

fn error_at(path: &JsonPath<'_>, problem: RouteValueError) -> RouteFileError {
    RouteFileError::Value { place: RoutePlace::JsonPath(path.to_string()), problem }
}

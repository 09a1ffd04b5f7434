//! Texts of one row → a typed row. Every format ends here, so that each reads values alike.

use std::net::IpAddr;

use super::error::{RoutePlace, RouteValueError};
use super::field::Field;
use super::{ExportFormat, ParsedExport, RouteFileError};
use crate::azure::word::{folded, shortened};
use crate::azure::{
    EffectiveRoute, NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState, ServiceTags,
};
use crate::net::{AddressPrefix, PrefixError};

/// The cells of a row of text, by [`Field::index`]; blank where the table has no such column.
pub(super) type Cells<'a> = [&'a str; Field::CELL_COUNT];

/// A value of a row that does not belong where it stands.
pub(super) type CellError = (Field, RouteValueError);

/// The rows read so far, and what was noticed on the way.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) routes: Vec<EffectiveRoute>,
    pub(super) service_tags: ServiceTags,
    pub(super) warnings: Vec<String>,
    pub(super) is_elided: bool,
    without_prefix_count: u64,
    without_state_count: u64,
}

impl Rows {
    /// Adds the row that the cells hold.
    pub(super) fn add_cells(&mut self, cells: &Cells<'_>) -> Result<(), CellError> {
        let at = |field: Field| field.index().map_or("", |index| cells[index].trim());
        let mut destinations = Vec::new();
        let mut next_hop_ips = NextHopIps::new();
        self.add_destinations(at(Field::Prefix), &mut destinations)
            .map_err(|problem| (Field::Prefix, problem))?;
        let next_hop_type = next_hop_type(at(Field::NextHopType))
            .map_err(|problem| (Field::NextHopType, problem))?;
        self.add_next_hop_ips(at(Field::NextHopIp), &mut next_hop_ips)
            .map_err(|problem| (Field::NextHopIp, problem))?;
        let flag = |field| flag(at(field)).map_err(|problem| (field, problem));
        let disable_bgp_route_propagation = flag(Field::DisableBgpRoutePropagation)?;
        let has_bgp_override = flag(Field::HasBgpOverride)?;
        let route = EffectiveRoute {
            source: source(at(Field::Source)).map_err(|problem| (Field::Source, problem))?,
            state: self.state(at(Field::State)).map_err(|problem| (Field::State, problem))?,
            destinations,
            next_hop_type,
            next_hop_ips,
            name: name(at(Field::Name)),
            disable_bgp_route_propagation,
            has_bgp_override,
        };
        self.add(route);
        Ok(())
    }

    /// Adds a row, unless it matches nothing: Azure may print a row without a prefix.
    pub(super) fn add(&mut self, route: EffectiveRoute) {
        if route.destinations.is_empty() {
            self.without_prefix_count += 1;
        } else {
            self.routes.push(route);
        }
    }

    /// Reads the prefixes and service tags of a list.
    pub(super) fn add_destinations(
        &mut self,
        list: &str,
        destinations: &mut Vec<RouteDestination>,
    ) -> Result<(), RouteValueError> {
        for element in elements(list) {
            if let Some(text) = self.unless_elided(element) {
                destinations.push(destination(text)?);
            }
        }
        Ok(())
    }

    /// Reads the addresses of a list.
    pub(super) fn add_next_hop_ips(
        &mut self,
        list: &str,
        ips: &mut NextHopIps,
    ) -> Result<(), RouteValueError> {
        if is_blank(list) {
            return Ok(());
        }
        for element in elements(list) {
            if let Some(text) = self.unless_elided(element) {
                ips.push(
                    text.parse::<IpAddr>()
                        .map_err(|_| RouteValueError::Address { text: shortened(text) })?,
                );
            }
        }
        Ok(())
    }

    /// Reads Azure's `state`. A table whose rows name none was filtered to the active ones.
    pub(super) fn state(&mut self, text: &str) -> Result<RouteState, RouteValueError> {
        if text.is_empty() {
            self.without_state_count += 1;
            return Ok(RouteState::Active);
        }
        word(text).map(RouteState::from)
    }

    pub(super) fn finish(mut self, format: ExportFormat) -> Result<ParsedExport, RouteFileError> {
        if self.routes.iter().any(is_of_hub) {
            return Err(RouteFileError::VirtualHub);
        }
        if self.routes.is_empty() {
            self.warnings.push("there are no rows".to_owned());
        }
        if self.without_prefix_count > 0 {
            let count = self.without_prefix_count;
            self.warnings.push(format!("{count} rows without an address prefix are left out"));
        }
        if self.without_state_count > 0 {
            let count = self.without_state_count;
            self.warnings.push(format!("{count} rows name no state and are taken as Active"));
        }
        Ok(ParsedExport {
            format,
            routes: self.routes,
            is_elided: self.is_elided,
            service_tags: self.service_tags,
            warnings: self.warnings,
        })
    }

    fn unless_elided<'a>(&mut self, element: Element<'a>) -> Option<&'a str> {
        self.is_elided |= element.is_elided;
        (!element.text.is_empty()).then_some(element.text)
    }
}

/// Places a problem at a cell.
pub(super) fn at_cell(line: u64, (field, problem): CellError) -> RouteFileError {
    RouteFileError::Value { place: RoutePlace::Cell { line, column: field.title() }, problem }
}

/// Reads Azure's `source`; a table may be without.
pub(super) fn source(text: &str) -> Result<RouteSource, RouteValueError> {
    if text.is_empty() {
        return Ok(RouteSource::Other(String::new()));
    }
    word(text).map(RouteSource::from)
}

pub(super) fn next_hop_type(text: &str) -> Result<NextHopType, RouteValueError> {
    if text.is_empty() {
        return Err(RouteValueError::Missing);
    }
    word(text).map(NextHopType::from)
}

/// Reads a name; the portal writes `-` for none.
pub(super) fn name(text: &str) -> Option<String> {
    (!matches!(text, "" | "-")).then(|| text.to_owned())
}

pub(super) fn flag(text: &str) -> Result<Option<bool>, RouteValueError> {
    match text {
        "" | "-" => Ok(None),
        _ if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        _ if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(RouteValueError::Bool { text: shortened(text) }),
    }
}

/// Reads a prefix, or the name of a service tag: what begins with a letter and holds letters,
/// digits, `.`, `_` and `-` only.
pub(in crate::azure) fn destination(text: &str) -> Result<RouteDestination, RouteValueError> {
    match text.parse::<AddressPrefix>() {
        Ok(prefix) => Ok(RouteDestination::Prefix(prefix)),
        Err(_) if is_service_tag(text) => Ok(RouteDestination::ServiceTag(text.to_owned())),
        Err(PrefixError::Length { length_max, .. }) => {
            Err(PrefixError::Length { text: shortened(text), length_max }.into())
        }
        Err(_) => Err(PrefixError::NotAnAddress { text: shortened(text) }.into()),
    }
}

/// Returns true for a text of dots alone, with or without brackets: what stands for text left out.
pub(super) fn is_ellipsis(text: &str) -> bool {
    let inner = text.trim_matches(['[', ']', '(', ')', '{', '}', '<', '>', ',', ' ']);
    let dots = !inner.is_empty() && inner.chars().all(|letter| matches!(letter, '.' | '…' | ' '));
    let words = ["snip", "snipped", "truncated", "omitted", "output omitted", "removed"];
    dots && (inner.contains('…') || inner.contains(".."))
        || inner.len() < text.len() && words.iter().any(|word| inner.eq_ignore_ascii_case(word))
}

/// Returns true for a row that a virtual hub's export can have, and a NIC's cannot: no source, and
/// a type in the hub's own words.
///
/// Source: Microsoft, "Virtual Hubs - Get Effective Virtual Hub Routes" and published outputs (read
/// 2026-11-20).
fn is_of_hub(route: &EffectiveRoute) -> bool {
    const WORDS: [&str; 6] = [
        "remotehub",
        "azurefirewall",
        "expressroutegateway",
        "vpns2sgateway",
        "virtualnetworkconnection",
        "hubbgpconnection",
    ];
    route.source.as_str().is_empty()
        && matches!(&route.next_hop_type, NextHopType::Other(word) if WORDS.contains(&folded(word).as_str()))
}

/// Returns true for what stands in the place of an address where there is none.
pub(super) fn is_blank(text: &str) -> bool {
    let words = ["-", "none", "null", "n/a"];
    text.is_empty() || words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_service_tag(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !text.ends_with('.')
}

fn word(text: &str) -> Result<&str, RouteValueError> {
    if text.ends_with("...") || text.ends_with('…') {
        return Err(RouteValueError::Cut { text: shortened(text) });
    }
    if !text.starts_with(char::is_alphabetic) {
        return Err(RouteValueError::Word { text: shortened(text) });
    }
    Ok(text)
}

/// An element of a list, and whether the console left something out after it.
struct Element<'a> {
    text: &'a str,
    is_elided: bool,
}

/// Splits a list as some export writes it: `a b`, `a, b`, `a;b`, `{a, b}`, `["a", "b"]`.
///
/// PowerShell prints the first elements of a long list as `{a, b...}`, and cuts a cell that is
/// wider than its column as `{a, b...` or `{a, 10.0.0…`: there the last element is not whole, and
/// is dropped.
fn elements(list: &str) -> impl Iterator<Item = Element<'_>> {
    let is_closed = list.ends_with('}') || list.ends_with(']');
    list.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | ';')).filter_map(
        move |token| {
            let text = token.trim_matches(['{', '}', '[', ']', '(', ')', '"', '\'']);
            if matches!(text, "" | "-") {
                return None;
            }
            if is_ellipsis(text) {
                return Some(Element { text: "", is_elided: true });
            }
            match text.strip_suffix("...").or_else(|| text.strip_suffix('…')) {
                Some(whole) if is_closed => Some(Element { text: whole, is_elided: true }),
                Some(_) => Some(Element { text: "", is_elided: true }),
                None => Some(Element { text, is_elided: false }),
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations(list: &str) -> (Vec<String>, bool) {
        let mut rows = Rows::default();
        let mut found = Vec::new();
        rows.add_destinations(list, &mut found).unwrap();
        (found.iter().map(ToString::to_string).collect(), rows.is_elided)
    }

    #[test]
    fn every_way_to_write_a_list() {
        let two = vec!["10.0.0.0/16".to_owned(), "fd00::/8".to_owned()];
        for list in [
            "10.0.0.0/16 fd00::/8",
            "10.0.0.0/16, fd00::/8",
            "10.0.0.0/16;fd00::/8",
            "{10.0.0.0/16, fd00::/8}",
            "[\"10.0.0.0/16\",\n \"fd00::/8\"]",
            "  10.0.0.0/16   fd00::/8 ",
        ] {
            assert_eq!(destinations(list), (two.clone(), false), "{list}");
        }
        for list in ["", " ", "{}", "[]", "-", "\"\""] {
            assert_eq!(destinations(list), (vec![], false), "{list}");
        }
    }

    #[test]
    fn what_a_console_left_out_is_noted_and_a_cut_element_is_dropped() {
        let one = || vec!["10.0.0.0/16".to_owned()];
        for list in [
            "10.0.0.0/16 ...",
            "10.0.0.0/16 […]",
            "{10.0.0.0/16...}",
            "{10.0.0.0/16…}",
            "{10.0.0.0/16, ...}",
            "{10.0.0.0/16, 10.1.0.0/1...",
            "{10.0.0.0/16, 10.1…",
        ] {
            assert_eq!(destinations(list), (one(), true), "{list}");
        }
    }

    #[test]
    fn tags_are_told_from_broken_prefixes() {
        for tag in ["Storage", "Storage.EastUS", "AzureFrontDoor.Backend", "a_b-c9"] {
            assert_eq!(destination(tag), Ok(RouteDestination::ServiceTag(tag.to_owned())));
        }
        for text in
            ["10.0.0.0/33", "10.0.0/8", "9tag", "Stor/age", "fd00::/129", "tag:x", "fd00", "10"]
        {
            let is_tag = matches!(destination(text), Ok(RouteDestination::ServiceTag(_)));
            assert_eq!(is_tag, text == "fd00", "{text}");
        }
        let long = "9".repeat(1 << 20);
        assert!(destination(&long).unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn words_begin_with_a_letter_and_are_whole() {
        assert_eq!(next_hop_type("Azure Firewall").unwrap().as_str(), "Azure Firewall");
        assert!(matches!(next_hop_type("10.0.0.4"), Err(RouteValueError::Word { .. })));
        assert!(matches!(next_hop_type("VirtualNetworkGat..."), Err(RouteValueError::Cut { .. })));
        assert!(matches!(next_hop_type(""), Err(RouteValueError::Missing)));
    }

    #[test]
    fn marks_of_text_left_out() {
        for text in ["...", "[...]", "…", "[…]", "....", "<snip>", "[Output omitted]", "(...)"]
        {
            assert!(is_ellipsis(text), "{text}");
        }
        for text in ["", ".", "snip", "10.0.0.0/8", "[]", "a..."] {
            assert!(!is_ellipsis(text), "{text}");
        }
    }
}

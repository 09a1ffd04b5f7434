//! Exported effective routes.

use nexthop::azure::effective_routes::{self, ParsedExport, RouteFileError, render};
use nexthop::azure::{EffectiveRoute, NextHopType, RouteDestination, RouteSource, RouteState};

use super::options;

/// Any text as a file.
pub fn text(data: &[u8]) {
    check(data);
}

/// Any bytes as a file of JSON; or, so that the outside hides nothing, as one row or one value.
pub fn json(data: &[u8]) {
    let Some(([place], rest)) = options(data) else { return };
    check(&match place % 4 {
        0 => rest.to_vec(),
        1 => [b"{\"value\":[", rest, b"]}"].concat(),
        2 => [
            br#"{"value":[{"source":"User","state":"Active","nextHopType":"None","addressPrefix":"#,
            rest,
            b"}]}",
        ]
        .concat(),
        _ => [
            br#"[{"Source":"User","State":"Active","AddressPrefix":["10.0.0.0/8"],"NextHopType":"#,
            rest,
            b"}]",
        ]
        .concat(),
    });
}

/// What is read is read back from every format that can carry it, and what is refused is refused in
/// few words.
fn check(file: &[u8]) {
    match effective_routes::parse(file) {
        Ok(export) => check_round_trip(&export),
        Err(error) => {
            assert_eq!(error.to_string(), parse_error(file).to_string(), "refused differently");
            assert!(error.to_string().len() < 2000, "{error}");
        }
    }
}

fn parse_error(file: &[u8]) -> RouteFileError {
    effective_routes::parse(file).expect_err("was refused before")
}

fn check_round_trip(export: &ParsedExport) {
    let routes = &export.routes;
    if routes.is_empty() {
        return;
    }
    for text in
        [render::az_cli_json(routes), render::rest_json(routes), render::power_shell_json(routes)]
    {
        assert_same(routes, &text);
    }
    // Columns of text carry words, no text that looks like columns itself.
    if routes.iter().all(is_plain) {
        assert_same(routes, &render::az_table(routes));
        assert_same(routes, &render::csv(routes));
    }
}

fn assert_same(routes: &[EffectiveRoute], text: &str) {
    let again = effective_routes::parse(text.as_bytes());
    let again = again.unwrap_or_else(|error| panic!("{error}: {routes:?}\n{text}"));
    assert_eq!(again.routes.len(), routes.len(), "{text}");
    for (again, route) in again.routes.iter().zip(routes) {
        assert_eq!(again.source, route.source, "{text}");
        assert_eq!(again.state, route.state, "{text}");
        assert_eq!(again.destinations, route.destinations, "{text}");
        assert_eq!(again.next_hop_type, route.next_hop_type, "{text}");
        assert_eq!(again.next_hop_ips, route.next_hop_ips, "{text}");
    }
}

fn is_plain(route: &EffectiveRoute) -> bool {
    let are_prefixes =
        route.destinations.iter().all(|each| matches!(each, RouteDestination::Prefix(_)));
    are_prefixes
        && !route.destinations.is_empty()
        && !matches!(route.source, RouteSource::Other(_))
        && !matches!(route.state, RouteState::Other(_))
        && !matches!(route.next_hop_type, NextHopType::Other(_))
}

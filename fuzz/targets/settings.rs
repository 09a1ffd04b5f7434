//! `nexthop.toml`.

use nexthop::azure::Settings;

/// Any text as settings: read twice it says the same, a comment at its end says nothing, and what
/// is refused is refused with a place.
pub fn toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Settings::parse(text) {
        Ok(settings) => {
            assert_eq!(Settings::parse(text).as_ref().ok(), Some(&settings));
            let commented = format!("{text}\n# the end\n");
            assert_eq!(Settings::parse(&commented).ok(), Some(settings), "{commented}");
        }
        Err(error) => assert!(error.to_string().starts_with("line "), "{error}"),
    }
}

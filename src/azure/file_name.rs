//! Names that a file's name gives to what it holds: many exports do not say whose they are.

/// Returns the name of a file without its folder and extensions: `spokes/vm1.routes.txt` → `vm1`.
pub(super) fn stem(file: &str) -> &str {
    const MARKS: [&str; 6] = [
        ".routes",
        ".effective-routes",
        ".effective_routes",
        ".learned-routes",
        ".learned_routes",
        ".appsettings",
    ];
    let name = file_name(file);
    let stem = match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    };
    let marked = MARKS.iter().find_map(|mark| {
        let start = stem.len().checked_sub(mark.len())?;
        let (bare, end) = stem.split_at_checked(start)?;
        (end.eq_ignore_ascii_case(mark) && !bare.is_empty()).then_some(bare)
    });
    marked.unwrap_or(stem)
}

/// Returns the name of a file without its folder.
pub(super) fn file_name(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_name_the_owner() {
        for (file, want) in [
            ("vm1-nic.json", "vm1-nic"),
            ("spokes/vm1-nic.routes.txt", "vm1-nic"),
            ("vm1.Effective-Routes.csv", "vm1"),
            ("hub/gw.learned-routes.json", "gw"),
            ("shop.appsettings.json", "shop"),
            ("vm1", "vm1"),
            ("a.b.txt", "a.b"),
            (".routes.txt", ".routes"),
            ("routes.txt", "routes"),
            ("C:\\exports\\vm 1.json", "vm 1"),
            ("é.routes.txt", "é"),
        ] {
            assert_eq!(stem(file), want, "{file}");
        }
    }
}

//! How Azure's words and column names are compared.

/// Returns `text` in lower case, without spaces, hyphens and underscores.
pub(super) fn folded(text: &str) -> String {
    text.chars()
        .filter(|letter| !matches!(letter, ' ' | '-' | '_' | '\u{a0}'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// Returns `text` for an error message: whole, or its beginning if it is long.
pub(super) fn shortened(text: &str) -> String {
    const LENGTH_MAX: usize = 80;
    match text.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

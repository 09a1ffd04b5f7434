//! A line of text without what terminals, web pages and authors added to it.

use std::borrow::Cow;
use std::ops::Range;

/// Returns true for a line that the table's author added.
pub(super) fn is_comment(content: &str) -> bool {
    content.starts_with('#') || content.starts_with("//") || content.starts_with("```")
}

/// Returns true for a line that a shell printed before a command.
pub(super) fn is_prompt(content: &str) -> bool {
    let first = content.split_whitespace().next().unwrap_or_default();
    matches!(first, "❯" | "$" | ">" | "PS" | "➜" | "λ" | "%" | "az")
        || content.starts_with(['❯', '$', '>'])
        || (first.contains('@') && first.contains(':'))
}

/// Removes what terminals, pages and authors added to a line: colour codes, `<b>`, non-breaking
/// spaces and a comment at the end.
pub(super) fn cleaned(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    if line.contains('\u{1b}') {
        line = Cow::Owned(without_escapes(&line));
    }
    if line.contains('<') {
        line = Cow::Owned(without_emphasis(&line));
    }
    if line.contains('\u{a0}') {
        line = Cow::Owned(line.replace('\u{a0}', " "));
    }
    let marks = ["=>", "<=", "<-", " #", " //"];
    match marks.into_iter().filter_map(|mark| line.find(mark)).filter(|at| *at > 0).min() {
        Some(end) => match line {
            Cow::Borrowed(line) => Cow::Borrowed(&line[..end]),
            Cow::Owned(mut line) => {
                line.truncate(end);
                Cow::Owned(line)
            }
        },
        None => line,
    }
}

/// Removes terminal control sequences: `ESC [ … letter`.
///
/// Source: ECMA-48, §5.4.
fn without_escapes(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            kept.push(letter);
        } else if letters.next_if_eq(&'[').is_some() {
            while letters.next_if(|next| matches!(next, ' '..='?')).is_some() {}
            letters.next_if(|next| matches!(next, '@'..='~'));
        }
    }
    kept
}

/// Removes the HTML tags that pages use to point at a row.
fn without_emphasis(line: &str) -> String {
    const NAMES: [&str; 7] = ["b", "i", "u", "em", "strong", "mark", "code"];
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        let name_length = after.bytes().take(8).position(|byte| byte == b'>');
        let name = name_length.and_then(|length| after.get(..length)).unwrap_or_default();
        let bare = name.strip_prefix('/').unwrap_or(name);
        if NAMES.iter().any(|known| bare.eq_ignore_ascii_case(known)) {
            rest = &after[name.len() + 1..];
        } else {
            kept.push('<');
            rest = after;
        }
    }
    kept.push_str(rest);
    kept
}

/// Returns where the words of a line are.
pub(super) fn word_ranges(line: &str) -> impl Iterator<Item = Range<usize>> {
    line.split_whitespace().map(|word| {
        let start = word.as_ptr().addr() - line.as_ptr().addr();
        start..start + word.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_end_a_line_and_begin_none() {
        for (line, want) in [
            ("10.0.0.0/8 None => dropped", "10.0.0.0/8 None "),
            ("10.0.0.0/8 None // dropped # here", "10.0.0.0/8 None"),
            ("=> 10.0.0.0/8", "=> 10.0.0.0/8"),
            (" # 10.0.0.0/8", " # 10.0.0.0/8"),
            ("<b>10.0.0.0/8</b> <- here", "10.0.0.0/8 "),
        ] {
            assert_eq!(cleaned(line), want);
        }
    }
}

//! Texts from outside, made harmless for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns `text` with every character that could steer a terminal or reorder what is read shown as
/// `\u{…}`: C0 and C1 controls, DEL, the bidirectional marks, overrides and isolates, and the line
/// and paragraph separators.
///
/// Borrows where nothing has to be changed, which is nearly always.
///
/// Source: CWE-150; Unicode Standard Annex #9 (bidirectional controls).
///
/// # Examples
///
/// ```
/// use nexthop::report::display::neutral;
///
/// assert_eq!(neutral("vnet-hub/ü"), "vnet-hub/ü");
/// assert_eq!(neutral("a\u{1b}]0;b\n"), r"a\u{1b}]0;b\u{a}");
/// ```
pub fn neutral(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_steering) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_steering(character) {
            write!(shown, "\\u{{{:x}}}", u32::from(character)).expect("a string takes any text");
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Returns a number with a comma before every third digit from the right.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns a number of bytes in the largest binary unit that leaves at least 1, with one decimal.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // Tenths of the unit, rounded half up; 1,023.95 of a unit are 1.0 of the next.
    let mut unit = 0;
    let tenths = loop {
        let unit_bytes = 1u128 << (10 * (unit + 1));
        let tenths = (u128::from(count) * 10 + unit_bytes / 2) / unit_bytes;
        if tenths < 10_240 || unit + 1 == UNITS.len() {
            break tenths;
        }
        unit += 1;
    };
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Returns `part` of `whole` in percent with one decimal; a part that is neither nothing nor all
/// never reads 0.0 or 100.0. Without a whole there is no percentage.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    match tenths {
        0 if part > 0 => "<0.1 %".to_owned(),
        1000 if part < whole => ">99.9 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

pub(super) fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61C}'
                | '\u{200E}'
                | '\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_steering_character_is_shown_and_its_neighbours_are_kept() {
        let steering = |code: u32| {
            matches!(code, 0..=0x1F | 0x7F..=0x9F | 0x61C | 0x200E | 0x200F | 0x2028..=0x202E
                | 0x2066..=0x2069)
        };
        for character in (0..0x3000).filter_map(char::from_u32) {
            let text = format!("a{character}b");
            let want = if steering(u32::from(character)) {
                format!("a\\u{{{:x}}}b", u32::from(character))
            } else {
                text.clone()
            };
            assert_eq!(neutral(&text), want);
        }
    }

    #[test]
    fn what_is_harmless_is_borrowed() {
        assert!(matches!(neutral("logs/größe 1.json"), Cow::Borrowed(_)));
        assert_eq!(neutral("\u{1b}[31mred\r\n"), r"\u{1b}[31mred\u{d}\u{a}");
        assert_eq!(neutral("\u{9b}31m"), r"\u{9b}31m");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, want) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number), want);
        }
    }

    #[test]
    fn bytes_change_their_unit_where_they_round_up() {
        for (count, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (1023 * 1024, "1023.0 KiB"),
            (5_256_000, "5.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), want, "{count}");
        }
    }

    #[test]
    fn percentages_are_never_rounded_to_nothing_or_all() {
        for (part, whole, want) in [
            (0, 0, "-"),
            (0, 7, "0.0 %"),
            (1, 3, "33.3 %"),
            (2, 3, "66.7 %"),
            (1, 1_000_000, "<0.1 %"),
            (999_999, 1_000_000, ">99.9 %"),
            (5, 5, "100.0 %"),
            (u64::MAX, u64::MAX, "100.0 %"),
        ] {
            assert_eq!(percent(part, whole), want, "{part} of {whole}");
        }
    }
}

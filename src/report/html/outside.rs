//! Text from outside in a page.

use maud::{Escaper, Render};

use crate::report::display::neutral;

/// A text that somebody else wrote: a name, a path, a message.
///
/// Shown with what could steer or reorder made visible, cut where it is longer than any honest one,
/// then escaped. There is no other way into the page for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside<'a>(pub(super) &'a str);

/// Resource identifiers stay below 400 characters, and messages name one or two of them.
const CHARACTERS_MAX: usize = 1000;

impl Render for Outside<'_> {
    fn render_to(&self, out: &mut String) {
        use std::fmt::Write as _;
        let text = shortened(self.0, CHARACTERS_MAX);
        Escaper::new(out).write_str(&text).expect("a string takes any text");
    }
}

/// Returns at most `characters` of a text, the last of them an ellipsis where it is cut.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    let text = neutral(text);
    match text.char_indices().nth(characters) {
        None => text.into_owned(),
        Some(_) => {
            let kept = characters.saturating_sub(1);
            text.chars().take(kept).chain(['…']).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_order_is_kept() {
        let shown = |text| Outside(text).render().0;
        assert_eq!(shown("<b a=\"c\">&"), "&lt;b a=&quot;c&quot;&gt;&amp;");
        assert_eq!(shown("a\u{202e}b\0"), r"a\u{202e}b\u{0}");
        assert_eq!(shown(&"<".repeat(1001)), "&lt;".repeat(999) + "…");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("größe", 5), "größe");
        assert_eq!(shortened("größen", 5), "größ…");
        assert_eq!(shortened("", 5), "");
    }
}

//! JSON that a terminal can show: nothing in a text steers it or reorders what is read.
//!
//! JSON itself escapes C0 controls alone. Here the other steering characters are escaped, too, as
//! `\u009b`; whoever parses the JSON reads the same text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::display::is_steering;

/// Writes a value on one line.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn write_json<T: Serialize + ?Sized>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Compact))?)
}

/// Writes a value on indented lines, and a line end.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn write_json_lines<T: Serialize + ?Sized>(
    out: &mut dyn Write,
    value: &T,
) -> io::Result<()> {
    let pretty = Pretty(PrettyFormatter::new());
    value.serialize(&mut Serializer::with_formatter(&mut *out, pretty))?;
    out.write_all(b"\n")
}

struct Compact;

impl Formatter for Compact {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_fragment(out, fragment)
    }
}

struct Pretty<'a>(PrettyFormatter<'a>);

impl Formatter for Pretty<'_> {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_fragment(out, fragment)
    }

    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Steering characters are all in the basic plane, so one escape is enough for each.
fn write_fragment<W: Write + ?Sized>(out: &mut W, fragment: &str) -> io::Result<()> {
    let mut rest = fragment;
    while let Some(at) = rest.find(is_steering) {
        let character = rest[at..].chars().next().expect("one was found");
        out.write_all(&rest.as_bytes()[..at])?;
        write!(out, "\\u{:04x}", u32::from(character))?;
        rest = &rest[at + character.len_utf8()..];
    }
    out.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn steering_characters_are_escaped_and_mean_the_same() {
        let steering: String =
            (0..=0xFFFF).filter_map(char::from_u32).filter(|c| is_steering(*c)).collect();
        let value = json!({
            (steering.clone()): [steering.clone(), "a\u{9b}31m\u{202e}b", "größe \u{1f512} \"\\\u{7f}"],
            "plain": [],
            "object": { "empty": {} },
        });
        for is_indented in [false, true] {
            let mut out = Vec::new();
            match is_indented {
                true => write_json_lines(&mut out, &value).unwrap(),
                false => write_json(&mut out, &value).unwrap(),
            }
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains(|c| is_steering(c) && c != '\n'), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn plain_values_are_written_as_always() {
        let value = json!({ "a": [1, "b", null], "c": { "d": true } });
        let mut out = Vec::new();
        write_json(&mut out, &value).unwrap();
        assert_eq!(out, serde_json::to_vec(&value).unwrap());
        let mut out = Vec::new();
        write_json_lines(&mut out, &value).unwrap();
        assert_eq!(out, [serde_json::to_vec_pretty(&value).unwrap(), b"\n".to_vec()].concat());
    }
}

//! The first bytes of a text → the form of the log.

use std::fmt;

use memchr::memchr;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::delimited::header_delimiter;
use super::text_table::has_header;
use crate::traffic::flowlog::{Event, Lexer};

/// How the records of a log are held together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    JsonLines,
    Document,
    Tables,
    Delimited { delimiter: u8 },
    TextTable,
}

/// Tells the form, or what was seen instead of one.
pub(super) fn form_of(head: &[u8]) -> Result<Form, String> {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    match text.first() {
        None if head.is_empty() => return Err("the file is empty".into()),
        None => return Err("nothing but white space".into()),
        Some(b'{') if holds_tables(text) => return Ok(Form::Tables),
        Some(b'{') if is_record_a_line(text) => return Ok(Form::JsonLines),
        // The first record is damaged, and lines below it are sound.
        Some(b'{' | b'[') if is_broken(text) && has_line_of_firewall(text) => {
            return Ok(Form::JsonLines);
        }
        Some(b'{' | b'[') => return Ok(Form::Document),
        // A later part of a document; after any other comma a record is cut.
        Some(b',') if text[1..].trim_ascii_start().starts_with(b"{") => return Ok(Form::Document),
        Some(_) => {}
    }
    let letters = String::from_utf8_lossy(text);
    if let Some(delimiter) = header_delimiter(&letters) {
        return Ok(Form::Delimited { delimiter });
    }
    if has_header(&letters) {
        return Ok(Form::TextTable);
    }
    if has_line_of_firewall(text) {
        return Ok(Form::JsonLines);
    }
    Err("no firewall log: neither JSON nor a table with a time and a source address".into())
}

fn has_line_of_firewall(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).lines().any(is_line_of_firewall)
}

/// A record of a firewall's category: the lines above are then what is left of others, since a file
/// that was cut at its beginning starts anywhere in a record.
fn is_line_of_firewall(line: &str) -> bool {
    let line = line.trim();
    let names_firewall = || {
        let folded = line.to_ascii_lowercase();
        ["azurefirewall", "azfw"].iter().any(|word| folded.contains(word))
    };
    line.starts_with('{')
        && names_firewall()
        && matches!(Lexer::new().run(&line.as_bytes()[1..]), (_, Event::Closed))
}

/// A record a line, if the first record ends where its line does; or if that line is broken, and
/// the next one starts with a bracket as no line inside a printed object does.
fn is_record_a_line(text: &[u8]) -> bool {
    let line_end = memchr(b'\n', text);
    let line = &text[..line_end.unwrap_or(text.len())];
    let is_followed = line_end.is_some_and(|end| text[end + 1..].starts_with(b"{"));
    match Lexer::new().run(&line[1..]) {
        (_, Event::OpenedRecords) => false,
        (taken, Event::Closed) => match line[1 + taken..].trim_ascii().first() {
            None => true,
            // What stands behind a record of a document.
            Some(b',' | b'{' | b'[' | b']' | b'}') => false,
            // The record did not end there: a bracket took the place of something else.
            Some(_) => is_followed,
        },
        _ => is_followed,
    }
}

/// Returns true where what the head holds of its first value is no JSON.
fn is_broken(text: &[u8]) -> bool {
    let value = IgnoredAny::deserialize(&mut serde_json::Deserializer::from_slice(text));
    value.is_err_and(|error| !error.is_eof())
}

/// The REST API answers with an object of tables.
fn holds_tables(text: &[u8]) -> bool {
    let mut is_found = false;
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    // The head is cut, and that error means nothing.
    let _ = deserializer.deserialize_map(TablesKey { is_found: &mut is_found });
    is_found
}

struct TablesKey<'t> {
    is_found: &'t mut bool,
}

impl<'a> Visitor<'a> for TablesKey<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tables")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'a, str>>()? {
            if ["tables", "columns", "rows"].iter().any(|known| known.eq_ignore_ascii_case(&key)) {
                *self.is_found = true;
                return Err(A::Error::custom("found"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

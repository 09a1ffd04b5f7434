//! A JSON tree that keeps what `serde_json::Value` drops: repeated keys and the keys' order.
//!
//! Azure's exports differ in the case of their keys, so keys are compared without it. Nesting is
//! bounded by `serde_json` at 128.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::word::shortened;

/// A JSON value that borrows its texts from the input where it can.
#[derive(Debug)]
pub(super) enum JsonValue<'a> {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(Cow<'a, str>),
    Array(Vec<JsonValue<'a>>),
    Object(Vec<(Cow<'a, str>, JsonValue<'a>)>),
}

/// Where the text stopped being JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonError {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) message: String,
}

impl JsonError {
    /// Returns true where the text is nested deeper than is read.
    pub(super) fn is_too_deep(&self) -> bool {
        self.message.starts_with("recursion limit")
    }
}

impl<'a> JsonValue<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, JsonError> {
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            JsonError {
                line: error.line() as u64,
                column: error.column() as u64,
                message: message.strip_suffix(&place).unwrap_or(&message).to_owned(),
            }
        })
    }

    /// Returns the value of `key`, compared without case; `null` counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let (_, value) = self.pairs().iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        (!matches!(value, Self::Null)).then_some(value)
    }

    /// Returns the keys and values of an object, and none of anything else.
    pub(super) fn pairs(&self) -> &[(Cow<'a, str>, Self)] {
        match self {
            Self::Object(pairs) => pairs,
            _ => &[],
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// Returns the path of the first key that its object holds twice, compared without case.
    pub(super) fn repeated_key(&self) -> Option<String> {
        self.repeated_key_below(&JsonPath::Root)
    }

    fn repeated_key_below(&self, path: &JsonPath<'_>) -> Option<String> {
        match self {
            Self::Array(values) => values
                .iter()
                .enumerate()
                .find_map(|(index, value)| value.repeated_key_below(&JsonPath::Index(path, index))),
            Self::Object(pairs) => {
                repeated(pairs).map(|key| JsonPath::Key(path, key).to_string()).or_else(|| {
                    pairs.iter().find_map(|(key, value)| {
                        value.repeated_key_below(&JsonPath::Key(path, key))
                    })
                })
            }
            _ => None,
        }
    }
}

fn repeated<'p>(pairs: &'p [(Cow<'_, str>, JsonValue<'_>)]) -> Option<&'p str> {
    let mut seen = HashSet::with_capacity(pairs.len());
    pairs.iter().map(|(key, _)| &**key).find(|key| !seen.insert(key.to_ascii_lowercase()))
}

/// A place in a JSON document, linked to its parent on the stack; printed as a JSON path.
#[derive(Clone, Copy, Debug)]
pub(super) enum JsonPath<'p> {
    Root,
    Key(&'p JsonPath<'p>, &'p str),
    /// A key below a key, such as `properties`.
    Nested(&'p JsonPath<'p>, &'p str, &'p str),
    Index(&'p JsonPath<'p>, usize),
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Nested(parent, outer, key) => {
                let object = JsonPath::Key(parent, outer);
                write!(f, "{}", JsonPath::Key(&object, key))
            }
            Self::Key(parent, key) if is_plain(key) => write!(f, "{parent}.{}", shortened(key)),
            Self::Key(parent, key) => write!(f, "{parent}[{:?}]", shortened(key)),
        }
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl<'de> Deserialize<'de> for JsonValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = JsonValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(JsonValue::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(serde_json::Number::from_f64(value).map_or(JsonValue::Null, JsonValue::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(JsonValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(JsonValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        Ok(JsonValue::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            pairs.push((key, value));
        }
        Ok(JsonValue::Object(pairs))
    }
}

/// A key; `Cow` alone never borrows in `serde`.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Owned(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_without_case_and_null_is_absent() {
        let value = JsonValue::parse(r#"{"Value":[1,null],"nextLink":null}"#).unwrap();
        assert_eq!(value.get("value").and_then(JsonValue::as_array).map(<[_]>::len), Some(2));
        assert!(value.get("nextlink").is_none());
        assert!(value.get("other").is_none());
    }

    #[test]
    fn a_repeated_key_is_found_at_any_depth() {
        for (text, want) in [
            (r#"{"a":1,"b":2}"#, None),
            (r#"{"a":1,"a":2}"#, Some("$.a")),
            (r#"{"a":1,"A":2}"#, Some("$.A")),
            (r#"{"v":[{"x":1},{"x y":1,"x y":2}]}"#, Some(r#"$.v[1]["x y"]"#)),
        ] {
            let found = JsonValue::parse(text).unwrap().repeated_key();
            assert_eq!(found.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn broken_json_says_where() {
        let error = JsonValue::parse("{\n \"a\": tru }").unwrap_err();
        assert_eq!((error.line, error.column), (2, 10));
        assert!(!error.message.contains("line"), "{}", error.message);
        let deep = "[".repeat(10_000);
        assert!(JsonValue::parse(&deep).unwrap_err().is_too_deep());
    }
}

//! One JSON value → the fields of a row: an object by its keys, an array by a table's columns.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fields::{Column, Fields, Value};

/// Reads an object: the envelope of a stored record with its `properties`, or a flat row.
///
/// What was read before an error stays in `fields`.
pub(super) fn read_object<'a>(json: &'a [u8], fields: &mut Fields<'a>) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Object { fields, is_properties: false }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Reads an array with a value for each column.
pub(super) fn read_row<'a>(
    json: &'a [u8],
    columns: &[Option<Column>],
    fields: &mut Fields<'a>,
) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Row { fields, columns }.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Object<'f, 'a> {
    fields: &'f mut Fields<'a>,
    is_properties: bool,
}

impl<'a> DeserializeSeed<'a> for Object<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Properties of another kind than an object are not this log's, and hold nothing.
impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of a log")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Column(column) if !(self.is_properties && column.is_of_envelope()) => {
                    if let Some(value) = map.next_value_seed(ValueSeed)? {
                        self.fields.set(column, value);
                    }
                }
                Key::Properties if !self.is_properties => {
                    map.next_value_seed(Object { fields: self.fields, is_properties: true })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

struct Row<'f, 'a, 'c> {
    fields: &'f mut Fields<'a>,
    columns: &'c [Option<Column>],
}

impl<'a> DeserializeSeed<'a> for Row<'_, 'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for Row<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row of {} values", self.columns.len())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut values: A) -> Result<(), A::Error> {
        use serde::de::Error;
        for (index, column) in self.columns.iter().enumerate() {
            let value = values.next_element_seed(ValueSeed)?;
            let value = value.ok_or_else(|| A::Error::invalid_length(index, &self))?;
            if let (Some(column), Some(value)) = (column, value) {
                self.fields.set(*column, value);
            }
        }
        match values.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::invalid_length(self.columns.len() + 1, &self)),
        }
    }
}

/// What a key of an object holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Column(Column),
    Properties,
    Other,
}

impl Key {
    pub(super) fn named(name: &str) -> Self {
        match Column::named(name) {
            Some(column) => Self::Column(column),
            None if name.eq_ignore_ascii_case("properties") => Self::Properties,
            None => Self::Other,
        }
    }
}

struct KeySeed;

impl<'a> DeserializeSeed<'a> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(Key::named(key))
    }
}

/// A text or a number; whatever else is as good as absent.
struct ValueSeed;

impl<'a> DeserializeSeed<'a> for ValueSeed {
    type Value = Option<Value<'a>>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for ValueSeed {
    type Value = Option<Value<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(number as f64)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(number)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

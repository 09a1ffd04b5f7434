//! A place in an exported document, and the ways to read what stands there.
//!
//! Every accessor answers `None` for what an export may leave out (a missing key, `null`, an empty
//! text or list), and an error with its JSON path for a value of the wrong shape. Keys are named as
//! in the REST API, with `/` between levels; they are compared without case, and looked for below
//! `properties` before the object itself, since the Azure CLI prints resources without that level.

use std::net::IpAddr;

use super::error::{ResourceFileError, ResourceValueError};
use super::fields::Fields;
use super::types::ResourceId;
use crate::azure::json::{JsonPath, JsonValue};
use crate::azure::word::{folded, shortened};
use crate::net::{AddressPrefix, MacAddress, PrefixError};

/// What an accessor answers.
pub(super) type Told<T> = Result<Option<T>, ResourceFileError>;

/// What reading without an answer comes to.
pub(super) type Step = Result<(), ResourceFileError>;

/// A JSON value, where it stands, and its `properties`.
#[derive(Clone, Copy)]
pub(super) struct Node<'p> {
    value: &'p JsonValue<'p>,
    path: JsonPath<'p>,
    properties: Option<(&'p str, &'p JsonValue<'p>)>,
}

impl<'p> Node<'p> {
    pub(super) fn root(value: &'p JsonValue<'p>) -> Self {
        Self::new(value, JsonPath::Root)
    }

    fn new(value: &'p JsonValue<'p>, path: JsonPath<'p>) -> Self {
        let properties = value
            .pairs()
            .iter()
            .find(|(key, value)| {
                key.eq_ignore_ascii_case("properties") && matches!(value, JsonValue::Object(_))
            })
            .map(|(key, value)| (&**key, value));
        Self { value, path, properties }
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.value, JsonValue::Object(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, JsonValue::Array(_))
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &str) -> Told<Node<'_>> {
        if let Some((outer, properties)) = self.properties {
            let at = |key| JsonPath::Nested(&self.path, outer, key);
            if let Some((key, value)) = find(properties, key, &at)? {
                return Ok(Some(Node::new(value, at(key))));
            }
        }
        self.own(key)
    }

    /// Returns the value of a key of the object itself, not of its `properties`.
    pub(super) fn own(&self, key: &str) -> Told<Node<'_>> {
        let at = |key| JsonPath::Key(&self.path, key);
        Ok(find(self.value, key, &at)?.map(|(key, value)| Node::new(value, at(key))))
    }

    /// Returns true where a key has a value.
    pub(super) fn has(&self, key: &str) -> bool {
        let holds = |value: &JsonValue<'_>| value.get(key).is_some();
        holds(self.value) || self.properties.is_some_and(|(_, properties)| holds(properties))
    }

    /// Returns the object's own keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'p str> {
        self.value.pairs().iter().map(|(key, _)| &**key)
    }

    /// Returns the text of the object's own key, of whatever shape the others are.
    pub(super) fn own_text(&self, key: &str) -> Option<&'p str> {
        self.value.get(key).and_then(JsonValue::as_text).filter(|text| !text.is_empty())
    }

    /// Returns the resource's identifier; empty where it has none.
    pub(super) fn own_id(&self) -> ResourceId {
        ResourceId::new(self.own_text("id").unwrap_or_default())
    }

    /// Returns the identifier, where the resource has one.
    pub(super) fn told_id(&self) -> Told<ResourceId> {
        Ok(self.own("id")?.map_or(Ok(None), |id| id.as_text())?.map(ResourceId::new))
    }

    /// Returns the name, else the last part of the identifier.
    pub(super) fn name(&self) -> Told<String> {
        if let Some(name) = self.own("name")?
            && let Some(name) = name.as_text()?
        {
            return Ok(Some(name.to_owned()));
        }
        let last = self.own_text("id").and_then(|id| id.trim_end_matches('/').rsplit('/').next());
        Ok(last.filter(|name| !name.is_empty()).map(str::to_owned))
    }

    /// Returns the region: `West Europe` is `westeurope`.
    pub(super) fn location(&self) -> Told<String> {
        Ok(self.own("location")?.map_or(Ok(None), |text| text.as_text())?.map(folded))
    }

    pub(super) fn text(&self, path: &str) -> Told<String> {
        self.with(path, &|node| Ok(node.as_text()?.map(str::to_owned)))
    }

    /// Returns a word of Azure's, to be compared without case and spaces.
    pub(super) fn word(&self, path: &str) -> Told<String> {
        self.with(path, &|node| Ok(node.as_text()?.map(folded)))
    }

    /// Returns true or false, also where some tool made a text of it.
    pub(super) fn flag(&self, path: &str) -> Told<bool> {
        self.with(path, &|node| match node.value {
            JsonValue::Bool(flag) => Ok(Some(*flag)),
            JsonValue::Text(text) => match text.trim() {
                "" => Ok(None),
                word if word.eq_ignore_ascii_case("true") => Ok(Some(true)),
                word if word.eq_ignore_ascii_case("false") => Ok(Some(false)),
                word => Err(node.error(ResourceValueError::Bool { text: shortened(word) })),
            },
            _ => Err(node.shape("true or false")),
        })
    }

    pub(super) fn mac(&self, path: &str) -> Told<MacAddress> {
        self.with(path, &|node| {
            let Some(text) = node.as_text()? else { return Ok(None) };
            // What is long enough to be shortened is no address, and must not fill the message.
            let mac = shortened(text.trim()).parse();
            mac.map(Some).map_err(|problem| node.error(ResourceValueError::Mac(problem)))
        })
    }

    pub(super) fn prefix(&self, path: &str) -> Told<AddressPrefix> {
        self.with(path, &|node| node.as_prefix())
    }

    /// Returns the prefixes of a list, or a single one.
    pub(super) fn prefixes(&self, path: &str) -> Told<Vec<AddressPrefix>> {
        self.list(path, &|node, found| {
            found.extend(node.as_prefix()?);
            Ok(())
        })
    }

    pub(super) fn address(&self, path: &str) -> Told<IpAddr> {
        Ok(self.addresses(path)?.and_then(|addresses| addresses.first().copied()))
    }

    /// Returns the addresses of a list, or of a text with commas between them.
    pub(super) fn addresses(&self, path: &str) -> Told<Vec<IpAddr>> {
        self.list(path, &|node, found| {
            for text in node.as_text()?.unwrap_or_default().split(',') {
                let text = text.trim();
                if !text.is_empty() {
                    found.push(text.parse().map_err(|_| {
                        node.error(ResourceValueError::Address { text: shortened(text) })
                    })?);
                }
            }
            Ok(())
        })
    }

    /// Returns the texts of a list, or a single one.
    pub(super) fn texts(&self, path: &str) -> Told<Vec<String>> {
        self.list(path, &|node, found| {
            found.extend(node.as_text()?.map(str::to_owned));
            Ok(())
        })
    }

    /// Returns the identifier of a reference: `{"id": "…"}`, or the text itself.
    pub(super) fn id(&self, path: &str) -> Told<ResourceId> {
        self.with(path, &|node| node.as_reference())
    }

    /// Returns the identifiers of a list of references.
    pub(super) fn ids(&self, path: &str) -> Told<Vec<ResourceId>> {
        self.list(path, &|node, found| {
            found.extend(node.as_reference()?);
            Ok(())
        })
    }

    /// Returns the objects of a list, each as a row of its own.
    pub(super) fn rows<T: Fields>(&self, path: &str) -> Told<Vec<T>> {
        self.list(path, &|node, found| {
            found.push(T::read(node)?);
            Ok(())
        })
    }

    /// Hands the elements of a list to `read`, and returns what it collects.
    pub(super) fn list<T>(
        &self,
        path: &str,
        read: &dyn Fn(&Node<'_>, &mut Vec<T>) -> Step,
    ) -> Told<Vec<T>> {
        self.with(path, &|node| {
            let mut found = Vec::new();
            node.for_each(&mut |element| read(element, &mut found))?;
            Ok((!found.is_empty()).then_some(found))
        })
    }

    /// Hands each element of a list on; `null` stands for no element, and a text, which some tools
    /// write for a list of one, for itself.
    pub(super) fn for_each(&self, then: &mut dyn FnMut(&Node<'_>) -> Step) -> Step {
        match self.value {
            JsonValue::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    if !matches!(value, JsonValue::Null) {
                        then(&Node::new(value, JsonPath::Index(&self.path, index)))?;
                    }
                }
                Ok(())
            }
            JsonValue::Text(_) => then(self),
            // What Windows PowerShell makes of an array: `{"value": […], "Count": n}`.
            JsonValue::Object(_) => match self.own("value")? {
                Some(inner) if inner.is_list() => inner.for_each(then),
                _ => Err(self.shape("a list")),
            },
            _ => Err(self.shape("a list")),
        }
    }

    /// Hands on what stands at a path, if anything does.
    pub(super) fn with<T>(&self, path: &str, then: &dyn Fn(&Node<'_>) -> Told<T>) -> Told<T> {
        let (key, rest) = match path.split_once('/') {
            Some((key, rest)) => (key, Some(rest)),
            None => (path, None),
        };
        let Some(node) = self.get(key)? else { return Ok(None) };
        match rest {
            None => then(&node),
            Some(_) if !node.is_object() => Err(node.shape("an object")),
            Some(rest) => node.with(rest, then),
        }
    }

    /// Returns the text itself; none where it is empty.
    pub(super) fn as_text(&self) -> Told<&'p str> {
        match self.value {
            JsonValue::Text(text) if text.is_empty() => Ok(None),
            JsonValue::Text(text) => Ok(Some(text)),
            _ => Err(self.shape("a text")),
        }
    }

    fn as_prefix(&self) -> Told<AddressPrefix> {
        self.as_text()?.map_or(Ok(None), |text| self.prefix_of(text.trim()))
    }

    /// Reads a text that stands here as a prefix.
    pub(super) fn prefix_of(&self, text: &str) -> Told<AddressPrefix> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|problem: PrefixError| {
            self.error(ResourceValueError::Prefix(match problem {
                PrefixError::Length { length_max, .. } => {
                    PrefixError::Length { text: shortened(text), length_max }
                }
                PrefixError::NotAnAddress { .. } => {
                    PrefixError::NotAnAddress { text: shortened(text) }
                }
            }))
        })
    }

    fn as_reference(&self) -> Told<ResourceId> {
        match self.value {
            JsonValue::Object(_) => self.told_id(),
            JsonValue::Text(_) => Ok(self.as_text()?.map(ResourceId::new)),
            _ => Err(self.shape("a reference to a resource")),
        }
    }

    pub(super) fn shape(&self, expected: &'static str) -> ResourceFileError {
        self.error(ResourceValueError::Shape { expected })
    }

    pub(super) fn error(&self, problem: ResourceValueError) -> ResourceFileError {
        ResourceFileError::Value { json_path: self.path.to_string(), problem }
    }
}

/// Finds a key; which of two is meant nobody can know.
fn find<'p>(
    object: &'p JsonValue<'p>,
    wanted: &str,
    at: &dyn Fn(&'p str) -> JsonPath<'p>,
) -> Told<(&'p str, &'p JsonValue<'p>)> {
    let mut found = None;
    for (key, value) in object.pairs() {
        if key.eq_ignore_ascii_case(wanted) && !matches!(value, JsonValue::Null) {
            if found.is_some() {
                let json_path = at(key).to_string();
                let problem = ResourceValueError::RepeatedKey;
                return Err(ResourceFileError::Value { json_path, problem });
            }
            found = Some((&**key, value));
        }
    }
    Ok(found)
}

//! One log record: JSON → where its texts and tuples stand.
//!
//! A record is read in one pass, whatever the order of its keys, into lists that are reused from
//! record to record. Tuples are kept as positions until the record closes, because its version, its
//! MAC address and the rule may come after them.
//!
//! ```text
//! VNet: {category, flowLogVersion, macAddress, flowLogResourceID, targetResourceID,
//!        flowRecords: {flows: [{aclID, flowGroups: [{rule, flowTuples: […]}]}]}}
//! NSG:  {category, resourceId, macAddress?,
//!        properties: {Version, flows: [{rule, flows: [{mac, flowTuples: […]}]}]}}
//! ```
//!
//! Both are flows of groups of tuples, so both fill the same lists; only the names differ. Keys are
//! compared without regard to case, unknown ones are passed over, and nesting is left to the
//! limit of `serde_json`.

use std::fmt;
use std::ops::Range;

use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

/// The longest text that is kept, such as a resource identifier.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// What one record holds, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct LogRecord {
    pub(super) category: Option<Text>,
    pub(super) mac: Option<Text>,
    pub(super) target_resource_id: Option<Text>,
    pub(super) flow_log_resource_id: Option<Text>,
    pub(super) resource_id: Option<Text>,
    pub(super) vnet_version: Option<Version>,
    pub(super) nsg_version: Option<Version>,
    /// `flowRecords` was met.
    pub(super) has_vnet_flows: bool,
    /// `properties.flows` was met.
    pub(super) has_nsg_flows: bool,
    pub(super) flows: Vec<Flow>,
    pub(super) groups: Vec<Group>,
    pub(super) tuples: Vec<Text>,
    /// The path of the first part whose flows, groups or tuples are missing: what it holds under
    /// other names would be lost without a word.
    pub(super) lacking: Option<String>,
    unescaped: String,
    repeated: Option<String>,
    /// Where the record's bytes lie in memory, to tell where a borrowed text stands in them.
    address: usize,
}

/// Flows of one `aclID` (VNet) or of one rule (NSG).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    pub(super) name: Option<Text>,
}

/// Tuples of one rule (VNet) or of one MAC address (NSG).
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) name: Option<Text>,
    /// Index of its flow.
    pub(super) flow: usize,
    first_tuple: usize,
}

/// A text of a record, by [`LogRecord::text`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// Stands in the record as it is.
    Plain { start: u32, end: u32 },
    /// Had escapes, and stands among the unescaped texts.
    Unescaped { start: u32, end: u32 },
}

impl Text {
    /// Returns true for a text without escapes that begins at a position of the record.
    pub(super) fn starts_at(self, position: usize) -> bool {
        matches!(self, Self::Plain { start, .. } if start as usize == position)
    }
}

/// A version number of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Number(u64),
    /// Something that is no whole number.
    Other,
}

/// Which of the two layouts a part of a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Vnet,
    Nsg,
}

/// Why a record could not be read to its end. What was read before stands.
#[derive(Debug)]
pub(super) enum RecordFault {
    /// The bytes end too early.
    Ends,
    /// The bytes break JSON, or hold a value of the wrong type, at `offset` of the record.
    Breaks { offset: usize, message: String },
    /// A field stands twice; which one holds is unknown, so none of the record counts.
    Repeats { path: String },
}

impl LogRecord {
    /// Reads a record in place of the one before.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), RecordFault> {
        self.clear();
        self.address = bytes.as_ptr().addr();
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let outcome = Seed { record: self, place: Place::Record }
            .deserialize(&mut json)
            .and_then(|()| json.end());
        outcome.map_err(|error| match self.repeated.take() {
            Some(path) => RecordFault::Repeats { path },
            None if error.is_eof() => RecordFault::Ends,
            None => RecordFault::breaks(bytes, &error),
        })
    }

    /// Returns a text of the record, whose bytes must be those that were read.
    pub(super) fn text<'t>(&'t self, bytes: &'t [u8], text: Text) -> &'t str {
        match text {
            Text::Plain { start, end } => std::str::from_utf8(&bytes[start as usize..end as usize])
                .expect("the deserialiser checked this text"),
            Text::Unescaped { start, end } => &self.unescaped[start as usize..end as usize],
        }
    }

    /// Returns the range of a group's tuples in `tuples`.
    pub(super) fn tuples_of(&self, group: usize) -> Range<usize> {
        let end = self.groups.get(group + 1).map_or(self.tuples.len(), |next| next.first_tuple);
        self.groups[group].first_tuple..end
    }

    /// Returns the JSON path of a tuple, for messages.
    pub(super) fn path_of(&self, layout: Layout, group: usize, tuple: usize) -> String {
        let flow = self.groups[group].flow;
        let group_in_flow = group - self.first_group_of(flow);
        let tuple_in_group = tuple - self.groups[group].first_tuple;
        let (flows, groups) = layout.paths();
        format!("{flows}[{flow}].{groups}[{group_in_flow}].flowTuples[{tuple_in_group}]")
    }

    fn first_group_of(&self, flow: usize) -> usize {
        self.groups.partition_point(|group| group.flow < flow)
    }

    fn clear(&mut self) {
        let Self { mut flows, mut groups, mut tuples, mut unescaped, .. } = std::mem::take(self);
        flows.clear();
        groups.clear();
        tuples.clear();
        unescaped.clear();
        *self = Self { flows, groups, tuples, unescaped, ..Self::default() };
    }

    fn plain(&self, text: &str) -> Text {
        let start = text.as_ptr().addr() - self.address;
        Text::Plain { start: position(start), end: position(start + text.len()) }
    }

    fn unescaped(&mut self, text: &str) -> Text {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        Text::Unescaped { start: position(start), end: position(self.unescaped.len()) }
    }

    /// Puts a text where its place says.
    fn store(&mut self, place: Place, text: Text) {
        let slot = match place {
            Place::Category => &mut self.category,
            Place::Mac => &mut self.mac,
            Place::TargetResourceId => &mut self.target_resource_id,
            Place::FlowLogResourceId => &mut self.flow_log_resource_id,
            Place::ResourceId => &mut self.resource_id,
            Place::FlowName => match self.flows.last_mut() {
                Some(flow) => &mut flow.name,
                None => return,
            },
            Place::GroupName => match self.groups.last_mut() {
                Some(group) => &mut group.name,
                None => return,
            },
            Place::Tuple => return self.tuples.push(text),
            _ => return,
        };
        *slot = Some(text);
    }

    fn store_version(&mut self, layout: Layout, version: Version) {
        match layout {
            Layout::Vnet => self.vnet_version = Some(version),
            Layout::Nsg => self.nsg_version = Some(version),
        }
    }

    /// Notes that a part of the record begins.
    fn open(&mut self, place: Place) {
        match place {
            Place::Payload(Layout::Vnet) => self.has_vnet_flows = true,
            Place::Flows(Layout::Nsg) => self.has_nsg_flows = true,
            Place::Flow(_) => self.flows.push(Flow::default()),
            Place::Group(_) => self.groups.push(Group {
                name: None,
                flow: self.flows.len() - 1,
                first_tuple: self.tuples.len(),
            }),
            _ => {}
        }
    }

    /// Returns the JSON path of a member of the part that is being read.
    fn path_here(&self, place: Place, key: &str) -> String {
        let flow = self.flows.len().saturating_sub(1);
        let group = self.groups.len().saturating_sub(1 + self.first_group_of(flow));
        match place {
            Place::Payload(Layout::Vnet) => format!("$.flowRecords.{key}"),
            Place::Payload(Layout::Nsg) => format!("$.properties.{key}"),
            Place::Flow(layout) => format!("{}[{flow}].{key}", layout.paths().0),
            Place::Group(layout) => {
                let (flows, groups) = layout.paths();
                format!("{flows}[{flow}].{groups}[{group}].{key}")
            }
            _ => format!("$.{key}"),
        }
    }
}

/// Returns the category of a whole object, whatever else it holds.
///
/// For records that could not be read: another kind of log may use the same keys for something
/// else.
pub(super) fn category_of(bytes: &[u8]) -> Option<String> {
    struct CategoryOnly;

    impl<'de> Visitor<'de> for CategoryOnly {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut category = None;
            while let Some(key) = map.next_key_seed(KeySeed)? {
                match key {
                    Key::Category => category = Some(map.next_value::<String>()?),
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
            Ok(category)
        }
    }

    serde_json::Deserializer::from_slice(bytes).deserialize_map(CategoryOnly).ok().flatten()
}

impl Layout {
    /// Returns the path of the flows, and the name of a flow's groups.
    fn paths(self) -> (&'static str, &'static str) {
        match self {
            Self::Vnet => ("$.flowRecords.flows", "flowGroups"),
            Self::Nsg => ("$.properties.flows", "flows"),
        }
    }
}

impl RecordFault {
    /// Takes the place out of the message, which counts lines, and gives it as an offset.
    fn breaks(bytes: &[u8], error: &serde_json::Error) -> Self {
        let line_start = match error.line().checked_sub(2) {
            None => 0,
            Some(earlier) => memchr::memchr_iter(b'\n', bytes).nth(earlier).map_or(0, |at| at + 1),
        };
        let text = error.to_string();
        let message = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
        Self::Breaks {
            offset: line_start + error.column().saturating_sub(1),
            message: message.to_owned(),
        }
    }
}

/// Where in a record the deserialiser stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Record,
    Category,
    Mac,
    TargetResourceId,
    FlowLogResourceId,
    ResourceId,
    Version(Layout),
    /// `flowRecords` or `properties`.
    Payload(Layout),
    Flows(Layout),
    Flow(Layout),
    FlowName,
    Groups(Layout),
    Group(Layout),
    GroupName,
    Tuples,
    Tuple,
}

impl Place {
    /// Returns what stands under a key here; `None` for what is passed over.
    fn member(self, key: Key) -> Option<Self> {
        match (self, key) {
            (Self::Record, Key::Category) => Some(Self::Category),
            (Self::Record, Key::MacAddress) => Some(Self::Mac),
            (Self::Record, Key::TargetResourceId) => Some(Self::TargetResourceId),
            (Self::Record, Key::FlowLogResourceId) => Some(Self::FlowLogResourceId),
            (Self::Record, Key::ResourceId) => Some(Self::ResourceId),
            (Self::Record, Key::FlowLogVersion) => Some(Self::Version(Layout::Vnet)),
            (Self::Record, Key::FlowRecords) => Some(Self::Payload(Layout::Vnet)),
            (Self::Record, Key::Properties) => Some(Self::Payload(Layout::Nsg)),
            (Self::Payload(Layout::Nsg), Key::Version) => Some(Self::Version(Layout::Nsg)),
            (Self::Payload(layout), Key::Flows) => Some(Self::Flows(layout)),
            (Self::Flow(Layout::Vnet), Key::AclId) => Some(Self::FlowName),
            (Self::Flow(Layout::Nsg), Key::Rule) => Some(Self::FlowName),
            (Self::Flow(Layout::Vnet), Key::FlowGroups) => Some(Self::Groups(Layout::Vnet)),
            (Self::Flow(Layout::Nsg), Key::Flows) => Some(Self::Groups(Layout::Nsg)),
            (Self::Group(Layout::Vnet), Key::Rule) => Some(Self::GroupName),
            (Self::Group(Layout::Nsg), Key::Mac) => Some(Self::GroupName),
            (Self::Group(_), Key::FlowTuples) => Some(Self::Tuples),
            _ => None,
        }
    }

    /// Returns what each element of an array is here.
    fn element(self) -> Option<Self> {
        match self {
            Self::Flows(layout) => Some(Self::Flow(layout)),
            Self::Groups(layout) => Some(Self::Group(layout)),
            Self::Tuples => Some(Self::Tuple),
            _ => None,
        }
    }

    /// Returns the key of what a part is there for. Without `properties.flows` a record is no NSG
    /// log's, which is said elsewhere.
    fn content(self) -> Option<Key> {
        match self {
            Self::Payload(Layout::Vnet) | Self::Flow(Layout::Nsg) => Some(Key::Flows),
            Self::Flow(Layout::Vnet) => Some(Key::FlowGroups),
            Self::Group(_) => Some(Key::FlowTuples),
            _ => None,
        }
    }

    fn is_object(self) -> bool {
        matches!(self, Self::Record | Self::Payload(_) | Self::Flow(_) | Self::Group(_))
    }

    fn is_text(self) -> bool {
        !self.is_object() && self.element().is_none() && !matches!(self, Self::Version(_))
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Version(_) => "a version number",
            Self::Tuple => "a flow tuple",
            _ if self.is_object() => "an object",
            _ if self.is_text() => "a string",
            _ => "an array",
        }
    }
}

/// Reads what stands at a place into the record.
struct Seed<'r> {
    record: &'r mut LogRecord,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn unexpected<E: Error>(&self, found: Unexpected<'_>) -> E {
        E::invalid_type(found, &self.place.expected())
    }

    fn take_text<E: Error>(
        self,
        text: &str,
        keep: impl FnOnce(&mut LogRecord, &str) -> Text,
    ) -> Result<(), E> {
        match self.place {
            Place::Version(layout) => {
                let version = text.parse().map_or(Version::Other, Version::Number);
                self.record.store_version(layout, version);
            }
            place if !place.is_text() => return Err(self.unexpected(Unexpected::Str(""))),
            place if place != Place::Tuple && text.len() > MAX_TEXT_BYTES => {
                return Err(E::custom(format_args!(
                    "a string of {} bytes, of at most {MAX_TEXT_BYTES}",
                    text.len()
                )));
            }
            place => {
                let text = keep(self.record, text);
                self.record.store(place, text);
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place.expected())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { record, place } = self;
        if !place.is_object() {
            return Err(A::Error::invalid_type(Unexpected::Map, &place.expected()));
        }
        record.open(place);
        let mut seen = 0_u32;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let Some(member) = place.member(key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & key.bit() != 0 {
                record.repeated = Some(record.path_here(place, key.as_str()));
                return Err(A::Error::custom("a field stands twice"));
            }
            seen |= key.bit();
            map.next_value_seed(Seed { record, place: member })?;
        }
        if let Some(key) = place.content()
            && seen & key.bit() == 0
            && record.lacking.is_none()
        {
            record.lacking = Some(record.path_here(place, key.as_str()));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Self { record, place } = self;
        let Some(element) = place.element() else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &place.expected()));
        };
        record.open(place);
        while sequence.next_element_seed(Seed { record, place: element })?.is_some() {}
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.take_text(text, |record, text| record.plain(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take_text(text, LogRecord::unescaped)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        match self.place {
            Place::Version(layout) => {
                self.record.store_version(layout, Version::Number(number));
                Ok(())
            }
            _ => Err(self.unexpected(Unexpected::Unsigned(number))),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        match self.place {
            Place::Version(layout) => {
                self.record.store_version(layout, Version::Other);
                Ok(())
            }
            _ => Err(self.unexpected(Unexpected::Signed(number))),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        match self.place {
            Place::Version(layout) => {
                self.record.store_version(layout, Version::Other);
                Ok(())
            }
            _ => Err(self.unexpected(Unexpected::Float(number))),
        }
    }

    /// `null` is as good as absent, except among elements.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.place {
            Place::Record | Place::Flow(_) | Place::Group(_) | Place::Tuple => {
                Err(self.unexpected(Unexpected::Unit))
            }
            _ => Ok(()),
        }
    }
}

/// The keys that matter, in either layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    AclId,
    Category,
    FlowGroups,
    FlowLogResourceId,
    FlowLogVersion,
    FlowRecords,
    Flows,
    FlowTuples,
    Mac,
    MacAddress,
    Properties,
    ResourceId,
    Rule,
    TargetResourceId,
    Version,
    Unknown,
}

impl Key {
    const NAMES: [(&str, Self); 15] = [
        ("flowTuples", Self::FlowTuples),
        ("rule", Self::Rule),
        ("aclID", Self::AclId),
        ("flowGroups", Self::FlowGroups),
        ("flows", Self::Flows),
        ("mac", Self::Mac),
        ("category", Self::Category),
        ("flowLogResourceID", Self::FlowLogResourceId),
        ("flowLogVersion", Self::FlowLogVersion),
        ("flowRecords", Self::FlowRecords),
        ("macAddress", Self::MacAddress),
        ("properties", Self::Properties),
        ("resourceId", Self::ResourceId),
        ("targetResourceID", Self::TargetResourceId),
        ("Version", Self::Version),
    ];

    fn of(text: &str) -> Self {
        let named = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map_or(Self::Unknown, |(_, key)| *key)
    }

    fn as_str(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, key)| *key == self);
        named.map_or("?", |(name, _)| name)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
        Ok(Key::of(text))
    }
}

fn position(index: usize) -> u32 {
    u32::try_from(index).expect("a record is far below 4 GiB")
}

//! The values of one row under one name each, however its log names them.

use std::borrow::Cow;

/// What a key or a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// When it happened, in the envelope of a stored record.
    Time,
    /// When it happened, in a table of Log Analytics.
    TimeGenerated,
    /// The portal's download in the time zone of whoever looked at it, which it does not name.
    LocalTime,
    Category,
    /// A table's name, in a row of that table.
    Type,
    OperationName,
    ResourceId,
    Resource,
    Message,
    Protocol,
    SourceIp,
    SourcePort,
    DestinationIp,
    DestinationPort,
    TranslatedIp,
    TranslatedPort,
    Fqdn,
    Action,
    Rule,
    Flag,
}

/// A key or a column with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) field: Field,
    /// `AzureDiagnostics` adds the type to the names of what is no common column: `Action_s`.
    is_suffixed: bool,
}

/// The values of one row.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields<'a> {
    cells: [Option<Cell<'a>>; Field::COUNT],
    repeated: Option<Field>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
}

#[derive(Debug, PartialEq)]
struct Cell<'a> {
    value: Value<'a>,
    is_suffixed: bool,
}

impl Field {
    const COUNT: usize = Self::Flag as usize + 1;

    /// Returns Azure's name of it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::TimeGenerated => "TimeGenerated",
            Self::LocalTime => "TimeGenerated [Local Time]",
            Self::Category => "Category",
            Self::Type => "Type",
            Self::OperationName => "OperationName",
            Self::ResourceId => "ResourceId",
            Self::Resource => "Resource",
            Self::Message => "msg",
            Self::Protocol => "Protocol",
            Self::SourceIp => "SourceIp",
            Self::SourcePort => "SourcePort",
            Self::DestinationIp => "DestinationIp",
            Self::DestinationPort => "DestinationPort",
            Self::TranslatedIp => "TranslatedIp",
            Self::TranslatedPort => "TranslatedPort",
            Self::Fqdn => "Fqdn",
            Self::Action => "Action",
            Self::Rule => "Rule",
            Self::Flag => "Flag",
        }
    }
}

impl Column {
    /// Returns what a key or a column of this name holds; case, spaces and underscores do not
    /// matter. `Target…` are the names that the documented queries for the legacy logs give.
    ///
    /// Source: "AzureDiagnostics" and "AZFWNetworkRule", Azure Monitor table reference; "Azure
    /// Monitor queries for Azure Firewall" (read 2026-11-20).
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        let (bare, is_suffixed) = match name.as_bytes() {
            [.., b'_', b's' | b'd' | b'g' | b'b' | b't'] => (&name[..name.len() - 2], true),
            _ => (name, false),
        };
        let mut folded = [0; 24];
        let mut length = 0;
        for byte in bare.bytes().filter(|byte| !matches!(byte, b'_' | b' ' | b'[' | b']')) {
            *folded.get_mut(length)? = byte.to_ascii_lowercase();
            length += 1;
        }
        let field = match &folded[..length] {
            b"time" => Field::Time,
            b"timegenerated" | b"timegeneratedutc" => Field::TimeGenerated,
            b"timegeneratedlocaltime" => Field::LocalTime,
            b"category" => Field::Category,
            b"type" => Field::Type,
            b"operationname" => Field::OperationName,
            b"resourceid" => Field::ResourceId,
            b"resource" => Field::Resource,
            b"msg" => Field::Message,
            b"protocol" => Field::Protocol,
            b"sourceip" => Field::SourceIp,
            b"sourceport" => Field::SourcePort,
            b"destinationip" | b"targetip" => Field::DestinationIp,
            b"destinationport" | b"targetport" => Field::DestinationPort,
            b"translatedip" => Field::TranslatedIp,
            b"translatedport" => Field::TranslatedPort,
            b"fqdn" => Field::Fqdn,
            b"action" => Field::Action,
            b"rule" => Field::Rule,
            b"flag" => Field::Flag,
            _ => return None,
        };
        Some(Self { field, is_suffixed })
    }

    /// Returns true for the envelope of a stored record, whose properties may have the same names
    /// for something else: IDPS logs the `Category` of a signature.
    pub(super) fn is_of_envelope(self) -> bool {
        use Field::{Category, OperationName, Resource, ResourceId, Time, TimeGenerated, Type};
        matches!(
            self.field,
            Time | TimeGenerated | Category | Type | OperationName | ResourceId | Resource
        )
    }
}

/// Returns true for the columns of a firewall's log: when, and from where.
pub(super) fn are_of_log(columns: &[Option<Column>]) -> bool {
    let has = |field| columns.iter().flatten().any(|column| column.field == field);
    (has(Field::Time) || has(Field::TimeGenerated) || has(Field::LocalTime))
        && (has(Field::SourceIp) || has(Field::Message))
}

impl<'a> Fields<'a> {
    /// Stores a value, unless it is blank. A column without a type's suffix goes before one with
    /// it: tables that several services share have both.
    #[inline(always)]
    pub(super) fn set(&mut self, column: Column, value: Value<'a>) {
        if value.is_blank() {
            return;
        }
        let Column { field, is_suffixed } = column;
        let cell = &mut self.cells[field as usize];
        match cell {
            Some(known) if known.is_suffixed == is_suffixed => {
                if !known.value.is_same(&value) {
                    self.repeated = Some(field);
                }
            }
            Some(_) if is_suffixed => {}
            _ => *cell = Some(Cell { value, is_suffixed }),
        }
    }

    /// Stores a text as [`set`](Self::set) does.
    pub(super) fn set_text(&mut self, column: Column, text: &'a str) {
        self.set(column, Value::Text(Cow::Borrowed(text)));
    }

    /// Stores a number as [`set`](Self::set) does.
    pub(super) fn set_number(&mut self, column: Column, number: f64) {
        self.set(column, Value::Number(number));
    }

    /// Returns a field that stands twice, with different values.
    pub(super) fn repeated(&self) -> Option<Field> {
        self.repeated
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.get(field).is_some()
    }

    pub(super) fn get(&self, field: Field) -> Option<&Value<'a>> {
        self.cells[field as usize].as_ref().map(|cell| &cell.value)
    }

    /// Returns a text without the blanks around it; none for a number.
    pub(super) fn text(&self, field: Field) -> Option<&str> {
        match self.get(field)? {
            Value::Text(text) => Some(trimmed(text)),
            Value::Number(_) => None,
        }
    }
}

impl Value<'_> {
    /// Compares without case: Log Analytics has a resource's id twice, once in small letters.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.eq_ignore_ascii_case(other),
            _ => self == other,
        }
    }

    /// The Azure CLI prints an absent value as `None`; queries put `N/A`.
    fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => matches!(trimmed(text), "" | "None" | "N/A"),
            Self::Number(_) => false,
        }
    }
}

/// Trims a text; most begin and end with a letter or a digit, and are not looked at further.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column::named(name).unwrap()
    }

    #[test]
    fn a_column_is_known_in_any_case_with_and_without_its_type() {
        for (names, field) in [
            ("SourceIP SourceIp SourceIp_s sourceip SOURCEIP_s source_ip", Field::SourceIp),
            ("DestinationIp_s DestinationIP TargetIP", Field::DestinationIp),
            ("SourcePort SourcePort_d SourcePort_s", Field::SourcePort),
            ("TimeGenerated timegenerated TimeGenerated_t", Field::TimeGenerated),
            ("_ResourceId ResourceId resourceId", Field::ResourceId),
            ("msg_s msg", Field::Message),
            ("Action_s action", Field::Action),
        ] {
            for name in names.split(' ') {
                assert_eq!(column(name).field, field, "{name}");
                assert_eq!(column(name).is_suffixed, name[name.len() - 2..].starts_with('_'));
            }
        }
        assert_eq!(column("TimeGenerated [UTC]").field, Field::TimeGenerated);
        assert_eq!(column("TimeGenerated [Local Time]").field, Field::LocalTime);
        for name in ["", "_s", "TableName", "SrcIp", "SourceIpX", "WebCategory", "RuleCollection"] {
            assert_eq!(Column::named(name), None, "{name}");
        }
        assert_eq!(Column::named(&"a".repeat(1000)), None);
    }

    #[test]
    fn every_field_is_found_by_its_own_title() {
        for field in [
            Field::Time,
            Field::TimeGenerated,
            Field::LocalTime,
            Field::Category,
            Field::Type,
            Field::OperationName,
            Field::ResourceId,
            Field::Resource,
            Field::Message,
            Field::Protocol,
            Field::SourceIp,
            Field::SourcePort,
            Field::DestinationIp,
            Field::DestinationPort,
            Field::TranslatedIp,
            Field::TranslatedPort,
            Field::Fqdn,
            Field::Action,
            Field::Rule,
            Field::Flag,
        ] {
            assert_eq!(column(field.title()).field, field);
        }
    }

    #[test]
    fn blanks_give_way_and_a_name_without_a_suffix_goes_first() {
        for (cells, want, is_repeated) in [
            (&[("SourceIP", ""), ("SourceIp_s", "10.0.0.1")][..], Some("10.0.0.1"), false),
            (&[("SourceIP", "10.0.0.1"), ("SourceIp_s", "None")], Some("10.0.0.1"), false),
            (&[("SourceIp_s", "10.0.0.2"), ("SourceIP", "10.0.0.1")], Some("10.0.0.1"), false),
            (&[("SourceIP", "10.0.0.1"), ("SourceIp_s", "10.0.0.2")], Some("10.0.0.1"), false),
            (&[("SourceIP", "10.0.0.1"), ("SourceIp", "10.0.0.1")], Some("10.0.0.1"), false),
            (&[("SourceIP", "10.0.0.1"), ("SourceIp", "10.0.0.2")], Some("10.0.0.1"), true),
            (&[("SourceIP", "fe80::a"), ("SourceIp", "FE80::A")], Some("fe80::a"), false),
            (&[("SourceIP", " "), ("SourceIp", "N/A")], None, false),
        ] {
            let mut fields = Fields::default();
            cells.iter().for_each(|(name, text)| fields.set_text(column(name), text));
            assert_eq!(fields.text(Field::SourceIp), want, "{cells:?}");
            assert_eq!(fields.repeated().is_some(), is_repeated, "{cells:?}");
        }
    }
}

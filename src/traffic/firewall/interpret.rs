//! The fields of a row → a record, or the reason why it is none.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::fields::{Field, Fields, Value};
use super::message::{Endpoint, Message};
use super::names::Names;
use super::record::{
    FirewallAction, FirewallCategory, FirewallDestination, FirewallName, FirewallRecord,
    FlowTraceFlag,
};
use super::time::time_ns;
use crate::net::protocol;

/// Makes records of rows.
#[derive(Debug, Default)]
pub(super) struct Interpreter {
    names: Names,
    /// The last one that was named; most logs are of one firewall.
    firewall: Option<FirewallName>,
    has_category_column: bool,
    is_of_firewall: bool,
}

/// What a row turned out to be.
#[derive(Debug)]
pub(super) enum Reading<'f> {
    Record(FirewallRecord),
    /// Of another category: no packet and no connection of a firewall.
    OtherCategory,
    Fault(Fault<'f>),
}

/// Why a row cannot be read.
#[derive(Debug)]
pub(super) enum Fault<'f> {
    NoTime,
    LocalTime,
    NoSource,
    Repeated(Field),
    Message(&'f str),
    Value(Field, &'f Value<'f>),
}

impl Interpreter {
    /// Reads a row; `record` is its number.
    pub(super) fn read<'f>(&mut self, fields: &'f Fields<'f>, record: u64) -> Reading<'f> {
        self.is_of_firewall = self.is_of_firewall || names_firewall(fields);
        let category = match Category::of(fields) {
            Category::Other => return Reading::OtherCategory,
            category => category,
        };
        match self.record(fields, category, record) {
            Ok(read) => {
                self.is_of_firewall = true;
                self.has_category_column |= has_category_column(fields);
                Reading::Record(read)
            }
            Err(fault) => Reading::Fault(fault),
        }
    }

    /// Returns true once a row of Log Analytics named its category, which a query over several
    /// categories needs.
    pub(super) fn has_category_column(&self) -> bool {
        self.has_category_column
    }

    /// Returns true once a row showed itself to be a firewall's, with a flow or without.
    pub(super) fn is_of_firewall(&self) -> bool {
        self.is_of_firewall
    }

    fn record<'f>(
        &mut self,
        fields: &'f Fields<'f>,
        category: Category,
        record: u64,
    ) -> Result<FirewallRecord, Fault<'f>> {
        if let Some(field) = fields.repeated() {
            return Err(Fault::Repeated(field));
        }
        let time_ns = read_time(fields)?;
        let firewall = fields.text(Field::ResourceId).or_else(|| fields.text(Field::Resource));
        let firewall = firewall.map(|text| self.firewall(text));
        let mut read = match fields.text(Field::Message) {
            Some(text) => {
                let message = Message::parse(text).ok_or(Fault::Message(text))?;
                self.record_of_message(&message, category).ok_or(Fault::Message(text))?
            }
            None => self.record_of_columns(fields, category)?,
        };
        if matches!(read.protocol, Some(protocol::ICMP | protocol::ICMPV6)) {
            (read.source_port, read.destination_port) = (None, None);
        }
        Ok(FirewallRecord { time_ns, firewall, record, ..read })
    }

    fn firewall(&mut self, text: &str) -> FirewallName {
        if let Some(firewall) = &self.firewall
            && firewall.as_str() == text
        {
            return firewall.clone();
        }
        let firewall = FirewallName::new(self.names.intern(text));
        self.firewall.insert(firewall).clone()
    }

    /// The category of a legacy log says less than its text.
    fn record_of_message(
        &mut self,
        message: &Message<'_>,
        category: Category,
    ) -> Option<FirewallRecord> {
        let translated = match message.translated {
            None => None,
            Some(Endpoint { host, port }) => Some((host.parse().ok()?, port)),
        };
        let destination = message.destination;
        let category = if message.is_threat_intel {
            Some(FirewallCategory::ThreatIntel)
        } else if message.is_idps {
            Some(FirewallCategory::IdpsSignature)
        } else if translated.is_some() {
            Some(FirewallCategory::NatRule)
        } else {
            category.known()
        };
        Some(FirewallRecord {
            category,
            is_legacy: true,
            action: message.action.map(read_action),
            protocol: read_protocol(message.protocol),
            source: message.source.host.parse().ok()?,
            source_port: message.source.port,
            destination: self.destination(destination.map(|endpoint| endpoint.host)),
            destination_port: destination.and_then(|endpoint| endpoint.port),
            translated,
            rule: message.rule.filter(|name| !name.is_empty()).map(|name| self.names.intern(name)),
            ..FirewallRecord::unread()
        })
    }

    fn record_of_columns<'f>(
        &mut self,
        fields: &'f Fields<'f>,
        category: Category,
    ) -> Result<FirewallRecord, Fault<'f>> {
        let translated = match read::<IpAddr>(fields, Field::TranslatedIp)? {
            None => None,
            Some(address) => Some((address, read_port(fields, Field::TranslatedPort)?)),
        };
        let destination = match read(fields, Field::DestinationIp)? {
            Some(address) => FirewallDestination::Address(address),
            None => self.destination(fields.text(Field::Fqdn)),
        };
        Ok(FirewallRecord {
            category: category.known(),
            action: fields.text(Field::Action).map(read_action),
            protocol: read_any_protocol(fields),
            source: read(fields, Field::SourceIp)?.ok_or(Fault::NoSource)?,
            source_port: read_port(fields, Field::SourcePort)?,
            destination,
            destination_port: read_port(fields, Field::DestinationPort)?,
            translated,
            rule: fields.text(Field::Rule).map(|name| self.names.intern(name)),
            flag: fields.text(Field::Flag).map(read_flag),
            ..FirewallRecord::unread()
        })
    }

    fn destination(&mut self, host: Option<&str>) -> FirewallDestination {
        match host {
            None => FirewallDestination::Unknown,
            Some(host) => match host.parse() {
                Ok(address) => FirewallDestination::Address(address),
                Err(_) => FirewallDestination::Fqdn(self.names.intern(host)),
            },
        }
    }
}

impl FirewallRecord {
    /// A record of which nothing is told, to be filled.
    fn unread() -> Self {
        Self {
            time_ns: 0,
            firewall: None,
            category: None,
            is_legacy: false,
            action: None,
            protocol: None,
            source: IpAddr::from([0; 4]),
            source_port: None,
            destination: FirewallDestination::Unknown,
            destination_port: None,
            translated: None,
            rule: None,
            flag: None,
            record: 0,
        }
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Enough to find it again.
        const SHOWN_CHARS: usize = 80;
        match self {
            Self::NoTime => f.write_str("no time"),
            Self::LocalTime => f.write_str("a local time without its zone"),
            Self::NoSource => f.write_str("no source address"),
            Self::Repeated(field) => {
                write!(f, "{} stands twice, with different values", field.title())
            }
            Self::Message(text) => {
                let shown: String = text.chars().take(SHOWN_CHARS).collect();
                write!(f, "msg {shown:?}")
            }
            Self::Value(field, Value::Text(text)) => {
                let shown: String = text.chars().take(SHOWN_CHARS).collect();
                write!(f, "{} {shown:?}", field.title())
            }
            Self::Value(field, Value::Number(number)) => write!(f, "{} {number}", field.title()),
        }
    }
}

/// What a row says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Category {
    Known(FirewallCategory),
    Other,
    Untold,
}

impl Category {
    /// A table of its own names itself as the row's type; its `Category`, if it has one, is a
    /// signature's. `AzureDiagnostics` and stored records have a category.
    fn of(fields: &Fields<'_>) -> Self {
        let category = fields.text(Field::Category).or_else(|| fields.text(Field::OperationName));
        match (fields.text(Field::Type), category) {
            (Some(table), _) if starts_with(table, "AZFW") => Self::named(table),
            (_, Some(category)) => Self::named(category),
            (Some(table), None) if !table.eq_ignore_ascii_case("AzureDiagnostics") => Self::Other,
            (_, None) => Self::Untold,
        }
    }

    /// The legacy categories, and the operations that tell more.
    fn named(word: &str) -> Self {
        const LEGACY: [(&str, FirewallCategory); 7] = [
            ("AzureFirewallNetworkRule", FirewallCategory::NetworkRule),
            ("AzureFirewallNetworkRuleLog", FirewallCategory::NetworkRule),
            ("AzureFirewallNatRuleLog", FirewallCategory::NatRule),
            ("AzureFirewallApplicationRule", FirewallCategory::ApplicationRule),
            ("AzureFirewallApplicationRuleLog", FirewallCategory::ApplicationRule),
            ("AzureFirewallThreatIntelLog", FirewallCategory::ThreatIntel),
            ("AzureFirewallIDSLog", FirewallCategory::IdpsSignature),
        ];
        let structured = FirewallCategory::ALL.into_iter();
        structured
            .map(|category| (category.as_str(), category))
            .chain(LEGACY)
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map_or(Self::Other, |(_, category)| Self::Known(category))
    }

    fn known(self) -> Option<FirewallCategory> {
        match self {
            Self::Known(category) => Some(category),
            Self::Other | Self::Untold => None,
        }
    }
}

/// Returns true where the resource, the category or the table is a firewall's, even where the row
/// tells of no flow: its DNS proxy, its metrics.
fn names_firewall(fields: &Fields<'_>) -> bool {
    let is_word = |field| {
        let word = fields.text(field).unwrap_or_default();
        starts_with(word, "AZFW") || starts_with(word, "AzureFirewall")
    };
    let id = fields.text(Field::ResourceId).unwrap_or_default();
    is_word(Field::Category)
        || is_word(Field::Type)
        || id.split('/').any(|part| part.eq_ignore_ascii_case("azureFirewalls"))
}

/// A table of its own holds one category, whatever its `Category` says.
fn has_category_column(fields: &Fields<'_>) -> bool {
    let table = fields.text(Field::Type).unwrap_or_default();
    fields.has(Field::TimeGenerated) && fields.has(Field::Category) && !starts_with(table, "AZFW")
}

fn starts_with(text: &str, head: &str) -> bool {
    text.get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head))
}

fn read_time<'f>(fields: &'f Fields<'f>) -> Result<i64, Fault<'f>> {
    for field in [Field::Time, Field::TimeGenerated] {
        if let Some(value) = fields.get(field) {
            let text = fields.text(field).unwrap_or_default();
            return time_ns(text).ok_or(Fault::Value(field, value));
        }
    }
    Err(if fields.has(Field::LocalTime) { Fault::LocalTime } else { Fault::NoTime })
}

fn read<'f, T: FromStr>(fields: &'f Fields<'f>, field: Field) -> Result<Option<T>, Fault<'f>> {
    let Some(value) = fields.get(field) else { return Ok(None) };
    let read = fields.text(field).and_then(|text| text.parse().ok());
    read.map(Some).ok_or(Fault::Value(field, value))
}

/// Ports are numbers in stored logs and texts in queries' results, which may show a whole number
/// as `443.0`.
fn read_port<'f>(fields: &'f Fields<'f>, field: Field) -> Result<Option<u16>, Fault<'f>> {
    let Some(value) = fields.get(field) else { return Ok(None) };
    let port = match value {
        Value::Number(number) => port_of(*number),
        Value::Text(text) => {
            let text = text.trim();
            text.split_once('.')
                .map_or(Some(text), |(whole, zeros)| {
                    zeros.bytes().all(|byte| byte == b'0').then_some(whole)
                })
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok())
        }
    };
    port.map(Some).ok_or(Fault::Value(field, value))
}

/// The conversion saturates, so that only a whole number in range comes back as itself.
fn port_of(number: f64) -> Option<u16> {
    let port = number as u16;
    (f64::from(port) == number).then_some(port)
}

fn read_any_protocol(fields: &Fields<'_>) -> Option<u8> {
    match fields.get(Field::Protocol)? {
        Value::Text(text) => read_protocol(text),
        Value::Number(number) => port_of(*number).and_then(|number| number.try_into().ok()),
    }
}

/// What application rules see goes over TCP.
fn read_protocol(text: &str) -> Option<u8> {
    let word =
        text.split(|letter: char| !letter.is_ascii_alphanumeric()).find(|w| !w.is_empty())?;
    let is_any = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    if is_any(&["TCP", "HTTP", "HTTPS", "MSSQL"]) {
        Some(protocol::TCP)
    } else if is_any(&["UDP"]) {
        Some(protocol::UDP)
    } else if is_any(&["ICMP"]) {
        Some(protocol::ICMP)
    } else if is_any(&["ICMPV6"]) {
        Some(protocol::ICMPV6)
    } else {
        word.parse().ok()
    }
}

fn read_action(word: &str) -> FirewallAction {
    let is_any = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    if is_any(&["Allow", "Allowed"]) {
        FirewallAction::Allow
    } else if is_any(&["Deny", "Denied", "Drop", "Reject", "AlertAndDeny", "Alert and deny"]) {
        FirewallAction::Deny
    } else if is_any(&["Alert"]) {
        FirewallAction::Alert
    } else {
        FirewallAction::Other
    }
}

fn read_flag(word: &str) -> FlowTraceFlag {
    let known = [
        ("SYN-ACK", FlowTraceFlag::SynAck),
        ("FIN", FlowTraceFlag::Fin),
        ("FIN-ACK", FlowTraceFlag::FinAck),
        ("RST", FlowTraceFlag::Rst),
        ("INVALID", FlowTraceFlag::Invalid),
    ];
    let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map_or(FlowTraceFlag::Other, |(_, flag)| flag)
}

//! `nexthop.toml`: what no export can say.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::net::{AddressPrefix, MacAddress};

/// What `nexthop.toml` at a snapshot's root says. Everything is optional.
///
/// # Examples
///
/// Every key, with what it means:
///
/// ```
/// use nexthop::azure::{ServiceEndpointPriority, Settings, TableSource};
///
/// let settings = Settings::parse(r#"
/// ## At the same prefix a service endpoint wins over a user-defined route, and a longer prefix over
/// ## both ("lpm", the default); or service endpoints win over every other route ("absolute").
/// service_endpoint_priority = "absolute"
///
/// ## Which reserved blocks a computed table drops: those that are documented (the default), or
/// ## those seen in exports of 2021 or 2022.
/// system_none_profile = "observed_2022"
///
/// ## A network virtual appliance that is a firewall: its addresses as next hop, and its subnets.
/// [[firewall]]
/// name = "hub-nva"
/// addresses = ["10.0.1.4", "10.0.1.5"]
/// subnets = ["10.0.1.0/26"]     # prefixes, or VNET/SUBNET of an exported VNet
///
/// ## An exported table: which file it is, how it is to be called, and which sources use it.
/// [[table]]
/// file = "vm1-nic.json"       # the file's name, stem or relative path, in any case
/// name = "vm1"                # the stem if it is left out
/// sources = [
///     "10.1.0.0/24",          # an address prefix
///     "mac:000D3AF87856",     # a MAC address
///     "nic:vm1-nic",          # a NIC's name
///     "subnet:spoke1/apps",   # VNET/SUBNET
/// ]
///
/// ## A name for a prefix, in reports.
/// [[name]]
/// prefix = "192.168.0.0/16"
/// name = "on-premises"
///
/// ## What a host name resolves to where its readers are; no export tells it.
/// [[host]]
/// name = "portal.azurewebsites.net"
/// addresses = ["10.2.9.5"]
///
/// ## Prefixes of service tags; they go before those of Microsoft's file.
/// [service_tags]
/// "Storage.EastUS" = ["20.38.98.0/24"]
///
/// ## What no export of an App Service site tells.
/// [[site]]
/// name = "shop"
/// route_all = true
/// "#)?;
///
/// assert_eq!(settings.service_endpoint_priority, ServiceEndpointPriority::Absolute);
/// assert_eq!(settings.tables[0].sources[2], TableSource::Nic("vm1-nic".to_owned()));
/// assert_eq!(settings.service_tags["Storage.EastUS"].len(), 1);
///
/// let error = Settings::parse("[[firewall]]\nnmae = \"hub\"\n").unwrap_err();
/// assert!(error.to_string().starts_with("line 2, column 1: unknown field `nmae`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Network virtual appliances that are firewalls.
    #[serde(rename = "firewall")]
    pub firewalls: Vec<FirewallSetting>,
    /// Exported tables and who uses them.
    #[serde(rename = "table")]
    pub tables: Vec<TableSetting>,
    /// Names of prefixes.
    #[serde(rename = "name")]
    pub prefix_names: Vec<PrefixName>,
    /// Addresses of host names.
    #[serde(rename = "host")]
    pub hosts: Vec<HostSetting>,
    /// Prefixes of service tags.
    #[serde(deserialize_with = "service_tags")]
    pub service_tags: BTreeMap<String, Vec<AddressPrefix>>,
    /// App Service sites.
    #[serde(rename = "site")]
    pub sites: Vec<SiteSetting>,
    /// How service endpoints rank among routes.
    pub service_endpoint_priority: ServiceEndpointPriority,
    /// Which reserved blocks a computed table drops.
    pub system_none_profile: SystemNoneProfile,
}

/// A network virtual appliance that is a firewall. It has an address or a subnet at least.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawFirewall")]
pub struct FirewallSetting {
    /// Its name in reports.
    pub name: String,
    /// The addresses that routes name as next hop.
    pub addresses: Vec<IpAddr>,
    /// The subnets that its instances are in.
    pub subnets: Vec<AddressPrefix>,
    /// Those that are named instead; a loaded snapshot has none left, since their prefixes stand in
    /// its resources.
    pub subnet_names: Vec<String>,
}

/// An exported table. It has a file or a name at least.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawTable")]
pub struct TableSetting {
    /// The file's name, stem or relative path, in any case.
    pub file: Option<String>,
    /// The table's name; with a `file`, the name to give it.
    pub name: Option<String>,
    /// Which sources of packets use it.
    pub sources: Vec<TableSource>,
}

/// A source of packets that uses a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableSource {
    /// Every address of a prefix: `10.1.0.0/24`.
    Prefix(AddressPrefix),
    /// The NIC with a MAC address: `mac:000D3AF87856`.
    Mac(MacAddress),
    /// The NIC of a name: `nic:NAME`.
    Nic(String),
    /// A subnet: `subnet:VNET/NAME`.
    Subnet(String),
}

/// A name for a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefixName {
    /// The prefix.
    #[serde(deserialize_with = "from_text")]
    pub prefix: AddressPrefix,
    /// Its name.
    pub name: String,
}

/// What a host name resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSetting {
    /// The name, compared without case.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// What no export of an App Service site tells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSetting {
    /// The site's name.
    pub name: String,
    /// Whether all of its traffic enters the VNet (`WEBSITE_VNET_ROUTE_ALL`).
    pub route_all: bool,
}

/// How service endpoints rank among routes: the published sources contradict each other.
///
/// This is a decision, not a fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceEndpointPriority {
    /// The longest prefix wins; at the same prefix the service endpoint does.
    #[default]
    Lpm,
    /// A service endpoint wins over every other route.
    Absolute,
}

/// Which reserved blocks are routed to `None` in a computed table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum SystemNoneProfile {
    /// The four of Microsoft's documentation.
    #[default]
    #[serde(rename = "documented")]
    Documented,
    /// Those of exports published in 2021.
    #[serde(rename = "observed_2021")]
    Observed2021,
    /// Those of exports published in 2022 and later.
    #[serde(rename = "observed_2022")]
    Observed2022,
}

/// What is wrong with a `nexthop.toml`, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SettingsError {
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

/// A text that is no source of packets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no source: an address prefix, `mac:ADDRESS`, `nic:NAME` or `subnet:VNET/NAME` is"
)]
pub struct TableSourceError {
    text: String,
}

impl Settings {
    /// Reads the text of a `nexthop.toml`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] for what is no TOML, a key that is not known, and a value that is not what
    /// its key needs.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            SettingsError {
                line: before.matches('\n').count() as u64 + 1,
                column: before[line_start..].chars().count() as u64 + 1,
                message: error.message().trim_end().replace('\n', " "),
            }
        })
    }
}

impl FromStr for TableSource {
    type Err = TableSourceError;

    fn from_str(text: &str) -> Result<Self, TableSourceError> {
        let error = || TableSourceError { text: text.to_owned() };
        // An IPv6 prefix holds colons too.
        if let Ok(prefix) = text.parse() {
            return Ok(Self::Prefix(prefix));
        }
        let (kind, name) = text.split_once(':').ok_or_else(error)?;
        let name = name.trim();
        match kind.trim().to_ascii_lowercase().as_str() {
            "mac" => name.parse().map(Self::Mac).map_err(|_| error()),
            "nic" if !name.is_empty() => Ok(Self::Nic(name.to_owned())),
            "subnet" if name.split('/').filter(|part| !part.is_empty()).count() >= 2 => {
                Ok(Self::Subnet(name.to_owned()))
            }
            _ => Err(error()),
        }
    }
}

impl<'de> Deserialize<'de> for TableSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFirewall {
    name: String,
    #[serde(default)]
    addresses: Vec<IpAddr>,
    #[serde(default)]
    subnets: Vec<FirewallSubnetText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    file: Option<String>,
    name: Option<String>,
    #[serde(default)]
    sources: Vec<TableSource>,
}

impl TryFrom<RawFirewall> for FirewallSetting {
    type Error = String;

    fn try_from(raw: RawFirewall) -> Result<Self, String> {
        if raw.addresses.is_empty() && raw.subnets.is_empty() {
            return Err(format!("the firewall `{}` needs `addresses` or `subnets`", raw.name));
        }
        let (mut subnets, mut subnet_names) = (Vec::new(), Vec::new());
        for FirewallSubnetText(subnet) in raw.subnets {
            match subnet {
                FirewallSubnet::Prefix(prefix) => subnets.push(prefix),
                FirewallSubnet::Name(name) => subnet_names.push(name),
            }
        }
        Ok(Self { name: raw.name, addresses: raw.addresses, subnets, subnet_names })
    }
}

/// Where a firewall's instances are.
enum FirewallSubnet {
    Prefix(AddressPrefix),
    /// VNET/SUBNET, the same with more before it, or a whole identifier.
    Name(String),
}

impl FromStr for FirewallSubnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = match text.parse() {
            Ok(prefix) => return Ok(Self::Prefix(prefix)),
            Err(error) => error,
        };
        // The form of a policy is taken, too.
        let name = text.trim().strip_prefix("subnet:").unwrap_or(text).trim();
        let mut parts = name.split('/').filter(|part| !part.is_empty());
        let has_letters = |part: &str| part.contains(|letter: char| letter.is_alphabetic());
        // Names have letters; what looks like a prefix and is none is a mistake.
        let is_name = !name.contains(':') && parts.clone().count() >= 2 && parts.any(has_letters);
        if is_name {
            Ok(Self::Name(name.to_owned()))
        } else {
            Err(format!("{error}, and no VNET/SUBNET"))
        }
    }
}

/// As TOML holds it.
#[derive(Deserialize)]
struct FirewallSubnetText(#[serde(deserialize_with = "from_text")] FirewallSubnet);

impl TryFrom<RawTable> for TableSetting {
    type Error = &'static str;

    fn try_from(RawTable { file, name, sources }: RawTable) -> Result<Self, &'static str> {
        if file.is_none() && name.is_none() {
            return Err("a table needs `file` or `name`");
        }
        Ok(Self { file, name, sources })
    }
}

/// A prefix as TOML holds it.
#[derive(Deserialize)]
struct PrefixText(#[serde(deserialize_with = "from_text")] AddressPrefix);

fn service_tags<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Vec<AddressPrefix>>, D::Error> {
    let texts = BTreeMap::<String, Vec<PrefixText>>::deserialize(deserializer)?;
    let bare = |list: Vec<PrefixText>| list.into_iter().map(|PrefixText(prefix)| prefix).collect();
    Ok(texts.into_iter().map(|(tag, prefixes)| (tag, bare(prefixes))).collect())
}

fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    deserializer.deserialize_str(TextVisitor(PhantomData))
}

/// Parses inside the visit, where an error still gets the place of its text.
struct TextVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_the_default() {
        let settings = Settings::parse("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.service_endpoint_priority, ServiceEndpointPriority::Lpm);
        assert_eq!(settings.system_none_profile, SystemNoneProfile::Documented);
    }

    #[test]
    fn sources_of_every_kind() {
        for (text, want) in [
            ("10.1.0.0/24", TableSource::Prefix("10.1.0.0/24".parse().unwrap())),
            ("fd00::/8", TableSource::Prefix("fd00::/8".parse().unwrap())),
            ("10.1.0.4", TableSource::Prefix("10.1.0.4/32".parse().unwrap())),
            ("mac:00-0D-3A-F8-78-56", TableSource::Mac("000D3AF87856".parse().unwrap())),
            ("NIC:vm1 nic", TableSource::Nic("vm1 nic".to_owned())),
            ("subnet:hub/GatewaySubnet", TableSource::Subnet("hub/GatewaySubnet".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        for text in
            ["", "vm1", "10.0.0.0/33", "mac:1", "nic:", "subnet:hub", "subnet:/", "vm:x", "fd00:"]
        {
            assert!(text.parse::<TableSource>().is_err(), "{text}");
        }
    }

    #[test]
    fn errors_point_at_the_text() {
        for (text, line, column, part) in [
            ("frewall = 1", 1, 1, "unknown field `frewall`"),
            ("[[table]]\nfile = \"a\"\nsource = []\n", 3, 1, "unknown field `source`"),
            ("[[table]]\nsources = []\n", 1, 1, "needs `file` or `name`"),
            (
                "[[table]]\nfile = \"a\"\nsources = [\"10.0.0.0/8\", \"x\"]\n",
                3,
                26,
                "`x` is no source",
            ),
            ("[[firewall]]\nname = \"f\"\n", 1, 1, "needs `addresses` or `subnets`"),
            ("[[firewall]]\nname = \"f\"\naddresses = [\"10.0.0\"]\n", 3, 14, "IP address"),
            ("[[firewall]]\nname = \"f\"\nsubnets = [\"10.0.0/8\"]\n", 3, 12, "no VNET/SUBNET"),
            ("[[firewall]]\nname = \"f\"\nsubnets = [\"hub\"]\n", 3, 12, "no VNET/SUBNET"),
            ("[service_tags]\nStorage = [\"10.0.0.0/33\"]\n", 2, 12, "prefix length"),
            ("service_endpoint_priority = \"max\"\n", 1, 29, "unknown variant `max`"),
            ("[[site]]\nname = \"s\"\nroute_all = 1\n", 3, 13, "boolean"),
            ("[service_tags]\nStorage = [4]\n", 2, 12, "expected a text"),
            ("[[host]]\nname = \"s\"\naddresses = [\"x\"]\n", 3, 14, "IP address"),
            ("é = [\n", 1, 1, ""),
        ] {
            let error = Settings::parse(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {error}");
            if !part.is_empty() {
                assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
            }
        }
    }
}

//! The policy: what recorded flows must pass, and what is exempt.

use std::fmt;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::net::{AddressPrefix, protocol};
use crate::routing::NextHopClass;

/// What is asked of flows.
///
/// # Examples
///
/// ```
/// use nexthop::coverage::{Policy, Via};
///
/// let policy = Policy::parse(r#"
/// [[require]]
/// name = "on-premises to private endpoints"
/// from = ["192.168.0.0/24"]
/// to = ["class:private_endpoint"]
/// ports = [1433]
/// protocol = "tcp"
/// via = "firewall"
///
/// [[exempt]]
/// from = ["subnet:hub/monitoring"]
/// to = ["any"]
/// reason = "probes go straight"
/// "#)?;
/// assert_eq!(policy.rules[0].via, Via::Firewall { name: None });
///
/// let error = Policy::parse("[[require]]\nname = \"x\"\nvia = \"router\"\n").unwrap_err();
/// assert!(error.to_string().starts_with("line 3, column 7: `router` is no way to go"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What is required; every rule that matches a flow is judged, and the worst verdict stands.
    #[serde(rename = "require")]
    pub rules: Vec<Rule>,
    /// What is not judged.
    #[serde(rename = "exempt")]
    pub exemptions: Vec<Exemption>,
}

/// A requirement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in reports.
    pub name: String,
    /// Where flows start.
    #[serde(default = "anywhere")]
    pub from: Vec<Selector>,
    /// Where they go.
    #[serde(default = "anywhere")]
    pub to: Vec<Selector>,
    /// Destination ports; empty for all.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// The protocol; `None` for all.
    #[serde(default, deserialize_with = "protocol_from_text")]
    pub protocol: Option<u8>,
    /// What their path must do.
    #[serde(deserialize_with = "from_text")]
    pub via: Via,
    /// Flows initiated from the other side are asked the same.
    #[serde(default)]
    pub both_ways: bool,
    /// Flows that stay inside one VNet are not asked.
    #[serde(default)]
    pub between_vnets: bool,
}

/// Flows that are not judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// Where flows start.
    #[serde(default = "anywhere")]
    pub from: Vec<Selector>,
    /// Where they go.
    #[serde(default = "anywhere")]
    pub to: Vec<Selector>,
    /// Destination ports; empty for all.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// The protocol; `None` for all.
    #[serde(default, deserialize_with = "protocol_from_text")]
    pub protocol: Option<u8>,
    /// Flows initiated from the other side are exempt, too.
    #[serde(default)]
    pub both_ways: bool,
    /// Why; the report repeats it.
    pub reason: String,
}

/// What the path of a flow must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A hop is a firewall, or the firewall of that name.
    Firewall {
        /// The firewall; `None` for any.
        name: Option<String>,
    },
    /// It leaves at a gateway.
    Gateway,
    /// It leaves to the Internet, through no firewall or appliance.
    Internet,
    /// It meets no firewall, appliance or gateway.
    Direct,
    /// It is dropped.
    None,
}

/// A set of addresses by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `10.0.0.0/8`.
    Prefix(AddressPrefix),
    /// `vnet:NAME`; `vnet:*` is every VNet.
    Vnet(String),
    /// `subnet:VNET/NAME`.
    Subnet(String),
    /// `pool:GATEWAY/POOL`: the members of an application gateway's backend pool.
    Pool(String),
    /// `nic:NAME`.
    Nic(String),
    /// Everything outside private, special and on-premises space.
    Internet,
    /// What lies behind the gateways.
    OnPremises,
    /// Every address.
    Any,
    /// `class:private_endpoint`, `class:firewall`, `class:gateway`: what an address *is*.
    Class(NextHopClass),
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct PolicyError {
    /// 1-based.
    pub line: u64,
    /// 1-based, in characters.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

/// A set of built-in rules that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no built-in rule; there are: {}", BuiltIn::NAMES.join(", "))]
pub struct BuiltInError {
    name: String,
}

/// Built-in rules for `--require`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn;

impl Policy {
    /// Reads the text of a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the place, for what is no TOML, a key that is not known, and a value
    /// that is not what its key needs.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            PolicyError {
                line: before.matches('\n').count() as u64 + 1,
                column: before[line_start..].chars().count() as u64 + 1,
                message: error.message().trim_end().replace('\n', " "),
            }
        })
    }
}

impl BuiltIn {
    /// The names that `--require` takes.
    pub const NAMES: [&'static str; 5] =
        ["internet-egress", "spoke-to-spoke", "on-premises", "private-endpoints", "all-private"];

    /// Returns the rules that a name stands for, as a policy file would say them:
    ///
    /// * `internet-egress`: from private space to `internet`, via the firewall;
    /// * `spoke-to-spoke`: from `vnet:*` to `vnet:*`, `between_vnets`, via the firewall;
    /// * `on-premises`: from `on-premises` to private space, via the firewall, `both_ways`;
    /// * `private-endpoints`: from `any` to `class:private_endpoint`, via the firewall;
    /// * `all-private`: from private space to private space, `between_vnets` (which leaves out what
    ///   stays inside one VNet), via the firewall.
    ///
    /// Private space is 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 and fc00::/7.
    ///
    /// # Errors
    ///
    /// [`BuiltInError`] for any other name.
    pub fn rules(name: &str) -> Result<Rule, BuiltInError> {
        let rule = |from: Vec<Selector>, to: Vec<Selector>| Rule {
            name: name.to_owned(),
            from,
            to,
            ports: Vec::new(),
            protocol: None,
            via: Via::Firewall { name: None },
            both_ways: false,
            between_vnets: false,
        };
        Ok(match name {
            "internet-egress" => rule(private_space(), vec![Selector::Internet]),
            "spoke-to-spoke" => {
                let every_vnet = || vec![Selector::Vnet("*".to_owned())];
                Rule { between_vnets: true, ..rule(every_vnet(), every_vnet()) }
            }
            "all-private" => Rule { between_vnets: true, ..rule(private_space(), private_space()) },
            "on-premises" => {
                Rule { both_ways: true, ..rule(vec![Selector::OnPremises], private_space()) }
            }
            "private-endpoints" => {
                rule(anywhere(), vec![Selector::Class(NextHopClass::PrivateEndpoint)])
            }
            _ => return Err(BuiltInError { name: name.to_owned() }),
        })
    }
}

impl Via {
    /// Returns true for any firewall and for one by name.
    pub fn asks_firewall(&self) -> bool {
        matches!(self, Self::Firewall { .. })
    }
}

impl FromStr for Via {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.split_once(':') {
            Some(("firewall", name)) if !name.is_empty() => {
                Self::Firewall { name: Some(name.to_owned()) }
            }
            None if text == "firewall" => Self::Firewall { name: None },
            None if text == "gateway" => Self::Gateway,
            None if text == "internet" => Self::Internet,
            None if text == "direct" => Self::Direct,
            None if text == "none" => Self::None,
            _ => {
                return Err(format!(
                    "`{text}` is no way to go: firewall, firewall:NAME, gateway, internet, direct \
                     or none is"
                ));
            }
        })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An IPv6 prefix holds colons too.
        if let Ok(prefix) = text.parse() {
            return Ok(Self::Prefix(prefix));
        }
        let error = || {
            format!(
                "`{text}` selects nothing: an address prefix, vnet:NAME, subnet:VNET/NAME, \
                 pool:GATEWAY/POOL, nic:NAME, internet, on-premises, any, or \
                 class:private_endpoint, class:firewall, class:gateway does"
            )
        };
        match text.split_once(':') {
            None => match text {
                "internet" => Ok(Self::Internet),
                "on-premises" => Ok(Self::OnPremises),
                "any" => Ok(Self::Any),
                _ => Err(error()),
            },
            Some((_, "")) => Err(error()),
            Some(("vnet", name)) => Ok(Self::Vnet(name.to_owned())),
            Some(("nic", name)) => Ok(Self::Nic(name.to_owned())),
            Some(("subnet", name)) if name.contains('/') => Ok(Self::Subnet(name.to_owned())),
            Some(("pool", name)) if name.contains('/') => Ok(Self::Pool(name.to_owned())),
            Some(("class", "private_endpoint")) => Ok(Self::Class(NextHopClass::PrivateEndpoint)),
            Some(("class", "firewall")) => Ok(Self::Class(NextHopClass::Firewall)),
            Some(("class", "gateway")) => Ok(Self::Class(NextHopClass::Gateway)),
            Some(_) => Err(error()),
        }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Vnet(name) => write!(f, "vnet:{name}"),
            Self::Subnet(name) => write!(f, "subnet:{name}"),
            Self::Pool(name) => write!(f, "pool:{name}"),
            Self::Nic(name) => write!(f, "nic:{name}"),
            Self::Internet => f.write_str("internet"),
            Self::OnPremises => f.write_str("on-premises"),
            Self::Any => f.write_str("any"),
            Self::Class(class) => write!(f, "class:{class}"),
        }
    }
}

impl Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firewall { name: None } => f.write_str("firewall"),
            Self::Firewall { name: Some(name) } => write!(f, "firewall:{name}"),
            Self::Gateway => f.write_str("gateway"),
            Self::Internet => f.write_str("internet"),
            Self::Direct => f.write_str("direct"),
            Self::None => f.write_str("none"),
        }
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

fn anywhere() -> Vec<Selector> {
    vec![Selector::Any]
}

fn private_space() -> Vec<Selector> {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]
        .iter()
        .map(|prefix| Selector::Prefix(prefix.parse().expect("is a prefix")))
        .collect()
}

fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    deserializer.deserialize_str(TextVisitor(PhantomData))
}

fn protocol_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    from_text::<D, ProtocolText>(deserializer).map(|ProtocolText(number)| Some(number))
}

/// A protocol by name or number.
struct ProtocolText(u8);

impl FromStr for ProtocolText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text.to_ascii_lowercase().as_str() {
            "tcp" => protocol::TCP,
            "udp" => protocol::UDP,
            "icmp" => protocol::ICMP,
            "icmpv6" => protocol::ICMPV6,
            number => number.parse().map_err(|_| {
                format!("`{text}` is no protocol: tcp, udp, icmp, icmpv6 or a number is")
            })?,
        }))
    }
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
    fn selectors_of_every_kind_print_as_they_are_written() {
        for text in [
            "10.0.0.0/8",
            "fd00::/8",
            "vnet:hub",
            "subnet:hub/GatewaySubnet",
            "pool:agw/claims",
            "nic:web 1",
            "internet",
            "on-premises",
            "any",
            "class:private_endpoint",
            "class:firewall",
            "class:gateway",
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.to_string(), text);
        }
        for text in ["", "everything", "vnet:", "subnet:hub", "class:internet", "10.0.0.0/33"] {
            assert!(text.parse::<Selector>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_point_at_the_text() {
        for (text, line, column, part) in [
            (
                "[[require]]\nname = \"a\"\nvia = \"firewall\"\nfrm = []\n",
                4,
                1,
                "unknown field `frm`",
            ),
            (
                "[[require]]\nname = \"a\"\nfrom = [\"any\", \"x\"]\nvia = \"none\"\n",
                3,
                16,
                "selects nothing",
            ),
            ("[[require]]\nvia = \"none\"\n", 1, 1, "missing field `name`"),
            (
                "[[require]]\nname = \"a\"\nprotocol = \"sctp?\"\nvia = \"none\"\n",
                3,
                12,
                "is no protocol",
            ),
            ("[[exempt]]\nfrom = [\"any\"]\n", 1, 1, "missing field `reason`"),
        ] {
            let error = Policy::parse(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn every_built_in_name_stands_for_a_rule() {
        for name in BuiltIn::NAMES {
            assert_eq!(BuiltIn::rules(name).unwrap().name, name);
        }
        let error = BuiltIn::rules("everything").unwrap_err().to_string();
        assert!(error.contains("internet-egress, spoke-to-spoke"), "{error}");
    }
}

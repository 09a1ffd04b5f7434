//! One row of a firewall's log.

use std::net::IpAddr;
use std::sync::Arc;

/// What a firewall logged of a packet or a connection.
///
/// `None` stands for what the log does not tell, which is never 0.
///
/// Rule logs hold the first packet of a connection only; so a record tells when a connection
/// began, and nothing of how long it lasted.
///
/// Source: "Azure Firewall monitoring data reference", Azure documentation (read 2026-11-20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallRecord {
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// The firewall that wrote it.
    pub firewall: Option<FirewallName>,
    /// Which log it belongs to.
    pub category: Option<FirewallCategory>,
    /// True for the free text of the legacy logs, whose one category for network rules holds NAT
    /// rules, threat intelligence and IDPS, too.
    pub is_legacy: bool,
    /// What the firewall did; a NAT rule's log does not tell.
    pub action: Option<FirewallAction>,
    /// IANA protocol number; that of TCP for HTTP, HTTPS and MSSQL.
    pub protocol: Option<u8>,
    /// Sender.
    pub source: IpAddr,
    /// `None` for ICMP, and where the log aggregates.
    pub source_port: Option<u16>,
    /// Receiver, as the sender addressed it.
    pub destination: FirewallDestination,
    /// `None` for ICMP.
    pub destination_port: Option<u16>,
    /// Where a NAT rule sent it.
    pub translated: Option<(IpAddr, Option<u16>)>,
    /// The rule's name; `None` where no rule matched.
    pub rule: Option<Arc<str>>,
    /// Which packet of a TCP connection the flow trace saw.
    pub flag: Option<FlowTraceFlag>,
    /// The record's number in its input, 1-based; records without a flow have numbers, too.
    pub record: u64,
}

/// A firewall, as its log names it: a resource id, or only a name.
///
/// # Examples
///
/// ```
/// use nexthop::traffic::firewall::FirewallName;
///
/// let id = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.NETWORK/AZUREFIREWALLS/FW01";
/// let firewall = FirewallName::new(id);
/// assert_eq!(firewall.name(), "FW01");
/// assert_eq!(firewall.as_str(), id);
/// assert!(firewall.is_same(&FirewallName::new(id.to_lowercase())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FirewallName(Arc<str>);

/// Where a packet or a request was going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirewallDestination {
    /// An address.
    Address(IpAddr),
    /// The name in a request, which application rules go by.
    Fqdn(Arc<str>),
    /// The log does not tell: a TLS connection that named no server.
    Unknown,
}

/// The log that a record belongs to, whether structured or legacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirewallCategory {
    /// Network rules: the first packet of a connection.
    NetworkRule,
    /// Destination NAT rules: the first packet of a connection.
    NatRule,
    /// Application rules: a request.
    ApplicationRule,
    /// TCP packets beyond the first; off by default.
    FlowTrace,
    /// Connections of a high rate; off by default.
    FatFlow,
    /// Threat intelligence.
    ThreatIntel,
    /// Intrusion detection and prevention.
    IdpsSignature,
    /// Counts of network rules: no single connection.
    NetworkRuleAggregation,
    /// Counts of NAT rules: no single connection.
    NatRuleAggregation,
    /// Counts of application rules: no single connection.
    ApplicationRuleAggregation,
}

/// What a firewall did with a packet or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirewallAction {
    /// Let through.
    Allow,
    /// Dropped, rejected or reset.
    Deny,
    /// Let through, with an alert.
    Alert,
    /// Another word, such as the flow trace's `Log`.
    Other,
}

/// What the flow trace saw.
///
/// Source: "Azure Firewall flow trace logs", Azure documentation (read 2026-11-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowTraceFlag {
    /// `SYN-ACK`.
    SynAck,
    /// `FIN`.
    Fin,
    /// `FIN-ACK`.
    FinAck,
    /// `RST`.
    Rst,
    /// `INVALID`: a packet without a connection, the strongest hint at asymmetric routing.
    Invalid,
    /// Another word.
    Other,
}

impl FirewallRecord {
    /// Returns true where the record does not name one connection: it aggregates, or lacks a port
    /// that its protocol has.
    pub fn is_weak(&self) -> bool {
        let is_aggregate = self.category.is_some_and(FirewallCategory::is_aggregation);
        is_aggregate || self.source_port.is_none() || self.destination_port.is_none()
    }
}

impl FirewallName {
    /// Wraps a resource id or a name.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the text as the log has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name alone: the last part of a resource id.
    pub fn name(&self) -> &str {
        self.0.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }

    /// Returns true for the same text in any case, as Azure compares ids and names.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl FirewallCategory {
    /// Every category.
    pub const ALL: [Self; 10] = [
        Self::NetworkRule,
        Self::NatRule,
        Self::ApplicationRule,
        Self::FlowTrace,
        Self::FatFlow,
        Self::ThreatIntel,
        Self::IdpsSignature,
        Self::NetworkRuleAggregation,
        Self::NatRuleAggregation,
        Self::ApplicationRuleAggregation,
    ];

    /// Returns the word of the structured log, which is also its table's name.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::traffic::firewall::FirewallCategory;
    ///
    /// assert_eq!(FirewallCategory::FlowTrace.as_str(), "AZFWFlowTrace");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetworkRule => "AZFWNetworkRule",
            Self::NatRule => "AZFWNatRule",
            Self::ApplicationRule => "AZFWApplicationRule",
            Self::FlowTrace => "AZFWFlowTrace",
            Self::FatFlow => "AZFWFatFlow",
            Self::ThreatIntel => "AZFWThreatIntel",
            Self::IdpsSignature => "AZFWIdpsSignature",
            Self::NetworkRuleAggregation => "AZFWNetworkRuleAggregation",
            Self::NatRuleAggregation => "AZFWNatRuleAggregation",
            Self::ApplicationRuleAggregation => "AZFWApplicationRuleAggregation",
        }
    }

    /// Returns true for counts over many connections.
    pub fn is_aggregation(self) -> bool {
        matches!(
            self,
            Self::NetworkRuleAggregation
                | Self::NatRuleAggregation
                | Self::ApplicationRuleAggregation
        )
    }
}

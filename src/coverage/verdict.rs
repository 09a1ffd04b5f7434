//! The verdict on one logical flow, and the codes of findings.

use std::fmt;

/// What became of a flow that a policy may require to pass somewhere; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// To or from an address that the platform answers itself.
    Platform,
    /// The policy exempts it.
    Exempt,
    /// Denied before it went anywhere.
    Denied,
    /// Recorded as initiated by a private endpoint, which initiates nothing.
    SuspectDirection,
    /// No rule asks for anything.
    NotRequired,
    /// The routes of its ends are not known.
    Unknown,
    /// Seen at the firewall, although its path does not pass it.
    Unexpected,
    /// A judged direction is dropped, or has no route, somewhere on its path.
    OneWay,
    /// The judged directions do not pass the same firewalls.
    Asymmetric,
    /// No judged direction does what the rule asks.
    Bypass,
    /// Expected, and a source that would show it does not.
    Missing,
    /// Expected and seen.
    Covered,
    /// Expected; no source covers that time, firewall and category.
    CoveredUnconfirmed,
}

/// What a finding is about: stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingCode {
    /// Straight to a private endpoint.
    PrivateEndpointBypass,
    /// Straight to a service over its service endpoint.
    ServiceEndpointBypass,
    /// Straight over a peering.
    PeeringBypass,
    /// By a gateway.
    GatewayBypass,
    /// Straight to the Internet.
    InternetBypass,
    /// Straight inside the VNet.
    VnetBypass,
    /// Some of several equal-cost hops miss the firewall.
    EcmpPartial,
    /// The rule asks for something other than a firewall, and the path does otherwise.
    WrongNextHop,
    /// The forward direction misses the firewall.
    AsymmetricForward,
    /// The way back misses the firewall.
    AsymmetricReturn,
    /// One direction goes nowhere.
    OneWay,
    /// A log that would show the flow does not.
    MissingEvidence,
}

impl Verdict {
    /// Every verdict, in the order in which they apply.
    pub const ALL: [Self; 13] = [
        Self::Platform,
        Self::Exempt,
        Self::Denied,
        Self::SuspectDirection,
        Self::NotRequired,
        Self::Unknown,
        Self::Unexpected,
        Self::OneWay,
        Self::Asymmetric,
        Self::Bypass,
        Self::Missing,
        Self::Covered,
        Self::CoveredUnconfirmed,
    ];

    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Exempt => "exempt",
            Self::Denied => "denied",
            Self::SuspectDirection => "suspect_direction",
            Self::NotRequired => "not_required",
            Self::Unknown => "unknown",
            Self::Unexpected => "unexpected",
            Self::OneWay => "one_way",
            Self::Asymmetric => "asymmetric",
            Self::Bypass => "bypass",
            Self::Missing => "missing",
            Self::Covered => "covered",
            Self::CoveredUnconfirmed => "covered_unconfirmed",
        }
    }

    /// Returns true for a verdict that fails a run.
    pub fn is_finding(self) -> bool {
        matches!(self, Self::OneWay | Self::Asymmetric | Self::Bypass | Self::Missing)
    }

    /// Returns true for a verdict that percentages count: the flows of which something was asked
    /// and whose paths are known.
    pub fn counts_in_percentages(self) -> bool {
        self >= Self::OneWay
    }
}

impl FindingCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::PrivateEndpointBypass,
        Self::ServiceEndpointBypass,
        Self::PeeringBypass,
        Self::GatewayBypass,
        Self::InternetBypass,
        Self::VnetBypass,
        Self::EcmpPartial,
        Self::WrongNextHop,
        Self::AsymmetricForward,
        Self::AsymmetricReturn,
        Self::OneWay,
        Self::MissingEvidence,
    ];

    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrivateEndpointBypass => "private_endpoint_bypass",
            Self::ServiceEndpointBypass => "service_endpoint_bypass",
            Self::PeeringBypass => "peering_bypass",
            Self::GatewayBypass => "gateway_bypass",
            Self::InternetBypass => "internet_bypass",
            Self::VnetBypass => "vnet_bypass",
            Self::EcmpPartial => "ecmp_partial",
            Self::WrongNextHop => "wrong_next_hop",
            Self::AsymmetricForward => "asymmetric_forward",
            Self::AsymmetricReturn => "asymmetric_return",
            Self::OneWay => "one_way",
            Self::MissingEvidence => "missing_evidence",
        }
    }

    /// Returns what the code says, in a sentence for people.
    pub fn description(self) -> &'static str {
        match self {
            Self::PrivateEndpointBypass => {
                "Traffic goes straight to a private endpoint instead of through the firewall."
            }
            Self::ServiceEndpointBypass => {
                "Traffic goes to a service over its service endpoint instead of through the firewall."
            }
            Self::PeeringBypass => {
                "Traffic goes straight over a peering instead of through the firewall."
            }
            Self::GatewayBypass => "Traffic goes by a gateway instead of through the firewall.",
            Self::InternetBypass => {
                "Traffic goes straight to the Internet instead of through the firewall."
            }
            Self::VnetBypass => "Traffic stays inside the VNet instead of passing the firewall.",
            Self::EcmpPartial => "Some of several equal-cost next hops miss the firewall.",
            Self::WrongNextHop => "Traffic does not take the next hop that the rule asks for.",
            Self::AsymmetricForward => {
                "The way back passes the firewall and the forward direction does not."
            }
            Self::AsymmetricReturn => {
                "The forward direction passes the firewall and the way back does not."
            }
            Self::OneWay => "One direction is dropped or has no route.",
            Self::MissingEvidence => {
                "The firewall's logs cover the flow's time and do not show the flow."
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_count_from_one_way_to_covered_unconfirmed() {
        let counted: Vec<&str> = Verdict::ALL
            .into_iter()
            .filter(|verdict| verdict.counts_in_percentages())
            .map(Verdict::as_str)
            .collect();
        let want = ["one_way", "asymmetric", "bypass", "missing", "covered", "covered_unconfirmed"];
        assert_eq!(counted, want);
    }
}

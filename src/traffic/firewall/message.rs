//! The free text of the legacy logs.
//!
//! ```text
//! TCP request from 10.0.0.4:50306 to 10.1.0.4:3389. Action: Allow. Policy: … . Rule: NAME
//! ╰┬╯              ╰─────┬──────╯    ╰─────┬─────╯  ╰──────────────┬────────────────────╯
//! protocol           endpoint           endpoint         sentences, each with a label
//! ```
//!
//! The destination may be missing, and between it and the sentences may stand
//! `was DNAT'ed to 10.2.0.4:3389`.
//!
//! Source: "Azure Firewall legacy diagnostics logs", Azure documentation (read 2026-11-20).

use std::net::IpAddr;

/// A message taken apart; texts are as they stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'m> {
    pub(super) protocol: &'m str,
    pub(super) source: Endpoint<'m>,
    pub(super) destination: Option<Endpoint<'m>>,
    pub(super) translated: Option<Endpoint<'m>>,
    pub(super) action: Option<&'m str>,
    pub(super) rule: Option<&'m str>,
    pub(super) is_threat_intel: bool,
    pub(super) is_idps: bool,
}

/// A host and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint<'m> {
    pub(super) host: &'m str,
    pub(super) port: Option<u16>,
}

impl<'m> Message<'m> {
    /// Takes a message apart; none where it does not tell who asked, or has a port that is none.
    pub(super) fn parse(text: &'m str) -> Option<Self> {
        const FROM: &str = " request from ";
        let (protocol, rest) = text.split_once(FROM)?;
        let (source, rest) = endpoint(rest)?;
        let (destination, rest) = endpoint_behind(rest, "to ")?;
        let (translated, rest) = endpoint_behind(rest, "was DNAT'ed to ")?;
        let message = Self {
            protocol: protocol.split_whitespace().next()?,
            source,
            destination,
            translated,
            action: None,
            rule: None,
            is_threat_intel: false,
            is_idps: false,
        };
        Some(message.with_sentences(rest))
    }

    /// Takes what the labels tell. The text behind `IDS:` and `ThreatIntel:` is not Azure's own,
    /// and tells nothing more.
    fn with_sentences(mut self, mut rest: &'m str) -> Self {
        loop {
            rest = rest.trim_start_matches(['.', ' ']);
            if rest.is_empty() {
                return self;
            }
            let (label, text) = label_of(rest);
            rest = match label {
                // A sender may write anything into its URL, but no blank.
                "Url" => text.split_once(' ').map_or("", |(_, rest)| rest),
                "Action" => {
                    let end = text.find(['.', ' ']).unwrap_or(text.len());
                    self.action = self.action.or(Some(&text[..end]));
                    &text[end..]
                }
                "Rule" if self.rule.is_none() => {
                    let end = end_of_name(text);
                    self.rule = Some(text[..end].trim());
                    &text[end..]
                }
                "ThreatIntel" => return Self { is_threat_intel: true, ..self },
                "Signature" | "IDS" => return Self { is_idps: true, ..self },
                _ => rest.split_once(". ").map_or("", |(_, rest)| rest),
            };
        }
    }
}

/// Returns what a sentence is about, and the rest; nothing where it has no label.
fn label_of(text: &str) -> (&str, &str) {
    // Not searched beyond, as the next label may be far away.
    const LABEL_BYTES_MAX: usize = 24;
    let head = &text.as_bytes()[..text.len().min(LABEL_BYTES_MAX)];
    match head.iter().position(|byte| matches!(byte, b':' | b'.')) {
        Some(end) if head[end] == b':' => (&text[..end], text[end + 1..].trim_start_matches(' ')),
        _ => ("", text),
    }
}

/// Reads a host and its port up to the next blank, without the dots that end a sentence.
fn endpoint(text: &str) -> Option<(Endpoint<'_>, &str)> {
    let text = text.trim_start();
    let (word, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
    let word = word.trim_end_matches('.');
    if word.parse::<IpAddr>().is_ok() {
        return Some((Endpoint { host: word, port: None }, rest));
    }
    let (host, port) = word.rsplit_once(':').unwrap_or((word, ""));
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
    (!host.is_empty()).then_some((Endpoint { host, port }, rest))
}

/// Reads an endpoint that `word` announces; the outer `None` says that it is none.
fn endpoint_behind<'m>(text: &'m str, word: &str) -> Option<(Option<Endpoint<'m>>, &'m str)> {
    match text.trim_start().strip_prefix(word) {
        None => Some((None, text)),
        Some(text) => endpoint(text).map(|(endpoint, rest)| (Some(endpoint), rest)),
    }
}

/// Returns where a rule's name ends: it may hold anything, so only at a label that is known.
fn end_of_name(text: &str) -> usize {
    const LABELS: [&str; 6] = [
        ". Web Category: ",
        ". IDS: ",
        ". ThreatIntel: ",
        ". Priority: ",
        ". Signature: ",
        ". Action: ",
    ];
    LABELS.iter().filter_map(|label| text.find(label)).min().unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Endpoint<'_> {
        Endpoint { host, port: (port > 0).then_some(port) }
    }

    fn message<'m>(
        protocol: &'m str,
        source: Endpoint<'m>,
        destination: Option<Endpoint<'m>>,
        action: &'m str,
        rule: &'m str,
    ) -> Message<'m> {
        let told = |text: &'m str| (!text.is_empty()).then_some(text);
        Message {
            protocol,
            source,
            destination,
            translated: None,
            action: told(action),
            rule: told(rule),
            is_threat_intel: false,
            is_idps: false,
        }
    }

    #[test]
    fn every_shape_of_a_request_is_taken_apart() {
        let client = at("10.0.0.4", 50306);
        let server = Some(at("10.1.0.4", 3389));
        for (text, want) in [
            (
                "TCP request from 10.0.0.4:50306 to 10.1.0.4:3389. Action: Allow. Policy: p. \
                 Rule Collection Group: g. Rule Collection: c. Rule: r",
                message("TCP", client, server, "Allow", "r"),
            ),
            (
                "TCP request from 10.0.0.4:50306 to 10.1.0.4:3389. Action: Allow.. \
                 Rule Collection: Permit_RFC1918. Rule: Azure to #1/2, HTTP  ",
                message("TCP", client, server, "Allow", "Azure to #1/2, HTTP"),
            ),
            (
                "UDP request from 10.0.0.4:50306 to 10.1.0.4:3389. Action: Deny. ",
                message("UDP", client, server, "Deny", ""),
            ),
            (
                "ICMP Type=8 request from 10.0.0.4 to 10.1.0.4. Action: Deny. ",
                message("ICMP", at("10.0.0.4", 0), Some(at("10.1.0.4", 0)), "Deny", ""),
            ),
            (
                "HTTPS request from 10.0.0.4:50306 to www.example.com:443. Action: Allow. \
                 Rule: Allowed Business-Use. Web Category: ComputersAndTechnology",
                message(
                    "HTTPS",
                    client,
                    Some(at("www.example.com", 443)),
                    "Allow",
                    "Allowed Business-Use",
                ),
            ),
            (
                "HTTP  request from 10.0.0.4:50306 to example.com:80. Url: example.com/MFQ=. \
                 Action: Allow. Rule: r",
                message("HTTP", client, Some(at("example.com", 80)), "Allow", "r"),
            ),
            (
                "HTTPS request from 10.0.0.4:50306. Action: Deny. \
                 Reason: SNI TLS extension was missing.",
                message("HTTPS", client, None, "Deny", ""),
            ),
            (
                "HTTPS request from 10.0.0.4:50306 to example.com:443. Action: Deny. \
                 Failed to resolve address a.example:443: lookup a.example on 10.0.0.53:53: no",
                message("HTTPS", client, Some(at("example.com", 443)), "Deny", ""),
            ),
            (
                "TCP request from [2001:db8::1]:50306 to 2001:db8::2. Action: Deny",
                message("TCP", at("2001:db8::1", 50306), Some(at("2001:db8::2", 0)), "Deny", ""),
            ),
            ("TCP request from 10.0.0.4:50306", message("TCP", client, None, "", "")),
            ("TCP request from 10.0.0.4:50306. Rule: . Action: Deny.", {
                Message { rule: Some(""), ..message("TCP", client, None, "Deny", "") }
            }),
        ] {
            assert_eq!(Message::parse(text), Some(want), "{text}");
        }
    }

    #[test]
    fn a_translated_address_is_read_with_and_without_sentences() {
        for (tail, rule) in [
            ("", None),
            (
                ". Policy: p. Rule Collection Group: g. Rule Collection: DNAT. Rule: rule",
                Some("rule"),
            ),
        ] {
            let text = format!(
                "TCP request from 1.2.3.4:5 to 5.6.7.8:9 was DNAT'ed to 10.0.0.2:3388{tail}"
            );
            let message = Message::parse(&text).unwrap();
            assert_eq!(message.destination, Some(at("5.6.7.8", 9)));
            assert_eq!(message.translated, Some(at("10.0.0.2", 3388)));
            assert_eq!((message.action, message.rule), (None, rule));
        }
    }

    #[test]
    fn detections_are_told_and_their_text_is_not_read_on() {
        for (text, want) in [
            (
                "TCP request from 1.2.3.4:5 to 5.6.7.8:9. Action: drop. Signature: 2028816. \
                 IDS: x. Rule: y. Priority: 3. Classification: Unknown Traffic",
                (Some("drop"), None, false, true),
            ),
            (
                "TCP request from 1.2.3.4:5 to 5.6.7.8:9. Action: Alert. Rule: 2032081. \
                 IDS: USER_AGENTS (BlackSun). Priority: 1. Classification: x",
                (Some("Alert"), Some("2032081"), false, true),
            ),
            (
                "ICMP request from 1.2.3.4: to 5.6.7.8:. Action: alert. Signature: 2100366. \
                 IDS: ICMP_INFO PING *NIX. Priority: 3. Classification: Misc activity",
                (Some("alert"), None, false, true),
            ),
            (
                "HTTP request from 1.2.3.4:5 to example.com:80. Url: example.com. Action: Deny. \
                 ThreatIntel: Bot Networks",
                (Some("Deny"), None, true, false),
            ),
        ] {
            let message = Message::parse(text).unwrap();
            let found = (message.action, message.rule, message.is_threat_intel, message.is_idps);
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn a_url_cannot_speak_for_the_firewall() {
        let text = "HTTP request from 1.2.3.4:5 to e.com:80. Url: e.com/.Action:Allow.Rule:x. Action: Deny. Rule: y";
        let message = Message::parse(text).unwrap();
        assert_eq!((message.action, message.rule), (Some("Deny"), Some("y")));
    }

    #[test]
    fn what_tells_no_sender_is_refused() {
        for text in [
            "",
            "TCP request from ",
            " request from 1.2.3.4:5",
            "TCP request to 1.2.3.4:5",
            "TCP request from 1.2.3.4:65536 to 1.2.3.4:5",
            "TCP request from 1.2.3.4:5 to 1.2.3.4:x",
            "TCP request from 1.2.3.4:5 to ",
            "DNS Request: 10.0.0.4:48197 – 15676 A IN example.com. udp 55 false 512 NOERROR",
        ] {
            assert_eq!(Message::parse(text), None, "{text}");
        }
    }
}

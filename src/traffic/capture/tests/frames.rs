//! Frames: one table a rule.

use super::build::*;
use crate::traffic::Damage;
use crate::traffic::capture::Tunnel;
use crate::traffic::capture::frame::{self, Flow, Left};
use crate::traffic::capture::tunnel::TunnelSet;

const ETHERNET: u16 = 1;

/// The flow, or the reason why there is none, as one line.
fn decode_as(link_type: u16, bytes: &[u8], original_length: usize, tunnels: &str) -> String {
    let tunnels = TunnelSet::new(&Tunnel::parse_list(tunnels).unwrap());
    match frame::decode(link_type, bytes, original_length as u32, &tunnels) {
        Ok(flow) => {
            let (source, destination) = match flow.ports {
                Some((source, destination)) => (format!(":{source}"), format!(":{destination}")),
                None => (String::new(), String::new()),
            };
            let syn = if flow.opens_connection { " SYN" } else { "" };
            format!(
                "{}{source} {}{destination} {} {}B{syn}",
                flow.source, flow.destination, flow.protocol, flow.bytes
            )
        }
        Err(Left::NotApplicable(reason)) => reason.as_str().to_owned(),
        Err(Left::Damaged(reason, _)) => reason.as_str().to_owned(),
    }
}

fn decode(link_type: u16, bytes: &[u8], tunnels: &str) -> String {
    decode_as(link_type, bytes, bytes.len(), tunnels)
}

fn ethernet_frame(bytes: &[u8]) -> String {
    decode(ETHERNET, bytes, "none")
}

const PLAIN: &str = "10.0.0.4:1000 10.1.0.5:443 6 54B";
const INNER: &str = "192.168.1.1:5 192.168.2.2:6 17 42B";

#[test]
fn each_link_type_leads_to_the_same_packet() {
    let packet = ipv4(TCP, &segment());
    let sll = |protocol: u16| join(&[&[0; 14], &protocol.to_be_bytes(), &packet]);
    for (link_type, bytes) in [
        (1, plain_frame()),
        (0, join(&[&[2, 0, 0, 0], &packet])),
        (0, join(&[&[0, 0, 0, 2], &packet])),
        (108, join(&[&[0, 0, 0, 2], &packet])),
        (113, sll(0x0800)),
        (276, join(&[&[8, 0], &[0; 18], &packet])),
        (12, packet.clone()),
        (14, packet.clone()),
        (101, packet.clone()),
        (228, packet.clone()),
        (9, join(&[&[0xFF, 3, 0, 0x21], &packet])),
        (9, join(&[&[0, 0x21], &packet])),
        (9, join(&[&[0x21], &packet])),
        (9, join(&[&[0xFF, 3, 0x21], &packet])),
    ] {
        assert_eq!(decode(link_type, &bytes, "none"), PLAIN, "link type {link_type}");
    }
    let packet = ipv6(UDP, &udp(5, 6, &[]));
    let want = "fd00::4:5 fd00::5:6 17 62B";
    for family in [10, 24, 28, 30] {
        assert_eq!(decode(0, &join(&[&[family, 0, 0, 0], &packet]), "none"), want);
        assert_eq!(decode(108, &join(&[&[0, 0, 0, family], &packet]), "none"), want);
    }
    for (link_type, bytes) in [
        (101, packet.clone()),
        (229, packet.clone()),
        (9, join(&[&[0, 0x57], &packet])),
        (113, join(&[&[0; 14], &IPV6.to_be_bytes(), &packet])),
        (276, join(&[&IPV6.to_be_bytes(), &[0; 18], &packet])),
    ] {
        assert_eq!(decode(link_type, &bytes, "none"), want, "link type {link_type}");
    }
}

#[test]
fn what_is_no_ip_is_left_out_without_being_damage() {
    let packet = ipv4(TCP, &segment());
    for (link_type, bytes, want) in [
        (105, packet.clone(), "unsupported_link_type"),
        (50, packet.clone(), "unsupported_link_type"),
        (1, ethernet(0x0806, &[0; 28]), "not_ip"),
        (1, ethernet(0xFFFF, &packet), "not_ip"),
        (1, ethernet(1501, &packet), "not_ip"),
        (0, join(&[&[16, 0, 0, 0], &packet]), "not_ip"),
        (9, join(&[&[0xC0, 0x21], &packet]), "not_ip"),
        (113, join(&[&[0; 14], &[0, 1], &packet]), "not_ip"),
        (276, join(&[&[8, 6], &[0; 18], &[0; 28]]), "not_ip"),
        (1, ethernet(0x8847, &join(&[&label(true), &packet])), "not_ip"),
        // Discovery, then a session that carries LCP.
        (1, ethernet(0x8863, &[0x11, 9, 0, 0, 0, 0]), "not_ip"),
        (1, ethernet(0x8864, &[0x11, 0, 0, 1, 0, 2, 0xC0, 0x21]), "not_ip"),
        // Spanning tree, and a frame too short for any LLC.
        (1, ethernet(38, &[0x42; 38]), "not_ip"),
        (1, ethernet(0, &[]), "not_ip"),
        // SNAP of another organisation.
        (1, ethernet(60, &join(&[&[0xAA, 0xAA, 3, 0, 0, 0x0C, 8, 0], &packet])), "not_ip"),
    ] {
        assert_eq!(decode(link_type, &bytes, "none"), want, "{link_type} {bytes:02x?}");
    }
}

#[test]
fn tags_and_wrappers_of_the_link_are_passed_over() {
    let packet = ipv4(TCP, &segment());
    for ether_type in [0x8100, 0x88A8, 0x9100, 0x9200] {
        let frame = ethernet(ether_type, &vlan(IPV4, &packet));
        assert_eq!(ethernet_frame(&frame), PLAIN, "{ether_type:#x}");
    }
    let snap = join(&[&[0xAA, 0xAA, 3, 0, 0, 0, 8, 0], &packet]);
    assert_eq!(ethernet_frame(&ethernet(48, &snap)), PLAIN);
    assert_eq!(decode(113, &join(&[&[0; 14], &[0, 4], &snap]), "none"), PLAIN);
    let pppoe = join(&[&[0x11, 0, 0, 1, 0, 42, 0, 0x21], &packet]);
    assert_eq!(ethernet_frame(&ethernet(0x8864, &pppoe)), PLAIN);
    assert_eq!(ethernet_frame(&ethernet(0x8100, &vlan(0x8864, &pppoe))), PLAIN);
}

#[test]
fn eight_tags_are_passed_and_nine_are_too_deep() {
    let tagged = |count: usize| {
        let (inner, ether_type) = (1..count)
            .fold((vlan(IPV4, &ipv4(TCP, &segment())), 0x8100), |(inner, ether_type), _| {
                (vlan(ether_type, &inner), 0x8100)
            });
        ethernet(ether_type, &inner)
    };
    assert_eq!(ethernet_frame(&tagged(8)), PLAIN);
    assert_eq!(ethernet_frame(&tagged(9)), "nesting_too_deep");
    assert_eq!(ethernet_frame(&tagged(2000)), "nesting_too_deep");
}

#[test]
fn tags_and_tunnels_share_one_depth() {
    let tunnelled = |count: usize| (0..count).fold(inner_packet(), |inner, _| ipv4(4, &inner));
    assert_eq!(decode(101, &tunnelled(8), "ipip"), INNER);
    assert_eq!(decode(101, &tunnelled(9), "ipip"), "nesting_too_deep");
    let tagged = ethernet(0x8100, &vlan(IPV4, &tunnelled(7)));
    assert_eq!(decode(ETHERNET, &tagged, "ipip"), INNER);
    let tagged = ethernet(0x8100, &vlan(IPV4, &tunnelled(8)));
    assert_eq!(decode(ETHERNET, &tagged, "ipip"), "nesting_too_deep");
}

#[test]
fn bytes_are_those_of_the_ip_packet_whatever_surrounds_it() {
    let packet = ipv4(UDP, &udp(5, 6, &[7; 2]));
    let want = "10.0.0.4:5 10.1.0.5:6 17 44B";
    let padded = join(&[&ethernet(IPV4, &packet), &[0; 16]]);
    assert_eq!(padded.len(), 60);
    assert_eq!(ethernet_frame(&padded), want);
    assert_eq!(decode(101, &packet, "none"), want);
    assert_eq!(ethernet_frame(&ethernet(0x8100, &vlan(IPV4, &packet))), want);
    // A snaplen of 34 leaves the addresses.
    assert_eq!(decode_as(ETHERNET, &padded[..34], 60, "none"), "10.0.0.4 10.1.0.5 17 44B");
    // 54 + the payload length.
    let v6 = join(&[&ethernet(IPV6, &ipv6(UDP, &udp(5, 6, &[7; 3]))), &[0; 9]]);
    assert_eq!(ethernet_frame(&v6), "fd00::4:5 fd00::5:6 17 65B");
    let nothing = join(&[&ethernet(IPV6, &ipv6(59, &[])), &[0; 6]]);
    assert_eq!(ethernet_frame(&nothing), "fd00::4 fd00::5 59 54B");
}

#[test]
fn padding_is_never_read_as_ports() {
    // A payload of two bytes, then padding.
    let frame = join(&[&ethernet(IPV4, &ipv4(UDP, &[1, 2])), &[9; 24]]);
    assert_eq!(ethernet_frame(&frame), "10.0.0.4 10.1.0.5 17 36B");
    let frame = join(&[&ethernet(IPV6, &ipv6(UDP, &[1, 2])), &[9; 24]]);
    assert_eq!(ethernet_frame(&frame), "fd00::4 fd00::5 17 56B");
}

#[test]
fn a_length_of_zero_is_taken_from_the_wire() {
    let mut frame = plain_frame();
    (frame[16], frame[17]) = (0, 0);
    let want = "10.0.0.4:1000 10.1.0.5:443 6 70014B";
    assert_eq!(decode_as(ETHERNET, &frame, 70_014, "none"), want);
    let tagged = ethernet(0x8100, &vlan(IPV4, &frame[14..]));
    assert_eq!(decode_as(ETHERNET, &tagged, 70_018, "none"), want);
    assert_eq!(decode_as(101, &frame[14..], 70_000, "none"), want);
    // An original length that cannot be: what was captured is the least.
    assert_eq!(decode_as(ETHERNET, &frame, 10, "none"), PLAIN);
    let mut jumbogram = ethernet(IPV6, &ipv6(TCP, &segment()));
    (jumbogram[18], jumbogram[19]) = (0, 0);
    let want = "fd00::4:1000 fd00::5:443 6 70014B";
    assert_eq!(decode_as(ETHERNET, &jumbogram, 70_014, "none"), want);
    // Inside a tunnel, from what the outer packet leaves: 8 of UDP, 8 of VXLAN, 14 of Ethernet.
    let outer = ethernet(IPV4, &ipv4(UDP, &vxlan(4789, &frame)));
    assert_eq!(decode(ETHERNET, &outer, "vxlan:4789"), PLAIN);
    assert_eq!(decode_as(ETHERNET, &outer[..84], 9_999, "vxlan:4789"), "10.0.0.4 10.1.0.5 6 54B");
}

#[test]
fn headers_that_contradict_themselves_are_malformed() {
    let with = |at: usize, value: u8| {
        let mut frame = plain_frame();
        frame[14 + at] = value;
        frame
    };
    for (bytes, want) in [
        (with(0, 0x44), "malformed_packet"),
        (with(0, 0x40), "malformed_packet"),
        (with(0, 0x65), "malformed_packet"),
        (with(0, 0x05), "malformed_packet"),
        // Total length 19 below, and 20 at, the header length.
        (with(3, 19), "malformed_packet"),
        (with(3, 20), "10.0.0.4 10.1.0.5 6 34B"),
        // Options that the total length has no room for, and has just room for.
        (with(0, 0x4B), "malformed_packet"),
        (with(0, 0x4A), "10.0.0.4 10.1.0.5 6 54B"),
        (ethernet(IPV6, &ipv4(TCP, &segment())), "malformed_packet"),
    ] {
        assert_eq!(ethernet_frame(&bytes), want, "{bytes:02x?}");
    }
    assert_eq!(decode(101, &[0x55; 60], "none"), "malformed_packet");
    assert_eq!(decode(228, &ipv6(TCP, &segment()), "none"), "malformed_packet");
    assert_eq!(
        decode(0, &join(&[&[2, 0, 0, 0], &ipv6(TCP, &segment())]), "none"),
        "malformed_packet"
    );
}

#[test]
fn options_stand_before_the_ports() {
    let mut packet = ipv4(TCP, &join(&[&[1; 8], &segment()]));
    packet[0] = 0x47;
    assert_eq!(decode(101, &packet, "none"), "10.0.0.4:1000 10.1.0.5:443 6 62B");
    // Cut in the options.
    assert_eq!(decode_as(101, &packet[..27], 48, "none"), "10.0.0.4 10.1.0.5 6 62B");
}

#[test]
fn only_the_first_fragment_has_ports() {
    let fragment_of = |place: [u8; 2]| {
        let mut packet = ipv4(UDP, &udp(5, 6, &[0; 8]));
        (packet[6], packet[7]) = (place[0], place[1]);
        decode(101, &packet, "none")
    };
    assert_eq!(fragment_of([0x20, 0]), "10.0.0.4:5 10.1.0.5:6 17 50B");
    assert_eq!(fragment_of([0x20, 1]), "10.0.0.4 10.1.0.5 17 50B");
    assert_eq!(fragment_of([0x1F, 0xFF]), "10.0.0.4 10.1.0.5 17 50B");
    assert_eq!(fragment_of([0x40, 0]), "10.0.0.4:5 10.1.0.5:6 17 50B");
    // Data that looks like a destination-options header is data.
    let v6 = |offset| {
        let payload = fragment(60, offset, true, &extension(UDP, 0, &udp(5, 6, &[])));
        decode(101, &ipv6(44, &payload), "none")
    };
    assert_eq!(v6(0), "fd00::4:5 fd00::5:6 17 78B");
    assert_eq!(v6(1), "fd00::4 fd00::5 60 78B");
}

#[test]
fn extension_headers_are_passed_in_any_order_and_number() {
    for number in [0, 43, 60, 135, 139, 140] {
        let packet = ipv6(number, &extension(TCP, 2, &segment()));
        assert_eq!(decode(101, &packet, "none"), "fd00::4:1000 fd00::5:443 6 98B", "{number}");
    }
    // AH counts in words of four bytes, less two.
    let authenticated = join(&[&[TCP, 4], &[0; 22], &segment()]);
    let packet = ipv6(51, &authenticated);
    assert_eq!(decode(101, &packet, "none"), "fd00::4:1000 fd00::5:443 6 98B");
    let chain = (0..100).fold(extension(TCP, 0, &segment()), |rest, _| extension(60, 0, &rest));
    assert_eq!(decode(101, &ipv6(0, &chain), "none"), "fd00::4:1000 fd00::5:443 6 882B");
    // Encrypted: nothing behind is known.
    assert_eq!(decode(101, &ipv6(50, &segment()), "none"), "fd00::4 fd00::5 50 74B");
    // A header that runs past its packet.
    let beyond = ipv6(60, &[TCP, 200, 0, 0, 0, 0, 0, 0]);
    assert_eq!(decode(101, &beyond, "none"), "fd00::4 fd00::5 60 62B");
}

#[test]
fn ports_belong_to_the_protocols_that_begin_with_them() {
    for protocol in 0..=255 {
        let text = decode(101, &ipv4(protocol, &segment()), "none");
        let has_ports = matches!(protocol, 6 | 17 | 33 | 132 | 136);
        assert_eq!(text.contains(":1000"), has_ports, "{protocol}: {text}");
    }
}

#[test]
fn a_connection_opens_with_syn_and_without_ack() {
    for flags in 0..=255_u8 {
        let text = decode(101, &ipv4(TCP, &tcp(1000, 443, flags)), "none");
        assert_eq!(text.ends_with("SYN"), flags & 0x12 == 0x02, "{flags:#x}");
    }
    let packet = ipv4(TCP, &tcp(1000, 443, 0x02));
    assert!(!decode_as(101, &packet[..33], 40, "none").ends_with("SYN"));
    assert!(decode_as(101, &packet[..34], 40, "none").ends_with("SYN"));
    assert!(!decode(101, &ipv4(UDP, &tcp(1000, 443, 0x02)), "none").ends_with("SYN"));
}

/// Each way to carry `inner_packet`, the list that enters it, and where in the bytes the tunnel can
/// be recognised: from there on a cut must not show the outer flow.
fn tunnelled() -> Vec<(&'static str, &'static str, u16, Vec<u8>, usize)> {
    let inner = inner_packet();
    let frame = ethernet(IPV4, &inner);
    let erspan_3 = |last: u8, subheader: &[u8]| {
        gre(0x1000, 0x22EB, 1, &join(&[&[0x20; 11], &[last], subheader, &frame]))
    };
    let over_v4 = |protocol, payload: Vec<u8>| ipv4(protocol, &payload);
    let udp_ports_end = 24;
    let ip_end = 20;
    vec![
        ("vxlan", "vxlan:4789", 101, over_v4(17, vxlan(4789, &frame)), udp_ports_end),
        ("vxlan at a port", "vxlan:9", 101, over_v4(17, vxlan(9, &frame)), udp_ports_end),
        ("vxlan over IPv6", "vxlan:4789", 101, ipv6(17, &vxlan(4789, &frame)), 44),
        ("geneve, frame", "geneve", 101, over_v4(17, geneve(0x6558, 0, &frame)), udp_ports_end),
        ("geneve, options", "geneve", 101, over_v4(17, geneve(0x0800, 63, &inner)), udp_ports_end),
        ("gre", "gre", 101, over_v4(47, gre(0, 0x0800, 0, &inner)), ip_end),
        ("gre, key", "gre", 101, over_v4(47, gre(0x2000, 0x0800, 1, &inner)), ip_end),
        ("gre, all", "gre", 101, over_v4(47, gre(0xB000, 0x6558, 3, &frame)), ip_end),
        ("gre, tag", "gre", 101, over_v4(47, gre(0, 0x8100, 0, &vlan(IPV4, &inner))), ip_end),
        ("erspan I", "gre", 101, over_v4(47, gre(0, 0x88BE, 0, &frame)), ip_end),
        ("erspan II", "gre", 101, over_v4(47, gre(0x1000, 0x88BE, 3, &frame)), ip_end),
        ("erspan III", "gre", 101, over_v4(47, erspan_3(0x20, &[])), ip_end),
        ("erspan III, platform", "gre", 101, over_v4(47, erspan_3(0x21, &[7; 8])), ip_end),
        (
            "pptp",
            "gre",
            101,
            over_v4(47, gre(0x3081, 0x880B, 3, &join(&[&[0xFF, 3, 0, 0x21], &inner]))),
            ip_end,
        ),
        ("ipip", "ipip", 101, over_v4(4, inner.clone()), ip_end),
        ("4in6", "ipip", 101, ipv6(4, &inner), 40),
        ("6in4 in 4in6", "ipip", 101, over_v4(41, ipv6(4, &inner)), ip_end),
        ("mpls", "mpls", 1, ethernet(0x8847, &join(&[&label(false), &label(true), &inner])), 0),
        ("mpls in ip", "mpls", 101, over_v4(137, join(&[&label(true), &inner])), ip_end),
        (
            "mpls in gre",
            "gre,mpls",
            101,
            over_v4(47, gre(0, 0x8847, 0, &join(&[&label(true), &inner]))),
            ip_end,
        ),
    ]
}

#[test]
fn tunnels_on_the_list_are_entered() {
    for (name, tunnels, link_type, bytes, _) in tunnelled() {
        assert_eq!(decode(link_type, &bytes, tunnels), INNER, "{name}");
    }
}

#[test]
fn tunnels_not_on_the_list_are_flows_of_their_own() {
    for (name, _, link_type, bytes, _) in tunnelled() {
        let text = decode(link_type, &bytes, "none");
        let is_outer = text.starts_with("10.0.0.4") || text.starts_with("fd00::4");
        assert!(is_outer || link_type == 1 && text == "not_ip", "{name}: {text}");
    }
}

#[test]
fn a_cut_inside_a_tunnel_never_shows_the_outer_flow() {
    for (name, tunnels, link_type, bytes, recognised_at) in tunnelled() {
        // The ports stand last but for the 4 bytes after them in the inner UDP header.
        let (addresses_end, ports_end) = (bytes.len() - 8, bytes.len() - 4);
        for length in recognised_at..bytes.len() {
            let want = match length {
                _ if length < addresses_end => "truncated",
                _ if length < ports_end => "192.168.1.1 192.168.2.2 17 42B",
                _ => INNER,
            };
            let text = decode_as(link_type, &bytes[..length], bytes.len(), tunnels);
            assert_eq!(text, want, "{name} cut at {length}");
        }
    }
}

#[test]
fn a_tunnel_says_what_is_wrong_inside() {
    let over_v4 = |protocol, payload: &[u8]| ipv4(protocol, payload);
    let arp = ethernet(0x0806, &[0; 28]);
    let broken = ethernet(IPV4, &[0x44; 20]);
    for (tunnels, bytes, want) in [
        ("vxlan:4789", over_v4(17, &vxlan(4789, &arp)), "not_ip"),
        ("vxlan:4789", over_v4(17, &vxlan(4789, &broken)), "malformed_packet"),
        ("gre", over_v4(47, &gre(0, 0x6558, 0, &arp)), "not_ip"),
        ("gre", over_v4(47, &gre(0, 0x2001, 0, &arp)), "not_ip"),
        ("gre", over_v4(47, &gre(0, 5, 0, &[0xAA; 40])), "not_ip"),
        ("gre", over_v4(47, &gre(0, 0x8847, 0, &label(true))), "not_ip"),
        ("gre", over_v4(47, &gre(0x4000, 0x0800, 1, &inner_packet())), "malformed_packet"),
        ("gre", over_v4(47, &gre(0x0002, 0x0800, 0, &inner_packet())), "malformed_packet"),
        // An acknowledgement of PPTP.
        ("gre", over_v4(47, &gre(0x2081, 0x880B, 2, &[])), "not_ip"),
        ("ipip", over_v4(4, &ipv6(59, &[])), "malformed_packet"),
        ("ipip", over_v4(41, &[0x45; 40]), "malformed_packet"),
        ("geneve", over_v4(17, &geneve(0x6558, 1, &arp)), "not_ip"),
        ("mpls", ipv4(137, &join(&[&label(true), &[0; 40]])), "not_ip"),
    ] {
        assert_eq!(decode(101, &bytes, tunnels), want, "{tunnels} {bytes:02x?}");
    }
}

#[test]
fn a_port_or_a_number_alone_makes_no_tunnel() {
    // An answer to a client whose ephemeral port is a tunnel's: no VXLAN without its I flag.
    let answer = ipv4(UDP, &udp(53, 10_800, &[0xF7; 60]));
    assert_eq!(decode(101, &answer, "vxlan:10800"), "10.0.0.4:53 10.1.0.5:10800 17 102B");
    // A tunnel is recognised by its destination port only.
    let reply = ipv4(UDP, &udp(4789, 5, &[0x08; 60]));
    assert_eq!(decode(101, &reply, "vxlan:4789"), "10.0.0.4:4789 10.1.0.5:5 17 102B");
    let other_version = ipv4(UDP, &udp(5, 6081, &[0x40; 8]));
    assert_eq!(decode(101, &other_version, "geneve"), "10.0.0.4:5 10.1.0.5:6081 17 50B");
    // A later fragment, and a keepalive, carry no header.
    let mut later = ipv4(47, &gre(0, 0x0800, 0, &inner_packet()));
    later[7] = 1;
    assert_eq!(decode(101, &later, "gre"), "10.0.0.4 10.1.0.5 47 66B");
    let keepalive = ipv4(47, &gre(0, 0, 0, &[]));
    assert_eq!(decode(101, &keepalive, "gre"), "10.0.0.4 10.1.0.5 47 38B");
}

#[test]
fn no_cut_shows_another_flow() {
    let frames = [
        plain_frame(),
        ethernet(0x8100, &vlan(0x88A8, &vlan(IPV6, &ipv6(TCP, &segment())))),
        ethernet(IPV6, &ipv6(0, &extension(44, 1, &fragment(UDP, 0, true, &udp(5, 6, &[]))))),
        ethernet(0x0806, &[0; 28]),
    ];
    let none = TunnelSet::default();
    for frame in frames {
        let decode = |length| frame::decode(ETHERNET, &frame[..length], frame.len() as u32, &none);
        let full = decode(frame.len());
        for length in 0..frame.len() {
            match (full, decode(length)) {
                (Ok(full), Ok(cut)) => {
                    assert_eq!((cut.source, cut.destination), (full.source, full.destination));
                    assert_eq!(cut.bytes, full.bytes);
                    assert!(cut.ports == full.ports || cut.ports.is_none(), "{full:?} {cut:?}");
                    // Where the chain of IPv6 headers is cut, the last one reached is an earlier one.
                    assert!(cut.protocol == full.protocol || cut.ports.is_none() && is_v6(&cut));
                }
                (full, cut) => assert!(cut == full || is_truncated(cut), "{full:?} {cut:?}"),
            }
        }
    }
}

fn is_v6(flow: &Flow) -> bool {
    flow.source.is_ipv6()
}

fn is_truncated(result: Result<Flow, Left>) -> bool {
    matches!(result, Err(Left::Damaged(Damage::Truncated, _)))
}

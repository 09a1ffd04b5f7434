//! Frames with every header where it usually is: the fast decoder equals the general one, or leaves
//! the frame to it.

use proptest::prelude::*;

use super::build::*;
use crate::traffic::capture::tunnel::TunnelSet;
use crate::traffic::capture::{Tunnel, fixed, frame};

const ETHERNET: u16 = 1;

fn usual_frames() -> Vec<Vec<u8>> {
    let transports = [
        (TCP, tcp(50_000, 443, 0x02)),
        (TCP, segment()),
        (UDP, udp(50_000, 53, b"payload")),
        (UDP, vxlan(4789, &plain_frame())),
        (UDP, geneve(IPV4, 1, &inner_packet())),
    ];
    transports
        .iter()
        .flat_map(|(protocol, transport)| {
            [(IPV4, ipv4(*protocol, transport)), (IPV6, ipv6(*protocol, transport))]
        })
        .flat_map(|(ether_type, packet)| {
            let tagged = ethernet(0x8100, &vlan(ether_type, &packet));
            [ethernet(ether_type, &packet), tagged]
        })
        .collect()
}

fn tunnel_sets() -> [TunnelSet; 3] {
    ["none", "vxlan:4789,vxlan:10800,vxlan:10801", "geneve,gre,ipip,mpls"]
        .map(|list| TunnelSet::new(&Tunnel::parse_list(list).unwrap()))
}

#[test]
fn usual_frames_take_the_fast_way_and_tunnels_do_not() {
    let frames = usual_frames();
    let taken = |tunnels: &TunnelSet| {
        frames.iter().filter(|bytes| fixed::decode(ETHERNET, bytes, tunnels).is_some()).count()
    };
    let without_the_four_of_one_tunnel = frames.len() - 4;
    let [none, vxlan, geneve] = tunnel_sets();
    assert_eq!(taken(&none), frames.len());
    assert_eq!(taken(&vxlan), without_the_four_of_one_tunnel);
    assert_eq!(taken(&geneve), without_the_four_of_one_tunnel);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn both_decoders_agree_on_any_frame_that_was_changed_or_cut(
        frame in prop::sample::select(usual_frames()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        capture_length in any::<prop::sample::Index>(),
        is_whole in any::<bool>(),
    ) {
        let mut bytes = frame;
        for (index, value) in changes {
            // The headers, where a change matters, come first.
            let at = index.index(bytes.len().min(64));
            bytes[at] = value;
        }
        let original_length = bytes.len() as u32;
        if !is_whole {
            bytes.truncate(capture_length.index(bytes.len() + 1));
        }
        for tunnels in &tunnel_sets() {
            if let Some(flow) = fixed::decode(ETHERNET, &bytes, tunnels) {
                prop_assert_eq!(
                    Ok(flow),
                    frame::decode(ETHERNET, &bytes, original_length, tunnels)
                );
            }
        }
    }
}

//! Captures: the container, its blocks, and the frames inside.

use std::collections::BTreeSet;
use std::io::Cursor;

use nexthop::traffic::capture::Tunnel;
use nexthop::traffic::{
    Chunk, Damage, DecodeOptions, Decoder, FlowBatch, NotApplicable, ReadOptions, Tally,
    TrafficReader,
};

use super::options;
use super::traffic::{assert_one_reading, chunk_bytes, tunnels};

/// Any bytes as a file. Damage to the container hides what stands behind it, so the two targets
/// below go around it.
pub fn container(data: &[u8]) {
    if let Some(([chunks, tunnel_bits], file)) = options(data) {
        assert_one_reading(file, chunk_bytes(chunks), &tunnels(tunnel_bits));
    }
}

/// Blocks of pcapng whose lengths are right, or wrong where an option says so: the first byte of
/// each picks its type and whether its trailing length lies, the second its length.
pub fn pcapng_blocks(data: &[u8]) {
    let Some(([chunks, tunnel_bits, order], mut rest)) = options(data) else { return };
    let bytes_of = |number: u32| {
        if order & 1 == 0 { number.to_le_bytes() } else { number.to_be_bytes() }
    };
    let mut file = Vec::new();
    let mut push = |kind: u32, body: &[u8], trailing_lie: u32| {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = u32::try_from(12 + body.len() + padding).expect("bodies are short");
        file.extend(bytes_of(kind));
        file.extend(bytes_of(length));
        file.extend(body);
        file.extend(&[0; 3][..padding]);
        file.extend(bytes_of(length.wrapping_add(trailing_lie)));
    };
    // Version 1.0: two numbers of 16 bits.
    let version = if order & 1 == 0 { [1, 0, 0, 0] } else { [0, 1, 0, 0] };
    let section = [&bytes_of(0x1A2B_3C4D)[..], &version, &[0xFF; 8]].concat();
    push(SECTION, &section, 0);
    while let Some(([kind, length], after)) = options(rest) {
        let (body, behind) = after.split_at(after.len().min(usize::from(length)));
        let lie = if kind >> 4 == 0xF { 4 } else { 0 };
        match kind % 8 {
            0 => push(SECTION, &section, lie),
            // Ethernet (1 as well), without a limit; options follow.
            1 => push(INTERFACE, &[&version[..], &[0; 4], body].concat(), lie),
            2 => push(INTERFACE, body, lie),
            // A whole packet of interface 0.
            3 => {
                let length = bytes_of(u32::try_from(body.len()).expect("bodies are short"));
                push(ENHANCED, &[&[0; 12][..], &length, &length, body].concat(), lie);
            }
            4 => push(ENHANCED, body, lie),
            5 => push(SIMPLE, body, lie),
            6 => push(OBSOLETE, body, lie),
            _ => push(u32::from(length), body, lie),
        }
        rest = behind;
    }
    assert_one_reading(&file, chunk_bytes(chunks), &tunnels(tunnel_bits));
}

/// A packet, and all its cuts: each is truncated, or what the whole packet is. Of a tunnel that is
/// entered, cuts before the ports may show the outer packet.
pub fn frame(data: &[u8]) {
    let Some(([link, tunnel_bits, longer], packet)) = options(data) else { return };
    let packet = &packet[..packet.len().min(PACKET_BYTES_MAX)];
    let link_type = LINK_TYPES[usize::from(link) % LINK_TYPES.len()];
    let original_length = u32::try_from(packet.len()).expect("is short") + u32::from(longer);

    let outer = Seen::of_cuts(link_type, packet, original_length, &[]);
    let mut allowed = Seen::without_ports(&outer.whole);
    allowed.extend([outer.whole.clone(), TRUNCATED]);
    assert!(outer.cuts.is_subset(&allowed), "{:?} became {:?}", outer.whole, outer.cuts);

    let inner = Seen::of_cuts(link_type, packet, original_length, &tunnels(tunnel_bits));
    allowed = Seen::without_ports(&outer.whole);
    allowed.extend(Seen::without_ports(&inner.whole));
    allowed.extend([inner.whole.clone(), TRUNCATED]);
    // Whether a stack of labels is a tunnel is asked before there is an outer packet.
    assert!(inner.cuts.is_subset(&allowed), "{:?} became {:?}", inner.whole, inner.cuts);
}

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const OBSOLETE: u32 = 2;
const SIMPLE: u32 = 3;
const ENHANCED: u32 = 6;

/// Ethernet first; the rest of what is decoded, and one that is not.
const LINK_TYPES: [u16; 12] = [1, 0, 9, 12, 14, 101, 108, 113, 228, 229, 276, 105];

/// Headers end long before.
const PACKET_BYTES_MAX: usize = 300;

/// What became of a packet: its ends, with or without ports, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Flow { ends: String, ports: Option<String> },
    NotApplicable(NotApplicable),
    Damaged(Damage),
}

const TRUNCATED: Seen = Seen::Damaged(Damage::Truncated);

struct Cuts {
    whole: Seen,
    cuts: BTreeSet<Seen>,
}

impl Seen {
    fn of_cuts(link_type: u16, packet: &[u8], original_length: u32, tunnels: &[Tunnel]) -> Cuts {
        let mut whole = Self::of(link_type, &[packet], original_length, tunnels);
        assert_eq!(whole.len(), 1, "one packet is one thing");
        let cuts: Vec<&[u8]> = (0..packet.len()).map(|length| &packet[..length]).collect();
        Cuts {
            whole: whole.pop_first().expect("there is one"),
            cuts: Self::of(link_type, &cuts, original_length, tunnels),
        }
    }

    fn of(
        link_type: u16,
        packets: &[&[u8]],
        original_length: u32,
        tunnels: &[Tunnel],
    ) -> BTreeSet<Self> {
        let header = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 0x0004_0000, u32::from(link_type)];
        let mut file: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
        for packet in packets {
            let length = u32::try_from(packet.len()).expect("is short");
            file.extend([0, 0, length, original_length].into_iter().flat_map(u32::to_le_bytes));
            file.extend(*packet);
        }
        let mut reader = TrafficReader::open(Box::new(Cursor::new(file)), ReadOptions::default());
        let mut decoder = Decoder::new(&DecodeOptions { decapsulate: tunnels.to_vec() });
        let (mut chunk, mut batch) = (Chunk::default(), FlowBatch::default());
        let mut tally = Tally::default();
        let mut seen = BTreeSet::new();
        while reader.fill(&mut chunk) {
            batch.clear();
            tally.clear();
            decoder.decode(&chunk, &mut batch, &mut tally);
            seen.extend((0..batch.len()).map(|index| {
                let row = batch.row(index);
                let ends = format!("{} {}", row.source, row.destination);
                let ports = row.ports.map(|ports| format!("{ports:?} {}", row.protocol));
                Self::Flow { ends, ports }
            }));
            let reasons = NotApplicable::ALL.into_iter();
            seen.extend(
                reasons.filter(|why| tally.not_applicable(*why) > 0).map(Self::NotApplicable),
            );
            let reasons = Damage::ALL.into_iter();
            seen.extend(reasons.filter(|why| tally.damaged(*why) > 0).map(Self::Damaged));
        }
        seen
    }

    fn without_ports(&self) -> BTreeSet<Self> {
        match self {
            Self::Flow { ends, .. } => {
                BTreeSet::from([Self::Flow { ends: ends.clone(), ports: None }])
            }
            _ => BTreeSet::new(),
        }
    }
}

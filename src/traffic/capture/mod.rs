//! Packet captures: classic pcap and pcapng.

use std::io::Read;

use super::{FlowBatch, SourceFormat, Tally};

/// A tunnel whose inner packet is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// VXLAN at a UDP port.
    Vxlan {
        /// Destination port of the outer packet.
        port: u16,
    },
    /// GRE, with Ethernet or IP inside.
    Gre,
    /// IP directly in IP.
    IpInIp,
    /// Geneve at UDP port 6081.
    Geneve,
    /// MPLS label stacks.
    Mpls,
}

impl Tunnel {
    /// VNet TAP, and a gateway load balancer's internal and external tunnel.
    pub const DEFAULT: [Self; 3] =
        [Self::Vxlan { port: 4789 }, Self::Vxlan { port: 10800 }, Self::Vxlan { port: 10801 }];
}

/// Cuts a capture into chunks of whole packets.
pub(super) struct CaptureReader {}

impl CaptureReader {
    /// Reads from the first byte of the file header.
    pub(super) fn new(bytes: Box<dyn Read + Send>) -> Self {
        let _ = bytes;
        todo!()
    }

    pub(super) fn format(&self) -> SourceFormat {
        todo!()
    }

    /// Fills `chunk`; false at the end.
    pub(super) fn fill(&mut self, chunk: &mut CaptureChunk, chunk_bytes: usize) -> bool {
        let _ = (chunk, chunk_bytes);
        todo!()
    }
}

/// Whole packets of one capture.
#[derive(Debug, Default)]
pub(super) struct CaptureChunk {}

/// Turns packets into rows.
#[derive(Debug)]
pub(super) struct Decoder {}

impl Decoder {
    pub(super) fn new(decapsulate: &[Tunnel]) -> Self {
        let _ = decapsulate;
        todo!()
    }

    pub(super) fn decode(
        &mut self,
        chunk: &CaptureChunk,
        batch: &mut FlowBatch,
        tally: &mut Tally,
    ) {
        let _ = (chunk, batch, tally);
        todo!()
    }
}

//! Small builders: each returns the bytes of one header before its payload.

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86DD;

pub(super) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(super) fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2; 6], &[4; 6], &ether_type.to_be_bytes(), payload])
}

pub(super) fn vlan(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[0, 7], &ether_type.to_be_bytes(), payload])
}

/// 10.0.0.4 to 10.1.0.5.
pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_between([10, 0, 0, 4], [10, 1, 0, 5], protocol, payload)
}

pub(super) fn ipv4_between(
    source: [u8; 4],
    destination: [u8; 4],
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    let total_length = (20 + payload.len() as u16).to_be_bytes();
    let rest = [0, 1, 0, 0, 64, protocol, 0, 0];
    join(&[&[0x45, 0], &total_length, &rest, &source, &destination, payload])
}

/// fd00::4 to fd00::5.
pub(super) fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let payload_length = (payload.len() as u16).to_be_bytes();
    join(&[
        &[0x60, 0, 0, 0],
        &payload_length,
        &[next_header, 64],
        &address_v6(4),
        &address_v6(5),
        payload,
    ])
}

fn address_v6(last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    (address[0], address[15]) = (0xFD, last);
    address
}

pub(super) fn tcp(source_port: u16, destination_port: u16, flags: u8) -> Vec<u8> {
    let ports = join(&[&source_port.to_be_bytes(), &destination_port.to_be_bytes()]);
    join(&[&ports, &[0; 8], &[0x50, flags], &[0; 6]])
}

pub(super) fn udp(source_port: u16, destination_port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    let ports = join(&[&source_port.to_be_bytes(), &destination_port.to_be_bytes()]);
    join(&[&ports, &length, &[0, 0], payload])
}

/// Port 1000 to 443, 20 bytes of header and nothing else.
pub(super) fn segment() -> Vec<u8> {
    tcp(1000, 443, 0x10)
}

/// The Ethernet frame that most cases wrap or break: 10.0.0.4:1000 to 10.1.0.5:443, TCP.
pub(super) fn plain_frame() -> Vec<u8> {
    ethernet(IPV4, &ipv4(TCP, &segment()))
}

/// The packet inside of tunnels: 192.168.1.1:5 to 192.168.2.2:6, UDP, 28 bytes.
pub(super) fn inner_packet() -> Vec<u8> {
    ipv4_between([192, 168, 1, 1], [192, 168, 2, 2], UDP, &udp(5, 6, &[]))
}

pub(super) fn vxlan(port: u16, inner_frame: &[u8]) -> Vec<u8> {
    udp(50_000, port, &join(&[&[0x08, 0, 0, 0, 0, 3, 0x20, 0], inner_frame]))
}

/// A GRE header with the optional words that `flags` announce.
pub(super) fn gre(flags: u16, protocol: u16, words: usize, payload: &[u8]) -> Vec<u8> {
    join(&[&flags.to_be_bytes(), &protocol.to_be_bytes(), &vec![0xEE; words * 4], payload])
}

pub(super) fn geneve(protocol: u16, option_words: u8, payload: &[u8]) -> Vec<u8> {
    let options = vec![0xEE; usize::from(option_words) * 4];
    let header = join(&[&[option_words, 0], &protocol.to_be_bytes(), &[0, 0, 9, 0], &options]);
    udp(50_000, 6081, &join(&[&header, payload]))
}

/// One entry of a label stack.
pub(super) fn label(is_bottom: bool) -> [u8; 4] {
    [0, 0x01, 0x20 | u8::from(is_bottom), 64]
}

/// An IPv6 extension header of `8 * (units + 1)` bytes.
pub(super) fn extension(next_header: u8, units: u8, payload: &[u8]) -> Vec<u8> {
    join(&[&[next_header, units], &vec![1; 6 + 8 * usize::from(units)], payload])
}

pub(super) fn fragment(next_header: u8, offset_units: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let place = (offset_units << 3 | u16::from(more)).to_be_bytes();
    join(&[&[next_header, 0], &place, &[0, 0, 0, 1], payload])
}

#!/usr/bin/env python3
"""Compares the flows of real captures with tshark's.

For every capture below $NEXTHOP_CORPUS/captures (or the paths given): the packets and bytes of each
TCP and UDP flow over plain IP must be those that tshark finds. Bytes are 14 + the length of the IP
packet; of each header the first one in a frame counts; nothing is reassembled or decapsulated.

Each file that differs is named with its first packets that do, and what tshark takes them for. What
stands behind MPLS or another encapsulation is not plain IP; it is left out, and counted. Exit code: 0
if all are equal, 1 if one differs.

Needs tshark (Debian: apt-get install tshark) and the program, named by $NEXTHOP or found in
target/release.
"""

import collections
import csv
import io
import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
ROUTES = """Source    State    Address Prefix    Next Hop Type    Next Hop IP
--------  -------  ----------------  ---------------  -------------
Default   Active   0.0.0.0/0         Internet
Default   Active   ::/0              Internet
"""
FIELDS = [
    "frame.number", "frame.protocols", "ip.src", "ip.dst", "ip.len",
    "ipv6.src", "ipv6.dst", "ipv6.plen",
    "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
]
PREFERENCES = [
    "ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE",
]
COLUMNS = "SourceRecord,SrcIp,SrcPort,DestIp,DestPort,ProtocolNumber,BytesSrcToDest"
# What may stand before plain IP; any other layer there is a tunnel or a framing of its own.
LINK_LAYERS = {
    "eth", "ethertype", "vlan", "ieee8021ad", "llc", "sll", "null", "raw", "ppp", "pppoes",
}
EXAMPLES_MAX = 3

# A packet of a flow: protocol, source, source port, destination, destination port, bytes.
Packet = collections.namedtuple("Packet", "protocol source source_port destination port bytes")

# Packets whose IP is not plain, by what stands before it.
left_out = collections.Counter()


def main():
    program = os.environ.get("NEXTHOP", str(REPOSITORY / "target/release/nexthop"))
    files = captures(sys.argv[1:])
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        routes = pathlib.Path(folder) / "routes.txt"
        routes.write_text(ROUTES)
        for path in files:
            outcome, lines = compare(program, routes, path)
            counts[outcome] += 1
            for line in lines:
                print(f"{path}: {line}")
    print()
    for outcome, count in sorted(counts.items()):
        print(f"{count:5} {outcome}")
    for encapsulation, count in sorted(left_out.items()):
        print(f"      left out: {count} packets behind {encapsulation}")
    return 1 if counts["DIFFERENT"] or counts["not read by nexthop"] else 0


def captures(arguments):
    if not arguments:
        corpus = os.environ.get("NEXTHOP_CORPUS")
        if not corpus:
            sys.exit("NEXTHOP_CORPUS does not name the corpus, and no file was given")
        arguments = [pathlib.Path(corpus) / "captures"]
    files = []
    for argument in map(pathlib.Path, arguments):
        below = argument.rglob("*") if argument.is_dir() else [argument]
        files.extend(path for path in below if path.is_file())
    return sorted(files)


def compare(program, routes, path):
    """Returns the outcome for a file, and what there is to say about it."""
    summary = nexthop(program, routes, path, "--format", "json")
    if summary is None:
        return "not read by nexthop", ["nexthop failed"]
    summary = json.loads(summary)
    books = summary["inputs"][0]
    if books["damaged"].get("unrecognised_file"):
        return "no capture", []
    unsupported = books["not_applicable"].get("unsupported_link_type", 0)
    if unsupported == books["records_read"]:
        return "empty, or of link types that are not supported", []
    theirs, notes = tshark_packets(path)
    if theirs is None:
        return "not read by tshark", notes
    ours = nexthop_packets(program, routes, path)
    if flows(ours.values()) == flows(packet for packet, _ in theirs.values()):
        return "equal", []
    numbers = [
        number for number in sorted(ours.keys() | theirs.keys())
        if ours.get(number) != theirs.get(number, (None, None))[0]
    ]
    lines = []
    for number in numbers[:EXAMPLES_MAX]:
        packet, layers = theirs.get(number, (None, "no such packet"))
        lines.append(
            f"packet {number}: nexthop {shown(ours.get(number))}, tshark {shown(packet)} ({layers})"
        )
    return "DIFFERENT", [*lines, f"{len(numbers)} packets differ"]


def flows(packets):
    """Packets and bytes of each flow, in either direction of it."""
    sums = collections.defaultdict(lambda: [0, 0])
    for packet in packets:
        if packet is None:
            continue
        ends = sorted([(packet.source, packet.source_port), (packet.destination, packet.port)])
        flow = sums[packet.protocol, *ends]
        flow[0] += 1
        flow[1] += packet.bytes
    return dict(sums)


def nexthop(program, routes, path, *arguments):
    command = [program, "classify", "--routes", routes, "--decapsulate", "none", "--no-progress"]
    run = subprocess.run(
        [*command, "--max-skipped", "100%", "--quiet", *arguments, path],
        capture_output=True, text=True, check=False,
    )
    return run.stdout if run.stdout else None


def nexthop_packets(program, routes, path):
    text = nexthop(
        program, routes, path, "--per", "packet", "--format", "csv", "--columns", COLUMNS
    )
    packets = {}
    for row in csv.DictReader(io.StringIO(text or "")):
        if row["ProtocolNumber"] in ("6", "17") and row["SrcPort"]:
            packets[int(row["SourceRecord"])] = Packet(
                int(row["ProtocolNumber"]),
                ipaddress.ip_address(row["SrcIp"]), int(row["SrcPort"]),
                ipaddress.ip_address(row["DestIp"]), int(row["DestPort"]),
                int(row["BytesSrcToDest"]),
            )
    return packets


def tshark_packets(path):
    """Returns each frame's packet (None if it is of no such flow) with its layers."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"]
    for preference in PREFERENCES:
        command += ["-o", preference]
    for field in FIELDS:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    notes = [line for line in run.stderr.splitlines() if "Running as user" not in line]
    frames = {}
    for line in run.stdout.splitlines():
        frame = dict(zip(FIELDS, line.split("\t")))
        frames[int(frame["frame.number"])] = (packet_of(frame), frame["frame.protocols"])
    if not frames and run.returncode != 0:
        return None, notes
    return frames, notes


def packet_of(frame):
    """The TCP or UDP packet that stands directly in the first IP header of a frame."""
    layers = frame["frame.protocols"].split(":")
    at = next((at for at, layer in enumerate(layers) if layer in ("ip", "ipv6")), None)
    if at is None:
        return None
    encapsulation = ":".join(layer for layer in layers[:at] if layer not in LINK_LAYERS)
    if encapsulation:
        left_out[encapsulation] += 1
        return None
    version = layers[at]
    above = next((layer for layer in layers[at + 1:] if not is_extension(layer)), None)
    if above not in ("tcp", "udp") or not frame[f"{above}.srcport"]:
        return None
    if version == "ip":
        length = int(frame["ip.len"])
    else:
        length = 40 + int(frame["ipv6.plen"])
    return Packet(
        6 if above == "tcp" else 17,
        ipaddress.ip_address(frame[f"{version}.src"]), int(frame[f"{above}.srcport"]),
        ipaddress.ip_address(frame[f"{version}.dst"]), int(frame[f"{above}.dstport"]),
        14 + length,
    )


def is_extension(layer):
    return layer.startswith("ipv6.") or layer == "ah"


def shown(packet):
    if packet is None:
        return "none"
    name = "tcp" if packet.protocol == 6 else "udp"
    return (
        f"{name} {packet.source}:{packet.source_port}>{packet.destination}:{packet.port} "
        f"{packet.bytes} bytes"
    )


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env bash
# How much faster is the program than what one would write with well-known crates?
#
# Generates a flow log and a capture, runs `nexthop classify` and its twins over them in turn, checks
# that all find what the generator says, and prints medians and ratios. Whole processes are compared,
# page cache warm. Only ratios of one run count; see benches/README.md.
#
#   scripts/compare-twins.sh [RECORDS [ROUNDS]]     (default 10000000 tuples and packets, 5 rounds)
#
# Needs about 200 bytes of disk a record below $TMPDIR.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --bin nexthop --example twin_capture --example twin_flowlog
target="${CARGO_TARGET_DIR:-target}/release"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

python3 - "$target" "$work/new" "${1:-10000000}" "${2:-5}" <<'PYTHON'
import json
import os
import statistics
import subprocess
import sys
import time

def main():
    target, folder, records, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    program = f"{target}/nexthop"
    started = time.monotonic()
    subprocess.run(
        [program, "generate", "--seed", "1", "--nics", "50", "--tuples", str(records), "--packets",
         str(records), "-o", folder], check=True,
    )
    print(f"{records:,} tuples and packets generated in {time.monotonic() - started:.1f} s\n")
    snapshot = f"{folder}/snapshot"
    capture, blobs = f"{folder}/capture/traffic.pcap", f"{folder}/flow-log/blobs"
    for name, input_path, twin in [
        ("capture", capture, [f"{target}/examples/twin_capture", snapshot, capture]),
        ("flow-log", blobs, [f"{target}/examples/twin_flowlog", snapshot, blobs]),
    ]:
        classify = [program, "classify", "--routes", snapshot, "--format", "json", "--quiet"]
        variants = {
            "twin": twin,
            "nexthop, 1 thread": [*classify, "--threads", "1", input_path],
            "nexthop, 2 threads": [*classify, "--threads", "2", input_path],
        }
        compare(name, variants, f"{folder}/{name}/expected.json", records, rounds)


def compare(name, variants, expected_path, records, rounds):
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)
    seconds = {variant: [] for variant in variants}
    cpu_seconds = {variant: [] for variant in variants}
    peaks = dict.fromkeys(variants, 0)
    # The first round warms the page cache and is not counted.
    for round_index in range(rounds + 1):
        for variant, command in variants.items():
            elapsed, usage, totals = run(command)
            check(f"{name}, {variant}", totals, expected)
            if round_index > 0:
                seconds[variant].append(elapsed)
                cpu_seconds[variant].append(usage.ru_utime + usage.ru_stime)
                peaks[variant] = max(peaks[variant], usage.ru_maxrss)
    base = statistics.median(seconds["twin"])
    cpu_base = statistics.median(cpu_seconds["twin"])
    print(f"{name:20} {'wall s':>8} {'M/s':>8} {'x twin':>8} {'CPU s':>8} {'x twin':>8} {'MiB':>8}")
    for variant in variants:
        median, cpu = (statistics.median(all[variant]) for all in (seconds, cpu_seconds))
        print(
            f"{variant:20} {median:8.3f} {records / median / 1e6:8.2f} {base / median:8.2f} "
            f"{cpu:8.3f} {cpu_base / cpu:8.2f} {peaks[variant] / 1024:8.1f}"
        )
    print(flush=True)


def run(command):
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(command)} failed")
    return elapsed, usage, json.loads(output)


def check(who, totals, expected):
    for key, want in expected.items():
        if totals[key] != want:
            sys.exit(f"{who}: {key} is {totals[key]}, and the generator says {want}")


main()
PYTHON

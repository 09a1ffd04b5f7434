#!/usr/bin/env bash
# Does memory stay flat, whatever the size of the input?
#
# Repeats the records of the private-link scenario's flow log into standard input, to two sizes, and
# compares the peak memory of `nexthop classify … -`. Nothing of that size is stored.
#
#   scripts/memory-flat.sh [SMALL_MB [LARGE_MB]]     (default 1000 4000)
#
# $NEXTHOP names the program; without it target/release/nexthop is used.
set -euo pipefail
cd "$(dirname "$0")/.."

program="${NEXTHOP:-target/release/nexthop}"
exec python3 - "$program" "${1:-1000}" "${2:-4000}" <<'PYTHON'
import json
import os
import subprocess
import sys
import threading

SCENARIO = "captures/private-link"
TOLERANCE = 0.10


def main():
    program, small_mb, large_mb = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(f"{SCENARIO}/traffic/vnet-flow-log/PT1H.json", "rb") as file:
        records = file.read().removeprefix(b'{"records":[').removesuffix(b"]}")
    one = classify(program, records, 1)
    peaks = []
    for size_mb in (small_mb, large_mb):
        repeats = size_mb * 1_000_000 // (len(records) + 1)
        run = classify(program, records, repeats)
        for key in ("records_read", "classified"):
            assert run[key] == repeats * one[key], f"{key}: {run[key]}, not {repeats * one[key]}"
        peaks.append(run["peak_kib"])
        print(
            f"{size_mb:6} MB  {run['records_read']:12,} tuples  "
            f"peak {run['peak_kib'] / 1024:7.1f} MiB", flush=True,
        )
    ratio = peaks[1] / peaks[0]
    is_flat = ratio <= 1 + TOLERANCE
    print(f"ratio {ratio:.3f}, at most {1 + TOLERANCE:.2f}: {'flat' if is_flat else 'NOT FLAT'}")
    return 0 if is_flat else 1


def classify(program, records, repeats):
    """Classifies the records so many times, and returns the summary with the peak memory."""
    command = [program, "classify", "--routes", f"{SCENARIO}/snapshot", "--format", "json", "--quiet", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    writer = threading.Thread(target=feed, args=(process.stdin, records, repeats))
    writer.start()
    output = process.stdout.read()
    writer.join()
    # Of this process alone; getrusage(RUSAGE_CHILDREN) would give the largest of all so far.
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"{' '.join(command)}: exit code {code}")
    return {**json.loads(output), "peak_kib": usage.ru_maxrss}


def feed(pipe, records, repeats):
    block_repeats = max(1, 1_000_000 // len(records))
    block = b",".join([records] * block_repeats)
    with pipe:
        pipe.write(b'{"records":[')
        separator = b""
        while repeats > 0:
            count = min(repeats, block_repeats)
            whole = block if count == block_repeats else b",".join([records] * count)
            pipe.write(separator + whole)
            separator = b","
            repeats -= count
        pipe.write(b"]}")


sys.exit(main())
PYTHON

#!/usr/bin/env bash
# Does `nexthop verify` give every flow of a large estate the verdict that it was made for?
#
# Generates an estate (200 subnets, 2 firewalls, flow logs, firewall logs) with known verdicts, and
# compares totals and findings: precision and recall of each verdict must be whole. Prints time and
# peak memory of `classify` and `verify` beside each other.
#
#   scripts/verify-estate.sh [TUPLES [MEMORY [LINES]]]     (default 5000000 1GiB, a line a flow)
#
# $NEXTHOP names the program; without it target/release/nexthop is used. Needs about 150 bytes of
# disk a tuple.
set -euo pipefail
cd "$(dirname "$0")/.."

program="$(realpath "${NEXTHOP:-target/release/nexthop}")"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"$program" generate --estate --seed 1 --tuples "${1:-5000000}" ${3:+--log-lines "$3"} -v -o "$folder"
cd "$folder"
python3 - "$program" "${2:-1GiB}" <<'PYTHON'
import json
import os
import subprocess
import sys
import time


def run(name, arguments):
    started = time.monotonic()
    process = subprocess.Popen([PROGRAM, *arguments, "--quiet"], stdout=subprocess.PIPE)
    output = process.stdout.read()
    # Of this process alone; getrusage(RUSAGE_CHILDREN) would give the largest of all so far.
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{name:9} {wall:7.2f} s wall  {cpu:7.2f} s CPU  {usage.ru_maxrss / 1024:8.1f} MiB peak")
    if code not in (0, 1):
        sys.exit(f"{name}: exit code {code}")
    return json.loads(output), cpu


def findings(report):
    keys = ("code", "source", "destination")
    return {tuple(one[key] for key in keys): one["flows"] for one in report["findings"]}


PROGRAM, memory = sys.argv[1:]
common = ["--routes", "snapshot", "--memory", memory, "--format", "json"]
_, classify_cpu = run("classify", ["classify", *common, "traffic"])
report, verify_cpu = run(
    "verify", ["verify", *common, "--policy", "policy.toml", "--evidence", "evidence", "traffic"]
)
with open("expected.json", encoding="utf-8") as file:
    expected = json.load(file)
got = {verdict: sums["flows"] for verdict, sums in report["totals"].items() if sums["flows"]}
print(f"speed of verify: {classify_cpu / verify_cpu:.0%} of classify's, by CPU time")
print(f"{expected['tuples']:,} tuples, {expected['lines']:,} lines of firewall logs")
for verdict, flows in sorted(expected["verdicts"].items()):
    print(f"  {verdict:19} {flows:10,} flows, {got.get(verdict, 0):10,} found")
assert got == expected["verdicts"], "the verdicts differ"
assert findings(report) == findings(expected), "the findings differ"
assert sum(sums["tuples"] for sums in report["totals"].values()) == expected["tuples"]
print(f"{len(report['findings']):,} findings: each is its truth, with its number of flows")
PYTHON

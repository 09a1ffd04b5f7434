#!/usr/bin/env bash
# Looks up all 2^32 IPv4 addresses in every engine, of three tables; a number of IPv6 addresses (the
# first argument, 10^9 where there is none); and 10,000 addresses in each of a number of random tables
# of both families (the second, 10^5). With published tables where NEXTHOP_CORPUS names them, generated
# ones otherwise. Once with the kernels of this machine and once with portable code (a tenth of the IPv6
# addresses and of the random tables).
set -euo pipefail
cd "$(dirname "$0")/.."

export NEXTHOP_EXHAUSTIVE_V6="${1:-1000000000}"
export NEXTHOP_EXHAUSTIVE_TABLES="${2:-100000}"
run() {
    cargo test --locked --release --no-default-features --test exhaustive_v4 -- \
        --ignored --nocapture --test-threads=1
}
run
export NEXTHOP_EXHAUSTIVE_V6=$((NEXTHOP_EXHAUSTIVE_V6 / 10))
export NEXTHOP_EXHAUSTIVE_TABLES=$((NEXTHOP_EXHAUSTIVE_TABLES / 10))
NEXTHOP_FORCE_PORTABLE=1 run

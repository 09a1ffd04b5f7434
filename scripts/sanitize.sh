#!/usr/bin/env bash
# Runs the tests of the look-up kernels and of flow logs under AddressSanitizer, which sees what reads
# without bounds checks would read outside their tables. Needs a nightly compiler, and builds into a
# folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

host="$(rustc -vV | sed -n 's/^host: //p')"
export RUSTFLAGS="-Zsanitizer=address ${RUSTFLAGS:-}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitize"
# What tests leave allocated on purpose is not what is looked for.
export ASAN_OPTIONS="detect_leaks=0 ${ASAN_OPTIONS:-}"

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "SKIPPED: there is no nightly compiler, which sanitizers need" >&2
    exit 0
fi
run() { cargo +nightly test --locked --no-default-features --target "$host" "$@"; }
run --lib -- lpm:: memory:: traffic::flowlog::
run --test equivalence

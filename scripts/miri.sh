#!/usr/bin/env bash
# Runs the tests of the look-ups' safe code and of memory on huge pages under Miri, which executes
# no vector instructions: kernels take their portable path. Needs a nightly compiler with Miri.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "SKIPPED: Miri is not installed (rustup component add --toolchain nightly miri)" >&2
    exit 0
fi
export MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/miri"
cargo +nightly miri test --locked --no-default-features --lib -- lpm:: memory::

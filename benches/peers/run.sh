#!/usr/bin/env bash
# Measures nexthop's longest-prefix match beside DPDK and crates, and prints the ratios as Markdown.
# Installs libdpdk-dev if it is missing. Arguments go to lpm-peers (--rounds N, --table NAME,
# --without WORD).
#
# POPTRIE_DIR may name a copy of the paper's poptrie (github.com/pixos/poptrie), whose licence
# allows evaluation only: it is measured too then.
set -euo pipefail
cd "$(dirname "$0")"

work="${TMPDIR:-/tmp}/nexthop-peers"
mkdir -p "$work"

if ! pkg-config --exists libdpdk; then
    echo "installing libdpdk-dev" >&2
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get install -y libdpdk-dev pkg-config >&2
fi
cc -O3 -march=native $(pkg-config --cflags libdpdk) -o "$work/dpdk" dpdk.c $(pkg-config --libs libdpdk)
set -- --dpdk "$work/dpdk" "$@"

if [ -n "${POPTRIE_DIR:-}" ]; then
    cc -O3 -march=native -I"$POPTRIE_DIR" -o "$work/poptrie" poptrie.c \
        "$POPTRIE_DIR"/{poptrie,poptrie4,poptrie6,buddy}.c
    set -- --poptrie "$work/poptrie" "$@"
fi

cargo build --release --quiet
exec "${CARGO_TARGET_DIR:-target}/release/lpm-peers" "$work/data" "$@"

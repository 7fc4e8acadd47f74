# shellcheck shell=bash disable=SC2034
# What the edge's benchmarks have in common: where things are, what is built, what is cleared away.
# The script that sources it has set `checkout` and stands there.

# shellcheck source=scripts/lib/messages.sh
. scripts/lib/messages.sh
# shellcheck source=scripts/lib/machine.sh
. scripts/lib/machine.sh
# shellcheck source=scripts/lib/processes.sh
. scripts/lib/processes.sh
# shellcheck source=scripts/lib/servers.sh
. scripts/lib/servers.sh
# shellcheck source=Benchmarks/Edge/peers.sh
. Benchmarks/Edge/peers.sh

# Kept between runs: what takes minutes to build or to install.
caches="$checkout/.local/bench"
# Gone afterwards. On the checkout's disk, so the spool is on a real one.
work="$caches/work"
# Where the programs are, if they are built already.
binaries=

finish() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    stop_attended
    stop_all_servers
    rm -rf "$work"
    exit "$code"
}

# One benchmark at a time in a checkout, and nothing left of it.
take_workshop() {
    take_folder "$caches"
    rm -rf "$work"
    mkdir -p "$work/bin"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

build() {
    local product folder=Benchmarks/Edge
    ensure_packages gcc libc6-dev libssl-dev openssl curl procps util-linux
    say "Building"
    if [[ -z $binaries ]]; then
        ensure_swift no
        for product in Edge EdgeBench; do
            GONGGUMOA_EDGE_ONLY=1 attend swift build -c release --static-swift-stdlib \
                --product "$product" --scratch-path .build-edge >&2 ||
                die "$product does not build"
        done
        binaries=$checkout/.build-edge/release
    fi
    edge_binary=$binaries/Edge
    tool_binary=$binaries/EdgeBench
    gcc -O2 -Wall -Wextra -Werror -o "$work/bin/floor" "$folder/floor.c"
    gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$work/bin/load" "$folder"/load/*.c \
        -lssl -lcrypto -lm
}

# What the benchmarks of money share: servers of their own, and time by the clock and by the
# processor. Sourced after scripts/lib; the one that sources it sets name, work, servers, secret and
# api (a program, or nothing).
# shellcheck shell=bash disable=SC2034,SC2154

finish() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    stop_attended
    stop api TERM 10
    stop redis TERM 10
    stop postgres INT 60
    rm -rf "$work"
    [[ -z $servers ]] || rm -rf "$servers"
    exit "$code"
}

build() {
    ensure_packages "${packages_needed[@]}"
    [[ -z $api ]] || return 0
    ensure_swift no
    say "Building the API"
    attend swift build -c release --static-swift-stdlib --product API \
        --scratch-path .build-release >&2 || die "API does not build"
    api=$checkout/.build-release/release/API
}

start_servers() {
    local password redis_password
    servers=$(servers_folder "$name-servers" "$checkout")
    stop_stale_postgres "$servers/postgres"
    "${server_user[@]}" rm -rf "$servers/postgres"
    password=$(random_secret)
    redis_password=$(random_secret)
    start_postgres "$servers/postgres" "$password" "$work/postgres.log"
    start_redis "$servers" "$redis_password" "$work/redis.log"
    DATABASE_URL=$(postgres_url postgres "$password" postgres)
    REDIS_URL=$(redis_url "$redis_password")
    api_port=$(free_port)
    export DATABASE_URL REDIS_URL JWT_SECRET_KEY=$secret API_PORT=$api_port
    psql=("$(postgres_programs "$servers/postgres")/psql" -XqAt -v ON_ERROR_STOP=1 "$DATABASE_URL")
}

now_us() {
    printf '%s\n' "${EPOCHREALTIME/[.,]/}"
}

# Processor time of the server, all sessions that are and were, in ms.
server_ms() {
    local pid fields total=0
    for pid in "${launched[postgres]}" $(pgrep -P "${launched[postgres]}"); do
        # The name in brackets may have blanks. utime, stime and, of the first, its dead children's.
        fields=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || continue
        read -ra fields <<<"$fields"
        total=$((total + fields[11] + fields[12]))
        [[ $pid != "${launched[postgres]}" ]] || total=$((total + fields[13] + fields[14]))
    done
    printf '%s\n' "$((total * 10))"
}

# What `times` says of the commands that the shell has waited for, in ms.
commands_ms() {
    awk 'NR == 2 { for (i = 1; i <= 2; i++) {
        split($i, part, /[ms]/); total += part[1] * 60000 + part[2] * 1000 }
        printf "%d\n", total }'
}

# timed NAME COMMAND...: ${took[NAME]} gets its wall time, ${server[NAME]} the server's processor
# time and ${own[NAME]} the command's, in ms.
declare -A took server own
timed() {
    local name=$1 before server_before own_before
    shift
    server_before=$(server_ms)
    times >"$work/cpu"
    own_before=$(commands_ms <"$work/cpu")
    before=$(now_us)
    "$@" || die "$name failed"
    took[$name]=$((($(now_us) - before) / 1000))
    times >"$work/cpu"
    own[$name]=$(($(commands_ms <"$work/cpu") - own_before))
    server[$name]=$(($(server_ms) - server_before))
    say "$name: ${took[$name]} ms, processor ${server[$name]} ms server, ${own[$name]} ms own"
}

ask() {
    "${psql[@]}" -c "$1"
}

seconds() {
    awk -v ms="$1" 'BEGIN { printf "%.1f", ms / 1000 }'
}

begin() {
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    rm -rf "$work"
    mkdir -p "$work"
    build
    start_servers
}

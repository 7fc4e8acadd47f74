# shellcheck shell=bash disable=SC2154
# Starts the servers that are measured, each on a port and cores of its own. Needs scripts/lib, and
# setup.sh; `run` sets answer_location first.
#
# A server is named KIND[-close][-tls][-2w], and an edge also edge-1k, edge-100k, edge-10m; plain
# `edge` serves 1 M links.

declare -A server_port=() server_workers=()
# Put before the edge's program: what watches it.
edge_wrapper=()
# The admin port of the edge started last.
edge_admin=

# start_server NAME: starts it and waits until it answers.
start_server() {
    local name=$1 workers=1
    [[ $name != *-2w ]] || workers=2
    server_port[$name]=$(free_port)
    server_workers[$name]=$workers
    mkdir -p "$work/$name"
    case $name in
    floor*) start_floor "$name" ;;
    edge*) start_edge "$name" ;;
    nginx*) start_nginx "$name" ;;
    haproxy*) start_haproxy "$name" ;;
    hummingbird*) start_hummingbird "$name" ;;
    seed*) start_seed "$name" ;;
    *) die "there is no server \"$name\"" ;;
    esac
    wait_answering "$name"
}

# server_cores WORKERS: the first cores are the server's …
server_cores() {
    seq -s, 0 "$(($1 - 1))"
}

# … and the rest the load's; where none is left they share the last.
load_cores() {
    local all
    all=$(nproc)
    printf '%s-%s\n' "$(($1 < all ? $1 : all - 1))" "$((all - 1))"
}

# launch_pinned NAME COMMAND...: launch, on the server's cores.
launch_pinned() {
    local name=$1
    shift
    launch "$name" "$work/$name/log" TERM \
        taskset -c "$(server_cores "${server_workers[$name]}")" "$@" </dev/null
}

wait_answering() {
    local name=$1 url
    url=http://127.0.0.1:${server_port[$name]}/go/00000000-0000-7000-8000-000000000000
    [[ $name != *-tls* ]] || url=https${url#http}
    for ((waited = 0; waited < 300; waited++)); do
        if ! running "$name"; then break; fi
        # The floor counts bytes, so a request of another length would put it out of step.
        if [[ $name == floor* ]]; then
            ! port_taken 127.0.0.1 "${server_port[$name]}" || return 0
        else
            ! curl -sk -o /dev/null --max-time 2 "$url" || return 0
        fi
        sleep 0.1
    done
    tail -n 20 "$work/$name/log" >&2
    die "$name does not answer; the end of its log is above"
}

start_floor() {
    local name=$1 mode=keep-alive
    [[ $name != *-close* ]] || mode=close
    launch_pinned "$name" "$work/bin/floor" "${server_port[$name]}" \
        "$("$work/bin/load" --request-bytes)" "$work/answer-$mode" \
        "${server_workers[$name]}" "$mode"
}

# links_of NAME: the size of an edge's links file.
links_of() {
    case $1 in
    edge-1k*) printf '1k\n' ;;
    edge-100k*) printf '100k\n' ;;
    edge-10m*) printf '10m\n' ;;
    *) printf '1m\n' ;;
    esac
}

start_edge() {
    local name=$1 size settings=() plain=${server_port[$1]}
    edge_admin=$(free_port)
    size=$(links_of "$name")
    make_links "$size"
    if [[ $name == *-tls* ]]; then
        plain=0
        settings=(EDGE_TLS_CERT="$work/tls.crt" EDGE_TLS_KEY="$work/tls.key"
            EDGE_TLS_LISTEN="127.0.0.1:${server_port[$name]}")
    fi
    # The load tells shoppers' addresses as a proxy would. All else is as delivered: judged, folded,
    # written and synced like a shop's clicks.
    launch_pinned "$name" env "${settings[@]}" \
        EDGE_LISTEN="127.0.0.1:$plain" EDGE_ADMIN_LISTEN="127.0.0.1:$edge_admin" \
        EDGE_WORKERS="${server_workers[$name]}" EDGE_SPOOL_DIR="$work/$name" \
        EDGE_LINKS_FILE="$work/links-$size" TRUSTED_PROXIES=127.0.0.0/8 \
        EDGE_VISITOR_KEY="$(random_secret)" JWT_SECRET_KEY="$(random_secret)" \
        "${edge_wrapper[@]}" "$edge_binary"
    until curl -fsS -o /dev/null --max-time 2 "http://127.0.0.1:$edge_admin/readyz" 2>/dev/null; do
        running "$name" || die "$name ended: $(tail -n 5 "$work/$name/log")"
        sleep 0.05
    done
}

# trim_spool NAME: what Ingest does with segments that are whole and counted, so that a long run
# does not fill the disk. The one being written stays.
trim_spool() {
    local folder files
    [[ $1 == edge* ]] || return 0
    for folder in "$work/$1"/*/; do
        mapfile -t files < <(find "$folder" -maxdepth 1 -name '*.clicks' -printf '%T@ %p\n' |
            sort -n | cut -d' ' -f2- | head -n "-$((server_workers[$1] + 1))")
        ((${#files[@]} == 0)) || rm -f "${files[@]}"
    done
}

make_links() {
    local -A counts=([1k]=1000 [100k]=100000 [1m]=1000000 [10m]=10000000)
    [[ ! -e $work/links-$1 ]] || return 0
    attend "$tool_binary" links "${counts[$1]}" "$work/links-$1" "$work/ids-$1" ||
        die "no links file could be made"
}

make_certificate() {
    [[ ! -e $work/tls.pem ]] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj /CN=go.gonggumoa.example -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null
    cat "$work/tls.crt" "$work/tls.key" >"$work/tls.pem"
}

# fill TEMPLATE NAME WORD=VALUE...: a peer's settings with the words between @ put in.
fill() {
    local template=$1 name=$2 pair script=()
    shift 2
    for pair in "PORT=${server_port[$name]}" "WORKERS=${server_workers[$name]}" \
        "FOLDER=$work/$name" "LOCATION=$answer_location" "$@"; do
        pair=${pair//&/\\&}
        script+=(-e "s|@${pair%%=*}@|${pair#*=}|g")
    done
    sed "${script[@]}" "$template" >"$work/$name/settings"
}

start_nginx() {
    local name=$1 log=off tls="" certificate=""
    [[ $name != nginx-log* ]] || log="$work/$name/access.log click buffer=64k flush=1s"
    if [[ $name == *-tls* ]]; then
        tls=ssl
        certificate="ssl_certificate $work/tls.crt; ssl_certificate_key $work/tls.key;"
        certificate+=" ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m;"
    fi
    fill "$checkout/Benchmarks/Edge/peers/nginx.conf" "$name" "LOG=$log" "TLS=$tls" \
        "CERTIFICATE=$certificate"
    launch_pinned "$name" nginx -p "$work/$name" -c "$work/$name/settings"
}

start_haproxy() {
    local name=$1 tls=""
    [[ $name != *-tls* ]] || tls="ssl crt $work/tls.pem"
    fill "$checkout/Benchmarks/Edge/peers/haproxy.cfg" "$name" "TLS=$tls"
    launch_pinned "$name" haproxy -db -f "$work/$name/settings"
}

start_hummingbird() {
    launch_pinned "$1" env NIO_SINGLETON_GROUP_LOOP_COUNT="${server_workers[$1]}" \
        "$caches/hummingbird/release/Redirect" "${server_port[$1]}" "$answer_location"
}

# `seed`, or `seed-lean` at its best, see its app.py.
start_seed() {
    local name=$1 lean=0 number=0
    if [[ $name == seed-lean* ]]; then
        lean=1
        # A Redis database of its own: the other's keys would make its clicks duplicates.
        number=1
    fi
    [[ -n ${launched[postgres]:-} ]] || start_seed_servers
    launch_pinned "$name" env LEAN=$lean LOCATION="$answer_location" PYTHONDONTWRITEBYTECODE=1 \
        DATABASE_URL="$seed_database_url" REDIS_URL="${seed_redis_url%/*}/$number" \
        "$caches/venv/bin/uvicorn" app:app --app-dir "$checkout/Benchmarks/Edge/peers/seed" \
        --host 127.0.0.1 --port "${server_port[$name]}" --loop uvloop --http httptools \
        --no-access-log --log-level warning
}

# Redis and PostgreSQL run beside the load, so that the stack's own process has its core to itself;
# what they cost is told apart.
start_seed_servers() {
    local password redis_password pid
    password=$(random_secret)
    redis_password=$(random_secret)
    seed_servers=$(servers_folder bench-servers "$checkout")
    stop_stale_postgres "$seed_servers/postgres"
    "${server_user[@]}" rm -rf "$seed_servers/postgres"
    start_postgres "$seed_servers/postgres" "$password" "$work/postgres.log"
    start_redis "$seed_servers" "$redis_password" "$work/redis.log"
    for pid in $(family "${launched[postgres]}" | tr , ' ') "${launched[redis]}"; do
        # One of the database's own helpers may be gone by now.
        taskset -acp "$(load_cores 1)" "$pid" >/dev/null 2>&1 || true
    done
    seed_database_url=$(postgres_url postgres "$password" postgres)
    seed_redis_url=$(redis_url "$redis_password")
}

# family PID: it and all that descend from it, with commas between.
family() {
    local pids=("$1") index=0 children
    while ((index < ${#pids[@]})); do
        mapfile -t children < <(pgrep -P "${pids[index]}" || true)
        pids+=("${children[@]}")
        index=$((index + 1))
    done
    (IFS=, && printf '%s\n' "${pids[*]}")
}

# Ends every server that was started and forgets it.
stop_all_servers() {
    local name
    for name in "${!server_port[@]}"; do
        stop "$name" TERM 15
        rm -rf "${work:?}/$name"
    done
    server_port=()
    stop_servers
    if [[ -n ${seed_servers:-} ]]; then rm -rf "$seed_servers"; fi
}

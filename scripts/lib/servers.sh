# shellcheck shell=bash
# A PostgreSQL and a Redis of this checkout's own, on 127.0.0.1, ports of their own, behind
# passwords, so that they meet neither the machine's servers nor its other users. Needs messages.sh
# and processes.sh.
#
# PostgreSQL refuses to run as root, so root's servers run as the user postgres, which the package
# brings. That user must reach the data; where it cannot reach the checkout, /var/lib has it.

# Runs a command as the user who owns the servers' data.
server_user=()
((EUID == 0)) && server_user=(setpriv --reuid postgres --regid postgres --init-groups)

# servers_folder NAME CHECKOUT: makes the folder that holds the servers' data, and prints it.
servers_folder() {
    local folder="$2/.local/$1"
    if ((EUID == 0)) && ! "${server_user[@]}" test -x "$2/.local"; then
        folder="/var/lib/gonggumoa-$(printf '%s' "$2" | sha256sum | cut -c1-12)-$1"
    fi
    mkdir -p "$folder"
    chmod 700 "$folder"
    ((EUID == 0)) && chown postgres:postgres "$folder"
    printf '%s\n' "$folder"
}

# The folder of PostgreSQL's programs: those that made the data if it exists, else the newest.
postgres_programs() {
    local data=$1 version programs
    if [[ -e $data/PG_VERSION ]]; then
        version=$("${server_user[@]}" cat "$data/PG_VERSION")
        programs=/usr/lib/postgresql/$version/bin
        [[ -x $programs/postgres ]] || die "$data was made by PostgreSQL $version, which is gone; \
install postgresql-$version, or move that folder away to start anew"
    else
        programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
        [[ -x $programs/postgres ]] || die "/usr/lib/postgresql is empty; install postgresql"
    fi
    printf '%s\n' "$programs"
}

# launch, as the servers' user. The signal is asked for once more after the change of user, for
# which the kernel forgets it, see prctl(2).
launch_server() {
    launch "$1" "$2" "$3" "${server_user[@]}" setpriv --pdeathsig "$3" "${@:4}"
}

# make_cluster DATA PASSWORD: initdb, all or nothing: a half-made cluster never gets the name.
make_cluster() {
    local data=$1 password=$2 programs passwords
    programs=$(postgres_programs "$data")
    passwords=$(mktemp "${TMPDIR:-/tmp}/gonggumoa-XXXXXX")
    printf '%s\n' "$password" >"$passwords"
    ((EUID == 0)) && chown postgres "$passwords"
    "${server_user[@]}" rm -rf "$data.new"
    # C.UTF-8 and not C: with C, trigrams of Hangul come out empty.
    if ! (cd / && "${server_user[@]}" "$programs/initdb" -D "$data.new" -E UTF8 \
        --locale=C.UTF-8 -U postgres -A scram-sha-256 --pwfile="$passwords") >"$data.log" 2>&1; then
        rm -f "$passwords"
        cat "$data.log" >&2
        die "initdb failed, see above"
    fi
    rm -f "$passwords"
    "${server_user[@]}" mv "$data.new" "$data"
}

# start_postgres DATA PASSWORD LOG SETTING...: starts the cluster, made if it is missing, and sets
# postgres_port. Settings are as in postgresql.conf, name=value.
start_postgres() {
    local data=$1 password=$2 log=$3 programs setting settings=() attempt
    shift 3
    for setting in "$@"; do settings+=(-c "$setting"); done
    [[ -e $data/PG_VERSION ]] || make_cluster "$data" "$password"
    programs=$(postgres_programs "$data")
    stop_stale_postgres "$data"
    # Somebody else may take the port between the look and the bind: then another is tried.
    for attempt in 1 2 3; do
        postgres_port=$(free_port)
        launch_server postgres "$log" INT "$programs/postgres" -D "$data" \
            -p "$postgres_port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
            "${settings[@]}" </dev/null
        # After a crash it replays its log first.
        for ((waited = 0; waited < 600; waited++)); do
            running postgres || break
            if "$programs/pg_isready" -q -h 127.0.0.1 -p "$postgres_port"; then return 0; fi
            sleep 0.1
        done
        stop postgres INT 10
        say "PostgreSQL did not start (attempt $attempt), see $log"
    done
    tail -n 20 "$log" >&2
    die "PostgreSQL does not start; the end of its log is above"
}

# A server that an earlier run of the script could not stop: its pid file names it, and its working
# folder proves that the number was not given to another process since.
stop_stale_postgres() {
    local data=$1 pid
    pid=$("${server_user[@]}" head -n 1 "$data/postmaster.pid" 2>/dev/null || true)
    [[ -n $pid && "$("${server_user[@]}" readlink "/proc/$pid/cwd" || true)" == "$data" ]] ||
        return 0
    say "Stopping a PostgreSQL that an earlier run left ($pid)"
    "${server_user[@]}" kill -s INT "$pid" || true
    wait_until_gone "$pid" 20 || die "PostgreSQL $pid holds $data and does not stop"
}

# sql DATA PASSWORD DATABASE: runs the SQL from standard input as the superuser.
sql() {
    local programs
    programs=$(postgres_programs "$1")
    PGPASSWORD=$2 "$programs/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" \
        -U postgres -d "$3"
}

# start_redis FOLDER PASSWORD LOG: starts a Redis that keeps nothing on disk and sets redis_port.
# Its settings come in by standard input, so the password is neither in a file nor in `ps`.
start_redis() {
    local folder=$1 password=$2 log=$3 attempt
    for attempt in 1 2 3; do
        redis_port=$(free_port)
        launch_server redis "$log" TERM redis-server - <<EOF
bind 127.0.0.1
port $redis_port
requirepass $password
dir $folder
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
EOF
        for ((waited = 0; waited < 100; waited++)); do
            running redis || break
            if [[ "$(REDISCLI_AUTH=$password redis-cli -h 127.0.0.1 -p "$redis_port" ping \
                2>/dev/null)" == PONG ]]; then
                return 0
            fi
            sleep 0.1
        done
        stop redis TERM 10
        say "Redis did not start (attempt $attempt), see $log"
    done
    tail -n 20 "$log" >&2
    die "Redis does not start; the end of its log is above"
}

# postgres_url USER PASSWORD DATABASE
postgres_url() {
    printf 'postgresql://%s:%s@127.0.0.1:%s/%s\n' "$1" "$2" "$postgres_port" "$3"
}

# redis_url PASSWORD
redis_url() {
    printf 'redis://:%s@127.0.0.1:%s/0\n' "$1" "$redis_port"
}

stop_servers() {
    stop redis TERM 10
    # INT is PostgreSQL's fast shutdown: it ends sessions instead of waiting for them.
    stop postgres INT 30
}

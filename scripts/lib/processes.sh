# shellcheck shell=bash
# Starts and stops processes so that none outlives the script. Each gets a session of its own, or
# Ctrl-C would reach all of them at once and the order of stopping would be lost; and each is told
# by the kernel when the script dies (--pdeathsig), which covers even a kill -9. Needs messages.sh.

# name → process id, of what `launch` started.
declare -A launched=()
# The command that `attend` waits for, and what marks it and all it starts in their environment.
attended=
attended_mark="GONGGUMOA_SCRIPT=$$-$RANDOM"

# take_folder FOLDER: makes a folder and holds its lock, on file descriptor 9, until the end.
take_folder() {
    mkdir -p "$1" 2>/dev/null || true
    [[ -w $1 && (! -e $1/lock || -w $1/lock) ]] ||
        die "$1 cannot be written; it or the checkout belongs to another user"
    exec 9>"$1/lock"
    flock -n 9 || die "another ${0##*/} runs in this checkout"
}

# launch NAME LOG SIGNAL COMMAND...: starts a process that gets SIGNAL if this script dies.
# Standard input is passed on, file descriptor 9 (the script's lock) is not.
launch() {
    local name=$1 log=$2 signal=$3
    shift 3
    setsid setpriv --pdeathsig "$signal" "$@" <&0 >>"$log" 2>&1 9>&- &
    launched[$name]=$!
}

running() {
    kill -0 "${launched[$1]}" 2>/dev/null
}

# stop NAME SIGNAL SECONDS: asks, waits, then insists.
stop() {
    local name=$1 signal=$2 seconds=$3 pid=${launched[$1]:-}
    [[ -n $pid ]] || return 0
    unset "launched[$name]"
    kill -s "$signal" "$pid" 2>/dev/null || true
    if ! wait_until_gone "$pid" "$seconds"; then
        say "$name did not stop within $seconds s; killing it"
        kill -s KILL "$pid" 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
}

# Whether a process ends within some seconds. One that ended and was not yet waited for counts as
# gone, although kill -0 still finds it.
wait_until_gone() {
    local pid=$1 left=$(($2 * 10)) state
    while ((left-- > 0)); do
        state=$(sed -nE 's/^State:\s+(.).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
        [[ -z $state || $state == Z ]] && return 0
        sleep 0.1
    done
    return 1
}

# attend COMMAND...: runs a command to its end, but lets this script's traps act at once. Fails if
# the command does, or if it leaves a process behind.
attend() {
    local code=0
    setsid setpriv --pdeathsig TERM env "$attended_mark" "$@" 9>&- &
    attended=$!
    wait "$attended" || code=$?
    attended=
    if ! attended_gone 2; then
        say "$1 left processes behind, which are stopped now: $(attended_names)"
        stop_attended
        ((code)) || code=1
    fi
    return "$code"
}

# Ends the command and everything it started. SwiftPM puts its compilers into process groups of
# their own and pg_ctl its server into a session, so neither would find all; the environment does.
stop_attended() {
    signal_attended TERM
    attended_gone 10 || signal_attended KILL
    [[ -z $attended ]] || wait "$attended" 2>/dev/null || true
    attended=
}

signal_attended() {
    local pids
    mapfile -t pids < <(attended_left)
    # Named as well, since it bears the mark only from its last exec on.
    [[ -z $attended ]] || pids+=("$attended")
    ((${#pids[@]} == 0)) || kill -s "$1" "${pids[@]}" 2>/dev/null || true
}

# The process ids of what bears the mark.
attended_left() {
    grep -lzsxF "$attended_mark" /proc/[0-9]*/environ | tr -cd '0-9\n' || true
}

attended_names() {
    local pid
    while read -r pid; do
        printf '%s (%s) ' "$(cat "/proc/$pid/comm" 2>/dev/null || true)" "$pid"
    done < <(attended_left)
}

# Whether all of it ends within some seconds.
attended_gone() {
    local left=$(($1 * 10))
    while ((left-- > 0)); do
        [[ -n $(attended_left) ]] || return 0
        sleep 0.1
    done
    return 1
}

# Whether something listens on a port of this machine.
port_taken() {
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# A port of 127.0.0.1 that nobody has, below the range the kernel hands out by itself.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        port_taken 127.0.0.1 "$port" || break
    done
    printf '%s\n' "$port"
}

# 32 random bytes as 64 hexadecimal digits.
random_secret() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

# shellcheck shell=bash
# Programs from PyPI that tests and benchmarks are run against, each version pinned, in environments
# of the checkout's own. Needs messages.sh, machine.sh and processes.sh.

# ensure_python_tools FOLDER PACKAGE==VERSION...: FOLDER/bin has their programs then. A folder that
# was made from the same list is kept; with another list it is made anew.
ensure_python_tools() {
    local folder=$1 wanted
    shift
    wanted=$(printf '%s\n' "$@")
    if [[ -r $folder/wanted && "$(<"$folder/wanted")" == "$wanted" ]]; then return 0; fi
    ensure_packages python3 python3-venv
    say "Installing $* from PyPI"
    rm -rf "$folder"
    mkdir -p "$folder"
    python3 -m venv "$folder" >&2 || die "python3 -m venv failed in $folder"
    attend "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" >&2 ||
        die "PyPI did not give $*; check the network, or pip's settings"
    printf '%s\n' "$wanted" >"$folder/wanted"
}

# shellcheck shell=bash
# Programs from PyPI that tests and benchmarks are run against, each version pinned, in environments
# of the checkout's own. Needs messages.sh, machine.sh and processes.sh.

# What holds the API against its document: scripts/conform asks by the first, tests by the second.
# shellcheck disable=SC2034
conform_tools=(schemathesis==4.32.5 openapi-spec-validator==0.9.0)

# Of drf_spectacular_sidecar-2026.10.1-py3-none-any.whl, which has Swagger UI 5.33.1.
document_assets_sha256=fe1d005d8ac9b5d0472f2fe5deeb2e7d6dcffaa24118044f22578b4b8c4b31f2

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

# ensure_document_assets FOLDER: FOLDER has the files of Swagger UI, with their licences, or this
# fails and says why. They are pinned by their hash, since browsers will run them.
ensure_document_assets() {
    local folder=$1 work inside
    [[ ! -e $folder/swagger-ui-bundle.js ]] || return 0
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        say "/docs stays a plain list: python3-venv is missing, which would fetch Swagger UI"
        return 1
    fi
    say "Fetching Swagger UI from PyPI"
    work=$(mktemp -d)
    printf '%s\n' "drf-spectacular-sidecar==2026.10.1 --hash=sha256:$document_assets_sha256" \
        >"$work/wanted"
    if ! { python3 -m venv "$work/venv" &&
        attend "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps \
            --require-hashes --dest "$work" --requirement "$work/wanted" &&
        python3 -m zipfile -e "$work"/*.whl "$work/files"; } >&2; then
        rm -rf "$work"
        say "/docs stays a plain list: PyPI did not give Swagger UI"
        return 1
    fi
    inside=$work/files/drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist
    rm -rf "$folder.new"
    mkdir -p "$folder.new"
    cp "$inside"/{swagger-ui-bundle.js,swagger-ui.css,LICENSE,swagger-ui-bundle.js.LICENSE.txt} \
        "$folder.new/"
    cp "$work"/files/*.dist-info/licenses/LICENSE "$folder.new/LICENSE.drf-spectacular-sidecar"
    rm -rf "$folder" "$work"
    mv "$folder.new" "$folder"
}

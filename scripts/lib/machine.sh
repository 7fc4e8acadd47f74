# shellcheck shell=bash
# Makes a Debian or Ubuntu machine fit to build and run this project: packages by apt, Swift by its
# own installer. Needs messages.sh.

# Servers and headers the three processes stand on; curl asks them whether they are ready.
packages_needed=(
    postgresql libpq-dev redis-server libhiredis-dev libmaxminddb-dev libssl-dev openssl
    libcrypt-dev zlib1g-dev libcurl4-openssl-dev libxlsxwriter-dev libvips-dev pkg-config curl
    libqrencode-dev libpng-dev ca-certificates
)
swift_needed=6.3
# What --install-swift fetches, the version everything here was built and measured with.
swift_installed_by_us=6.3.1

# Runs apt-get as root, by sudo where that is needed.
as_administrator() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        # Without a terminal nobody could type a password: fail at once instead of waiting.
        if [[ -t 0 ]]; then sudo "$@"; else sudo -n "$@"; fi
    else
        return 1
    fi
}

# Installs the packages that are missing; touches neither apt nor the network if none is.
ensure_packages() {
    local missing=() package
    command -v apt-get >/dev/null ||
        die "this is neither Debian nor Ubuntu; install what these stand for: ${packages_needed[*]}"
    for package in "$@"; do
        # A removed package may leave its configuration behind; only "installed" will do.
        [[ "$(dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null)" == *" installed"* ]] ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "Installing ${missing[*]}"
    local install=(apt-get install -y --no-install-recommends "${missing[@]}")
    # apt starts the distribution's own servers on their usual ports; ours have ports of their own.
    if ! { as_administrator env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        as_administrator env DEBIAN_FRONTEND=noninteractive "${install[@]}"; } >&2; then
        die "packages are missing; as root, run: apt-get update && ${install[*]}"
    fi
}

# Checks that swift is there and new enough. Argument: yes to install it if not.
ensure_swift() {
    local found
    # An installation by swiftly that this shell has not heard of yet.
    local environment="${SWIFTLY_HOME_DIR:-$HOME/.local/share/swiftly}/env.sh"
    if ! command -v swift >/dev/null && [[ -r $environment ]]; then
        # shellcheck source=/dev/null
        . "$environment"
    fi
    found=$(swift_version)
    if ! at_least "${found:-0}" "$swift_needed" && [[ $1 == yes ]]; then
        install_swift
        found=$(swift_version)
    fi
    if [[ -z $found ]]; then
        die "Swift $swift_needed or later is missing; run scripts/${0##*/} --install-swift"
    fi
    at_least "$found" "$swift_needed" ||
        die "Swift $found is too old, $swift_needed is needed; run scripts/${0##*/} --install-swift"
}

# The version of the swift in PATH, such as 6.3.1; nothing if there is none.
swift_version() {
    command -v swift >/dev/null || return 0
    swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+(\.[0-9]+)*).*/\1/p' | head -1
}

# Whether version $1 is $2 or later.
at_least() {
    [[ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -1)" == "$2" ]]
}

# Installs Swift for this user by swiftly, the official installer, as its guide to unattended
# installation says.
install_swift() {
    local folder archive
    ensure_packages curl ca-certificates gnupg
    say "Installing Swift $swift_installed_by_us by swiftly"
    folder=$(mktemp -d)
    archive="https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz"
    if ! curl -fsSL "$archive" | tar -xz -C "$folder"; then
        rm -rf "$folder"
        die "swiftly could not be fetched from $archive; install Swift by hand, see swift.org"
    fi
    "$folder/swiftly" init --assume-yes --skip-install --quiet-shell-followup >&2
    # shellcheck source=/dev/null
    . "${SWIFTLY_HOME_DIR:-$HOME/.local/share/swiftly}/env.sh"
    swiftly install --assume-yes --use --post-install-file="$folder/post-install.sh" \
        "$swift_installed_by_us" >&2
    # The packages the toolchain itself wants.
    if [[ -s $folder/post-install.sh ]]; then
        as_administrator bash "$folder/post-install.sh" >&2 ||
            die "Swift needs packages; as root, run what is in $folder/post-install.sh"
    fi
    rm -rf "$folder"
    hash -r
}

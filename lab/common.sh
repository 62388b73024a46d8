# Shared by the scripts of the lab; sourced, never run. Sets $top (the checkout), $cache and $release.
set -euo pipefail
umask 022
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
release=bookworm
if [ "$(id -u)" = 0 ]; then cache=/var/cache/vmstead/lab; else cache=${XDG_CACHE_HOME:-$HOME/.cache}/vmstead/lab; fi
cache=${VMSTEAD_LAB_CACHE:-$cache}

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The mirror that this machine itself uses for Debian, or the one that is everywhere.
mirror() {
    local found
    found=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
        sed -n -e 's/^URIs: *\([^ ]*\/debian\)\/*$/\1/p' -e 's/^deb \(\[.*\] \)\?\([^ ]*\/debian\)\/* .*/\2/p' | head -1)
    echo "${found:-http://deb.debian.org/debian}"
}

sources() {
    local url
    url=$(mirror)
    echo "deb $url $release main contrib"
    echo "deb $url $release-updates main contrib"
}

# digest FILE...: a short name for what is in these files (and on standard input, with -).
digest() { cat -- "$@" | sha256sum | cut -c1-16; }

# The folder of the host's image, by the content of what it is made of; there may be nothing in it yet.
image_folder() {
    (cd "$top" && echo "$cache/image-$(digest lab/image.sh lab/emulator.sh lab/inside.sh lab/disk.sh \
        $(find lab/files -type f | sort) $(find src/vmstead/demo/guest -type f | sort) bin/setup packaging/debian/runtime pyproject.toml constraints.txt)")
}

# bootstrap OPTIONS... RELEASE TARGET: a Debian system from packages, as root or with user namespaces. What all that
# prints is shown only when it fails.
bootstrap() {
    local log
    command -v mmdebstrap >/dev/null || die "mmdebstrap is not installed: run bin/setup --lab"
    log=$(mktemp)
    if ! sources | mmdebstrap --quiet --aptopt='APT::Install-Recommends "false"' "$@" - >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm "$log"
        die "the system could not be built"
    fi
    rm "$log"
}

# Whether the distribution has a package of that name now.
is_there() {
    sources | mmdebstrap --quiet --variant=custom --simulate --include="$1" "$release" /dev/null - 2>/dev/null
}

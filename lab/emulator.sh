#!/usr/bin/env bash
# emulator.sh: the QEMU that emulates the lab's host; prints its path. Programs start half as fast in that of Debian 12
# as in a newer one, so there it is the one of the backports, unpacked into the cache: the machine keeps its own.
. "$(dirname "$(readlink -f "$0")")/common.sh"

own=$(command -v qemu-system-x86_64) || die "QEMU is not installed: run bin/setup --lab"
version=$("$own" --version | sed -n '1s/.* version \([0-9]*\)\..*/\1/p')
if [ "$version" -ge 9 ] || ! grep -q '^VERSION_CODENAME=bookworm$' /etc/os-release; then echo "$own"; exit; fi

folder=$cache/emulator-$(digest "$top/lab/emulator.sh")
program=$folder/usr/bin/qemu-system-x86_64
if [ -e "$program" ]; then echo "$program"; exit; fi

say "fetching a newer QEMU for the lab's host"
mkdir -p "$cache"
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"
{ sources; echo "deb $(mirror) bookworm-backports main"; } >"$work/sources.list"
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
packages=$(printf '%s/bookworm-backports ' qemu-system-x86 qemu-system-common qemu-system-data seabios)
# shellcheck disable=SC2086 # several words
if apt update >&2 && (cd "$work/debs" && apt download $packages >&2); then
    for each in "$work/debs/"*.deb; do dpkg-deb -x "$each" "$work/root"; done
    "$work/root/usr/bin/qemu-system-x86_64" --version >/dev/null || die "the QEMU of the backports does not run here"
    rm -rf "$cache"/emulator-*
    mv "$work/root" "$folder"
    echo "$program"
else
    say "the backports cannot be had, so the lab's host is emulated by this machine's own QEMU, which is slower"
    echo "$own"
fi

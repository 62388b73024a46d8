#!/usr/bin/env bash
# kernel.sh DIRECTORY: make sure that the packages of this distribution's kernel are in DIRECTORY and print
# their paths, the kernel's own first. Without a network, packages that are there already will do.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C

directory=$1
say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
command -v apt-get >/dev/null && command -v apt-cache >/dev/null ||
    die "there is no apt on this machine; the demo guest is made from Debian or Ubuntu packages"

# depends PACKAGE PATTERN: the first dependency that matches, by name.
depends() { apt-cache depends "$1" 2>/dev/null | sed -n "s/^ *Depends: \($2\)$/\1/p" | head -n 1; }

# version_of PACKAGE: the version apt would install.
version_of() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p'; }

# The general kernels: those made for clouds have no drivers for SATA, USB and most network cards.
image=
for meta in linux-image-amd64 linux-image-generic linux-image-virtual; do
    image=$(depends "$meta" 'linux-image-[0-9].*')
    [ -z "$image" ] || break
done

# wanted PACKAGE: its file name, as apt-get download chooses it.
wanted() { local version; version=$(version_of "$1"); printf '%s_%s_amd64.deb\n' "$1" "${version//:/%3a}"; }

packages=()
if [ -n "$image" ]; then
    packages=("$image")
    # Ubuntu keeps the modules in a package of their own.
    modules=$(depends "$image" 'linux-modules-[0-9].*')
    [ -z "$modules" ] || packages+=("$modules")
fi

files=() complete=1
for package in "${packages[@]}"; do
    file=$directory/$(wanted "$package")
    files+=("$file")
    [ -e "$file" ] || complete=0
done

if [ -z "$image" ] || [ $complete = 0 ]; then
    part=$directory/.part
    rm -rf "$part"
    mkdir -p "$part"
    if [ -n "$image" ] && (cd "$part" && apt-get -q download "${packages[@]}" >/dev/null 2>"$directory/.apt"); then
        # Packages of earlier kernels are of no more use.
        rm -f "$directory"/linux-*.deb
        mv "$part"/*.deb "$directory"
        for file in "${files[@]}"; do
            [ -e "$file" ] || die "apt-get download wrote something else than $file"
        done
    else
        [ -n "$image" ] || echo "apt knows no kernel package" >"$directory/.apt"
        files=("$directory"/linux-image-*.deb "$directory"/linux-modules-*.deb)
        [ ${#files[@]} -gt 0 ] ||
            die "no kernel package could be downloaded (apt-get update may help): $(tail -n 3 "$directory/.apt")"
    fi
    rm -rf "$part" "$directory/.apt"
fi
printf '%s\n' "${files[@]}"

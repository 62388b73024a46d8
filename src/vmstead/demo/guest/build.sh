#!/usr/bin/env bash
# build.sh CACHE RECIPE: make sure that the demo guest of this recipe is in the CACHE directory, and print the
# path of its disk image. RECIPE is a name for the contents of this directory; the caller computes it.
#
#   CACHE/RECIPE-KERNEL/guest.raw   a finished image; KERNEL is the version of the kernel package
#   CACHE/packages/                 the kernel packages, so that a changed recipe needs no network
#   CACHE/lock                      held while building
#   CACHE/unfinished.*              a build under way, or one that was killed
set -euo pipefail
shopt -s nullglob
umask 022
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
cache=$1 recipe=$2
mkdir -p "$cache/packages"
cache=$(cd "$cache" && pwd)

# The lock is given back when the last program that was started from here has ended, even if this script is
# killed. So whatever is unfinished once the lock is ours belongs to nobody.
exec 9>"$cache/lock"
flock 9
rm -rf "$cache"/unfinished.*

# Somebody else may have built the same while this script waited.
finished=("$cache/$recipe"-*/guest.raw)
if [ ${#finished[@]} -gt 0 ]; then
    printf '%s\n' "${finished[-1]}"
    exit
fi

bash "$here/image.sh" --check
packages=$(bash "$here/kernel.sh" "$cache/packages")
mapfile -t packages <<<"$packages"
kernel=${packages[0]##*/}
kernel=${kernel#*_}
kernel=${kernel%_*}

unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
trap 'rm -rf "$unfinished"' EXIT
mkdir "$unfinished/work" "$unfinished/result"
bash "$here/image.sh" "$unfinished/work" "$unfinished/result/guest.raw" "${packages[@]}"
mv -T "$unfinished/result" "$cache/$recipe-$kernel"
printf '%s\n' "$cache/$recipe-$kernel/guest.raw"

#!/usr/bin/env bash
# modules.sh: build OpenZFS for the kernel of the lab's host, from Debian's sources, in a throw-away system.
# Prints the folder that has the modules; $folder/kernel names the kernel they are for. Takes three to ten minutes,
# once: what was built is taken as it is until the distribution no longer has that kernel.
. "$(dirname "$(readlink -f "$0")")/common.sh"

folder=$cache/modules-$(digest "$top/lab/modules.sh")
if [ -e "$folder/kernel" ]; then
    if is_there "linux-image-$(cat "$folder/kernel")"; then echo "$folder"; exit; fi
    say "the distribution has a newer kernel than $(cat "$folder/kernel")"
    rm -rf "$folder"
fi

say "building OpenZFS for the lab's kernel; this takes three to ten minutes, once"
mkdir -p "$cache"
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
# dkms builds for the kernel whose headers are there when the package is configured.
bootstrap --variant=apt --include=linux-headers-amd64,dkms,build-essential,kmod,zfs-dkms \
    --customize-hook="chroot \"\$1\" sh -c 'ls /lib/modules/*/updates/dkms/zfs.ko* >/dev/null'" \
    --customize-hook="tar -C \"\$1/lib/modules\" -cf '$work/modules.tar' ." \
    "$release" /dev/null
mkdir "$work/all" "$work/modules"
tar -C "$work/all" -xf "$work/modules.tar"
kernel=$(basename "$(dirname "$(dirname "$(ls -d "$work"/all/*/updates/dkms)")")")
cp "$work/all/$kernel/updates/dkms/"*.ko* "$work/modules"
echo "$kernel" >"$work/modules/kernel"
mv "$work/modules" "$folder"
echo "$folder"

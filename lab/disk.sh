#!/usr/bin/env bash
# disk.sh SYSTEM DISK: make a disk image, without partitions, of a system's folder; nothing that is mounted in it.
set -euo pipefail
bare=$(mktemp -d)
trap 'umount "$bare" 2>/dev/null; rmdir "$bare"' EXIT
# A bind mount shows the folder without what is mounted below it (/proc, /sys, /dev).
mount --bind "$1" "$bare"
truncate -s 12G "$2"
mke2fs -q -t ext4 -L lab -d "$bare" "$2"

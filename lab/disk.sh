#!/usr/bin/env bash
# disk.sh SYSTEM DISK: make a disk image, without partitions, of a system's folder; nothing that is mounted in it.
set -euo pipefail
bare=$(mktemp -d)
# What keeps services from being started while the system is built belongs to its building alone.
policy=usr/sbin/policy-rc.d
kept=$(mktemp)
trap 'umount "$bare" 2>/dev/null; rmdir "$bare"; if [ -s "$kept" ]; then cp -p "$kept" "$1/$policy"; fi; rm "$kept"' EXIT
if [ -e "$1/$policy" ]; then cp -p "$1/$policy" "$kept" && rm "$1/$policy"; fi
# A bind mount shows the folder without what is mounted below it (/proc, /sys, /dev).
mount --bind "$1" "$bare"
truncate -s 12G "$2"
mke2fs -q -t ext4 -L lab -d "$bare" "$2"

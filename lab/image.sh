#!/usr/bin/env bash
# image.sh: build the lab's host: a complete Debian with systemd, libvirt, QEMU, OpenZFS and all that Vmstead needs,
# set up by the project's own bin/setup. Prints the folder with disk.raw, vmlinuz, initrd.img, the key to log in and
# a link to the emulator.
# Takes about four minutes, once for each content of what it is made of. With --is-there it only tells by its exit
# status whether it is built.
. "$(dirname "$(readlink -f "$0")")/common.sh"

folder=$(image_folder)
if [ "${1:-}" = --is-there ]; then test -e "$folder/disk.raw"; exit; fi
if [ -e "$folder/disk.raw" ]; then echo "$folder"; exit; fi

modules=$("$top/lab/modules.sh")
kernel=$(cat "$modules/kernel")
say "building the lab's host; this takes some minutes, once"
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/image"
ln -s "$("$top/lab/emulator.sh")" "$work/image/qemu"
ssh-keygen -q -t ed25519 -N '' -C lab -f "$work/image/key"

# What has been committed or changed here, without what is built from it.
git -C "$top" ls-files -z --cached --others --exclude-standard | tar -C "$top" --null -T - -cf "$work/project.tar"
mkdir "$work/put"
tar -cf "$work/modules.tar" -C "$modules" .
cp "$top/lab/inside.sh" "$work/image/key.pub" "$work/put"
tar -cf "$work/files.tar" -C "$top/lab/files" .
# Packages come through whatever this machine trusts.
cp /etc/ssl/certs/ca-certificates.crt "$work/put/trusted.crt"
{ cat /etc/pip.conf || true; } >"$work/put/pip.conf" 2>/dev/null

packages=systemd-sysv,udev,dbus,libpam-systemd,kmod,linux-image-$kernel,initramfs-tools,openssh-server,ca-certificates
packages+=,iproute2,iputils-ping,procps,psmisc,less,git,sudo,python3,zfsutils-linux,nftables,iptables,ebtables
packages+=,pciutils,usbutils,xfsprogs,btrfs-progs,e2fsprogs,fdisk,socat,curl,apparmor,apparmor-utils,libvirt-daemon-system
bootstrap --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='mkdir -p "$1/root/lab" "$1/opt/vmstead"' \
    --customize-hook="cp '$work/put/'* '$work/modules.tar' '$work/files.tar' \"\$1/root/lab\"" \
    --customize-hook="tar -C \"\$1/opt/vmstead\" -xf '$work/project.tar'" \
    --customize-hook="chroot \"\$1\" bash /root/lab/inside.sh '$kernel'" \
    --customize-hook="cp \"\$1/boot/vmlinuz-$kernel\" '$work/image/vmlinuz'" \
    --customize-hook="cp \"\$1/boot/initrd.img-$kernel\" '$work/image/initrd.img'" \
    --customize-hook='rm -rf "$1/boot/"* "$1/root/lab" "$1/var/cache/apt/archives/"*.deb' \
    --customize-hook="'$top/lab/disk.sh' \"\$1\" '$work/image/disk.raw'" \
    "$release" /dev/null
rm -rf "$folder"
mv "$work/image" "$folder"
# What is made of older recipes goes, unless somebody works in it.
for old in "$cache"/image-*; do
    pid=$(cat "$old/by-hand/pid" 2>/dev/null || echo none)
    if [ "$old" != "$folder" ] && [ ! -d "/proc/$pid" ]; then rm -rf "$old"; fi
done
echo "$folder"

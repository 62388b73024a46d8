#!/usr/bin/env bash
# image.sh WORK IMAGE KERNEL.deb [MODULES.deb]: make the demo guest's disk IMAGE from kernel packages and
# from programs that are installed here. WORK is an empty directory for everything in between.
# image.sh --check: only see whether those programs are installed.
#
# The image starts on any firmware. A BIOS finds SYSLINUX, the kernel and the initramfs; UEFI finds one
# program, \EFI\BOOT\BOOTX64.EFI, that holds the same kernel and initramfs. The initramfs is the whole guest.
#
# Needs no privileges: nothing is mounted, no loop device is used.
set -euo pipefail
umask 022
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C

recipe=$(cd "$(dirname "$0")" && pwd)
stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub
mbr=/usr/lib/syslinux/mbr/mbr.bin

# The command line. The screen and the serial port belong to the login, not to messages; memory that is
# added later is used; the machine stays when the kernel gives up; and a busy host must not make the kernel
# lose its faith in the timers. The last line is about time: under emulation all of it together saves 0.7 of
# the 3.7 seconds in the kernel, and a guest that is gone after switching off needs none of it.
cmdline="console=tty0 console=ttyS0,115200 quiet loglevel=3 memhp_default_state=online panic=0"
cmdline+=" tsc=reliable no_timer_check"
cmdline+=" mitigations=off rodata=off lsm=capability audit=0 cryptomgr.notests"

die() { printf '%s\n' "$*" >&2; exit 1; }

need() { command -v "$1" >/dev/null || die "$1 is not installed: run bin/setup --demo"; }

check_tools() {
    local tool file
    for tool in busybox cpio depmod modprobe objcopy objdump sfdisk mkfs.fat mmd mcopy syslinux dpkg-deb; do
        need "$tool"
    done
    for file in "$stub" "$mbr"; do
        [ -e "$file" ] || die "$file is missing: run bin/setup --demo"
    done
}

# Unpack the kernel and its modules, without the large families of drivers no virtual machine has.
unpack_kernel() {
    local package
    mkdir "$work/kernel"
    for package in "$@"; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/kernel" --no-same-owner \
            --exclude='*/drivers/gpu/drm/amd' --exclude='*/drivers/gpu/drm/i915' --exclude='*/drivers/gpu/drm/xe' \
            --exclude='*/drivers/gpu/drm/nouveau' --exclude='*/drivers/gpu/drm/radeon' \
            --exclude='*/drivers/media' --exclude='*/drivers/net/wireless' --exclude='*/drivers/infiniband' \
            --exclude='*/drivers/iio' --exclude='*/drivers/staging' --exclude='*/kernel/sound' --exclude='*/doc'
    done
    # Some releases package modules below /usr/lib, and kmod may look in either place.
    cd "$work/kernel"
    if [ -d usr/lib/modules ]; then rm -rf lib; ln -s usr/lib lib
    else mkdir -p usr/lib; ln -s ../../lib/modules usr/lib/modules; fi
    vmlinuz=$(echo boot/vmlinuz-*)
    version=${vmlinuz#boot/vmlinuz-}
    vmlinuz=$PWD/$vmlinuz
    [ -d "lib/modules/$version/kernel" ] || die "there is no kernel with modules in: $*"
    depmod -b "$work/kernel" "$version"
}

# Copy the modules of modules.list and those they need into the guest, uncompressed, so that busybox's
# modprobe can load them, and without the signature, which the guest would spend time on. Those marked with
# "=" stay as the distribution signed them.
add_modules() {
    local from=$work/kernel/lib/modules/$version to=$root/lib/modules/$version name optional signed steps verb file
    mkdir -p "$to"
    while read -r name; do
        optional= signed=
        case $name in
            ''|'#'*) continue ;;
            '?'*) optional=1 name=${name#'?'} ;;
            '='*) signed=1 name=${name#'='} ;;
        esac
        if ! steps=$(modprobe -C /dev/null -d "$work/kernel" -S "$version" --show-depends "$name" 2>/dev/null); then
            [ -n "$optional" ] || die "this kernel has no driver called $name"
            continue
        fi
        while read -r verb file; do
            [ "$verb" = insmod ] || continue
            file=${file#*/lib/modules/"$version"/}
            file=${file%% *}
            [ ! -e "$to/${file%.ko*}.ko" ] || continue
            mkdir -p "$to/${file%/*}"
            case $file in
                *.xz) need unxz; unxz -c <"$from/$file" >"$to/${file%.xz}" ;;
                *.zst) need unzstd; unzstd -q -c <"$from/$file" >"$to/${file%.zst}" ;;
                *) cp "$from/$file" "$to/$file" ;;
            esac
            [ -n "$signed" ] || objcopy --strip-unneeded -R .BTF "$to/${file%.ko*}.ko"
        done <<<"$steps"
    done <"$recipe/modules.list"
    cp "$from"/modules.{order,builtin} "$to"
    if [ -e "$from/modules.builtin.modinfo" ]; then cp "$from/modules.builtin.modinfo" "$to"; fi
    depmod -b "$root" "$version"
    rm -f "$to"/modules.*.bin "$to"/modules.{order,builtin.modinfo,devname,weakdep}
}

make_initramfs() {
    local applet
    root=$work/root
    mkdir -p "$root"/{bin,sbin,dev,etc,proc,sys,run,tmp,mnt,root,var/log}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    # The guest looks in /bin before /sbin, so what the recipe brings along must be alone with its name.
    for applet in "$recipe"/rootfs/{bin,sbin}/*; do
        rm -f "$root/bin/${applet##*/}"
    done
    cp -r "$recipe/rootfs/." "$root"
    chmod 755 "$root/init" "$root"/{bin,sbin}/* "$root"/etc/acpi/PWRF/*
    ln -s ../bin/busybox "$root/sbin/init"
    # The kernel's own place for it: what is mounted may need a module.
    ln -s ../bin/busybox "$root/sbin/modprobe"
    ln -s ../bin/busybox "$root/sbin/getty"
    add_modules
    (cd "$root" && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -1 -n >"$work/initrd"
}

# One EFI program from systemd's stub, kernel, initramfs and command line. Each part becomes a section at an
# address of its own, behind the stub's sections and those already placed.
make_efi_program() {
    local align next=0 size address section file arguments=() sections
    align=$((16#$(objdump -p "$stub" | sed -n 's/^SectionAlignment[[:space:]]*//p')))
    # Lines of objdump -h begin with: number .name size address
    sections=$(objdump -h "$stub" | sed -n 's/^ *[0-9]\+ \.[^ ]\+ \+\([0-9a-f]\+\) \+\([0-9a-f]\+\) .*/\1 \2/p')
    while read -r size address; do
        ((next >= 16#$address + 16#$size)) || next=$((16#$address + 16#$size))
    done <<<"$sections"
    printf '%s' "$cmdline" >"$work/cmdline"
    for section in osrel:/usr/lib/os-release cmdline:"$work/cmdline" linux:"$vmlinuz" initrd:"$work/initrd"; do
        file=${section#*:} section=.${section%%:*}
        next=$(((next + align - 1) / align * align))
        arguments+=(--add-section "$section=$file" --change-section-vma "$section=$next")
        next=$((next + $(stat -L -c %s "$file")))
    done
    objcopy "${arguments[@]}" "$stub" "$work/BOOTX64.EFI"
}

make_image() {
    local parts=("$work/BOOTX64.EFI" "$vmlinuz" "$work/initrd") part bytes=0 first=2048 mib
    for part in "${parts[@]}"; do bytes=$((bytes + $(stat -c %s "$part"))); done
    mib=$(((bytes / 1048576 + 16 + 15) / 16 * 16))
    [ $mib -ge 64 ] || mib=64
    truncate -s "${mib}M" "$work/disk"
    echo "start=$first, type=e, bootable" | sfdisk -q "$work/disk"
    dd if=$mbr of="$work/disk" bs=440 count=1 conv=notrunc status=none

    truncate -s $((mib * 1048576 - first * 512)) "$work/part"
    mkfs.fat -F 16 -s 16 -h $first -n VMSTEAD "$work/part" >/dev/null
    syslinux --install "$work/part"
    cat >"$work/syslinux.cfg" <<EOF
default demo
label demo
  kernel /vmlinuz
  initrd /initrd
  append $cmdline
EOF
    mmd -i "$work/part" ::/EFI ::/EFI/BOOT
    mcopy -i "$work/part" "$work/BOOTX64.EFI" ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i "$work/part" "$vmlinuz" ::/vmlinuz
    mcopy -i "$work/part" "$work/initrd" "$work/syslinux.cfg" ::/
    dd if="$work/part" of="$work/disk" bs=1M seek=$((first / 2048)) conv=notrunc,sparse status=none
    mv "$work/disk" "$image"
}

check_tools
[ "$1" != --check ] || exit 0
work=$1 image=$2
shift 2
unpack_kernel "$@"
make_initramfs
make_efi_program
make_image

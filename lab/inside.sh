#!/usr/bin/env bash
# inside.sh KERNEL: what turns the new system into the lab's host; run in it, before it is ever started.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
kernel=$1
cd /root/lab

# --- the project, as a newcomer sets it up ---------------------------------------------------------
# Packages come as they come to the machine that builds this, whatever that trusts.
certificates=/etc/ssl/certs/ca-certificates.crt
mv $certificates own.crt
cp trusted.crt $certificates
cp pip.conf /etc/pip.conf
export PIP_CERT=$certificates NODE_EXTRA_CA_CERTS=$certificates
/opt/vmstead/bin/setup --dev
/opt/vmstead/.venv/bin/python -m vmstead.demo.guest
mv own.crt $certificates
rm /etc/pip.conf

# --- kernel and modules ----------------------------------------------------------------------------
mkdir -p "/lib/modules/$kernel/updates/dkms"
tar -C "/lib/modules/$kernel/updates/dkms" --exclude=./kernel -xf modules.tar
depmod "$kernel"
tar -C / --no-same-owner -xf files.tar
# The host starts without a boot loader, from a disk whose driver must be at hand.
printf '%s\n' virtio_pci virtio_blk ext4 >>/etc/initramfs-tools/modules
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=gzip/' /etc/initramfs-tools/initramfs.conf
update-initramfs -u -k "$kernel"

# --- who it is and what it starts ------------------------------------------------------------------
echo lab >/etc/hostname
printf '127.0.0.1 localhost lab\n' >/etc/hosts
printf '/dev/vda / ext4 defaults,noatime 0 1\n' >/etc/fstab
mkdir -m 700 -p /root/.ssh
cp key.pub /root/.ssh/authorized_keys
systemctl enable -q systemd-networkd ssh serial-getty@ttyS0
systemctl mask -q apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online.service e2scrub_all.timer \
    fstrim.timer dpkg-db-backup.timer man-db.timer systemd-timesyncd.service libvirt-guests.service

# --- QEMU under an emulated processor --------------------------------------------------------------
dpkg-divert --quiet --local --rename --divert /usr/bin/qemu-system-x86_64.real --add /usr/bin/qemu-system-x86_64
install -m 755 /usr/local/lib/lab/qemu-system-x86_64 /usr/bin/qemu-system-x86_64
